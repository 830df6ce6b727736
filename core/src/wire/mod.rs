//! Records of the protocol.

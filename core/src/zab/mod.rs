//! Consensus: orders opaque payloads.

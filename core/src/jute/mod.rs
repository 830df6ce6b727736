//! Serialisation primitives.

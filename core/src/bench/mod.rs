//! The benchmark tool.

//! The master–worker flow.

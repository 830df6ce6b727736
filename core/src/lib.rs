//! Menagerie core

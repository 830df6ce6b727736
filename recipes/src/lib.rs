//! Typed async coordination recipes on the Menagerie client.

//! Runnable examples of Menagerie; each file of this crate is one program.

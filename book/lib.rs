//! The book's chapters as doctests: every snippet a reader sees is compiled and run.

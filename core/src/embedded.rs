//! A server in this process, for tests, examples and small programs.

//! Tests of the session machine, in virtual time.

//! One ensemble member as a pure machine.

//! Sessions and their expiry.

//! Requests queued and outstanding.

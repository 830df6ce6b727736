//! The `digest` scheme: a user and the SHA-1 of user and password (protocol §2.10).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// The id that `user:password` proves: `user:base64(sha1(user:password))`. Text without a colon is its own user.
pub fn digest_id(credentials: &str) -> String {
    let user = credentials.split(':').next().unwrap_or_default();
    format!("{user}:{}", STANDARD.encode(Sha1::digest(credentials.as_bytes())))
}

#[cfg(test)]
mod tests {
    /// Protocol §8.7.
    #[test]
    fn the_recorded_vector() {
        assert_eq!(super::digest_id("bob:secret"), "bob:fyVmFCwVbTJYrznoSu1koqYEYF0=");
    }
}

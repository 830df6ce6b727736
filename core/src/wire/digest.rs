//! The ids of the scheme `digest`: a user and the SHA-1 of user and password (protocol §2.10). It never knows who presents what.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use super::{Acl, Id, Perms};

/// The id that the credentials `user:password` prove: `user:base64(sha1(user:password))`. Text without a colon is its own user.
pub fn digest_id(credentials: &str) -> String {
    let user = credentials.split(':').next().unwrap_or_default();
    format!("{user}:{}", STANDARD.encode(Sha1::digest(credentials.as_bytes())))
}

impl Id {
    /// The id of the scheme `digest` that the credentials `user:password` prove. They are what a client presents with that scheme; the id does
    /// not show them.
    pub fn digest(credentials: &str) -> Self {
        Id::new("digest", digest_id(credentials))
    }
}

impl Acl {
    /// An entry that gives `perms` to whoever presents the credentials `user:password` with the scheme `digest`.
    pub fn digest(perms: Perms, credentials: &str) -> Self {
        Acl { perms, id: Id::digest(credentials) }
    }
}

#[cfg(test)]
mod tests {
    /// Protocol §8.7.
    use super::*;

    #[test]
    fn the_recorded_vector() {
        assert_eq!(digest_id("bob:secret"), "bob:fyVmFCwVbTJYrznoSu1koqYEYF0=");
        let entry = Acl::digest(Perms::READ, "bob:secret");
        assert_eq!(entry.to_string(), "digest:bob:fyVmFCwVbTJYrznoSu1koqYEYF0=:r");
    }
}

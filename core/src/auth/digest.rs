//! How the scheme `digest` makes an id of `user:password` when another algorithm than the protocol's SHA-1 is configured.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use crate::wire::digest_id;

/// `DigestAuthenticationProvider.digestAlg`. Ids of one algorithm mean nothing to another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// SHA-1, which is what clients compute when they write such ids into access lists themselves.
    #[default]
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// A name that no algorithm has here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("SHA1, SHA-224, SHA-256, SHA-384 or SHA-512")]
pub struct UnknownAlgorithm;

impl FromStr for DigestAlgorithm {
    type Err = UnknownAlgorithm;

    /// The names that Java has for them, in any case.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(match name.to_ascii_uppercase().as_str() {
            "SHA" | "SHA1" | "SHA-1" => Self::Sha1,
            "SHA-224" => Self::Sha224,
            "SHA-256" => Self::Sha256,
            "SHA-384" => Self::Sha384,
            "SHA-512" => Self::Sha512,
            _ => return Err(UnknownAlgorithm),
        })
    }
}

impl DigestAlgorithm {
    /// The id that the credentials `user:password` prove.
    pub(super) fn id(self, credentials: &str) -> String {
        let bytes = credentials.as_bytes();
        let digest = match self {
            Self::Sha1 => return digest_id(credentials),
            Self::Sha224 => STANDARD.encode(Sha224::digest(bytes)),
            Self::Sha256 => STANDARD.encode(Sha256::digest(bytes)),
            Self::Sha384 => STANDARD.encode(Sha384::digest(bytes)),
            Self::Sha512 => STANDARD.encode(Sha512::digest(bytes)),
        };
        let user = credentials.split(':').next().unwrap_or_default();
        format!("{user}:{digest}")
    }
}

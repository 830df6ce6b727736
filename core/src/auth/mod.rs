//! Who a connection is, and what an ACL permits it (protocol §2.10). It never knows the tree, nor does any I/O.

mod digest;
mod ip;

pub use digest::{DigestAlgorithm, UnknownAlgorithm};

use std::collections::HashSet;

use crate::wire::{Acl, Id, Perms};

/// Why an ACL list cannot be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ACL is empty, or names a scheme or an id that does not exist")]
pub struct InvalidAcl;

/// How credentials are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthConfig {
    /// `DigestAuthenticationProvider.digestAlg`: how the scheme `digest` makes ids. `None`: there is no such scheme here
    /// (`DigestAuthenticationProvider.enabled=false`): nobody proves such an id, none is accepted in a list, and none matches.
    pub digest: Option<DigestAlgorithm>,
    /// `zookeeper.DigestAuthenticationProvider.superDigest`: the digest id whose owner bypasses every check.
    pub super_digest: Option<String>,
    /// `skipACL`: every check passes.
    pub skip_acl: bool,
    /// `enforce.auth.schemes`: who has no identity of one of these may do nothing but prove one. Empty: everybody may ask.
    pub enforced_schemes: Vec<String>,
}

impl Default for AuthConfig {
    /// As the reference: digests are SHA-1, and nothing is enforced or skipped.
    fn default() -> Self {
        AuthConfig {
            digest: Some(DigestAlgorithm::default()),
            super_digest: None,
            skip_acl: false,
            enforced_schemes: Vec::new(),
        }
    }
}

impl AuthConfig {
    /// Whether there is such a scheme, for credentials and for access lists.
    pub fn has_scheme(&self, scheme: &str) -> bool {
        match scheme {
            "digest" => self.digest.is_some(),
            "ip" => true,
            _ => false,
        }
    }

    /// Whether a caller with `ids` may ask for anything but to prove who it is.
    pub fn admits(&self, ids: &[Id]) -> bool {
        self.enforced_schemes.is_empty() || ids.iter().any(|id| self.enforced_schemes.contains(&id.scheme))
    }
}

/// Whether a caller with `ids` may do any of `needed` on a znode with this list.
pub fn permits(config: &AuthConfig, acl: &[Acl], ids: &[Id], needed: Perms) -> bool {
    if config.skip_acl || acl.is_empty() || ids.iter().any(|id| id.scheme == "super") {
        return true;
    }
    acl.iter().filter(|entry| entry.perms.intersects(needed)).any(|entry| {
        let same = |id: &&Id| id.scheme == entry.id.scheme && config.has_scheme(&id.scheme);
        is_anyone(&entry.id) || ids.iter().filter(same).any(|id| matches(&entry.id, &id.id))
    })
}

/// The list as it is stored: duplicates dropped, `auth` replaced by the caller's identities.
///
/// # Errors
/// [`InvalidAcl`] when the list is empty, an entry is not valid, or the list grows longer than `most_bytes`: a few `auth`
/// entries of a caller with many identities are a long one.
pub fn normalise(config: &AuthConfig, acl: &[Acl], ids: &[Id], most_bytes: usize) -> Result<Vec<Acl>, InvalidAcl> {
    let mut normal = Normal { seen: HashSet::new(), list: Vec::new(), bytes_left: most_bytes };
    for entry in acl {
        if entry.id.scheme == "auth" {
            let mut authenticated = ids.iter().filter(|id| is_authenticated(id)).peekable();
            authenticated.peek().ok_or(InvalidAcl)?;
            authenticated.try_for_each(|id| normal.add(entry.perms, id))?;
        } else if is_anyone(&entry.id) || (config.has_scheme(&entry.id.scheme) && is_valid(&entry.id)) {
            normal.add(entry.perms, &entry.id)?;
        } else {
            return Err(InvalidAcl);
        }
    }
    if normal.list.is_empty() { Err(InvalidAcl) } else { Ok(normal.list) }
}

struct Normal<'a> {
    seen: HashSet<(Perms, &'a Id)>,
    list: Vec<Acl>,
    bytes_left: usize,
}

impl<'a> Normal<'a> {
    fn add(&mut self, perms: Perms, id: &'a Id) -> Result<(), InvalidAcl> {
        if self.seen.insert((perms, id)) {
            let bytes = 12 + id.scheme.len() + id.id.len();
            self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or(InvalidAcl)?;
            self.list.push(Acl { perms, id: id.clone() });
        }
        Ok(())
    }
}

/// The identities that credentials prove, or `None` when they are refused. Null credentials are no empty ones.
pub fn authenticate(config: &AuthConfig, scheme: &str, credentials: Option<&[u8]>, remote: &str) -> Option<Vec<Id>> {
    match scheme {
        "digest" => {
            let id = config.digest?.id(&String::from_utf8_lossy(credentials?));
            let is_super = config.super_digest.as_deref() == Some(id.as_str());
            let mut ids = vec![Id::new("digest", id)];
            if is_super {
                ids.push(Id::new("super", ""));
            }
            Some(ids)
        }
        "ip" => Some(vec![Id::new("ip", remote)]),
        _ => None,
    }
}

/// The name an identity shows in whoAmI: without a digest's secret part.
pub fn user_name(id: &Id) -> &str {
    match id.scheme.as_str() {
        "digest" => id.id.split(':').next().unwrap_or_default(),
        "super" => "",
        _ => &id.id,
    }
}

fn is_anyone(id: &Id) -> bool {
    id.scheme == "world" && id.id == "anyone"
}

fn is_authenticated(id: &Id) -> bool {
    id.scheme == "digest"
}

fn is_valid(id: &Id) -> bool {
    match id.scheme.as_str() {
        "digest" => id.id.split_once(':').is_some_and(|(_, secret)| !secret.is_empty() && !secret.contains(':')),
        "ip" => ip::is_valid(&id.id),
        _ => false,
    }
}

fn matches(entry: &Id, caller: &str) -> bool {
    if entry.scheme == "ip" { ip::matches(&entry.id, caller) } else { entry.id == caller }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn auth_is_replaced_by_the_callers_identities() {
        let bob = Id::new("digest", "bob:xyz");
        let ids = [Id::new("ip", "127.0.0.1"), bob.clone()];
        let acl = normalise(&AuthConfig::default(), &Acl::creator_all(), &ids, 1000).unwrap();
        assert_eq!(acl, [Acl { perms: Perms::ALL, id: bob }]);
        assert_eq!(normalise(&AuthConfig::default(), &Acl::creator_all(), &ids[..1], 1000), Err(InvalidAcl));
    }

    #[test]
    fn invalid_entries_are_refused() {
        for (scheme, id) in [("world", "foo"), ("none", "x"), ("digest", "bob"), ("super", ""), ("ip", "1.2.3.4/33")] {
            assert_eq!(
                normalise(&AuthConfig::default(), &[Acl::new(Perms::ALL, scheme, id)], &[], 1000),
                Err(InvalidAcl),
                "{scheme}:{id}"
            );
        }
        assert_eq!(normalise(&AuthConfig::default(), &[], &[], 1000), Err(InvalidAcl));
        let twice = [Acl::open(), Acl::open()].concat();
        assert_eq!(normalise(&AuthConfig::default(), &twice, &[], 1000).unwrap(), Acl::open());
    }

    /// It was quadratic, and unbounded before anything looked at its size: one request stopped all writes for minutes.
    #[test]
    fn a_long_list_is_given_up_at_its_bound() {
        let ids: Vec<Id> = (0..2_000).map(|user| Id::new("digest", format!("user{user}:x"))).collect();
        let acl: Vec<Acl> = (0..60_000).map(|perms| Acl::new(Perms(perms), "auth", "")).collect();
        assert_eq!(normalise(&AuthConfig::default(), &acl, &ids, 1 << 20), Err(InvalidAcl));
        let acl: Vec<Acl> =
            (0..60_000).map(|low| Acl::new(Perms::ALL, "ip", format!("10.0.{}.{}", low / 256, low % 256))).collect();
        assert_eq!(normalise(&AuthConfig::default(), &acl, &[], 1 << 24).unwrap(), acl);
    }

    #[test]
    fn a_permission_needs_an_entry_that_matches_the_caller() {
        let config = AuthConfig::default();
        let acl = [Acl::new(Perms::READ, "ip", "10.0.0.0/8"), Acl::new(Perms::WRITE, "digest", "bob:x")];
        let caller = [Id::new("ip", "10.1.2.3")];
        assert!(permits(&config, &acl, &caller, Perms::READ));
        assert!(!permits(&config, &acl, &caller, Perms::WRITE));
        assert!(permits(&config, &acl, &[Id::new("super", "")], Perms::WRITE));
    }

    /// The vectors are `printf user:pass | openssl dgst -binary -sha256 | base64` and its like.
    #[test]
    fn a_digest_is_of_the_configured_algorithm() {
        let proved = |name: &str| {
            let config = AuthConfig { digest: Some(name.parse().unwrap()), ..AuthConfig::default() };
            authenticate(&config, "digest", Some(b"user:pass"), "").unwrap()
        };
        for (name, expected) in [
            ("sha1", "user:smGaoVKd/cQkjm7b88GyorAUz20="),
            ("SHA-224", "user:PkKzWnuMzJ0rpktz4O5hvSZFw/3yZFIfOizv2Q=="),
            ("SHA-256", "user:70yRTFkWmLJo2zxkFj6v2nIJpjDyNuvw7r8EVGDfcjo="),
            ("SHA-384", "user:HCMIuQnSVR4Ge6EqefZYDR5jDoZgKCFDqLIj+NFPNcMCWoRCnlIHxYGRib8lxoES"),
            (
                "SHA-512",
                "user:byB8hNs+LzOYofjeMGiIfR/jKrcms8i5ls17owJgMPc/97CxZ1nTVHmKawnszYHC8bu9VMh6GIu6lFZ1BXBL3Q==",
            ),
        ] {
            assert_eq!(proved(name), [Id::new("digest", expected)]);
        }
        assert_eq!("MD5".parse::<DigestAlgorithm>(), Err(UnknownAlgorithm));
    }

    #[test]
    fn a_scheme_that_is_off_proves_nothing_and_matches_nothing() {
        let off = AuthConfig { digest: None, ..AuthConfig::default() };
        let bob = Id::new("digest", "bob:x");
        let list = [Acl { perms: Perms::ALL, id: bob.clone() }];
        assert_eq!(authenticate(&off, "digest", Some(b"bob:secret"), ""), None);
        assert_eq!(normalise(&off, &list, &[], 1000), Err(InvalidAcl));
        assert!(!permits(&off, &list, &[bob], Perms::READ));
    }

    #[test]
    fn who_has_no_identity_of_an_enforced_scheme_is_not_admitted() {
        let enforced = AuthConfig { enforced_schemes: vec!["digest".into()], ..AuthConfig::default() };
        let (ip, bob) = (Id::new("ip", "127.0.0.1"), Id::new("digest", "bob:x"));
        assert!(!enforced.admits(std::slice::from_ref(&ip)) && enforced.admits(&[ip.clone(), bob]));
        assert!(AuthConfig::default().admits(&[ip]));
    }
}

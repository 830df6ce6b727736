//! The arguments of calls that are more than a path.

use std::time::Duration;

use crate::wire::{Acl, CreateMode, Ttl};

use super::Error;

/// What kind of znode to create, and who may use it. A [`CreateMode`] alone will do: `client.create(path, data,
/// CreateMode::Ephemeral)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateOptions {
    pub(super) mode: CreateMode,
    /// `None` is [`Acl::open`]; kept apart so that the usual case allocates nothing.
    pub(super) acl: Option<Vec<Acl>>,
    pub(super) ttl: Option<Duration>,
}

impl CreateOptions {
    /// A znode of this mode, open to everybody.
    pub fn new(mode: CreateMode) -> Self {
        CreateOptions { mode, acl: None, ttl: None }
    }

    /// Who may do what, instead of [`Acl::open`].
    #[must_use]
    pub fn acl(mut self, acl: Vec<Acl>) -> Self {
        self.acl = Some(acl);
        self
    }

    /// How long the znode lives after its last write while it has no children, from 1 ms to about 34 years. Turns a persistent mode
    /// into its TTL form. The server must allow TTL znodes (`extendedTypesEnabled`), else the call fails with UNIMPLEMENTED.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self.mode = match self.mode {
            CreateMode::Persistent => CreateMode::PersistentWithTtl,
            CreateMode::PersistentSequential => CreateMode::PersistentSequentialWithTtl,
            other => other,
        };
        self
    }

    /// The time to live on the wire, or `None` for modes without one.
    pub(super) fn ttl_ms(&self) -> Result<Option<i64>, Error> {
        match (self.mode.is_ttl(), self.ttl) {
            (false, None) => Ok(None),
            (false, Some(_)) => Err(Error::invalid(format_args!("{:?} znodes have no time to live", self.mode))),
            (true, None) => Err(Error::invalid(format_args!("{:?} needs a time to live", self.mode))),
            (true, Some(ttl)) => match i64::try_from(ttl.as_millis()) {
                Ok(ms @ 1..=Ttl::MAX_MS) => Ok(Some(ms)),
                _ => Err(Error::invalid(format_args!("a time to live cannot be {ttl:?}"))),
            },
        }
    }
}

impl From<CreateMode> for CreateOptions {
    fn from(mode: CreateMode) -> Self {
        CreateOptions::new(mode)
    }
}

impl Default for CreateOptions {
    fn default() -> Self {
        CreateOptions::new(CreateMode::Persistent)
    }
}

/// Which version of a znode a write expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Version {
    /// Whichever there is.
    #[default]
    Any,
    /// Exactly this one; another one fails the call with BADVERSION.
    Is(
        /// The version, as a [`Stat`](crate::wire::Stat) tells it.
        i32,
    ),
}

impl Version {
    /// The number on the wire.
    pub(super) fn code(self) -> i32 {
        match self {
            Version::Any => -1,
            Version::Is(version) => version,
        }
    }
}

/// −1 is [`Version::Any`], as on the wire.
impl From<i32> for Version {
    fn from(version: i32) -> Self {
        if version == -1 { Version::Any } else { Version::Is(version) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_time_to_live_belongs_to_ttl_modes() {
        let options = CreateOptions::from(CreateMode::PersistentSequential).ttl(Duration::from_secs(2));
        assert_eq!(options.mode, CreateMode::PersistentSequentialWithTtl);
        assert_eq!(options.ttl_ms().unwrap(), Some(2000));
        assert!(CreateOptions::from(CreateMode::Ephemeral).ttl(Duration::from_secs(2)).ttl_ms().is_err());
        assert!(CreateOptions::new(CreateMode::PersistentWithTtl).ttl_ms().is_err());
        assert!(CreateOptions::default().ttl(Duration::ZERO).ttl_ms().is_err());
        assert_eq!(CreateOptions::default().ttl_ms().unwrap(), None);
    }

    #[test]
    fn minus_one_is_any_version() {
        assert_eq!(Version::from(-1), Version::Any);
        assert_eq!((Version::Any.code(), Version::from(3).code()), (-1, 3));
    }
}

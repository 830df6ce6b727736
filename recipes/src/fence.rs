//! Fencing tokens: numbers that rise with every new holder, for resources that the service does not guard itself.
//! It never knows what is fenced.

use std::fmt;

use menagerie_core::wire::Zxid;

/// Orders the holders of one lock: each has a higher token than those before it. It is the czxid of the holder's znode, so it keeps
/// rising when the lock's directory is removed and made again, which the ten digits in the znode's name do not.
///
/// It protects an outside resource only if that resource remembers the highest token it has seen and refuses lower ones. For
/// state inside the service, check and write in one multi instead: [`LockGuard::fenced`](crate::lock::LockGuard::fenced).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(transparent))]
pub struct FencingToken(i64);

impl FencingToken {
    /// The number to hand to the resource.
    pub fn number(self) -> i64 {
        self.0
    }
}

impl From<Zxid> for FencingToken {
    fn from(czxid: Zxid) -> Self {
        FencingToken(czxid.0)
    }
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

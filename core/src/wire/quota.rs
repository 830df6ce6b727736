//! The text of quotas: what the znodes `zookeeper_limits` and `zookeeper_stats` hold (protocol §2.12), and where they stand.
//! It never knows the tree, nor whether a limit is kept.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The znode below which quotas are kept: the quota of `/p` is at `/zookeeper/quota/p`.
pub const QUOTA_ROOT: &str = "/zookeeper/quota";
/// The name of the znode that holds the limits.
pub const LIMITS_NODE: &str = "zookeeper_limits";
/// The name of the znode that holds what is in use.
pub const STATS_NODE: &str = "zookeeper_stats";

const COUNT: &str = "count";
const BYTES: &str = "bytes";
const COUNT_HARD: &str = "countHardLimit";
const BYTES_HARD: &str = "byteHardLimit";

/// Numbers of znodes and bytes: limits, or what is in use. Without a number there is no limit.
///
/// The text is `count=4,bytes=-1`, or, with hard limits, `count=-1,bytes=-1=;byteHardLimit=100;countHardLimit=4`; the stray `=`
/// is the reference's. Keys that nobody knows are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quota {
    numbers: BTreeMap<String, i64>,
}

/// A text that holds no quota.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part:?} is not a key, `=` and a number, such as count=10")]
pub struct QuotaError {
    /// The part that is none.
    pub part: String,
}

impl Quota {
    /// What is in use: znodes, and bytes of their data.
    pub fn used(count: i64, bytes: i64) -> Self {
        let mut quota = Quota::default();
        quota.set_used(count, bytes);
        quota
    }

    /// Number of znodes, or above how many of them somebody should hear of it. -1 when there is none.
    pub fn count(&self) -> i64 {
        self.number(COUNT)
    }

    /// Bytes of data, or above how many of them somebody should hear of it. -1 when there is none.
    pub fn bytes(&self) -> i64 {
        self.number(BYTES)
    }

    /// The number of znodes that may not be exceeded; -1 when there is none.
    pub fn count_hard_limit(&self) -> i64 {
        self.number(COUNT_HARD)
    }

    /// The bytes of data that may not be exceeded; -1 when there is none.
    pub fn bytes_hard_limit(&self) -> i64 {
        self.number(BYTES_HARD)
    }

    /// Sets [`Quota::count`] and [`Quota::bytes`].
    pub fn set_used(&mut self, count: i64, bytes: i64) {
        self.numbers.insert(COUNT.to_owned(), count);
        self.numbers.insert(BYTES.to_owned(), bytes);
    }

    /// Sets [`Quota::count_hard_limit`] and [`Quota::bytes_hard_limit`]; `None` leaves one as it is.
    pub fn set_hard_limits(&mut self, count: Option<i64>, bytes: Option<i64>) {
        for (key, limit) in [(COUNT_HARD, count), (BYTES_HARD, bytes)] {
            if let Some(limit) = limit {
                self.numbers.insert(key.to_owned(), limit);
            }
        }
    }

    /// Reads a znode's data. `None` and text that is not UTF-8 are errors, an empty text has no numbers.
    ///
    /// # Errors
    /// [`QuotaError`] names the first part that is not understood.
    pub fn from_data(data: Option<&[u8]>) -> Result<Self, QuotaError> {
        let text = data.and_then(|data| std::str::from_utf8(data).ok());
        text.ok_or_else(|| QuotaError { part: "data that is no text".to_owned() })?.parse()
    }

    fn number(&self, key: &str) -> i64 {
        self.numbers.get(key).copied().unwrap_or(-1)
    }
}

impl FromStr for Quota {
    type Err = QuotaError;

    fn from_str(text: &str) -> Result<Self, QuotaError> {
        let mut numbers = BTreeMap::new();
        // Several separators in a row count as one.
        for part in text.split([',', ';']).filter(|part| !part.is_empty()) {
            let bad = || QuotaError { part: part.to_owned() };
            let mut sides = part.split('=');
            let (Some(key), Some(value)) = (sides.next(), sides.next()) else { return Err(bad()) };
            let no_limit = value.is_empty() && sides.any(|more| !more.is_empty());
            let number = if no_limit { Ok(-1) } else { value.parse() };
            numbers.insert(key.to_owned(), number.map_err(|_| bad())?);
        }
        Ok(Quota { numbers })
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{COUNT}={},{BYTES}={}", self.count(), self.bytes())?;
        let others = self.numbers.iter().filter(|(key, _)| *key != COUNT && *key != BYTES);
        for (index, (key, number)) in others.enumerate() {
            write!(f, "{};{key}={number}", if index == 0 { "=" } else { "" })?;
        }
        Ok(())
    }
}

/// The path that a limits or statistics znode is about, and whether it holds the limits: `/zookeeper/quota/a/zookeeper_limits`
/// is about `/a`, and `/zookeeper/quota/zookeeper_limits` about the root, whose path is empty here.
pub fn subject(path: &str) -> Option<(&str, QuotaNode)> {
    let (parent, name) = path.strip_prefix(QUOTA_ROOT)?.rsplit_once('/')?;
    // What starts with the same letters only is another znode.
    let is_below = parent.is_empty() || parent.starts_with('/');
    match name {
        LIMITS_NODE if is_below => Some((parent, QuotaNode::Limits)),
        STATS_NODE if is_below => Some((parent, QuotaNode::Stats)),
        _ => None,
    }
}

/// Which of its two znodes a quota is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuotaNode {
    /// [`LIMITS_NODE`].
    Limits,
    /// [`STATS_NODE`].
    Stats,
}

impl QuotaNode {
    /// The full path of this znode of the quota of `subject`, the root being empty.
    pub fn path(self, subject: &str) -> String {
        let name = match self {
            QuotaNode::Limits => LIMITS_NODE,
            QuotaNode::Stats => STATS_NODE,
        };
        format!("{QUOTA_ROOT}{subject}/{name}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// What the reference's `setquota` of 3.8.0 writes, and older ones.
    #[test]
    fn texts_of_the_reference_are_read_and_written() {
        for text in ["count=-1,bytes=-1", "count=10,bytes=500", "count=-1,bytes=-1=;byteHardLimit=100;countHardLimit=4"]
        {
            assert_eq!(text.parse::<Quota>().unwrap().to_string(), text);
        }
        let hard: Quota = "count=1,bytes=2=;byteHardLimit=3;countHardLimit=4".parse().unwrap();
        let numbers = (hard.count(), hard.bytes(), hard.bytes_hard_limit(), hard.count_hard_limit());
        assert_eq!(numbers, (1, 2, 3, 4));
        let tolerated =
            ["count=1,bytes=2;byteHardLimit=3;countHardLimit=4", "countHardLimit=4;byteHardLimit=3,,bytes=2,count=1"];
        for text in tolerated {
            assert_eq!(text.parse::<Quota>().unwrap(), hard, "{text}");
        }
        let empty: Quota = "".parse().unwrap();
        assert_eq!(
            (empty.count(), empty.bytes(), empty.count_hard_limit(), empty.bytes_hard_limit()),
            (-1, -1, -1, -1)
        );
        assert_eq!(empty.to_string(), "count=-1,bytes=-1");
    }

    #[test]
    fn what_is_no_quota_is_named() {
        for (text, part) in [("many", "many"), ("count=", "count="), ("count=1,bytes=x", "bytes=x")] {
            assert_eq!(text.parse::<Quota>().unwrap_err().part, part);
        }
        assert!(Quota::from_data(None).is_err() && Quota::from_data(Some(&[0xff])).is_err());
        assert_eq!(Quota::from_data(Some(b"")).unwrap(), Quota::default());
    }

    #[test]
    fn a_quota_znode_says_what_it_is_about() {
        assert_eq!(subject("/zookeeper/quota/a/b/zookeeper_limits"), Some(("/a/b", QuotaNode::Limits)));
        assert_eq!(subject("/zookeeper/quota/a/zookeeper_stats"), Some(("/a", QuotaNode::Stats)));
        assert_eq!(subject("/zookeeper/quota/zookeeper_limits"), Some(("", QuotaNode::Limits)));
        for other in
            ["/zookeeper/quota", "/zookeeper/quota/a", "/zookeeper/quotas/zookeeper_limits", "/a/zookeeper_stats"]
        {
            assert_eq!(subject(other), None, "{other}");
        }
        assert_eq!(QuotaNode::Stats.path("/a"), "/zookeeper/quota/a/zookeeper_stats");
    }
}

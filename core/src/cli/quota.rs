//! The limits of a quota as they are typed and set, and where a path's quota is kept (protocol §2.12).
//!
//! Only numbers and text: no client.

use std::collections::BTreeMap;

use crate::wire::quota::{QUOTA_ROOT, Quota};

/// One of the four limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Limit {
    Count,
    Bytes,
    CountHard,
    BytesHard,
}

/// Limits that are to be set.
pub(super) type Limits = BTreeMap<Limit, i64>;

impl Limit {
    pub(super) const ALL: [Self; 4] = [Self::Count, Self::Bytes, Self::CountHard, Self::BytesHard];

    /// The flag that means it.
    pub(super) fn flag(self) -> &'static str {
        match self {
            Self::Count => "n",
            Self::Bytes => "b",
            Self::CountHard => "N",
            Self::BytesHard => "B",
        }
    }

    /// Its name in a znode.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Bytes => "bytes",
            Self::CountHard => "countHardLimit",
            Self::BytesHard => "byteHardLimit",
        }
    }

    /// The smallest value it may have.
    pub(super) fn least(self) -> i64 {
        match self {
            Self::Count | Self::CountHard => 1,
            Self::Bytes | Self::BytesHard => 0,
        }
    }

    /// What is said of a smaller one, in the reference's words.
    pub(super) fn must_be(self) -> &'static str {
        match self {
            Self::Count | Self::CountHard => "the num quota must be greater than zero",
            Self::Bytes | Self::BytesHard => "the bytes quota must be greater than or equal to zero",
        }
    }
}

/// One of the numbers; −1 where there is none.
pub(super) fn number(quota: &Quota, limit: Limit) -> i64 {
    match limit {
        Limit::Count => quota.count(),
        Limit::Bytes => quota.bytes(),
        Limit::CountHard => quota.count_hard_limit(),
        Limit::BytesHard => quota.bytes_hard_limit(),
    }
}

/// All four numbers by name.
pub(super) fn numbers(quota: &Quota) -> impl Iterator<Item = (&'static str, i64)> {
    Limit::ALL.into_iter().map(|limit| (limit.key(), number(quota, limit)))
}

/// Sets some of the numbers, and leaves the others.
pub(super) fn set(quota: &mut Quota, limits: &Limits) {
    let of = |limit| limits.get(&limit).copied();
    quota.set_used(of(Limit::Count).unwrap_or(quota.count()), of(Limit::Bytes).unwrap_or(quota.bytes()));
    quota.set_hard_limits(of(Limit::CountHard), of(Limit::BytesHard));
}

/// These limits and no others. As the reference writes it: all four numbers stand in the text.
pub(super) fn only(limits: &Limits) -> Quota {
    let mut quota = Quota::used(-1, -1);
    quota.set_hard_limits(Some(-1), Some(-1));
    set(&mut quota, limits);
    quota
}

/// Whether the soft or the hard limit is below what is `used` already.
pub(super) fn is_exceeded(limits: &Quota, soft: Limit, hard: Limit, used: i64) -> bool {
    [soft, hard].into_iter().any(|limit| (0..used).contains(&number(limits, limit)))
}

/// The znode below which the quota of `path` is kept.
pub(super) fn home(path: &str) -> String {
    if path == "/" { QUOTA_ROOT.to_owned() } else { format!("{QUOTA_ROOT}{path}") }
}

/// The path that a quota kept at `home` is about.
pub(super) fn subject(home: &str) -> &str {
    home.strip_prefix(QUOTA_ROOT).filter(|path| !path.is_empty()).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_as_the_reference_writes_them() {
        let mut quota = only(&Limits::from([(Limit::Count, 5)]));
        assert_eq!(quota.to_string(), "count=5,bytes=-1=;byteHardLimit=-1;countHardLimit=-1");
        set(&mut quota, &Limits::from([(Limit::Bytes, 100), (Limit::CountHard, 6)]));
        assert_eq!(quota.to_string(), "count=5,bytes=100=;byteHardLimit=-1;countHardLimit=6");
        let expected = [("count", 5), ("bytes", 100), ("countHardLimit", 6), ("byteHardLimit", -1)];
        assert_eq!(numbers(&quota).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_limit_below_what_is_used_is_noticed() {
        let exceeded = |limits: &Limits, used| is_exceeded(&only(limits), Limit::Count, Limit::CountHard, used);
        assert!(!exceeded(&Limits::new(), 100));
        let hard = Limits::from([(Limit::CountHard, 5)]);
        assert!(exceeded(&hard, 6) && !exceeded(&hard, 5));
    }

    #[test]
    fn quotas_are_kept_below_one_znode() {
        assert_eq!((home("/"), home("/a/b")), (QUOTA_ROOT.to_owned(), "/zookeeper/quota/a/b".to_owned()));
        assert_eq!((subject(QUOTA_ROOT), subject("/zookeeper/quota/a/b")), ("/", "/a/b"));
    }
}

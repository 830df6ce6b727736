//! What a server says of itself in its four-letter words, read into values (protocol §3.1). Knows no socket.

use std::collections::BTreeMap;
use std::fmt;

use crate::wire::Zxid;
use crate::wire::ensemble::Ensemble;

/// Whose software a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Apache ZooKeeper.
    Apache,
    /// This software.
    Menagerie,
}

impl Kind {
    /// The other of the two.
    pub(super) fn other(self) -> Self {
        match self {
            Kind::Apache => Kind::Menagerie,
            Kind::Menagerie => Kind::Apache,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Apache => "Apache",
            Kind::Menagerie => "Menagerie",
        })
    }
}

/// The answer to `srvr`, which every server gives, and to the other words where they are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Whose software it is.
    pub(super) kind: Kind,
    /// Its version, such as `3.8.0`.
    pub(super) version: String,
    /// `Mode:` of `srvr`, such as `leader`.
    pub(super) mode: String,
    /// The last transaction in its tree.
    pub(super) zxid: Zxid,
    /// Requests that wait.
    pub(super) outstanding: u64,
    /// `mntr`. `None`: it is not answered.
    pub(super) gauges: Option<Gauges>,
    /// `conf`. `None`: it is not answered.
    pub(super) conf: Option<Conf>,
    /// `hash`: digests of the tree by zxid. `None`: it is not answered.
    pub(super) digests: Option<BTreeMap<u64, u64>>,
}

/// What is read of `mntr`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Gauges {
    /// A leader's voting followers that have all it has.
    pub(super) synced_followers: Option<u64>,
    /// Transactions after which the tree was not what the leader had announced.
    pub(super) digest_mismatches: Option<u64>,
    /// The bytes of all paths and data.
    pub(super) data_bytes: Option<u64>,
}

/// What is read of `conf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conf {
    /// `serverId`.
    pub(super) id: i64,
    /// `membership`. `None`: it belongs to no ensemble.
    pub(super) ensemble: Option<Ensemble>,
}

impl Answer {
    /// Reads the answer to `srvr`. `None`: that server does not serve (the answer says so), or it is none.
    pub(super) fn of_srvr(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let version = field("Zookeeper version:")?;
        let kind = if version.contains("menagerie") { Kind::Menagerie } else { Kind::Apache };
        let zxid = field("Zxid:")?.strip_prefix("0x")?;
        Some(Self {
            kind,
            version: match version.split_once("menagerie-") {
                Some((_, ours)) => ours.split([',', ' ']).next().unwrap_or_default().to_owned(),
                None => version.split(['-', ',', ' ']).next().unwrap_or_default().to_owned(),
            },
            mode: field("Mode:")?.to_owned(),
            zxid: Zxid(u64::from_str_radix(zxid, 16).ok()? as i64),
            outstanding: field("Outstanding:").and_then(|count| count.parse().ok()).unwrap_or(0),
            gauges: None,
            conf: None,
            digests: None,
        })
    }

    /// Whether it is in its ensemble: it leads, follows or observes.
    pub(super) fn takes_part(&self) -> bool {
        ["leader", "follower", "observer"].contains(&self.mode.as_str())
    }

    /// Transactions after which its tree was not what the leader had announced.
    pub(super) fn digest_mismatches(&self) -> Option<u64> {
        self.gauges.as_ref()?.digest_mismatches
    }

    /// Whether it leads.
    pub(super) fn leads(&self) -> bool {
        self.mode == "leader"
    }
}

impl Gauges {
    /// Reads the answer to `mntr`; `None` when it is refused.
    pub(super) fn of_mntr(text: &str) -> Option<Self> {
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
            line.and_then(|value| value.trim().parse().ok())
        };
        text.starts_with("zk_version").then(|| Self {
            synced_followers: value("zk_synced_followers"),
            digest_mismatches: value("zk_digest_mismatches_count"),
            data_bytes: value("zk_approximate_data_size"),
        })
    }
}

impl Conf {
    /// Reads the answer to `conf`; `None` when it is refused.
    pub(super) fn of_conf(text: &str) -> Option<Self> {
        let id = text.lines().find_map(|line| line.strip_prefix("serverId="))?.trim().parse().ok()?;
        let members = text.split_once("membership:").map(|(_, members)| members.trim());
        let ensemble = members.filter(|members| !members.is_empty()).and_then(|members| members.parse().ok());
        Some(Self { id, ensemble })
    }
}

/// Reads the answer to `hash`; `None` when it is refused.
pub(super) fn digests(text: &str) -> Option<BTreeMap<u64, u64>> {
    let line = |line: &str| {
        let (zxid, digest) = line.split_once(": ")?;
        // Java prints the digest as a signed number.
        let digest = digest.trim().parse::<i64>().map(|digest| digest as u64).or_else(|_| digest.trim().parse());
        Some((u64::from_str_radix(zxid.trim(), 16).ok()?, digest.ok()?))
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const SRVR: &str = "Zookeeper version: 3.8.0-5a02a05eddb59aee6ac762f7ea82e92a68eb9c0f, built on 2022-02-25 08:49 UTC\n\
        Latency min/avg/max: 0/2.0/6\nReceived: 13\nSent: 12\nConnections: 2\nOutstanding: 7\nZxid: 0x100000003\n\
        Mode: follower\nNode count: 7\n";

    #[test]
    fn srvr_says_whose_software_it_is_and_where_it_stands() {
        let answer = Answer::of_srvr(SRVR).unwrap();
        assert_eq!((answer.kind, answer.version.as_str(), answer.mode.as_str()), (Kind::Apache, "3.8.0", "follower"));
        assert_eq!((answer.zxid, answer.outstanding, answer.leads()), (Zxid::new(1, 3), 7, false));
        let ours = SRVR.replace("3.8.0-5a02a05eddb59aee6ac762f7ea82e92a68eb9c0f", "3.9.5-menagerie-0.1.0");
        let ours = Answer::of_srvr(&ours).unwrap();
        assert_eq!((ours.kind, ours.version.as_str()), (Kind::Menagerie, "0.1.0"));
        assert_eq!(Answer::of_srvr("This ZooKeeper instance is not currently serving requests\n"), None);
    }

    #[test]
    fn a_word_that_is_not_in_the_whitelist_says_nothing() {
        let refused = |word: &str| format!("{word} is not executed because it is not in the whitelist.\n");
        assert_eq!(Gauges::of_mntr(&refused("mntr")), None);
        assert_eq!(Conf::of_conf(&refused("conf")), None);
        assert_eq!(digests(&refused("hash")), None);
    }

    #[test]
    fn mntr_conf_and_hash_are_read() {
        let mntr = "zk_version\t3.8.0\nzk_synced_followers\t2\nzk_digest_mismatches_count\t0\n";
        let gauges = Gauges::of_mntr(mntr).unwrap();
        assert_eq!((gauges.synced_followers, gauges.digest_mismatches, gauges.data_bytes), (Some(2), Some(0), None));
        let conf =
            "clientPort=2181\nserverId=2\nmembership: \nserver.1=a:2:3:participant\nserver.2=b:2:3:observer\nversion=0";
        let conf = Conf::of_conf(conf).unwrap();
        assert_eq!((conf.id, conf.ensemble.unwrap().members.len()), (2, 2));
        assert_eq!(Conf::of_conf("serverId=0\n").unwrap().ensemble, None);
        assert_eq!(digests("80: 12\n100: -1\n"), Some(BTreeMap::from([(0x80, 12), (0x100, u64::MAX)])));
        assert_eq!(digests(""), Some(BTreeMap::new()));
    }
}

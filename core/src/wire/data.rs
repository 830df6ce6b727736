//! What a znode carries beside its data: its ACL and its Stat (protocol §1.1, §2.5, §2.7.1, §2.10).

use bytes::BytesMut;

use super::Zxid;
use crate::jute::{Decode, DecodeError, Encode, Reader};

records! {
    /// Whom an ACL entry names: a scheme and an id in the scheme's own syntax.
    pub struct Id {
        /// `world`, `digest`, `ip`, `x509`, `sasl`, `auth`…
        pub scheme: String,
        /// The identity, such as `anyone` or `bob:<digest>`.
        pub id: String,
    }

    /// One entry of an access control list.
    pub struct Acl {
        /// What it permits.
        pub perms: Perms,
        /// To whom.
        pub id: Id,
    }

    /// A znode's Stat as clients see it.
    pub struct Stat {
        /// The transaction that created it.
        pub czxid: Zxid,
        /// The transaction that last set its data.
        pub mzxid: Zxid,
        /// Creation time, milliseconds since the Unix epoch, by the leader's clock.
        pub ctime: i64,
        /// Time of the last set, milliseconds since the Unix epoch.
        pub mtime: i64,
        /// How many times the data was set.
        pub version: i32,
        /// How many children were created and deleted.
        pub cversion: i32,
        /// How many times the ACL was set.
        pub aversion: i32,
        /// The owning session of an ephemeral znode, else 0.
        pub ephemeral_owner: i64,
        /// Length of the data in bytes; 0 for null.
        pub data_length: i32,
        /// Number of direct children.
        pub num_children: i32,
        /// The transaction that last created or deleted a child.
        pub pzxid: Zxid,
    }

    /// A znode's Stat as snapshots store it.
    pub struct StatPersisted {
        /// The transaction that created it.
        pub czxid: Zxid,
        /// The transaction that last set its data.
        pub mzxid: Zxid,
        /// Creation time, milliseconds since the Unix epoch.
        pub ctime: i64,
        /// Time of the last set, milliseconds since the Unix epoch.
        pub mtime: i64,
        /// Data version.
        pub version: i32,
        /// Number of child creations: the counter of sequential names.
        pub cversion: i32,
        /// ACL version.
        pub aversion: i32,
        /// The owning session, or the encoded container or TTL marker (protocol §2.5).
        pub ephemeral_owner: i64,
        /// The transaction that last created or deleted a child.
        pub pzxid: Zxid,
    }
}

/// Permission bits of an ACL entry. The server does not refuse unknown bits, so they are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Perms(pub i32);

impl Perms {
    /// Read data and list children.
    pub const READ: Perms = Perms(1);
    /// Set data.
    pub const WRITE: Perms = Perms(2);
    /// Create children.
    pub const CREATE: Perms = Perms(4);
    /// Delete children.
    pub const DELETE: Perms = Perms(8);
    /// Set the ACL.
    pub const ADMIN: Perms = Perms(16);
    /// All of them.
    pub const ALL: Perms = Perms(31);

    /// Whether any bit of `needed` is permitted.
    pub const fn intersects(self, needed: Perms) -> bool {
        self.0 & needed.0 != 0
    }

    /// Both sets of bits.
    #[must_use]
    pub const fn union(self, other: Perms) -> Perms {
        Perms(self.0 | other.0)
    }

    /// Reads the letters of `cdrwa`, in any order; `None` when another letter stands among them.
    pub fn parse(letters: &str) -> Option<Perms> {
        letters.chars().try_fold(Perms(0), |perms, letter| {
            LETTERS.iter().find(|(_, l)| *l == letter).map(|(bit, _)| perms.union(*bit))
        })
    }
}

/// Both sets of bits.
impl std::ops::BitOr for Perms {
    type Output = Perms;

    fn bitor(self, other: Perms) -> Perms {
        self.union(other)
    }
}

const LETTERS: [(Perms, char); 5] =
    [(Perms::CREATE, 'c'), (Perms::DELETE, 'd'), (Perms::READ, 'r'), (Perms::WRITE, 'w'), (Perms::ADMIN, 'a')];

/// The letters `cdrwa` of the bits that are set, as the reference prints them.
impl std::fmt::Display for Perms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        LETTERS.iter().filter(|(bit, _)| self.intersects(*bit)).try_for_each(|(_, letter)| write!(f, "{letter}"))
    }
}

impl std::fmt::Debug for Perms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Perms({self})")
    }
}

impl Encode for Perms {
    fn encode(&self, out: &mut BytesMut) {
        self.0.encode(out);
    }
}

impl Decode for Perms {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.int().map(Perms)
    }
}

impl Id {
    /// An id of a scheme.
    pub fn new(scheme: impl Into<String>, id: impl Into<String>) -> Self {
        Id { scheme: scheme.into(), id: id.into() }
    }
}

impl Acl {
    /// An entry that gives `perms` to the id.
    pub fn new(perms: Perms, scheme: impl Into<String>, id: impl Into<String>) -> Self {
        Acl { perms, id: Id::new(scheme, id) }
    }

    /// An entry that gives `perms` to everybody.
    pub fn world(perms: Perms) -> Self {
        Acl::new(perms, "world", "anyone")
    }

    /// An entry that gives `perms` to the identities of the connection that sets it. The server writes one entry for each of them in its
    /// place; a connection without any is refused with INVALIDACL.
    pub fn auth(perms: Perms) -> Self {
        Acl::new(perms, "auth", "")
    }

    /// An entry that gives `perms` to clients at an address, or in a network such as `10.0.0.0/8`.
    pub fn ip(perms: Perms, network: impl Into<String>) -> Self {
        Acl::new(perms, "ip", network)
    }

    /// Everybody may do everything: what a znode gets when nothing is said.
    pub fn open() -> Vec<Acl> {
        vec![Acl::world(Perms::ALL)]
    }

    /// Everybody may read.
    pub fn read_only() -> Vec<Acl> {
        vec![Acl::world(Perms::READ)]
    }

    /// The identities of the connection that sets it may do everything; see [`Acl::auth`].
    pub fn creator_all() -> Vec<Acl> {
        vec![Acl::auth(Perms::ALL)]
    }
}

/// `scheme:id:perms`, as the shell reads and prints it.
impl std::fmt::Display for Acl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.id.scheme, self.id.id, self.perms)
    }
}

/// The encoding of container and TTL znodes in a persisted `ephemeralOwner` (protocol §2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ttl;

impl Ttl {
    /// The persisted owner of a container znode.
    pub const CONTAINER_OWNER: i64 = i64::MIN;
    /// The longest time to live: 2^40 − 1 ms.
    pub const MAX_MS: i64 = 0xff_ffff_ffff;
    const MARK: i64 = 0xff00_0000_0000_0000_u64 as i64;

    /// The persisted owner of a znode that lives `ttl_ms` after its last write.
    pub const fn owner(ttl_ms: i64) -> i64 {
        Self::MARK | (ttl_ms & Self::MAX_MS)
    }

    /// The time to live in milliseconds that a persisted owner encodes, or `None` when it encodes none.
    pub const fn of_owner(owner: i64) -> Option<i64> {
        if (owner as u64) >> 56 == 0xff { Some(owner & Self::MAX_MS) } else { None }
    }
}

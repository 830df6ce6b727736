//! Names that can be found again when the reply to their create was lost: each holds a GUID made for one attempt (recipes §2.1).
//! It never knows what a znode stands for.

use menagerie_core::client::{self, Call, Client, WeakClient};
use menagerie_core::wire::{Stat, path};
use uuid::Uuid;

/// How the znodes of a lock's queue are named. All who share a lock must use the same profile: two profiles in one directory do not
/// exclude each other, and are refused.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Naming {
    /// Apache Curator's `InterProcessMutex` (Java): `_c_<uuid>-lock-<sequence>`.
    #[default]
    Curator,
    /// Kazoo's `Lock` (Python): `<uuid>__lock__<sequence>`.
    Kazoo,
    /// The lock of ZooKeeper's own recipes: `<uuid>-lock-<sequence>`.
    ZooKeeper,
    /// `<before><uuid><marker><sequence>`.
    Custom {
        /// What stands before the UUID.
        before: String,
        /// What stands between the UUID and the sequence number; not empty, and nothing that occurs in a UUID.
        marker: String,
    },
}

/// What a name in a lock's directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameKind {
    /// A contender of this profile, with its sequence number.
    Contender(i32),
    /// Looks like a contender of something else.
    Foreign,
    /// Something that does not take part.
    Other,
}

impl Naming {
    /// The name without its sequence number.
    pub(crate) fn prefix(&self, guid: Uuid) -> String {
        let (before, marker) = self.parts();
        match self {
            Naming::Kazoo => format!("{before}{}{marker}", guid.simple()),
            _ => format!("{before}{guid}{marker}"),
        }
    }

    pub(crate) fn classify(&self, name: &str) -> NameKind {
        match self.sequence(name) {
            Some(sequence) => NameKind::Contender(sequence),
            None if looks_sequential(name) => NameKind::Foreign,
            None => NameKind::Other,
        }
    }

    fn sequence(&self, name: &str) -> Option<i32> {
        let (before, marker) = self.parts();
        let (guid, sequence) = name.strip_prefix(before)?.rsplit_once(marker)?;
        Uuid::try_parse(guid).ok()?;
        sequence.parse().ok()
    }

    fn parts(&self) -> (&str, &str) {
        match self {
            Naming::Curator => ("_c_", "-lock-"),
            Naming::Kazoo => ("", "__lock__"),
            Naming::ZooKeeper => ("", "-lock-"),
            Naming::Custom { before, marker } => (before, marker),
        }
    }
}

/// Sorts by sequence number. The server's counter wraps from 2147483647 to −2147483648, and so does this order: right as long as any
/// two of them are less than 2³¹ creates apart.
pub(crate) fn sort_by_sequence<T>(queue: &mut [(i32, T)]) {
    let origin = queue.first().map_or(0, |(sequence, _)| *sequence);
    queue.sort_unstable_by_key(|(sequence, _)| sequence.wrapping_sub(origin));
}

/// Makes a call of a client that may be gone, and does not keep its session alive while waiting. `None` when it is gone.
pub(crate) async fn through<T>(
    client: &WeakClient,
    call: impl FnOnce(&Client) -> Call<T>,
) -> Option<Result<T, client::Error>> {
    let call = call(&client.upgrade()?);
    Some(call.await)
}

/// Looks for the znode that a create with this prefix may have left in `directory`, owned by this session. It asks the leader first
/// (`sync`), because a server that lags behind may not know the znode yet. `None` too when the client is gone, and its znodes with it.
pub(crate) async fn find(
    client: &WeakClient,
    directory: &str,
    prefix: &str,
) -> Result<Option<(String, Stat)>, client::Error> {
    let Some(synced) = through(client, |client| client.sync(directory)).await else { return Ok(None) };
    synced?;
    let names = match through(client, |client| client.get_children(directory)).await {
        Some(Ok(names)) => names,
        Some(Err(error)) if !error.is_no_node() => return Err(error),
        _ => return Ok(None),
    };
    for name in names.iter().filter(|name| name.starts_with(prefix)) {
        let found = path::join(directory, name);
        let Some(stat) = through(client, |client| client.exists(&found)).await else { return Ok(None) };
        if let Some(stat) = stat?.filter(|stat| is_owner(client, stat)) {
            return Ok(Some((found, stat)));
        }
    }
    Ok(None)
}

/// Whether the znode belongs to this client's session.
pub(crate) fn is_owner(client: &WeakClient, stat: &Stat) -> bool {
    client.upgrade().is_some_and(|client| client.session_id() == stat.ephemeral_owner)
}

/// Ten digits at the end are what a server appends to sequential names.
fn looks_sequential(name: &str) -> bool {
    name.len() >= 10 && name.bytes().rev().take(10).all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: Uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);

    #[test]
    fn each_profile_reads_its_own_names_and_refuses_the_others() {
        let profiles = [
            Naming::Curator,
            Naming::Kazoo,
            Naming::ZooKeeper,
            Naming::Custom { before: "x-".into(), marker: "#".into() },
        ];
        for writer in &profiles {
            let name = format!("{}0000000042", writer.prefix(GUID));
            for reader in &profiles {
                let expected = if reader == writer { NameKind::Contender(42) } else { NameKind::Foreign };
                assert_eq!(reader.classify(&name), expected, "{reader:?} reads {name}");
            }
        }
        assert_eq!(Naming::Curator.prefix(GUID), "_c_01234567-89ab-cdef-0123-456789abcdef-lock-");
        assert_eq!(Naming::Kazoo.prefix(GUID), "0123456789abcdef0123456789abcdef__lock__");
    }

    #[test]
    fn other_recipes_are_foreign_and_other_znodes_are_ignored() {
        let write = "_c_01234567-89ab-cdef-0123-456789abcdef-__WRIT__0000000001";
        assert_eq!(Naming::Curator.classify(write), NameKind::Foreign);
        assert_eq!(Naming::Curator.classify("config"), NameKind::Other);
    }

    #[test]
    fn sequence_numbers_wrap() {
        let last = format!("{}2147483647", Naming::Curator.prefix(GUID));
        let next = format!("{}-2147483648", Naming::Curator.prefix(GUID));
        assert_eq!(Naming::Curator.classify(&last), NameKind::Contender(i32::MAX));
        assert_eq!(Naming::Curator.classify(&next), NameKind::Contender(i32::MIN));
        for first in [i32::MAX - 1, i32::MIN, 0, -1] {
            let in_order: Vec<_> = (0..4).map(|n| (first.wrapping_add(n), n)).collect();
            for rotation in 0..4 {
                let mut queue = in_order.clone();
                queue.rotate_left(rotation);
                sort_by_sequence(&mut queue);
                assert_eq!(queue, in_order);
            }
        }
    }
}

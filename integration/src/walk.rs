//! The whole tree of a server as a value, to be compared with another server's.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use menagerie_core::client::{Client, Error};
use menagerie_core::wire::{Acl, Stat, path};

/// Everything a client can see of one znode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Znode {
    /// Its data.
    pub data: Bytes,
    /// Every field of its Stat.
    pub stat: Stat,
    /// Its ACL.
    pub acl: Vec<Acl>,
}

/// Znodes asked for at once.
const AT_ONCE: usize = 64;

/// Every znode by its path, the root and `/zookeeper` with what is below it included. Meant for trees at rest: a
/// node that goes during the walk is an error.
pub async fn whole_tree(client: &Client) -> Result<BTreeMap<String, Znode>, Error> {
    let mut tree = BTreeMap::new();
    let mut unvisited = vec!["/".to_owned()];
    while !unvisited.is_empty() {
        let paths = unvisited.split_off(unvisited.len().saturating_sub(AT_ONCE));
        // Calls are ordered when they are made: many replies for one round trip.
        let calls: Vec<_> = paths
            .into_iter()
            .map(|path| {
                let reads = (client.get_data(&path), client.get_acl(&path), client.get_children(&path));
                (path, reads)
            })
            .collect();
        for (path, (data, acl, children)) in calls {
            let (data, stat) = data.await?;
            let (acl, _) = acl.await?;
            unvisited.extend(children.await?.iter().map(|name| path::join(&path, name)));
            tree.insert(path, Znode { data, stat, acl });
        }
    }
    Ok(tree)
}

/// What differs, one line for each path; empty when the trees are equal.
pub fn differences(left: &BTreeMap<String, Znode>, right: &BTreeMap<String, Znode>) -> Vec<String> {
    let paths: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let differing = paths.into_iter().filter(|path| left.get(*path) != right.get(*path));
    differing.map(|path| format!("{path}:\n  {:?}\n  {:?}", left.get(path), right.get(path))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use menagerie_core::wire::{Acl, Stat};

    use super::{Znode, differences};

    #[test]
    fn one_differing_field_and_one_missing_node_are_found() {
        let znode = Znode { data: Bytes::from_static(b"x"), stat: Stat::default(), acl: Acl::open() };
        let mut changed = znode.clone();
        changed.stat.cversion += 1;
        let left = BTreeMap::from([("/a".to_owned(), znode.clone()), ("/b".to_owned(), znode.clone())]);
        let right = BTreeMap::from([("/a".to_owned(), changed)]);
        assert_eq!(differences(&left, &left), [""; 0]);
        assert_eq!(differences(&left, &right).len(), 2);
    }
}

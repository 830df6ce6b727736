//! The digest of a node, version 2 (protocol §6.4). The tree's digest is the sum of its nodes'.

use crc32fast::Hasher;

use crate::wire::StatPersisted;

/// The digest of one node, or 0 for everything below `/zookeeper/`. The root's path counts as empty.
pub fn node_digest(path: &str, data: Option<&[u8]>, stat: &StatPersisted) -> u64 {
    let path = if path == "/" { "" } else { path };
    with_stat(path, body_crc(path, data), stat)
}

/// CRC-32 of path and data, the part that no stat changes.
pub(super) fn body_crc(path: &str, data: Option<&[u8]>) -> u32 {
    let mut crc = Hasher::new();
    crc.update(path.as_bytes());
    crc.update(data.unwrap_or_default());
    crc.finalize()
}

/// The digest of a node whose path and data have the CRC `body_crc`.
pub(super) fn with_stat(path: &str, body_crc: u32, stat: &StatPersisted) -> u64 {
    if path.starts_with("/zookeeper/") {
        return 0;
    }
    let mut crc = Hasher::new_with_initial(body_crc);
    crc.update(&stat_bytes(stat));
    u64::from(crc.finalize())
}

/// Not the record's order: pzxid stands third here.
fn stat_bytes(stat: &StatPersisted) -> [u8; 60] {
    let mut bytes = [0; 60];
    let longs = [stat.czxid.0, stat.mzxid.0, stat.pzxid.0, stat.ctime, stat.mtime];
    for (chunk, value) in bytes.chunks_exact_mut(8).zip(longs) {
        chunk.copy_from_slice(&value.to_be_bytes());
    }
    let ints = [stat.version, stat.cversion, stat.aversion];
    for (chunk, value) in bytes[40..].chunks_exact_mut(4).zip(ints) {
        chunk.copy_from_slice(&value.to_be_bytes());
    }
    bytes[52..].copy_from_slice(&stat.ephemeral_owner.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protocol §8.7: the two nodes of a fresh tree that count.
    #[test]
    fn the_fresh_trees_nodes_have_the_reference_servers_digests() {
        let stat = StatPersisted::default();
        assert_eq!(node_digest("/", Some(b""), &stat), 0x0412_8908);
        assert_eq!(node_digest("/zookeeper", Some(b""), &stat), 0x4db4_4d58);
        assert_eq!(node_digest("/zookeeper/quota", Some(b"x"), &stat), 0);
    }
}

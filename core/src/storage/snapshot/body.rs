//! The part that files and streams have in common, as it is written: sessions, access control lists, nodes.

use std::collections::BTreeMap;

use bytes::BytesMut;

use crate::jute::{Encode, Put};
use crate::storage::Error;
use crate::tree::{DataTree, SnapshotCursor, SnapshotNode, Walk};
use crate::wire::Acl;

/// After so many bytes a look at the tree ends, however few nodes they are.
const BATCH_BYTES: usize = 256 << 10;

/// The path that ends the nodes, and every seal.
pub(super) const END_MARK: &str = "/";

/// Writes the body piece by piece. `look` is called once for each piece, and gives its argument the tree as it is then; one
/// look visits up to `batch_nodes` nodes.
pub(super) fn write_body(
    cursor: &mut SnapshotCursor,
    sessions: &BTreeMap<i64, i32>,
    batch_nodes: usize,
    look: &mut impl FnMut(&mut dyn FnMut(&DataTree)),
    mut write: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut piece = BytesMut::new();
    let mut walk = next_batch(cursor, batch_nodes, look, &mut piece)?;
    write(&head(cursor, sessions, walk))?;
    while walk == Walk::More {
        write(&piece)?;
        piece.clear();
        walk = next_batch(cursor, batch_nodes, look, &mut piece)?;
    }
    piece.put_str(END_MARK);
    write(&piece)
}

fn next_batch(
    cursor: &mut SnapshotCursor,
    batch_nodes: usize,
    look: &mut impl FnMut(&mut dyn FnMut(&DataTree)),
    piece: &mut BytesMut,
) -> Result<Walk, Error> {
    let mut walk = Walk::TreeReplaced;
    look(&mut |tree| {
        walk = cursor.next_batch(tree, batch_nodes.max(1), |node| {
            encode_node(&node, piece);
            piece.len() < BATCH_BYTES
        });
    });
    match walk {
        Walk::TreeReplaced => Err(Error::TreeReplaced),
        Walk::More | Walk::Done => Ok(walk),
    }
}

fn head(cursor: &SnapshotCursor, sessions: &BTreeMap<i64, i32>, walk: Walk) -> BytesMut {
    let mut head = BytesMut::new();
    head.put_int(sessions.len() as i32);
    for (session, timeout_ms) in sessions {
        head.put_long(*session);
        head.put_int(*timeout_ms);
    }
    // A walk that is done has met every list it ever will. One that goes on may yet meet one that is newer than the table.
    let nobody = (walk == Walk::More || cursor.met_new_acl()).then(|| cursor.nobody());
    head.put_int((cursor.acls().len() + usize::from(nobody.is_some())) as i32);
    for (key, acl) in cursor.acls() {
        put_acl(key, acl, &mut head);
    }
    if let Some((key, acl)) = nobody {
        put_acl(key, &acl, &mut head);
    }
    head
}

fn put_acl(key: i64, acl: &[Acl], out: &mut BytesMut) {
    out.put_long(key);
    out.put_vector(acl);
}

fn encode_node(visited: &SnapshotNode<'_>, out: &mut BytesMut) {
    let node = visited.node;
    out.put_str(if node.path() == "/" { "" } else { node.path() });
    out.put_buffer(node.data());
    out.put_long(visited.acl_key);
    node.persisted().encode(out);
}

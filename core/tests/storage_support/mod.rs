//! What the storage tests share: valid histories of transactions, and trees in a form that can be compared.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part; a test fails by panicking")]

use std::collections::BTreeMap;

use bytes::Bytes;
use menagerie_core::jute::Encode;
use menagerie_core::tree::{Change, DataTree};
use menagerie_core::wire::txn::{CreateTxn, DIGEST_VERSION, Txn, TxnDigest, TxnHeader, TxnRecord};
use menagerie_core::wire::{Acl, Perms, StatPersisted, Zxid};

/// Everything of a node that a server keeps.
pub(crate) type Dumped = (Option<Vec<u8>>, Vec<Acl>, StatPersisted, Vec<String>);

/// The whole tree by path, children sorted.
pub(crate) fn dump(tree: &DataTree) -> BTreeMap<String, Dumped> {
    let mut nodes = BTreeMap::new();
    let mut open = vec!["/".to_owned()];
    while let Some(path) = open.pop() {
        let node = tree.node(&path).unwrap();
        let mut names: Vec<String> = node.children().map(str::to_owned).collect();
        names.sort();
        let prefix = if path == "/" { "" } else { &path };
        open.extend(names.iter().map(|name| format!("{prefix}/{name}")));
        let dumped = (node.data().map(<[u8]>::to_vec), node.acl().to_vec(), node.persisted().clone(), names);
        nodes.insert(path, dumped);
    }
    assert_eq!(nodes.len(), tree.len(), "every node is reached from the root");
    nodes
}

/// A step that a client might ask for; numbers choose among what there is.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Create { parent: usize, name: u8, kind: u8, data: Option<Vec<u8>>, acl: u8 },
    Delete { node: usize },
    Set { node: usize, data: Option<Vec<u8>> },
    SetAcl { node: usize, acl: u8 },
    Multi { parent: usize, name: u8, failing: bool },
    OpenSession { session: u8 },
    CloseSession { session: u8 },
}

/// A leader as far as storage cares: it makes each step a transaction that fits the tree, or an error transaction.
pub(crate) struct History {
    pub(crate) tree: DataTree,
    pub(crate) sessions: BTreeMap<i64, i32>,
    pub(crate) zxid: Zxid,
    pub(crate) changes: Vec<Change>,
}

impl History {
    pub(crate) fn new() -> Self {
        History { tree: DataTree::with_seed(1), sessions: BTreeMap::new(), zxid: Zxid::ZERO, changes: Vec::new() }
    }

    /// Applies one step, and returns the transaction as it is logged.
    pub(crate) fn step(&mut self, step: &Step) -> TxnRecord {
        let (session, txn) = self.txn(step);
        self.zxid = self.zxid.next();
        let header = TxnHeader {
            client_id: session,
            cxid: 1,
            zxid: self.zxid,
            time_ms: 1_000_000 + self.zxid.0,
            kind: txn.kind().code(),
        };
        match &txn {
            Txn::CreateSession { timeout_ms } => {
                self.sessions.insert(session, *timeout_ms);
            }
            Txn::CloseSession { .. } => {
                self.sessions.remove(&session);
            }
            _ => {}
        }
        self.changes.clear();
        self.tree.apply(&header, &txn, &mut self.changes);
        let digest = (!matches!(txn, Txn::Error { .. }))
            .then(|| TxnDigest { version: DIGEST_VERSION, tree_digest: self.tree.digest() as i64 });
        TxnRecord { header, txn, digest }
    }

    pub(crate) fn entry(&mut self, step: &Step) -> Bytes {
        self.step(step).to_bytes()
    }

    fn txn(&self, step: &Step) -> (i64, Txn) {
        let session = 1;
        let nodes: Vec<String> = dump(&self.tree).into_keys().filter(|path| !path.starts_with("/zookeeper")).collect();
        let pick = |index: &usize| nodes[index % nodes.len()].clone();
        let txn = match step {
            Step::Create { parent, name, kind, data, acl } => {
                let create = self.create_txn(&pick(parent), *name, data.clone(), *acl);
                match (create, kind % 5) {
                    (None, _) => Txn::Error { err: -110 },
                    (Some(create), 0) => Txn::Create(false, create),
                    (Some(create), 1) => Txn::CreateContainer(create),
                    (Some(create), 2) => Txn::CreateTtl(create, 1000),
                    (Some(create), _) => return self.ephemeral(create, *kind),
                }
            }
            Step::Delete { node } => match pick(node) {
                path if path == "/" || self.tree.node(&path).unwrap().child_count() > 0 => Txn::Error { err: -111 },
                path => Txn::Delete { path },
            },
            Step::Set { node, data } => {
                let path = pick(node);
                let version = self.tree.node(&path).unwrap().stat().version + 1;
                let data = data.clone().map(Bytes::from);
                Txn::SetData { path, data, version }
            }
            Step::SetAcl { node, acl } => {
                let path = pick(node);
                let version = self.tree.node(&path).unwrap().stat().aversion + 1;
                Txn::SetAcl { path, acl: some_acl(*acl), version }
            }
            Step::Multi { parent, name, failing } => self.multi(&pick(parent), *name, *failing),
            Step::OpenSession { session } => {
                return (i64::from(*session) + 1, Txn::CreateSession { timeout_ms: 600_000 });
            }
            Step::CloseSession { session } => {
                let session = i64::from(*session) + 1;
                let paths = self.tree.ephemerals(session).map(str::to_owned).collect();
                return (session, Txn::CloseSession { paths: Some(paths) });
            }
        };
        (session, txn)
    }

    fn ephemeral(&self, create: CreateTxn, kind: u8) -> (i64, Txn) {
        match self.sessions.keys().nth(usize::from(kind) % self.sessions.len().max(1)) {
            None => (1, Txn::Create(true, create)),
            Some(session) => (*session, Txn::Create(true, CreateTxn { ephemeral: true, ..create })),
        }
    }

    fn create_txn(&self, parent: &str, name: u8, data: Option<Vec<u8>>, acl: u8) -> Option<CreateTxn> {
        let parent_node = self.tree.node(parent)?;
        if parent_node.stat().ephemeral_owner != 0 {
            return None;
        }
        let path = format!("{}/{}", if parent == "/" { "" } else { parent }, name % 8);
        self.tree.node(&path).is_none().then(|| CreateTxn {
            path,
            data: data.map(Bytes::from),
            acl: some_acl(acl),
            ephemeral: false,
            parent_cversion: parent_node.persisted().cversion + 1,
        })
    }

    /// A create, a set of what was created, and either a deletion of it or a failure.
    fn multi(&self, parent: &str, name: u8, failing: bool) -> Txn {
        let Some(create) = self.create_txn(parent, name, None, 0).filter(|_| !failing) else {
            return Txn::Multi(vec![Txn::Error { err: 0 }, Txn::Error { err: -101 }, Txn::Error { err: -2 }]);
        };
        let path = create.path.clone();
        let set = Txn::SetData { path: path.clone(), data: Some(Bytes::from_static(b"multi")), version: 1 };
        let mut txns = vec![Txn::Create(false, create), set];
        if name.is_multiple_of(2) {
            txns.push(Txn::Delete { path });
        }
        Txn::Multi(txns)
    }
}

fn some_acl(choice: u8) -> Vec<Acl> {
    match choice % 4 {
        0 => Acl::open(),
        1 => Acl::read_only(),
        other => vec![Acl::new(Perms::ALL, "digest", format!("user{other}:x"))],
    }
}

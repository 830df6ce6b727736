//! The tree by the rules of the protocol (§2.7, §6.4), apart from the service's own: plain maps, one operation at a time.

use std::collections::BTreeMap;

use bytes::Bytes;
use menagerie_core::wire::txn::{CreateTxn, Txn};
use menagerie_core::wire::{CreateMode, ErrorCode, EventKind, Zxid};

use super::history::{Action, Answer, NodeView};

#[derive(Clone, Debug, Default)]
struct Node {
    data: Bytes,
    view: NodeView,
    /// How many children were ever created: the number of the next sequential one.
    created: i32,
}

/// What happened to a znode.
pub type Change = (String, EventKind);

/// The state after some transactions.
#[derive(Clone, Debug)]
pub struct Model {
    nodes: BTreeMap<String, Node>,
    changes: Vec<Change>,
}

impl Default for Model {
    fn default() -> Self {
        let root = (String::new(), Node::default());
        Model { nodes: BTreeMap::from([root]), changes: Vec::new() }
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn key(path: &str) -> &str {
    if path == "/" { "" } else { path }
}

impl Model {
    /// What the changes since the last call were, in their order.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// The paths that a session owns.
    pub fn owned_by(&self, session: i64) -> Vec<String> {
        let owned = self.nodes.iter().filter(|(_, node)| session != 0 && node.view.owner == session);
        owned.map(|(path, _)| path.clone()).collect()
    }

    /// Every ephemeral znode and its owner.
    pub fn ephemerals(&self) -> impl Iterator<Item = (&str, i64)> {
        let nodes = self.nodes.iter().filter(|(_, node)| node.view.owner != 0);
        nodes.map(|(path, node)| (path.as_str(), node.view.owner))
    }

    /// Does a write of `session` as transaction `zxid` and says how it is answered.
    pub fn write(&mut self, zxid: Zxid, session: i64, action: &Action) -> Answer {
        if let Action::Multi(actions) = action {
            return self.multi(zxid, session, actions);
        }
        self.one(zxid, session, action).unwrap_or_else(Answer::Error)
    }

    fn multi(&mut self, zxid: Zxid, session: i64, actions: &[Action]) -> Answer {
        let before = self.clone();
        let mut answers = Vec::new();
        for action in actions {
            match self.one(zxid, session, action) {
                Ok(answer) => answers.push(answer),
                Err(code) => {
                    *self = before;
                    let err = |at: usize| match at.cmp(&answers.len()) {
                        std::cmp::Ordering::Less => ErrorCode::Ok,
                        std::cmp::Ordering::Equal => code,
                        std::cmp::Ordering::Greater => ErrorCode::RuntimeInconsistency,
                    };
                    return Answer::Multi((0..actions.len()).map(|at| Answer::Error(err(at))).collect());
                }
            }
        }
        Answer::Multi(answers)
    }

    fn one(&mut self, zxid: Zxid, session: i64, action: &Action) -> Result<Answer, ErrorCode> {
        match action {
            Action::Create { path, data, mode } => {
                let above = self.nodes.get(parent(path)).ok_or(ErrorCode::NoNode)?;
                let numbered = matches!(mode, CreateMode::PersistentSequential | CreateMode::EphemeralSequential);
                let path = if numbered { format!("{path}{:010}", above.created) } else { path.clone() };
                if self.nodes.contains_key(&path) {
                    return Err(ErrorCode::NodeExists);
                }
                if above.view.owner != 0 {
                    return Err(ErrorCode::NoChildrenForEphemerals);
                }
                let ephemeral = matches!(mode, CreateMode::Ephemeral | CreateMode::EphemeralSequential);
                let created = above.created.wrapping_add(1);
                let view = self.create(zxid, &path, data, if ephemeral { session } else { 0 }, created);
                Ok(Answer::Created { path, node: view })
            }
            Action::SetData { path, data, version } => {
                self.expect(path, *version)?;
                Ok(Answer::Node(self.set(zxid, path, data)))
            }
            Action::Delete { path, version } => {
                if self.expect(path, *version)?.view.children > 0 {
                    return Err(ErrorCode::NotEmpty);
                }
                self.delete(zxid, path);
                Ok(Answer::Done)
            }
            Action::Check { path, version } => self.expect(path, *version).map(|_| Answer::Done),
            Action::Close => {
                self.close(zxid, session);
                Ok(Answer::Done)
            }
            _ => Err(ErrorCode::Unimplemented),
        }
    }

    fn expect(&self, path: &str, version: i32) -> Result<&Node, ErrorCode> {
        let node = self.nodes.get(key(path)).ok_or(ErrorCode::NoNode)?;
        if version == -1 || version == node.view.version { Ok(node) } else { Err(ErrorCode::BadVersion) }
    }

    fn create(&mut self, zxid: Zxid, path: &str, data: &Bytes, owner: i64, created: i32) -> NodeView {
        let view = NodeView { czxid: zxid, mzxid: zxid, pzxid: zxid, owner, ..NodeView::default() };
        let above = parent(path);
        if let Some(parent) = self.nodes.get_mut(above) {
            parent.created = created;
            parent.view.children += 1;
            parent.view.pzxid = zxid;
        }
        self.nodes.insert(path.to_owned(), Node { data: data.clone(), view: view.clone(), created: 0 });
        self.changed(path, EventKind::NodeCreated);
        self.changed(above, EventKind::NodeChildrenChanged);
        view
    }

    fn set(&mut self, zxid: Zxid, path: &str, data: &Bytes) -> NodeView {
        let Some(node) = self.nodes.get_mut(key(path)) else { return NodeView::default() };
        node.data = data.clone();
        node.view.version = node.view.version.wrapping_add(1);
        node.view.mzxid = zxid;
        let view = node.view.clone();
        self.changed(path, EventKind::NodeDataChanged);
        view
    }

    fn delete(&mut self, zxid: Zxid, path: &str) {
        if self.nodes.remove(path).is_none() {
            return;
        }
        let above = parent(path);
        if let Some(parent) = self.nodes.get_mut(above) {
            parent.view.children -= 1;
            parent.view.pzxid = zxid;
        }
        self.changed(path, EventKind::NodeDeleted);
        self.changed(above, EventKind::NodeChildrenChanged);
    }

    fn changed(&mut self, path: &str, kind: EventKind) {
        let path = if path.is_empty() { "/" } else { path };
        self.changes.push((path.to_owned(), kind));
    }

    /// A session ends: what it owns goes with it.
    pub fn close(&mut self, zxid: Zxid, session: i64) {
        for path in self.owned_by(session) {
            self.delete(zxid, &path);
        }
    }

    /// Applies a transaction of which nobody recorded the request.
    pub fn apply(&mut self, zxid: Zxid, session: i64, txn: &Txn) {
        let data_of = |data: &Option<Bytes>| data.clone().unwrap_or_default();
        match txn {
            Txn::Create(_, create) | Txn::CreateContainer(create) | Txn::CreateTtl(create, _) => {
                let CreateTxn { path, data, ephemeral, parent_cversion, .. } = create;
                self.create(zxid, path, &data_of(data), if *ephemeral { session } else { 0 }, *parent_cversion);
            }
            Txn::Delete { path } | Txn::DeleteContainer { path } => self.delete(zxid, path),
            Txn::SetData { path, data, .. } => {
                self.set(zxid, path, &data_of(data));
            }
            Txn::Multi(txns) if !txns.iter().any(|txn| matches!(txn, Txn::Error { .. })) => {
                for txn in txns {
                    self.apply(zxid, session, txn);
                }
            }
            _ => {}
        }
    }

    /// How a read is answered now.
    pub fn read(&self, action: &Action) -> Answer {
        match action {
            Action::GetData { path, .. } => {
                self.at(path, |node| Answer::Data { data: node.data.clone(), node: node.view.clone() })
            }
            Action::Exists { path, .. } => self.at(path, |node| Answer::Node(node.view.clone())),
            Action::GetChildren { path, .. } => self.at(path, |_| Answer::Children(self.children(key(path)))),
            Action::SetWatches { since, data, exist, child } => self.rewatched(*since, data, exist, child),
            _ => Answer::Done,
        }
    }

    fn at(&self, path: &str, answer: impl FnOnce(&Node) -> Answer) -> Answer {
        self.nodes.get(key(path)).map_or(Answer::Error(ErrorCode::NoNode), answer)
    }

    fn children(&self, path: &str) -> Vec<String> {
        let start = format!("{path}/");
        let below = self.nodes.range(start.clone()..).take_while(|(name, _)| name.starts_with(&start));
        let names = below.filter_map(|(name, _)| name.get(start.len()..)).filter(|name| !name.contains('/'));
        names.map(str::to_owned).collect()
    }

    fn rewatched(&self, since: Zxid, data: &[String], exist: &[String], child: &[String]) -> Answer {
        let mut events = Vec::new();
        let mut tell = |kind, path: &String| events.push((kind, path.clone()));
        for path in data {
            match self.nodes.get(key(path)) {
                None => tell(EventKind::NodeDeleted, path),
                Some(node) if node.view.mzxid > since => tell(EventKind::NodeDataChanged, path),
                Some(_) => {}
            }
        }
        for path in exist.iter().filter(|path| self.nodes.contains_key(key(path))) {
            tell(EventKind::NodeCreated, path);
        }
        for path in child {
            match self.nodes.get(key(path)) {
                None => tell(EventKind::NodeDeleted, path),
                Some(node) if node.view.pzxid > since => tell(EventKind::NodeChildrenChanged, path),
                Some(_) => {}
            }
        }
        Answer::Rewatched(events)
    }
}

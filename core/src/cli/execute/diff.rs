//! `diff`: two subtrees side by side, of one ensemble or of two.

use serde_json::json;

use super::super::command::Diff;
use super::super::contents::{Content, Contents, Znode};
use super::super::failure::Failure;
use super::super::shell::Output;
use super::super::view::View;
use super::{Session, Stop};
use crate::client::Client;
use crate::wire::Acl;

impl Session<'_> {
    pub(super) async fn diff(&self, diff: &Diff, out: Output<'_>) -> Result<(), Stop> {
        let other = match &diff.to {
            None => None,
            Some(hosts) => Some(super::super::connect_elsewhere(self.options, hosts).await?),
        };
        let right = other.as_ref().unwrap_or(self.client);
        let found = self.compare(diff, right, out).await;
        if let Some(other) = other {
            // It has no ephemeral znodes: nothing is lost when no server can be told.
            let _ = other.close().await;
        }
        match found? {
            0 => Ok(()),
            1 => Err(Stop::Other(Failure::refused("1 znode differs"))),
            many => Err(Stop::Other(Failure::refused(format_args!("{many} znodes differ")))),
        }
    }

    async fn compare(&self, diff: &Diff, right: &Client, out: Output<'_>) -> Result<u64, Stop> {
        let mut left = Side::new(self.client, &diff.left);
        let mut right = Side::new(right, &diff.right);
        let mut found = 0;
        loop {
            let (a, b) = (left.look().await?, right.look().await?);
            let order = match (a, b) {
                (None, None) => return Ok(found),
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(a), Some(b)) => parts(a).cmp(parts(b)),
            };
            let (a, b) = match order {
                std::cmp::Ordering::Less => (left.take(), None),
                std::cmp::Ordering::Greater => (None, right.take()),
                std::cmp::Ordering::Equal => (left.take(), right.take()),
            };
            if let Some(difference) = difference(a.as_ref(), b.as_ref()) {
                found += 1;
                self.print_difference(&difference, out)?;
            }
        }
    }

    fn print_difference(&self, difference: &Difference, out: Output<'_>) -> Result<(), Stop> {
        let Difference { sign, path, what } = difference;
        if self.view.json {
            let sides = match sign {
                '-' => "first",
                '+' => "second",
                _ => "both",
            };
            return Ok(View::json(out, &json!({ "path": path, "in": sides, "differs": what }))?);
        }
        let details = if what.is_empty() { String::new() } else { format!("  ({})", what.join(", ")) };
        Ok(writeln!(out, "{}{}", self.view.style.difference(*sign, path), self.view.style.dim(&details))?)
    }
}

struct Difference {
    sign: char,
    path: String,
    what: Vec<String>,
}

/// One of the two subtrees.
struct Side {
    contents: Contents,
    root: String,
    next: Option<Found>,
}

/// A znode's path below its root, and what is in it unless it may not be read.
struct Found {
    path: String,
    znode: Option<Znode>,
}

impl Side {
    fn new(client: &Client, root: &str) -> Self {
        Self { contents: Contents::new(client, root), root: root.to_owned(), next: None }
    }

    /// The path of the next znode, which stays the next one.
    async fn look(&mut self) -> Result<Option<&str>, Stop> {
        if self.next.is_none() {
            self.next = self.contents.next().await?.map(|content| match content {
                Content::Znode(znode) => Found { path: below(&self.root, &znode.path), znode: Some(znode) },
                Content::Denied(path) => Found { path: below(&self.root, &path), znode: None },
            });
        }
        Ok(self.next.as_ref().map(|found| found.path.as_str()))
    }

    fn take(&mut self) -> Option<Found> {
        self.next.take()
    }
}

/// A path as it is seen from `root`.
fn below(root: &str, path: &str) -> String {
    let rest = if root == "/" { path } else { path.strip_prefix(root).unwrap_or(path) };
    if rest.is_empty() { "/".to_owned() } else { rest.to_owned() }
}

/// What decides the order in which a walk comes to paths.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

fn difference(left: Option<&Found>, right: Option<&Found>) -> Option<Difference> {
    let of = |sign, found: &Found, what| Some(Difference { sign, path: found.path.clone(), what });
    match (left, right) {
        (None, None) => None,
        (Some(found), None) => of('-', found, Vec::new()),
        (None, Some(found)) => of('+', found, Vec::new()),
        (Some(left), Some(right)) => match (&left.znode, &right.znode) {
            (Some(a), Some(b)) => {
                let what = changes(a, b);
                if what.is_empty() { None } else { of('~', left, what) }
            }
            _ => of('~', left, vec!["may not be read".to_owned()]),
        },
    }
}

fn changes(left: &Znode, right: &Znode) -> Vec<String> {
    let mut what = Vec::new();
    if left.data != right.data {
        what.push(format!("data: {} and {} bytes", left.data.len(), right.data.len()));
    }
    if !is_same_acl(&left.acl, &right.acl) {
        what.push("acl".to_owned());
    }
    if (left.stat.ephemeral_owner == 0) != (right.stat.ephemeral_owner == 0) {
        what.push("kind: ephemeral and persistent".to_owned());
    }
    what
}

/// Whether two lists give the same rights: the order does not matter.
pub(super) fn is_same_acl(left: &[Acl], right: &[Acl]) -> bool {
    let sorted = |acl: &[Acl]| {
        let mut entries: Vec<_> = acl.iter().map(ToString::to_string).collect();
        entries.sort();
        entries
    };
    left == right || sorted(left) == sorted(right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Perms, Stat};

    fn found(path: &str, data: &'static str, owner: i64) -> Found {
        let stat = Stat { ephemeral_owner: owner, ..Stat::default() };
        let znode = Znode { path: path.to_owned(), stat, data: data.into(), acl: Acl::open() };
        Found { path: path.to_owned(), znode: Some(znode) }
    }

    #[test]
    fn data_access_and_kind_are_compared() {
        let of = |left: &Found, right: &Found| difference(Some(left), Some(right)).map(|found| found.what.join(", "));
        let plain = found("/a", "x", 0);
        assert_eq!(of(&plain, &found("/a", "x", 0)), None);
        assert_eq!(of(&plain, &found("/a", "xyz", 0)).as_deref(), Some("data: 1 and 3 bytes"));
        assert_eq!(of(&plain, &found("/a", "x", 7)).as_deref(), Some("kind: ephemeral and persistent"));
        assert_eq!(of(&found("/a", "x", 1), &found("/a", "x", 2)), None, "sessions differ between ensembles");
        let mut closed = found("/a", "x", 0);
        closed.znode.as_mut().into_iter().for_each(|znode| znode.acl = Acl::read_only());
        assert_eq!(of(&plain, &closed).as_deref(), Some("acl"));
        assert_eq!(difference(Some(&plain), None).map(|found| found.sign), Some('-'));
        assert_eq!(difference(None, Some(&plain)).map(|found| found.sign), Some('+'));
    }

    #[test]
    fn the_order_of_entries_does_not_matter() {
        let (a, b) = (Acl::new(Perms::READ, "world", "anyone"), Acl::new(Perms::ALL, "ip", "10.0.0.1"));
        assert!(is_same_acl(&[a.clone(), b.clone()], &[b.clone(), a.clone()]));
        assert!(!is_same_acl(std::slice::from_ref(&a), &[a.clone(), b]));
    }

    #[test]
    fn paths_are_compared_as_a_walk_comes_to_them() {
        let mut paths = ["/a-b", "/a/z", "/a", "/", "/b"];
        paths.sort_by(|a, b| parts(a).cmp(parts(b)));
        assert_eq!(paths, ["/", "/a", "/a/z", "/a-b", "/b"]);
        assert_eq!((below("/", "/a"), below("/a", "/a"), below("/a", "/a/b")), ("/a".into(), "/".into(), "/b".into()));
    }
}

//! The part of the tree a handle sees as the whole. Paths are absolute and complete on the wire (protocol §2.6), so the
//! translation is this module's alone: requests, returned paths and watch events all pass through it.

use std::borrow::Cow;
use std::sync::Arc;

use crate::wire::path;

use super::Error;

/// A prefix of all paths; none for the whole tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chroot {
    prefix: Option<Arc<str>>,
}

impl Chroot {
    /// The whole tree.
    pub(super) fn root() -> Self {
        Chroot { prefix: None }
    }

    /// The part of the tree below `path`, which is a path within this part.
    pub(super) fn below(&self, path: &str) -> Result<Self, Error> {
        path::validate(path).map_err(|error| Error::invalid(format_args!("the chroot {path:?}: {error}")))?;
        if path == "/" {
            return Ok(self.clone());
        }
        Ok(Chroot { prefix: Some(self.outward(path).into()) })
    }

    /// The path on the wire of a path the application names.
    pub(super) fn outward<'a>(&self, path: &'a str) -> Cow<'a, str> {
        match &self.prefix {
            None => Cow::Borrowed(path),
            Some(prefix) if path == "/" => Cow::Owned(prefix.to_string()),
            Some(prefix) => Cow::Owned(format!("{prefix}{path}")),
        }
    }

    /// The application's name of a path on the wire. A path outside of this part stays as it is.
    pub(super) fn inward(&self, path: String) -> String {
        match self.inside(&path) {
            Some(inside) if inside.len() < path.len() => inside.to_owned(),
            _ => path,
        }
    }

    /// The application's name of a path on the wire; `None` for a path outside of this part.
    pub(super) fn inside<'a>(&self, path: &'a str) -> Option<&'a str> {
        let Some(prefix) = &self.prefix else { return Some(path) };
        match path.strip_prefix(&**prefix)? {
            "" => Some("/"),
            rest => Some(rest).filter(|rest| rest.starts_with('/')),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn paths_go_out_with_the_prefix_and_come_in_without() {
        let app = Chroot::root().below("/app").unwrap();
        assert_eq!(app.outward("/a"), "/app/a");
        assert_eq!(app.outward("/"), "/app");
        assert_eq!(app.inward("/app/a".into()), "/a");
        assert_eq!(app.inward("/app".into()), "/");
        assert_eq!(app.inward("/apple".into()), "/apple");
        assert_eq!((app.inside("/app/a"), app.inside("/app"), app.inside("/apple")), (Some("/a"), Some("/"), None));
        assert_eq!(Chroot::root().inside("/a"), Some("/a"));
        assert_eq!(app.below("/x").unwrap().outward("/y"), "/app/x/y");
        assert_eq!(app.below("/").unwrap(), app);
    }

    #[test]
    fn the_root_changes_nothing() {
        let root = Chroot::root();
        assert!(matches!(root.outward("/a"), Cow::Borrowed("/a")));
        assert_eq!(root.inward("/a".into()), "/a");
        assert!(root.below("relative").is_err());
    }
}

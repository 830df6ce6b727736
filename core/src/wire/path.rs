//! Paths of znodes: what is allowed, parents and names (protocol §2.6).

/// Why a path is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// No characters at all.
    #[error("a path cannot be empty")]
    Empty,
    /// The first character is not `/`.
    #[error("a path starts with /")]
    NotAbsolute,
    /// The last character is `/`, and the path is not the root.
    #[error("a path does not end with /")]
    TrailingSlash,
    /// Two slashes in a row.
    #[error("a path has no empty component (//)")]
    EmptyComponent,
    /// A component `.` or `..`.
    #[error("a path has no component . or ..")]
    RelativeComponent,
    /// A character no path may hold.
    #[error("a path cannot hold the character U+{0:04X}")]
    BadCharacter(
        /// Its code point.
        u32,
    ),
}

/// The full check of a path, as the server does it on writes.
///
/// # Errors
/// [`PathError`] names the first rule that is broken.
pub fn validate(path: &str) -> Result<(), PathError> {
    if path.is_empty() {
        return Err(PathError::Empty);
    }
    let Some(below_root) = path.strip_prefix('/') else {
        return Err(PathError::NotAbsolute);
    };
    if below_root.is_empty() {
        return Ok(());
    }
    if below_root.ends_with('/') {
        return Err(PathError::TrailingSlash);
    }
    for component in below_root.split('/') {
        match component {
            "" => return Err(PathError::EmptyComponent),
            "." | ".." => return Err(PathError::RelativeComponent),
            _ => {}
        }
    }
    match path.chars().find(|c| is_forbidden(*c)) {
        Some(character) => Err(PathError::BadCharacter(character as u32)),
        None => Ok(()),
    }
}

/// The path of the parent; the root's parent is the root. `path` must hold a `/`.
pub fn parent(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(slash) => &path[..slash],
    }
}

/// The path itself, its parent, that one's parent, and so on to the root.
pub fn upward(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| (*path != "/").then(|| parent(path)))
}

/// The last component; empty for the root.
pub fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The path of `child` below `parent`.
pub fn join(parent: &str, child: &str) -> String {
    if parent == "/" { format!("/{child}") } else { format!("{parent}/{child}") }
}

/// The reference looks at UTF-16 code units, so every character outside the basic plane is a pair of forbidden surrogates.
fn is_forbidden(character: char) -> bool {
    matches!(u32::from(character), 0..=0x1f | 0x7f..=0x9f | 0xd800..=0xf8ff | 0xfff0..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_of_a_path() {
        for good in ["/", "/a", "/a/b", "/...", "/a b", "/ä", "/.a", "/zookeeper/config"] {
            assert_eq!(validate(good), Ok(()), "{good}");
        }
        assert_eq!(validate(""), Err(PathError::Empty));
        assert_eq!(validate("a"), Err(PathError::NotAbsolute));
        assert_eq!(validate("/a/"), Err(PathError::TrailingSlash));
        assert_eq!(validate("//a"), Err(PathError::EmptyComponent));
        assert_eq!(validate("/a/./b"), Err(PathError::RelativeComponent));
        assert_eq!(validate("/.."), Err(PathError::RelativeComponent));
        for bad in ['\0', '\u{1f}', '\u{7f}', '\u{9f}', '\u{e000}', '\u{f8ff}', '\u{fff0}', '😀'] {
            assert_eq!(validate(&format!("/a{bad}")), Err(PathError::BadCharacter(bad as u32)));
        }
    }

    #[test]
    fn parents_and_names() {
        assert_eq!((parent("/a/b"), name("/a/b")), ("/a", "b"));
        assert_eq!((parent("/a"), name("/a")), ("/", "a"));
        assert_eq!((parent("/"), name("/")), ("/", ""));
        assert_eq!(upward("/a/b").collect::<Vec<_>>(), ["/a/b", "/a", "/"]);
        assert_eq!(upward("/").collect::<Vec<_>>(), ["/"]);
        assert_eq!((join("/", "a"), join("/a", "b")), ("/a".into(), "/a/b".into()));
    }
}

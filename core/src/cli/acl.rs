//! Access control lists as they are typed and printed: `world:anyone:r,digest:bob:<hash>:cdrwa`.

use std::fmt::Write;

use crate::wire::{Acl, Perms};

/// Reads a list. The scheme ends at the first colon and the permissions begin after the last, so ids may hold colons.
pub(super) fn parse(text: &str) -> Result<Vec<Acl>, String> {
    let entries: Vec<_> = text.split(',').map(entry).collect::<Result<_, _>>()?;
    match entries.iter().find(|acl| acl.perms == Perms::default()) {
        Some(idle) => Err(format!("`{idle}` permits nothing: letters of cdrwa are missing at its end")),
        None => Ok(entries),
    }
}

/// Reads one entry. No letters at all permit nothing, which a znode may have.
pub(super) fn entry(text: &str) -> Result<Acl, String> {
    let form = || format!("`{text}` is not scheme:id:permissions, such as world:anyone:cdrwa");
    let (scheme, rest) = text.split_once(':').ok_or_else(form)?;
    let (id, letters) = rest.rsplit_once(':').ok_or_else(form)?;
    let perms = Perms::parse(letters).ok_or_else(|| {
        format!("`{letters}` are not permissions: c create, d delete, r read, w write, a admin, such as cdrwa")
    })?;
    Ok(Acl::new(perms, scheme, id))
}

/// Prints a list in the reference's form, two lines for each entry.
pub(super) fn print(acl: &[Acl]) -> String {
    acl.iter().fold(String::new(), |mut out, acl| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "'{},'{}\n: {}", acl.id.scheme, acl.id.id, acl.perms);
        out
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn reads_and_prints_lists() {
        let acl = parse("world:anyone:r,digest:bob:abc=:cdrwa,auth::rw").unwrap();
        let expected = [
            Acl::new(Perms::READ, "world", "anyone"),
            Acl::new(Perms::ALL, "digest", "bob:abc="),
            Acl::new(Perms::READ.union(Perms::WRITE), "auth", ""),
        ];
        assert_eq!(acl, expected);
        assert_eq!(print(&acl[..2]), "'world,'anyone\n: r\n'digest,'bob:abc=\n: cdrwa\n");
    }

    #[test]
    fn refuses_what_is_no_list() {
        for bad in ["", "world", "world:anyone", "world:anyone:x", "world:anyone:", "world:anyone:r,"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}

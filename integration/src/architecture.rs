//! The import rule, read from the module table of ARCHITECTURE.md: the document is the rule.
//!
//! The table is the Markdown table whose first header cell is `module`. In its first column each row names one module
//! or several in backticks; its third column names, in backticks, the modules it may import, or says `all above`
//! (with `but` and modules to leave out). Rows may only name modules of rows above their own, which is what makes every
//! permitted import a downward one: a table that permitted a cycle is itself an error.

use std::collections::{BTreeMap, BTreeSet};

/// What each module may import.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rules {
    may_import: BTreeMap<String, BTreeSet<String>>,
}

/// One source file, seen as text.
#[derive(Debug)]
pub struct Source {
    /// Path below `core/src`, with `/`.
    pub path: String,
    /// The whole file.
    pub text: String,
}

impl Rules {
    /// Reads the table. Everything that is wrong with it is one line of the error.
    pub fn parse(document: &str) -> Result<Self, Vec<String>> {
        let mut rules = Self::default();
        let mut mistakes = Vec::new();
        for row in rows(document) {
            let [modules, _, imports, ..] = row.as_slice() else {
                mistakes.push(format!("a row with fewer than three cells: {row:?}"));
                continue;
            };
            let above: BTreeSet<String> = rules.may_import.keys().cloned().collect();
            let named: BTreeSet<String> = backticked(imports).collect();
            mistakes.extend(
                named.difference(&above).map(|name| format!("{modules} names `{name}`, which is no row above it")),
            );
            let allowed: BTreeSet<String> =
                if imports.contains("all above") { above.difference(&named).cloned().collect() } else { named };
            for module in backticked(modules) {
                if rules.may_import.insert(module.clone(), allowed.clone()).is_some() {
                    mistakes.push(format!("`{module}` has two rows"));
                }
            }
        }
        if rules.may_import.is_empty() {
            mistakes.push("there is no table whose first header cell is `module`".to_owned());
        }
        if mistakes.is_empty() { Ok(rules) } else { Err(mistakes) }
    }

    /// Everything in `sources` that the table does not permit, one line each: imports, modules without a row, rows
    /// without a module.
    pub fn violations(&self, sources: &[Source]) -> Vec<String> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        for source in sources {
            let Some(module) = top_module(&source.path) else { continue };
            seen.insert(module.to_owned());
            let Some(allowed) = self.may_import.get(module) else {
                found.push(format!("{}: module `{module}` has no row", source.path));
                continue;
            };
            for (line, import) in imports(source) {
                if import != module && self.may_import.contains_key(&import) && !allowed.contains(&import) {
                    found.push(format!("{}:{line}: `{module}` may not import `{import}`", source.path));
                }
            }
        }
        let absent = self.may_import.keys().filter(|module| !seen.contains(*module));
        found.extend(absent.map(|module| format!("the row of `{module}` has no module in core/src")));
        found
    }
}

/// The module a file belongs to; `None` for the crate's root, which is above all of them.
fn top_module(path: &str) -> Option<&str> {
    let first = path.split('/').next()?;
    let module = first.strip_suffix(".rs").unwrap_or(first);
    (module != "lib").then_some(module)
}

/// The cells of the body rows of the module table.
fn rows(document: &str) -> Vec<Vec<&str>> {
    let mut table = document.lines().map(str::trim).skip_while(|line| cells(line).first() != Some(&"module"));
    table.next();
    table.skip(1).take_while(|line| line.starts_with('|')).map(cells).collect()
}

fn cells(line: &str) -> Vec<&str> {
    let Some(inner) = line.strip_prefix('|') else { return Vec::new() };
    inner.strip_suffix('|').unwrap_or(inner).split('|').map(str::trim).collect()
}

fn backticked(cell: &str) -> impl Iterator<Item = String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// The top-level modules a file names through `crate::`, `super::` or (a binary) `menagerie_core::`, with line numbers.
fn imports(source: &Source) -> Vec<(usize, String)> {
    let code = without_comments(&source.text);
    let mut found = Vec::new();
    for root in ["crate::", "menagerie_core::"] {
        for (at, _) in code.match_indices(root) {
            let before = code.get(..at).unwrap_or_default();
            // `$crate::` is a macro's way to say the same; `my_crate::` is another crate.
            if before.ends_with(|last: char| last.is_alphanumeric() || last == '_') {
                continue;
            }
            let after = code.get(at + root.len()..).unwrap_or_default();
            found.extend(heads(after).into_iter().map(|name| (line_of(before), name)));
        }
    }
    found.extend(climbs(&code, depth(&source.path)));
    found.sort();
    found
}

/// Paths that leave their module by `super::super::…`: in a file that lies `depth` modules deep, that many `super`s
/// name the crate's root.
fn climbs(code: &str, depth: usize) -> Vec<(usize, String)> {
    let climb = "super::".repeat(depth);
    let starts = code.match_indices(&climb).filter(|(at, _)| !code.get(..*at).unwrap_or_default().ends_with("super::"));
    starts
        .flat_map(|(at, _)| {
            let after = code.get(at + climb.len()..).unwrap_or_default();
            let line = line_of(code.get(..at).unwrap_or_default());
            heads(after).into_iter().map(move |name| (line, name))
        })
        .collect()
}

fn depth(path: &str) -> usize {
    let folders = path.split('/').count() - 1;
    if path.ends_with("/mod.rs") { folders } else { folders + 1 }
}

/// The first name of a path, or of each path of a `{…}` group.
fn heads(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else { return vec![identifier(path)] };
    let mut heads = Vec::new();
    let mut level = 0_usize;
    let mut start = true;
    for (at, character) in group.char_indices() {
        match character {
            '{' => level += 1,
            '}' if level == 0 => break,
            '}' => level -= 1,
            ',' if level == 0 => start = true,
            _ if start && !character.is_whitespace() => {
                heads.push(identifier(group.get(at..).unwrap_or_default()));
                start = false;
            }
            _ => {}
        }
    }
    heads
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

fn line_of(before: &str) -> usize {
    before.matches('\n').count() + 1
}

/// Comments may speak of anything; documentation links are checked by rustdoc. Lines keep their numbers.
fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code)).fold(
        String::with_capacity(text.len()),
        |mut code, line| {
            code.push_str(line);
            code.push('\n');
            code
        },
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::{Rules, Source};

    const TABLE: &str = "# A\n\n| module | what it is | may import | never knows |\n| --- | --- | --- | --- |\n\
        | `jute` | primitives | – | znodes |\n| `wire` | records | `jute` | sockets |\n\
        | `tree`, `watch` | data | `wire` (paths) | clocks |\n| `client` | async | `jute`, `wire` | tree |\n\
        | `server` | shell | all above but `client` | – |\n\nprose | with bars |\n";

    fn violations(files: &[(&str, &str)]) -> Vec<String> {
        let whole = [("jute.rs", ""), ("wire/mod.rs", ""), ("tree/mod.rs", ""), ("watch/mod.rs", "")];
        let whole = whole.iter().chain(&[("client/mod.rs", ""), ("server/mod.rs", "")]).chain(files);
        let sources: Vec<Source> =
            whole.map(|(path, text)| Source { path: (*path).to_owned(), text: (*text).to_owned() }).collect();
        Rules::parse(TABLE).unwrap().violations(&sources)
    }

    #[test]
    fn downward_imports_are_permitted() {
        let tree = "use crate::wire::{Zxid, path};\nuse super::node; // crate::server\n/// [`crate::server`]\n";
        assert_eq!(violations(&[("tree/apply.rs", tree), ("server/a.rs", "use crate::{tree, wire::Zxid};")]), [""; 0]);
    }

    #[test]
    fn a_planted_upward_import_is_found_with_its_line() {
        let planted = "//! A file.\n\nuse crate::wire::Zxid;\nuse crate::server::Listener;\n";
        assert_eq!(violations(&[("tree/node.rs", planted)]), ["tree/node.rs:4: `tree` may not import `server`"]);
    }

    #[test]
    fn upward_imports_hide_in_groups_paths_and_supers() {
        for planted in [
            "use crate::{\n    wire::{Zxid, path},\n    server::x,\n};",
            "fn f() { crate::server::run() }",
            "use super::super::server;",
            "macro_rules! m { () => { $crate::server::run() } }",
        ] {
            assert_eq!(violations(&[("tree/deep.rs", planted)]).len(), 1, "{planted}");
        }
        assert_eq!(violations(&[("tree/a/b.rs", "use super::super::server;")]), [""; 0], "this is tree::server");
        assert_eq!(violations(&[("client/a.rs", "use crate::tree::DataTree;")]).len(), 1);
        assert_eq!(violations(&[("server/a.rs", "use crate::client::Client;")]).len(), 1);
    }

    #[test]
    fn modules_and_rows_must_match() {
        assert_eq!(violations(&[("extra.rs", "")]), ["extra.rs: module `extra` has no row"]);
        let rules = Rules::parse(TABLE).unwrap();
        assert_eq!(rules.violations(&[]).len(), 6, "every row lacks its module");
    }

    #[test]
    fn a_row_that_names_a_module_below_it_is_a_mistake() {
        let upward = TABLE.replace("| `jute` | primitives | –", "| `jute` | primitives | `wire`");
        assert_eq!(Rules::parse(&upward).unwrap_err(), ["`jute` names `wire`, which is no row above it"]);
        assert!(Rules::parse("no table").is_err());
    }
}

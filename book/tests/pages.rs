//! The book as a web of pages: every link leads somewhere, every page can be reached, every figure is shown.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use menagerie_book::Result;

#[test]
fn every_link_leads_somewhere() -> Result {
    let mut broken = Vec::new();
    let outside = ["README.md", "ARCHITECTURE.md"].map(|name| root().join(name));
    for page in pages()?.into_iter().chain(outside) {
        let text = fs::read_to_string(&page)?;
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { page.clone() } else { normal(&page.with_file_name("").join(file)) };
            if !target.exists() {
                broken.push(format!("{}: {link}: there is no such file", page.display()));
            } else if page.starts_with(source()) && !target.starts_with(source()) {
                broken.push(format!("{}: {link}: leaves the book, and breaks in its HTML", page.display()));
            } else if !anchor.is_empty() && !anchors(&fs::read_to_string(&target)?).contains(anchor) {
                broken.push(format!("{}: {link}: no such heading", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    Ok(())
}

#[test]
fn every_page_and_figure_can_be_reached() -> Result {
    let contents = source().join("SUMMARY.md");
    let mut reached = BTreeSet::from([contents.clone()]);
    let listed = links(&fs::read_to_string(&contents)?);
    reached.extend(listed.iter().filter(|link| !link.is_empty()).map(|link| source().join(link)));
    for page in pages()? {
        for link in links(&fs::read_to_string(&page)?).iter().filter(|link| is(Path::new(link), "svg")) {
            reached.insert(normal(&page.with_file_name("").join(link)));
        }
    }
    let lost: Vec<_> = files(&source())?.into_iter().filter(|file| !reached.contains(file)).collect();
    assert!(lost.is_empty(), "nothing leads to {lost:?}");
    Ok(())
}

#[test]
fn every_chapter_with_snippets_is_a_doc_test() -> Result {
    let crate_root = fs::read_to_string(root().join("book/lib.rs"))?;
    let mut forgotten = Vec::new();
    for page in pages()? {
        let runnable = fs::read_to_string(&page)?.lines().any(|line| line == "```rust" || line == "```rust,no_run");
        let name = page.strip_prefix(root().join("book"))?.display().to_string();
        if runnable && !crate_root.contains(&format!("\"{name}\"")) {
            forgotten.push(name);
        }
    }
    assert!(forgotten.is_empty(), "book/lib.rs does not include {forgotten:?}");
    Ok(())
}

/// A snippet that is not even compiled is the first to be wrong.
#[test]
fn no_snippet_is_exempt() -> Result {
    let mut exempt = Vec::new();
    for page in pages()?.into_iter().chain([root().join("README.md")]) {
        for (number, line) in fs::read_to_string(&page)?.lines().enumerate() {
            // `ignore`, or a word that doc tests take for another language.
            let is_rust = line.starts_with("```rust");
            if is_rust && line != "```rust" && line != "```rust,no_run" {
                exempt.push(format!("{}:{}: {line}", page.display(), number + 1));
            }
        }
    }
    assert!(exempt.is_empty(), "{}", exempt.join("\n"));
    Ok(())
}

#[test]
fn headings_become_anchors_as_mdbook_makes_them() {
    let text = "# One\n## The reply that never came\n### `Lock`\n## Who's *first*, 2t/3?\n```text\n# no heading\n```\n";
    let expected = ["one", "the-reply-that-never-came", "lock", "whos-first-2t3"].map(str::to_owned);
    assert_eq!(anchors(text), BTreeSet::from(expected));
}

fn root() -> PathBuf {
    normal(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
}

fn source() -> PathBuf {
    root().join("book/src")
}

fn pages() -> Result<Vec<PathBuf>> {
    Ok(files(&source())?.into_iter().filter(|file| is(file, "md")).collect())
}

fn is(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|end| end == extension)
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                parts.pop();
            }
            Component::CurDir => {}
            other => parts.push(other),
        }
    }
    parts
}

/// The targets of `[text](target)` and `![text](target)`, outside of code.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text) {
        let line = without_code_spans(line);
        for (at, _) in line.match_indices("](") {
            let rest = line.get(at + 2..).unwrap_or_default();
            found.extend(rest.split_once(')').map(|(target, _)| target.to_owned()));
        }
    }
    found
}

/// The identifiers that a page's headings get.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter_map(|character| match character {
        ' ' => Some('-'),
        '-' | '_' => Some(character),
        other if other.is_alphanumeric() => Some(other.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}

fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fence = None;
    text.lines().filter(move |line| {
        let ticks = line.chars().take_while(|&character| character == '`').count();
        match fence {
            None if ticks >= 3 => fence = Some(ticks),
            Some(open) if ticks >= open => fence = None,
            Some(_) => {}
            None => return true,
        }
        false
    })
}

fn without_code_spans(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

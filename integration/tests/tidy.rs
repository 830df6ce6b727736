//! House rules that a compiler does not check: headers, sizes, nothing left open, documents in step with the code.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use menagerie_integration::{TestResult, workspace};

/// The longest a source file may be; the aim is far below it.
const LINES_AT_MOST: usize = 800;
/// What half of the source files must stay under.
const MEDIAN_AT_MOST: usize = 180;
/// What an application that only takes locks may have to compile.
const RECIPES_PACKAGES_AT_MOST: usize = 45;

#[test]
fn every_source_file_says_what_it_is() -> TestResult {
    let mut mute = Vec::new();
    for file in sources()? {
        if !workspace::read(&file)?.starts_with("//! ") {
            mute.push(file.display().to_string());
        }
    }
    assert!(mute.is_empty(), "these do not open with `//!`:\n{}", mute.join("\n"));
    Ok(())
}

#[test]
fn source_files_are_small() -> TestResult {
    let mut lengths = Vec::new();
    for file in sources()? {
        lengths.push((workspace::read(&file)?.lines().count(), file));
    }
    lengths.sort();
    let mut long = String::new();
    for (lines, file) in lengths.iter().filter(|(lines, _)| *lines > LINES_AT_MOST) {
        writeln!(long, "{} has {lines} lines; split it by role", file.display())?;
    }
    assert!(long.is_empty(), "{long}");
    let median = lengths.get(lengths.len() / 2).map_or(0, |(lines, _)| *lines);
    assert!(median <= MEDIAN_AT_MOST, "half of the files have more than {median} lines");
    Ok(())
}

#[test]
fn nothing_is_left_open() -> TestResult {
    // Put together here, so that this file does not find itself.
    let marks =
        [["todo", "!("], ["unimplemented", "!("], ["FIX", "ME"], ["HA", "CK"], ["XX", "X"]].map(|parts| parts.concat());
    let mut open = String::new();
    for file in sources()? {
        for (number, line) in workspace::read(&file)?.lines().enumerate() {
            for mark in marks.iter().filter(|mark| line.contains(mark.as_str())) {
                writeln!(open, "{}:{}: {mark}", file.display(), number + 1)?;
            }
        }
    }
    assert!(open.is_empty(), "{open}");
    Ok(())
}

#[test]
fn every_page_has_one_title() -> TestResult {
    let mut wrong = String::new();
    for page in workspace::files("", "md")? {
        let text = workspace::read(&page)?;
        let titles = prose(&text).filter(|line| line.starts_with("# ")).count();
        // The table of contents is a page of the book's tool, with parts as further titles.
        if titles != 1 && !page.ends_with("SUMMARY.md") {
            writeln!(wrong, "{} has {titles} titles (`# …`)", page.display())?;
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    Ok(())
}

#[test]
fn every_page_of_the_book_is_in_its_table_of_contents() -> TestResult {
    let contents = workspace::read("book/src/SUMMARY.md")?;
    let book = Path::new("book/src");
    let mut lost = Vec::new();
    for page in workspace::files(book, "md")? {
        let name = page.strip_prefix(book)?.display().to_string();
        if name != "SUMMARY.md"
            && !contents.contains(&format!("({name})"))
            && !contents.contains(&format!("(./{name})"))
        {
            lost.push(name);
        }
    }
    assert!(lost.is_empty(), "SUMMARY.md does not name {lost:?}");
    Ok(())
}

#[test]
fn the_book_names_every_example() -> TestResult {
    let mut book = String::new();
    for page in workspace::files("book/src", "md")? {
        book += &workspace::read(page)?;
    }
    let examples: BTreeSet<String> = example_programs()?;
    assert!(!examples.is_empty());
    let unnamed: Vec<&String> = examples.iter().filter(|name| !book.contains(name.as_str())).collect();
    assert!(unnamed.is_empty(), "no page of the book names {unnamed:?}");
    Ok(())
}

#[test]
fn the_replica_compiles_without_a_runtime() -> TestResult {
    let packages = dependencies(&["-p", "menagerie-core", "--no-default-features", "--features", "replica"])?;
    assert!(packages.contains("menagerie-core"), "{packages:?}");
    for denied in ["tokio", "mio", "socket2"] {
        assert!(!packages.contains(denied), "the pure side depends on {denied}: {packages:?}");
    }
    Ok(())
}

#[test]
fn an_application_that_locks_compiles_little() -> TestResult {
    let packages = dependencies(&["-p", "menagerie-recipes"])?;
    assert!(packages.contains("menagerie-recipes"), "{packages:?}");
    assert!(packages.len() <= RECIPES_PACKAGES_AT_MOST, "{} packages: {packages:?}", packages.len());
    for denied in ["axum", "clap", "rustyline", "tracing-subscriber"] {
        assert!(!packages.contains(denied), "an application that locks compiles {denied}");
    }
    Ok(())
}

fn sources() -> TestResult<Vec<PathBuf>> {
    Ok(workspace::files("", "rs")?)
}

/// The lines of a page outside its code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// The binaries of the examples' package: one flat file each.
fn example_programs() -> TestResult<BTreeSet<String>> {
    let mut programs = BTreeSet::new();
    for file in workspace::files("examples", "rs")? {
        if workspace::read(&file)?.contains("\nasync fn main(") || workspace::read(&file)?.contains("\nfn main(") {
            programs.extend(file.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    Ok(programs)
}

/// The names of all packages that are compiled for these arguments of `cargo tree`, without what only tests need.
fn dependencies(arguments: &[&str]) -> TestResult<BTreeSet<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(workspace::root()).stdin(Stdio::null());
    command.args(["tree", "--locked", "--prefix", "none", "--edges", "normal", "--format", "{p}"]).args(arguments);
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let lines = String::from_utf8(output.stdout)?;
    Ok(lines.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

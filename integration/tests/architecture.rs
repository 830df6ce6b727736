//! The import rule of ARCHITECTURE.md holds for the sources of the core.

use std::path::Path;

use menagerie_integration::architecture::{Rules, Source};
use menagerie_integration::{TestResult, workspace};

#[test]
fn imports_only_go_down() -> TestResult {
    let document = workspace::read("ARCHITECTURE.md")?;
    let rules = Rules::parse(&document).map_err(|mistakes| mistakes.join("\n"))?;
    let below = Path::new("core/src");
    let mut sources = Vec::new();
    for file in workspace::files(below, "rs")? {
        let path = file.strip_prefix(below)?.to_string_lossy().into_owned();
        sources.push(Source { path, text: workspace::read(&file)? });
    }
    let violations = rules.violations(&sources);
    assert!(violations.is_empty(), "{}", violations.join("\n"));
    Ok(())
}

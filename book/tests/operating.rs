//! The pages for operators against the program: configurations are read by the server's own reader, and what a tool prints is what it
//! prints.

use std::fs;
use std::path::Path;

use menagerie_book::Result;
use menagerie_core::server::config::ServerConfig;

#[test]
fn the_configuration_for_three_members_is_one() -> Result {
    let page = page("deploying.md")?;
    let text = blocks(&page, "ini").into_iter().find(|block| block.contains("server.1=")).ok_or("no configuration")?;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("zoo.cfg");
    fs::write(&file, text.replace("/var/lib/menagerie", &directory.path().display().to_string()))?;
    for id in 1..=3 {
        fs::write(directory.path().join("myid"), id.to_string())?;
        let config = ServerConfig::from_args(&[file.display().to_string()])?;
        assert_eq!((config.server_id, config.warnings.as_slice()), (Some(id), [].as_slice()));
        assert_eq!(config.ensemble.map(|ensemble| ensemble.participant_count()), Some(3));
    }
    fs::write(directory.path().join("myid"), "4")?;
    assert!(ServerConfig::from_args(&[file.display().to_string()]).is_err(), "the page says that it refuses");
    Ok(())
}

/// The golden file is held true by the tests of the tool.
#[test]
fn the_plan_is_what_the_tool_prints() -> Result {
    let plan = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src/migrate/golden/plan.txt"))?;
    let blocks = blocks(&page("replacing.md")?, "text");
    assert!(!blocks.is_empty());
    for block in blocks {
        assert!(plan.contains(&block), "the tool does not print\n{block}");
    }
    Ok(())
}

/// Every option of a command on these pages is one.
#[test]
fn every_command_is_understood() -> Result {
    let help = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/cmd/migrate.txt"))?;
    let mut seen = 0;
    for name in ["deploying.md", "replacing.md", "failures.md"] {
        let page = page(name)?;
        let lines = page.lines().filter(|line| line.contains("menagerie migrate"));
        for word in lines.flat_map(str::split_whitespace).filter(|word| word.starts_with("--")) {
            let option = word.trim_matches(|letter: char| !letter.is_ascii_alphabetic() && letter != '-');
            assert!(help.contains(option), "{name}: {option}");
            seen += 1;
        }
    }
    assert!(seen >= 3, "{seen}");
    Ok(())
}

fn page(name: &str) -> Result<String> {
    Ok(fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/operating").join(name))?)
}

/// The blocks that are marked with a language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Option<String> = None;
    for line in page.lines() {
        match &mut block {
            Some(_) if line == "```" => found.extend(block.take()),
            Some(text) => {
                text.push_str(line);
                text.push('\n');
            }
            None if line.strip_prefix("```") == Some(language) => block = Some(String::new()),
            None => {}
        }
    }
    found
}

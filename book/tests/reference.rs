//! The reference pages against the code: what they list exists, and what exists they list.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use menagerie_book::Result;
use menagerie_core::cli::{Audience, Options, Shell};
use menagerie_core::embedded::Server;
use menagerie_core::server::config::ServerConfig;
use menagerie_core::wire::ErrorCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[test]
fn every_error_code_is_on_its_page_with_its_number() -> Result {
    let page = page("error-codes.md")?;
    let listed: BTreeMap<&str, &str> =
        rows(&page).filter_map(|cells| Some((name(cells.get(1)?)?, *cells.first()?))).collect();
    for code in ErrorCode::ALL.iter().filter(|code| **code != ErrorCode::Ok) {
        assert_eq!(listed.get(code.name()).copied(), Some(code.code().to_string().as_str()), "{}", code.name());
    }
    assert_eq!(listed.len() + 1, ErrorCode::ALL.len(), "the page lists a code that does not exist");
    Ok(())
}

#[test]
fn the_keys_that_the_page_says_are_acted_on_are_and_have_these_defaults() -> Result {
    let page = page("zoo-cfg.md")?;
    let acted_on = section(&page, "## Keys that are acted on", "## Keys that are accepted");
    let keys: Vec<(&str, &str)> =
        rows(acted_on).filter_map(|cells| Some((name(cells.first()?)?, *cells.get(1)?))).collect();
    assert!(keys.len() > 30, "{keys:?}");
    let directory = tempfile::tempdir()?;
    fs::write(directory.path().join("dynamic"), "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\n")?;
    fs::write(directory.path().join("myid"), "1\n")?;
    let silent = config(directory.path(), "")?;
    for (key, default) in keys.into_iter().filter(|(key, _)| *key != "server.N") {
        let samples = [sample(key), "true", "0.5", "SHA1", "digest"];
        let taken = samples.iter().find_map(|value| config(directory.path(), &format!("{key}={value}\n")).ok());
        let taken = taken.ok_or_else(|| format!("{key} takes none of the values tried"))?;
        assert!(taken.warnings.is_empty(), "{key}: {:?}", taken.warnings);
        if default.parse::<u32>().is_ok() || ["true", "false", "yes", "no"].contains(&default) {
            assert_eq!(
                config(directory.path(), &format!("{key}={default}\n"))?,
                silent,
                "{key} is {default} by default"
            );
        }
    }
    Ok(())
}

#[test]
fn the_keys_that_the_page_says_are_not_acted_on_bring_a_warning() -> Result {
    let page = page("zoo-cfg.md")?;
    let (_, noted) = page.split_once("## Keys that are accepted").ok_or("no such section")?;
    // This one is named there as the exception that it is.
    let keys: Vec<&str> = code_spans(noted).filter(|key| is_key(key) && *key != "nio.sessionlessCnxnTimeout").collect();
    assert!(keys.len() > 40, "{keys:?}");
    let directory = tempfile::tempdir()?;
    for key in keys {
        let key = key.replace('*', "x");
        let values = ["0", "true", "yes", "gz", "participant"];
        let taken = values.iter().find_map(|value| config(directory.path(), &format!("{key}={value}\n")).ok());
        let warnings = taken.ok_or_else(|| format!("{key} takes none of the values tried"))?.warnings;
        assert!(warnings.len() == 1 && !warnings[0].message.contains("unknown key"), "{key}: {warnings:?}");
    }
    Ok(())
}

#[tokio::test]
async fn every_command_of_the_shell_is_on_its_page() -> Result {
    let page = page("cli.md")?;
    let commands = section(&page, "## Commands", "### Looking");
    let cells: Vec<&str> = rows(commands).filter_map(|cells| cells.first().copied()).collect();
    let listed: BTreeSet<&str> = cells.iter().flat_map(|cell| code_spans(cell)).filter_map(first_word).collect();

    let options = Options {
        server: "127.0.0.1:1".to_owned(),
        timeout: 10_000,
        readonly: false,
        json: false,
        waitforconnection: false,
        command: Vec::new(),
    };
    let mut shell = Shell::open(options, Arc::new(|_| {}), Audience::Program)?;
    let mut help = Vec::new();
    shell.run_line("help", &mut help).await?;
    let help = String::from_utf8(help)?;
    let offered: BTreeSet<&str> = help.lines().filter(|line| line.starts_with("  ")).filter_map(first_word).collect();
    assert_eq!(listed, offered);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_four_letter_words_of_the_page_are_answered_and_no_others() -> Result {
    let page = page("four-letter-words.md")?;
    let (answered, rest) = page.split_once("## `srvr`").ok_or("no such section")?;
    let server = Server::start().await?;
    let words: BTreeSet<&str> = rows(answered).filter_map(|cells| name(cells.first()?)).collect();
    for word in words.iter().filter(|word| **word != "hash") {
        assert!(!ask(&server, word).await?.is_empty(), "{word}");
    }
    let mntr = ask(&server, "mntr").await?;
    let listed: BTreeSet<&str> =
        code_spans(section(rest, "## `mntr`", "## Different")).filter(|name| name.starts_with("zk_")).collect();
    for name in listed.iter().filter(|name| !name.ends_with('_')) {
        assert!(mntr.lines().any(|line| line.split('\t').next() == Some(name)), "{name}");
    }
    for line in mntr.lines().filter(|line| line.starts_with("zk_menagerie_")) {
        assert!(line.split('\t').next().is_some_and(|name| listed.contains(name)), "the page lacks {line}");
    }
    server.stop().await;
    Ok(())
}

#[test]
fn every_dependency_is_on_its_page() -> Result {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(root.join("book/src/internals/dependencies.md"))?;
    let used = section(&page, "# Dependencies", "## Not used");
    let listed: BTreeSet<&str> = rows(used).filter_map(|cells| cells.first().copied()).flat_map(code_spans).collect();
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let declared = section(&manifest, "[workspace.dependencies]", "\n[");
    let declared: BTreeSet<&str> = declared
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.split_once(" =")?.0.trim_end_matches(".workspace")))
        .filter(|name| !name.starts_with("menagerie-"))
        .collect();
    assert_eq!(listed, declared);
    Ok(())
}

/// What a server answers to a four-letter word; nothing if it closes the connection without a byte.
async fn ask(server: &Server, word: &str) -> Result<String> {
    let mut connection = TcpStream::connect(server.address()).await?;
    connection.write_all(word.as_bytes()).await?;
    if word == "stmk" {
        connection.write_all(&306_i64.to_be_bytes()).await?;
    }
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    Ok(answer)
}

fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn first_word(text: &str) -> Option<&str> {
    text.split_whitespace().next()
}

/// A configuration of these lines; `dataDir` is given unless they give it.
fn config(directory: &Path, lines: &str) -> Result<ServerConfig> {
    let here = directory.display().to_string();
    let data = if lines.starts_with("dataDir=") { String::new() } else { format!("dataDir={here}\n") };
    let file = directory.join("zoo.cfg");
    fs::write(&file, data + &lines.replace("DIRECTORY", &here))?;
    Ok(ServerConfig::from_args(&[file.display().to_string()])?)
}

/// A value that a key of the page takes, and that makes sense alone.
fn sample(key: &str) -> &'static str {
    match key {
        "dataDir" | "dataLogDir" => "DIRECTORY",
        "clientPortAddress" => "127.0.0.1\nclientPort=2181",
        "dynamicConfigFile" => "DIRECTORY/dynamic\ninitLimit=10\nsyncLimit=5",
        "peerType" => "participant",
        "forceSync" | "skipACL" | "leaderServes" => "yes",
        "4lw.commands.whitelist" => "*",
        "electionAlg" => "3",
        "DigestAuthenticationProvider.digestAlg" => "SHA-256",
        "enforce.auth.schemes" => "digest",
        "snapshot.compression.method" => "gz",
        "DigestAuthenticationProvider.superDigest" => "super:digest",
        "enforce.auth.enabled" => "true\nenforce.auth.schemes=digest",
        "maxSessionTimeout" => "50000",
        _ => "5000",
    }
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._*".contains(c)) && text != "zookeeper."
}

fn page(name: &str) -> Result<String> {
    Ok(fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/reference").join(name))?)
}

fn section<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let after = page.split_once(from).map_or("", |(_, after)| after);
    after.split_once(to).map_or(after, |(inside, _)| inside)
}

/// The cells of each line of a table.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().filter_map(|line| line.strip_prefix('|')).map(|row| row.split('|').map(str::trim).collect())
}

/// What stands in a cell that is one piece of code.
fn name(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`').filter(|name| !name.contains('`'))
}

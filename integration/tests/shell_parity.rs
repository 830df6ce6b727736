//! The same commands for the reference's Java shell and for `menagerie cli`, in the same order, on servers of the same software: what
//! they print is the same but for what is listed here with its reason.
//!
//! Both standard streams of a shell are one, so that errors stand where they were made. Left out of the comparison are: the numbers of
//! transactions and sessions, the digits of times, our hints and the words `error:`, and when an event comes.

use std::fmt::Write as _;
use std::process::Command;

use menagerie_integration::TestResult;
use menagerie_integration::dialogue::Dialogue;
use menagerie_integration::ours::{self, Profile};
use menagerie_integration::reference::Reference;
use menagerie_integration::server::Server;
use menagerie_integration::software::Software;

/// What follows every command, so that the end of its output is known.
const MARK: &str = "printwatches is on\n";

/// A command, and how the two shells may differ.
struct Step {
    line: &'static str,
    /// What the reference prints, what ours prints, and why.
    differs: Option<(&'static str, &'static str, &'static str)>,
}

const fn same(line: &'static str) -> Step {
    Step { line, differs: None }
}

const fn differs(line: &'static str, reference: &'static str, ours: &'static str, why: &'static str) -> Step {
    Step { line, differs: Some((reference, ours, why)) }
}

const SCRIPT: &[Step] = &[
    same("create /a hello"),
    same("create /a/b x"),
    same("create -s /a/s- y"),
    same("create -e /e mine"),
    same("create -e -s /a/es- 'two words'"),
    same("create -c /box"),
    same("create -t 500000 /ttl x"),
    same("create -s -t 500000 /ttl- x"),
    same("create /a again"),
    same("create /none/child x"),
    same("create /e/child x"),
    same("ls /a"),
    same("ls -s /a"),
    same("ls -R /a"),
    same("ls -R -s /a"),
    same("ls /"),
    same("ls -R /zookeeper"),
    same("ls /none"),
    same("get /a"),
    same("get -s /a"),
    same("get /a/es-0000000002"),
    same("get /none"),
    same("set /a second"),
    same("set -s /a third"),
    same("set -v 2 /a fourth"),
    same("set -v 9 /a fifth"),
    same("set /none x"),
    same("stat /a"),
    same("stat /e"),
    same("stat /box"),
    same("stat /ttl"),
    same("stat /none"),
    same("create /empty"),
    differs("get /empty", "null", "", "data that are not there are no data; the text `null` could be data as well"),
    // The forms of 3.4.
    same("ls /a watch"),
    same("get /a watch"),
    same("stat /a watch"),
    same("set /a changed"),
    same("create /old x"),
    differs(
        "set /old more 7",
        "",
        "set: `7` is one argument too many; quote data that has spaces",
        "a version that is ignored loses what somebody else has written",
    ),
    differs(
        "delete /old 7",
        "'delete path [version]' has been deprecated. Please use 'delete [-v version] path' instead.",
        "'delete path [version]' has been deprecated. Please use 'delete [-v version] path' instead.\nversion No is not valid : /old",
        "the reference says how the version is to be given, and deletes whatever the version is",
    ),
    differs("deleteall /old", "Node does not exist: /old", "", "so it is gone already with the reference"),
    // Access lists.
    same("getAcl /a"),
    same("getAcl -s /a"),
    same("getAcl /none"),
    same("setAcl /a world:anyone:cdrwa,ip:127.0.0.1:r"),
    same("getAcl /a"),
    same("setAcl -s /a world:anyone:cdrwa"),
    same("setAcl -v 44 /a world:anyone:cdrwa"),
    same("setAcl -R /a world:anyone:cdrwa"),
    same("setAcl /none world:anyone:cdrwa"),
    same("setAcl /a digest:nocolon:r"),
    differs(
        "setAcl /a world:anyone:cdrwaz",
        "Unknown perm type: z",
        "setAcl: `cdrwaz` are not permissions: c create, d delete, r read, w write, a admin, such as cdrwa",
        "the reference sets the list without the letter that it does not know",
    ),
    same("addauth digest bob:secret"),
    same("whoami"),
    same("create /bob x auth::cdrwa"),
    same("getAcl /bob"),
    same("create /readonly x world:anyone:r"),
    same("set /readonly y"),
    // Lists and numbers.
    same("getEphemerals"),
    same("getEphemerals /a"),
    same("getAllChildrenNumber /a"),
    same("getAllChildrenNumber /"),
    same("getAllChildrenNumber /none"),
    same("sync /a"),
    // Quotas.
    same("listquota /a"),
    same("setquota -n 5 /a"),
    same("listquota /a"),
    same("setquota -b 100 /a"),
    same("setquota -N 8 /a"),
    same("setquota -B 200 /a"),
    same("listquota /a"),
    same("get /zookeeper/quota/a/zookeeper_limits"),
    same("get /zookeeper/quota/a/zookeeper_stats"),
    same("setquota -n 1 /a"),
    same("setquota -b 1 /a"),
    differs(
        "setquota -n 0 /a",
        "the num quota must be greater than zero",
        "setquota: -n 0: the num quota must be greater than zero",
        "ours names the flag",
    ),
    same("setquota -n 3 /a/b"),
    same("setquota -n 3 /none"),
    same("setquota -n 3 /zookeeper/quota"),
    same("delquota -b /a"),
    same("listquota /a"),
    same("delquota -n /a"),
    same("delquota -N /a"),
    same("delquota -B /a"),
    same("listquota /a"),
    same("delquota /a"),
    same("delquota /a"),
    same("delquota -n /a"),
    same("ls -R /zookeeper"),
    same("setquota -n 3 /a/b"),
    same("setquota -n 3 /a"),
    same("delquota /a/b"),
    // The ensemble.
    same("config"),
    same("config -c"),
    same("config -s"),
    same("reconfig -add server.2=127.0.0.1:2001:3001;2181"),
    // Watches.
    same("removewatches /a/b"),
    same("create /w x"),
    same("addWatch -m PERSISTENT /w"),
    same("set /w y"),
    same("removewatches /w"),
    same("removewatches /w -a"),
    same("stat -w /w"),
    same("delete /w"),
    // Deleting.
    same("delete /a"),
    same("delete -v 7 /a/b"),
    same("delete /none"),
    same("deleteall /none"),
    same("deleteall /a -b 10"),
    same("ls /"),
    same("history"),
    same("redo 1"),
    same("get /a"),
    differs(
        "rmr /a",
        "Command not found: Command not found rmr",
        "no command `rmr`: did you mean `deleteall`?",
        "ours says what has taken its place; the reference lists every command first",
    ),
    differs("ls /box/", "Path must not end with / character", "[]", "a slash at the end is what completion leaves"),
    differs(
        "ls a",
        "Path must start with / character",
        "ls: a is not a path: paths are absolute, as in /a",
        "ours says what to type",
    ),
    same("close"),
    // The first time it is said of the `printwatches` that follows every command.
    differs(
        "ls /",
        "Not connected\nNot connected",
        "GetChildren2 /: the client is closed",
        "ours names what was not done",
    ),
];

#[test]
fn both_shells_print_the_same_with_the_reference() -> TestResult {
    let Some(reference) = Reference::find()? else { return Ok(()) };
    let software = Software::Reference(reference.clone());
    compare(&reference, &software)
}

#[test]
fn both_shells_print_the_same_with_menagerie() -> TestResult {
    let Some(reference) = Reference::find()? else { return Ok(()) };
    compare(&reference, &Software::menagerie()?)
}

/// One command on the command line: both shells succeed, or both fail.
#[test]
fn a_single_command_fails_in_both_shells_or_in_none() -> TestResult {
    let Some(reference) = Reference::find()? else { return Ok(()) };
    let server = Server::start(Software::menagerie()?)?;
    for words in [&["ls", "/"][..], &["get", "/none"], &["frobnicate"], &["set", "/none"]] {
        let theirs = reference.java_shell_command(&server.connect_string()).args(words).output()?;
        let mut ours = ours::binary(Profile::Dev)?.command();
        let ours = ours.args(["cli", "-server", &server.connect_string()]).args(words).output()?;
        assert_eq!(theirs.status.success(), ours.status.success(), "{words:?}: {theirs:?} {ours:?}");
    }
    Ok(())
}

fn compare(reference: &Reference, software: &Software) -> TestResult {
    let theirs = play(software, |hosts| Ok(reference.java_shell_command(hosts)))?;
    let ours = play(software, |hosts| {
        let mut command = ours::binary(Profile::Dev)?.command();
        command.args(["cli", "-server", hosts]);
        Ok(command)
    })?;
    let mut wrong = String::new();
    for (step, (theirs, ours)) in SCRIPT.iter().zip(theirs.outputs.iter().zip(&ours.outputs)) {
        let (expected, is_right) = match step.differs {
            None => (String::from("the same"), theirs == ours),
            Some((reference, other, why)) => {
                (format!("{reference:?} and {other:?}, because {why}"), theirs == reference && ours == other)
            }
        };
        if !is_right {
            writeln!(wrong, "{}: expected {expected}; the reference:\n{theirs}\nours:\n{ours}\n", step.line)?;
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(theirs.events, ours.events);
    Ok(())
}

/// What a shell printed.
struct Played {
    /// For each step.
    outputs: Vec<String>,
    /// The events of watches, sorted, each once.
    events: Vec<String>,
}

fn play(software: &Software, shell: impl FnOnce(&str) -> std::io::Result<Command>) -> TestResult<Played> {
    let server = Server::start_with(software.clone(), &[("extendedTypesEnabled", "true")])?;
    let mut dialogue = Dialogue::start(one_stream(&shell(&server.connect_string())?))?;
    let mut outputs = Vec::new();
    let mut events = Vec::new();
    dialogue.ask("printwatches", MARK)?;
    // The reference's shell is not connected yet; its first command waits.
    dialogue.ask("ls /", "[zookeeper]\n")?;
    for step in SCRIPT {
        dialogue.say(step.line)?;
        let printed = dialogue.ask("printwatches", MARK)?;
        let printed = printed.strip_suffix(MARK).unwrap_or_default();
        outputs.push(clean(printed, &mut events));
    }
    dialogue.say("quit")?;
    let (_, transcript) = dialogue.finish()?;
    // An event that came after the last answer stands at the end.
    let rest = transcript.rsplit(MARK).next().unwrap_or_default();
    clean(rest, &mut events);
    events.sort();
    // The reference tells of a change once, however many commands watch; ours once for each of them.
    events.dedup();
    Ok(Played { outputs, events })
}

/// The same command with both streams in one.
fn one_stream(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$@\" 2>&1", "sh"]).arg(command.get_program()).args(command.get_args());
    shell
}

/// Takes out what need not be the same.
fn clean(printed: &str, events: &mut Vec<String>) -> String {
    let mut lines = Vec::new();
    for line in printed.lines().map(|line| line.strip_prefix("error: ").unwrap_or(line)) {
        if line.starts_with("WatchedEvent ") {
            // The reference tells of the session too; for `menagerie cli` nobody is there who would want to know.
            if !line.contains("type:None") {
                events.push(line.to_owned());
            }
            continue;
        }
        let is_log = line.contains(" WARN org.apache.zookeeper.") || line.starts_with("EndOfStreamException: ");
        let is_aside = is_log
            || line.is_empty()
            || line == "WATCHER::"
            || ["  hint: ", "  usage: ", "\t", "ZooKeeper -server ", "absolute path is "]
                .iter()
                .any(|begin| line.starts_with(begin));
        if !is_aside {
            lines.push(blank(line));
        }
    }
    lines.join("\n")
}

/// A line without the numbers that differ from run to run.
fn blank(line: &str) -> String {
    let Some((name, value)) = line.split_once(" = ") else { return in_order(line) };
    let blanked = match name {
        "ctime" | "mtime" => value.chars().map(shape).collect(),
        "cZxid" | "mZxid" | "pZxid" | "ephemeralOwner" if value != "0x0" => "0x…".to_owned(),
        _ => return line.to_owned(),
    };
    format!("{name} = {blanked}")
}

/// The ephemeral znodes of a session have no order of their own, and ours sorts them.
fn in_order(line: &str) -> String {
    let Some(paths) = line.strip_prefix("[/").and_then(|rest| rest.strip_suffix(']')) else { return line.to_owned() };
    let mut paths: Vec<_> = paths.split(", /").collect();
    paths.sort_unstable();
    format!("[/{}]", paths.join(", /"))
}

fn shape(c: char) -> char {
    match c {
        '0'..='9' => '0',
        'a'..='z' => 'a',
        'A'..='Z' => 'A',
        other => other,
    }
}

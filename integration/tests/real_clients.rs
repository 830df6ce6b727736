//! The reference's own clients hold a session with a server: its Java shell, its C shell and its Java client's
//! transactions. Each session runs against `menagerie server`, and against the reference itself, which proves that the
//! answers expected here are the reference's.

use menagerie_integration::TestResult;
use menagerie_integration::dialogue::Dialogue;
use menagerie_integration::reference::Reference;
use menagerie_integration::server::Server;
use menagerie_integration::software::Software;

#[test]
fn java_shell_with_menagerie() -> TestResult {
    let Some(reference) = Reference::find()? else { return Ok(()) };
    java_shell_session(&reference, &Server::start(Software::menagerie()?)?)
}

#[test]
fn java_shell_with_the_reference() -> TestResult {
    let Some(reference) = Reference::find()? else { return Ok(()) };
    java_shell_session(&reference, &Server::start(Software::Reference(reference.clone()))?)
}

#[test]
fn c_shell_with_menagerie() -> TestResult {
    let Some(reference) = Reference::find()? else { return Ok(()) };
    c_shell_session(&reference, &Server::start(Software::menagerie()?)?)
}

#[test]
fn c_shell_with_the_reference() -> TestResult {
    let Some(reference) = Reference::find()? else { return Ok(()) };
    c_shell_session(&reference, &Server::start(Software::Reference(reference.clone()))?)
}

#[test]
fn transactions_with_menagerie() -> TestResult {
    let Some(reference) = Reference::find()? else { return Ok(()) };
    transactions(&reference, &Server::start(Software::menagerie()?)?)
}

#[test]
fn transactions_with_the_reference() -> TestResult {
    let Some(reference) = Reference::find()? else { return Ok(()) };
    transactions(&reference, &Server::start(Software::Reference(reference.clone()))?)
}

fn java_shell_session(reference: &Reference, server: &Server) -> TestResult {
    let mut shell = reference.java_shell(&server.connect_string())?;
    shell.ask("create /p hello", "Created /p\n")?;
    shell.ask("create -e /e mine", "Created /e\n")?;
    shell.ask("create -s /p/s- x", "Created /p/s-0000000000\n")?;
    shell.ask("create -e -s /p/es- x", "Created /p/es-0000000001\n")?;
    shell.ask("create /p again", "Node already exists: /p\n")?;
    shell.ask("create /absent/child x", "Node does not exist: /absent/child\n")?;
    shell.ask("create /e/child x", "Ephemerals cannot have children: /e/child\n")?;
    shell.ask("ls /", "[e, p, zookeeper]\n")?;

    let answer = shell.ask("get -s /p", "numChildren = 2\n")?;
    assert!(answer.contains("hello\n"), "{answer}");
    for field in ["cversion = 2", "dataVersion = 0", "aclVersion = 0", "ephemeralOwner = 0x0\n", "dataLength = 5"] {
        assert!(answer.contains(field), "no `{field}` in {answer}");
    }
    let answer = shell.ask("stat /e", "numChildren = 0\n")?;
    assert!(!answer.contains("ephemeralOwner = 0x0\n"), "/e must have an owner: {answer}");

    // A `set` that succeeds prints nothing.
    shell.say("set -v 0 /p second")?;
    shell.ask("set -v 0 /p third", "version No is not valid : /p\n")?;
    shell.ask("get /p", "second\n")?;
    shell.ask("get -w /p", "second\n")?;
    shell.say("set /p fourth")?;
    shell.expect("WatchedEvent state:SyncConnected type:NodeDataChanged path:/p\n")?;
    shell.say("ls -w /p")?;
    shell.expect("[es-0000000001, s-0000000000]\n")?;
    shell.say("create /p/late x")?;
    shell.expect_all(&["Created /p/late\n", "type:NodeChildrenChanged path:/p\n"])?;

    shell.ask("delete /p", "Node not empty: /p\n")?;
    shell.ask("delete -v 7 /p/late", "version No is not valid : /p/late\n")?;
    shell.say("stat -w /p/late")?;
    shell.expect("numChildren = 0\n")?;
    shell.say("delete /p/late")?;
    shell.expect("type:NodeDeleted path:/p/late\n")?;
    shell.say("deleteall /p")?;
    shell.ask("get /p", "Node does not exist: /p\n")?;
    shell.ask("sync /", "Sync is OK\n")?;
    shell.say("quit")?;
    quit_and_check_ephemeral(reference, server, shell, "[zookeeper]")
}

/// The shell has ended, and the ephemeral node it made is gone with its session.
fn quit_and_check_ephemeral(reference: &Reference, server: &Server, shell: Dialogue, left: &str) -> TestResult {
    let (status, transcript) = shell.finish()?;
    assert!(status.success(), "{status}\n{transcript}");
    let listing = reference.java_command(&server.connect_string(), &["ls", "/"])?;
    assert!(listing.contains(left), "{listing}");
    Ok(())
}

fn c_shell_session(reference: &Reference, server: &Server) -> TestResult {
    let mut shell = reference.c_shell(&server.connect_string())?;
    shell.ask("create /p", "[/p]: rc = 0\n\tname = /p\n")?;
    shell.ask("create2 +e /e", "ephemeralOwner = ")?;
    shell.ask("create +s /s-", "name = /s-0000000002\n")?;
    shell.ask("create +es /es-", "name = /es-0000000003\n")?;
    shell.ask("create /p", "[/p]: rc = -110\n")?;
    shell.ask("create /absent/child", "[/absent/child]: rc = -101\n")?;
    shell.say("ls /")?;
    shell.expect_all(&["/: rc = 0\n", "\tp\n", "\te\n", "\ts-0000000002\n", "\tes-0000000003\n", "\tzookeeper\n"])?;

    shell.say("get /p")?;
    shell.expect_all(&["/p: rc = 0\n", "ephemeralOwner = 0\n"])?;
    shell.say("set /p changed")?;
    shell.expect_all(&["CHANGED_EVENT state = CONNECTED_STATE for path /p\n", "version=1\taversion=0\n"])?;
    let answer = shell.ask("get /p", "version=1\taversion=0\n")?;
    assert!(answer.contains("value_len = 7\nchanged\n"), "{answer}");
    shell.ask("get /absent", "/absent: rc = -101\n")?;
    shell.ask("wexists /w", "for /w\n")?;
    shell.say("create /w")?;
    shell.expect_all(&["CREATED_EVENT state = CONNECTED_STATE for path /w\n", "name = /w\n"])?;
    shell.ask("create /p/child", "name = /p/child\n")?;
    shell.ask("delete /p", "/p: rc = -111\n")?;
    shell.ask("delete /p/child", "/p/child: rc = 0\n")?;
    shell.say("delete /p")?;
    shell.expect_all(&["DELETED_EVENT state = CONNECTED_STATE for path /p\n", "/p: rc = 0\n"])?;
    shell.ask("sync /", "[/]: rc = 0\n")?;
    shell.ask("quit", "Quitting...")?;
    quit_and_check_ephemeral(reference, server, shell, "[s-0000000002, w, zookeeper]")
}

/// What the reference's client prints for each transaction of `MultiSession.java`. An error of 0 before the failing
/// operation says that it would have passed, -2 after it that it was not reached.
const TRANSACTIONS: &str = "
# four kinds
created /multi
created /multi/e
created /multi/s-0000000001
created /multi/es-0000000002
# check, set, delete
CheckResult
set, version 1
set, version 2
DeleteResult
# node of the same transaction
created /multi/parent
created /multi/parent/child
DeleteResult
# bad version in the middle
failed BADVERSION
error 0
error -103
error -2
# no node first
failed NONODE
error -101
error -2
# node exists last
failed NODEEXISTS
error 0
error -110
# not empty
failed NOTEMPTY
error -111
# children of an ephemeral
failed NOCHILDRENFOREPHEMERALS
error 0
error -108
# nothing
data two
children [es-0000000002, parent, s-0000000001]
# reads
data two, version 2
children []
error -101
closed
";

fn transactions(reference: &Reference, server: &Server) -> TestResult {
    let lines = reference.multi_session(&server.connect_string())?.join("\n");
    assert_eq!(lines, TRANSACTIONS.trim());
    Ok(())
}

//! Frameworks that nobody here wrote run their recipes on a server of ours, and hear what they hear from the reference.

use std::fs;
use std::process::{Command, Stdio};

use menagerie_integration::TestResult;
use menagerie_integration::frameworks::{Curator, Kazoo};
use menagerie_integration::server::Server;
use menagerie_integration::software::Software;

#[test]
fn curator_cannot_tell_the_servers_apart() -> TestResult {
    let Some(curator) = Curator::find()? else { return Ok(()) };
    same_on_both("# members", |hosts| curator.session(hosts))
}

#[test]
fn kazoo_cannot_tell_the_servers_apart() -> TestResult {
    let Some(kazoo) = Kazoo::find()? else { return Ok(()) };
    same_on_both("# watches", |hosts| kazoo.session(hosts))
}

/// Two processes with Curator's mutex and two with our `Lock` take turns at one path.
#[test]
fn curators_mutex_and_our_lock_exclude_each_other() -> TestResult {
    const ROUNDS: usize = 50;
    let Some(curator) = Curator::find()? else { return Ok(()) };
    let server = Server::start(Software::menagerie()?)?;
    let hosts = server.connect_string();
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("number");
    fs::write(&file, "0")?;
    let theirs = [(); 2].map(|()| {
        let (curator, hosts, file) = (curator.clone(), hosts.clone(), file.clone());
        std::thread::spawn(move || curator.count(&hosts, "/lock", &file, ROUNDS))
    });
    let mut ours = Vec::new();
    for _ in 0..2 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lock_worker"));
        command.args(["count", &hosts, "/lock"]).arg(&file).arg(ROUNDS.to_string());
        ours.push(command.stdin(Stdio::null()).spawn()?);
    }
    for mut process in ours {
        assert!(process.wait()?.success());
    }
    for thread in theirs {
        thread.join().map_err(|_| "the thread of a Java process panicked")??;
    }
    assert_eq!(fs::read_to_string(&file)?, (4 * ROUNDS).to_string());
    Ok(())
}

/// Runs a session on each server. Both must come to its end, through the part titled `last`, and say the same.
fn same_on_both(last: &str, session: impl Fn(&str) -> std::io::Result<Vec<String>>) -> TestResult {
    let Some(reference) = Software::reference()? else { return Ok(()) };
    let expected = session(&Server::start(reference)?.connect_string())?;
    assert!(expected.iter().any(|line| line == last), "{expected:#?}");
    assert_eq!(expected.last().map(String::as_str), Some("closed"), "{expected:#?}");
    let said = session(&Server::start(Software::menagerie()?)?.connect_string())?;
    assert_eq!(said, expected);
    Ok(())
}

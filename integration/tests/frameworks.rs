//! Frameworks that nobody here wrote run their recipes on a server of ours, and hear what they hear from the reference.

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

//! Quotas: the same requests to the reference and to ours, and the same answers; and what is in use is right after a restart.

use menagerie_core::wire::OpCode;
use menagerie_core::wire::proto::{CreateRequest, MultiOp, MultiRequest, PathVersion, SetDataRequest};
use menagerie_integration::TestResult;
use menagerie_integration::probe::{Script, change, compare, creation};
use menagerie_integration::reference::Reference;
use menagerie_integration::server::Server;
use menagerie_integration::software::Software;

const ENFORCED: &[(&str, &str)] = &[("enforceQuota", "true")];

/// Makes a quota as the reference's shell does.
fn quota(steps: &mut Script, of: &str, limits: &'static str) -> TestResult {
    steps.create(&format!("/zookeeper/quota{of}"), "")?;
    steps.create(&format!("/zookeeper/quota{of}/zookeeper_limits"), limits)?;
    steps.create(&format!("/zookeeper/quota{of}/zookeeper_stats"), "count=-1,bytes=-1")?;
    steps.get(&format!("/zookeeper/quota{of}/zookeeper_stats"))
}

fn multi(steps: &mut Script, ops: Vec<MultiOp>) -> TestResult {
    steps.ask("multi", OpCode::Multi, &MultiRequest { ops })
}

fn in_use(steps: &mut Script) -> TestResult {
    steps.create("/p", "123")?;
    steps.create("/p/a", "12")?;
    quota(steps, "/p", "count=2,bytes=3=;byteHardLimit=20;countHardLimit=4")?;
    let stats = "/zookeeper/quota/p/zookeeper_stats";
    steps.create("/p/b", "1234")?;
    steps.get(stats)?;
    steps.set("/p/a", "")?;
    steps.get(stats)?;
    steps.create("/p/a/c", "c")?;
    steps.create("/p/a/d", "one too many")?;
    steps.get(stats)?;
    steps.delete("/p/b")?;
    steps.get(stats)?;
    steps.set("/p", "now there are more bytes than twenty")?;
    steps.set("/p", "just few enough")?;
    steps.get(stats)?;
    multi(
        steps,
        vec![
            MultiOp::SetData(change("/p/a", "1")),
            MultiOp::Create(OpCode::Create, creation("/p/x", "x")),
            MultiOp::Create(OpCode::Create, creation("/p/y", "y")),
        ],
    )?;
    steps.get(stats)?;
    multi(
        steps,
        vec![
            MultiOp::Delete(PathVersion { path: "/p/y".into(), version: -1 }),
            MultiOp::Create(OpCode::Create2, creation("/p/z", "")),
        ],
    )?;
    steps.get(stats)
}

#[test]
fn use_is_counted_and_limits_are_kept_as_by_the_reference() -> TestResult {
    let lines = compare(ENFORCED, in_use)?;
    let refused = lines.iter().filter(|line| line.contains("QuotaExceeded")).count();
    assert_eq!(refused, 3, "{lines:#?}");
    Ok(())
}

#[test]
fn without_enforcement_everything_is_counted_and_nothing_refused() -> TestResult {
    let lines = compare(&[], in_use)?;
    assert!(!lines.iter().any(|line| line.contains("QuotaExceeded")), "{lines:#?}");
    Ok(())
}

/// The errors that come before the quota's, and those that come after it.
#[test]
fn the_order_of_errors_is_the_references() -> TestResult {
    let lines = compare(ENFORCED, |steps| {
        steps.create("/p", "")?;
        steps.create("/p/a", "")?;
        quota(steps, "/p", "count=-1,bytes=-1=;byteHardLimit=1;countHardLimit=2")?;
        steps.create("/p/a", "")?;
        steps.create("/p/none/x", "")?;
        steps.create("/p/b", "")?;
        let stale = SetDataRequest { version: 7, ..change("/p/a", "too long") };
        steps.ask("stale", OpCode::SetData, &stale)?;
        steps.set("/p/none", "too long")?;
        let ephemeral = CreateRequest { flags: 1, ..creation("/p/e", "") };
        steps.ask("ephemeral", OpCode::Create, &ephemeral)?;
        let container = CreateRequest { flags: 4, ..creation("/p/c", "") };
        steps.ask("container", OpCode::CreateContainer, &container)?;
        let sequential = CreateRequest { flags: 2, ..creation("/p/s-", "") };
        steps.ask("sequential", OpCode::Create2, &sequential)
    })?;
    assert_eq!(lines.iter().filter(|line| line.contains("QuotaExceeded")).count(), 5, "{lines:#?}");
    Ok(())
}

/// Limits, and how many of three writes they refuse.
const FORMS: &[(&str, usize)] = &[
    ("", 0),
    ("count=1,bytes=1", 0),
    ("count=2,bytes=0=;countHardLimit=1", 2),
    ("byteHardLimit=2", 1),
    ("countHardLimit=2;byteHardLimit=-1,count=1", 1),
    ("countHardLimit=0", 2),
    ("many", 3),
];

#[test]
fn limits_of_every_form_mean_what_they_mean_to_the_reference() -> TestResult {
    let lines = compare(ENFORCED, |steps| {
        for (number, (limits, _)) in FORMS.iter().enumerate() {
            let path = format!("/p{number}");
            steps.create(&path, "")?;
            quota(steps, &path, limits)?;
            steps.create(&format!("{path}/a"), "12")?;
            steps.create(&format!("{path}/b"), "3")?;
            steps.set(&path, "")?;
            steps.get(&format!("/zookeeper/quota{path}/zookeeper_stats"))?;
        }
        Ok(())
    })?;
    for (number, (limits, refused)) in FORMS.iter().enumerate() {
        let of = |line: &&String| line.contains(&format!(" /p{number}")) && !line.contains(" Ok ");
        assert_eq!(lines.iter().filter(of).count(), *refused, "{limits}: {lines:#?}");
    }
    Ok(())
}

#[test]
fn nested_quotas_deleted_ones_and_limits_without_statistics() -> TestResult {
    compare(ENFORCED, |steps| {
        steps.create("/p", "1")?;
        steps.create("/p/a", "22")?;
        quota(steps, "/p", "count=9,bytes=9")?;
        quota(steps, "/p/a", "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=2")?;
        steps.create("/p/a/b", "333")?;
        steps.create("/p/a/c", "333")?;
        for stats in ["/zookeeper/quota/p/zookeeper_stats", "/zookeeper/quota/p/a/zookeeper_stats"] {
            steps.get(stats)?;
        }
        // The limits alone go: nothing is limited, and nothing is counted any more.
        steps.delete("/zookeeper/quota/p/a/zookeeper_limits")?;
        steps.create("/p/a/c", "333")?;
        for stats in ["/zookeeper/quota/p/zookeeper_stats", "/zookeeper/quota/p/a/zookeeper_stats"] {
            steps.get(stats)?;
        }
        // Limits without statistics limit nothing.
        steps.delete("/zookeeper/quota/p/zookeeper_stats")?;
        steps.create("/p/d", "")?;
        steps.create("/zookeeper/quota/p/zookeeper_stats", "")?;
        steps.get("/zookeeper/quota/p/zookeeper_stats")?;
        // The subtree goes, the quota stays, and counts what comes in its place.
        for path in ["/p/a/b", "/p/a/c", "/p/a", "/p/d", "/p"] {
            steps.delete(path)?;
        }
        steps.get("/zookeeper/quota/p/zookeeper_stats")?;
        steps.create("/p", "again")?;
        steps.get("/zookeeper/quota/p/zookeeper_stats")
    })?;
    Ok(())
}

/// Whoever recovers from a snapshot counts anew, and the digest has never known of it.
#[test]
fn use_is_right_after_a_restart_of_either_server_on_the_other_ones_data() -> TestResult {
    let Some(reference) = Software::reference()? else { return Ok(()) };
    let menagerie = Software::menagerie()?;
    for (first, second) in [(reference.clone(), menagerie.clone()), (menagerie, reference)] {
        let mut server = Server::start_with(first, ENFORCED)?;
        let mut steps = Script::new(&server)?;
        in_use(&mut steps)?;
        let before = steps.lines().last().ok_or("no line")?.clone();
        server.kill()?;
        server.start_again_as(second)?;
        let mut steps = Script::new(&server)?;
        steps.get("/zookeeper/quota/p/zookeeper_stats")?;
        let figures = |line: &str| line.split_once("Ok ").map(|(_, record)| record.to_owned());
        assert_eq!(figures(&steps.lines()[0]), figures(&before), "{}", server.log_end());
        assert!(!server.log().to_lowercase().contains("digest mismatch"), "{}", server.log_end());
        steps.create("/p/after", "the restart, and too long")?;
        assert!(steps.lines()[1].contains("QuotaExceeded"), "{:?}", steps.lines());
    }
    Ok(())
}

/// The shell reads the limits, writes both znodes itself, and shows what the server counted.
#[test]
fn the_references_shell_sets_lists_and_deletes_quotas_of_ours() -> TestResult {
    let Some(reference) = Reference::find()? else { return Ok(()) };
    let server = Server::start_with(Software::menagerie()?, ENFORCED)?;
    let shell = |words: &[&str]| reference.java_command(&server.connect_string(), words);
    let mut steps = Script::new(&server)?;
    steps.create("/p", "123")?;
    let set = shell(&["setquota", "-N", "2", "/p"])?;
    let listed = shell(&["listquota", "/p"])?;
    assert!(listed.contains("Output stat for /p count=1,bytes=3"), "{set}\n{listed}");
    assert!(listed.contains("countHardLimit=2"), "{listed}");
    steps.create("/p/a", "")?;
    steps.create("/p/b", "")?;
    assert!(steps.lines().last().is_some_and(|line| line.ends_with("QuotaExceeded")), "{:?}", steps.lines());
    let deleted = shell(&["delquota", "/p"])?;
    steps.create("/p/b", "")?;
    assert!(steps.lines().last().is_some_and(|line| line.contains(" Ok ")), "{deleted}\n{:?}", steps.lines());
    Ok(())
}

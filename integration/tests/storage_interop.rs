//! A large history that one software wrote is the same tree in the other, digest for digest, in both directions. It holds access
//! lists, containers, TTL znodes, ephemerals of a session that lives on, multis and failures.
//!
//! `MENAGERIE_ZNODES=100000` makes it large; the default is what a test can afford.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use menagerie_core::client::{Client, CreateOptions, Version};
use menagerie_core::wire::{Acl, CreateMode, Id, Perms};
use menagerie_integration::offline::{files, run, run_json};
use menagerie_integration::reference::Reference;
use menagerie_integration::server::Server;
use menagerie_integration::software::Software;
use menagerie_integration::walk::{Znode, differences, whole_tree};
use menagerie_integration::{TestResult, four_letter};
use serde_json::Value;

/// Long enough to walk the large tree twice with a debug build.
const SESSION: Duration = Duration::from_mins(10);
/// Creates in one multi.
const BATCH: usize = 100;
/// Transactions for each of them.
const BATCH_TXNS: usize = 7;

fn znodes() -> TestResult<usize> {
    Ok(std::env::var("MENAGERIE_ZNODES").map_or(Ok(500), |number| number.parse())?)
}

fn settings(snap_count: &str) -> [(&str, &str); 4] {
    [
        ("snapCount", snap_count),
        ("maxSessionTimeout", "600000"),
        ("extendedTypesEnabled", "true"),
        ("DigestAuthenticationProvider.superDigest", "super:D/InIHSb7yEEbrWz8b9l71RjZJU="),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_one_software_is_the_same_tree_in_the_other_and_back() -> TestResult {
    let Some(reference) = Software::reference()? else { return Ok(()) };
    let (ours, count) = (Software::menagerie()?, znodes()?);
    // Several snapshots, and logs between them.
    let snap_count = (count / BATCH * BATCH_TXNS / 4).max(10).to_string();
    let mut server = Server::start_with(reference.clone(), &settings(&snap_count))?;
    let session = Client::builder().hosts(server.connect_string()).session_timeout(SESSION).connect().await?;
    write(&session, "/reference", count).await?;
    let before = whole_tree(&session).await?;
    assert!(before.len() > count, "only {} znodes", before.len());
    wait_for_whole_snapshots(&server)?;
    server.stop()?;

    let digest = check_files(&server.data_dir(), count)?;
    let [by_ours, by_reference] = [
        first_snapshot(&ours, &server.data_dir(), &snap_count)?,
        first_snapshot(&reference, &server.data_dir(), &snap_count)?,
    ];
    let said = run(&["snapshot", "compare"], &[&by_ours.file, &by_reference.file])?;
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!((&by_ours.digest, &by_reference.digest), (&digest, &digest));
    println!("{} znodes, digest {digest}: {}", before.len(), said.out.trim());

    serve(&mut server, &ours, &session, &before).await?;
    write(&session, "/ours", count / 10).await?;
    let after = whole_tree(&session).await?;
    server.kill()?;
    check_files(&server.data_dir(), count)?;
    serve(&mut server, &reference, &session, &after).await?;
    let mntr = four_letter::ask(server.port(), "mntr")?;
    assert!(mntr.contains("zk_digest_mismatches_count\t0\n"), "{mntr}");
    assert!(!server.log().contains("not matching"), "{}", server.log_end());
    session.close().await?;
    Ok(())
}

/// The lines that the reference's own formatter prints of its snapshots and of ours, whatever their order.
#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_printed_as_the_reference_prints_it() -> TestResult {
    let Some(reference) = Reference::find()? else { return Ok(()) };
    for software in [Software::Reference(reference.clone()), Software::menagerie()?] {
        let mut server = Server::start_with(software, &settings("10"))?;
        let session = Client::builder().hosts(server.connect_string()).session_timeout(SESSION).connect().await?;
        write(&session, "/some", 5 * BATCH).await?;
        wait_for_whole_snapshots(&server)?;
        server.stop()?;
        let snapshots = files(&server.data_dir(), "snapshot.")?;
        assert!(snapshots.len() > 1, "{snapshots:?}");
        for file in snapshots {
            let said = run(&["snapshot", "dump", "--data"], &[&file])?;
            assert_eq!(said.code, 0, "{said:?}");
            let (ours, theirs) = (blocks(&said.out), blocks(&reference.format_snapshot(&file)?));
            let wrong = only_in_one(&ours, &theirs);
            assert!(wrong.is_empty(), "{}:\n{wrong}", file.display());
        }
    }
    Ok(())
}

/// The parts between the dashes, sorted, without blanks at the ends of lines and without the zone's spelling of times.
fn blocks(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.contains("time = "));
    let text = lines.map(str::trim_end).collect::<Vec<_>>().join("\n");
    let mut blocks: Vec<String> = text.split("----\n").map(|block| sorted_sessions(block.trim_end())).collect();
    blocks.sort();
    blocks
}

/// The blocks that only one of them has, sorted as they are; a few show what is wrong.
fn only_in_one(ours: &[String], theirs: &[String]) -> String {
    let missing_in = |one: &[String], other: &[String], name: &str| {
        let mut rest = other.to_vec();
        let mut only: Vec<String> = Vec::new();
        for block in one {
            match rest.binary_search(block) {
                Ok(at) => drop(rest.remove(at)),
                Err(_) => only.push(format!("only {name}:\n{block}\n")),
            }
        }
        only.truncate(3);
        only.concat()
    };
    missing_in(ours, theirs, "ours") + &missing_in(theirs, ours, "the reference's")
}

/// Waits until no snapshot is being written: the reference writes one beside its work, under its final name, and leaves half
/// of it when it is stopped meanwhile.
fn wait_for_whole_snapshots(server: &Server) -> TestResult {
    let deadline = Instant::now() + Duration::from_mins(1);
    let mut before = Vec::new();
    loop {
        let mut now = Vec::new();
        for file in files(&server.data_dir(), "snapshot.")? {
            now.push((file.metadata()?.len(), file));
        }
        let newest = now.last().map(|(_, file)| file.clone()).ok_or("no snapshot")?;
        // One may have been begun and not be there yet: the same files twice, some time apart.
        if now == before && run(&["snapshot", "verify"], &[&newest])?.code == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("{} is not whole after a minute", newest.display()).into());
        }
        before = now;
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// The reference prints sessions in the order of a hash table.
fn sorted_sessions(block: &str) -> String {
    let mut lines: Vec<&str> = block.lines().collect();
    if lines.first().is_some_and(|line| line.starts_with("Session Details")) {
        lines.sort_unstable();
    }
    lines.join("\n")
}

/// The offline tools find the files whole and every digest right. Returns the digest at the end.
fn check_files(data_dir: &Path, count: usize) -> TestResult<String> {
    let logs = run_json(&["log", "verify"], &[data_dir])?;
    let txns: u64 = logs.iter().filter_map(|file| file["txns"].as_u64()).sum();
    assert!(txns >= (count / BATCH) as u64, "{logs:?}");
    let said = run(&["snapshot", "verify", "--replay", "--json"], &[data_dir])?;
    let snapshots: Vec<Value> = said.out.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let mut digests: Vec<&Value> = snapshots.iter().map(|snapshot| &snapshot["digest"]).collect();
    digests.dedup();
    let [Value::String(digest)] = digests[..] else { return Err(format!("{snapshots:?}").into()) };
    let oldest = snapshots.first().ok_or("no snapshot")?;
    // A failed operation has a zxid and no digest.
    assert!(oldest["digestsCompared"].as_u64() > Some(txns * 9 / 10), "{oldest}");
    let wrong: Vec<&Value> = snapshots.iter().filter(|found| found["ok"] != true).collect();
    assert!(wrong.is_empty(), "{wrong:?} {}", said.err);
    println!("{txns} transactions in {} logs, {} snapshots; from the oldest: {oldest}", logs.len(), snapshots.len());
    Ok(digest.clone())
}

struct Snapshot {
    /// Keeps the directory.
    _server: Server,
    file: PathBuf,
    digest: String,
}

/// The snapshot that a software writes when it is given the logs alone.
fn first_snapshot(software: &Software, data_dir: &Path, snap_count: &str) -> TestResult<Snapshot> {
    let mut settings = settings(snap_count).to_vec();
    settings.push(("snapshot.trust.empty", "true"));
    let mut server = Server::start_from(software.clone(), &settings, &files(data_dir, "log.")?)?;
    server.stop()?;
    let file = files(&server.data_dir(), "snapshot.")?.pop().ok_or("no snapshot was written")?;
    let found = run_json(&["snapshot", "verify"], &[&file])?;
    let digest = found.first().and_then(|found| found["digest"].as_str()).ok_or("no digest")?.to_owned();
    Ok(Snapshot { _server: server, file, digest })
}

/// Starts a software on the directory: it serves the tree that was there, to the session that was open.
async fn serve(
    server: &mut Server,
    software: &Software,
    session: &Client,
    expected: &BTreeMap<String, Znode>,
) -> TestResult {
    let id = session.session_id();
    tokio::task::block_in_place(|| server.start_again_as(software.clone()))?;
    let found = loop {
        match whole_tree(session).await {
            Err(error) if error.is_connection_loss() => {}
            outcome => break outcome?,
        }
    };
    let differing = differences(expected, &found);
    let name = software.name();
    assert!(
        differing.is_empty(),
        "{name}: {} differ\n{}\n{}",
        differing.len(),
        differing[..1].join("\n"),
        server.log_end()
    );
    assert_eq!(session.session_id(), id, "the session was not resumed by {name}");
    Ok(())
}

/// Every kind of znode and of change, and `count` znodes made by multis.
async fn write(client: &Client, top: &str, count: usize) -> TestResult {
    client.add_auth("digest", "super:test").await?;
    client.create(top, "", CreateMode::Persistent).await?;
    let owner = Id::new("digest", "amos:V8mWYo1CX8UFWzfOSIlfhCpyo0k=");
    let own = vec![Acl { perms: Perms::ALL, id: owner }, Acl { perms: Perms::READ, id: Id::new("ip", "10.0.0.0/8") }];
    for batch in 0..count / BATCH {
        let folder = format!("{top}/{batch:05}");
        let mut multi = client.multi().create(&folder, "", CreateMode::Persistent);
        for number in 1..BATCH {
            let data = vec![number as u8; number % 40];
            let path = format!("{folder}/z-");
            multi = match number % 50 {
                0 => multi.create(&path, data, CreateOptions::from(CreateMode::PersistentSequential).acl(own.clone())),
                1 => multi.create(&path, data, CreateMode::EphemeralSequential),
                _ => multi.create(&path, data, CreateMode::PersistentSequential),
            };
        }
        multi = multi.set_data(&folder, "done", Version::Is(0)).check(&folder, Version::Is(1));
        multi.commit().await?;
        client.create(&format!("{folder}/container"), "", CreateMode::Container).await?;
        client.create(&format!("{folder}/container/child"), "", CreateMode::Persistent).await?;
        let ttl = CreateOptions::from(CreateMode::PersistentWithTtl).ttl(Duration::from_hours(24));
        client.create(&format!("{folder}/ttl"), "t", ttl).await?;
        client.set_acl(&format!("{folder}/ttl"), own.clone(), Version::Any).await?;
        client.delete(&format!("{folder}/z-0000000002"), Version::Any).await?;
        let failing = client.multi().delete(&folder, Version::Any).check(top, Version::Is(77)).commit().await;
        assert!(failing.is_err_and(|error| error.multi_failure().is_some()));
    }
    Ok(())
}

//! Members whose disk has failed them: wiped, far behind, with a torn log, with a damaged log, with a full disk. Each comes back to the
//! state of the others, or ends and says exactly why; the others serve on meanwhile.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use menagerie_core::client::{Client, Error};
use menagerie_core::wire::CreateMode;
use menagerie_integration::ensemble::{Ensemble, PATIENCE, Plan};
use menagerie_integration::software::Software;
use menagerie_integration::{LONG_SESSION, TestResult, requirement};

/// More transactions than the members keep in memory for learners that were away for a short while.
const MORE_THAN_THE_WINDOW: usize = 700;

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_member_is_given_everything() -> TestResult {
    let (mut ensemble, client) = three().await?;
    fill(&client, 50).await?;
    let lost = a_follower(&mut ensemble)?;
    ensemble.member_mut(lost).kill9()?;
    ensemble.member(lost).wipe()?;
    fill(&client, 50).await?;
    come_back(&mut ensemble, lost)?;
    assert_eq!(count(&client).await?, 100);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_leader_is_given_everything() -> TestResult {
    let (mut ensemble, client) = three().await?;
    fill(&client, 50).await?;
    let lost = ensemble.wait_for_leader()?;
    ensemble.member_mut(lost).kill9()?;
    ensemble.member(lost).wipe()?;
    // What it had acknowledged is on both of the others, or it was not acknowledged: one of them leads before it is back.
    ensemble.wait_for_leader()?;
    come_back(&mut ensemble, lost)?;
    assert_eq!(count(&client).await?, 50);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_was_away_for_a_moment_gets_what_it_missed() -> TestResult {
    let (mut ensemble, client) = three().await?;
    let lost = a_follower(&mut ensemble)?;
    ensemble.member_mut(lost).kill9()?;
    fill(&client, 50).await?;
    come_back(&mut ensemble, lost)?;
    let leader = ensemble.wait_for_leader()?;
    assert!(ensemble.member(leader).log().contains("plan=Diff"), "{}", ensemble.log_ends());
    assert_eq!(count(&client).await?, 50);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_far_behind_the_window_and_the_logs_that_are_kept_is_given_a_snapshot() -> TestResult {
    let (mut ensemble, client) = three().await?;
    fill(&client, 50).await?;
    let lost = a_follower(&mut ensemble)?;
    ensemble.member_mut(lost).kill9()?;
    let others: Vec<i64> = ensemble.ids().into_iter().filter(|id| *id != lost).collect();
    let mut fills = 0;
    // A snapshot is not begun while another is being written: how many there are depends on the machine.
    while fills < 3 || others.iter().any(|id| files(&ensemble, *id, "snapshot.").map_or(0, |found| found.len()) < 6) {
        fill(&client, MORE_THAN_THE_WINDOW).await?;
        fills += 1;
        assert!(fills < 100, "no snapshots are written\n{}", ensemble.log_ends());
    }
    // As they start, the others remove the logs that no snapshot they keep needs.
    for id in others {
        let oldest = files(&ensemble, id, "log.")?.into_iter().next().ok_or("no log")?;
        ensemble.member_mut(id).terminate()?;
        ensemble.member_mut(id).start()?;
        ensemble.wait_until_it_serves(id)?;
        ensemble.wait("no log is removed", |_| (!oldest.exists()).then_some(()))?;
    }
    come_back(&mut ensemble, lost)?;
    let leader = ensemble.wait_for_leader()?;
    assert!(ensemble.member(leader).log().contains("plan=Snap"), "{}", ensemble.log_ends());
    assert_eq!(count(&client).await?, 50 + fills * MORE_THAN_THE_WINDOW);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_with_a_torn_log_gets_what_it_lost() -> TestResult {
    let (mut ensemble, client) = three().await?;
    fill(&client, 50).await?;
    let lost = a_follower(&mut ensemble)?;
    ensemble.member_mut(lost).kill9()?;
    let log = newest_log(&ensemble, lost)?;
    let written = written(&log)?;
    File::options().write(true).open(&log)?.set_len(written - 7)?;
    fill(&client, 50).await?;
    come_back(&mut ensemble, lost)?;
    assert_eq!(count(&client).await?, 100);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_with_a_damaged_log_says_where_and_the_others_serve_on() -> TestResult {
    let (mut ensemble, client) = three().await?;
    fill(&client, 50).await?;
    let lost = a_follower(&mut ensemble)?;
    ensemble.member_mut(lost).kill9()?;
    let log = newest_log(&ensemble, lost)?;
    let mut bytes = fs::read(&log)?;
    let middle = usize::try_from(written(&log)? / 2)?;
    bytes[middle] ^= 0x55;
    fs::write(&log, bytes)?;
    let before = ensemble.member(lost).log().len();
    ensemble.member_mut(lost).start()?;
    let status = ensemble.member_mut(lost).wait_for_end(PATIENCE)?;
    let says = ensemble.member(lost).log()[before..].to_owned();
    assert!(!status.success());
    let name = log.file_name().unwrap_or_default().to_string_lossy().into_owned();
    assert!(says.contains(&name) && says.contains("byte "), "it names no place:\n{says}");
    fill(&client, 50).await?;
    // What the operator does then.
    ensemble.member(lost).wipe()?;
    come_back(&mut ensemble, lost)?;
    assert_eq!(count(&client).await?, 100);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_whose_disk_is_full_ends_and_comes_back() -> TestResult {
    disk_full(1).await
}

/// On empty disks the highest number leads.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_disk_is_full_ends_and_comes_back() -> TestResult {
    disk_full(3).await
}

async fn disk_full(lost: i64) -> TestResult {
    // It goes after the ensemble: a file system can be taken away only when nobody uses it.
    let Some(disk) = SmallDisk::mount()? else { return Ok(()) };
    let mut ensemble = plan()?.prepare()?;
    std::os::unix::fs::symlink(disk.0.path(), ensemble.member(lost).version_dir())?;
    fill_disk(&mut ensemble, &disk, lost).await
}

async fn fill_disk(ensemble: &mut Ensemble, disk: &SmallDisk, lost: i64) -> TestResult {
    ensemble.start_all()?;
    let leader = ensemble.wait_until_all_serve()?;
    assert_eq!(leader == lost, lost == 3, "on empty disks the highest number leads");
    let client = connect(ensemble).await?;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let (mut acknowledged, mut asked) = (0, 0);
    let status = loop {
        let batch = 100;
        asked += batch;
        acknowledged += write(&client, batch).await?;
        if let Some(status) = ensemble.member_mut(lost).ended()? {
            break status;
        }
        assert!(tokio::time::Instant::now() < deadline, "it runs on a full disk\n{}", ensemble.log_ends());
    };
    assert!(!status.success(), "{status}");
    let says = ensemble.member(lost).log();
    assert!(says.contains("No space left on device") && says.contains("version-2"), "{says}");
    let others = ensemble.wait_for_leader()?;
    assert_ne!(others, lost);
    fill(&client, 100).await?;
    disk.grow()?;
    come_back(ensemble, lost)?;
    let there = count(&client).await?;
    assert!((acknowledged + 100..=asked + 100).contains(&there), "{acknowledged} of {asked} and 100, but {there}");
    Ok(())
}

fn plan() -> TestResult<Plan> {
    let ours = Software::menagerie()?;
    let plan = Plan::of(&[ours.clone(), ours.clone(), ours])?.set("snapCount", "300").set("preAllocSize", "64");
    Ok(plan.set("autopurge.purgeInterval", "1").set("autopurge.snapRetainCount", "3"))
}

async fn three() -> TestResult<(Ensemble, Client)> {
    let plan = plan()?;
    let ensemble = tokio::task::block_in_place(|| plan.start())?;
    let client = connect(&ensemble).await?;
    Ok((ensemble, client))
}

async fn connect(ensemble: &Ensemble) -> TestResult<Client> {
    let client = Client::builder().hosts(ensemble.connect_string()).session_timeout(LONG_SESSION).connect().await?;
    client.create("/all", "", CreateMode::Persistent).await?;
    Ok(client)
}

fn a_follower(ensemble: &mut Ensemble) -> TestResult<i64> {
    let leader = ensemble.wait_for_leader()?;
    ensemble.ids().into_iter().find(|id| *id != leader).ok_or_else(|| "there is but one".into())
}

/// Starts it, and all must have the same state then.
fn come_back(ensemble: &mut Ensemble, lost: i64) -> TestResult {
    ensemble.member_mut(lost).start()?;
    ensemble.wait_until_it_serves(lost)?;
    ensemble.wait_until_all_serve()?;
    ensemble.wait_until_they_agree()?;
    Ok(())
}

/// Makes so many znodes of a kilobyte, and waits until the server has that many more, whatever becomes of connections.
async fn fill(client: &Client, znodes: usize) -> TestResult {
    let mut missing = znodes;
    let before = count(client).await?;
    while missing > 0 {
        write(client, missing).await?;
        missing = (before + znodes).saturating_sub(count(client).await?);
    }
    Ok(())
}

/// Asks for so many znodes at once, and returns how many were acknowledged.
async fn write(client: &Client, znodes: usize) -> TestResult<usize> {
    let calls: Vec<_> =
        (0..znodes).map(|_| client.create("/all/n-", vec![b'x'; 1000], CreateMode::PersistentSequential)).collect();
    let mut acknowledged = 0;
    for call in calls {
        match call.await {
            Ok(_) => acknowledged += 1,
            Err(error) if error.is_connection_loss() || error.may_have_applied() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(acknowledged)
}

/// How many znodes there are, by the word of the leader.
async fn count(client: &Client) -> TestResult<usize> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let counted = async {
            client.sync("/").await?;
            client.get_children("/all").await
        };
        let counted: Result<Vec<String>, Error> = counted.await;
        match counted {
            Ok(names) => return Ok(names.len()),
            Err(error) if error.is_connection_loss() && tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Its files of one kind, oldest first.
fn files(ensemble: &Ensemble, id: i64, prefix: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(ensemble.member(id).version_dir())? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(zxid) = name.strip_prefix(prefix).and_then(|zxid| u64::from_str_radix(zxid, 16).ok()) {
            found.push((zxid, path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

fn newest_log(ensemble: &Ensemble, id: i64) -> TestResult<PathBuf> {
    files(ensemble, id, "log.")?.pop().ok_or_else(|| "it has no log".into())
}

/// Where the last entry of a log ends: what follows are zeros.
fn written(log: &Path) -> TestResult<u64> {
    let bytes = fs::read(log)?;
    let last = bytes.iter().rposition(|byte| *byte != 0).ok_or("an empty log")?;
    Ok(u64::try_from(last + 1)?)
}

/// A file system of a megabyte, in memory.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` after saying that the test is skipped, where nothing may be mounted.
    fn mount() -> TestResult<Option<Self>> {
        let at = tempfile::Builder::new().prefix("menagerie-disk-").tempdir()?;
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(at.path()).output()?;
        if output.status.success() {
            return Ok(Some(SmallDisk(at)));
        }
        let why = format!("nothing can be mounted: {}", String::from_utf8_lossy(&output.stderr));
        Ok(requirement::absent("mount", &why).map(|()| None)?)
    }

    fn grow(&self) -> TestResult {
        let status = Command::new("mount").args(["-o", "remount,size=64m"]).arg(self.0.path()).status()?;
        if status.success() { Ok(()) } else { Err(format!("remount: {status}").into()) }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Nothing more can be done about one that stays.
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

//! A member is brought up to date by a leader of the other kind, in each way and both directions; sessions go from one kind to the
//! other; and `reconfig` adds ours and removes theirs until none of theirs is left.

use std::fs;
use std::time::Duration;

use menagerie_core::client::{Client, Reconfig, Version};
use menagerie_core::wire::CreateMode;
use menagerie_integration::ensemble::{Ensemble, Member, Plan, Role};
use menagerie_integration::pairing::{Both, PAIRINGS, Pairing, letter};
use menagerie_integration::{LONG_SESSION, TestResult};
use tokio::task::block_in_place;

/// One ensemble at a time: each is several processes.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// How a member was brought up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sync {
    Diff,
    Trunc,
    Snap,
}

#[tokio::test(flavor = "multi_thread")]
async fn theirs_is_brought_up_to_date_by_ours() -> TestResult {
    behind_and_wiped(&PAIRINGS[0]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ours_is_brought_up_to_date_by_theirs() -> TestResult {
    behind_and_wiped(&PAIRINGS[1]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ours_cuts_off_what_theirs_never_committed() -> TestResult {
    cut_off(&PAIRINGS[0]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn theirs_cuts_off_what_ours_never_committed() -> TestResult {
    cut_off(&PAIRINGS[3]).await
}

/// A short absence is made good by DIFF, an empty directory by SNAP.
async fn behind_and_wiped(pairing: &Pairing) -> TestResult {
    let Some(both) = Both::find()? else { return Ok(()) };
    let _turn = TURN.lock().await;
    let mut ensemble = block_in_place(|| pairing.start(pairing.plan(&both)?))?;
    let learner = pairing.speaker(&ensemble)?;
    let client = connect(&ensemble, &ensemble.ids()).await?;
    client.create("/node", "", CreateMode::Persistent).await?;
    write(&client, 10).await?;
    for (wiped, expected) in [(false, Sync::Diff), (true, Sync::Snap)] {
        block_in_place(|| ensemble.member_mut(learner).terminate())?;
        if wiped {
            ensemble.member(learner).wipe()?;
            // More than leaders keep at hand; what they do keep is sent to an empty member as well.
            write(&client, 600).await?;
        }
        write(&client, 10).await?;
        let how = come_back(&mut ensemble, learner)?;
        assert_eq!(how, expected, "{}, wiped: {wiped}", pairing.name());
        // Every 128th transaction is remembered with its digest.
        write(&client, 130).await?;
        block_in_place(|| ensemble.wait_until_they_agree())?;
    }
    Ok(())
}

/// More than a leader of ours keeps in memory, and less than a snapshot is worth.
#[tokio::test(flavor = "multi_thread")]
async fn theirs_far_behind_is_sent_the_log_that_ours_has_on_disk() -> TestResult {
    let Some(both) = Both::find()? else { return Ok(()) };
    let _turn = TURN.lock().await;
    let pairing = &PAIRINGS[0];
    let mut ensemble = block_in_place(|| pairing.start(pairing.plan(&both)?.set("snapshotSizeFactor", "100000")))?;
    let learner = pairing.speaker(&ensemble)?;
    let leader = block_in_place(|| ensemble.wait_for_leader())?;
    let client = connect(&ensemble, &ensemble.ids()).await?;
    client.create("/node", "", CreateMode::Persistent).await?;
    write(&client, 10).await?;
    block_in_place(|| ensemble.member_mut(learner).terminate())?;
    write(&client, 2_000).await?;
    assert_eq!(come_back(&mut ensemble, learner)?, Sync::Diff);
    assert!(
        ensemble.member(leader).log().contains("brought up to date from the log on disk"),
        "{}",
        ensemble.log_ends()
    );
    // Every 128th transaction is remembered with its digest.
    write(&client, 130).await?;
    block_in_place(|| ensemble.wait_until_they_agree())?;
    Ok(())
}

/// The leader logs what no other has, and dies. Others go on without it, and it has to forget.
async fn cut_off(pairing: &Pairing) -> TestResult {
    let Some(both) = Both::find()? else { return Ok(()) };
    let _turn = TURN.lock().await;
    // A leader waits so long for followers that are silent.
    let mut ensemble = block_in_place(|| pairing.start(pairing.plan(&both)?.set("syncLimit", "100")))?;
    let old = ensemble.wait_for_leader()?;
    let followers: Vec<i64> = ensemble.ids().into_iter().filter(|id| *id != old).collect();
    let client = connect(&ensemble, &[old]).await?;
    client.create("/node", "", CreateMode::Persistent).await?;
    write(&client, 10).await?;
    for id in &followers {
        ensemble.member(*id).pause()?;
    }
    let lost = client.create("/uncommitted", "", CreateMode::Persistent);
    block_in_place(|| ensemble.wait("the leader does not log it", |it| has_logged(it.member(old), "/uncommitted")))?;
    ensemble.member_mut(old).kill9()?;
    for id in &followers {
        // What waits in its sockets goes with it: nobody else ever reads the proposal.
        ensemble.member_mut(*id).kill9()?;
        ensemble.member_mut(*id).start()?;
    }
    drop(lost);
    let new = block_in_place(|| ensemble.wait_until_all_serve())?;
    assert_ne!(letter(ensemble.member(new)), letter(ensemble.member(old)), "{}", pairing.name());
    if letter(ensemble.member(new)) == 'o' {
        // Ours cuts off and goes on from there; Apache's leader would send a snapshot, once there is a transaction of its own.
        let others = connect(&ensemble, &followers).await?;
        write(&others, 5).await?;
    }
    assert_eq!(come_back(&mut ensemble, old)?, Sync::Trunc, "{}", pairing.name());
    let there = connect(&ensemble, &[old]).await?;
    there.sync("/").await?;
    assert_eq!(there.exists("/uncommitted").await?, None, "{}", pairing.name());
    write(&there, 130).await?;
    block_in_place(|| ensemble.wait_until_they_agree())?;
    Ok(())
}

fn has_logged(member: &Member, text: &str) -> Option<()> {
    let entries = fs::read_dir(member.version_dir()).ok()?;
    let files = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("log."));
    let mut logs = files.filter_map(|entry| fs::read(entry.path()).ok());
    logs.any(|log| log.windows(text.len()).any(|window| window == text.as_bytes())).then_some(())
}

/// Starts a member, waits until it serves, and tells how it was brought up to date: ours says so in its log, as learner or as leader.
fn come_back(ensemble: &mut Ensemble, id: i64) -> TestResult<Sync> {
    block_in_place(|| {
        let leader = ensemble.wait_for_leader()?;
        let witness = if letter(ensemble.member(id)) == 'o' { id } else { leader };
        let before = ensemble.member(witness).log().len();
        ensemble.member_mut(id).start()?;
        ensemble.wait_until_it_serves(id)?;
        ensemble.wait_until_all_serve()?;
        assert_eq!(ensemble.leader(), Some(leader), "the leader has changed meanwhile");
        let log = ensemble.member(witness).log();
        let log = log.get(before..).unwrap_or_default();
        let said = |words: [&str; 2]| words.iter().any(|words| log.contains(words));
        if said(["putting the leader's snapshot in place", "plan=Snap"]) {
            Ok(Sync::Snap)
        } else if said(["removing what the leader does not have", "plan=Trunc"]) {
            Ok(Sync::Trunc)
        } else {
            Ok(Sync::Diff)
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_one_kind_goes_on_with_the_other() -> TestResult {
    let Some(both) = Both::find()? else { return Ok(()) };
    let _turn = TURN.lock().await;
    for pairing in [PAIRINGS[0], PAIRINGS[3]] {
        let mut ensemble = block_in_place(|| pairing.start(pairing.plan(&both)?))?;
        let leader = ensemble.wait_for_leader()?;
        let (follower, other) = (pairing.speaker(&ensemble)?, leader);
        for (from, to) in [(follower, other), (other, follower)] {
            let path = format!("/from-{from}");
            let first = connect(&ensemble, &[from]).await?;
            let session = first.session_id();
            first.create(&path, "", CreateMode::Ephemeral).await?;
            let credentials = first.detach().await?;
            let hosts = ensemble.connect_string_of(&[to]);
            let second =
                Client::builder().hosts(hosts).session_timeout(LONG_SESSION).resume(credentials).connect().await?;
            assert_eq!(second.session_id(), session, "{}: {from} to {to}", pairing.name());
            let owner = second.exists(&path).await?.map(|stat| stat.ephemeral_owner);
            assert_eq!(owner, Some(session), "{}: {from} to {to}", pairing.name());
            // What it holds is seen by all, and goes when it is closed on the other kind.
            second.close().await?;
            let last = connect(&ensemble, &[from]).await?;
            last.sync("/").await?;
            assert_eq!(last.exists(&path).await?, None, "{}: {from} to {to}", pairing.name());
            last.close().await?;
        }
    }
    Ok(())
}

/// A session survives the loss of the leader of either kind, and so does what it holds.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_survives_a_leader_of_the_other_kind() -> TestResult {
    let Some(both) = Both::find()? else { return Ok(()) };
    let _turn = TURN.lock().await;
    for pairing in [PAIRINGS[2], PAIRINGS[1]] {
        let mut ensemble = block_in_place(|| pairing.start(pairing.plan(&both)?))?;
        let leader = ensemble.wait_for_leader()?;
        let client = connect(&ensemble, &ensemble.ids()).await?;
        let session = client.session_id();
        client.create("/held", "", CreateMode::Ephemeral).await?;
        ensemble.member_mut(leader).kill9()?;
        block_in_place(|| ensemble.wait_for_leader())?;
        let mut states = client.states();
        tokio::time::timeout(Duration::from_mins(2), states.wait_for(menagerie_core::client::State::is_connected))
            .await?;
        let owner = client.exists("/held").await?.map(|stat| stat.ephemeral_owner);
        assert_eq!((client.session_id(), owner), (session, Some(session)), "{}", pairing.name());
        client.close().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn reconfig_adds_ours_and_removes_theirs() -> TestResult {
    let Some(both) = Both::find()? else { return Ok(()) };
    let _turn = TURN.lock().await;
    let plan = Plan::of(&[both.theirs.clone(), both.theirs.clone(), both.theirs.clone()])?.dynamic();
    let mut ensemble = block_in_place(|| plan.start())?;
    let client = connect(&ensemble, &ensemble.ids()).await?;
    client.create("/node", "kept", CreateMode::Persistent).await?;
    let leader = block_in_place(|| ensemble.wait_for_leader())?;
    let mut theirs = ensemble.ids();
    theirs.sort_by_key(|id| (*id == leader, *id));
    for old in theirs {
        let new = ensemble.add(both.ours.clone(), Role::Participant)?;
        ensemble.member_mut(new).start()?;
        let member = ensemble.member(new).place().dynamic_value().parse()?;
        let running: Vec<i64> =
            ensemble.members().iter().filter(|it| it.pid().is_some()).map(|it| it.place().id).collect();
        let client = connect(&ensemble, &running).await?;
        client.reconfigure(&Reconfig::incremental().join(new, member)).await?;
        block_in_place(|| ensemble.wait_until_it_serves(new))?;
        client.reconfigure(&Reconfig::incremental().leave(old)).await?;
        block_in_place(|| ensemble.member_mut(old).terminate())?;
        block_in_place(|| ensemble.wait_until_all_serve())?;
        client.close().await?;
    }
    let ours: Vec<i64> = ensemble.members().iter().filter(|it| it.pid().is_some()).map(|it| it.place().id).collect();
    assert!(ours.iter().all(|id| letter(ensemble.member(*id)) == 'o') && ours.len() == 3, "{ours:?}");
    let client = connect(&ensemble, &ours).await?;
    let (members, _) = client.config().await?;
    assert_eq!(members.members.keys().copied().collect::<Vec<_>>(), ours);
    let (data, _) = client.get_data("/node").await?;
    assert_eq!(data.as_ref(), b"kept");
    write(&client, 130).await?;
    block_in_place(|| ensemble.wait_until_they_agree())?;
    Ok(())
}

async fn connect(ensemble: &Ensemble, ids: &[i64]) -> TestResult<Client> {
    let hosts = ensemble.connect_string_of(ids);
    Ok(Client::builder().hosts(hosts).session_timeout(LONG_SESSION).connect().await?)
}

/// Writes one after the other. A connection that is lost while members come and go is no failure: it is tried again.
async fn write(client: &Client, count: usize) -> TestResult {
    for _ in 0..count {
        while let Err(error) = client.set_data("/node", "kept", Version::Any).await {
            if !error.is_connection_loss() && !error.may_have_applied() {
                return Err(error.into());
            }
        }
    }
    Ok(())
}

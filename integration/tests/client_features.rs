//! What the client offers beyond single operations, against our server and the reference with the same assertions: chroots, access lists,
//! watches that stay, sessions that go on elsewhere, ends that are told late.

use std::time::{Duration, Instant};

use menagerie_core::client::{
    AddWatchMode, Client, CreateOptions, Ensemble, EventKind, MultiOutcome, MultiReadOutcome, Reconfig,
    SessionCredentials, State, Version,
};
use menagerie_core::wire::{Acl, CreateMode, ErrorCode, Id, Perms, Zxid};
use menagerie_integration::server::Server;
use menagerie_integration::software::Software;
use menagerie_integration::{TestResult, four_letter};

/// Longer than a restart takes on any machine.
const SESSION: Duration = Duration::from_mins(2);
/// Longer than a whole test takes on any machine: a watch that is never told fails it then.
const PATIENCE: Duration = Duration::from_mins(5);
const SETTINGS: &[(&str, &str)] = &[("maxSessionTimeout", "120000")];

/// Runs a test body against both softwares.
macro_rules! against_both {
    ($($ours:ident $reference:ident $body:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $ours() -> TestResult {
            let server = Server::start_with(Software::menagerie()?, SETTINGS)?;
            tokio::time::timeout(PATIENCE, $body(server)).await?
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn $reference() -> TestResult {
            let Some(reference) = Software::reference()? else { return Ok(()) };
            let server = Server::start_with(reference, SETTINGS)?;
            tokio::time::timeout(PATIENCE, $body(server)).await?
        }
    )*};
}

against_both! {
    a_chroot_is_all_a_client_sees_of_menagerie a_chroot_is_all_a_client_sees_of_the_reference chroot
    credentials_hold_over_a_restart_of_menagerie credentials_hold_over_a_restart_of_the_reference credentials
    watches_that_stay_tell_their_gaps_with_menagerie watches_that_stay_tell_their_gaps_with_the_reference watches
    a_session_is_resumed_with_menagerie a_session_is_resumed_with_the_reference resumption
    a_late_end_is_told_to_menagerie a_late_end_is_told_to_the_reference late_end
    transactions_and_configurations_of_menagerie transactions_and_configurations_of_the_reference outcomes
}

async fn connect(server: &Server, chroot: &str) -> TestResult<Client> {
    let hosts = server.connect_string() + chroot;
    Ok(Client::builder().hosts(hosts).session_timeout(SESSION).connect().await?)
}

fn restart(server: &mut Server) -> TestResult {
    tokio::task::block_in_place(|| {
        server.kill()?;
        server.start_again()
    })?;
    Ok(())
}

async fn chroot(mut server: Server) -> TestResult {
    let whole = connect(&server, "").await?;
    whole.create("/app", "", CreateMode::Persistent).await?;
    whole.create("/apple", "", CreateMode::Persistent).await?;
    let app = connect(&server, "/app").await?;
    app.create("/dir", "", CreateMode::Persistent).await?;
    let numbered = app.create("/dir/n-", "", CreateMode::EphemeralSequential).await?.path;
    assert_eq!(numbered, "/dir/n-0000000000");
    app.whole_tree().create("/apple/e", "", CreateMode::Ephemeral).await?;
    app.create("/e", "", CreateMode::Ephemeral).await?;
    let mut ephemerals = app.get_ephemerals("/").await?;
    ephemerals.sort();
    assert_eq!(ephemerals, ["/dir/n-0000000000", "/e"]);
    assert_eq!(app.get_ephemerals("/dir/").await?, [numbered.as_str()]);
    assert_eq!(app.get_all_children_number("/").await?, 3);

    let made = app.multi().create("/dir/m-", "", CreateMode::PersistentSequential).check("/dir", 0).commit().await?;
    let MultiOutcome::Created { path, .. } = &made[0] else { return Err(format!("{made:?}").into()) };
    assert_eq!(path, "/dir/m-0000000001");
    let read = app.multi_read().get_children("/dir").get_data("/none").commit().await?;
    assert!(matches!(&read[0], Ok(MultiReadOutcome::Children { children }) if children.len() == 2));
    assert!(read[1].as_ref().is_err_and(menagerie_core::client::Error::is_no_node));
    let mut walk = app.walk("/");
    let mut walked = Vec::new();
    while let Some(node) = walk.next().await.transpose()? {
        walked.push(node.path);
    }
    assert_eq!(walked, ["/", "/dir", "/dir/m-0000000001", "/dir/n-0000000000", "/e"]);

    // One-shot, persistent and recursive watches, before and after they were set again on another connection.
    let (_, _, data) = app.get_data_and_watch("/dir").await?;
    let (_, missing) = app.exists_and_watch("/missing").await?;
    let (_, _, children) = app.get_children_and_watch("/dir").await?;
    let mut below = app.watch("/", AddWatchMode::PersistentRecursive).await?;
    restart(&mut server)?;
    let resynced = below.next().await.ok_or("the stream has ended")?;
    assert_eq!((resynced.kind, resynced.path.as_str()), (EventKind::Resynced, "/"));
    whole.set_data("/app/dir", "x", Version::Any).await?;
    whole.create("/app/missing", "", CreateMode::Persistent).await?;
    whole.create("/app/dir/new", "", CreateMode::Persistent).await?;
    let told = [data.changed().await, missing.changed().await, children.changed().await];
    let told = told.map(|event| (event.kind, event.path));
    let expected = [
        (EventKind::NodeDataChanged, "/dir"),
        (EventKind::NodeCreated, "/missing"),
        (EventKind::NodeChildrenChanged, "/dir"),
    ];
    assert_eq!(told, expected.map(|(kind, path)| (kind, path.to_owned())));
    let event = below.next().await.ok_or("the stream has ended")?;
    assert_eq!((event.kind, event.path.as_str()), (EventKind::NodeDataChanged, "/dir"));
    Ok(())
}

async fn credentials(mut server: Server) -> TestResult {
    let owner = connect(&server, "").await?;
    owner.add_auth("digest", "bob:secret").await?;
    let acl = CreateOptions::default().acl(Acl::creator_all());
    owner.create("/private", "x", acl).await?;
    assert_eq!(owner.get_acl("/private").await?.0, [Acl::digest(Perms::ALL, "bob:secret")]);
    let shared = vec![Acl::digest(Perms::READ | Perms::ADMIN, "bob:secret"), Acl::digest(Perms::READ, "eve:other")];
    owner.create("/shared", "y", CreateOptions::default().acl(shared.clone())).await?;
    let who = owner.who_am_i().await?;
    assert!(who.iter().any(|identity| (identity.auth_scheme.as_str(), identity.user.as_str()) == ("digest", "bob")));

    let eve = Client::builder().hosts(server.connect_string()).auth("digest", "eve:other").connect().await?;
    assert_eq!(eve.get_data("/private").await.err().and_then(|error| error.code()), Some(ErrorCode::NoAuth));
    assert_eq!(eve.get_data("/shared").await?.0, "y");
    eve.close().await?;

    restart(&mut server)?;
    assert_eq!(owner.get_data("/private").await?.0, "x", "the credentials are presented again");
    assert_eq!(owner.get_acl("/shared").await?.0, shared);

    let doubtful = connect(&server, "").await?;
    let (_, watch) = doubtful.exists_and_watch("/a").await?;
    assert!(doubtful.add_auth("nonsense", "x").await.is_err_and(|error| error.is_auth_failed()));
    assert_eq!(doubtful.state(), State::AuthFailed);
    assert!(doubtful.get_data("/shared").await.is_err_and(|error| error.is_auth_failed()));
    assert_eq!(watch.changed().await.kind, EventKind::AuthFailed);
    Ok(())
}

async fn watches(mut server: Server) -> TestResult {
    let client = connect(&server, "").await?;
    client.create("/a", "", CreateMode::Persistent).await?;
    let mut node = client.watch("/a", AddWatchMode::Persistent).await?;
    let mut below = client.watch("/a", AddWatchMode::PersistentRecursive).await?;
    // One mode for each path and session: the later one is the server's. Both streams hear of it.
    client.set_data("/a", "1", Version::Any).await?;
    for watch in [&mut node, &mut below] {
        assert_eq!(watch.next().await.map(|event| event.kind), Some(EventKind::NodeDataChanged));
    }
    drop(node);
    client.create("/a/b", "", CreateMode::Persistent).await?;
    client.sync("/").await?;
    restart(&mut server)?;
    client.set_data("/a/b", "2", Version::Any).await?;
    let mut told = Vec::new();
    while told.last() != Some(&EventKind::NodeDataChanged) {
        told.push(below.next().await.ok_or("the stream has ended")?.kind);
    }
    assert_eq!(told.iter().filter(|kind| **kind == EventKind::Resynced).count(), 1, "{told:?}");
    drop(below);
    client.sync("/").await?;
    let watched = tokio::task::block_in_place(|| four_letter::ask(server.port(), "wchs"))?;
    assert!(watched.contains("Total watches:0"), "dropped watches are removed: {watched}");
    Ok(())
}

/// The session of a process that ended without closing it: its runtime goes, and nothing is said to the server.
fn abandoned_session(hosts: &str) -> TestResult<SessionCredentials> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::builder().hosts(hosts).session_timeout(SESSION).connect().await?;
        client.create("/here", "", CreateMode::Ephemeral).await?;
        client.session().ok_or_else(|| "no session".into())
    })
}

async fn resumption(server: Server) -> TestResult {
    let hosts = server.connect_string();
    let kept = tokio::task::block_in_place(|| abandoned_session(&hosts))?;
    assert!(kept.last_zxid > Zxid::ZERO);

    let resumed = Client::resume(&hosts, kept).await?;
    assert_eq!(resumed.session_id(), kept.id);
    let here = resumed.exists("/here").await?.ok_or("the ephemeral znode is gone")?;
    assert_eq!(here.ephemeral_owner, kept.id);
    let impostor = Client::resume(&hosts, SessionCredentials { password: [0; 16], ..kept }).await;
    assert!(impostor.is_err_and(|error| error.is_session_expired()), "a wrong password");

    // A server that is behind what was seen is no server for this client.
    let ahead = SessionCredentials { last_zxid: Zxid(kept.last_zxid.0 + (1 << 40)), ..kept };
    let ahead = Client::builder().hosts(&hosts).resume(ahead).connect_timeout(Duration::from_secs(1)).connect().await;
    assert!(ahead.is_err_and(|error| error.is_timeout()));

    let other = connect(&server, "").await?;
    // Each client of a session must end before the next one has it, or they take it from each other.
    let kept = resumed.detach().await?;
    let resumed = Client::resume(&hosts, kept).await?;
    resumed.close().await?;
    assert!(other.exists("/here").await?.is_none());
    assert!(Client::resume(&hosts, kept).await.is_err_and(|error| error.is_session_expired()));
    Ok(())
}

async fn late_end(mut server: Server) -> TestResult {
    let client = connect(&server, "").await?;
    client.create("/here", "", CreateMode::Ephemeral).await?;
    let began = Instant::now();
    server.kill()?;
    client.states().wait_for(|state| state == State::Suspended).await;
    let closed = client.close().await;
    assert!(closed.is_err_and(|error| error.is_connection_loss()), "no server was told");
    drop(client);
    tokio::task::block_in_place(|| server.start_again())?;
    let other = connect(&server, "").await?;
    loop {
        let (stat, watch) = other.exists_and_watch("/here").await?;
        if stat.is_none() {
            break;
        }
        watch.changed().await;
    }
    // By itself it would have gone at the earliest so long after the restart.
    assert!(began.elapsed() < SESSION, "it was left to expire: {:?}", began.elapsed());
    Ok(())
}

async fn outcomes(server: Server) -> TestResult {
    let client = connect(&server, "").await?;
    client.create("/a", "", CreateMode::Persistent).await?;
    let failed = client.multi().set_data("/a", "x", 0).delete("/none", -1).check("/a", 7).commit().await;
    let failed = failed.err().ok_or("it was applied")?;
    assert_eq!(failed.multi_failure(), Some((1, ErrorCode::NoNode)));
    let codes = [ErrorCode::Ok, ErrorCode::NoNode, ErrorCode::RuntimeInconsistency];
    assert_eq!(failed.multi_codes(), Some(&codes[..]));
    let (data, stat) = client.get_data("/a").await?;
    assert_eq!((data.len(), stat.version), (0, 0), "none was applied");

    let app = client.chroot("/a")?;
    let (members, _, watch) = app.config_and_watch().await?;
    assert_eq!((members, app.config().await?.0), (Ensemble::default(), Ensemble::default()));
    drop(watch);
    let refused = client.reconfigure(&Reconfig::incremental().leave(3)).await;
    assert_eq!(refused.err().and_then(|error| error.code()), Some(ErrorCode::ReconfigDisabled));
    let acl = vec![Acl { perms: Perms::ALL, id: Id::new("nonsense", "x") }];
    let invalid = client.set_acl("/a", acl, Version::Any).await;
    assert_eq!(invalid.err().and_then(|error| error.code()), Some(ErrorCode::InvalidAcl));
    let status = client.status();
    assert_eq!((status.state, status.outstanding, status.connections), (State::Connected, 0, 1));
    assert_eq!(status.server.map(|server| server.port()), Some(server.port()));
    Ok(())
}

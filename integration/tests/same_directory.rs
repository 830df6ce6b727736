//! One data directory, two softwares in turn: each serves the tree the other left, with every field of every Stat, and
//! a session that was open before goes on after.

use std::collections::BTreeMap;

use menagerie_core::client::{Client, CreateOptions, Version};
use menagerie_core::wire::{Acl, CreateMode, Id, Perms};
use menagerie_integration::server::Server;
use menagerie_integration::software::Software;
use menagerie_integration::walk::{Znode, differences, whole_tree};
use menagerie_integration::{LONG_SESSION, TestResult};

/// Snapshots and several log files within a small test; TTL nodes are off in the reference unless asked for.
const SETTINGS: &[(&str, &str)] =
    &[("snapCount", "60"), ("maxSessionTimeout", "60000"), ("extendedTypesEnabled", "true")];

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_serves_our_directory_and_we_serve_it_again() -> TestResult {
    let Some(reference) = Software::reference()? else { return Ok(()) };
    take_turns(&[Software::menagerie()?, reference, Software::menagerie()?]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn we_serve_the_directory_of_the_reference_and_it_does_again() -> TestResult {
    let Some(reference) = Software::reference()? else { return Ok(()) };
    take_turns(&[reference.clone(), Software::menagerie()?, reference]).await
}

async fn take_turns(softwares: &[Software]) -> TestResult {
    let [first, others @ ..] = softwares else { return Err("no software".into()) };
    let mut server = Server::start_with(first.clone(), SETTINGS)?;
    let session = Client::builder().hosts(server.connect_string()).session_timeout(LONG_SESSION).connect().await?;
    let id = session.session_id();
    session.create("/ephemeral", "of a session that lives on", CreateMode::Ephemeral).await?;
    write(&session, "turn-0").await?;
    let mut before = whole_tree(&session).await?;

    for (turn, software) in others.iter().enumerate() {
        let last = server.software().name();
        // Once it is told to stop, once it is killed.
        if turn % 2 == 0 {
            server.stop()?;
        } else {
            server.kill()?;
        }
        tokio::task::block_in_place(|| server.start_again_as(software.clone()))?;
        let after = whole_tree_after_reconnect(&session).await?;
        let changed = differences(&before, &after);
        let name = software.name();
        assert!(
            changed.is_empty(),
            "{name} after {last}: {} differ\n{}\n{}",
            changed.len(),
            changed[..1].join("\n"),
            server.log_end()
        );
        assert!(after.len() > 90, "only {} znodes", after.len());
        assert_eq!(session.session_id(), id, "the session was not resumed by {name}");

        write(&session, &format!("turn-{}", turn + 1)).await?;
        before = whole_tree(&session).await?;
    }
    session.close().await?;
    Ok(())
}

/// The first call after a restart may find that its connection is gone.
async fn whole_tree_after_reconnect(session: &Client) -> TestResult<BTreeMap<String, Znode>> {
    loop {
        match whole_tree(session).await {
            Err(error) if error.is_connection_loss() => {}
            outcome => return Ok(outcome?),
        }
    }
}

/// Every kind of node and every kind of change, enough of them to roll the log.
async fn write(client: &Client, folder: &str) -> TestResult {
    let folder = format!("/{folder}");
    client.create(&folder, "", CreateMode::Persistent).await?;
    for number in 0..80_u8 {
        let data = vec![number; usize::from(number)];
        client.create(&format!("{folder}/s-"), data, CreateMode::PersistentSequential).await?;
    }
    client.create(&format!("{folder}/es-"), "x", CreateMode::EphemeralSequential).await?;
    client.create(&format!("{folder}/ünï-数据"), "ключ", CreateMode::Persistent).await?;
    client.create(&format!("{folder}/container"), "", CreateMode::Container).await?;
    client.create(&format!("{folder}/container/child"), "", CreateMode::Persistent).await?;
    let ttl = CreateOptions::from(CreateMode::PersistentWithTtl).ttl(std::time::Duration::from_hours(24));
    client.create(&format!("{folder}/ttl"), "", ttl).await?;

    let changed = format!("{folder}/changed");
    client.create(&changed, "0", CreateMode::Persistent).await?;
    for version in 0..5 {
        client.set_data(&changed, vec![0xff; 300], Version::Is(version)).await?;
    }
    let id = Id::new("digest", "amos:V8mWYo1CX8UFWzfOSIlfhCpyo0k=");
    let acl = vec![Acl { perms: Perms::ALL, id }, Acl { perms: Perms::READ, id: Id::new("world", "anyone") }];
    client.set_acl(&changed, acl, Version::Any).await?;
    client.create(&format!("{folder}/deleted"), "", CreateMode::Persistent).await?;
    client.delete(&format!("{folder}/deleted"), Version::Any).await?;
    let multi = client.multi().create(&format!("{folder}/multi"), "", CreateMode::Persistent);
    let multi = multi.set_data(&format!("{folder}/multi"), "m", Version::Is(0)).check(&folder, Version::Any);
    multi.commit().await?;
    // A transaction that fails takes a zxid and changes nothing.
    let failing = client.multi().delete(&changed, Version::Any).check(&folder, Version::Is(77)).commit().await;
    assert!(failing.is_err_and(|error| error.multi_failure().is_some_and(|(index, _)| index == 1)));
    Ok(())
}

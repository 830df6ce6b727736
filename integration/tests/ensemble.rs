//! The harness of ensembles, and through it what every ensemble must do: elect, lose a member and go on, take it back, take one of
//! the other software on the same directory, and agree at the end.

use menagerie_core::client::Client;
use menagerie_core::wire::CreateMode;
use menagerie_integration::ensemble::{Ensemble, Plan, Role};
use menagerie_integration::software::Software;
use menagerie_integration::{LONG_SESSION, TestResult};

#[tokio::test(flavor = "multi_thread")]
async fn three_of_the_reference() -> TestResult {
    let Some(reference) = Software::reference()? else { return Ok(()) };
    lose_and_regain(&reference).await
}

#[tokio::test(flavor = "multi_thread")]
async fn three_of_ours() -> TestResult {
    lose_and_regain(&Software::menagerie()?).await
}

async fn lose_and_regain(software: &Software) -> TestResult {
    let softwares = [software.clone(), software.clone(), software.clone(), software.clone()];
    let mut ensemble = Plan::of(&softwares)?.observer(4).start()?;
    assert_eq!(ensemble.member(4).health().map(|health| health.mode).as_deref(), Some("observer"));
    assert_eq!(ensemble.member(4).place().role, Role::Observer);
    let client = connect(&ensemble).await?;
    create(&client, "/a", "1").await?;

    let first = ensemble.wait_for_leader()?;
    ensemble.member_mut(first).kill9()?;
    let second = ensemble.wait_for_leader()?;
    assert_ne!(first, second);
    create(&client, "/b", "2").await?;
    ensemble.member(second).pause()?;
    ensemble.member_mut(first).start()?;
    let third = ensemble.wait("no other leads", |it| it.leader().filter(|id| *id != second))?;
    create(&client, "/c", "3").await?;
    ensemble.member(second).resume()?;
    ensemble.wait_until_all_serve()?;
    assert_ne!(second, third);

    let follower = (1..=3).find(|id| Some(*id) != ensemble.leader()).ok_or("all lead")?;
    assert!(ensemble.member_mut(follower).terminate()?.is_some());
    ensemble.member(follower).wipe()?;
    ensemble.member_mut(follower).start()?;
    ensemble.wait_until_all_serve()?;
    let zxid = ensemble.wait_until_they_agree()?;
    assert!(zxid.epoch() >= 3, "{zxid}");
    let there = client.get_children("/").await?;
    assert!(["a", "b", "c"].iter().all(|name| there.iter().any(|it| it == name)), "{there:?}");
    Ok(())
}

/// Until it is known to be there. A client of the member that is killed or paused may lose its connection at any moment, and with it
/// the answer.
async fn create(client: &Client, path: &str, data: &'static str) -> TestResult {
    loop {
        match client.create(path, data, CreateMode::Persistent).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_node_exists() => return Ok(()),
            Err(error) if error.is_connection_loss() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

async fn connect(ensemble: &Ensemble) -> TestResult<Client> {
    Ok(Client::builder().hosts(ensemble.connect_string()).session_timeout(LONG_SESSION).connect().await?)
}

//! `menagerie log truncate` on the directories of real servers: never under one that runs, and afterwards each software serves the
//! tree as it was.

use menagerie_core::client::{Client, Version};
use menagerie_core::wire::CreateMode;
use menagerie_integration::TestResult;
use menagerie_integration::offline::run;
use menagerie_integration::server::Server;
use menagerie_integration::software::Software;

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_ours_is_cut_back_when_its_server_has_stopped() -> TestResult {
    cut_back(Software::menagerie()?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_the_reference_is_cut_back_when_its_server_has_stopped() -> TestResult {
    let Some(reference) = Software::reference()? else { return Ok(()) };
    cut_back(reference).await
}

async fn cut_back(software: Software) -> TestResult {
    let mut server = Server::start(software)?;
    let client = Client::connect(server.connect_string()).await?;
    client.create("/kept", "right", CreateMode::Persistent).await?;
    let good = client.exists("/kept").await?.ok_or("no /kept")?.mzxid;
    client.set_data("/kept", "wrong", Version::Any).await?;
    client.create("/mistake", "", CreateMode::Persistent).await?;

    let (to, dir) = (good.to_string(), server.data_dir());
    let words = ["log", "truncate", "--to", &to];
    let refused = run(&words, &[&dir])?;
    let pid = server.pid().ok_or("no process")?.to_string();
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.err.contains(&format!("process {pid} ")) && refused.err.contains("stop the server"), "{refused:?}");
    assert_eq!(client.get_data("/kept").await?.0, "wrong");
    drop(client);
    server.stop()?;

    let done = run(&words, &[&dir])?;
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.contains(&format!("the last transaction is {to} now")), "{done:?}");
    server.start_again()?;
    let client = Client::connect(server.connect_string()).await?;
    let (data, stat) = client.get_data("/kept").await?;
    assert_eq!((data.as_ref(), stat.mzxid, stat.version), (&b"right"[..], good, 0));
    assert_eq!(client.exists("/mistake").await?, None);
    // And it goes on from there.
    client.create("/after", "", CreateMode::Persistent).await?;
    Ok(())
}

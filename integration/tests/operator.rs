//! What an operator sees: a clean stop, and a server that refuses to start on a bad configuration or a damaged log, saying
//! where.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use menagerie_core::client::{Client, Version};
use menagerie_core::wire::CreateMode;
use menagerie_integration::server::{Server, terminate};
use menagerie_integration::software::Software;
use menagerie_integration::{TestResult, ours};

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_stops_it_with_its_clients_connected() -> TestResult {
    let mut server = Server::start(Software::menagerie()?)?;
    let client = Client::connect(server.connect_string()).await?;
    client.create("/kept", "x", CreateMode::Persistent).await?;
    let status = tokio::task::block_in_place(|| server.stop())?;
    assert_eq!(status.and_then(|status| status.code()), Some(0), "{}", server.log_end());
    tokio::task::block_in_place(|| server.start_again())?;
    let again = Client::connect(server.connect_string()).await?;
    assert!(again.exists("/kept").await?.is_some());
    Ok(())
}

#[test]
fn a_bad_configuration_is_refused_with_key_and_line() -> TestResult {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("zoo.cfg");
    fs::write(&file, format!("dataDir={}\n# a comment\ntickTime=soon\nclientPort=1\n", folder.path().display()))?;
    let output = ours::binary(ours::Profile::Dev)?.server(&file).stdout(Stdio::piped()).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    for part in ["tickTime", "soon", "3"] {
        assert!(said.contains(part), "no `{part}` in: {said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_log_is_refused_with_file_and_offset() -> TestResult {
    let mut server = Server::start(Software::menagerie()?)?;
    let client = Client::connect(server.connect_string()).await?;
    for number in 0..50 {
        client.create(&format!("/n{number}"), "some data", CreateMode::Persistent).await?;
    }
    client.set_data("/n0", "MARK", Version::Any).await?;
    client.delete("/n1", Version::Any).await?;
    server.kill()?;

    let folder = server.data_dir().join("version-2");
    let mut damaged = None;
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let mut bytes = fs::read(&path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let at = bytes.windows(4).position(|window| window == b"MARK");
        if let Some(byte) = at.and_then(|at| bytes.get_mut(at)).filter(|_| name.starts_with("log.")) {
            *byte ^= 1;
            fs::write(&path, bytes)?;
            damaged = Some(name);
        }
    }
    let damaged = damaged.ok_or("no log holds the write")?;
    let refused = tokio::task::block_in_place(|| server.start_again());
    let why = refused.err().ok_or("it started on a damaged log")?.to_string();
    assert!(why.contains(&damaged) && why.contains("damaged at byte "), "{why}");
    Ok(())
}

/// Of two signals the second finds it stopping already, and changes nothing.
#[test]
fn a_second_sigterm_does_no_harm() -> TestResult {
    let mut server = Server::start(Software::menagerie()?)?;
    terminate(server.pid().ok_or("stopped")?)?;
    std::thread::sleep(Duration::from_millis(5));
    let status = server.stop()?;
    assert_eq!(status.and_then(|status| status.code()), Some(0), "{}", server.log_end());
    Ok(())
}

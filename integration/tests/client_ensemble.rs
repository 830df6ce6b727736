//! The client with a real ensemble of the reference: at a server that is cut off and only reads, on the move to one that writes, and when the
//! ensemble's members change.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use menagerie_core::client::{Client, EventKind, Reconfig, State};
use menagerie_core::wire::{CreateMode, ErrorCode, digest_id};
use menagerie_integration::software::Software;
use menagerie_integration::{TestResult, four_letter, port};

/// Longer than the whole test takes on any machine.
const PATIENCE: Duration = Duration::from_mins(5);
const PAUSE: Duration = Duration::from_millis(50);

/// A member of an ensemble, killed when it is dropped.
struct Member {
    client_port: u16,
    child: Child,
}

impl Drop for Member {
    fn drop(&mut self) {
        // Nothing to do about a process that is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Ensemble {
    software: Software,
    home: tempfile::TempDir,
    client_ports: Vec<u16>,
    lines: String,
}

impl Ensemble {
    /// Three members, none of them started.
    fn new(software: Software) -> TestResult<Self> {
        let home = tempfile::Builder::new().prefix("menagerie-test-").tempdir()?;
        let (mut client_ports, mut lines) = (Vec::new(), String::new());
        for id in 1..=3 {
            let [client, quorum, election] = [port::free()?, port::free()?, port::free()?];
            client_ports.push(client);
            writeln!(lines, "server.{id}=127.0.0.1:{quorum}:{election}:participant;127.0.0.1:{client}")?;
        }
        Ok(Ensemble { software, home, client_ports, lines })
    }

    fn start(&self, id: usize) -> TestResult<Member> {
        let folder = self.home.path().join(id.to_string());
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("myid"), id.to_string())?;
        fs::write(folder.join("servers"), &self.lines)?;
        fs::write(folder.join("zoo.cfg"), zoo_cfg(&folder))?;
        let mut command = self.software.serve(&folder.join("zoo.cfg"));
        let log = fs::File::create(folder.join("log"))?;
        command.stdout(log.try_clone()?).stderr(log);
        let super_digest = digest_id("super:secret");
        let super_digest = format!("-Dzookeeper.DigestAuthenticationProvider.superDigest={super_digest}");
        command.env("JAVA_TOOL_OPTIONS", format!("-Dreadonlymode.enabled=true {super_digest}"));
        Ok(Member { client_port: self.client_ports[id - 1], child: command.spawn()? })
    }

    fn hosts(&self) -> String {
        self.client_ports.iter().map(|port| format!("127.0.0.1:{port}")).collect::<Vec<_>>().join(",")
    }
}

fn zoo_cfg(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "tickTime=500\ninitLimit=40\nsyncLimit=20\ndataDir={folder}\ndynamicConfigFile={folder}/servers\n\
         4lw.commands.whitelist=*\nadmin.enableServer=false\nmaxSessionTimeout=120000\nstandaloneEnabled=false\n\
         reconfigEnabled=true\nlocalSessionsEnabled=true\nlocalSessionsUpgradingEnabled=true\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_the_reference_moves_from_a_reader_to_a_writer_and_changes_the_members() -> TestResult {
    let Some(reference) = Software::reference()? else { return Ok(()) };
    let ensemble = Ensemble::new(reference)?;
    tokio::time::timeout(PATIENCE, scenario(&ensemble)).await?
}

async fn scenario(ensemble: &Ensemble) -> TestResult {
    let first = ensemble.start(1)?;
    while !four_letter::ask(first.client_port, "isro").is_ok_and(|answer| answer == "ro") {
        tokio::time::sleep(PAUSE).await;
    }
    let builder = Client::builder().hosts(ensemble.hosts()).session_timeout(Duration::from_mins(1));
    let client = builder.clone().allow_read_only(true).connect_timeout(PATIENCE).connect().await?;
    assert_eq!(client.state(), State::ConnectedReadOnly);
    assert!(client.exists("/zookeeper").await?.is_some());
    let refused = client.create("/a", "", CreateMode::Ephemeral).await;
    assert!(refused.is_err_and(|error| error.is_read_only() && !error.may_have_applied()));
    let (_, created) = client.exists_and_watch("/a").await?;
    let lonely = client.session_id();
    let picky = builder.connect_timeout(Duration::from_secs(1)).connect().await;
    assert!(picky.is_err_and(|error| error.is_timeout()), "a reader will not do for everybody");

    let _second = ensemble.start(2)?;
    client.states().wait_for(|state| state == State::Connected).await;
    assert_ne!(client.session_id(), lonely, "the ensemble gives a session of its own");
    let made = client.create("/a", "", CreateMode::Ephemeral).await?;
    assert_eq!(made.stat.ephemeral_owner, client.session_id());
    assert_eq!(created.changed().await.kind, EventKind::NodeCreated);

    let app = client.chroot("/app")?;
    let (members, stat, watch) = app.config_and_watch().await?;
    assert_eq!(members.participant_count(), 3);
    let clients: Vec<u16> = members.members.values().filter_map(|member| Some(member.client.as_ref()?.port)).collect();
    assert_eq!(clients, ensemble.client_ports);
    let change = Reconfig::incremental().leave(3);
    let refused = app.reconfigure(&change).await;
    assert_eq!(refused.err().and_then(|error| error.code()), Some(ErrorCode::NoAuth));
    client.add_auth("digest", "super:secret").await?;
    let stale = app.reconfigure(&change.clone().expect_version(members.version + 1)).await;
    assert_eq!(stale.err().and_then(|error| error.code()), Some(ErrorCode::BadVersion));
    let (fewer, changed) = app.reconfigure(&change.expect_version(members.version)).await?;
    assert_eq!(fewer.members.keys().copied().collect::<Vec<_>>(), [1, 2]);
    assert!(fewer.version > members.version && changed.mzxid > stat.mzxid);
    let event = watch.changed().await;
    assert_eq!((event.kind, event.path.as_str()), (EventKind::NodeDataChanged, "/zookeeper/config"));
    let (again, _) = app.reconfigure(&Reconfig::whole(members)).await?;
    assert_eq!(again.members.len(), 3);
    client.close().await?;
    Ok(())
}

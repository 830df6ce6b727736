//! `menagerie migrate` on a real ensemble of three members of one host: the plan, `--apply` there and back, a start that fails and the way
//! back it prints, and the refusal to stop a member whom the others need.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use menagerie_core::client::{Client, Version};
use menagerie_core::wire::CreateMode;
use menagerie_integration::ensemble::{Ensemble, Member, Plan};
use menagerie_integration::ours::{self, Profile};
use menagerie_integration::pairing::Both;
use menagerie_integration::software::Software;
use menagerie_integration::{LONG_SESSION, TestResult, process};

#[tokio::test(flavor = "multi_thread")]
async fn three_members_of_this_host_are_replaced_and_replaced_back() -> TestResult {
    let Some(both) = Both::find()? else { return Ok(()) };
    let host = tokio::task::block_in_place(|| Host::start(&both))?;
    let hosts = host.ensemble.connect_string();
    let client = Client::builder().hosts(&hosts).session_timeout(LONG_SESSION).connect().await?;
    let session = client.session_id();
    client.create("/held", "", CreateMode::Ephemeral).await?;
    for _ in 0..300 {
        client.set_data("/held", "x", Version::Any).await?;
    }

    let plan = host.migrate(&[])?;
    assert_eq!(plan.status.code(), Some(0), "{}", text(&plan));
    assert!(text(&plan).contains("Step 3 of 3") && text(&plan).contains("the leader, on"), "{}", text(&plan));

    // A start that fails ends it there, and what is printed leads back.
    let failed = host.migrate(&["--apply", "--start-menagerie", "false"])?;
    assert_eq!(failed.status.code(), Some(1), "{}", text(&failed));
    let said = text(&failed);
    let back = said.lines().rfind(|line| line.contains("start-theirs")).ok_or("no way back is printed")?;
    assert_eq!(host.versions().iter().filter(|version| version.contains("Zookeeper version")).count(), 2, "{said}");
    // While one is away no other one is touched.
    let refused = host.migrate(&["--apply", "--any-order"])?;
    assert!(text(&refused).contains("nothing was stopped"), "{}", text(&refused));
    assert_eq!(host.versions().iter().filter(|version| version.contains("Zookeeper version")).count(), 2);
    assert!(Command::new("sh").args(["-c", back.trim()]).status()?.success());
    tokio::task::block_in_place(|| host.wait())?;

    for (words, kind) in [(vec!["--apply", "--json"], true), (vec!["--apply", "--json", "--back"], false)] {
        let done = tokio::task::block_in_place(|| host.migrate(&words))?;
        assert_eq!(done.status.code(), Some(0), "{}", text(&done));
        let events = String::from_utf8_lossy(&done.stdout)
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<Vec<serde_json::Value>, _>>()?;
        let count = |name: &str| events.iter().filter(|event| event["event"] == name).count();
        assert_eq!((count("step"), count("well"), count("done")), (3, 3, 1), "{}", text(&done));
        assert!(host.versions().iter().all(|version| version.contains("menagerie") == kind), "{:?}", host.versions());
        client.sync("/held").await?;
        let stat = client.exists("/held").await?.ok_or("the ephemeral znode has gone")?;
        assert_eq!((stat.version, stat.ephemeral_owner, client.session_id()), (300, session, session));
    }
    client.close().await?;
    Ok(())
}

/// Three members, started and stopped by commands as an operator has them.
struct Host {
    ensemble: Ensemble,
    scripts: PathBuf,
}

impl Host {
    fn start(both: &Both) -> TestResult<Self> {
        let plan = Plan::of(&[both.theirs.clone(), both.theirs.clone(), both.theirs.clone()])?;
        let ensemble = plan.prepare()?;
        let scripts = ensemble.members()[0].home().with_file_name("scripts");
        fs::create_dir(&scripts)?;
        write_start(&scripts.join("start-theirs"), &both.theirs)?;
        write_start(&scripts.join("start-ours"), &both.ours)?;
        // Whoever has no parent that waits for it stays as a zombie, and has stopped all the same.
        let stop = "cd \"$(dirname \"$1\")\" && pid=$(cat pid) && kill -TERM $pid\n\
            while [ -e /proc/$pid ] && ! grep -q '^State:.Z' /proc/$pid/status; do sleep 0.05; done\n";
        fs::write(scripts.join("stop"), stop)?;
        let host = Host { ensemble, scripts };
        for member in host.ensemble.members() {
            let start = host.scripts.join("start-theirs");
            assert!(Command::new("sh").arg(start).arg(member.configuration()).status()?.success());
        }
        host.wait()?;
        Ok(host)
    }

    /// Until all serve.
    fn wait(&self) -> TestResult {
        let deadline = std::time::Instant::now() + std::time::Duration::from_mins(2);
        while !self.versions().iter().all(|answer| answer.contains("Mode: ")) {
            if std::time::Instant::now() > deadline {
                return Err(format!("not all serve\n{}", self.ensemble.log_ends()).into());
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        Ok(())
    }

    /// What `srvr` says of each.
    fn versions(&self) -> Vec<String> {
        self.ensemble.members().iter().map(|member| member.ask("srvr").unwrap_or_default()).collect()
    }

    fn migrate(&self, words: &[&str]) -> TestResult<Output> {
        let mut command = ours::binary(Profile::Dev)?.command();
        command.arg("migrate").args(self.ensemble.members().iter().map(Member::configuration));
        let script = |name: &str| format!("sh {} {{config}}", self.scripts.join(name).display());
        for (option, name) in [
            ("--stop-apache", "stop"),
            ("--stop-menagerie", "stop"),
            ("--start-apache", "start-theirs"),
            ("--start-menagerie", "start-ours"),
        ] {
            if !words.contains(&option) {
                command.arg(option).arg(script(name));
            }
        }
        Ok(command.args(words).output()?)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for member in self.ensemble.members() {
            let pid = fs::read_to_string(member.home().join("pid")).unwrap_or_default();
            if let Ok(pid) = pid.trim().parse() {
                // It may have ended.
                let _ = process::signal(pid, "KILL");
            }
        }
    }
}

/// A script that starts the software in the background on the configuration that is its argument, and remembers its process.
fn write_start(file: &Path, software: &Software) -> TestResult {
    let command = software.serve(Path::new("CONFIGURATION"));
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(OsStr::to_string_lossy);
    let words: Vec<_> =
        words.map(|word| if word == "CONFIGURATION" { "\"$1\"".to_owned() } else { format!("'{word}'") }).collect();
    let text = format!(
        "cd \"$(dirname \"$1\")\" && {} >> server.log 2>&1 < /dev/null &\necho $! > \"$(dirname \"$1\")/pid\"\n",
        words.join(" ")
    );
    Ok(fs::write(file, text)?)
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

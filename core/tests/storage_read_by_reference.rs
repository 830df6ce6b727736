//! The reference server, 3.8.0, started on files that our storage wrote: it serves every node with every field of its
//! Stat, finds every digest right, and what it writes then is read by us again. Skipped where it is not installed.
#![cfg(feature = "replica")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test reads and writes files, and waits")]

mod storage_support;

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use menagerie_core::jute::{Decode, Encode, Reader};
use menagerie_core::storage::{
    Disk, LogOptions, RealDisk, RecoverOptions, SnapshotPolicy, SnapshotTrigger, TxnLog, recover, snapshot,
};
use menagerie_core::tree::{DataTree, SnapshotCursor};
use menagerie_core::wire::proto::{
    AuthPacket, ConnectRequest, GetAclResponse, GetDataResponse, PathOnly, PathRequest, ReplyHeader, RequestHeader,
};
use menagerie_core::wire::{Acl, OpCode, Stat};
use storage_support::{History, Step, dump};

const JARS: [&str; 2] = ["/usr/share/java/zookeeper.jar", "/usr/share/java/slf4j-simple.jar"];
const PATIENCE: Duration = Duration::from_mins(1);

/// A server that is killed when it goes out of scope.
struct Reference {
    process: Child,
    port: u16,
}

impl Reference {
    fn is_installed() -> bool {
        let has_java = Command::new("java").arg("-version").stderr(Stdio::null()).status().is_ok();
        if has_java && JARS.iter().all(|jar| Path::new(jar).exists()) {
            return true;
        }
        let required = std::env::var("MENAGERIE_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|need| need.trim() == "apache"), "the reference server is not installed");
        println!("skipped: there is no java, or Debian's package zookeeper is not installed");
        false
    }

    fn start(dir: &Path) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let config = format!(
            "tickTime=2000\ndataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n\
             4lw.commands.whitelist=*\n",
            dir.display()
        );
        fs::write(dir.join("zoo.cfg"), config).unwrap();
        let process = Command::new("java")
            .arg("-Dzookeeper.extendedTypesEnabled=true")
            // Containers and TTL nodes of 1970 would be reaped.
            .arg("-Dznode.container.checkIntervalMs=3600000")
            // Who says `super:x` may read everything, and sees every ACL as it is.
            .arg("-Dzookeeper.DigestAuthenticationProvider.superDigest=super:eXJov8znpQ4dl1Mi6FnyKh1mSgw=")
            .args(["-cp", &JARS.join(":"), "org.apache.zookeeper.server.quorum.QuorumPeerMain"])
            .arg(dir.join("zoo.cfg"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Reference { process, port }
    }

    fn connect(&self) -> TcpStream {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    return stream;
                }
                Err(error) => assert!(Instant::now() < deadline, "the reference server does not answer: {error}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn four_letters(&self, word: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(word.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// A session that may see everything.
    fn session(&self) -> Session {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // The port is open a little before the server is, and what is sent in between may never be answered.
            let stream = self.connect();
            let socket = stream.try_clone().unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            match Session::open(stream) {
                Ok(session) => {
                    socket.set_read_timeout(Some(PATIENCE)).unwrap();
                    return session;
                }
                Err(error) => assert!(Instant::now() < deadline, "no session: {error}"),
            }
        }
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Session(TcpStream);

impl Session {
    fn open(stream: TcpStream) -> io::Result<Self> {
        let mut session = Session(stream);
        let password = Some(Bytes::from_static(&[0; 16]));
        session.send(&ConnectRequest { timeout_ms: 30_000, password, ..ConnectRequest::default() }.to_bytes())?;
        session.receive()?;
        let auth = AuthPacket { kind: 0, scheme: "digest".into(), auth: Some("super:x".into()) };
        assert_eq!(session.call(OpCode::Auth, -4, &auth.to_bytes()).0, 0);
        Ok(session)
    }

    fn call(&mut self, op: OpCode, xid: i32, body: &[u8]) -> (i32, Bytes) {
        let mut request = BytesMut::new();
        RequestHeader { xid, op: op as i32 }.encode(&mut request);
        request.extend_from_slice(body);
        self.send(&request).unwrap();
        let reply = self.receive().unwrap();
        let mut reader = Reader::new(&reply);
        let header = ReplyHeader::decode(&mut reader).unwrap();
        (header.err, reader.rest())
    }

    fn served(&mut self, path: &str) -> (Option<Bytes>, Stat, Vec<Acl>) {
        let get = PathRequest { path: path.to_owned(), watch: false };
        let (error, data) = self.call(OpCode::GetData, 1, &get.to_bytes());
        assert_eq!(error, 0, "getData {path}");
        let data = GetDataResponse::from_bytes(&data).unwrap();
        let (error, acl) = self.call(OpCode::GetAcl, 2, &PathOnly { path: path.to_owned() }.to_bytes());
        assert_eq!(error, 0, "getACL {path}");
        (data.data, data.stat, GetAclResponse::from_bytes(&acl).unwrap().acl)
    }

    fn send(&mut self, body: &[u8]) -> io::Result<()> {
        let mut frame = (body.len() as i32).to_be_bytes().to_vec();
        frame.extend_from_slice(body);
        self.0.write_all(&frame)
    }

    fn receive(&mut self) -> io::Result<Bytes> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let mut body = vec![0; i32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut body)?;
        Ok(body.into())
    }
}

/// A history of everything there is, the log rolled on the way, and a snapshot taken while it went on.
fn write_history(disk: &Arc<dyn Disk>, dir: &Path) -> History {
    let mut history = History::new();
    let mut log = TxnLog::open(disk.clone(), dir, LogOptions { pre_alloc_bytes: 1 << 16, ..LogOptions::default() });
    let policy = SnapshotPolicy { max_txns: 100, ..SnapshotPolicy::default() };
    let mut trigger = SnapshotTrigger::new(policy, 7);
    let fresh = SnapshotCursor::new(&history.tree);
    let options = snapshot::SnapshotOptions { batch_nodes: 3, ..snapshot::SnapshotOptions::default() };
    let exact = snapshot::SnapshotOptions::default();
    snapshot::write(disk.as_ref(), dir, fresh, &history.sessions, &exact, |see| see(&history.tree)).unwrap();
    let mut number = 0usize;
    let mut next = |history: &mut History, log: &mut TxnLog| {
        let entry = history.entry(&step(number));
        log.append(history.zxid, &entry).unwrap();
        log.sync().unwrap();
        number += 1;
        entry.len() as u64
    };
    for _ in 0..450 {
        let bytes = next(&mut history, &mut log);
        if trigger.logged(1, bytes, log.file_bytes()) != menagerie_core::storage::SnapshotDue::No {
            log.roll().unwrap();
            let cursor = SnapshotCursor::new(&history.tree);
            let sessions = history.sessions.clone();
            snapshot::write(disk.as_ref(), dir, cursor, &sessions, &options, |see| {
                next(&mut history, &mut log);
                see(&history.tree);
            })
            .unwrap();
        }
    }
    history
}

fn step(number: usize) -> Step {
    let (name, mixed) = (number as u8, number.wrapping_mul(2_654_435_761) >> 7);
    match number % 11 {
        0 => Step::OpenSession { session: name },
        1..6 => {
            let data = (!mixed.is_multiple_of(5)).then(|| vec![name; mixed % 40]);
            Step::Create { parent: mixed, name: (mixed >> 3) as u8, kind: (mixed >> 5) as u8, data, acl: name }
        }
        6 => Step::Set { node: mixed, data: Some(vec![name; mixed % 60]) },
        7 => Step::SetAcl { node: mixed, acl: (mixed >> 3) as u8 },
        8 => Step::Multi { parent: mixed, name, failing: number.is_multiple_of(3) },
        9 if number > 200 => Step::CloseSession { session: (number - 198) as u8 },
        _ => Step::Delete { node: mixed },
    }
}

#[test]
fn the_reference_server_serves_our_directory_and_we_its() {
    if !Reference::is_installed() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let version_2 = dir.path().join("version-2");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    disk.create_dir_all(&version_2).unwrap();
    let history = write_history(&disk, &version_2);
    assert!(history.tree.len() > 50 && history.tree.ephemeral_count() > 3 && history.tree.containers().count() > 3);
    assert!(history.tree.ttl_nodes().count() > 3, "the history has everything there is");

    let reference = Reference::start(dir.path());
    let mut session = reference.session();
    assert_serves(&mut session, &history.tree);
    let metrics = reference.four_letters("mntr");
    assert!(metrics.contains("zk_digest_mismatches_count\t0"), "{metrics}");
    drop(reference);

    // It took a snapshot when it started, and logged the session that looked at it.
    let recovered = recover(&disk, &version_2, &version_2, &RecoverOptions::default()).unwrap();
    assert_eq!(dump(&recovered.tree), dump(&history.tree));
    assert_eq!(recovered.last_zxid, history.zxid.next());
    assert_eq!(recovered.report.digests.mismatched, 0, "{}", recovered.report);
}

fn assert_serves(session: &mut Session, tree: &DataTree) {
    for path in dump(tree).into_keys() {
        let node = tree.node(&path).unwrap();
        let ours = (node.data().map(Bytes::copy_from_slice), node.stat(), node.acl().to_vec());
        assert_eq!(session.served(&path), ours, "{path}");
    }
    let count = session.call(OpCode::GetAllChildrenNumber, 3, &PathOnly { path: "/".into() }.to_bytes()).1;
    assert_eq!(i32::from_bytes(&count).unwrap(), tree.descendants_count("/").unwrap() as i32);
}

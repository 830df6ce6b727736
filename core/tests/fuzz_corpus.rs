//! The fuzz targets without a fuzzer: every input kept in `fuzz/corpus` and every recorded vector is replayed, and each is changed a
//! few hundred times from a fixed seed. `MENAGERIE_FUZZ_ROUNDS` says how often; `MENAGERIE_UPDATE=1` writes the seeds of the corpora anew
//! from the recorded vectors.
#![cfg(all(feature = "server", feature = "cli"))]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

#[path = "../fuzz/targets.rs"]
mod targets;

mod offline_files;

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use menagerie_core::client::{Client, State, Version};
use menagerie_core::embedded::Server;
use menagerie_core::jute::Encode;
use menagerie_core::wire::proto::{
    AddWatchRequest, AuthPacket, ConnectRequest, ConnectResponse, CreateRequest, CreateTtlRequest, GetDataResponse,
    MultiOp, MultiRequest, MultiResponse, MultiResult, PathOnly, PathRequest, PathVersion, ReconfigRequest,
    ReplyHeader, RequestHeader, SetAclRequest, SetDataRequest, SetWatches2, WatcherEvent, WatchesRequest,
};
use menagerie_core::wire::{Acl, CreateMode, OpCode, Stat, frame};
use targets::{TARGETS, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Changed inputs for each kept one, unless `MENAGERIE_FUZZ_ROUNDS` says otherwise.
const ROUNDS: u64 = 300;
/// A changed input is no longer than this.
const LONGEST: usize = 1 << 17;

#[test]
fn no_kept_input_and_no_change_of_one_breaks_a_decoder() {
    let rounds = std::env::var("MENAGERIE_FUZZ_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let mut broken = Vec::new();
    for (name, target) in TARGETS {
        let inputs = corpus(name);
        assert!(!inputs.is_empty(), "the corpus of {name} is empty");
        let mut random = seeded(name);
        for (file, input) in &inputs {
            if let Some(why) = breaks(target, input) {
                broken.push(format!("{name}: {}: {why}", file.display()));
            }
        }
        for round in 0..rounds * inputs.len() as u64 {
            let changed = change(&inputs, &mut random);
            if let Some(why) = breaks(target, &changed) {
                let kept = std::env::temp_dir().join(format!("menagerie-fuzz-{name}-{round}"));
                fs::write(&kept, &changed).unwrap();
                broken.push(format!("{name}: {} (put it into fuzz/corpus/{name}): {why}", kept.display()));
                break;
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_target_has_a_binary_and_a_corpus_and_there_are_no_others() {
    let fuzz = fuzz_dir();
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(file_stems(&fuzz.join("fuzz_targets")), names);
    assert_eq!(file_stems(&fuzz.join("corpus")), names);
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for name in &names {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} has no [[bin]]");
    }
}

/// The seeds are what the vectors say, so that nobody has to trust bytes that came from nowhere.
#[test]
fn the_seeds_of_the_corpora_are_the_recorded_vectors() {
    for (name, _) in TARGETS {
        for (number, seed) in seeds(name).iter().enumerate() {
            let file = fuzz_dir().join("corpus").join(name).join(format!("seed-{number:02}"));
            if std::env::var_os("MENAGERIE_UPDATE").is_some() {
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(&file, seed).unwrap();
            }
            assert_eq!(&fs::read(&file).unwrap_or_default(), seed, "{}: MENAGERIE_UPDATE=1 writes it", file.display());
        }
    }
}

/// The first bytes of a connection decide whether it is a client or an operator's four-letter word; here they are neither, or both.
#[tokio::test(flavor = "multi_thread")]
async fn no_kept_input_on_a_socket_disturbs_a_client_beside_it() {
    let server = Server::start().await.unwrap();
    let client = Client::connect(server.connect_string()).await.unwrap();
    client.create("/beside", "", CreateMode::Persistent).await.unwrap();
    let words = ["ruok", "srvrx", "stat\n", "zzzz", "ruo", "\0\0\0\x05abcd", "RUOK", ""];
    let mut inputs: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
    for name in ["frames", "requests", "replies", "four_letter", "quorum"] {
        inputs.extend(corpus(name).into_iter().map(|(_, input)| input));
    }
    for (version, input) in inputs.iter().enumerate() {
        let mut socket = TcpStream::connect(server.address()).await.unwrap();
        // The server may have hung up on it in the middle.
        let _ = socket.write_all(input).await;
        let _ = socket.shutdown().await;
        let _ = socket.read_to_end(&mut Vec::new()).await;
        client.set_data("/beside", input.clone(), Version::Is(version as i32)).await.unwrap();
    }
    assert_eq!(client.state(), State::Connected);
    client.close().await.unwrap();
    server.stop().await;
}

fn breaks(target: Target, input: &[u8]) -> Option<String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| target(input)));
    outcome.err().map(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

fn fuzz_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn file_stems(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = fuzz_dir().join("corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

/// The same changes in every run, and others for each target.
fn seeded(name: &str) -> fastrand::Rng {
    fastrand::Rng::with_seed(name.bytes().fold(7_u64, |seed, byte| seed.wrapping_mul(31) + u64::from(byte)))
}

/// What a fuzzer does to an input: numbers that are edges, bytes flipped, cut, doubled, and pieces of another input.
fn change(inputs: &[(PathBuf, Vec<u8>)], random: &mut fastrand::Rng) -> Vec<u8> {
    const EDGES: [i32; 8] = [-1, 0, 1, -2, i32::MIN, i32::MAX, 1 << 16, 100];
    let mut bytes = inputs[random.usize(..inputs.len())].1.clone();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(..=bytes.len());
        match random.u8(..6) {
            0 if at + 4 <= bytes.len() => {
                bytes[at..at + 4].copy_from_slice(&EDGES[random.usize(..EDGES.len())].to_be_bytes());
            }
            1 if at < bytes.len() => bytes[at] ^= 1 << random.u8(..8),
            2 if at < bytes.len() => bytes[at] = random.u8(..),
            3 => bytes.truncate(at),
            4 => {
                let other = &inputs[random.usize(..inputs.len())].1;
                let from = random.usize(..=other.len());
                let to = random.usize(from..=other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            _ => {
                let from = random.usize(..=at);
                let piece = bytes[from..at].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

/// What each corpus begins with.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let text = |lines: &[&str]| lines.iter().map(|line| line.as_bytes().to_vec()).collect();
    match name {
        "frames" | "requests" => vec![requests(true), requests(false)],
        "replies" => vec![replies()],
        "multi" => vec![multi_request().to_bytes().to_vec(), multi_response().to_bytes().to_vec()],
        "txn" => logs().iter().flat_map(|log| entries(log)).step_by(3).collect(),
        "log_file" => logs(),
        "snapshot_file" => {
            let names = ["snapshot.0", "snapshot.26"];
            names.iter().map(|name| fs::read(offline_files::vectors().join(name)).unwrap()).collect()
        }
        "quorum" => vec![quorum_packet(), b"\xff\xff\xff\xff\xff\xff\0\x01".to_vec()],
        "zoo_cfg" => text(&[ZOO_CFG, "clientPort=2181\ndataDir=\\u0064ata\\\n  /here\n!x\ntickTime : 2000\n"]),
        "four_letter" => text(&["*", "ruok, srvr,stat", "mntr"]),
        "acl_quota" => text(&[
            "world:anyone:cdrwa,digest:bob:fyVmFCwVbTJYrznoSu1koqYEYF0=:r,ip:10.0.0.0/8:w,auth::cdrwa",
            "count=4,bytes=-1",
            "count=-1,bytes=-1=;byteHardLimit=100;countHardLimit=4",
            "/a/b/c",
        ]),
        "connect_string" => text(&["127.0.0.1:2181,[::1]:2182,zk3/app/b", "fe80::1%eth0", "a:1,b:2,"]),
        "shell_line" => text(&[
            "create -s -e /app/worker- \"I am 'here'\" world:anyone:cdrwa,auth::r",
            "set -v 3 /app -- -5",
            "ls -R -s /app; get -b '/a b'",
            "setquota -n 5 -B 100 /app",
        ]),
        other => panic!("no seeds for {other}"),
    }
}

const ZOO_CFG: &str = "\
# an ensemble
tickTime=2000
initLimit=10
syncLimit=5
dataDir=/nowhere
clientPort=2181
server.1=127.0.0.1:2888:3888:participant;0.0.0.0:2181
server.2=127.0.0.1:2889:3889:observer
group.1=1:2
weight.1=1
4lw.commands.whitelist=*
";

/// Frames of every op, after a connect request where that is wanted.
fn requests(with_connect: bool) -> Vec<u8> {
    let mut out = BytesMut::new();
    if with_connect {
        let request =
            ConnectRequest { timeout_ms: 10_000, password: Some(Bytes::from_static(&[0; 16])), ..Default::default() };
        frame::put(&mut out, |out| request.encode(out));
    }
    let create = |path: &str, flags| CreateRequest {
        path: path.into(),
        data: Some(Bytes::from_static(b"data")),
        acl: Acl::open(),
        flags,
    };
    let path = "/a".to_owned();
    let mut ask = |op: OpCode, body: &dyn Fn(&mut BytesMut)| {
        frame::put(&mut out, |out| {
            RequestHeader { xid: 1, op: op.code() }.encode(out);
            body(out);
        });
    };
    ask(OpCode::Create, &|out| create("/a", 0).encode(out));
    ask(OpCode::Create2, &|out| create("/a/s-", 3).encode(out));
    ask(OpCode::CreateContainer, &|out| create("/c", 4).encode(out));
    ask(OpCode::CreateTtl, &|out| {
        CreateTtlRequest { path: "/t".into(), data: None, acl: Acl::open(), flags: 5, ttl_ms: 1000 }.encode(out);
    });
    ask(OpCode::SetData, &|out| SetDataRequest { path: path.clone(), data: None, version: -1 }.encode(out));
    ask(OpCode::SetAcl, &|out| SetAclRequest { path: path.clone(), acl: Acl::read_only(), version: 0 }.encode(out));
    for op in [OpCode::Exists, OpCode::GetData, OpCode::GetChildren, OpCode::GetChildren2] {
        ask(op, &|out| PathRequest { path: path.clone(), watch: true }.encode(out));
    }
    for op in [OpCode::GetAcl, OpCode::Sync, OpCode::GetAllChildrenNumber, OpCode::GetEphemerals] {
        ask(op, &|out| PathOnly { path: path.clone() }.encode(out));
    }
    ask(OpCode::Multi, &|out| multi_request().encode(out));
    ask(OpCode::MultiRead, &|out| {
        MultiRequest { ops: vec![MultiOp::GetData(PathRequest { path: path.clone(), watch: false })] }.encode(out);
    });
    ask(OpCode::AddWatch, &|out| AddWatchRequest { path: path.clone(), mode: 1 }.encode(out));
    for op in [OpCode::CheckWatches, OpCode::RemoveWatches] {
        ask(op, &|out| WatchesRequest { path: path.clone(), kind: 3 }.encode(out));
    }
    ask(OpCode::SetWatches2, &|out| {
        SetWatches2 { data: vec![path.clone()], ..SetWatches2::default() }.encode(out);
    });
    ask(OpCode::Auth, &|out| {
        let auth = Some(Bytes::from_static(b"bob:secret"));
        AuthPacket { kind: 0, scheme: "digest".into(), auth }.encode(out);
    });
    ask(OpCode::Reconfig, &|out| {
        ReconfigRequest { joining: Some("server.1=a".into()), ..Default::default() }.encode(out);
    });
    ask(OpCode::Delete, &|out| PathVersion { path: path.clone(), version: -1 }.encode(out));
    ask(OpCode::Ping, &|_| {});
    ask(OpCode::WhoAmI, &|_| {});
    out.to_vec()
}

fn replies() -> Vec<u8> {
    let mut out = BytesMut::new();
    let password = Some(Bytes::from_static(&[1; 16]));
    let connected = ConnectResponse { timeout_ms: 10_000, session_id: 7, password, ..Default::default() };
    frame::put(&mut out, |out| connected.encode(out));
    let mut reply = |body: &dyn Fn(&mut BytesMut)| {
        frame::put(&mut out, |out| {
            ReplyHeader::default().encode(out);
            body(out);
        });
    };
    reply(&|out| GetDataResponse { data: Some(Bytes::from_static(b"x")), stat: Stat::default() }.encode(out));
    reply(&|out| WatcherEvent { path: "/a".into(), kind: 3, state: 3 }.encode(out));
    reply(&|out| multi_response().encode(out));
    reply(&|out| vec!["a".to_owned(), "b".to_owned()].encode(out));
    out.to_vec()
}

fn multi_request() -> MultiRequest {
    let version = PathVersion { path: "/a".into(), version: -1 };
    let set = SetDataRequest { path: "/a".into(), data: Some(Bytes::from_static(b"m")), version: 0 };
    MultiRequest { ops: vec![MultiOp::Check(version.clone()), MultiOp::SetData(set), MultiOp::Delete(version)] }
}

fn multi_response() -> MultiResponse {
    let results = vec![MultiResult::Checked, MultiResult::DataSet { stat: Stat::default() }, MultiResult::Deleted];
    MultiResponse { results }
}

/// A packet of kind 2 with a zxid, data and no identities.
fn quorum_packet() -> Vec<u8> {
    let mut out = vec![0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1];
    out.extend([0, 0, 0, 4]);
    out.extend(b"data");
    out.extend([0, 0, 0, 0]);
    out
}

/// The reference's logs, without the zeros they were grown by.
fn logs() -> Vec<Vec<u8>> {
    let log = |name: &str| {
        let mut bytes = fs::read(offline_files::vectors().join(name)).unwrap();
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(end);
        bytes
    };
    vec![log("log.1"), log("log.4d")]
}

fn entries(log: &[u8]) -> Vec<Vec<u8>> {
    let starts = offline_files::records(log);
    let ends = starts.iter().skip(1).copied().chain([log.len()]);
    starts.iter().zip(ends).map(|(start, end)| log[start + 12..end - 1].to_vec()).collect()
}

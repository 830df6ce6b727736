//! What is done with hostile bytes, one function for each decoder of bytes from outside. None may panic, hang, or take more memory than
//! its input justifies; what decodes must encode back to what was decoded. The fuzzer and `tests/fuzz_corpus.rs` share this file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use menagerie_core::auth::{self, AuthConfig};
use menagerie_core::client::Client;
use menagerie_core::jute::{Decode, Encode, Reader};
use menagerie_core::replica::read::{self, Caller};
use menagerie_core::replica::{Config, EventSink, Input, Output, Replica, Request, Route, Shared, Time, route};
use menagerie_core::server::ServerConfig;
use menagerie_core::server::config::FourLetterWords;
use menagerie_core::storage::snapshot::{self, SnapshotOptions};
use menagerie_core::storage::{Disk, LogReader, MemDisk, RecoverOptions, SnapshotFile, recover};
use menagerie_core::tree::{Change, DataTree, SnapshotCursor, node_digest};
use menagerie_core::wire::ensemble::Ensemble;
use menagerie_core::wire::proto::{
    AddWatchRequest, AuthPacket, ConnectRequest, ConnectResponse, Create2Response, CreateRequest, CreateTtlRequest,
    ErrorResponse, GetAclResponse, GetAllChildrenNumberResponse, GetChildren2Response, GetChildrenResponse,
    GetDataResponse, GetEphemeralsRequest, GetEphemeralsResponse, MultiRequest, MultiResponse, PathOnly, PathRequest,
    PathVersion, ReconfigRequest, ReplyHeader, RequestHeader, SaslToken, SetAclRequest, SetDataRequest, SetWatches,
    SetWatches2, StatResponse, WatcherEvent, WatchesRequest, WhoAmIResponse,
};
use menagerie_core::wire::quorum::{Greeting, Notification, Packet, take_packet};
use menagerie_core::wire::quota::Quota;
use menagerie_core::wire::txn::{Txn, TxnRecord};
use menagerie_core::wire::{Acl, EventKind, Id, OpCode, Perms, Zxid, frame, path};
use menagerie_core::zab::Write;

/// What is done with an input.
pub(crate) type Target = fn(&[u8]);

/// Every target by its name: that of its corpus and of its binary.
pub(crate) const TARGETS: [(&str, Target); 13] = [
    ("frames", frames),
    ("requests", requests),
    ("replies", replies),
    ("multi", multi),
    ("txn", txn),
    ("log_file", log_file),
    ("snapshot_file", snapshot_file),
    ("quorum", quorum),
    ("zoo_cfg", zoo_cfg),
    ("four_letter", four_letter),
    ("acl_quota", acl_quota),
    ("connect_string", connect_string),
    ("shell_line", shell_line),
];

/// The limit of frames, values and records here: small, so that inputs reach it.
const LIMIT: usize = 1 << 16;
const DIR: &str = "/data/version-2";

/// What decodes is the same again after it was encoded. (Nulls may have become empty, so bytes are compared from the second time on.)
fn round_trip<T: Decode + Encode + PartialEq + std::fmt::Debug>(bytes: &Bytes) {
    let Ok(value) = T::from_bytes(bytes) else { return };
    let encoded = value.to_bytes();
    match T::from_bytes(&encoded) {
        Ok(again) => assert_eq!(again.to_bytes(), encoded, "{value:?}"),
        Err(error) => panic!("what was encoded cannot be decoded: {error}: {value:?}"),
    }
}

/// A client's stream: the connect request, then one frame after the other.
pub(crate) fn frames(bytes: &[u8]) {
    let mut stream = BytesMut::from(bytes);
    let mut is_first = true;
    while let Ok(Some(frame)) = frame::take(&mut stream, LIMIT) {
        if is_first {
            round_trip::<ConnectRequest>(&frame);
        } else {
            request_record(&frame);
        }
        is_first = false;
    }
}

fn request_record(frame: &Bytes) {
    let mut reader = Reader::new(frame);
    let Ok(header) = RequestHeader::decode(&mut reader) else { return };
    let body = reader.rest();
    let (_, Some(op)) = route(header.op) else { return };
    match op {
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer => round_trip::<CreateRequest>(&body),
        OpCode::CreateTtl => round_trip::<CreateTtlRequest>(&body),
        OpCode::Delete | OpCode::Check => round_trip::<PathVersion>(&body),
        OpCode::SetData => round_trip::<SetDataRequest>(&body),
        OpCode::SetAcl => round_trip::<SetAclRequest>(&body),
        OpCode::Exists | OpCode::GetData | OpCode::GetChildren | OpCode::GetChildren2 => {
            round_trip::<PathRequest>(&body);
        }
        OpCode::GetAcl | OpCode::Sync | OpCode::GetAllChildrenNumber => round_trip::<PathOnly>(&body),
        OpCode::GetEphemerals => round_trip::<GetEphemeralsRequest>(&body),
        OpCode::Multi | OpCode::MultiRead => round_trip::<MultiRequest>(&body),
        OpCode::Reconfig => round_trip::<ReconfigRequest>(&body),
        OpCode::AddWatch => round_trip::<AddWatchRequest>(&body),
        OpCode::CheckWatches | OpCode::RemoveWatches => round_trip::<WatchesRequest>(&body),
        OpCode::SetWatches => round_trip::<SetWatches>(&body),
        OpCode::SetWatches2 => round_trip::<SetWatches2>(&body),
        OpCode::Auth => round_trip::<AuthPacket>(&body),
        OpCode::Sasl => round_trip::<SaslToken>(&body),
        _ => {}
    }
}

/// A member's machine with one session, which is asked whatever the frames say: nothing may stop it, and its tree's digest is that of
/// its znodes afterwards.
pub(crate) fn requests(bytes: &[u8]) {
    let mut member = Member::new();
    let mut stream = BytesMut::from(bytes);
    while let Ok(Some(frame)) = frame::take(&mut stream, LIMIT) {
        member.ask(&frame);
    }
    member.check();
}

struct Nobody;

impl EventSink for Nobody {
    fn deliver(&self, _: EventKind, _: &BTreeSet<u64>, _: &[Acl], _: Bytes) {}

    fn reply(&self, _: u64, _: Bytes, _: bool) {}
}

struct Member {
    replica: Replica,
    shared: Arc<Shared>,
    auth: AuthConfig,
    ids: Arc<[Id]>,
    session: i64,
    now: Time,
}

impl Member {
    fn new() -> Self {
        let auth = AuthConfig::default();
        let config = Config {
            extended_types_enabled: true,
            enforce_quota: true,
            reconfig_enabled: true,
            max_txn_bytes: LIMIT,
            auth: auth.clone(),
            ..Config::new(1)
        };
        let shared = Arc::new(Shared::new(DataTree::new(), BTreeMap::new(), Box::new(Nobody)));
        let now = Time { monotonic_ms: 0, wall_ms: 1_000 };
        let ids = vec![Id::new("ip", "127.0.0.1"), Id::new("digest", "bob:fyVmFCwVbTJYrznoSu1koqYEYF0=")].into();
        let replica = Replica::new(config, Arc::clone(&shared), now);
        let mut member = Member { replica, shared, auth, ids, session: 0, now };
        let request = ConnectRequest { timeout_ms: 10_000, ..ConnectRequest::default() };
        member.feed(Input::Connect { conn: 1, request });
        member.session = member.shared.sessions().keys().next().copied().unwrap_or(0);
        member
    }

    fn ask(&mut self, frame: &Bytes) {
        let mut reader = Reader::new(frame);
        let Ok(header) = RequestHeader::decode(&mut reader) else { return };
        let (body, xid) = (reader.rest(), header.xid);
        match route(header.op) {
            (Route::Read, Some(op)) => {
                let caller = Caller { conn: 1, session: self.session, ids: &self.ids, auth: &self.auth };
                let mut out = BytesMut::new();
                read::serve(&self.shared, &self.shared.tree(), caller, xid, op, &body, &mut out);
                // One whole frame at least, and none that a client could not take apart.
                assert!(out.len() >= 4, "{op:?} was not answered");
                while !out.is_empty() {
                    assert!(matches!(frame::take(&mut out, 64 << 20), Ok(Some(_))), "{op:?}: no frame");
                }
            }
            (Route::Member, Some(op)) if op != OpCode::CloseSession => {
                let ids = Arc::clone(&self.ids);
                self.feed(Input::Request(Request { conn: 1, session: self.session, ids, xid, op, body }));
            }
            (Route::Auth, _) => {
                if let Ok(packet) = AuthPacket::from_bytes(&body) {
                    let _ = auth::authenticate(&self.auth, &packet.scheme, packet.auth.as_deref(), "127.0.0.1");
                }
            }
            _ => {}
        }
        self.now.monotonic_ms += 1;
        self.feed(Input::Tick);
    }

    /// Everything is on disk at once.
    fn feed(&mut self, input: Input) {
        self.replica.handle(self.now, input);
        while let Some(output) = self.replica.poll_output() {
            if let Output::Persist { ticket, write: Write::Append { zxid, payload } } = output {
                assert!(TxnRecord::from_bytes(&payload).is_ok(), "the log could not be read back at {zxid}");
                self.replica.handle(self.now, Input::Persisted { through: ticket });
            }
        }
    }

    fn check(&self) {
        let tree = self.shared.tree();
        let mut digest = 0_u64;
        let mut cursor = SnapshotCursor::new(&tree);
        cursor.next_batch(&tree, usize::MAX, |visited| {
            let node = visited.node;
            digest = digest.wrapping_add(node_digest(node.path(), node.data(), node.persisted()));
            true
        });
        assert_eq!(digest, tree.digest());
        assert_eq!(self.replica.outstanding(), 0);
    }
}

/// What a server sends, as clients decode it.
pub(crate) fn replies(bytes: &[u8]) {
    let mut stream = BytesMut::from(bytes);
    while let Ok(Some(frame)) = frame::take(&mut stream, LIMIT) {
        round_trip::<ConnectResponse>(&frame);
        let mut reader = Reader::new(&frame);
        if ReplyHeader::decode(&mut reader).is_err() {
            continue;
        }
        let body = reader.rest();
        round_trip::<WatcherEvent>(&body);
        round_trip::<Create2Response>(&body);
        round_trip::<StatResponse>(&body);
        round_trip::<GetDataResponse>(&body);
        round_trip::<GetAclResponse>(&body);
        round_trip::<GetChildrenResponse>(&body);
        round_trip::<GetChildren2Response>(&body);
        round_trip::<GetEphemeralsResponse>(&body);
        round_trip::<GetAllChildrenNumberResponse>(&body);
        round_trip::<WhoAmIResponse>(&body);
        round_trip::<SaslToken>(&body);
        round_trip::<ErrorResponse>(&body);
        round_trip::<MultiResponse>(&body);
        round_trip::<String>(&body);
    }
}

/// The records of a multi and of its reply.
pub(crate) fn multi(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    round_trip::<MultiRequest>(&bytes);
    round_trip::<MultiResponse>(&bytes);
}

/// One transaction, as logs and proposals carry it: applied twice, the tree is as after the first time.
pub(crate) fn txn(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    round_trip::<TxnRecord>(&bytes);
    let Ok(record) = TxnRecord::from_bytes(&bytes) else { return };
    let mut tree = DataTree::new();
    let mut changes: Vec<Change> = Vec::new();
    tree.apply(&record.header, &record.txn, &mut changes);
    let once = (tree.digest(), tree.len());
    tree.apply(&record.header, &record.txn, &mut changes);
    if is_idempotent(&record.txn) {
        assert_eq!((tree.digest(), tree.len()), once, "{record:?}");
    }
}

/// Not a multi, which may undo what it does, nor a create from before 3.4, which does not say the parent's cversion.
fn is_idempotent(txn: &Txn) -> bool {
    match txn {
        Txn::Multi(_) => false,
        Txn::Create(_, create) | Txn::CreateContainer(create) | Txn::CreateTtl(create, _) => {
            create.parent_cversion != -1
        }
        _ => true,
    }
}

/// A log, read in every way there is, and a directory that holds nothing else.
pub(crate) fn log_file(bytes: &[u8]) {
    let path = Path::new(DIR).join("log.1");
    let mem = MemDisk::new();
    mem.plant(&path, bytes);
    let disk: Arc<dyn Disk> = Arc::new(mem);
    if let Ok(mut reader) = LogReader::open(&disk, &path, LIMIT) {
        let mut damages = 0;
        loop {
            match reader.next_entry() {
                Ok(Some(entry)) => {
                    assert!(entry.offset < bytes.len() as u64);
                    let _ = entry.decode();
                }
                Ok(None) => break,
                Err(error) => {
                    assert!(error.is_corruption() && error.offset().is_some(), "{error}");
                    damages += 1;
                    if !matches!(reader.skip_damage(), Ok(Some(_))) {
                        break;
                    }
                }
            }
        }
        assert!(damages <= bytes.len());
    }
    if let Ok(mut reader) = LogReader::open(&disk, &path, LIMIT) {
        while let Ok(Some((entry, _))) = reader.next_unchecked() {
            let _ = entry.decode();
        }
    }
    let options = RecoverOptions { trust_empty: true, max_entry_bytes: LIMIT, seed: 1 };
    let _ = recover(&disk, Path::new(DIR), Path::new(DIR), &options);
}

/// A snapshot, as a file and as a stream. One that can be read is the same tree again after it was written.
pub(crate) fn snapshot_file(bytes: &[u8]) {
    let mem = MemDisk::new();
    let file = SnapshotFile { zxid: Zxid(7), path: PathBuf::from(DIR).join("snapshot.7"), compression: None };
    mem.plant(&file.path, bytes);
    let _ = snapshot::is_plausible(&mem, &file);
    let _ = snapshot::read_stream(bytes, Zxid(7), LIMIT, 1);
    let Ok(image) = snapshot::read(&mem, &file, LIMIT, 1) else { return };
    let cursor = SnapshotCursor::new(&image.tree);
    let options = SnapshotOptions::default();
    let written = snapshot::write(&mem, Path::new(DIR), cursor, &image.sessions, &options, |see| see(&image.tree));
    assert!(written.is_ok());
    match snapshot::read(&mem, &file, LIMIT, 2) {
        // Nodes created after the snapshot's own zxid are left out of it.
        Ok(again) => assert!(again.tree.len() <= image.tree.len() && again.sessions == image.sessions),
        Err(error) => panic!("what was written cannot be read: {error}"),
    }
}

/// What members of an ensemble say to each other.
pub(crate) fn quorum(bytes: &[u8]) {
    let mut stream = BytesMut::from(bytes);
    let _ = Greeting::take(&mut stream);
    let mut stream = BytesMut::from(bytes);
    while let Ok(Some(packet)) = take_packet(&mut stream, LIMIT) {
        let _ = Packet::try_from(packet);
    }
    round_trip::<Notification>(&Bytes::copy_from_slice(bytes));
}

/// A configuration file. Host names are not resolved here: that would ask the network.
pub(crate) fn zoo_cfg(bytes: &[u8]) {
    let asks_network = bytes.windows(11).any(|window| window.eq_ignore_ascii_case(b"PortAddress"));
    let Ok(directory) = tempfile::tempdir() else { return };
    let file = directory.path().join("zoo.cfg");
    if asks_network || std::fs::write(&file, bytes).is_err() {
        return;
    }
    match ServerConfig::from_args(&[file.display().to_string()]) {
        Ok(config) => drop(config.require_sense()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        round_trip_text::<Ensemble>(text);
    }
}

/// The list of four-letter words that are allowed.
pub(crate) fn four_letter(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let words = FourLetterWords::parse(&text);
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        assert!(words.allows(word));
    }
    assert!(words.allows("srvr"));
}

/// The texts of access lists and quotas, and paths.
pub(crate) fn acl_quota(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    round_trip_text::<Quota>(&text);
    let _ = Quota::from_data(Some(bytes));
    let _ = path::validate(&text);
    let config = AuthConfig::default();
    let mut acl = Vec::new();
    for part in text.split(',') {
        let (scheme, rest) = part.split_once(':').unwrap_or((part, ""));
        let (id, perms) = rest.rsplit_once(':').unwrap_or((rest, ""));
        acl.push(Acl::new(Perms::parse(perms).unwrap_or(Perms::ALL), scheme, id));
    }
    let ids = [Id::new("ip", "127.0.0.1"), Id::new("ip", "::1"), Id::new("digest", "bob:x")];
    let _ = auth::permits(&config, &acl, &ids, Perms::READ);
    if let Ok(normal) = auth::normalise(&config, &acl, &ids, LIMIT) {
        assert!(!normal.is_empty());
        assert_eq!(auth::normalise(&config, &normal, &ids, LIMIT).as_ref(), Ok(&normal));
    }
    let _ = auth::authenticate(&config, "digest", Some(bytes), &text);
}

/// What a client is told of its servers. It is not let connect.
pub(crate) fn connect_string(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let _inside = runtime.enter();
    if let Err(error) = Client::builder().hosts(&*text).connect_lazily() {
        assert!(!error.to_string().is_empty());
    }
}

/// A line typed into the shell.
pub(crate) fn shell_line(bytes: &[u8]) {
    let line = String::from_utf8_lossy(bytes);
    if let Err(failure) = menagerie_core::cli::understand(&line) {
        assert!(!failure.to_string().is_empty());
    }
}

fn round_trip_text<T: std::str::FromStr + std::fmt::Display>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let shown = value.to_string();
        let Ok(again) = shown.parse::<T>() else { panic!("{shown:?} was printed and cannot be read") };
        assert_eq!(again.to_string(), shown);
    }
}

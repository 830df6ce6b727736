//! Clients that cost a server more than they should, beside one that must not notice: readers that stop reading,
//! connections that come and go, requests of which only the beginning arrives. Memory is measured from outside.
//!
//! With `MENAGERIE_FULL=1` the numbers are those that the book tells; otherwise a tenth, so that everybody can run it.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use menagerie_core::jute::Encode;
use menagerie_core::wire::proto::{
    AddWatchRequest, ConnectRequest, CreateRequest, PathRequest, RequestHeader, SetDataRequest,
};
use menagerie_core::wire::{Acl, AddWatchMode, OpCode, frame};
use menagerie_integration::healthy::Healthy;
use menagerie_integration::hostile::Soak;
use menagerie_integration::raw::RawConnection;
use menagerie_integration::server::Server;
use menagerie_integration::software::Software;
use menagerie_integration::{TestResult, four_letter, process};

/// What the server may hold more than before, whatever is done to it here. Generous: a hundred readers that stop reading
/// would hold more than a gigabyte if each could hold what it asked for.
const MOST_GROWTH_KIB: u64 = 160 << 10;
/// A client that asks for so much reads none of it.
const ASKED_FOR: usize = 3000;
const VALUE_BYTES: usize = 500_000;

fn full() -> bool {
    std::env::var_os("MENAGERIE_FULL").is_some()
}

/// The number that the book tells, or a tenth of it.
fn number(of: usize) -> usize {
    if full() { of } else { of / 10 }
}

/// A server with a healthy client, and its memory before the abuse.
struct Bench {
    server: Server,
    healthy: Healthy,
    before_kib: u64,
}

impl Bench {
    fn start(settings: &[(&str, &str)]) -> TestResult<Self> {
        let settings: Vec<_> =
            [("maxSessionTimeout", "60000"), ("preAllocSize", "1024")].iter().chain(settings).copied().collect();
        let server = Server::start_with(Software::menagerie()?, &settings)?;
        let healthy = Healthy::start(server.connect_string(), "healthy");
        std::thread::sleep(Duration::from_millis(200));
        let before_kib = process::rss_kib(server.pid().ok_or("stopped")?)?;
        Ok(Self { server, healthy, before_kib })
    }

    fn monitored(&self, name: &str) -> TestResult<u64> {
        let answer = four_letter::ask(self.server.port(), "mntr")?;
        let value = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
        Ok(value.ok_or_else(|| format!("no {name} in {answer}"))?.parse()?)
    }

    /// Waits until a name of `mntr` has such a value. Gives up after a minute.
    fn wait_for(&self, name: &str, wanted: impl Fn(u64) -> bool) -> TestResult<u64> {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let value = self.monitored(name)?;
            if wanted(value) {
                return Ok(value);
            }
            if Instant::now() > deadline {
                return Err(format!("{name} stays {value}").into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Memory is bounded now.
    fn check_memory(&self, what: &str) -> TestResult {
        let now_kib = process::rss_kib(self.server.pid().ok_or("stopped")?)?;
        println!("{what}: server memory {} KiB before, {now_kib} KiB now", self.before_kib);
        let grown = now_kib.saturating_sub(self.before_kib);
        assert!(grown < MOST_GROWTH_KIB, "{what}: memory grew by {grown} KiB");
        Ok(())
    }

    /// The healthy client saw no error, and what it wrote is there.
    fn finish(self, what: &str) -> TestResult {
        let record = self.healthy.stop().map_err(|error| format!("beside {what}: {error}"))?;
        println!("{what}: {} healthy writes, the slowest took {:?}", record.writes, record.slowest);
        assert!(record.writes > 0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(record.check(&self.server.connect_string()))
    }
}

#[test]
fn readers_that_stop_reading_replies_cost_little_and_hurt_nobody() -> TestResult {
    let bench = Bench::start(&[])?;
    let port = bench.server.port();
    let mut first = RawConnection::open(port)?;
    first.open_session()?;
    first.request(1, OpCode::Create, &create("/big", Some(Bytes::from(vec![7; VALUE_BYTES]))))?;
    let read = request(2, OpCode::GetData, &PathRequest { path: "/big".to_owned(), watch: false });
    let mut readers = Vec::new();
    for _ in 0..number(100) {
        let mut reader = RawConnection::open(port)?;
        reader.open_session_for(60_000)?;
        reader.send_bytes(&read.repeat(ASKED_FOR))?;
        readers.push(reader);
    }
    let stuck = readers.len() as u64;
    bench.wait_for("zk_menagerie_connections_not_taking", |waiting| waiting >= stuck)?;
    let what = format!("{stuck} readers that asked for {} MB each", ASKED_FOR * VALUE_BYTES / 1_000_000);
    bench.check_memory(&what)?;
    drop(readers);
    bench.wait_for("zk_menagerie_connections_not_taking", |waiting| waiting == 0)?;
    bench.finish(&what)
}

#[test]
fn readers_that_stop_reading_events_cost_little_and_are_cut_off() -> TestResult {
    let bench = Bench::start(&[])?;
    let port = bench.server.port();
    let watch = AddWatchRequest { path: "/".to_owned(), mode: AddWatchMode::PersistentRecursive.code() };
    let mut readers = Vec::new();
    for _ in 0..number(20) {
        let mut reader = RawConnection::open(port)?;
        reader.open_session_for(60_000)?;
        reader.request(1, OpCode::AddWatch, &watch)?;
        readers.push(reader);
    }
    // Long paths, so that few writes fill the queues.
    let path = format!("/{}", "long".repeat(10_000));
    let mut writer = RawConnection::open(port)?;
    writer.open_session_for(60_000)?;
    writer.request(1, OpCode::Create, &create(&path, None))?;
    let set = SetDataRequest { path, data: None, version: -1 };
    let mut writes = 1;
    let cut = readers.len() as u64;
    while bench.monitored("zk_menagerie_slow_readers_closed")? < cut {
        for _ in 0..20 {
            writes += 1;
            writer.request(writes, OpCode::SetData, &set)?;
        }
        assert!(writes < 5000, "nobody was cut off");
    }
    let what = format!("{cut} readers of {writes} events of 40 kB");
    bench.check_memory(&what)?;
    for reader in readers {
        reader.wait_for_hang_up()?;
    }
    bench.wait_for("zk_menagerie_outgoing_queue_bytes", |bytes| bytes == 0)?;
    bench.finish(&what)
}

#[test]
fn connections_that_come_and_go_leave_nothing() -> TestResult {
    let bench = Bench::start(&[])?;
    let (port, pid) = (bench.server.port(), bench.server.pid().ok_or("stopped")?);
    let files = process::open_files(pid)?;
    let hello = frame::of(&ConnectRequest { timeout_ms: 1000, ..ConnectRequest::default() });
    let all = number(10_000);
    for each in 0..all {
        let mut connection = std::net::TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, port))?;
        // A third says nothing, a third half of it, a third opens a session and goes.
        let said = [0, hello.len() / 2, hello.len()][each % 3];
        connection.write_all(hello.get(..said).unwrap_or_default())?;
        if said == hello.len() {
            connection.read_exact(&mut [0; 4])?;
        }
    }
    // The healthy one, and the one that asks.
    bench.wait_for("zk_num_alive_connections", |alive| alive == 2)?;
    bench.wait_for("zk_global_sessions", |sessions| sessions == 1)?;
    // The healthy client goes on, and may have one in work at any moment.
    bench.wait_for("zk_outstanding_requests", |requests| requests == 0)?;
    // The server forgets a connection a moment before it closes its socket.
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let left = process::open_files(pid)?;
        if left <= files + 2 {
            break;
        }
        assert!(Instant::now() < deadline, "{left} files are open, {files} were before");
        std::thread::sleep(Duration::from_millis(20));
    }
    let what = format!("{all} connections opened and dropped");
    bench.check_memory(&what)?;
    bench.finish(&what)
}

#[test]
fn half_sent_frames_cost_little_and_those_without_a_session_are_closed() -> TestResult {
    let bench = Bench::start(&[("nio.sessionlessCnxnTimeout", "2000")])?;
    let port = bench.server.port();
    let hello = frame::of(&ConnectRequest { timeout_ms: 60_000, ..ConnectRequest::default() });
    let announced = request(
        1,
        OpCode::SetData,
        &SetDataRequest { path: "/".to_owned(), data: Some(Bytes::from(vec![7; 900_000])), version: -1 },
    );
    let half = announced.get(..50_000).ok_or("too short")?;
    let (mut with_session, mut without) = (Vec::new(), Vec::new());
    let all = number(1000);
    for each in 0..all {
        let mut connection = RawConnection::open(port)?;
        if each % 2 == 0 {
            connection.send_bytes(&hello)?;
            connection.receive()?;
            connection.send_bytes(half)?;
            with_session.push(connection);
        } else {
            connection.send_bytes(hello.get(..30).ok_or("too short")?)?;
            without.push(connection);
        }
    }
    let waiting = (with_session.len() * half.len()) as u64;
    bench.wait_for("zk_menagerie_input_bytes", |bytes| bytes == waiting)?;
    let what = format!("{all} half-sent frames");
    bench.check_memory(&what)?;
    let closed = without.len() as u64;
    for connection in without {
        connection.wait_for_hang_up()?;
    }
    assert_eq!(bench.monitored("zk_sessionless_connections_expired")?, closed);
    // The rest may still come.
    if let Some(patient) = with_session.first_mut() {
        patient.send_bytes(announced.get(50_000..).ok_or("too short")?)?;
        assert!(patient.receive()?.len() > 16);
    }
    drop(with_session);
    bench.wait_for("zk_menagerie_input_bytes", |bytes| bytes == 0)?;
    bench.finish(&what)
}

/// A client that is not let in is hung up on at once, and the others go on.
#[test]
fn limits_on_connections_and_new_sessions_hold() -> TestResult {
    let server =
        Server::start_with(Software::menagerie()?, &[("maxClientCnxns", "5"), ("maxSessionTimeout", "60000")])?;
    let open = || -> TestResult<RawConnection> {
        let mut connection = RawConnection::open(server.port())?;
        connection.open_session_for(60_000)?;
        Ok(connection)
    };
    let mut five = Vec::new();
    for _ in 0..5 {
        five.push(open()?);
    }
    RawConnection::open(server.port())?.wait_for_hang_up()?;
    five.pop();
    // A four-letter word takes a place as well, as soon as that of the connection that is gone is given back.
    let deadline = Instant::now() + Duration::from_mins(1);
    let rejected = loop {
        match four_letter::ask(server.port(), "mntr") {
            Ok(answer) if !answer.is_empty() => break answer,
            _ => assert!(Instant::now() < deadline, "the place of a connection that is gone was not given back"),
        }
    };
    assert!(rejected.lines().any(|line| line.starts_with("zk_connection_rejected\t") && !line.ends_with("\t0")));

    let tokens = [("connection_throttle_tokens", "2"), ("connection_throttle_fill_time", "1000000")];
    let server = Server::start_with(Software::menagerie()?, &tokens)?;
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let mut connection = RawConnection::open(server.port())?;
        connection.open_session()?;
        sessions.push(connection);
    }
    let mut refused = RawConnection::open(server.port())?;
    refused.send(&ConnectRequest { timeout_ms: 10_000, ..ConnectRequest::default() })?;
    refused.wait_for_hang_up()?;
    let monitor = four_letter::ask(server.port(), "mntr")?;
    for line in ["zk_connection_rejected\t1", "zk_connection_request_count\t3", "zk_max_connection_token_deficit\t2"] {
        assert!(monitor.lines().any(|given| given == line), "no {line} in {monitor}");
    }
    Ok(())
}

/// The program `hostile` runs it for minutes.
#[test]
fn a_few_seconds_of_hostile_frames() -> TestResult {
    let outcome = Soak { duration: Duration::from_secs(4), seed: 1 }.run(Software::menagerie()?)?;
    println!("{outcome}");
    assert!(outcome.sent > 100 && outcome.opened > 10 && outcome.writes > 10, "{outcome}");
    Ok(())
}

fn create(path: &str, data: Option<Bytes>) -> CreateRequest {
    CreateRequest { path: path.to_owned(), data, acl: Acl::open(), flags: 0 }
}

fn request(xid: i32, op: OpCode, record: &impl Encode) -> Bytes {
    let mut out = BytesMut::new();
    frame::put(&mut out, |out| {
        RequestHeader { xid, op: op.code() }.encode(out);
        record.encode(out);
    });
    out.freeze()
}

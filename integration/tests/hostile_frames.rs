//! What a hostile or broken peer sends closes its own connection and nothing else: a healthy session beside it keeps
//! being served, and new ones are accepted. The reference must pass the same test.

use menagerie_core::wire::OpCode;
use menagerie_core::wire::proto::PathRequest;
use menagerie_integration::TestResult;
use menagerie_integration::raw::RawConnection;
use menagerie_integration::server::Server;
use menagerie_integration::software::Software;

/// Bytes that a server must hang up on, sent instead of the connect request or after it.
const HOSTILE: &[(&str, &[u8])] = &[
    ("a negative length", &[0xff, 0xff, 0xff, 0xfe]),
    ("the smallest length", &[0x80, 0, 0, 0]),
    ("a length of two gigabytes", &[0x7f, 0xff, 0xff, 0xff]),
    ("a length one above jute.maxbuffer", &[0x00, 0x10, 0x00, 0x00]),
    ("a browser's request", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("an empty frame", &[0, 0, 0, 0]),
    ("a frame too short for its header", &[0, 0, 0, 3, 1, 2, 3]),
    ("a TLS hello", &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]),
];

/// A whole frame of noise where the connect request should be: its password claims to be longer than the frame.
const NOISE: &[u8] = &[
    0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x27, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0x70, 0, 0, 0, 1, 2, 3,
    4,
];

#[test]
fn menagerie_hangs_up_on_hostile_frames_only() -> TestResult {
    let server = Server::start(Software::menagerie()?)?;
    hostile_frames(&server)
}

#[test]
fn the_reference_hangs_up_on_hostile_frames_only() -> TestResult {
    let Some(software) = Software::reference()? else { return Ok(()) };
    hostile_frames(&Server::start(software)?)
}

#[test]
fn menagerie_logs_whom_it_hung_up_on() -> TestResult {
    let server = Server::start(Software::menagerie()?)?;
    for (what, bytes) in HOSTILE {
        let mut hostile = RawConnection::open(server.port())?;
        let port = hostile.local_address()?.port();
        hostile.open_session()?;
        hostile.send_bytes(bytes)?;
        hostile.wait_for_hang_up().map_err(|error| format!("{what}: {error}"))?;
        let log = server.log();
        assert!(
            log.lines().any(|line| line.contains(&format!("127.0.0.1:{port}"))),
            "{what}: no line about it:\n{log}"
        );
    }
    Ok(())
}

fn hostile_frames(server: &Server) -> TestResult {
    let mut healthy = RawConnection::open(server.port())?;
    let session = healthy.open_session()?;
    assert_ne!(session.session_id, 0);
    let mut xid = 0;
    let mut still_served = |what: &str| -> TestResult {
        xid += 1;
        let root = PathRequest { path: "/".to_owned(), watch: false };
        let (header, _) =
            healthy.request(xid, OpCode::Exists, &root).map_err(|error| format!("beside {what}: {error}"))?;
        assert_eq!((header.xid, header.err), (xid, 0), "beside {what}");
        Ok(())
    };
    still_served("nothing")?;

    for (what, bytes) in HOSTILE.iter().chain(&[("noise", NOISE)]) {
        let mut first = RawConnection::open(server.port())?;
        first.send_bytes(bytes)?;
        first.wait_for_hang_up().map_err(|error| format!("{what} instead of a connect request: {error}"))?;
        still_served(what)?;
    }
    for (what, bytes) in HOSTILE {
        let mut later = RawConnection::open(server.port())?;
        later.open_session()?;
        later.send_bytes(bytes)?;
        later.wait_for_hang_up().map_err(|error| format!("{what} in a session: {error}"))?;
        still_served(what)?;
    }

    // Half a frame is no crime: the rest may come. It must not keep anyone else waiting.
    let mut halves = Vec::new();
    for length in 0..20_u8 {
        let mut half = RawConnection::open(server.port())?;
        half.open_session()?;
        half.send_bytes(&[0, 0, 0, 200])?;
        half.send_bytes(&vec![0; usize::from(length)])?;
        halves.push(half);
    }
    still_served("twenty halves of frames")?;
    drop(halves);
    still_served("twenty connections cut within a frame")?;
    RawConnection::open(server.port())?.open_session()?;
    Ok(())
}

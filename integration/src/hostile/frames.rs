//! Requests of every operation, and what becomes of them when bytes are changed, lost or invented. All from one seed.

use bytes::{Bytes, BytesMut};
use fastrand::Rng;
use menagerie_core::jute::Encode;
use menagerie_core::wire::proto::{
    AddWatchRequest, AuthPacket, ConnectRequest, CreateRequest, CreateTtlRequest, GetEphemeralsRequest, MultiOp,
    MultiRequest, PathOnly, PathRequest, PathVersion, ReconfigRequest, RequestHeader, SaslToken, SetAclRequest,
    SetDataRequest, SetWatches, SetWatches2, WatchesRequest,
};
use menagerie_core::wire::{Acl, OpCode, Zxid, frame};

/// Everything hostile stays below this znode, as far as it is a valid request at all.
pub const HOME: &str = "/hostile";

/// A connect request that a server accepts, for a short session.
pub fn connect() -> ConnectRequest {
    let password = Some(Bytes::from_static(&[0; 16]));
    ConnectRequest { timeout_ms: 1000, password, read_only: Some(false), ..ConnectRequest::default() }
}

/// A connect request of odd values.
pub fn odd_connect(rng: &mut Rng) -> Bytes {
    let mut request = connect();
    match rng.u8(..5) {
        0 => request.timeout_ms = rng.i32(..),
        1 => request.session_id = rng.i64(..),
        2 => request.last_zxid_seen = Zxid(rng.i64(..)),
        3 => request.password = Some(noise(rng, 5000)),
        _ => request.protocol_version = rng.i32(..),
    }
    frame::of(&request)
}

/// A valid request of any operation, or one that has a valid form and an operation of no meaning.
pub fn valid(rng: &mut Rng) -> Bytes {
    let (xid, path) = (rng.i32(..), path(rng));
    let version = if rng.bool() { -1 } else { rng.i32(..5) };
    let watch = rng.bool();
    let read = || PathRequest { path: path.clone(), watch };
    let only = || PathOnly { path: path.clone() };
    let watches = |rng: &mut Rng| WatchesRequest { path: path.clone(), kind: rng.i32(0..6) };
    match rng.u8(..26) {
        0 | 1 => request(xid, OpCode::Create, &create(rng, &path)),
        2 => request(xid, OpCode::Create2, &create(rng, &path)),
        3 => request(xid, OpCode::CreateContainer, &CreateRequest { flags: 4, ..create(rng, &path) }),
        4 => {
            let CreateRequest { path, data, acl, .. } = create(rng, &path);
            request(xid, OpCode::CreateTtl, &CreateTtlRequest { path, data, acl, flags: 5, ttl_ms: 1000 })
        }
        5 => request(xid, OpCode::Delete, &PathVersion { path, version }),
        6 => request(xid, OpCode::Exists, &read()),
        7 | 8 => request(xid, OpCode::GetData, &read()),
        9 | 10 => request(xid, OpCode::SetData, &set(rng, &path, version)),
        11 => request(xid, OpCode::GetAcl, &only()),
        12 => request(xid, OpCode::SetAcl, &SetAclRequest { path, acl: Acl::open(), version }),
        13 => request(xid, OpCode::GetChildren, &read()),
        14 => request(xid, OpCode::GetChildren2, &read()),
        15 => request(xid, OpCode::Sync, &only()),
        16 => request(xid, OpCode::GetAllChildrenNumber, &only()),
        17 => request(xid, OpCode::GetEphemerals, &GetEphemeralsRequest { prefix: Some(path) }),
        18 => multi(rng, &path, version),
        19 => request(xid, OpCode::AddWatch, &AddWatchRequest { path, mode: rng.i32(0..3) }),
        20 => {
            let body = watches(rng);
            request(xid, if watch { OpCode::CheckWatches } else { OpCode::RemoveWatches }, &body)
        }
        21 => watches_again(rng, path),
        22 => credentials(rng),
        23 => request(xid, OpCode::Reconfig, &ReconfigRequest { joining: Some(path), ..Default::default() }),
        24 => {
            let op = if watch { OpCode::WhoAmI } else { OpCode::CloseSession };
            framed(&RequestHeader { xid, op: op.code() }, |_| {})
        }
        _ => {
            let (op, rest) = (rng.i32(-20..120), noise(rng, 40));
            framed(&RequestHeader { xid, op }, |out| out.extend_from_slice(&rest))
        }
    }
}

/// The request with something wrong: bytes changed, cut off, put in, a length that lies, or another request inside.
pub fn mutated(rng: &mut Rng, request: &[u8]) -> Vec<u8> {
    let mut bytes = request.to_vec();
    for _ in 0..rng.usize(1..4) {
        let at = rng.usize(..=bytes.len().saturating_sub(1));
        match rng.u8(..7) {
            0 | 1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << rng.u8(..8)),
            2 => bytes.truncate(at),
            3 => {
                let put = noise(rng, 16);
                bytes.splice(at..at, put);
            }
            // A length in the middle: of a string, a buffer, a list.
            4 => overwrite(&mut bytes, at / 4 * 4, &odd_length(rng).to_be_bytes()),
            // The frame's own length.
            5 => overwrite(&mut bytes, 0, &odd_length(rng).to_be_bytes()),
            // A request that is longer or shorter than its record, of the right length.
            _ => {
                let length = bytes.len().saturating_sub(4) as u32;
                overwrite(&mut bytes, 0, &length.to_be_bytes());
            }
        }
    }
    bytes
}

/// Up to so many bytes of no meaning.
pub fn noise(rng: &mut Rng, most: usize) -> Bytes {
    let length = rng.usize(..=most);
    std::iter::repeat_with(|| rng.u8(..)).take(length).collect()
}

fn odd_length(rng: &mut Rng) -> i32 {
    match rng.u8(..5) {
        0 => rng.i32(..),
        1 => -rng.i32(1..100),
        2 => i32::MAX - rng.i32(0..16),
        3 => rng.i32(0..200),
        _ => 0x000f_ffff + rng.i32(-2..3),
    }
}

fn overwrite(bytes: &mut [u8], at: usize, with: &[u8]) {
    for (byte, new) in bytes.iter_mut().skip(at).zip(with) {
        *byte = *new;
    }
}

/// One of few: what they hold must not grow.
fn path(rng: &mut Rng) -> String {
    match rng.u8(..3) {
        0 => HOME.to_owned(),
        1 => format!("{HOME}/{}", rng.u8(..20)),
        _ => format!("{HOME}/{}/{}", rng.u8(..20), rng.u8(..5)),
    }
}

fn create(rng: &mut Rng, path: &str) -> CreateRequest {
    let flags = rng.i32(0..2);
    CreateRequest { path: path.to_owned(), data: Some(noise(rng, 200)), acl: Acl::open(), flags }
}

fn set(rng: &mut Rng, path: &str, version: i32) -> SetDataRequest {
    // Now and then one that a few readers notice.
    let most = if rng.u8(..20) == 0 { 200_000 } else { 500 };
    SetDataRequest { path: path.to_owned(), data: Some(noise(rng, most)), version }
}

fn multi(rng: &mut Rng, path: &str, version: i32) -> Bytes {
    let (xid, read) = (rng.i32(..), rng.bool());
    let mut ops = Vec::new();
    for _ in 0..rng.usize(..8) {
        let path = path.to_owned();
        ops.push(match (read, rng.u8(..4)) {
            (true, 0 | 1) => MultiOp::GetData(PathRequest { path, watch: false }),
            (true, _) => MultiOp::GetChildren(PathRequest { path, watch: false }),
            (false, 0) => MultiOp::Check(PathVersion { path, version }),
            (false, 1) => MultiOp::Create(OpCode::Create, create(rng, &path)),
            (false, 2) => MultiOp::Delete(PathVersion { path, version }),
            (false, _) => MultiOp::SetData(set(rng, &path, version)),
        });
    }
    request(xid, if read { OpCode::MultiRead } else { OpCode::Multi }, &MultiRequest { ops })
}

fn watches_again(rng: &mut Rng, path: String) -> Bytes {
    let (xid, relative_zxid, paths) = (rng.i32(..), Zxid(rng.i64(..)), vec![path]);
    if rng.bool() {
        let (data, exist, child) = (paths.clone(), paths.clone(), paths);
        return request(xid, OpCode::SetWatches, &SetWatches { relative_zxid, data, exist, child });
    }
    let watches = SetWatches2 { relative_zxid, data: paths.clone(), persistent_recursive: paths, ..Default::default() };
    request(xid, OpCode::SetWatches2, &watches)
}

fn credentials(rng: &mut Rng) -> Bytes {
    let xid = rng.i32(..);
    if rng.bool() {
        let token = SaslToken { token: Some(noise(rng, 100)) };
        return request(xid, OpCode::Sasl, &token);
    }
    let scheme = rng.choice(["digest", "ip", "world", "super", ""]).unwrap_or_default().to_owned();
    let auth = Some(noise(rng, 100));
    request(xid, OpCode::Auth, &AuthPacket { kind: 0, scheme, auth })
}

fn request(xid: i32, op: OpCode, record: &impl Encode) -> Bytes {
    framed(&RequestHeader { xid, op: op.code() }, |out| record.encode(out))
}

fn framed(header: &RequestHeader, record: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut out = BytesMut::new();
    frame::put(&mut out, |out| {
        header.encode(out);
        record(out);
    });
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_frames() {
        let frames = |seed| {
            let mut rng = Rng::with_seed(seed);
            let valid: Vec<Bytes> = (0..500).map(|_| valid(&mut rng)).collect();
            let mutated: Vec<Vec<u8>> = valid.iter().map(|frame| mutated(&mut rng, frame)).collect();
            (valid, mutated)
        };
        assert_eq!(frames(1), frames(1));
        assert_ne!(frames(1), frames(2));
    }

    #[test]
    fn valid_frames_are_whole_and_mutated_ones_are_others() {
        let mut rng = Rng::with_seed(3);
        let mut changed = 0;
        for _ in 0..1000 {
            let frame = valid(&mut rng);
            let mut input = BytesMut::from(&frame[..]);
            assert!(frame::take(&mut input, 1 << 20).is_ok_and(|whole| whole.is_some()) && input.is_empty());
            changed += usize::from(mutated(&mut rng, &frame) != frame);
        }
        assert!(changed > 900, "{changed} of 1000");
    }
}

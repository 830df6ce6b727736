//! Writes the requests of steps as frames, field by field from the table in [`super::schema`]. It never reads anything.

use bytes::{Bytes, BytesMut};
use menagerie_core::jute::{Encode, Put};
use menagerie_core::wire::Zxid;
use menagerie_core::wire::frame;
use menagerie_core::wire::proto::{ConnectRequest, PASSWORD_LENGTH};

use super::schema;
use super::step::{Arg, Connect, Op, Password, Request, ZxidArg};

/// What the zxids of requests stand for on one server.
#[derive(Debug, Clone, Copy)]
pub struct Zxids {
    /// The last transaction before the script.
    pub base: i64,
    /// The last one this client has seen.
    pub seen: i64,
}

impl Zxids {
    fn of(self, zxid: ZxidArg) -> i64 {
        match zxid {
            ZxidArg::After(count) => self.base + count,
            ZxidArg::Exactly(zxid) => zxid,
            ZxidArg::Seen => self.seen,
        }
    }
}

/// The frame of a request with this xid.
pub fn request(request: &Request, xid: i32, zxids: Zxids) -> BytesMut {
    let mut body = BytesMut::new();
    let code = code(&request.op);
    body.put_int(xid);
    body.put_int(code);
    let first = usize::from(request.op.spec.name == schema::ANY);
    request.op.args.iter().skip(first).for_each(|arg| argument(&mut body, arg, zxids));
    body.truncate(body.len().saturating_sub(request.cut));
    let mut out = BytesMut::new();
    frame::put(&mut out, |out| out.extend_from_slice(&body));
    out
}

/// The code of an operation.
pub fn code(op: &Op) -> i32 {
    match op.args.first() {
        Some(Arg::Int(code)) if op.spec.name == schema::ANY => *code,
        _ => op.spec.code,
    }
}

/// The frame of a connect request for a client that had this session and password.
pub fn connect(connect: &Connect, session: i64, own: &[u8], zxids: Zxids) -> Bytes {
    let session_id = if connect.resume { session } else { 0 };
    let own = if connect.resume { own } else { &[0; PASSWORD_LENGTH] };
    let password = match connect.password {
        Password::Own => Some(own.to_vec()),
        Password::Wrong => Some(own.iter().map(|byte| byte ^ 1).collect()),
        Password::Null => None,
        Password::Empty => Some(Vec::new()),
    };
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid(zxids.of(connect.seen)),
        timeout_ms: connect.timeout_ms,
        session_id,
        password: password.map(Bytes::from),
        read_only: None,
    };
    let mut out = BytesMut::new();
    frame::put(&mut out, |out| {
        request.encode(out);
        out.extend(connect.read_only);
    });
    out.freeze()
}

fn argument(out: &mut BytesMut, arg: &Arg, zxids: Zxids) {
    match arg {
        Arg::Str(string) => out.put_opt_str(string.as_deref()),
        Arg::Data(data) => out.put_buffer(data.as_deref()),
        Arg::Acl(None) | Arg::Paths(None) => out.put_int(-1),
        Arg::Acl(Some(acl)) => out.put_vector(acl),
        Arg::Byte(byte) => out.extend_from_slice(&[*byte]),
        Arg::Int(number) => out.put_int(*number),
        Arg::Long(number) => out.put_long(*number),
        Arg::Zxid(zxid) => out.put_long(zxids.of(*zxid)),
        Arg::Paths(Some(paths)) => out.put_vector(paths),
        Arg::Raw(bytes) => out.extend_from_slice(bytes),
        Arg::Ops(ops) => {
            for op in ops {
                multi_op(out, op, zxids);
            }
            multi_header(out, -1, true);
        }
    }
}

fn multi_op(out: &mut BytesMut, op: &Op, zxids: Zxids) {
    multi_header(out, code(op), false);
    let first = usize::from(op.spec.name == schema::ANY);
    op.args.iter().skip(first).for_each(|arg| argument(out, arg, zxids));
}

fn multi_header(out: &mut BytesMut, op: i32, done: bool) {
    out.put_int(op);
    out.put_bool(done);
    out.put_int(-1);
}

//! multi and multiRead: a stream of headers and records, ended by a header that says so (protocol §2.8).

use bytes::{Bytes, BytesMut};

use super::{CreateRequest, CreateTtlRequest, PathRequest, PathVersion, SetDataRequest};
use crate::jute::{Decode, DecodeError, Encode, Put, Reader};
use crate::wire::{OpCode, Stat};

records! {
    /// Before every operation and result of a multi.
    pub struct MultiHeader {
        /// The op code, or −1 for an error and at the end.
        pub op: i32,
        /// Whether this is the end.
        pub done: bool,
        /// The result's error code; −1 in requests.
        pub err: i32,
    }
}

const END: MultiHeader = MultiHeader { op: -1, done: true, err: -1 };

/// One operation of a multi or multiRead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MultiOp {
    /// create, create2 or createContainer.
    Create(
        /// Which of the three.
        OpCode,
        /// The request.
        CreateRequest,
    ),
    /// createTTL.
    CreateTtl(
        /// The request.
        CreateTtlRequest,
    ),
    /// delete.
    Delete(
        /// The request.
        PathVersion,
    ),
    /// setData.
    SetData(
        /// The request.
        SetDataRequest,
    ),
    /// check a version.
    Check(
        /// The request.
        PathVersion,
    ),
    /// getData; its watch flag is ignored.
    GetData(
        /// The request.
        PathRequest,
    ),
    /// getChildren; its watch flag is ignored.
    GetChildren(
        /// The request.
        PathRequest,
    ),
}

impl MultiOp {
    /// The op code in the operation's header.
    pub fn op_code(&self) -> OpCode {
        match self {
            MultiOp::Create(op, _) => *op,
            MultiOp::CreateTtl(_) => OpCode::CreateTtl,
            MultiOp::Delete(_) => OpCode::Delete,
            MultiOp::SetData(_) => OpCode::SetData,
            MultiOp::Check(_) => OpCode::Check,
            MultiOp::GetData(_) => OpCode::GetData,
            MultiOp::GetChildren(_) => OpCode::GetChildren,
        }
    }

    /// Whether the operation belongs in a multiRead.
    pub fn is_read(&self) -> bool {
        matches!(self, MultiOp::GetData(_) | MultiOp::GetChildren(_))
    }
}

/// The operations of a multi or multiRead. The decoder accepts both kinds mixed; the server refuses the mixture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MultiRequest {
    /// The operations in order.
    pub ops: Vec<MultiOp>,
}

impl Encode for MultiRequest {
    fn encode(&self, out: &mut BytesMut) {
        for op in &self.ops {
            MultiHeader { op: op.op_code().code(), done: false, err: -1 }.encode(out);
            match op {
                MultiOp::Create(_, request) => request.encode(out),
                MultiOp::CreateTtl(request) => request.encode(out),
                MultiOp::Delete(request) | MultiOp::Check(request) => request.encode(out),
                MultiOp::SetData(request) => request.encode(out),
                MultiOp::GetData(request) | MultiOp::GetChildren(request) => request.encode(out),
            }
        }
        END.encode(out);
    }
}

impl Decode for MultiRequest {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut ops = Vec::new();
        loop {
            let header = MultiHeader::decode(reader)?;
            if header.done {
                return Ok(MultiRequest { ops });
            }
            ops.push(decode_op(header.op, reader)?);
        }
    }
}

fn decode_op(code: i32, reader: &mut Reader<'_>) -> Result<MultiOp, DecodeError> {
    Ok(match OpCode::from_i32(code) {
        Some(op @ (OpCode::Create | OpCode::Create2 | OpCode::CreateContainer)) => {
            MultiOp::Create(op, CreateRequest::decode(reader)?)
        }
        Some(OpCode::CreateTtl) => MultiOp::CreateTtl(CreateTtlRequest::decode(reader)?),
        Some(OpCode::Delete) => MultiOp::Delete(PathVersion::decode(reader)?),
        Some(OpCode::SetData) => MultiOp::SetData(SetDataRequest::decode(reader)?),
        Some(OpCode::Check) => MultiOp::Check(PathVersion::decode(reader)?),
        Some(OpCode::GetData) => MultiOp::GetData(PathRequest::decode(reader)?),
        Some(OpCode::GetChildren) => MultiOp::GetChildren(PathRequest::decode(reader)?),
        _ => {
            return Err(DecodeError::BadValue { what: "an op inside a multi", value: code.into() });
        }
    })
}

/// One result of a multi or multiRead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MultiResult {
    /// create: the path.
    Created {
        /// The path of the new znode.
        path: String,
        /// Its Stat: there for every create but plain `create` (and on servers before 3.8.2 for none).
        stat: Option<Stat>,
    },
    /// delete.
    Deleted,
    /// setData: the new Stat.
    DataSet {
        /// The znode's Stat.
        stat: Stat,
    },
    /// check.
    Checked,
    /// getData.
    Data {
        /// The data.
        data: Option<Bytes>,
        /// The znode's Stat.
        stat: Stat,
    },
    /// getChildren.
    Children {
        /// The children's names.
        children: Vec<String>,
    },
    /// The operation failed, or was not tried because another one failed.
    Error {
        /// The error code.
        err: i32,
    },
}

/// The results of a multi or multiRead, one per operation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MultiResponse {
    /// The results in order.
    pub results: Vec<MultiResult>,
}

impl Encode for MultiResponse {
    fn encode(&self, out: &mut BytesMut) {
        for result in &self.results {
            result.encode(out);
        }
        END.encode(out);
    }
}

/// One result with its header; a response ends with a header of its own.
impl Encode for MultiResult {
    fn encode(&self, out: &mut BytesMut) {
        let header = |op: OpCode, out: &mut BytesMut| {
            MultiHeader { op: op.code(), done: false, err: 0 }.encode(out);
        };
        match self {
            MultiResult::Created { path, stat: None } => {
                header(OpCode::Create, out);
                out.put_str(path);
            }
            MultiResult::Created { path, stat: Some(stat) } => {
                header(OpCode::Create2, out);
                out.put_str(path);
                stat.encode(out);
            }
            MultiResult::Deleted => header(OpCode::Delete, out),
            MultiResult::DataSet { stat } => {
                header(OpCode::SetData, out);
                stat.encode(out);
            }
            MultiResult::Checked => header(OpCode::Check, out),
            MultiResult::Data { data, stat } => {
                header(OpCode::GetData, out);
                out.put_buffer(data.as_deref());
                stat.encode(out);
            }
            MultiResult::Children { children } => {
                header(OpCode::GetChildren, out);
                out.put_vector(children);
            }
            MultiResult::Error { err } => {
                MultiHeader { op: OpCode::Error.code(), done: false, err: *err }.encode(out);
                out.put_int(*err);
            }
        }
    }
}

impl Decode for MultiResponse {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut results = Vec::new();
        loop {
            let header = MultiHeader::decode(reader)?;
            if header.done {
                return Ok(MultiResponse { results });
            }
            results.push(decode_result(header.op, reader)?);
        }
    }
}

fn decode_result(code: i32, reader: &mut Reader<'_>) -> Result<MultiResult, DecodeError> {
    Ok(match OpCode::from_i32(code) {
        Some(OpCode::Create) => MultiResult::Created { path: reader.string()?, stat: None },
        Some(OpCode::Create2) => MultiResult::Created { path: reader.string()?, stat: Some(Stat::decode(reader)?) },
        Some(OpCode::Delete) => MultiResult::Deleted,
        Some(OpCode::SetData) => MultiResult::DataSet { stat: Stat::decode(reader)? },
        Some(OpCode::Check) => MultiResult::Checked,
        Some(OpCode::GetData) => MultiResult::Data { data: reader.buffer()?, stat: Stat::decode(reader)? },
        Some(OpCode::GetChildren) => MultiResult::Children { children: Vec::decode(reader)? },
        Some(OpCode::Error) => MultiResult::Error { err: reader.int()? },
        _ => {
            return Err(DecodeError::BadValue { what: "a result inside a multi", value: code.into() });
        }
    })
}

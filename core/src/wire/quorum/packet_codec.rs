//! Packets by their meaning, to and from the raw record. It never knows which side may send which.

use bytes::{Bytes, BytesMut};

use super::packet::{ForwardedRequest, LearnerInfo, Packet, QuorumPacket, Touch, kind};
use crate::jute::{Decode, DecodeError, Encode, Put, Reader};
use crate::wire::Zxid;

/// The zxid of packets that have none to tell.
const NO_ZXID: Zxid = Zxid(-1);
/// Bytes of a REVALIDATE's answer; the question has more.
const REVALIDATED_LENGTH: usize = 9;
/// Bytes of a `LearnerInfo` before 3.5, without the configuration's version, and before 3.4, without the protocol's.
const OLD_INFO_LENGTHS: (usize, usize) = (12, 8);

impl Encode for Packet {
    fn encode(&self, out: &mut BytesMut) {
        let (kind, zxid) = (self.kind(), self.zxid());
        out.put_int(kind);
        zxid.encode(out);
        self.put_data(out);
        let authinfo = if let Packet::Request(ForwardedRequest { ids, .. }) = self { ids.as_deref() } else { None };
        match authinfo {
            None => out.put_int(-1),
            Some(ids) => out.put_vector(ids),
        }
    }
}

impl Packet {
    /// The type, one of [`kind`].
    pub fn kind(&self) -> i32 {
        match self {
            Packet::Request(_) => kind::REQUEST,
            Packet::Proposal { .. } => kind::PROPOSAL,
            Packet::Ack { .. } => kind::ACK,
            Packet::Commit { .. } => kind::COMMIT,
            Packet::Ping { .. } => kind::PING,
            Packet::Revalidate { .. } | Packet::Revalidated { .. } => kind::REVALIDATE,
            Packet::Sync => kind::SYNC,
            Packet::Inform { .. } => kind::INFORM,
            Packet::CommitAndActivate { .. } => kind::COMMIT_AND_ACTIVATE,
            Packet::NewLeader { .. } => kind::NEWLEADER,
            Packet::FollowerInfo { .. } => kind::FOLLOWERINFO,
            Packet::UpToDate => kind::UPTODATE,
            Packet::Diff { .. } => kind::DIFF,
            Packet::Trunc { .. } => kind::TRUNC,
            Packet::Snap { .. } => kind::SNAP,
            Packet::ObserverInfo { .. } => kind::OBSERVERINFO,
            Packet::LeaderInfo { .. } => kind::LEADERINFO,
            Packet::AckEpoch { .. } => kind::ACKEPOCH,
            Packet::InformAndActivate { .. } => kind::INFORM_AND_ACTIVATE,
        }
    }

    /// The zxid in the packet's head: −1, or 0 for SYNC, where the type has none to tell.
    pub fn zxid(&self) -> Zxid {
        match self {
            Packet::Proposal { zxid, .. }
            | Packet::Ack { zxid }
            | Packet::Commit { zxid }
            | Packet::Ping { zxid, .. }
            | Packet::Inform { zxid, .. }
            | Packet::CommitAndActivate { zxid, .. }
            | Packet::NewLeader { zxid, .. }
            | Packet::FollowerInfo { zxid, .. }
            | Packet::Diff { zxid }
            | Packet::Trunc { zxid }
            | Packet::Snap { zxid }
            | Packet::ObserverInfo { zxid, .. }
            | Packet::LeaderInfo { zxid, .. }
            | Packet::AckEpoch { zxid, .. }
            | Packet::InformAndActivate { zxid, .. } => *zxid,
            Packet::Sync => Zxid::ZERO,
            Packet::Request(_) | Packet::Revalidate { .. } | Packet::Revalidated { .. } | Packet::UpToDate => NO_ZXID,
        }
    }

    fn put_data(&self, out: &mut BytesMut) {
        match self {
            Packet::Request(request) => put_sized(out, |out| {
                out.put_long(request.session);
                out.put_int(request.cxid);
                out.put_int(request.op);
                out.extend_from_slice(&request.body);
            }),
            Packet::Proposal { payload, .. } | Packet::Inform { payload, .. } => out.put_buffer(Some(payload)),
            Packet::Ping { touches: Some(touches), .. } => put_sized(out, |out| {
                for touch in touches {
                    touch.encode(out);
                }
            }),
            Packet::Revalidate { session, timeout_ms } => put_sized(out, |out| {
                out.put_long(*session);
                out.put_int(*timeout_ms);
            }),
            Packet::Revalidated { session, valid } => put_sized(out, |out| {
                out.put_long(*session);
                out.put_bool(*valid);
            }),
            Packet::CommitAndActivate { designated, .. } => put_sized(out, |out| out.put_long(*designated)),
            Packet::InformAndActivate { designated, payload, .. } => put_sized(out, |out| {
                out.put_long(*designated);
                out.extend_from_slice(payload);
            }),
            Packet::NewLeader { config, .. } => config.encode(out),
            Packet::FollowerInfo { info, .. } | Packet::ObserverInfo { info, .. } => {
                put_sized(out, |out| info.encode(out));
            }
            Packet::LeaderInfo { protocol_version, .. } => put_sized(out, |out| out.put_int(*protocol_version)),
            Packet::AckEpoch { current_epoch, .. } => put_sized(out, |out| out.put_int(current_epoch.unwrap_or(-1))),
            Packet::Ack { .. }
            | Packet::Commit { .. }
            | Packet::Ping { touches: None, .. }
            | Packet::Sync
            | Packet::UpToDate
            | Packet::Diff { .. }
            | Packet::Trunc { .. }
            | Packet::Snap { .. } => out.put_buffer(None),
        }
    }
}

/// Appends a buffer whose content `write` appends.
fn put_sized(out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
    crate::wire::frame::put(out, write);
}

impl TryFrom<QuorumPacket> for Packet {
    type Error = DecodeError;

    /// Reads a packet's body by its type. The error names a type that there is none of, or a body that is too short.
    fn try_from(raw: QuorumPacket) -> Result<Self, DecodeError> {
        let QuorumPacket { kind, zxid, data, authinfo } = raw;
        let body = data.clone().unwrap_or_default();
        let mut reader = Reader::new(&body);
        Ok(match kind {
            kind::REQUEST => Packet::Request(ForwardedRequest {
                session: reader.long()?,
                cxid: reader.int()?,
                op: reader.int()?,
                body: reader.rest(),
                ids: authinfo,
            }),
            kind::PROPOSAL => Packet::Proposal { zxid, payload: body },
            kind::ACK => Packet::Ack { zxid },
            kind::COMMIT => Packet::Commit { zxid },
            kind::PING => Packet::Ping { zxid, touches: data.as_ref().map(touches).transpose()? },
            kind::REVALIDATE if body.len() == REVALIDATED_LENGTH => {
                Packet::Revalidated { session: reader.long()?, valid: reader.bool()? }
            }
            kind::REVALIDATE => Packet::Revalidate { session: reader.long()?, timeout_ms: reader.int()? },
            kind::SYNC => Packet::Sync,
            kind::INFORM => Packet::Inform { zxid, payload: body },
            kind::COMMIT_AND_ACTIVATE => Packet::CommitAndActivate { zxid, designated: reader.long()? },
            kind::NEWLEADER => Packet::NewLeader { zxid, config: data },
            kind::FOLLOWERINFO => Packet::FollowerInfo { zxid, info: learner_info(&body)? },
            kind::UPTODATE => Packet::UpToDate,
            kind::DIFF => Packet::Diff { zxid },
            kind::TRUNC => Packet::Trunc { zxid },
            kind::SNAP => Packet::Snap { zxid },
            kind::OBSERVERINFO => Packet::ObserverInfo { zxid, info: learner_info(&body)? },
            kind::LEADERINFO => Packet::LeaderInfo { zxid, protocol_version: reader.int()? },
            kind::ACKEPOCH => {
                Packet::AckEpoch { zxid, current_epoch: Some(reader.int()?).filter(|epoch| *epoch != -1) }
            }
            kind::INFORM_AND_ACTIVATE => {
                Packet::InformAndActivate { zxid, designated: reader.long()?, payload: reader.rest() }
            }
            unknown => return Err(DecodeError::BadValue { what: "a quorum packet's type", value: i64::from(unknown) }),
        })
    }
}

fn touches(body: &Bytes) -> Result<Vec<Touch>, DecodeError> {
    let mut reader = Reader::new(body);
    let mut touches = Vec::new();
    while reader.remaining() > 0 {
        touches.push(Touch::decode(&mut reader)?);
    }
    Ok(touches)
}

/// Older servers leave out the configuration's version, and still older ones that of the protocol.
fn learner_info(body: &Bytes) -> Result<LearnerInfo, DecodeError> {
    let mut reader = Reader::new(body);
    let (without_config, without_protocol) = OLD_INFO_LENGTHS;
    Ok(LearnerInfo {
        server_id: reader.long()?,
        protocol_version: if body.len() == without_protocol { 0 } else { reader.int()? },
        config_version: if body.len() <= without_config { 0 } else { reader.long()? },
    })
}

/// A null list and an empty one are different here: a packet that is passed on stays the same.
impl Encode for Option<Vec<crate::wire::Id>> {
    fn encode(&self, out: &mut BytesMut) {
        match self {
            None => out.put_int(-1),
            Some(ids) => out.put_vector(ids),
        }
    }
}

impl Decode for Option<Vec<crate::wire::Id>> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut ahead = reader.clone();
        if ahead.int()? == -1 {
            *reader = ahead;
            return Ok(None);
        }
        Vec::decode(reader).map(Some)
    }
}

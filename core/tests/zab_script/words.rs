//! Inputs from words, and outputs as words.

use bytes::Bytes;
use menagerie_core::wire::Zxid;
use menagerie_core::wire::ensemble::{Ensemble, Member, Role as MemberRole};
use menagerie_core::wire::quorum::{
    ForwardedRequest, LearnerInfo, Notification, PROTOCOL_VERSION, Packet, ServerState, Touch,
};
use menagerie_core::zab::{Entry, Input, Output, Role, Write};

/// The words of one line.
pub(crate) struct Words<'a>(std::str::SplitWhitespace<'a>);

impl<'a> Words<'a> {
    pub(crate) fn new(line: &'a str) -> Self {
        Words(line.split_whitespace())
    }

    pub(crate) fn more(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    pub(crate) fn next(&mut self) -> &'a str {
        self.0.next().expect("a word more")
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.next().parse().unwrap()
    }

    fn id(&mut self) -> i64 {
        self.number() as i64
    }

    fn zxid(&mut self) -> Zxid {
        zxid(self.next())
    }

    fn epoch(&mut self) -> Zxid {
        Zxid::new(self.number() as u32, 0)
    }

    fn payload(&mut self) -> Bytes {
        Bytes::from(self.next().to_owned())
    }
}

/// `epoch:counter`.
pub(crate) fn zxid(word: &str) -> Zxid {
    let (epoch, counter) = word.split_once(':').unwrap();
    Zxid::new(epoch.parse().unwrap(), counter.parse().unwrap())
}

fn show(zxid: Zxid) -> String {
    if zxid.0 < 0 { zxid.0.to_string() } else { format!("{}:{}", zxid.epoch(), zxid.counter()) }
}

/// The payload `members:1,2,4o`: 4 observes.
pub(crate) fn members(payload: &Bytes) -> Option<Ensemble> {
    let text = std::str::from_utf8(payload).ok()?.strip_prefix("members:")?;
    let line = |id: &str| match id.strip_suffix('o') {
        Some(id) => format!("server.{id}=host{id}:1:2:observer"),
        None => format!("server.{id}=host{id}:1:2"),
    };
    text.split(',').map(line).collect::<Vec<_>>().join("\n").parse().ok()
}

fn show_members(ensemble: &Ensemble) -> String {
    let show_one = |(id, member): (&i64, &Member)| match member.role {
        MemberRole::Participant => id.to_string(),
        MemberRole::Observer => format!("{id}o"),
    };
    let ids: Vec<String> = ensemble.members.iter().map(show_one).collect();
    format!("{} since {}", ids.join(","), show(Zxid(ensemble.version)))
}

pub(crate) fn input(word: &str, words: &mut Words<'_>) -> Input {
    match word {
        "tick" => Input::Tick,
        "resign" => Input::Resign,
        "hears" => {
            let from = words.id();
            Input::Notification { from, notification: notification(words) }
        }
        "up" => Input::ElectionLinkUp { peer: words.id() },
        "down" => Input::ElectionLinkDown { peer: words.id() },
        "accepted" => Input::Accepted { link: words.number() },
        "connected" => Input::Connected { link: words.number(), leader: words.id() },
        "refused" => Input::ConnectFailed { leader: words.id() },
        "closed" => Input::LinkClosed { link: words.number() },
        "shows" => {
            let (link, members) = (words.number(), config(words.next()));
            Input::SnapshotMembers { link, members: text_of(&members) }
        }
        "no-history" => Input::NoHistory { link: words.number() },
        "history" => {
            let link = words.number();
            let entry = |word| Entry { zxid: zxid(word), payload: Bytes::from_static(b"read") };
            Input::History { link, entries: std::iter::from_fn(|| words.more()).map(entry).collect() }
        }
        "snapshot" => Input::SnapshotReceived { link: words.number() },
        "touched" => Input::Touched(vec![Touch { session: words.id(), timeout_ms: words.id() as i32 }]),
        "forward" => Input::Forward(request(words)),
        "revalidate" => Input::Revalidate { session: words.id(), timeout_ms: words.id() as i32 },
        "answer-sync" => Input::AnswerSync { link: words.number() },
        "answer-revalidate" => {
            Input::SessionRevalidated { link: words.number(), session: words.id(), valid: words.next() == "valid" }
        }
        "packet" => {
            let link = words.number();
            Input::Packet { link, packet: packet(words) }
        }
        other => panic!("no input {other}"),
    }
}

/// `looking 3 1:2 round 4 epoch 1`.
fn notification(words: &mut Words<'_>) -> Notification {
    let state = match words.next() {
        "looking" => ServerState::Looking,
        "following" => ServerState::Following,
        "leading" => ServerState::Leading,
        _ => ServerState::Observing,
    };
    let (leader, zxid) = (words.id(), words.zxid());
    words.next();
    let round = words.id();
    words.next();
    let peer_epoch = words.id();
    let config = words.more().map(config).unwrap_or_default();
    Notification { state, leader, zxid, round, peer_epoch, version: Notification::VERSION, config }
}

/// `1:5=1,2,4o`: the version and the members.
fn config(word: &str) -> Bytes {
    let (version, ids) = word.split_once('=').unwrap();
    let ensemble = members(&Bytes::from(format!("members:{ids}"))).unwrap();
    Ensemble { version: zxid(version).0, ..ensemble }.to_string().into()
}

fn text_of(config: &Bytes) -> Ensemble {
    std::str::from_utf8(config).unwrap().parse().unwrap()
}

/// Members without a version are those the script began with.
fn show_config(config: Option<&Bytes>) -> String {
    let newer = config.map(text_of).filter(|members| members.version != 0);
    newer.map(|members| format!(" with {}", show_members(&members))).unwrap_or_default()
}

fn request(words: &mut Words<'_>) -> ForwardedRequest {
    ForwardedRequest {
        session: words.id(),
        cxid: words.id() as i32,
        op: words.id() as i32,
        body: Bytes::new(),
        ids: None,
    }
}

/// `3 1 1:5`: the id, the accepted epoch, and since when the members are that it has in force.
fn learner_info(words: &mut Words<'_>) -> (LearnerInfo, Zxid) {
    let (server_id, zxid) = (words.id(), words.epoch());
    let config_version = words.more().map_or(0, |version| self::zxid(version).0);
    (LearnerInfo { server_id, protocol_version: PROTOCOL_VERSION, config_version }, zxid)
}

fn packet(words: &mut Words<'_>) -> Packet {
    match words.next() {
        "FOLLOWERINFO" => {
            let (info, zxid) = learner_info(words);
            Packet::FollowerInfo { zxid, info }
        }
        "OBSERVERINFO" => {
            let (info, zxid) = learner_info(words);
            Packet::ObserverInfo { zxid, info }
        }
        "LEADERINFO" => Packet::LeaderInfo { zxid: words.epoch(), protocol_version: PROTOCOL_VERSION },
        "ACKEPOCH" => {
            Packet::AckEpoch { zxid: words.zxid(), current_epoch: words.more().map(|word| word.parse().unwrap()) }
        }
        "DIFF" => Packet::Diff { zxid: words.zxid() },
        "TRUNC" => Packet::Trunc { zxid: words.zxid() },
        "SNAP" => Packet::Snap { zxid: words.zxid() },
        "NEWLEADER" => Packet::NewLeader { zxid: words.epoch(), config: words.more().map(config) },
        "UPTODATE" => Packet::UpToDate,
        "PROPOSAL" => Packet::Proposal { zxid: words.zxid(), payload: words.payload() },
        "INFORM" => Packet::Inform { zxid: words.zxid(), payload: words.payload() },
        "COMMITANDACTIVATE" => Packet::CommitAndActivate { zxid: words.zxid(), designated: words.id() },
        "INFORMANDACTIVATE" => {
            let (zxid, designated) = (words.zxid(), words.id());
            Packet::InformAndActivate { zxid, designated, payload: words.payload() }
        }
        "COMMIT" => Packet::Commit { zxid: words.zxid() },
        "ACK" => Packet::Ack { zxid: words.zxid() },
        "PING" => Packet::Ping {
            zxid: words.zxid(),
            touches: words.more().map(|word| vec![Touch { session: word.parse().unwrap(), timeout_ms: 1 }]),
        },
        "SYNC" => Packet::Sync,
        "REQUEST" => Packet::Request(request(words)),
        "REVALIDATE" => Packet::Revalidate { session: words.id(), timeout_ms: words.id() as i32 },
        "REVALIDATED" => Packet::Revalidated { session: words.id(), valid: words.next() == "valid" },
        other => panic!("no packet {other}"),
    }
}

fn show_packet(packet: &Packet) -> String {
    let text = |payload: &Bytes| String::from_utf8_lossy(payload).into_owned();
    match packet {
        Packet::Request(request) => format!("REQUEST {} {} {}", request.session, request.cxid, request.op),
        Packet::Proposal { zxid, payload } => format!("PROPOSAL {} {}", show(*zxid), text(payload)),
        Packet::Ack { zxid } => format!("ACK {}", show(*zxid)),
        Packet::Commit { zxid } => format!("COMMIT {}", show(*zxid)),
        Packet::Ping { zxid, touches } => format!("PING {} {touches:?}", show(*zxid)),
        Packet::Revalidate { session, timeout_ms } => format!("REVALIDATE {session} {timeout_ms}"),
        Packet::Revalidated { session, valid } => format!("REVALIDATED {session} {valid}"),
        Packet::Sync => "SYNC".to_owned(),
        Packet::Inform { zxid, payload } => format!("INFORM {} {}", show(*zxid), text(payload)),
        Packet::CommitAndActivate { zxid, designated } => format!("COMMITANDACTIVATE {} {designated}", show(*zxid)),
        Packet::InformAndActivate { zxid, designated, payload } => {
            format!("INFORMANDACTIVATE {} {designated} {}", show(*zxid), text(payload))
        }
        Packet::NewLeader { zxid, config } => format!("NEWLEADER {}{}", zxid.epoch(), show_config(config.as_ref())),
        Packet::FollowerInfo { zxid, info } => format!("FOLLOWERINFO {} {}", info.server_id, zxid.epoch()),
        Packet::ObserverInfo { zxid, info } => format!("OBSERVERINFO {} {}", info.server_id, zxid.epoch()),
        Packet::UpToDate => "UPTODATE".to_owned(),
        Packet::Diff { zxid } => format!("DIFF {}", show(*zxid)),
        Packet::Trunc { zxid } => format!("TRUNC {}", show(*zxid)),
        Packet::LeaderInfo { zxid, .. } => format!("LEADERINFO {}", zxid.epoch()),
        Packet::AckEpoch { zxid, current_epoch } => format!("ACKEPOCH {} {current_epoch:?}", show(*zxid)),
        other @ Packet::Snap { .. } => format!("{other:?}"),
    }
}

pub(crate) fn output(output: &Output) -> String {
    let text = |payload: &Bytes| String::from_utf8_lossy(payload).into_owned();
    match output {
        Output::Persist { ticket, write } => match write {
            Write::AcceptedEpoch(epoch) => format!("persist {ticket}: acceptedEpoch {epoch}"),
            Write::CurrentEpoch(epoch) => format!("persist {ticket}: currentEpoch {epoch}"),
            Write::Append { zxid, payload } => format!("persist {ticket}: append {} {}", show(*zxid), text(payload)),
            Write::Truncate { to } => format!("persist {ticket}: truncate to {}", show(*to)),
            Write::InstallSnapshot { link, zxid } => {
                format!("persist {ticket}: install the snapshot of link {link} at {}", show(*zxid))
            }
        },
        Output::Notify { to, notification } => {
            let Notification { state, leader, zxid, round, peer_epoch, .. } = notification;
            format!("notify {to}: {state:?} {leader} {} round {round} epoch {peer_epoch}", show(*zxid))
        }
        Output::Connect { leader } => format!("connect {leader}"),
        Output::Send { link, packet } => format!("send {link}: {}", show_packet(packet)),
        Output::SendSnapshot { link, zxid } => format!("send {link}: SNAP {} and the state", show(*zxid)),
        Output::ReadHistory { link, after, through } => {
            format!("read for {link} after {} through {}", show(*after), show(*through))
        }
        Output::Disconnect { link } => format!("disconnect {link}"),
        Output::Committed { zxid, payload } => format!("committed {} {}", show(*zxid), text(payload)),
        Output::MembersProposed(members) => format!("members proposed: {}", show_members(members)),
        Output::Activated(members) => format!("members in force: {}", show_members(members)),
        Output::RoleChanged(role) => match role {
            Role::Looking => "looking".to_owned(),
            Role::Leading { epoch } => format!("leading in epoch {epoch}"),
            Role::Following { leader, epoch } => format!("following {leader} in epoch {epoch}"),
            Role::Observing { leader, epoch } => format!("observing {leader} in epoch {epoch}"),
        },
        Output::ForwardedRequest { link, request } => {
            format!("link {link} asks: {} {} {}", request.session, request.cxid, request.op)
        }
        Output::SessionsTouched(touches) => {
            format!("touched {:?}", touches.iter().map(|touch| touch.session).collect::<Vec<_>>())
        }
        Output::RevalidateSession { link, session, .. } => format!("link {link} asks after session {session}"),
        Output::SessionRevalidated { session, valid } => format!("session {session} is valid: {valid}"),
        Output::Synced => "synced".to_owned(),
        Output::Resigned => "resigned".to_owned(),
    }
}

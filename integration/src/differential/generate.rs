//! Random steps from a seed: several clients, few paths, arguments right and wrong. It never knows what is answered, so
//! that any part of what it makes is a script of its own.
//!
//! What differs on purpose is left out where it would change what comes after it: watches of two kinds on one path of one
//! client, null inside a multi, `exists` with a watch on what cannot be read.

use fastrand::Rng;
use menagerie_core::wire::{Acl, Perms};

use super::step::{Action, Arg, Connect, Op, Password, Request, Step, ZxidArg};

const CLIENTS: [&str; 4] = ["a", "b", "c", "d"];
/// Below the root of an episode.
const PATHS: [&str; 14] = [
    "",
    "",
    "/a",
    "/a",
    "/b",
    "/c",
    "/e",
    "/a/a",
    "/a/b",
    "/b/a",
    "/a/a/a",
    "/a/s-0000000000",
    "/s-0000000001",
    "/a/s-0000000002",
];
/// Long enough for any machine: no session ends by itself.
const TIMEOUT_MS: i32 = 600_000;
/// `u:p` as a digest identity.
const DIGEST: &str = "u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=";

/// Makes steps.
#[derive(Debug)]
pub struct Generator {
    rng: Rng,
    root: String,
    /// Whether znodes can be made that not everybody may read.
    hidden: bool,
    clients: [State; CLIENTS.len()],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Up,
    /// Its session is there, its connection is not.
    Down,
}

/// What kind of watch a client sets on a path: always the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    OneShot,
    Persistent,
    Recursive,
}

/// The steps of one episode below `root`, about `count` of them.
pub fn episode(seed: u64, root: &str, count: usize) -> Vec<Step> {
    let mut rng = Rng::with_seed(seed);
    let hidden = rng.bool();
    let mut generator = Generator { rng, root: root.to_owned(), hidden, clients: [State::New; CLIENTS.len()] };
    let mut steps = vec![Step::new("a", Action::Connect(connect()))];
    generator.clients[0] = State::Up;
    // Something to begin with.
    for path in ["", "/a", "/b", "/a/a", "/a/b", "/b/a"] {
        let path = text(&format!("{root}{path}"));
        steps.push(Step::request("a", Op::new("create", vec![path, Arg::Data(None), open(), Arg::Int(0)])));
    }
    while steps.len() < count {
        generator.next(&mut steps);
    }
    steps.truncate(count);
    steps
}

fn connect() -> Connect {
    Connect { timeout_ms: TIMEOUT_MS, ..Connect::default() }
}

fn text(string: &str) -> Arg {
    Arg::Str(Some(string.to_owned()))
}

fn open() -> Arg {
    Arg::Acl(Some(Acl::open()))
}

impl Generator {
    fn next(&mut self, steps: &mut Vec<Step>) {
        let client = self.rng.usize(..CLIENTS.len());
        match self.clients[client] {
            State::New => {
                steps.push(Step::new(CLIENTS[client], Action::Connect(connect())));
                self.clients[client] = State::Up;
            }
            State::Down => {
                let resume = self.resume();
                let refused = resume.password == Password::Wrong;
                steps.push(Step::new(CLIENTS[client], Action::Connect(resume)));
                self.clients[client] = if refused { State::Down } else { State::Up };
            }
            State::Up if self.rng.u8(..100) < 4 => self.session_step(client, steps),
            State::Up if self.rng.u8(..100) < 10 => {
                let count = self.rng.usize(1..6);
                for _ in 0..count {
                    let step = self.request(client);
                    // While an access list is on its way, the reference still judges by the one before it.
                    let more = step.action_name() != Some("setACL");
                    steps.push(Step { more, ..step });
                }
                steps.push(self.request(client));
            }
            State::Up => steps.push(self.request(client)),
        }
    }

    fn resume(&mut self) -> Connect {
        let password = if self.rng.u8(..8) == 0 { Password::Wrong } else { Password::Own };
        let seen = if self.rng.bool() { ZxidArg::Seen } else { ZxidArg::Exactly(0) };
        Connect { resume: true, seen, password, ..connect() }
    }

    /// What happens to a connection or a session as a whole.
    fn session_step(&mut self, client: usize, steps: &mut Vec<Step>) {
        let name = CLIENTS[client];
        let (action, state) = match self.rng.u8(..8) {
            0 | 1 => (Action::Drop, State::Down),
            2 => (Action::Connect(Connect { password: Password::Own, ..self.resume() }), State::Up),
            3 | 4 => (request_of(Op::new("closeSession", Vec::new())), State::New),
            5 => (request_of(Op::new("op", vec![Arg::Int(77), Arg::Raw(Vec::new())])), State::Down),
            6 => (request_of(auth("nobody", "x")), State::Down),
            _ => (request_of(auth("digest", if client < 2 { "u:p" } else { "v:q" })), State::Up),
        };
        steps.push(Step::new(name, action));
        self.clients[client] = state;
    }

    fn request(&mut self, client: usize) -> Step {
        let op = match self.rng.u8(..100) {
            0..30 => self.create(false),
            30..36 => Op::new("delete", vec![self.path(), self.version()]),
            36..46 => Op::new("setData", vec![self.path(), self.data(), self.version()]),
            46..50 => Op::new("setACL", vec![self.below(), self.acl(), self.version()]),
            50..60 => self.multi(),
            60..74 => self.read(client),
            74..90 => self.watch(client),
            90..93 => self.multi_read(),
            _ => self.rare(),
        };
        // What is shorter than its header ends the connection.
        let cut = if !op.args.is_empty() && self.rng.u8(..60) == 0 { self.rng.usize(1..5) } else { 0 };
        Step::new(CLIENTS[client], Action::Request(Request { op, xid: None, cut }))
    }

    fn create(&mut self, in_multi: bool) -> Op {
        let path = if in_multi { self.known() } else { self.path() };
        let numbered = self.rng.u8(..4) == 0;
        let path = match path {
            Arg::Str(Some(path)) if numbered => text(&format!("{path}/s-")),
            path => path,
        };
        let flags = if numbered { 2 + i32::from(self.rng.u8(..3) == 0) } else { self.pick(&[0, 0, 0, 0, 1, 1, 4]) };
        let flags = if self.rng.u8(..40) == 0 { self.pick(&[5, 6, 7, -1]) } else { flags };
        let (data, acl) = (self.data(), self.acl());
        let name = self.pick(&["create", "create", "create2", "createContainer", "createTTL"]);
        // While it is on its way, the reference takes a container with an ephemeral's flags for an ephemeral.
        let flags = match (name, flags) {
            ("createContainer", 1) => 4,
            ("createContainer", 3) => 2,
            _ => flags,
        };
        if name != "createTTL" {
            return Op::new(name, vec![path, data, acl, Arg::Int(flags)]);
        }
        let flags = if numbered { 6 } else { self.pick(&[5, 5, 5, 0, 1]) };
        // A time to live of -1 with other flags stops the reference, and the longest one outlives the run.
        let ttl_ms = self.pick(&[1_000_000_000, 1 << 39, 0]);
        Op::new(name, vec![path, data, acl, Arg::Int(flags), Arg::Long(ttl_ms)])
    }

    fn multi(&mut self) -> Op {
        let ops = (0..self.rng.usize(0..6)).map(|_| match self.rng.u8(..20) {
            0..8 => self.create(true),
            8..12 => Op::new("delete", vec![self.known(), self.version()]),
            12..16 => Op::new("setData", vec![self.known(), self.data(), self.version()]),
            16..19 => Op::new("check", vec![self.known(), self.version()]),
            _ => Op::new("getData", vec![self.known(), Arg::Byte(0)]),
        });
        let ops = ops.collect();
        Op::new("multi", vec![Arg::Ops(ops)])
    }

    fn multi_read(&mut self) -> Op {
        let count = self.rng.usize(0..4);
        let mut ops = Vec::new();
        for _ in 0..count {
            let name = if self.rng.bool() { "getData" } else { "getChildren" };
            ops.push(Op::new(name, vec![self.known(), Arg::Byte(0)]));
        }
        Op::new("multiRead", vec![Arg::Ops(ops)])
    }

    fn read(&mut self, client: usize) -> Op {
        let path = self.path();
        let name = self.pick(&["getData", "exists", "getChildren", "getChildren2", "getACL", "getAllChildrenNumber"]);
        if matches!(name, "getACL" | "getAllChildrenNumber") {
            return Op::new(name, vec![path]);
        }
        let one_shot = matches!(&path, Arg::Str(Some(path)) if kind(client, path) == Kind::OneShot);
        let watch = one_shot && self.rng.bool() && !(self.hidden && name == "exists");
        Op::new(name, vec![path, Arg::Byte(u8::from(watch))])
    }

    fn watch(&mut self, client: usize) -> Op {
        let path = self.known();
        let Arg::Str(Some(name)) = &path else { return Op::new("ping", Vec::new()) };
        let kind = kind(client, name);
        match (self.rng.u8(..6), kind) {
            (0 | 1, Kind::Persistent) => Op::new("addWatch", vec![path, Arg::Int(0)]),
            (0 | 1, Kind::Recursive) => Op::new("addWatch", vec![path, Arg::Int(1)]),
            (0..=2, Kind::OneShot) if !self.hidden => Op::new("exists", vec![path, Arg::Byte(1)]),
            (0..=2, _) => Op::new("getChildren", vec![path, Arg::Byte(u8::from(kind == Kind::OneShot))]),
            (3, Kind::OneShot) => Op::new("removeWatches", vec![path, Arg::Int(self.rng.i32(1..=3))]),
            (3, _) => Op::new("removeWatches", vec![path, Arg::Int(3)]),
            (4, _) => Op::new("checkWatches", vec![path, Arg::Int(self.rng.i32(1..=3))]),
            _ => self.set_watches(client),
        }
    }

    fn set_watches(&mut self, client: usize) -> Op {
        let mut list = |wanted: Kind| {
            let count = self.rng.usize(0..4);
            let paths = (0..count).map(|_| self.known()).filter_map(|path| match path {
                Arg::Str(Some(path)) if kind(client, &path) == wanted => Some(Some(path)),
                _ => None,
            });
            Arg::Paths(Some(paths.collect()))
        };
        let mut args = vec![list(Kind::OneShot), list(Kind::OneShot), list(Kind::OneShot)];
        let persistent = [list(Kind::Persistent), list(Kind::Recursive)];
        args.insert(
            0,
            Arg::Zxid(self.pick(&[ZxidArg::Seen, ZxidArg::After(0), ZxidArg::After(20), ZxidArg::After(100_000)])),
        );
        if self.rng.bool() {
            return Op::new("setWatches", args);
        }
        args.extend(persistent);
        Op::new("setWatches2", args)
    }

    fn rare(&mut self) -> Op {
        match self.rng.u8(..6) {
            0 => Op::new("sync", vec![self.path()]),
            1 => Op::new("getEphemerals", vec![self.path()]),
            2 => Op::new("whoAmI", Vec::new()),
            3 => Op::new("reconfig", vec![Arg::Str(None), text("1"), Arg::Str(None), Arg::Long(-1)]),
            4 => Op::new("ping", Vec::new()),
            _ => Op::new("getData", vec![text("/zookeeper/config"), Arg::Byte(0)]),
        }
    }

    /// A path below the root of the episode, or the root.
    fn known(&mut self) -> Arg {
        let path = self.pick(&PATHS);
        text(&format!("{}{path}", self.root))
    }

    /// A path below the root of the episode, but not the root: everybody keeps a way in.
    fn below(&mut self) -> Arg {
        let path = self.pick(&PATHS[2..]);
        text(&format!("{}{path}", self.root))
    }

    /// Any path, sometimes an odd one.
    fn path(&mut self) -> Arg {
        if self.rng.u8(..16) > 0 {
            return self.known();
        }
        let odd = ["/", "//a", "/a/", "/a/.", "/..", "/a\u{0}", "/a\u{7}", "/missing/a", "/ä"];
        match self.rng.usize(..odd.len() + 3) {
            index if index < odd.len() => text(&format!("{}{}", self.root, odd[index])),
            index if index == odd.len() => Arg::Str(None),
            index if index == odd.len() + 1 => text(""),
            _ => text("nowhere"),
        }
    }

    fn version(&mut self) -> Arg {
        Arg::Int(self.pick(&[-1, -1, -1, -1, 0, 0, 1, 2, -2]))
    }

    fn data(&mut self) -> Arg {
        let data: &[u8] = self.pick(&[b"", b"x", b"data", b"\x00\xff"]);
        Arg::Data(if self.rng.u8(..8) == 0 { None } else { Some(data.to_vec()) })
    }

    fn acl(&mut self) -> Arg {
        let all = |scheme: &str, id: &str| Acl::new(Perms::ALL, scheme, id);
        let read = Acl::read_only();
        let shown = |entry: Acl| [vec![entry], Acl::read_only()].concat();
        Arg::Acl(Some(match self.rng.u8(..24) {
            0 => read,
            1 => shown(Acl::creator_all().swap_remove(0)),
            2 => shown(all("digest", DIGEST)),
            3 => shown(all("ip", "127.0.0.0/8")),
            4 => shown(Acl::new(Perms(20), "world", "anyone")),
            5 => Vec::new(),
            6 => vec![all("world", "nobody")],
            7 => vec![all("digest", "x"), all("world", "anyone")],
            8 if self.hidden => Acl::creator_all(),
            9 if self.hidden => vec![Acl::new(Perms(30), "world", "anyone")],
            10 if self.hidden => vec![Acl::new(Perms(0), "world", "anyone")],
            _ => Acl::open(),
        }))
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.rng.usize(..choices.len())]
    }
}

fn request_of(op: Op) -> Action {
    Action::Request(Request { op, xid: None, cut: 0 })
}

fn auth(scheme: &str, proof: &str) -> Op {
    Op::new("auth", vec![Arg::Int(0), text(scheme), Arg::Data(Some(proof.as_bytes().to_vec()))])
}

fn kind(client: usize, path: &str) -> Kind {
    let sum = path.bytes().skip_while(|byte| *byte != b'z').map(usize::from).sum::<usize>();
    match (client + sum) % 4 {
        0 => Kind::Persistent,
        1 => Kind::Recursive,
        _ => Kind::OneShot,
    }
}

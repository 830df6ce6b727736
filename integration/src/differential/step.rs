//! The steps of a script: what one client does next. They print as they are parsed (see [`super::parse`]). It never knows
//! a connection.

use std::fmt::{self, Display, Formatter};

use menagerie_core::wire::Acl;

use super::schema::{self, Field, Spec};
use super::text;

/// A script: the servers' settings and the steps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Script {
    /// Lines of `zoo.cfg`, as key and value.
    pub settings: Vec<(String, String)>,
    /// What the clients do, in this order.
    pub steps: Vec<Step>,
}

/// What one client does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The line of the script, from 1; 0 when it was made up.
    pub line: usize,
    /// The difference on purpose that this step shows.
    pub purpose: Option<String>,
    /// Which client.
    pub session: String,
    /// What it does.
    pub action: Action,
    /// Whether the answer is not waited for: the next step of this client is sent at once.
    pub more: bool,
}

/// What a client can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Open a connection and send a connect request.
    Connect(Connect),
    /// Send a request.
    Request(Request),
    /// Close the connection without a word.
    Drop,
    /// Wait for this many events.
    Await(usize),
}

/// A connect request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// The timeout wished for, in milliseconds.
    pub timeout_ms: i32,
    /// The last zxid seen.
    pub seen: ZxidArg,
    /// Whether it asks for the session it had, instead of a new one.
    pub resume: bool,
    /// Its password.
    pub password: Password,
    /// The byte at the end, which old clients leave out.
    pub read_only: Option<u8>,
}

/// What a connect request gives as password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Password {
    /// The session's own; zeros for a new session.
    Own,
    /// The session's own with one bit changed.
    Wrong,
    /// Null.
    Null,
    /// No bytes.
    Empty,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it asks for.
    pub op: Op,
    /// Another xid than the operation's own.
    pub xid: Option<i32>,
    /// How many bytes are missing at its end.
    pub cut: usize,
}

/// An operation with its arguments, one for each field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Op {
    /// Which.
    pub spec: &'static Spec,
    /// The arguments.
    pub args: Vec<Arg>,
}

/// One argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arg {
    /// A string.
    Str(Option<String>),
    /// A buffer.
    Data(Option<Vec<u8>>),
    /// An access control list.
    Acl(Option<Vec<Acl>>),
    /// A boolean's byte.
    Byte(u8),
    /// A number.
    Int(i32),
    /// A long.
    Long(i64),
    /// A zxid.
    Zxid(ZxidArg),
    /// A list of strings.
    Paths(Option<Vec<Option<String>>>),
    /// The operations of a multi.
    Ops(Vec<Op>),
    /// Bytes.
    Raw(Vec<u8>),
}

/// A zxid in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZxidArg {
    /// So many transactions after the start of the script.
    After(i64),
    /// This number.
    Exactly(i64),
    /// The last one the client has seen.
    Seen,
}

impl Default for Connect {
    fn default() -> Self {
        Connect {
            timeout_ms: 60_000,
            seen: ZxidArg::Exactly(0),
            resume: false,
            password: Password::Own,
            read_only: Some(0),
        }
    }
}

impl Op {
    /// An operation by its name.
    ///
    /// # Panics
    /// When there is none of this name: names are written in the program.
    pub fn new(name: &str, args: Vec<Arg>) -> Self {
        match schema::named(name) {
            Some(spec) => Op { spec, args },
            None => unreachable!("no operation {name}"),
        }
    }
}

impl Step {
    /// A step that was made up.
    pub fn new(session: &str, action: Action) -> Self {
        Step { line: 0, purpose: None, session: session.to_owned(), action, more: false }
    }

    /// A request that was made up.
    pub fn request(session: &str, op: Op) -> Self {
        Self::new(session, Action::Request(Request { op, xid: None, cut: 0 }))
    }

    /// The operation it asks for, when it is a request.
    pub fn action_name(&self) -> Option<&'static str> {
        if let Action::Request(request) = &self.action { Some(request.op.spec.name) } else { None }
    }

    /// The operations it sends: one, or those of its multi.
    pub fn ops(&self) -> &[Op] {
        let Action::Request(request) = &self.action else { return &[] };
        match request.op.args.as_slice() {
            [Arg::Ops(ops)] => ops,
            _ => std::slice::from_ref(&request.op),
        }
    }
}

impl Display for Script {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (key, value) in &self.settings {
            writeln!(f, "server {key}={value}")?;
        }
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(purpose) = &self.purpose {
            write!(f, "!{purpose} ")?;
        }
        write!(f, "{} {}{}", self.session, self.action, if self.more { " &" } else { "" })
    }
}

impl Display for Action {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Action::Connect(connect) => connect.fmt(f),
            Action::Request(Request { op, xid, cut }) => {
                if let Some(xid) = xid {
                    write!(f, "xid={xid} ")?;
                }
                if *cut > 0 {
                    write!(f, "cut={cut} ")?;
                }
                op.fmt(f)
            }
            Action::Drop => f.write_str("drop"),
            Action::Await(count) => write!(f, "await {count}"),
        }
    }
}

impl Display for Connect {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let plain = Connect::default();
        f.write_str(if self.resume { "resume" } else { "connect" })?;
        if self.timeout_ms != plain.timeout_ms {
            write!(f, " timeout={}", self.timeout_ms)?;
        }
        if self.seen != plain.seen {
            write!(f, " seen={}", self.seen)?;
        }
        match self.password {
            Password::Own => {}
            Password::Wrong => f.write_str(" password=wrong")?,
            Password::Null => f.write_str(" password=null")?,
            Password::Empty => f.write_str(" password=empty")?,
        }
        match self.read_only {
            Some(0) => Ok(()),
            Some(byte) => write!(f, " readonly={byte}"),
            None => f.write_str(" readonly=absent"),
        }
    }
}

impl Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.spec.name)?;
        for (field, arg) in self.spec.request.iter().zip(&self.args) {
            let text = argument(*field, arg);
            // A multi of no operations has no text.
            if !text.is_empty() {
                write!(f, " {text}")?;
            }
        }
        Ok(())
    }
}

impl Display for ZxidArg {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            ZxidArg::After(count) => write!(f, "+{count}"),
            ZxidArg::Exactly(zxid) => zxid.fmt(f),
            ZxidArg::Seen => f.write_str("seen"),
        }
    }
}

fn argument(field: Field, arg: &Arg) -> String {
    match arg {
        Arg::Str(string) => text::string(string.as_deref()),
        Arg::Data(data) => text::data(data.as_deref()),
        Arg::Raw(bytes) => text::data(Some(bytes)),
        Arg::Acl(acl) => text::acl(acl.as_deref()),
        Arg::Byte(0) => "-".to_owned(),
        Arg::Byte(1) => "watch".to_owned(),
        Arg::Byte(byte) => byte.to_string(),
        Arg::Int(number) => {
            let Field::Named(names) = field else { return number.to_string() };
            let name = names.iter().find(|(_, value)| value == number);
            name.map_or_else(|| number.to_string(), |(name, _)| (*name).to_owned())
        }
        Arg::Long(number) => number.to_string(),
        Arg::Zxid(zxid) => zxid.to_string(),
        Arg::Paths(None) => "null".to_owned(),
        Arg::Paths(Some(paths)) => {
            let paths: Vec<String> = paths.iter().map(|path| text::string(path.as_deref())).collect();
            format!("[{}]", paths.join(" "))
        }
        Arg::Ops(ops) => ops.iter().map(|op| format!("({op})")).collect::<Vec<_>>().join(" "),
    }
}

//! What every operation sends and answers, as a table: one row writes, reads, prints and parses its records. It states the
//! protocol a second time (protocol §2.3), so that a slip in the server's own records is a difference and not an agreement.
//! It never knows a connection.

/// A field of a request, in the order of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// A nullable string: a path.
    Path,
    /// A nullable string of any other meaning.
    Text,
    /// A nullable buffer.
    Data,
    /// A nullable vector of ACL entries.
    Acl,
    /// A boolean: whether to watch.
    Watch,
    /// A number with one of these names.
    Named(Names),
    /// A number.
    Int,
    /// A long.
    Long,
    /// A zxid, as a distance from the start of the script.
    Zxid,
    /// A nullable vector of nullable strings.
    Paths,
    /// The operations of a multi, with their headers.
    Ops,
    /// Bytes as they are, to the end.
    Raw,
}

/// The names of some numbers of a field; any other number is written as such.
pub type Names = &'static [(&'static str, i32)];

/// A piece of a reply's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A nullable string.
    Path,
    /// A nullable buffer.
    Data,
    /// A vector of ACL entries.
    Acl,
    /// A Stat.
    Stat,
    /// A vector of strings, with its name.
    Names(&'static str),
    /// A number, with its name.
    Int(&'static str),
    /// A vector of identities.
    Identities,
    /// The results of a multi.
    Results,
}

/// One operation.
#[derive(Debug, PartialEq, Eq)]
pub struct Spec {
    /// Its name in scripts.
    pub name: &'static str,
    /// Its op code.
    pub code: i32,
    /// The xid its requests have; `None` for the next number.
    pub xid: Option<i32>,
    /// The request's record.
    pub request: &'static [Field],
    /// The reply's record.
    pub reply: &'static [Part],
}

const FLAGS: Field = Field::Named(&[
    ("persistent", 0),
    ("ephemeral", 1),
    ("sequential", 2),
    ("ephemeral_sequential", 3),
    ("container", 4),
    ("ttl", 5),
    ("sequential_ttl", 6),
]);
const VERSION: Field = Field::Named(&[("any", -1)]);
const KIND: Field =
    Field::Named(&[("children", 1), ("data", 2), ("any", 3), ("persistent", 4), ("persistent_recursive", 5)]);
const MODE: Field = Field::Named(&[("persistent", 0), ("persistent_recursive", 1)]);

const CREATE: &[Field] = &[Field::Path, Field::Data, Field::Acl, FLAGS];
const PATH: &[Field] = &[Field::Path];
const PATH_WATCH: &[Field] = &[Field::Path, Field::Watch];
const PATH_VERSION: &[Field] = &[Field::Path, VERSION];
const PATH_STAT: &[Part] = &[Part::Path, Part::Stat];
const STAT: &[Part] = &[Part::Stat];
const THREE: &[Field] = &[Field::Zxid, Field::Paths, Field::Paths, Field::Paths];
const FIVE: &[Field] = &[Field::Zxid, Field::Paths, Field::Paths, Field::Paths, Field::Paths, Field::Paths];

const fn op(name: &'static str, code: i32, request: &'static [Field], reply: &'static [Part]) -> Spec {
    Spec { name, code, xid: None, request, reply }
}

const fn special(name: &'static str, code: i32, xid: i32, request: &'static [Field]) -> Spec {
    Spec { name, code, xid: Some(xid), request, reply: &[] }
}

/// Any op code with any bytes: the first number is the code.
pub const ANY: &str = "op";

/// Every operation.
pub const OPS: &[Spec] = &[
    op("create", 1, CREATE, &[Part::Path]),
    op("create2", 15, CREATE, PATH_STAT),
    op("createContainer", 19, CREATE, PATH_STAT),
    op("createTTL", 21, &[Field::Path, Field::Data, Field::Acl, FLAGS, Field::Long], PATH_STAT),
    op("delete", 2, PATH_VERSION, &[]),
    op("exists", 3, PATH_WATCH, STAT),
    op("getData", 4, PATH_WATCH, &[Part::Data, Part::Stat]),
    op("setData", 5, &[Field::Path, Field::Data, VERSION], STAT),
    op("getACL", 6, PATH, &[Part::Acl, Part::Stat]),
    op("setACL", 7, &[Field::Path, Field::Acl, VERSION], STAT),
    op("getChildren", 8, PATH_WATCH, &[Part::Names("children")]),
    op("getChildren2", 12, PATH_WATCH, &[Part::Names("children"), Part::Stat]),
    op("sync", 9, PATH, &[Part::Path]),
    op("check", 13, PATH_VERSION, &[]),
    op("multi", 14, &[Field::Ops], &[Part::Results]),
    op("multiRead", 22, &[Field::Ops], &[Part::Results]),
    op("reconfig", 16, &[Field::Text, Field::Text, Field::Text, Field::Long], &[Part::Data, Part::Stat]),
    op("checkWatches", 17, &[Field::Path, KIND], &[]),
    op("removeWatches", 18, &[Field::Path, KIND], &[]),
    op("deleteContainer", 20, &[Field::Raw], &[]),
    op("addWatch", 106, &[Field::Path, MODE], &[Part::Int("result")]),
    op("getEphemerals", 103, PATH, &[Part::Names("ephemerals")]),
    op("getAllChildrenNumber", 104, PATH, &[Part::Int("total")]),
    op("whoAmI", 107, &[], &[Part::Identities]),
    op("sasl", 102, &[Field::Data], &[Part::Data]),
    op("createSession", -10, &[Field::Int], &[]),
    op("closeSession", -11, &[], &[]),
    op(ANY, 0, &[Field::Int, Field::Raw], &[]),
    special("ping", 11, -2, &[]),
    special("auth", 100, -4, &[Field::Int, Field::Text, Field::Data]),
    special("setWatches", 101, -8, THREE),
    special("setWatches2", 105, -8, FIVE),
];

/// The operation with this code.
pub fn coded(code: i32) -> Option<&'static Spec> {
    OPS.iter().find(|spec| spec.code == code && spec.name != ANY)
}

/// The operation of this name.
pub fn named(name: &str) -> Option<&'static Spec> {
    OPS.iter().find(|spec| spec.name == name)
}

//! What the integration tests share: servers as child processes (ours and the reference), the reference's own clients,
//! and the checkers that read the project's rules from its documents.
//!
//! Everything here listens on and talks to 127.0.0.1 only, and ends only the processes it started, by their id.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`architecture`] | reads the module table of ARCHITECTURE.md and finds imports that go up |
//! | [`check`] | holds a history of clients to what the service promises |
//! | [`differential`] | the same steps on the reference and on ours, compared field by field |
//! | [`liar`] | a proxy that changes what a server says |
//! | [`dialogue`] | a program that is talked to through its standard input and output |
//! | [`server`] | a server on a free port: start, kill, start again, as either software |
//! | [`software`] | which server: ours, or the reference |
//! | [`offline`] | the offline tools, and the files of a data directory |
//! | [`ours`] | finds (builds) the `menagerie` binary |
//! | [`reference`](mod@reference) | the reference server's jars, its Java shell and its C shell |
//! | [`frameworks`] | Curator and Kazoo, each with a session of its recipes |
//! | [`requirement`] | tests that need something that may be absent: skipped, or an error |
//! | [`pairing`] | ensembles of both kinds of members, each way to pair them |
//! | [`port`], [`four_letter`], [`raw`] | free ports, four-letter words, hand-made frames |
//! | [`probe`] | a raw session whose answers are lines of text, to compare two servers |
//! | [`walk`] | the whole tree of a server as a comparable value |
//! | [`writer`] | a client that writes and remembers what it was told, to hold a server to it |
//! | [`pulse`] | how long nothing was acknowledged after a blow |
//! | [`ensemble`] | members in processes of their own, of either software: killed, paused, wiped, replaced |
//! | [`mixed`] | one of our consensus members beside members of the reference |
//! | [`rolling`] | members replaced by those of another software, one by one, under load |
//! | [`sim`] | an ensemble in one thread, from a seed |
//! | [`healthy`], [`hostile`] | a client that must see no error, and peers that send anything but what they should |
//! | [`process`] | memory and open files of a process |
//! | [`workspace`] | the files of this repository |

pub mod architecture;
pub mod check;
pub mod dialogue;
pub mod differential;
pub mod ensemble;
pub mod four_letter;
pub mod frameworks;
pub mod healthy;
pub mod hostile;
pub mod liar;
pub mod mixed;
pub mod offline;
pub mod ours;
pub mod pairing;
pub mod port;
pub mod probe;
pub mod process;
pub mod pulse;
pub mod raw;
pub mod reference;
pub mod requirement;
pub mod rolling;
pub mod server;
pub mod sim;
pub mod software;
pub mod walk;
pub mod workspace;
pub mod writer;

/// What a test returns: any error ends it with its message.
pub type TestResult<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A session timeout that outlives a restart of a server under test, however slow the machine. The server's
/// `maxSessionTimeout` must allow it.
pub const LONG_SESSION: std::time::Duration = std::time::Duration::from_secs(30);

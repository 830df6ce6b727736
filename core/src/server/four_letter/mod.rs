//! Four-letter words: four ASCII bytes as the first thing on a connection, answered by text (protocol §3.1).
//!
//! Here is which words there are, who may use them, and the short ones. What they print is the reference's, line by line:
//! monitoring systems parse it.

mod connections;
mod date;
mod dump;
mod environment;
mod mntr;
mod server;
mod watches;

use std::sync::atomic::Ordering;

use super::Context;
use super::registry::Handle;

/// The word that is followed by eight more bytes, the trace mask.
pub(super) const SET_TRACE_MASK: [u8; 4] = *b"stmk";

/// What a member says that has no leader.
const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests\n";

/// The words that need no leader.
const ANSWERED_ALWAYS: [&str; 5] = ["ruok", "isro", "envi", "gtmk", "stmk"];

/// How a word is answered.
enum Word {
    /// From what every task of the server shares.
    Text(fn(&Context) -> String),
    /// The only one that is told something.
    SetTraceMask,
    /// The two that have to ask the member.
    Dump,
    Monitor,
}

/// Whether there is such a word. If not, the connection is closed without a byte, and nothing is counted.
pub(super) fn is_known(word: [u8; 4]) -> bool {
    std::str::from_utf8(&word).is_ok_and(|word| find(word).is_some())
}

/// The answer to a word, or `None` when there is no such word or the server is stopping.
/// `trace_mask` is what came with [`SET_TRACE_MASK`].
pub(super) async fn answer(context: &Context, handle: &Handle, word: [u8; 4], trace_mask: i64) -> Option<String> {
    let word = std::str::from_utf8(&word).ok()?;
    let known = find(word)?;
    // Who asks is not read from any more, and shows itself so.
    handle.reading.store(false, Ordering::Relaxed);
    // Where read-only mode is on, clients ask this before they connect.
    let asked_by_clients = word == "isro" && context.config.read_only_mode_enabled;
    if !asked_by_clients && !context.config.four_letter_words.allows(word) {
        return Some(format!("{word} is not executed because it is not in the whitelist.\n"));
    }
    let is_serving = context.mode().is_some();
    if !is_serving && !ANSWERED_ALWAYS.contains(&word) {
        return Some(NOT_SERVING.to_owned());
    }
    match known {
        Word::Text(text) => Some(text(context)),
        Word::SetTraceMask => {
            context.trace_mask.store(trace_mask, Ordering::Relaxed);
            Some(trace_mask.to_string())
        }
        Word::Dump => dump::dump(context).await,
        Word::Monitor => mntr::mntr(context).await,
    }
}

fn read_write(context: &Context) -> &'static str {
    match context.mode() {
        Some("read-only") => "ro",
        Some(_) => "rw",
        None => "null",
    }
}

fn find(word: &str) -> Option<Word> {
    let text: fn(&Context) -> String = match word {
        "ruok" => |_| "imok".to_owned(),
        "isro" => |context| read_write(context).to_owned(),
        "srvr" => server::srvr,
        "stat" => connections::stat,
        "cons" => connections::cons,
        "conf" => environment::conf,
        "envi" => |_| environment::envi(),
        "dirs" => environment::dirs,
        "wchs" => watches::wchs,
        "wchp" => watches::wchp,
        "wchc" => watches::wchc,
        "hash" => server::hash,
        "crst" => server::crst,
        "srst" => server::srst,
        "gtmk" => |context| context.trace_mask.load(Ordering::Relaxed).to_string(),
        "stmk" => return Some(Word::SetTraceMask),
        "dump" => return Some(Word::Dump),
        "mntr" => return Some(Word::Monitor),
        _ => return None,
    };
    Some(Word::Text(text))
}

//! What stands in the znodes: one line that people can read and write in the shell, then a GUID for those who must find their own again.
//!
//! ```text
//! /tasks/task-0000000000          resize cat.png                  kind, payload
//! /tasks/task-0000000000/status   done worker1 64x64              done or failed, worker, output or message
//! /workers/worker1                slots=2 kinds=resize,rotate     anything else: one slot, any kind
//! ```
//!
//! It never knows where the znodes are.

use std::collections::BTreeSet;

use bytes::{BufMut, Bytes, BytesMut};

use crate::{Error, mark};

/// A task as its client wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TaskRecord {
    pub(super) kind: String,
    pub(super) payload: Bytes,
}

impl TaskRecord {
    pub(super) fn encode(&self, mark: &str) -> Bytes {
        words(&[&self.kind], &self.payload, mark)
    }

    pub(super) fn decode(data: &Bytes) -> Self {
        let (kind, payload) = word(mark::strip(data));
        TaskRecord { kind, payload }
    }
}

/// A task's end as its worker wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StatusRecord {
    pub(super) worker: String,
    pub(super) outcome: Result<Bytes, String>,
}

impl StatusRecord {
    pub(super) fn encode(&self, mark: &str) -> Bytes {
        match &self.outcome {
            Ok(output) => words(&["done", &self.worker], output, mark),
            Err(message) => words(&["failed", &self.worker], message.as_bytes(), mark),
        }
    }

    /// `path` is for the error.
    pub(super) fn decode(data: &Bytes, path: &str) -> Result<Self, Error> {
        let (verb, rest) = word(mark::strip(data));
        let (worker, rest) = word(rest);
        match verb.as_str() {
            "done" => Ok(StatusRecord { worker, outcome: Ok(rest) }),
            "failed" => Ok(StatusRecord { worker, outcome: Err(String::from_utf8_lossy(&rest).into_owned()) }),
            _ => Err(Error::Malformed { path: path.to_owned(), what: "`done` or `failed`, and a worker" }),
        }
    }
}

/// What a worker says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WorkerRecord {
    /// How many tasks it does at a time.
    pub(super) slots: usize,
    /// Which kinds it can do; `None` for any.
    pub(super) kinds: Option<BTreeSet<String>>,
}

impl WorkerRecord {
    pub(super) fn encode(&self) -> Bytes {
        let mut text = format!("slots={}", self.slots);
        if let Some(kinds) = &self.kinds {
            let kinds: Vec<_> = kinds.iter().map(String::as_str).collect();
            text.push_str(" kinds=");
            text.push_str(&kinds.join(","));
        }
        text.into()
    }

    pub(super) fn decode(data: &Bytes) -> Self {
        let mut record = WorkerRecord { slots: 1, kinds: None };
        for field in String::from_utf8_lossy(&mark::strip(data)).split_ascii_whitespace() {
            match field.split_once('=') {
                Some(("slots", slots)) => record.slots = slots.parse().unwrap_or(record.slots),
                Some(("kinds", kinds)) => record.kinds = Some(kinds.split(',').map(str::to_owned).collect()),
                _ => {}
            }
        }
        record
    }

    pub(super) fn can_do(&self, kind: &str) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(kind))
    }
}

/// Refuses names that would not be read back as they were written.
pub(super) fn check_word(what: &str, name: &str) -> Result<(), Error> {
    let is_word =
        !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || "/,=".contains(c));
    if is_word && name != "." && name != ".." {
        return Ok(());
    }
    Err(Error::Invalid(format!("{name:?} cannot be a {what}: one word without any of / , =")))
}

fn words(words: &[&str], rest: &[u8], mark: &str) -> Bytes {
    let mut line = BytesMut::from(words.join(" ").as_bytes());
    if !rest.is_empty() {
        line.put_u8(b' ');
        line.put_slice(rest);
    }
    mark::append(&line, mark)
}

/// The first word, and what follows the space after it.
fn word(mut data: Bytes) -> (String, Bytes) {
    let end = data.iter().position(|byte| *byte == b' ').unwrap_or(data.len());
    let first = data.split_to(end);
    let rest = if data.is_empty() { data } else { data.slice(1..) };
    (String::from_utf8_lossy(&first).into_owned(), rest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn records_are_read_back_as_they_were_written() {
        let mark = mark::new();
        for payload in [&b""[..], b"cat.png", b" leading space", b"two\nlines", &[0, 255, b' ']] {
            let task = TaskRecord { kind: "resize".into(), payload: Bytes::from_static(payload) };
            assert_eq!(TaskRecord::decode(&task.encode(&mark)), task);
            let done = StatusRecord { worker: "w1".into(), outcome: Ok(Bytes::from_static(payload)) };
            assert_eq!(StatusRecord::decode(&done.encode(&mark), "/").unwrap(), done);
        }
        let failed = StatusRecord { worker: "w1".into(), outcome: Err("no such file".into()) };
        assert_eq!(StatusRecord::decode(&failed.encode(&mark), "/").unwrap(), failed);
        let worker = WorkerRecord { slots: 3, kinds: Some(["a".into(), "b".into()].into()) };
        assert_eq!(worker.encode(), "slots=3 kinds=a,b");
        assert_eq!(WorkerRecord::decode(&worker.encode()), worker);
    }

    #[test]
    fn what_people_write_in_the_shell_is_understood() {
        let task = TaskRecord::decode(&Bytes::from("resize cat.png"));
        assert_eq!((task.kind.as_str(), &task.payload[..]), ("resize", &b"cat.png"[..]));
        let worker = WorkerRecord::decode(&Bytes::from("idle"));
        assert!(worker.slots == 1 && worker.can_do("anything"));
        assert!(StatusRecord::decode(&Bytes::from("64x64"), "/s").is_err());
    }

    #[test]
    fn names_are_words() {
        assert!(check_word("worker", "worker1.example.com").is_ok());
        for bad in ["", "a b", "a/b", "a,b", "..", "a\n"] {
            assert!(check_word("worker", bad).is_err(), "{bad:?}");
        }
    }
}

//! The file of an export: checked once as a whole, then read line by line.

use std::io::{BufRead, BufReader, Read};

use super::super::super::failure::Failure;
use super::super::super::record::{Line, Record};

/// The longest line: a znode of the greatest length whose data are escaped throughout, with room to spare.
const LONGEST_LINE: u64 = 16 * 1024 * 1024;

/// What is known of a file that is as it should be.
#[derive(Debug)]
pub(super) struct File {
    name: String,
    /// The path that was exported.
    pub(super) root: String,
    /// Whether some access list is not open to everybody.
    pub(super) has_acls: bool,
    /// How many znodes are ephemeral.
    pub(super) ephemerals: u64,
}

impl File {
    /// Reads the whole file.
    ///
    /// # Errors
    /// It cannot be read, a line is wrong, or its end is missing; the message names the line.
    pub(super) fn check(name: &str) -> Result<Self, Failure> {
        let mut reader = Reader::open(name, "nothing was imported")?;
        let Some(Line::Head(head)) = reader.next_line()? else {
            return Err(reader.wrong("an export begins with a line such as {\"export\":1,\"root\":\"/app\"}"));
        };
        let mut file = Self { name: name.to_owned(), root: head.root, has_acls: false, ephemerals: 0 };
        let mut znodes = 0;
        loop {
            match reader.next_line()? {
                Some(Line::Znode(record)) => {
                    znodes += 1;
                    file.add(&record, &reader)?;
                }
                Some(Line::End(end)) if end.znodes != znodes => {
                    let why = format_args!("{} znodes were exported, and {znodes} are in the file", end.znodes);
                    return Err(reader.wrong(why));
                }
                Some(Line::End(_)) if reader.next_line()?.is_some() => {
                    return Err(reader.wrong("nothing follows the end of an export"));
                }
                Some(Line::End(_)) => return Ok(file),
                Some(Line::Head(_)) => return Err(reader.wrong("a second export begins: import one after the other")),
                None => return Err(reader.wrong("the end is missing: the file was cut, or the export did not finish")),
            }
        }
    }

    /// Reads it again.
    pub(super) fn open(&self) -> Result<Reader, Failure> {
        Reader::open(&self.name, "it has changed since it was checked")
    }

    fn add(&mut self, record: &Record, reader: &Reader) -> Result<(), Failure> {
        let rest = record.path.strip_prefix(self.root.as_str());
        let is_below = self.root == "/" || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if !is_below {
            return Err(reader.wrong(format_args!("{} is not below the root {}", record.path, self.root)));
        }
        self.has_acls |= record.acl().is_ok_and(|acl| acl != crate::wire::Acl::open());
        self.ephemerals += u64::from(record.kind == super::Kind::Ephemeral);
        Ok(())
    }
}

/// Reads lines.
#[derive(Debug)]
pub(super) struct Reader {
    name: String,
    input: BufReader<std::fs::File>,
    number: u64,
    /// What a wrong line means.
    meaning: &'static str,
}

impl Reader {
    #[expect(clippy::disallowed_methods, reason = "the file is one of the person at the shell, not a server's")]
    fn open(name: &str, meaning: &'static str) -> Result<Self, Failure> {
        let failed = |why: &dyn std::fmt::Display| Failure::usage(format_args!("cannot read {name}: {why}"));
        let file = std::fs::File::open(name).map_err(|error| failed(&error))?;
        if !file.metadata().map_err(|error| failed(&error))?.is_file() {
            return Err(failed(&"it is no file, which can be read three times; write it to one first"));
        }
        Ok(Self { name: name.to_owned(), input: BufReader::new(file), number: 0, meaning })
    }

    /// The next znode, or `None` at the end.
    pub(super) fn next_znode(&mut self) -> Result<Option<Record>, Failure> {
        loop {
            match self.next_line()? {
                Some(Line::Znode(record)) => return Ok(Some(record)),
                Some(Line::Head(_)) => {}
                Some(Line::End(_)) => return Ok(None),
                None => return Err(self.wrong("the end is missing")),
            }
        }
    }

    fn next_line(&mut self) -> Result<Option<Line>, Failure> {
        let mut line = Vec::new();
        self.number += 1;
        let length = (&mut self.input).take(LONGEST_LINE).read_until(b'\n', &mut line);
        let length = length.map_err(|error| self.wrong(error))?;
        if length as u64 == LONGEST_LINE {
            return Err(self.wrong(format_args!("a line is longer than {LONGEST_LINE} bytes")));
        }
        if length == 0 {
            return Ok(None);
        }
        Line::parse(&line).map(Some).map_err(|what| self.wrong(what))
    }

    fn wrong(&self, what: impl std::fmt::Display) -> Failure {
        Failure::usage(format_args!("{}, line {}: {what}; {}", self.name, self.number, self.meaning))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]
    use super::*;

    fn check(text: &str) -> Result<File, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        File::check(file.path().to_str().unwrap()).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_file_that_is_cut_or_mixed_up_is_refused_before_anything_is_done() {
        let head = "{\"export\":1,\"root\":\"/a\"}\n";
        let end = "{\"end\":true,\"znodes\":1}\n";
        let znode = "{\"path\":\"/a/b\"}\n";
        assert_eq!(check(&format!("{head}{znode}{end}")).unwrap().root, "/a");
        for (text, words) in [
            (String::new(), "line 1: an export begins"),
            (format!("{head}{znode}"), "line 3: the end is missing"),
            (format!("{head}{znode}{{\"path\":\"/a"), "line 3: EOF"),
            (format!("{head}{end}"), "line 2: 1 znodes were exported, and 0"),
            (format!("{head}{znode}{end}{znode}"), "nothing follows"),
            (format!("{head}{head}"), "a second export"),
            (format!("{head}{{\"path\":\"/ab\"}}\n"), "/ab is not below the root /a"),
            (format!("{head}\n"), "line 2"),
        ] {
            let error = check(&text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
        assert!(File::check("/nowhere/x").unwrap_err().to_string().starts_with("cannot read /nowhere/x"));
    }

    #[test]
    fn a_file_that_is_cut_after_the_check_is_noticed() {
        let text = tempfile::NamedTempFile::new().unwrap();
        let head = "{\"export\":1,\"root\":\"/a\"}\n";
        std::fs::write(text.path(), format!("{head}{{\"path\":\"/a\"}}\n{{\"end\":true,\"znodes\":1}}\n")).unwrap();
        let file = File::check(text.path().to_str().unwrap()).unwrap();
        let mut reader = file.open().unwrap();
        assert!(reader.next_znode().unwrap().is_some() && reader.next_znode().unwrap().is_none());
        std::fs::write(text.path(), head).unwrap();
        let error = file.open().unwrap().next_znode().unwrap_err().to_string();
        assert!(error.ends_with("line 2: the end is missing; it has changed since it was checked"), "{error}");
    }

    #[test]
    fn what_the_import_needs_to_know_is_found() {
        let text = "{\"export\":1,\"root\":\"/\"}\n{\"path\":\"/\",\"acl\":[\"world:anyone:r\"]}\n{\"path\":\"/e\",\"kind\":\"ephemeral\"}\n{\"end\":true,\"znodes\":2}\n";
        let file = check(text).unwrap();
        assert!(file.has_acls);
        assert_eq!(file.ephemerals, 1);
    }
}

//! Java properties text, the syntax of `zoo.cfg` (protocol §4.1): comments, escapes, continuation lines and the three separators.
//!
//! Works on bytes already read and knows nothing of what any key means.

use std::iter::Peekable;
use std::str::Chars;

/// One `key=value` of a properties file, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The key, escapes resolved and surrounding white space removed.
    pub key: String,
    /// The value, escapes resolved and surrounding white space removed.
    pub value: String,
    /// The line, counted from 1, on which the key begins.
    pub line: usize,
}

/// Text that is no properties file. Only a bad `\u` escape can cause it: everything else means something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct SyntaxError {
    /// The line, counted from 1, on which the property begins.
    pub line: usize,
    /// What is wrong and what is allowed.
    pub what: String,
}

/// Parses ISO-8859-1 properties text. Duplicates are kept: which of them wins is the caller's decision.
///
/// # Errors
/// A `\u` that is not followed by four hexadecimal digits, or that names half of a surrogate pair.
pub fn parse(bytes: &[u8]) -> Result<Vec<Property>, SyntaxError> {
    // ISO-8859-1 is the first 256 code points, so each byte is its own character.
    let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
    let mut properties = Vec::new();
    let mut lines = natural_lines(&text).into_iter().enumerate();
    while let Some((index, first)) = lines.next() {
        let first = first.trim_start_matches(is_blank);
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let line = index + 1;
        let logical = join_continuations(first, &mut lines);
        if logical.is_empty() {
            continue;
        }
        let (key, value) = split(&logical);
        let (key, value) = (unescape(key, line)?, unescape(value, line)?);
        properties.push(Property { key: java_trim(&key).to_owned(), value: java_trim(&value).to_owned(), line });
    }
    Ok(properties)
}

/// Splits at `\n`, `\r` and `\r\n`.
fn natural_lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.find(['\n', '\r']) {
        lines.push(&rest[..end]);
        let width = if rest[end..].starts_with("\r\n") { 2 } else { 1 };
        rest = &rest[end + width..];
    }
    lines.push(rest);
    lines
}

/// A line that ends in an odd number of backslashes goes on in the next one, whose leading white space does not count.
fn join_continuations<'a>(first: &str, rest: &mut impl Iterator<Item = (usize, &'a str)>) -> String {
    let mut logical = first.to_owned();
    while ends_in_odd_backslashes(&logical) {
        logical.pop();
        let Some((_, next)) = rest.next() else { break };
        logical.push_str(next.trim_start_matches(is_blank));
    }
    logical
}

fn ends_in_odd_backslashes(line: &str) -> bool {
    line.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 1
}

/// The key ends at the first `=`, `:` or white space without a backslash before it.
fn split(logical: &str) -> (&str, &str) {
    let mut escaped = false;
    for (at, c) in logical.char_indices() {
        if !escaped && (is_blank(c) || matches!(c, '=' | ':')) {
            let rest = logical[at..].trim_start_matches(is_blank);
            let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
            return (&logical[..at], value.trim_start_matches(is_blank));
        }
        escaped = c == '\\' && !escaped;
    }
    (logical, "")
}

fn unescape(raw: &str, line: usize) -> Result<String, SyntaxError> {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('n') => out.push('\n'),
            Some('f') => out.push('\u{c}'),
            Some('u') => out.push(unicode_escape(&mut chars).map_err(|what| SyntaxError { line, what })?),
            Some(other) => out.push(other),
            None => {}
        }
    }
    Ok(out)
}

/// Reads what follows `\u`. Java names characters outside the basic plane by two escapes, a surrogate pair.
fn unicode_escape(chars: &mut Peekable<Chars<'_>>) -> Result<char, String> {
    let first = hex_unit(chars)?;
    if let Some(c) = char::from_u32(first) {
        return Ok(c);
    }
    let unpaired = || format!("\\u{first:04x} is half of a surrogate pair; both halves must be given");
    if chars.next() != Some('\\') || chars.next() != Some('u') {
        return Err(unpaired());
    }
    let units = [first as u16, hex_unit(chars)? as u16];
    match char::decode_utf16(units).next() {
        Some(Ok(c)) => Ok(c),
        _ => Err(unpaired()),
    }
}

fn hex_unit(chars: &mut Peekable<Chars<'_>>) -> Result<u32, String> {
    let mut unit = 0;
    for _ in 0..4 {
        let digit = chars.next().and_then(|c| c.to_digit(16));
        unit = unit * 16 + digit.ok_or("\\u must be followed by four hexadecimal digits")?;
    }
    Ok(unit)
}

/// Java's `String.trim`: everything up to and including U+0020 counts as white space, and nothing else does.
fn java_trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;
    use std::fmt::Write;

    fn pairs(text: &[u8]) -> Vec<(String, String, usize)> {
        parse(text).unwrap().into_iter().map(|p| (p.key, p.value, p.line)).collect()
    }

    /// Each row: the text, and what `java.util.Properties` makes of it.
    #[test]
    fn reads_what_java_reads() {
        type Row = (&'static str, &'static [(&'static str, &'static str, usize)]);
        let table: &[Row] = &[
            ("a=1", &[("a", "1", 1)]),
            ("a: 1\n b \t= 2", &[("a", "1", 1), ("b", "2", 2)]),
            ("a 1 2", &[("a", "1 2", 1)]),
            ("a = = b", &[("a", "= b", 1)]),
            ("a==b", &[("a", "=b", 1)]),
            ("flag", &[("flag", "", 1)]),
            ("=v", &[("", "v", 1)]),
            ("# c\n! d\n\n  # e\na=1", &[("a", "1", 5)]),
            ("a=1 # not a comment", &[("a", "1 # not a comment", 1)]),
            ("a=1,\\\n   2,\\\n\t3\nb=2", &[("a", "1,2,3", 1), ("b", "2", 4)]),
            ("a=x\\\n# y\nb=2", &[("a", "x# y", 1), ("b", "2", 3)]),
            ("a=x\\\\\nb=2", &[("a", "x\\", 1), ("b", "2", 2)]),
            ("a=x\\\n\nb=2", &[("a", "x", 1), ("b", "2", 3)]),
            ("\\\n\nb=2", &[("b", "2", 3)]),
            ("# c\\\nb=2", &[("b", "2", 2)]),
            ("a\\=b\\:c\\ d=e", &[("a=b:c d", "e", 1)]),
            ("a=C:\\\\data\\tx", &[("a", "C:\\data\tx", 1)]),
            ("a=\\q\\z", &[("a", "qz", 1)]),
            ("a=\\u00e9\\uD83D\\uDE00", &[("a", "é😀", 1)]),
            ("a=1\r\nb=2\rc=3", &[("a", "1", 1), ("b", "2", 2), ("c", "3", 3)]),
            ("a=1\\", &[("a", "1", 1)]),
            ("a=1\na=2", &[("a", "1", 1), ("a", "2", 2)]),
            ("\u{c}a\u{c}1", &[("a", "1", 1)]),
        ];
        for (text, expected) in table {
            let expected: Vec<_> = expected.iter().map(|&(k, v, l)| (k.to_owned(), v.to_owned(), l)).collect();
            assert_eq!(pairs(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn bytes_are_latin_1() {
        assert_eq!(pairs(b"dataDir=/srv/donn\xe9es"), [("dataDir".to_owned(), "/srv/données".to_owned(), 1)]);
    }

    #[test]
    fn a_bad_unicode_escape_names_its_line() {
        for bad in ["\\u12", "\\u12g4", "\\ud83d", "\\ud83d\\n", "\\ud83d\\u0041"] {
            let error = parse(format!("a=1\nb={bad}").as_bytes()).unwrap_err();
            assert_eq!(error.line, 2, "{bad}");
        }
    }

    /// As `java.util.Properties.store` writes it: every character that means something is escaped.
    fn escape(text: &str) -> String {
        let mut out = String::new();
        for c in text.chars() {
            match c {
                '=' | ':' | '#' | '!' | ' ' | '\\' => out.extend(['\\', c]),
                ' '..='~' => out.push(c),
                _ => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| write!(out, "\\u{unit:04x}").unwrap()),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn never_panics_on_what_looks_like_properties(text in "([ab=: \\\\u0#!\t\r\n]|\\\\u[0-9a-f]{4}){0,60}") {
            let _ = parse(text.as_bytes());
        }

        #[test]
        fn what_is_stored_is_loaded(pairs in prop::collection::vec((".{1,12}", ".{0,20}"), 0..8)) {
            let lines: Vec<_> = pairs.iter().map(|(k, v)| [escape(k), escape(v)].join("=")).collect();
            let text = lines.join("\n");
            let read: Vec<_> = parse(text.as_bytes()).unwrap().into_iter().map(|p| (p.key, p.value)).collect();
            let expected: Vec<_> = pairs.iter().map(|(k, v)| (java_trim(k).to_owned(), java_trim(v).to_owned())).collect();
            prop_assert_eq!(read, expected);
        }
    }
}

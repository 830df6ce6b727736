//! How values stand in scripts and transcripts: words, quoted strings, bytes, access control lists; and the words of a
//! line. What is printed here is read back here. It never knows what a step is.

use menagerie_core::wire::{Acl, Id, Perms};

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A word that stands alone.
    Word(String),
    /// A string in quotes, without them.
    Quoted(String),
    /// `(`, `)`, `[` or `]`.
    Bracket(char),
}

/// A string: a word when it can stand alone, else in quotes.
pub fn string(string: Option<&str>) -> String {
    match string {
        None => "null".to_owned(),
        Some(string) if is_word(string) => string.to_owned(),
        Some(string) => quoted(string),
    }
}

/// Bytes: in quotes when they are printable, `N*c` when they are long and all the same, else in hexadecimal.
pub fn data(data: Option<&[u8]>) -> String {
    let Some(data) = data else { return "null".to_owned() };
    match data {
        [first, rest @ ..] if data.len() > 32 && first.is_ascii_alphanumeric() && rest.iter().all(|b| b == first) => {
            format!("{}*{}", data.len(), char::from(*first))
        }
        _ if data.iter().all(|byte| (b' '..=b'~').contains(byte)) => quoted(&String::from_utf8_lossy(data)),
        _ => data.iter().fold("0x".to_owned(), |text, byte| text + &format!("{byte:02x}")),
    }
}

/// An access control list; `open` for the one that permits everybody everything.
pub fn acl(list: Option<&[Acl]>) -> String {
    let Some(list) = list else { return "null".to_owned() };
    if list == Acl::open() {
        return "open".to_owned();
    }
    let entries: Vec<String> = list.iter().map(|entry| string(Some(&acl_entry(entry)))).collect();
    format!("[{}]", entries.join(" "))
}

/// `scheme:id:perms`, the permissions as letters when they have letters only.
pub fn acl_entry(entry: &Acl) -> String {
    let Id { scheme, id } = &entry.id;
    let perms = entry.perms;
    let perms = if (1..=31).contains(&perms.0) { perms.to_string() } else { perms.0.to_string() };
    format!("{scheme}:{id}:{perms}")
}

/// Reads [`acl_entry`].
pub fn parse_acl_entry(entry: &str) -> Option<Acl> {
    let (scheme, rest) = entry.split_once(':')?;
    let (id, perms) = rest.rsplit_once(':')?;
    let perms = perms.parse().ok().map(Perms).or_else(|| Perms::parse(perms))?;
    Some(Acl::new(perms, scheme, id))
}

/// Reads the word of [`data`] that is not quoted.
pub fn parse_data(word: &str) -> Option<Vec<u8>> {
    if let Some(digits) = word.strip_prefix("0x") {
        let digits = digits.as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        return if digits.len() % 2 == 0 { digits.chunks(2).map(byte).collect() } else { None };
    }
    let (count, character) = word.split_once('*')?;
    Some(vec![*character.as_bytes().first()?; count.parse().ok()?])
}

/// Whether a text cannot be taken for bytes in hexadecimal, nor for null.
pub fn is_unlike_bytes(text: &str) -> bool {
    text != "null" && !text.starts_with("0x") && !text.contains('*') && !text.starts_with('"')
}

/// The words of a line.
///
/// # Errors
/// What is wrong with it, in words.
pub fn tokens(line: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        if let '(' | ')' | '[' | ']' = first {
            tokens.push(Token::Bracket(first));
            rest = &rest[1..];
        } else if first == '"' {
            let (string, after) = unquoted(&rest[1..])?;
            tokens.push(Token::Quoted(string));
            rest = after;
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || "()[]\"".contains(c)).unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

fn is_word(string: &str) -> bool {
    let special = ["null", "&", "watch", "-"];
    !string.is_empty()
        && !special.contains(&string)
        && string.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+:,=@".contains(c))
}

fn quoted(string: &str) -> String {
    let mut text = String::from("\"");
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            ' '..='~' => text.push(character),
            other => text.extend(other.escape_unicode()),
        }
    }
    text + "\""
}

/// The string up to the closing quote, and what follows it.
fn unquoted(text: &str) -> Result<(String, &str), String> {
    let mut string = String::new();
    let mut rest = text;
    loop {
        let Some(character) = rest.chars().next() else { return Err("a quote is not closed".to_owned()) };
        rest = &rest[character.len_utf8()..];
        match character {
            '"' => return Ok((string, rest)),
            '\\' if rest.starts_with("u{") => {
                let (code, after) = rest[2..].split_once('}').ok_or("\\u{ is not closed")?;
                let code = u32::from_str_radix(code, 16).map_err(|error| error.to_string())?;
                string.push(char::from_u32(code).ok_or_else(|| format!("there is no character U+{code:04X}"))?);
                rest = after;
            }
            '\\' => {
                let escaped = rest.chars().next().filter(|c| "\"\\".contains(*c));
                string.push(escaped.ok_or("after a backslash stands \", \\ or u{…}")?);
                rest = &rest[1..];
            }
            other => string.push(other),
        }
    }
}

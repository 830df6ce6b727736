//! Splits a line into words as a POSIX shell does: spaces separate, quotes and backslashes protect.
//!
//! Knows nothing of commands. There are no variables, globs or pipes.

/// A line that ends inside of quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the quote {quote} that opens at column {column} is not closed")]
pub(super) struct Unclosed {
    /// `'` or `"`.
    pub(super) quote: char,
    /// Where it stands, counted in characters from 1.
    pub(super) column: usize,
}

/// The words of a line.
///
/// # Errors
/// A quote that is not closed.
pub(super) fn split(line: &str) -> Result<Vec<String>, Unclosed> {
    let scan = scan(line);
    match scan.open {
        Some((quote, column)) => Err(Unclosed { quote, column }),
        None => Ok(scan.words.into_iter().map(|word| word.text).collect()),
    }
}

/// The words of a line that is still being typed: as [`split`], but an open quote is taken as closed at the end. The last word is
/// the one under the cursor; it is empty after a space.
pub(super) fn split_partial(line: &str) -> Vec<Word> {
    let scan = scan(line);
    let mut words = scan.words;
    if !scan.inside {
        words.push(Word { start: line.len(), text: String::new() });
    }
    words
}

/// The word as it must be typed for [`split`] to give it back.
pub(super) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%^~{}[]!*?".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A word and where it begins, as a byte index into the line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) start: usize,
    pub(super) text: String,
}

struct Scan {
    words: Vec<Word>,
    /// The quote that is open at the end, and its column.
    open: Option<(char, usize)>,
    /// Whether the line ends inside of a word.
    inside: bool,
}

fn scan(line: &str) -> Scan {
    let mut words: Vec<Word> = Vec::new();
    let (mut open, mut inside, mut escaped) = (None, false, false);
    for (column, (at, c)) in line.char_indices().enumerate() {
        let quote = open.map(|(quote, _)| quote);
        if !inside && !c.is_whitespace() {
            words.push(Word { start: at, text: String::new() });
            inside = true;
        }
        let Some(word) = words.last_mut().filter(|_| inside) else { continue };
        if escaped {
            // Within double quotes a backslash protects only what would mean something there.
            if quote == Some('"') && c != '"' && c != '\\' {
                word.text.push('\\');
            }
            word.text.push(c);
            escaped = false;
            continue;
        }
        match (c, quote) {
            ('\\', None | Some('"')) => escaped = true,
            ('\'' | '"', None) => open = Some((c, column + 1)),
            (_, Some(quote)) if c == quote => open = None,
            (_, None) if c.is_whitespace() => inside = false,
            _ => word.text.push(c),
        }
    }
    if let Some(word) = words.last_mut().filter(|_| escaped) {
        word.text.push('\\');
    }
    Scan { words, open, inside }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn splits_as_a_shell_does() {
        let table: &[(&str, &[&str])] = &[
            ("", &[]),
            ("  ls   -s /a\t", &["ls", "-s", "/a"]),
            ("create /a 'two words'", &["create", "/a", "two words"]),
            ("create /a \"two \\\"words\\\" \\n\"", &["create", "/a", "two \"words\" \\n"]),
            ("a\\ b", &["a b"]),
            ("a'b c'd", &["ab cd"]),
            ("set /a ''", &["set", "/a", ""]),
            ("'it'\\''s'", &["it's"]),
            ("'a\\b'", &["a\\b"]),
            ("end\\", &["end\\"]),
            ("set /é 'ü x'", &["set", "/é", "ü x"]),
        ];
        for (line, words) in table {
            assert_eq!(&split(line).unwrap(), words, "{line}");
        }
    }

    #[test]
    fn an_open_quote_is_named() {
        assert_eq!(split("set /a 'x").unwrap_err(), Unclosed { quote: '\'', column: 8 });
        assert!(split("\"a\\\"").is_err());
    }

    #[test]
    fn a_line_being_typed_ends_in_the_word_under_the_cursor() {
        let last = |line: &str| split_partial(line).pop().map(|word| (word.start, word.text)).unwrap();
        assert_eq!(last("ls /a/b"), (3, "/a/b".to_owned()));
        assert_eq!(last("ls "), (3, String::new()));
        assert_eq!(last(""), (0, String::new()));
        assert_eq!(last("ls '/a b"), (3, "/a b".to_owned()));
    }

    proptest! {
        #[test]
        fn quoted_words_come_back(words in prop::collection::vec(".{0,12}", 0..6)) {
            let line: Vec<_> = words.iter().map(|word| quote(word)).collect();
            prop_assert_eq!(split(&line.join(" ")).unwrap(), words);
        }

        #[test]
        fn never_panics(line in ".{0,40}") {
            let _ = split(&line);
            let _ = split_partial(&line);
        }
    }
}

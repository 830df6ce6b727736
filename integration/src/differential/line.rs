//! What a client heard, as lines of named fields: they are compared, printed and kept in transcripts. It never knows where
//! they come from.

use std::fmt::{self, Display, Formatter};

use super::text::{self, Token};

/// One thing that one client heard.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// Which client.
    pub session: String,
    /// `reply`, `event`, `connected`, `closed`…
    pub kind: String,
    /// Its fields, in the order of the record.
    pub fields: Vec<(String, Value)>,
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// One value.
    One(String),
    /// Several.
    List(Vec<String>),
}

impl Line {
    /// A line without fields.
    pub fn new(session: &str, kind: &str) -> Self {
        Line { session: session.to_owned(), kind: kind.to_owned(), fields: Vec::new() }
    }

    /// The line with one more field.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Display) -> Self {
        self.fields.push((name.into(), Value::One(value.to_string())));
        self
    }

    /// The field of this name, when it has one value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).and_then(|(_, value)| match value {
            Value::One(value) => Some(value.as_str()),
            Value::List(_) => None,
        })
    }

    /// Reads a line back.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = text::tokens(text)?.into_iter().peekable();
        let (Some(Token::Word(session)), Some(Token::Word(kind))) = (tokens.next(), tokens.next()) else {
            return Err(format!("a line begins with a client and what it heard: {text}"));
        };
        let mut line = Line::new(&session, &kind);
        while let Some(token) = tokens.next() {
            let Token::Word(word) = token else { return Err(format!("expected name=value, found {token:?}: {text}")) };
            let (name, value) = word.split_once('=').ok_or_else(|| format!("{word} is no name=value: {text}"))?;
            let value = if !value.is_empty() {
                Value::One(value.to_owned())
            } else if tokens.next_if_eq(&Token::Bracket('[')).is_some() {
                let mut list = Vec::new();
                loop {
                    match tokens.next() {
                        Some(Token::Word(element) | Token::Quoted(element)) => list.push(element),
                        Some(Token::Bracket(']')) => break,
                        other => return Err(format!("{other:?} in a list: {text}")),
                    }
                }
                Value::List(list)
            } else {
                let Some(Token::Quoted(value)) = tokens.next() else {
                    return Err(format!("{name} has no value: {text}"));
                };
                Value::One(value)
            };
            line.fields.push((name.to_owned(), value));
        }
        Ok(line)
    }
}

impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.session, self.kind)?;
        for (name, value) in &self.fields {
            match value {
                Value::One(value) => write!(f, " {name}={}", text::string(Some(value)))?,
                Value::List(list) => {
                    let list: Vec<String> = list.iter().map(|element| text::string(Some(element))).collect();
                    write!(f, " {name}=[{}]", list.join(" "))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_line_reads_as_it_was_printed() {
        let mut line = Line::new("a", "reply").with("err", "OK").with("data", "\"a b\"").with("none", "null");
        line.fields.push(("children".to_owned(), Value::List(vec!["x".to_owned(), "y z".to_owned(), String::new()])));
        line.fields.push(("empty".to_owned(), Value::List(Vec::new())));
        let text = line.to_string();
        assert_eq!(Line::parse(&text).unwrap(), line, "{text}");
        assert!(Line::parse("a").is_err() && Line::parse("a reply x").is_err());
    }
}

//! Reads scripts. One line is one step:
//!
//! ```text
//! # A comment. Settings of both servers come first.
//! server extendedTypesEnabled=true
//! a connect timeout=30000
//! a create /x "data" [world:anyone:cdrwa] persistent
//! b getData /x watch
//! a multi (setData /x "two" 0) (check /x 1)
//! a setData /x null any &
//! a exists /x -
//! ```
//!
//! First the client, then what it does, then every field of the request's record in its order; `open` stands for the list
//! that permits all. `&` at the end sends the next step of this client without waiting for the answer. Before the
//! operation may stand `xid=N` and `cut=N`, the number of bytes that are missing at the end. `!name` in front marks a
//! difference on purpose.

use std::iter::Peekable;
use std::vec::IntoIter;

use menagerie_core::wire::Acl;

use super::schema::{self, Field};
use super::step::{Action, Arg, Connect, Op, Password, Request, Script, Step, ZxidArg};
use super::text::{self, Token};

type Tokens = Peekable<IntoIter<Token>>;

/// Reads a script.
///
/// # Errors
/// `line N: what is wrong`.
pub fn script(text: &str) -> Result<Script, String> {
    let mut script = Script::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let number = index + 1;
        let read = if let Some(setting) = line.strip_prefix("server ") {
            setting
                .split_once('=')
                .map(|(key, value)| script.settings.push((key.to_owned(), value.to_owned())))
                .ok_or_else(|| "a setting is key=value".to_owned())
        } else {
            step(line, number).map(|step| script.steps.push(step))
        };
        read.map_err(|why| format!("line {number}: {why}: {line}"))?;
    }
    Ok(script)
}

/// Reads one step.
///
/// # Errors
/// What is wrong with it.
pub fn step(line: &str, number: usize) -> Result<Step, String> {
    let mut tokens = text::tokens(line)?;
    let more = tokens.pop_if(|last| *last == Token::Word("&".to_owned())).is_some();
    let mut tokens = tokens.into_iter().peekable();
    let mut session = word(&mut tokens)?;
    let purpose = session.strip_prefix('!').map(str::to_owned);
    if purpose.is_some() {
        session = word(&mut tokens)?;
    }
    let action = action(&mut tokens)?;
    match tokens.next() {
        None => Ok(Step { line: number, purpose, session, action, more }),
        Some(token) => Err(format!("{token:?} is too much")),
    }
}

fn action(tokens: &mut Tokens) -> Result<Action, String> {
    let mut request = Request { op: Op::new("ping", Vec::new()), xid: None, cut: 0 };
    loop {
        let name = word(tokens)?;
        if let Some(xid) = name.strip_prefix("xid=") {
            request.xid = Some(number(xid)?);
        } else if let Some(cut) = name.strip_prefix("cut=") {
            request.cut = number(cut)?;
        } else {
            return match name.as_str() {
                "connect" => connect(tokens, false).map(Action::Connect),
                "resume" => connect(tokens, true).map(Action::Connect),
                "drop" => Ok(Action::Drop),
                "await" => number(&word(tokens)?).map(Action::Await),
                name => {
                    request.op = op(name, tokens)?;
                    Ok(Action::Request(request))
                }
            };
        }
    }
}

fn connect(tokens: &mut Tokens, resume: bool) -> Result<Connect, String> {
    let mut connect = Connect { resume, ..Connect::default() };
    while tokens.peek().is_some() {
        let option = word(tokens)?;
        match option.split_once('=') {
            Some(("timeout", ms)) => connect.timeout_ms = number(ms)?,
            Some(("seen", seen)) => connect.seen = zxid(seen)?,
            Some(("password", "wrong")) => connect.password = Password::Wrong,
            Some(("password", "null")) => connect.password = Password::Null,
            Some(("password", "empty")) => connect.password = Password::Empty,
            Some(("readonly", "absent")) => connect.read_only = None,
            Some(("readonly", byte)) => connect.read_only = Some(number(byte)?),
            _ => return Err(format!("connect has no {option}")),
        }
    }
    Ok(connect)
}

fn op(name: &str, tokens: &mut Tokens) -> Result<Op, String> {
    let spec = schema::named(name).ok_or_else(|| format!("there is no operation {name}"))?;
    let args = spec.request.iter().map(|field| argument(*field, tokens)).collect::<Result<_, _>>()?;
    Ok(Op { spec, args })
}

fn argument(field: Field, tokens: &mut Tokens) -> Result<Arg, String> {
    Ok(match field {
        Field::Path | Field::Text => Arg::Str(string(tokens)?),
        Field::Data => Arg::Data(data(tokens)?),
        Field::Raw => Arg::Raw(data(tokens)?.unwrap_or_default()),
        Field::Acl => Arg::Acl(acl(tokens)?),
        Field::Watch => Arg::Byte(match word(tokens)?.as_str() {
            "-" => 0,
            "watch" => 1,
            other => number(other)?,
        }),
        Field::Named(names) => {
            let word = word(tokens)?;
            let named = names.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
            Arg::Int(named.map_or_else(|| number(&word), Ok)?)
        }
        Field::Int => Arg::Int(number(&word(tokens)?)?),
        Field::Long => Arg::Long(number(&word(tokens)?)?),
        Field::Zxid => Arg::Zxid(zxid(&word(tokens)?)?),
        Field::Paths => Arg::Paths(list(tokens, |token| match token {
            Token::Word(word) if word == "null" => Ok(None),
            Token::Word(string) | Token::Quoted(string) => Ok(Some(string)),
            Token::Bracket(_) => Err("a list holds strings".to_owned()),
        })?),
        Field::Ops => {
            let mut ops = Vec::new();
            while tokens.next_if_eq(&Token::Bracket('(')).is_some() {
                ops.push(op(&word(tokens)?, tokens)?);
                expect(tokens, ')')?;
            }
            Arg::Ops(ops)
        }
    })
}

fn string(tokens: &mut Tokens) -> Result<Option<String>, String> {
    match tokens.next() {
        Some(Token::Word(word)) if word == "null" => Ok(None),
        Some(Token::Word(string) | Token::Quoted(string)) => Ok(Some(string)),
        other => Err(format!("expected a string, found {other:?}")),
    }
}

fn data(tokens: &mut Tokens) -> Result<Option<Vec<u8>>, String> {
    match tokens.next() {
        Some(Token::Word(word)) if word == "null" => Ok(None),
        Some(Token::Word(word)) => text::parse_data(&word).map(Some).ok_or(format!("{word} is no data")),
        Some(Token::Quoted(string)) => Ok(Some(string.into_bytes())),
        other => Err(format!("expected data, found {other:?}")),
    }
}

fn acl(tokens: &mut Tokens) -> Result<Option<Vec<Acl>>, String> {
    if tokens.next_if_eq(&Token::Word("open".to_owned())).is_some() {
        return Ok(Some(Acl::open()));
    }
    list(tokens, |token| match token {
        Token::Word(entry) | Token::Quoted(entry) => {
            text::parse_acl_entry(&entry).ok_or(format!("{entry} is no scheme:id:perms"))
        }
        Token::Bracket(_) => Err("an ACL holds entries".to_owned()),
    })
}

fn list<T>(tokens: &mut Tokens, element: impl Fn(Token) -> Result<T, String>) -> Result<Option<Vec<T>>, String> {
    if tokens.next_if_eq(&Token::Word("null".to_owned())).is_some() {
        return Ok(None);
    }
    expect(tokens, '[')?;
    let mut elements = Vec::new();
    loop {
        match tokens.next() {
            Some(Token::Bracket(']')) => return Ok(Some(elements)),
            Some(token) => elements.push(element(token)?),
            None => return Err("a list is not closed".to_owned()),
        }
    }
}

fn zxid(word: &str) -> Result<ZxidArg, String> {
    match word.strip_prefix('+') {
        _ if word == "seen" => Ok(ZxidArg::Seen),
        Some(count) => number(count).map(ZxidArg::After),
        None => number(word).map(ZxidArg::Exactly),
    }
}

fn word(tokens: &mut Tokens) -> Result<String, String> {
    match tokens.next() {
        Some(Token::Word(word)) => Ok(word),
        other => Err(format!("expected a word, found {other:?}")),
    }
}

fn expect(tokens: &mut Tokens, bracket: char) -> Result<(), String> {
    match tokens.next() {
        Some(Token::Bracket(found)) if found == bracket => Ok(()),
        other => Err(format!("expected {bracket}, found {other:?}")),
    }
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    word.parse().map_err(|error| format!("{word}: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const LINES: &[&str] = &[
        "a connect",
        "a connect timeout=1 seen=+5 password=null readonly=absent",
        "b resume seen=seen password=wrong readonly=7",
        "a create /x \"da ta\" [world:anyone:cdrwa digest:bob:x:r ip:127.0.0.1/32:0] ephemeral_sequential",
        "a createTTL \"/\\u{1}\\\"\\\\\" 100*x null 77 -5",
        "a xid=-7 cut=3 setData null null -2 &",
        "a multi (create / 0x00ff [] persistent) (create / \"\" open ttl) (check \"\" any)",
        "a multi",
        "a setWatches2 +3 [/a null \"null\"] [] null [\"&\"] []",
        "a op 77 0x01",
        "!Q4 a deleteContainer \"/x\"",
        "a exists \"watch\" watch",
        "a await 2",
        "a drop",
    ];

    #[test]
    fn a_step_prints_as_it_was_read() {
        for line in LINES {
            assert_eq!(step(line, 1).unwrap().to_string(), *line);
        }
    }

    #[test]
    fn what_is_no_step_is_refused() {
        for (line, why) in [
            ("a", "expected a word"),
            ("a fly /x", "no operation fly"),
            ("a delete /x", "expected a word"),
            ("a delete /x 1 2", "too much"),
            ("a delete \"/x 1", "not closed"),
            ("a create /x 5 open 0", "is no data"),
            ("a connect speed=1", "has no speed"),
        ] {
            let error = step(line, 1).unwrap_err();
            assert!(error.contains(why), "{line}: {error}");
        }
        assert!(script("a ping\n\n# fine\na fly").unwrap_err().starts_with("line 4: "));
    }

    #[test]
    fn settings_come_from_the_script() {
        let read = script("server tickTime=5\na ping\n").unwrap();
        assert_eq!(read.settings, [("tickTime".to_owned(), "5".to_owned())]);
        assert_eq!((read.steps.len(), read.steps[0].line), (1, 2));
        assert_eq!(script(&read.to_string()).unwrap().settings, read.settings);
    }
}

//! A shell without a terminal: a session, its watches and its history. Lines in, text out.

use std::io::Write;

use super::command::{Command, Typed};
use super::execute::Session;
use super::failure::Failure;
use super::options::Options;
use super::style::Style;
use super::view::View;
use super::watches::{Announce, Watches};
use super::{format, help, words};
use crate::client::Client;

/// Where commands print to.
pub type Output<'a> = &'a mut (dyn Write + Send);

/// Whether the shell goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// It waits for the next command.
    Continue,
    /// `quit` was said.
    Quit,
}

/// Who reads the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Somebody at a prompt, who hears of the connection too.
    Person,
    /// Somebody at a terminal who has asked for one thing.
    Passer,
    /// A file or a program, which gets data byte for byte.
    Program,
}

/// A session with an ensemble, and what was said in it.
pub struct Shell {
    options: Options,
    client: Client,
    watches: Watches,
    announce: Announce,
    history: Vec<String>,
    audience: Audience,
}

impl Shell {
    /// Begins to open a session, and waits for nothing. `announce` gets what is printed unasked: events.
    ///
    /// # Errors
    /// A connect string that cannot be read.
    pub fn open(options: Options, announce: Announce, audience: Audience) -> Result<Self, Failure> {
        let client = options.connect_lazily()?;
        let watches = new_watches(&client, &announce, audience, options.json);
        Ok(Self { options, client, watches, announce, history: Vec::new(), audience })
    }

    /// The session. It is another one after `connect`.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// How it was started; `server` is what it is connected to now.
    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// `[zk: 127.0.0.1:2181(CONNECTED) 3] `, as the reference has it.
    pub fn prompt(&self) -> String {
        let state = format::prompt_state(self.client.state());
        format!("[zk: {}({state}) {}] ", self.options.server, self.history.len())
    }

    /// Runs a line as it was typed, and remembers it.
    ///
    /// # Errors
    /// What the line or its command fails with. The shell goes on all the same.
    pub async fn run_line(&mut self, line: &str, out: Output<'_>) -> Result<Flow, Failure> {
        let words = words::split(line).map_err(Failure::usage)?;
        if words.is_empty() {
            return Ok(Flow::Continue);
        }
        self.history.push(line.trim().to_owned());
        self.run_words(&words, out).await
    }

    /// Runs a command that is in words already, which are not remembered.
    ///
    /// # Errors
    /// What the command fails with.
    pub async fn run_words(&mut self, words: &[String], out: Output<'_>) -> Result<Flow, Failure> {
        let mut typed = Command::parse(words)?;
        if let Command::Redo { number } = typed.command {
            typed = self.redo(number, out)?;
        }
        for note in &typed.notes {
            eprintln!("{note}");
        }
        if typed.command == Command::Quit {
            return Ok(Flow::Quit);
        }
        let view = self.view(typed.json);
        self.run(&typed.command, view, out).await?;
        Ok(Flow::Continue)
    }

    /// Closes the session, if a server can be reached, and prints the events that have come before.
    pub async fn close(&mut self) {
        // Whoever closes a session that no server answers for has nothing to do about it: it expires.
        let _ = self.client.close().await;
        self.watches.finish().await;
    }

    fn view(&self, json: bool) -> View {
        let for_terminal = self.audience != Audience::Program;
        let style = if for_terminal { Style::detect_output() } else { Style::plain() };
        View { json: json || self.options.json, for_terminal, style }
    }

    fn redo(&self, number: usize, out: Output<'_>) -> Result<Typed, Failure> {
        let missing = || Failure::usage(format_args!("redo: there is no command {number}; `history` lists them"));
        let line = self.history.get(number).ok_or_else(missing)?;
        if self.audience == Audience::Person {
            writeln!(out, "{line}")?;
        }
        match Command::parse(&words::split(line).map_err(Failure::usage)?)? {
            Typed { command: Command::Redo { .. }, .. } => Err(Failure::usage("redo: that command is a redo itself")),
            typed => Ok(typed),
        }
    }

    async fn run(&mut self, command: &Command, view: View, out: Output<'_>) -> Result<(), Failure> {
        match command {
            Command::Help { topic } => help::print(topic.as_deref(), out),
            Command::History => self.print_history(view, out),
            Command::Version => help::print_version(view.json, out),
            Command::PrintWatches { on: None } => {
                Ok(writeln!(out, "printwatches is {}", if self.watches.are_printed() { "on" } else { "off" })?)
            }
            Command::PrintWatches { on: Some(on) } => {
                self.watches.print(*on);
                Ok(())
            }
            Command::RemoveWatches { path, kinds } => match self.watches.remove(path, *kinds, self.client.state()) {
                0 => Err(Failure::refused(format_args!("KeeperErrorCode = No such watcher for {path}"))),
                _ => Ok(()),
            },
            Command::Close => {
                self.close().await;
                Ok(())
            }
            Command::Connect { hosts } => self.reconnect(hosts.as_deref()).await,
            _ => {
                let (client, watches, options) = (&self.client, &mut self.watches, &self.options);
                Session { client, watches, options, view }.run(command, out).await
            }
        }
    }

    fn print_history(&self, view: View, out: Output<'_>) -> Result<(), Failure> {
        // As many as the reference prints.
        let first = self.history.len().saturating_sub(11);
        for (number, line) in self.history.iter().enumerate().skip(first) {
            if view.json {
                View::json(out, &serde_json::json!({ "number": number, "command": line }))?;
                continue;
            }
            writeln!(out, "{number} - {line}")?;
        }
        Ok(())
    }

    async fn reconnect(&mut self, hosts: Option<&str>) -> Result<(), Failure> {
        let mut options = self.options.clone();
        if let Some(hosts) = hosts {
            hosts.clone_into(&mut options.server);
        }
        let client = options.connect_lazily()?;
        self.close().await;
        self.watches = new_watches(&client, &self.announce, self.audience, options.json);
        self.client = client;
        self.options = options;
        Ok(())
    }
}

fn new_watches(client: &Client, announce: &Announce, audience: Audience, json: bool) -> Watches {
    let mut watches = Watches::new(announce.clone(), json);
    if audience == Audience::Person {
        watches.add_states(client.states());
    }
    watches
}

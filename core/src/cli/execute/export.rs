//! `export`: a subtree as lines of JSON.

use std::io::{BufWriter, Write};

use serde_json::json;

use super::super::command::Export;
use super::super::contents::{Content, Contents, Znode};
use super::super::failure::Failure;
use super::super::progress::{Progress, amount};
use super::super::record::{End, Head, Record};
use super::super::shell::Output;
use super::super::view::View;
use super::{Session, Stop};

/// What was exported.
#[derive(Debug, Default)]
struct Totals {
    znodes: u64,
    bytes: u64,
    ephemerals: u64,
    denied: u64,
    /// Access lists whose digests the server does not show.
    hidden: u64,
}

impl Session<'_> {
    pub(super) async fn export(&self, export: &Export, out: Output<'_>) -> Result<(), Stop> {
        let mut contents = Contents::new(self.client, &export.path);
        // The root is asked for first: no file is made of what does not exist.
        let first = contents.next().await?;
        let totals = match &export.file {
            None => {
                let totals = write_all(&export.path, first, contents, out).await?;
                eprintln!("exported {}", totals.summary());
                totals
            }
            Some(name) => {
                let mut file = BufWriter::new(create(name, export.replace)?);
                let totals =
                    write_all(&export.path, first, contents, &mut file).await.map_err(|stop| in_file(name, stop))?;
                file.flush().map_err(|error| in_file(name, error.into()))?;
                self.print_exported(name, &totals, out)?;
                totals
            }
        };
        if totals.hidden > 0 {
            eprintln!(
                "warning: {} access list(s) hold digests that are hidden from this session; `addauth` first",
                totals.hidden
            );
        }
        match totals.denied {
            0 => Ok(()),
            denied => Err(Stop::Refused(format!("{denied} znode(s) may not be read, and are missing from the export"))),
        }
    }

    fn print_exported(&self, file: &str, totals: &Totals, out: Output<'_>) -> Result<(), Stop> {
        if self.view.json {
            let Totals { znodes, bytes, ephemerals, denied, hidden } = totals;
            let totals = json!({ "file": file, "znodes": znodes, "bytes": bytes, "ephemerals": ephemerals,
                "denied": denied, "hiddenDigests": hidden });
            return Ok(View::json(out, &totals)?);
        }
        Ok(writeln!(out, "exported {} to {file}", totals.summary())?)
    }
}

impl Totals {
    fn add(&mut self, znode: &Znode) {
        self.znodes += 1;
        self.bytes += znode.data.len() as u64;
        self.ephemerals += u64::from(znode.stat.ephemeral_owner != 0);
        self.hidden += u64::from(znode.acl.iter().any(|acl| acl.id.scheme == "digest" && acl.id.id.ends_with(":x")));
    }

    fn summary(&self) -> String {
        let ephemerals = if self.ephemerals == 0 { String::new() } else { format!(" ({} ephemeral)", self.ephemerals) };
        amount(self.znodes, self.bytes) + &ephemerals
    }
}

async fn write_all(
    root: &str,
    first: Option<Content>,
    mut contents: Contents,
    out: &mut (dyn Write + Send),
) -> Result<Totals, Stop> {
    let mut totals = Totals::default();
    let mut progress = Progress::new("exporting");
    View::json(out, &Head::new(root))?;
    let mut next = first;
    while let Some(content) = next {
        match content {
            Content::Znode(znode) => {
                View::json(out, &Record::from(&znode))?;
                totals.add(&znode);
            }
            Content::Denied(path) => {
                eprintln!("warning: {path} may not be read");
                totals.denied += 1;
            }
        }
        progress.tell(totals.znodes, totals.bytes);
        next = contents.next().await?;
    }
    View::json(out, &End::new(totals.znodes))?;
    Ok(totals)
}

#[expect(clippy::disallowed_methods, reason = "the file is one of the person at the shell, not a server's")]
fn create(name: &str, replace: bool) -> Result<std::fs::File, Failure> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).truncate(true).create(true).create_new(!replace);
    options.open(name).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::usage(format_args!("{name} is there already: -f replaces it")),
        _ => Failure::usage(format_args!("cannot create {name}: {error}")),
    })
}

fn in_file(name: &str, stop: Stop) -> Stop {
    match stop {
        Stop::Output(error) => Failure::usage(format_args!("cannot write {name}: {error}")).into(),
        other => other,
    }
}

//! `import`: creates the znodes of an export.
//!
//! The file is read three times, each time line by line: to check it, to create the znodes, and to give them their access lists. A
//! list may forbid to create children, so until the last reading znodes with a list of their own are open to this session's address only.

mod create;
mod file;
mod finish;

use serde_json::json;

use super::super::command::Import;
use super::super::progress::amount;
use super::super::record::{Kind, Record};
use super::super::shell::Output;
use super::super::view::View;
use super::{Session, Stop, create_missing};
use crate::client::{Client, Error};
use crate::wire::{Acl, Perms, path};
use file::{File, Reader};

/// How many paths are named of those that could not be imported.
const NAMED: u64 = 20;

/// One import under way.
struct Job<'a> {
    client: &'a Client,
    options: &'a Import,
    file: File,
    /// What znodes that get another access list are created with; `None`: that list at once.
    interim: Option<Vec<Acl>>,
    totals: Totals,
}

/// What became of the znodes.
#[derive(Debug, Default)]
struct Totals {
    created: u64,
    updated: u64,
    unchanged: u64,
    skipped: u64,
    conflicts: u64,
    failed: u64,
    bytes: u64,
}

impl Session<'_> {
    pub(super) async fn import(&self, import: &Import, out: Output<'_>) -> Result<(), Stop> {
        let file = File::check(&import.file)?;
        let mut job = Job { client: self.client, options: import, file, interim: None, totals: Totals::default() };
        match job.run().await {
            Ok(()) => self.print_imported(&job, out)?,
            Err(Stop::Call(error)) => {
                self.print_imported(&job, out)?;
                eprintln!("the import has stopped; running it again goes on from there");
                return Err(error.into());
            }
            Err(other) => return Err(other),
        }
        match job.totals.conflicts + job.totals.failed {
            0 => Ok(()),
            left => Err(Stop::Refused(format!("{left} znode(s) are not as in the export"))),
        }
    }

    fn print_imported(&self, job: &Job<'_>, out: Output<'_>) -> Result<(), Stop> {
        let Totals { created, updated, unchanged, skipped, conflicts, failed, bytes } = &job.totals;
        if self.view.json {
            let totals = json!({ "file": job.options.file, "dryRun": job.options.dry_run, "created": created,
                "updated": updated, "unchanged": unchanged, "skipped": skipped, "conflicts": conflicts,
                "failed": failed, "bytes": bytes });
            return Ok(View::json(out, &totals)?);
        }
        let would = if job.options.dry_run { "would have " } else { "" };
        writeln!(out, "{would}created {}", amount(*created, *bytes))?;
        for (number, what) in [
            (updated, "overwritten"),
            (unchanged, "unchanged"),
            (skipped, "ephemeral and left out (-e creates them as persistent)"),
            (conflicts, "there already and different (-o overwrites them)"),
            (failed, "failed"),
        ] {
            if *number > 0 {
                writeln!(out, "{number} {what}")?;
            }
        }
        Ok(())
    }
}

impl Job<'_> {
    async fn run(&mut self) -> Result<(), Stop> {
        if !self.options.parents {
            self.look_for_parent().await?;
        }
        if !self.options.dry_run {
            if self.options.parents {
                self.create_parents().await?;
            }
            if self.file.has_acls {
                self.interim = interim(self.client).await?;
            }
        }
        self.create_all().await?;
        self.finish_all().await
    }

    async fn look_for_parent(&self) -> Result<(), Stop> {
        let root = self.target(&self.file.root);
        let parent = path::parent(&root);
        match self.client.exists(parent).await? {
            Some(_) => Ok(()),
            None => Err(Stop::Refused(format!("{parent} does not exist: -p creates what is missing above {root}"))),
        }
    }

    async fn create_parents(&self) -> Result<(), Stop> {
        let root = self.target(&self.file.root);
        let ends: Vec<_> = root.match_indices('/').map(|(at, _)| at).skip(1).collect();
        for end in ends {
            create_missing(self.client, &root[..end]).await?;
        }
        Ok(())
    }

    /// The next znode of the file that is to be imported, and its path here.
    fn next_of(&self, reader: &mut Reader) -> Result<Option<(Record, String)>, Stop> {
        while let Some(record) = reader.next_znode()? {
            if record.kind != Kind::Ephemeral || self.options.ephemerals {
                let path = self.target(&record.path);
                return Ok(Some((record, path)));
            }
        }
        Ok(None)
    }

    /// Where a znode of the file shall be.
    fn target(&self, path: &str) -> String {
        let Some(to) = self.options.to.as_deref() else { return path.to_owned() };
        let rest = if self.file.root == "/" { path } else { &path[self.file.root.len()..] };
        match (to, rest) {
            (to, "" | "/") => to.to_owned(),
            ("/", rest) => rest.to_owned(),
            (to, rest) => format!("{to}{rest}"),
        }
    }

    /// A znode could not be made as it was. What has nothing to do with the znode ends the import.
    fn fail(&mut self, error: Error) -> Result<(), Stop> {
        if error.is_retryable() || error.is_session_expired() || error.is_closed() || error.is_auth_failed() {
            return Err(error.into());
        }
        self.totals.failed += 1;
        if self.totals.failed <= NAMED {
            eprintln!("failed: {error}");
        }
        Ok(())
    }

    /// A znode is there already and is another one.
    fn conflict(&mut self, path: &str, what: &str) {
        self.totals.conflicts += 1;
        if self.totals.conflicts <= NAMED {
            eprintln!("conflict: {path} is there with other {what}");
        }
    }
}

/// An access list for this session alone, as far as a server can tell: its address.
async fn interim(client: &Client) -> Result<Option<Vec<Acl>>, Stop> {
    match client.who_am_i().await {
        Ok(identities) => {
            let address = identities.into_iter().find(|identity| identity.auth_scheme == "ip");
            Ok(address.map(|address| vec![Acl::new(Perms::ALL, "ip", address.user)]))
        }
        // Servers before 3.7 do not know the question.
        Err(error) if error.code() == Some(crate::wire::ErrorCode::Unimplemented) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The name of a znode that is created and deleted to count on.
fn counting_znode(parent: &str) -> String {
    path::join(parent, ".menagerie-import")
}

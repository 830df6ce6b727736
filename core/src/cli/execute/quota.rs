//! Quotas: the znodes below `/zookeeper/quota`, which every session sees there whatever its chroot.

use super::super::json::{Numbers, QuotaJson};
use super::super::quota::{self, Limit, Limits, home, subject};
use super::super::shell::Output;
use super::super::view::View;
use super::{Session, Stop, create_missing};
use crate::client::{Client, CreateOptions, Error, Version};
use crate::wire::quota::{LIMITS_NODE as LIMITS, QUOTA_ROOT as ROOT, Quota, STATS_NODE as STATS};
use crate::wire::{ErrorCode, path};

impl Session<'_> {
    pub(super) async fn list_quota(&self, path: &str, out: Output<'_>) -> Result<(), Stop> {
        let (tree, home) = self.quota_home(path);
        let (limits, stats) = (tree.get_data(&path::join(&home, LIMITS)), tree.get_data(&path::join(&home, STATS)));
        let missing = |error: Error| {
            if error.is_no_node() { Stop::Refused(format!("quota for {path} does not exist.")) } else { error.into() }
        };
        let (limits, _) = limits.await.map_err(missing)?;
        let (stats, _) = stats.await.map_err(missing)?;
        let (limits, used) = (parse(path, &limits)?, parse(path, &stats)?);
        if self.view.json {
            return Ok(View::json(out, &QuotaJson { path, limits: Numbers(&limits), used: Numbers(&used) })?);
        }
        if self.view.for_terminal {
            return Ok(out.write_all(table(path, &limits, &used).as_bytes())?);
        }
        writeln!(out, "Output quota for {path} {limits}")?;
        Ok(writeln!(out, "Output stat for {path} {used}")?)
    }

    pub(super) async fn set_quota(&self, path: &str, wanted: &Limits) -> Result<(), Stop> {
        let (tree, home) = self.quota_home(path);
        if subject(&home).starts_with(ROOT) {
            return Err(Stop::Refused(format!("cannot set a quota under the path: {ROOT}")));
        }
        if home == ROOT {
            let why = "a quota of / limits nothing, and a server of ZooKeeper 3.8 ends when it is set";
            return Err(Stop::Refused(why.to_owned()));
        }
        if self.client.exists(path).await?.is_none() {
            return Err(Stop::Refused(format!("{path} does not exist.")));
        }
        nested(&tree, &home).await?;
        for ancestor in steps(&home) {
            create_missing(&tree, &ancestor).await?;
        }
        let limits_at = path::join(&home, LIMITS);
        let mut limits = quota::only(wanted);
        if !exists_already(tree.create(&limits_at, limits.to_string(), CreateOptions::default()).await)? {
            limits = change(&tree, &limits_at, wanted).await?;
        }
        let stats_at = path::join(&home, STATS);
        exists_already(tree.create(&stats_at, Quota::used(0, 0).to_string(), CreateOptions::default()).await)?;
        let (stats, _) = tree.get_data(&stats_at).await?;
        warn(&limits, &parse(path, &stats)?);
        Ok(())
    }

    pub(super) async fn delete_quota(&self, path: &str, only: &[Limit]) -> Result<(), Stop> {
        let (tree, home) = self.quota_home(path);
        let limits_at = path::join(&home, LIMITS);
        let missing = |error: Error| {
            if error.is_no_node() { Stop::Refused(format!("Quota does not exist for {path}")) } else { error.into() }
        };
        if !only.is_empty() {
            let lifted: Limits = only.iter().map(|limit| (*limit, -1)).collect();
            return match change(&tree, &limits_at, &lifted).await {
                Err(Stop::Call(error)) => Err(missing(error)),
                changed => changed.map(|_| ()),
            };
        }
        tree.delete(&limits_at, Version::Any).await.map_err(missing)?;
        let stats = tree.delete(&path::join(&home, STATS), Version::Any).await;
        stats.or_else(|error| if error.is_no_node() { Ok(()) } else { Err(error) })?;
        // What stands above it goes too, up to what another quota needs.
        let mut above = home;
        while above != ROOT && tree.delete(&above, Version::Any).await.is_ok() {
            path::parent(&above).to_owned().clone_into(&mut above);
        }
        Ok(())
    }

    /// The whole tree, and where in it the quota of `path` is kept.
    fn quota_home(&self, path: &str) -> (Client, String) {
        (self.client.whole_tree(), home(&self.client.complete_path(path)))
    }
}

/// One quota must not stand above or below another: only the nearest one counts.
async fn nested(tree: &Client, home: &str) -> Result<(), Stop> {
    let path = subject(home);
    let mut above = home;
    while above != ROOT {
        above = path::parent(above);
        if tree.exists(&path::join(above, LIMITS)).await?.is_some() {
            return Err(Stop::Refused(format!("{path} has a parent {} which has a quota", subject(above))));
        }
    }
    let mut walk = tree.walk(home);
    while let Some(node) = walk.next().await {
        let node = match node {
            Err(error) if error.is_no_node() => break,
            node => node?,
        };
        if path::name(&node.path) == LIMITS && path::parent(&node.path) != home {
            let child = subject(path::parent(&node.path));
            return Err(Stop::Refused(format!("{path} has a child {child} which has a quota")));
        }
    }
    Ok(())
}

/// The znodes down to `home`, the highest first.
fn steps(home: &str) -> impl Iterator<Item = String> {
    let slashes = home.match_indices('/').map(|(at, _)| at).skip(1).chain([home.len()]);
    let ends: Vec<_> = slashes.map(|end| home[..end].to_owned()).collect();
    ends.into_iter()
}

/// Whether it was created; `false` when it was there before.
fn exists_already<T>(created: Result<T, Error>) -> Result<bool, Error> {
    match created {
        Ok(_) => Ok(true),
        Err(error) if error.is_node_exists() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Changes limits that are there, again when somebody else changes them at the same time.
async fn change(tree: &Client, limits_at: &str, by: &Limits) -> Result<Quota, Stop> {
    loop {
        let (data, stat) = tree.get_data(limits_at).await?;
        let mut limits = parse(limits_at, &data)?;
        quota::set(&mut limits, by);
        match tree.set_data(limits_at, limits.to_string(), stat.version).await {
            Err(error) if error.code() == Some(ErrorCode::BadVersion) => {}
            outcome => return Ok(outcome.map(|_| limits)?),
        }
    }
}

fn parse(path: &str, data: &[u8]) -> Result<Quota, Stop> {
    Quota::from_data(Some(data)).map_err(|error| Stop::Refused(format!("the quota of {path} cannot be read: {error}")))
}

fn warn(limits: &Quota, used: &Quota) {
    let (count, bytes) = (used.count(), used.bytes());
    if quota::is_exceeded(limits, Limit::Count, Limit::CountHard, count) {
        eprintln!("[Warning]: the count quota you create is less than the existing count:{count}");
    }
    if quota::is_exceeded(limits, Limit::Bytes, Limit::BytesHard, bytes) {
        eprintln!("[Warning]: the bytes quota you create is less than the existing bytes:{bytes}");
    }
}

/// What somebody at a terminal sees.
fn table(path: &str, limits: &Quota, used: &Quota) -> String {
    let limit = |limit| match quota::number(limits, limit) {
        -1 => "-".to_owned(),
        number => number.to_string(),
    };
    let row = |name: &str, used: i64, soft: String, hard: String| format!("{name:<8}{used:>12}{soft:>12}{hard:>12}\n");
    let head = format!("{path}\n{:<8}{:>12}{:>12}{:>12}\n", "", "used", "soft limit", "hard limit");
    head + &row("znodes", used.count(), limit(Limit::Count), limit(Limit::CountHard))
        + &row("bytes", used.bytes(), limit(Limit::Bytes), limit(Limit::BytesHard))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_down_is_created_from_above() {
        let expected = ["/zookeeper", "/zookeeper/quota", "/zookeeper/quota/a", "/zookeeper/quota/a/b"];
        assert_eq!(steps("/zookeeper/quota/a/b").collect::<Vec<_>>(), expected);
    }

    #[test]
    fn somebody_at_a_terminal_sees_a_table() {
        let limits = quota::only(&Limits::from([(Limit::Count, 5), (Limit::BytesHard, 100)]));
        let expected = "/a\n                used  soft limit  hard limit\nznodes             2           5           -\nbytes              6           -         100\n";
        assert_eq!(table("/a", &limits, &Quota::used(2, 6)), expected);
    }
}

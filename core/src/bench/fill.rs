//! The memory of a server by znode: `--znodes N` creates so many and looks at the process before and after.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::load::histogram;
use super::options::Options;
use super::process::Process;
use super::report::{Fill, Report, ServerCost};
use super::site::Site;
use super::{Failure, eprint_if_terminal, failed};
use crate::client::Client;

/// How long the server's memory is left to settle before it is read.
const SETTLE: Duration = Duration::from_secs(1);

/// Creates the znodes and gives the report.
pub(super) async fn run(
    options: &Options,
    client: &Client,
    site: &Site,
    znodes: u64,
    server: Option<Process>,
) -> Result<Report, Failure> {
    let before = server.and_then(|server| server.usage().ok());
    let data = Bytes::from(vec![b'x'; options.size]);
    let began = Instant::now();
    let filled =
        site.fill(client, znodes, &data, |made| eprint_if_terminal(format_args!("{made} of {znodes} znodes"))).await;
    filled.map_err(|error| failed(options, "create the znodes", error))?;
    let elapsed = began.elapsed();
    tokio::time::sleep(SETTLE).await;
    let after = server.and_then(|server| server.usage().ok());
    let cost = before.zip(after).map(|(before, after)| ServerCost::between(before, after));
    let mut report = Report::new(options, "fill", histogram()?, elapsed, cost);
    report.fill = Some(Fill { znodes, rss_before_kib: before.map(|usage| usage.rss_kib) });
    Ok(report)
}

//! What a bench has found out, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::options::Options;
use super::process::Usage;

/// The result of one run.
pub(super) struct Report {
    workload: &'static str,
    hosts: String,
    connections: u32,
    depth: u32,
    size: usize,
    elapsed: Duration,
    latencies: Histogram<u64>,
    /// How many requests failed, by the name of their error.
    pub(super) errors: BTreeMap<String, u64>,
    server: Option<ServerCost>,
    /// Set where znodes were made instead of a workload.
    pub(super) fill: Option<Fill>,
}

/// What the measurement cost the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ServerCost {
    cpu: Duration,
    rss_kib: u64,
    peak_rss_kib: u64,
}

/// The znodes that were made.
pub(super) struct Fill {
    pub(super) znodes: u64,
    pub(super) rss_before_kib: Option<u64>,
}

impl ServerCost {
    /// The CPU time in between, and the memory at the end.
    pub(super) fn between(before: Usage, after: Usage) -> Self {
        let cpu = after.cpu.saturating_sub(before.cpu);
        Self { cpu, rss_kib: after.rss_kib, peak_rss_kib: after.peak_rss_kib }
    }
}

impl Report {
    /// A report without requests; `latencies` is empty.
    pub(super) fn new(
        options: &Options,
        workload: &'static str,
        latencies: Histogram<u64>,
        elapsed: Duration,
        server: Option<ServerCost>,
    ) -> Self {
        Self {
            workload,
            hosts: options.connect.clone(),
            connections: options.connections,
            depth: options.depth,
            size: options.size,
            elapsed,
            latencies,
            errors: BTreeMap::new(),
            server,
            fill: None,
        }
    }

    /// Adds what one connection has seen.
    pub(super) fn add(&mut self, latencies: &Histogram<u64>, errors: BTreeMap<String, u64>) {
        // All histograms have the same bounds, so none has a value that another cannot hold.
        let _ = self.latencies.add(latencies);
        for (name, count) in errors {
            *self.errors.entry(name).or_default() += count;
        }
    }

    /// Operations that succeeded.
    fn ops(&self) -> u64 {
        self.fill.as_ref().map_or_else(|| self.latencies.len(), |fill| fill.znodes)
    }

    fn rate(&self) -> f64 {
        self.ops() as f64 / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    /// `None` where the server used less CPU time than can be measured.
    fn ops_per_cpu_second(&self) -> Option<f64> {
        let cpu = self.server?.cpu.as_secs_f64();
        (cpu > 0.0).then(|| self.ops() as f64 / cpu)
    }

    /// Bytes of the server's memory by znode.
    fn bytes_per_znode(&self) -> Option<f64> {
        let fill = self.fill.as_ref()?;
        let grown = self.server?.rss_kib.saturating_sub(fill.rss_before_kib?);
        Some(grown as f64 * 1024.0 / fill.znodes.max(1) as f64)
    }

    fn quantiles_ms(&self) -> [(&'static str, f64); 4] {
        let at = |quantile| self.latencies.value_at_quantile(quantile) as f64 / 1e6;
        [("p50", at(0.5)), ("p99", at(0.99)), ("p99.9", at(0.999)), ("max", self.latencies.max() as f64 / 1e6)]
    }

    /// Several lines for people.
    pub(super) fn text(&self) -> String {
        let mut out = self.headline();
        let seconds = self.elapsed.as_secs_f64();
        let _ = write!(out, "\n  operations  {} in {seconds:.1} s, {:.0} /s", self.ops(), self.rate());
        if self.fill.is_none() {
            let quantiles = self.quantiles_ms().map(|(name, ms)| format!("{name} {ms:.3} ms"));
            let _ = write!(out, "\n  latency     {}", quantiles.join("   "));
        }
        let errors: Vec<_> = self.errors.iter().map(|(name, count)| format!("{count} {name}")).collect();
        let errors = if errors.is_empty() { "none".to_owned() } else { errors.join(", ") };
        let _ = write!(out, "\n  errors      {errors}");
        if let Some(server) = &self.server {
            let cpu = server.cpu.as_secs_f64();
            let _ = write!(out, "\n  server      CPU {cpu:.2} s ({:.2} cores)", cpu / seconds.max(f64::EPSILON));
            if let Some(ops) = self.ops_per_cpu_second() {
                let _ = write!(out, ", {ops:.0} operations per CPU-second");
            }
            let (rss, peak) = (server.rss_kib as f64 / 1024.0, server.peak_rss_kib as f64 / 1024.0);
            let _ = write!(out, "\n  memory      RSS {rss:.1} MiB, at most {peak:.1} MiB");
            if let Some(bytes) = self.bytes_per_znode() {
                let _ = write!(out, ", grown by {bytes:.0} bytes for each znode");
            }
        }
        out
    }

    fn headline(&self) -> String {
        let Self { workload, connections, depth, size, .. } = self;
        match &self.fill {
            Some(fill) => format!("fill: {} znodes of {size} bytes", fill.znodes),
            None => format!("{workload}: {connections} connections × depth {depth}, {size} bytes"),
        }
    }

    /// One line for programs: times in ms and seconds, memory in KiB, as the names say.
    pub(super) fn json(&self) -> Value {
        let [p50, p99, p999, max] = self.quantiles_ms().map(|(_, ms)| ms);
        let latency = json!({ "p50": p50, "p99": p99, "p999": p999, "max": max });
        let server = self.server.map(|server| {
            json!({
                "cpu_seconds": server.cpu.as_secs_f64(),
                "ops_per_cpu_second": self.ops_per_cpu_second(),
                "rss_kib": server.rss_kib,
                "peak_rss_kib": server.peak_rss_kib,
                "rss_before_kib": self.fill.as_ref().and_then(|fill| fill.rss_before_kib),
                "bytes_per_znode": self.bytes_per_znode(),
            })
        });
        json!({
            "workload": self.workload,
            "connect": self.hosts,
            "connections": self.connections,
            "depth": self.depth,
            "size": self.size,
            "seconds": self.elapsed.as_secs_f64(),
            "operations": self.ops(),
            "ops_per_second": self.rate(),
            "latency_ms": if self.fill.is_some() { Value::Null } else { latency },
            "errors": self.errors,
            "server": server,
        })
    }
}

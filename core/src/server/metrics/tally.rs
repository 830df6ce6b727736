//! What one turn of a connection adds to the server's metrics: collected without atomics, added once.

use super::{Distribution, Metrics};

/// Equal values in a row.
#[derive(Debug, Default)]
struct Run {
    value: u64,
    times: u64,
}

impl Run {
    fn add(&mut self, value: u64, metrics: &Metrics, into: &Distribution) {
        if value != self.value {
            self.flush(metrics, into);
            self.value = value;
        }
        self.times += 1;
    }

    fn flush(&mut self, metrics: &Metrics, into: &Distribution) {
        let times = std::mem::take(&mut self.times);
        if times > 0 {
            metrics.latency.add_many(self.value, times);
            into.add_many(self.value, times);
        }
    }
}

/// The replies of one turn.
#[derive(Debug, Default)]
pub(in crate::server) struct Tally {
    reads: Run,
    updates: Run,
    sent: u64,
    response_bytes: u64,
    /// Last, least and longest reply.
    sizes: Option<(u64, u64, u64)>,
}

impl Tally {
    /// A read was answered after so many milliseconds.
    pub(in crate::server) fn read(&mut self, metrics: &Metrics, latency_ms: u64) {
        self.reads.add(latency_ms, metrics, &metrics.read_latency);
    }

    /// What goes through the log was answered after so many milliseconds.
    pub(in crate::server) fn update(&mut self, metrics: &Metrics, latency_ms: u64) {
        self.updates.add(latency_ms, metrics, &metrics.update_latency);
    }

    /// A reply of so many bytes, without its length, was sent; a ping's is no response to the reference.
    pub(in crate::server) fn reply(&mut self, bytes: u64, is_ping: bool) {
        self.sent += 1;
        self.response_bytes += if is_ping { 0 } else { bytes };
        let (_, min, max) = self.sizes.unwrap_or((bytes, bytes, bytes));
        self.sizes = Some((bytes, min.min(bytes), max.max(bytes)));
    }

    /// Something was sent that is no reply.
    pub(in crate::server) fn packets(&mut self, packets: u64) {
        self.sent += packets;
    }

    /// Adds all to `metrics`, and begins anew.
    pub(in crate::server) fn flush(&mut self, metrics: &Metrics) {
        self.reads.flush(metrics, &metrics.read_latency);
        self.updates.flush(metrics, &metrics.update_latency);
        if let Some((last, min, max)) = self.sizes.take() {
            metrics.response_sizes.add(last, min, max);
        }
        metrics.packets_sent.add(std::mem::take(&mut self.sent));
        metrics.response_bytes.add(std::mem::take(&mut self.response_bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_added_as_if_one_by_one() {
        let (metrics, mut tally) = (Metrics::default(), Tally::default());
        for (bytes, latency_ms) in [(20, 0), (16, 0), (90, 3)] {
            tally.read(&metrics, latency_ms);
            tally.reply(bytes, bytes == 16);
        }
        tally.update(&metrics, 7);
        tally.packets(2);
        tally.flush(&metrics);
        tally.flush(&metrics);
        assert_eq!((metrics.packets_sent.get(), metrics.response_bytes.get()), (5, 110));
        assert_eq!((metrics.read_latency.read().count, metrics.read_latency.read().sum), (3, 3));
        assert_eq!((metrics.latency.read().count, metrics.latency.read().max), (4, 7));
        let sizes = &metrics.response_sizes;
        assert_eq!((sizes.last(), sizes.min(), sizes.max()), (90, 16, 90));
    }
}

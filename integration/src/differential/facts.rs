//! What differs from server to server by its nature, as something that does not: zxids as distances from the start of the
//! script, session ids as the names of clients, times as being those of their transactions. It never knows a connection.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

/// How far a server's clock may be from the harness's, in milliseconds.
const CLOCK_SLACK_MS: i64 = 600_000;

/// What is known of one server.
#[derive(Debug)]
pub struct Facts {
    /// Where counting began, and began again: what is later is told as a distance from the last of these before it.
    starts: Vec<(i64, String)>,
    sessions: BTreeMap<i64, String>,
    times: BTreeMap<i64, i64>,
    now_ms: i64,
}

impl Facts {
    /// A server whose last transaction was `base`, looked at on this moment of the wall clock.
    pub fn new(base: i64, now_ms: i64) -> Self {
        Facts { starts: vec![(base, String::new())], sessions: BTreeMap::new(), times: BTreeMap::new(), now_ms }
    }

    /// The zxid that `+0` stands for.
    pub fn base(&self) -> i64 {
        self.starts.last().map_or(0, |(start, _)| *start)
    }

    /// Counts from `zxid` on, because servers may differ in how many transactions they made since.
    pub fn restart(&mut self, zxid: i64, label: &str) {
        self.starts.push((zxid, label.to_owned()));
    }

    /// A zxid.
    pub fn zxid(&self, zxid: i64) -> String {
        if zxid <= 0 {
            return zxid.to_string();
        }
        let start = self.starts.iter().rev().find(|(start, _)| zxid >= *start);
        let (start, label) = start.or(self.starts.first()).map_or((0, ""), |(start, label)| (*start, label.as_str()));
        format!("{label}{:+}", zxid - start)
    }

    /// Remembers a session by the name of its client.
    pub fn name(&mut self, session: i64, client: &str) {
        let again = self.sessions.values().filter(|name| name.split('.').next() == Some(client)).count();
        let name = if again == 0 { client.to_owned() } else { format!("{client}.{}", again + 1) };
        self.sessions.entry(session).or_insert(name);
    }

    /// The name of a session.
    pub fn session(&self, session: i64) -> String {
        match self.sessions.get(&session) {
            _ if session == 0 => "0".to_owned(),
            Some(name) => name.clone(),
            None => "unknown".to_owned(),
        }
    }

    /// Whether `ms` is the time of the transaction `zxid`: the same whenever it is told, and in the transactions' order.
    pub fn time(&mut self, zxid: i64, ms: i64) -> &'static str {
        if zxid <= 0 {
            return if ms == 0 { "0" } else { "set" };
        }
        if let Some(known) = self.times.get(&zxid) {
            return if *known == ms { "ok" } else { "another" };
        }
        let before = self.times.range(..zxid).next_back().is_none_or(|(_, earlier)| *earlier <= ms);
        let after = self.times.range((Excluded(zxid), Unbounded)).next().is_none_or(|(_, later)| ms <= *later);
        if !before || !after {
            // Not remembered: one such time would make others look wrong.
            return "disordered";
        }
        self.times.insert(zxid, ms);
        if (ms - self.now_ms).abs() > CLOCK_SLACK_MS { "wrong" } else { "ok" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_belong_to_transactions_and_are_in_their_order() {
        let mut facts = Facts::new(10, 1000);
        assert_eq!(facts.time(12, 900), "ok");
        assert_eq!((facts.time(12, 900), facts.time(12, 901)), ("ok", "another"));
        assert_eq!((facts.time(11, 901), facts.time(14, 899)), ("disordered", "disordered"));
        assert_eq!((facts.time(13, 900), facts.time(20, i64::MAX / 2)), ("ok", "wrong"));
        assert_eq!((facts.time(0, 0), facts.time(0, 1)), ("0", "set"));
    }

    #[test]
    fn zxids_are_distances_from_the_last_start() {
        let mut facts = Facts::new(10, 0);
        facts.restart(15, "later");
        let told = [0, -1, 4, 12, 15, 17].map(|zxid| facts.zxid(zxid));
        assert_eq!(told, ["0", "-1", "-6", "+2", "later+0", "later+2"]);
    }

    #[test]
    fn sessions_have_the_names_of_their_clients() {
        let mut facts = Facts::new(0, 0);
        facts.name(7, "a");
        facts.name(8, "a");
        facts.name(7, "a");
        assert_eq!([0, 7, 8, 9].map(|id| facts.session(id)), ["0", "a", "a.2", "unknown"]);
    }
}

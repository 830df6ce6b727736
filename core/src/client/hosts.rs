//! The connect string, and in which order its hosts are tried. It never opens a connection.

use std::net::Ipv6Addr;

use super::Error;
use super::chroot::Chroot;
use crate::wire::HostPort;

/// The environment variable with the connect string of programs that are given none: the shell, the benchmark, the recipes' ambient client.
pub const CONNECT_VARIABLE: &str = "MENAGERIE_CONNECT";
/// The connect string of such programs where the variable is not set.
pub const DEFAULT_HOSTS: &str = "127.0.0.1:2181";

/// The port of a host that names none.
const DEFAULT_PORT: u16 = 2181;

/// Splits `host:port,host:port/chroot`.
pub(super) fn parse(connect_string: &str) -> Result<(Vec<HostPort>, Chroot), Error> {
    let (hosts, chroot) = match connect_string.find('/') {
        None => (connect_string, Chroot::root()),
        Some(slash) => {
            let (hosts, chroot) = connect_string.split_at(slash);
            (hosts, Chroot::root().below(chroot)?)
        }
    };
    let hosts: Vec<HostPort> =
        hosts.split(',').map(str::trim).filter(|host| !host.is_empty()).map(parse_host).collect::<Result<_, _>>()?;
    if hosts.is_empty() {
        return Err(Error::invalid(format_args!("no host in the connect string {connect_string:?}")));
    }
    Ok((hosts, chroot))
}

fn parse_host(text: &str) -> Result<HostPort, Error> {
    let bad = || Error::invalid(format_args!("{text:?} is not host, host:port or [address]:port"));
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or_else(bad)?;
        (host, if after.is_empty() { None } else { Some(after.strip_prefix(':').ok_or_else(bad)?) })
    } else if text.matches(':').count() > 1 {
        // A bare IPv6 address: it cannot carry a port. Which interface it is on may follow it.
        let address = text.split_once('%').map_or(text, |(address, _interface)| address);
        address.parse::<Ipv6Addr>().map_err(|_| bad())?;
        (text, None)
    } else {
        text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
    };
    let port = port.map_or(Ok(DEFAULT_PORT), |port| port.parse().map_err(|_| bad()))?;
    if host.is_empty() || port == 0 {
        return Err(bad());
    }
    Ok(HostPort { host: host.to_owned(), port })
}

/// The hosts in the order they are tried: shuffled once, then round and round, so that the clients of an ensemble spread
/// over it and none of them tries the same server twice before the others.
#[derive(Debug)]
pub(super) struct Hosts {
    all: Vec<HostPort>,
    next: usize,
    rng: fastrand::Rng,
}

impl Hosts {
    /// Shuffles `hosts` (at least one) with `seed`.
    pub(super) fn new(mut hosts: Vec<HostPort>, seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        rng.shuffle(&mut hosts);
        Hosts { all: hosts, next: 0, rng }
    }

    /// How many attempts make a round.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The host to try now.
    pub(super) fn advance(&mut self) -> HostPort {
        let host = self.all[self.next].clone();
        self.next = (self.next + 1) % self.all.len();
        host
    }

    /// Takes other hosts (at least one), and says whether the client must leave the one it is at. When every client of the old list
    /// does so, they are spread evenly over the new one, and no more of them move than that takes:
    ///
    /// * where servers were added, a client moves to one of those with the probability that evens the load;
    /// * a client whose server was removed moves, to kept and added servers in the proportion that evens the load;
    /// * all others stay.
    pub(super) fn replace(&mut self, hosts: Vec<HostPort>, current: Option<&HostPort>) -> bool {
        let before = self.all.len();
        let stays = current.is_none_or(|current| hosts.contains(current));
        let (mut kept, mut added): (Vec<_>, Vec<_>) = hosts.into_iter().partition(|host| self.all.contains(host));
        self.rng.shuffle(&mut kept);
        self.rng.shuffle(&mut added);
        let after = kept.len() + added.len();
        let share_of_added = if after > before {
            1.0
        } else if before == kept.len() {
            0.0
        } else {
            let share_of_kept = kept.len() * (before - after);
            1.0 - share_of_kept as f64 / (after * (before - kept.len())) as f64
        };
        let moves = match current {
            None => false,
            Some(_) if stays => after > before && self.rng.f64() < 1.0 - before as f64 / after as f64,
            Some(_) => true,
        };
        self.all = Vec::with_capacity(after);
        self.next = 0;
        while !(kept.is_empty() && added.is_empty()) {
            // A client that does not move has no reason to prefer any of them, should it lose its server.
            let share = if moves { share_of_added } else { added.len() as f64 / (kept.len() + added.len()) as f64 };
            let from_added = !added.is_empty() && (kept.is_empty() || self.rng.f64() < share);
            self.all.extend(if from_added { added.pop() } else { kept.pop() });
        }
        moves
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn hosts(text: &str) -> Vec<String> {
        parse(text).unwrap().0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn connect_strings() {
        assert_eq!(hosts("a"), ["a:2181"]);
        assert_eq!(hosts("a:1, b:2,"), ["a:1", "b:2"]);
        assert_eq!(hosts("[::1]:7,[fe80::2],::3"), ["[::1]:7", "[fe80::2]:2181", "[::3]:2181"]);
        assert_eq!(hosts("fe80::2%eth0"), ["[fe80::2%eth0]:2181"]);
        assert_eq!(parse("a/x/y").unwrap().1, Chroot::root().below("/x/y").unwrap());
        assert_eq!(parse("a/").unwrap().1, Chroot::root());
        let bad = ["", ",", "/x", "a:b", "a:0", "a:70000", ":1", "[::1", "[::1]1", "a/x//y", "a/x/"];
        let no_address = ["a:b:c", "h:1:2", "zk:2181:app", "::1:x"];
        for text in bad.into_iter().chain(no_address) {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_round_tries_every_host_once_in_an_order_the_seed_decides() {
        let all: Vec<HostPort> = (1..=5).map(|port| HostPort { host: "h".into(), port }).collect();
        let round = |seed| {
            let mut hosts = Hosts::new(all.clone(), seed);
            let ports: Vec<u16> = (0..10).map(|_| hosts.advance().port).collect();
            assert_eq!(ports[..5], ports[5..]);
            ports[..5].to_vec()
        };
        let mut sorted = round(1);
        sorted.sort_unstable();
        assert_eq!(sorted, [1, 2, 3, 4, 5]);
        assert_eq!(round(7), round(7));
        assert!((0..20).any(|seed| round(seed) != round(0)));
    }

    /// Ten thousand clients, spread over the old list by their seeds, are told the new one: how many are then at each host, and how many
    /// have moved.
    fn rebalanced(before: &[u16], after: &[u16]) -> (Vec<usize>, usize) {
        let host = |port: &u16| HostPort { host: "h".into(), port: *port };
        let mut at = vec![0; after.len()];
        let mut moved = 0;
        for seed in 0..10_000 {
            let mut hosts = Hosts::new(before.iter().map(host).collect(), seed);
            let current = hosts.advance();
            let moves = hosts.replace(after.iter().map(host).collect(), Some(&current));
            moved += usize::from(moves);
            let current = if moves { hosts.advance() } else { current };
            at[after.iter().position(|port| *port == current.port).unwrap()] += 1;
        }
        (at, moved)
    }

    #[test]
    fn a_new_list_spreads_the_clients_evenly_and_moves_no_more_than_that_takes() {
        let even = |at: &[usize], of: usize| at.iter().all(|count| count.abs_diff(10_000 / of) < 250);
        let (at, moved) = rebalanced(&[1, 2, 3], &[1, 2, 3, 4, 5]);
        assert!(even(&at, 5) && moved.abs_diff(4000) < 250, "two more: {at:?}, {moved}");
        let (at, moved) = rebalanced(&[1, 2, 3, 4, 5], &[3, 4, 5]);
        assert!(even(&at, 3) && moved.abs_diff(4000) < 250, "two less: {at:?}, {moved}");
        let (at, moved) = rebalanced(&[1, 2, 3, 4, 5], &[4, 5, 6]);
        assert!(even(&at, 3) && moved.abs_diff(6000) < 250, "three replaced by one: {at:?}, {moved}");
        let (at, moved) = rebalanced(&[1, 2, 3], &[4, 5, 6]);
        assert!(even(&at, 3) && moved == 10_000, "all replaced: {at:?}, {moved}");
        let (at, moved) = rebalanced(&[1, 2, 3], &[3, 2, 1]);
        assert!(even(&at, 3) && moved == 0, "the same: {at:?}, {moved}");
    }

    #[test]
    fn a_new_list_is_tried_whole() {
        let host = |port: u16| HostPort { host: "h".into(), port };
        for seed in 0..50 {
            for current in [None, Some(host(1)), Some(host(9))] {
                let mut hosts = Hosts::new(vec![host(1), host(9)], seed);
                hosts.advance();
                let moves = hosts.replace(vec![host(1), host(2), host(3)], current.as_ref());
                assert!(!moves || current.is_some());
                let mut ports: Vec<u16> = (0..3).map(|_| hosts.advance().port).collect();
                ports.sort_unstable();
                assert_eq!((ports, hosts.len()), (vec![1, 2, 3], 3));
            }
        }
    }
}

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
    hosts: Vec<HostPort>,
    next: usize,
}

impl Hosts {
    /// Shuffles `hosts` (at least one) with `seed`.
    pub(super) fn new(mut hosts: Vec<HostPort>, seed: u64) -> Self {
        fastrand::Rng::with_seed(seed).shuffle(&mut hosts);
        Hosts { hosts, next: 0 }
    }

    /// How many attempts make a round.
    pub(super) fn len(&self) -> usize {
        self.hosts.len()
    }

    /// The host to try now.
    pub(super) fn advance(&mut self) -> HostPort {
        let host = self.hosts[self.next].clone();
        self.next = (self.next + 1) % self.hosts.len();
        host
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
}

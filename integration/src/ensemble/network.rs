//! A network of its own for each member: namespaces that are joined by one that routes between them, in which the clients live. Where it
//! routes and where not is said by rules that take effect at once, in one direction each, as a broken cable would.
//!
//! ```text
//!   member 1 ── 10.77.1.0/24 ──┐
//!   member 2 ── 10.77.2.0/24 ──┼── hub: clients, and who may talk to whom
//!   member 3 ── 10.77.3.0/24 ──┘
//! ```
//!
//! The host's own network is not touched. The namespaces are removed when the value is dropped.

use std::io;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use crate::requirement;

/// The name of this need in `MENAGERIE_REQUIRE`.
pub const NEED: &str = "netns";

/// The namespaces of one run.
#[derive(Debug)]
pub struct Network {
    prefix: String,
    members: u8,
}

impl Network {
    /// Makes a hub and namespaces for members 1 to `members`. `None` after saying that the test is skipped where that is not
    /// permitted, or an error when it is required.
    pub fn make(members: u8) -> io::Result<Option<Self>> {
        let network = Network { prefix: format!("menagerie-{}", std::process::id()), members };
        let hub = network.hub();
        if let Err(why) = ip(&["netns", "add", &hub]) {
            return requirement::absent(NEED, &format!("no network namespace can be made: {why}")).map(|()| None);
        }
        ip(&["-n", &hub, "link", "set", "lo", "up"])?;
        ip(&["netns", "exec", &hub, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])?;
        for member in 1..=members {
            network.join(member)?;
        }
        Ok(Some(network))
    }

    fn join(&self, member: u8) -> io::Result<()> {
        let (hub, own) = (self.hub(), namespace(&self.prefix, member));
        let (cable, gateway) = (format!("m{member}"), Ipv4Addr::new(10, 77, member, 1));
        let (at_hub, at_member) = (format!("{gateway}/24"), format!("{}/24", address(member)));
        ip(&["netns", "add", &own])?;
        ip(&["link", "add", &cable, "netns", &hub, "type", "veth", "peer", "name", "eth0", "netns", &own])?;
        ip(&["-n", &hub, "addr", "add", &at_hub, "dev", &cable])?;
        ip(&["-n", &hub, "link", "set", &cable, "up"])?;
        ip(&["-n", &own, "link", "set", "lo", "up"])?;
        ip(&["-n", &own, "addr", "add", &at_member, "dev", "eth0"])?;
        ip(&["-n", &own, "link", "set", "eth0", "up"])?;
        ip(&["-n", &own, "route", "add", "default", "via", &gateway.to_string()])
    }

    /// What the names of all namespaces of this run begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Where the clients live.
    pub fn hub(&self) -> String {
        format!("{}-hub", self.prefix)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for member in 1..=self.members {
            // One that was not made cannot be removed.
            let _ = ip(&["netns", "del", &namespace(&self.prefix, member)]);
        }
        let _ = ip(&["netns", "del", &self.hub()]);
    }
}

/// The namespace of a member.
pub fn namespace(prefix: &str, member: u8) -> String {
    format!("{prefix}-{member}")
}

/// The address of a member.
pub fn address(member: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, member, 2)
}

/// From inside the hub: nothing goes `from` one member `to` the other any more, until [`heal`].
pub fn cut(from: u8, to: u8) -> io::Result<()> {
    let (from, to) = (address(from).to_string(), address(to).to_string());
    ip(&["rule", "add", "pref", "77", "from", &from, "to", &to, "blackhole"])
}

/// From inside the hub: everybody talks to everybody again.
pub fn heal() -> io::Result<()> {
    // One rule goes at each call; the last call finds none.
    while ip(&["rule", "del", "pref", "77"]).is_ok() {}
    Ok(())
}

fn ip(arguments: &[&str]) -> io::Result<()> {
    let output = Command::new("ip").args(arguments).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(format!("ip {}: {why}", arguments.join(" "))))
}

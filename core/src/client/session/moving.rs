//! Leaving a server that serves for a better one: for one that writes, where only a reader was found, and for one of a new list.
//!
//! A session that moves sends no further requests, waits for the answers under way and then turns to the next host, so that no call fails
//! by it. Pure, as all of the session.

use std::time::Duration;

use crate::wire::HostPort;

use super::{Link, Output, Session};
use crate::client::request::{Ticket, Time, Watcher};

/// Bounds of the delay between two questions. It doubles with every round of hosts.
const ASK_MIN: Duration = Duration::from_secs(1);
const ASK_MAX: Duration = Duration::from_mins(1);

/// The search for a server that writes, while one that only reads serves the session.
#[derive(Debug)]
pub(super) struct Search {
    step: Step,
    delay: Duration,
    /// Hosts asked since the delay was last doubled.
    asked: usize,
}

#[derive(Debug)]
enum Step {
    /// The next host is asked then.
    Due(Time),
    /// This host is being asked, and given up then.
    Asking(HostPort, Time),
}

impl Search {
    pub(super) fn begin(now: Time) -> Self {
        Search { step: Step::Due(now + ASK_MIN), delay: ASK_MIN, asked: 0 }
    }

    pub(super) fn next_timeout(&self) -> Time {
        match self.step {
            Step::Due(at) | Step::Asking(_, at) => at,
        }
    }

    /// The host asked last has said no, or nothing.
    fn wait(&mut self, now: Time, hosts: usize) {
        self.asked += 1;
        if self.asked >= hosts {
            self.asked = 0;
            self.delay = (self.delay * 2).min(ASK_MAX);
        }
        self.step = Step::Due(now + self.delay);
    }
}

impl<T: Ticket, W: Watcher> Session<T, W> {
    /// The host of the last [`Output::Ask`] has answered, or cannot be asked.
    pub(in crate::client) fn asked(&mut self, now: Time, writes: bool) {
        let hosts = self.hosts.len();
        let Some(search) = &mut self.search else { return };
        let Step::Asking(host, _) = &search.step else { return };
        if writes {
            tracing::info!(session = format_args!("0x{:x}", self.id), %host, "moving to a server that writes");
            self.preferred = Some(host.clone());
            self.search = None;
            self.leave_when_answered(now);
        } else {
            search.wait(now, hosts);
        }
    }

    /// Does what is due of the search.
    pub(super) fn search_on(&mut self, now: Time) {
        let (hosts, patience) = (self.hosts.len(), self.patience());
        let Some(search) = self.search.as_mut().filter(|search| now >= search.next_timeout()) else { return };
        match search.step {
            Step::Due(_) => {
                let host = self.hosts.advance();
                search.step = Step::Asking(host.clone(), now + patience);
                self.outputs.push_back(Output::Ask(host));
            }
            Step::Asking(..) => search.wait(now, hosts),
        }
    }

    /// The application names other hosts.
    pub(super) fn set_hosts(&mut self, now: Time, hosts: Vec<HostPort>) {
        if self.is_ended() || self.closing.is_some() {
            return;
        }
        let current = self.host.as_ref().filter(|_| !matches!(self.link, Link::Waiting { .. }));
        let moves = self.hosts.replace(hosts, current);
        tracing::info!(session = format_args!("0x{:x}", self.id), hosts = self.hosts.len(), moves, "new list of hosts");
        self.attempts = 0;
        match self.link {
            Link::Up { .. } if moves => self.leave_when_answered(now),
            Link::Connecting { .. } | Link::Handshake { .. } if moves => self.lose(now, "not in the new list of hosts"),
            _ => {}
        }
    }

    /// Sends nothing more to this server, and leaves it once it has answered, or at the latest after a third of the session timeout.
    fn leave_when_answered(&mut self, now: Time) {
        if self.closing.is_none() {
            self.moving = Some(now + self.timeout / 3);
            self.leave_if_answered(now);
        }
    }

    /// Leaves a server that was to be left, if nothing is under way.
    pub(super) fn leave_if_answered(&mut self, now: Time) {
        if let Some(deadline) = self.moving
            && self.is_up()
            && (now >= deadline || self.pending.outstanding() == 0)
        {
            self.attempts = 0;
            self.lose(now, "another server is better");
        }
    }
}

//! Links and partitions. A link is two streams, each in order; a stream from which something was lost delivers nothing more,
//! as TCP would not. Partitions cut one direction between two members.

use std::collections::{BTreeMap, BTreeSet};

use menagerie_core::zab::LinkId;

/// A member, by its place.
pub type MemberIndex = usize;

/// One end-to-end connection.
#[derive(Debug)]
struct Link {
    ends: [MemberIndex; 2],
    /// Whether each end still has it.
    open: [bool; 2],
    /// When the last thing sent from each end arrives: nothing overtakes it.
    arrives_ms: [u64; 2],
    /// Whether something from each end was lost.
    broken: [bool; 2],
}

/// All links there ever were, and which directions are cut.
#[derive(Debug, Default)]
pub struct Network {
    links: BTreeMap<LinkId, Link>,
    next: LinkId,
    cut: BTreeSet<(MemberIndex, MemberIndex)>,
}

impl Network {
    /// A new link, dialled by `from`.
    pub fn dial(&mut self, from: MemberIndex, to: MemberIndex) -> LinkId {
        self.next += 1;
        let link = Link { ends: [from, to], open: [true; 2], arrives_ms: [0; 2], broken: [false; 2] };
        self.links.insert(self.next, link);
        self.next
    }

    /// When something sent by `from` now arrives, and where; `None` when `from` has closed the link.
    pub fn send(&mut self, link: LinkId, from: MemberIndex, arrives_ms: u64) -> Option<(MemberIndex, u64)> {
        let link = self.links.get_mut(&link)?;
        let end = link.end(from)?;
        if !link.open[end] {
            return None;
        }
        link.arrives_ms[end] = link.arrives_ms[end].max(arrives_ms);
        Some((link.ends[1 - end], link.arrives_ms[end]))
    }

    /// Whether something that arrives at `to` now gets there: the receiving end is open and the stream is whole.
    pub fn arrives(&mut self, link: LinkId, to: MemberIndex) -> bool {
        let Some(link) = self.links.get_mut(&link) else { return false };
        let Some(end) = link.end(to) else { return false };
        let sender = 1 - end;
        if self.cut.contains(&(link.ends[sender], to)) {
            link.broken[sender] = true;
        }
        link.open[end] && !link.broken[sender]
    }

    /// `at` closes its end. Returns the other end if that is still open.
    pub fn close(&mut self, link: LinkId, at: MemberIndex) -> Option<MemberIndex> {
        let link = self.links.get_mut(&link)?;
        let end = link.end(at)?;
        link.open[end] = false;
        link.open[1 - end].then_some(link.ends[1 - end])
    }

    /// The links of which `at` has an open end.
    pub fn links_of(&self, at: MemberIndex) -> Vec<LinkId> {
        let has = |link: &Link| link.end(at).is_some_and(|end| link.open[end]);
        self.links.iter().filter(|(_, link)| has(link)).map(|(id, _)| *id).collect()
    }

    /// Whether anything from `from` reaches `to`.
    pub fn reaches(&self, from: MemberIndex, to: MemberIndex) -> bool {
        !self.cut.contains(&(from, to))
    }

    /// Cuts one direction.
    pub fn cut(&mut self, from: MemberIndex, to: MemberIndex) {
        self.cut.insert((from, to));
    }

    /// Ends all partitions. What was lost stays lost.
    pub fn heal(&mut self) {
        self.cut.clear();
    }

    /// Forgets links that nobody has any more.
    pub fn tidy(&mut self) {
        self.links.retain(|_, link| link.open.contains(&true));
    }
}

impl Link {
    fn end(&self, member: MemberIndex) -> Option<usize> {
        self.ends.iter().position(|end| *end == member)
    }
}

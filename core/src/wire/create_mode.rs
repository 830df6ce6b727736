//! The kinds of znode a create request can ask for (protocol §2.5).

/// How long a znode lives, and whether its name gets a sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CreateMode {
    /// Lives until it is deleted.
    #[default]
    Persistent,
    /// Lives as long as the session that made it; cannot have children.
    Ephemeral,
    /// Persistent, with ten digits appended to its name: the parent's counter.
    PersistentSequential,
    /// Ephemeral, with the parent's counter appended.
    EphemeralSequential,
    /// Deleted by the server some time after its last child.
    Container,
    /// Deleted by the server when it has no children and was not written for its time to live.
    PersistentWithTtl,
    /// As [`CreateMode::PersistentWithTtl`], with the parent's counter appended.
    PersistentSequentialWithTtl,
}

impl CreateMode {
    /// The number in a create request's `flags`.
    pub const fn flags(self) -> i32 {
        match self {
            CreateMode::Persistent => 0,
            CreateMode::Ephemeral => 1,
            CreateMode::PersistentSequential => 2,
            CreateMode::EphemeralSequential => 3,
            CreateMode::Container => 4,
            CreateMode::PersistentWithTtl => 5,
            CreateMode::PersistentSequentialWithTtl => 6,
        }
    }

    /// The mode of a `flags` number, or `None` when there is none.
    pub const fn from_flags(flags: i32) -> Option<Self> {
        Some(match flags {
            0 => CreateMode::Persistent,
            1 => CreateMode::Ephemeral,
            2 => CreateMode::PersistentSequential,
            3 => CreateMode::EphemeralSequential,
            4 => CreateMode::Container,
            5 => CreateMode::PersistentWithTtl,
            6 => CreateMode::PersistentSequentialWithTtl,
            _ => return None,
        })
    }

    /// Whether the znode dies with its session.
    pub const fn is_ephemeral(self) -> bool {
        matches!(self, CreateMode::Ephemeral | CreateMode::EphemeralSequential)
    }

    /// Whether the parent's counter is appended to the name.
    pub const fn is_sequential(self) -> bool {
        matches!(
            self,
            CreateMode::PersistentSequential
                | CreateMode::EphemeralSequential
                | CreateMode::PersistentSequentialWithTtl
        )
    }

    /// Whether the znode has a time to live.
    pub const fn is_ttl(self) -> bool {
        matches!(self, CreateMode::PersistentWithTtl | CreateMode::PersistentSequentialWithTtl)
    }
}

#[cfg(test)]
mod tests {
    use super::CreateMode;

    #[test]
    fn flags_and_modes_are_one_to_one() {
        for flags in 0..7 {
            assert_eq!(CreateMode::from_flags(flags).map(CreateMode::flags), Some(flags));
        }
        assert_eq!(CreateMode::from_flags(7), None);
        assert_eq!(CreateMode::from_flags(-1), None);
    }
}

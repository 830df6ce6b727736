//! What `tree` and `find` tell of a znode beside its path.

use crate::wire::Stat;

/// `11 bytes, version 3, ephemeral of 0x1f`.
pub(super) fn details(stat: &Stat) -> String {
    let owner = match stat.ephemeral_owner {
        0 => String::new(),
        owner => format!(", ephemeral of 0x{owner:x}"),
    };
    let bytes = if stat.data_length == 1 { "byte" } else { "bytes" };
    format!("{} {bytes}, version {}{owner}", stat.data_length, stat.version)
}

//! The names of planted bugs on the command line. It never knows what they do.

/// The name of a bug.
pub fn name_of<B: PartialEq>(all: &[(B, &'static str)], bug: &B) -> &'static str {
    all.iter().find(|(other, _)| other == bug).map_or("", |(_, name)| name)
}

/// The bug of this name.
///
/// # Errors
/// There is none; the names that there are.
pub fn named<B: Copy>(all: &[(B, &'static str)], text: &str) -> Result<B, String> {
    let found = all.iter().find(|(_, name)| *name == text).map(|(bug, _)| *bug);
    found.ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|(_, name)| *name).collect();
        format!("there is no planted bug `{text}`; there are {}", names.join(", "))
    })
}

//! Which server a test starts: ours or the reference. Both read the same `zoo.cfg`, so a test body is written once.

use std::io;
use std::path::Path;
use std::process::Command;

use crate::ours;
use crate::reference::Reference;

/// A server software that is there and can be started.
#[derive(Clone, Debug)]
pub enum Software {
    /// `menagerie server`, from this workspace.
    Menagerie(ours::Binary),
    /// Apache ZooKeeper 3.8.0 from Debian's packages.
    Reference(Reference),
}

impl Software {
    /// Ours, built without optimisation like the tests themselves.
    pub fn menagerie() -> io::Result<Self> {
        ours::binary(ours::Profile::Dev).map(Self::Menagerie)
    }

    /// The reference, or `None` after saying that the test is skipped (see [`crate::requirement`]).
    pub fn reference() -> io::Result<Option<Self>> {
        Ok(Reference::find()?.map(Self::Reference))
    }

    /// How reports call it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Menagerie(_) => "menagerie",
            Self::Reference(_) => "reference",
        }
    }

    /// The command that serves with the configuration file `zoo_cfg`.
    pub fn serve(&self, zoo_cfg: &Path) -> Command {
        match self {
            Self::Menagerie(binary) => binary.server(zoo_cfg),
            Self::Reference(reference) => reference.server(zoo_cfg),
        }
    }
}

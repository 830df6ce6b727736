//! What the sockets need of whoever has the state: to write an image of it for a learner, and to keep one that comes from a
//! leader (protocol §5.5). Both run on threads that may block.

use std::io::{self, Read, Write};

use crate::wire::Zxid;
use crate::zab::LinkId;

/// A state that can be written down.
pub trait SnapshotSource: Send + 'static {
    /// Writes the image: sessions, access lists and znodes up to the closing `/`, without a header or checksum in front or
    /// behind. The signature is not part of it.
    ///
    /// # Errors
    /// What `out` said, which is gone when the learner is; or why the state cannot be written. Either closes the link.
    fn write_to(self: Box<Self>, out: &mut dyn Write) -> io::Result<()>;
}

/// Keeps snapshots that come, each under the link it came on.
pub trait SnapshotStore: Send + Sync + 'static {
    /// Reads the image that ends at `zxid` from `image`, and keeps it for
    /// [`Write::InstallSnapshot`](crate::zab::Write::InstallSnapshot). It reads to the end of the image and not a byte further:
    /// the signature and packets follow. `image` is buffered, so small reads cost little. It ends early, as a file that was cut
    /// short does, when the leader is gone.
    ///
    /// What it kept is only good once [`Input::SnapshotReceived`](crate::zab::Input::SnapshotReceived) has come for the link;
    /// after [`Input::LinkClosed`](crate::zab::Input::LinkClosed) it is of no use.
    ///
    /// # Errors
    /// No image, or no room for it. The link is closed.
    fn receive(&self, link: LinkId, zxid: Zxid, image: &mut dyn Read) -> io::Result<()>;
}

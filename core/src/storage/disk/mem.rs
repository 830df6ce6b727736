//! A disk in memory that forgets like a real one: a crash loses what was not synced, or keeps some of it, or half of a
//! write. For simulations and tests.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::mem_state::State;
use super::{DirLock, Disk, DiskWriter};

/// The disk. Clones are the same disk; [`MemDisk::fork`] makes another.
#[derive(Debug, Clone, Default)]
pub struct MemDisk(Arc<Mutex<State>>);

impl MemDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another disk in the same state, unsynced writes included. Open files stay with the first.
    #[must_use]
    pub fn fork(&self) -> Self {
        MemDisk(Arc::new(Mutex::new(self.state().clone())))
    }

    /// Loses power. `choose(n)` decides, in `0..=n`, how much of what was not synced survives: how many of the changes of
    /// names; then for each file with unsynced writes how many of them, and how many bytes of the first that does not
    /// survive whole. `|_| 0` is the worst disk, `|n| n` one that lost nothing. Files open before are of no use afterwards.
    pub fn crash(&self, choose: impl FnMut(u64) -> u64) {
        self.state().crash(choose);
    }

    /// Lets every change of the disk fail from the `after`-th change on (0 is the next one), until [`MemDisk::heal`].
    pub fn fail_after(&self, after: u64, kind: io::ErrorKind) {
        self.state().fault = Some((after, kind));
    }

    /// Ends [`MemDisk::fail_after`].
    pub fn heal(&self) {
        self.state().fault = None;
    }

    /// How many syncs, of files and directories, were asked for.
    pub fn sync_count(&self) -> u64 {
        self.state().syncs
    }

    /// A file's bytes as a reader would see them now.
    pub fn contents(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.state().file(path).map(|file| file.live.to_vec())
    }

    /// Puts a file there as if it had always been: durable, name and bytes.
    pub fn plant(&self, path: &Path, bytes: &[u8]) {
        self.state().plant(path, bytes);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the state whole: every change is made in one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk for MemDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskWriter>> {
        let mut state = self.state();
        let inode = state.create(path)?;
        Ok(Box::new(MemWriter { disk: self.clone(), inode, boot: state.boot, position: 0 }))
    }

    fn read_from(&self, path: &Path, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let state = self.state();
        state.file(path)?;
        Ok(Box::new(MemReader { disk: self.clone(), path: path.to_owned(), boot: state.boot, position: offset }))
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        self.state().file(path).map(|file| file.live.len)
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        let mut state = self.state();
        let inode = state.inode(path)?;
        state.set_len(inode, len)?;
        state.sync_data(inode)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.state().rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.state().remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.state().sync_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.state().list(dir)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.state().create_dir_all(dir);
        Ok(())
    }

    fn lock_dir(&self, _dir: &Path) -> io::Result<DirLock> {
        Ok(DirLock::none())
    }
}

#[derive(Debug)]
struct MemWriter {
    disk: MemDisk,
    inode: u64,
    boot: u64,
    position: u64,
}

impl MemWriter {
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        state.check_boot(self.boot)?;
        Ok(state)
    }
}

impl DiskWriter for MemWriter {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (inode, position) = (self.inode, self.position);
        self.state()?.write(inode, position, bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.state()?.set_len(self.inode, len)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.state()?.sync_data(self.inode)
    }
}

#[derive(Debug)]
struct MemReader {
    disk: MemDisk,
    path: PathBuf,
    boot: u64,
    position: u64,
}

impl Read for MemReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.disk.state();
        state.check_boot(self.boot)?;
        let count = state.file(&self.path)?.live.read(self.position, buffer);
        drop(state);
        self.position += count as u64;
        Ok(count)
    }
}

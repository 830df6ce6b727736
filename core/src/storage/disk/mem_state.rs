//! What a disk in memory holds: every file and every name twice, as readers see it and as a crash leaves it, with the
//! changes between the two in order.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// Bytes, then zeros up to `len` that take no room.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    bytes: Vec<u8>,
    pub(super) len: u64,
}

#[derive(Debug, Clone, Default)]
pub(super) struct FileState {
    pub(super) live: Content,
    durable: Content,
    unsynced: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    SetLen(u64),
}

#[derive(Debug, Clone)]
enum NameChange {
    Link(PathBuf, u64),
    Rename(PathBuf, PathBuf),
    Unlink(PathBuf),
}

/// The whole disk.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    files: BTreeMap<u64, FileState>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    unsynced_names: Vec<NameChange>,
    dirs: BTreeSet<PathBuf>,
    next_inode: u64,
    pub(super) boot: u64,
    pub(super) syncs: u64,
    /// How many changes still succeed, and how the next ones fail.
    pub(super) fault: Option<(u64, io::ErrorKind)>,
}

impl Content {
    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes.resize(self.len as usize, 0);
        bytes
    }

    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.len.saturating_sub(offset) as usize);
        let stored = self.bytes.get(offset as usize..).unwrap_or_default();
        let from_bytes = count.min(stored.len());
        buffer[..from_bytes].copy_from_slice(&stored[..from_bytes]);
        buffer[from_bytes..count].fill(0);
        count
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Write { offset, bytes } => {
                let (start, end) = (*offset as usize, *offset as usize + bytes.len());
                if self.bytes.len() < end {
                    self.bytes.resize(end, 0);
                }
                self.bytes[start..end].copy_from_slice(bytes);
                self.len = self.len.max(end as u64);
            }
            Change::SetLen(len) => {
                self.bytes.truncate(*len as usize);
                self.len = *len;
            }
        }
    }
}

impl FileState {
    fn change(&mut self, change: Change) {
        self.live.apply(&change);
        self.unsynced.push(change);
    }
}

impl State {
    pub(super) fn check_boot(&self, boot: u64) -> io::Result<()> {
        if self.boot == boot {
            return Ok(());
        }
        Err(io::Error::other("the file was opened before the crash"))
    }

    pub(super) fn inode(&self, path: &Path) -> io::Result<u64> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn file(&self, path: &Path) -> io::Result<&FileState> {
        let inode = self.inode(path)?;
        self.files.get(&inode).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<u64> {
        self.check_fault()?;
        if !path.parent().is_some_and(|dir| self.dirs.contains(dir)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if let Ok(inode) = self.inode(path) {
            self.file_mut(inode)?.change(Change::SetLen(0));
            return Ok(inode);
        }
        let inode = self.new_file(FileState::default());
        self.change_names(NameChange::Link(path.to_owned(), inode));
        Ok(inode)
    }

    pub(super) fn write(&mut self, inode: u64, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let verdict = self.check_fault();
        // A write that fails may have written some of it.
        let written = if verdict.is_ok() { bytes.len() } else { bytes.len() / 2 };
        let bytes = bytes[..written].to_vec();
        self.file_mut(inode)?.change(Change::Write { offset, bytes });
        verdict
    }

    pub(super) fn set_len(&mut self, inode: u64, len: u64) -> io::Result<()> {
        self.check_fault()?;
        self.file_mut(inode)?.change(Change::SetLen(len));
        Ok(())
    }

    pub(super) fn sync_data(&mut self, inode: u64) -> io::Result<()> {
        self.check_fault()?;
        self.syncs += 1;
        let file = self.file_mut(inode)?;
        for change in std::mem::take(&mut file.unsynced) {
            file.durable.apply(&change);
        }
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.check_fault()?;
        self.inode(from)?;
        self.change_names(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.check_fault()?;
        self.inode(path)?;
        self.change_names(NameChange::Unlink(path.to_owned()));
        Ok(())
    }

    pub(super) fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        self.check_fault()?;
        self.syncs += 1;
        let (here, elsewhere) =
            std::mem::take(&mut self.unsynced_names).into_iter().partition(|change| change.dir() == Some(dir));
        self.unsynced_names = elsewhere;
        let here: Vec<NameChange> = here;
        for change in &here {
            change.apply(&mut self.durable_names);
        }
        Ok(())
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        if !self.dirs.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let here = self.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(here.filter_map(|path| path.file_name()?.to_str().map(str::to_owned)).collect())
    }

    pub(super) fn create_dir_all(&mut self, dir: &Path) {
        self.dirs.extend(dir.ancestors().map(Path::to_owned));
    }

    pub(super) fn plant(&mut self, path: &Path, bytes: &[u8]) {
        if let Some(dir) = path.parent() {
            self.create_dir_all(dir);
        }
        let content = Content { bytes: bytes.to_vec(), len: bytes.len() as u64 };
        let inode = self.new_file(FileState { live: content.clone(), durable: content, unsynced: Vec::new() });
        self.names.insert(path.to_owned(), inode);
        self.durable_names.insert(path.to_owned(), inode);
    }

    pub(super) fn crash(&mut self, mut choose: impl FnMut(u64) -> u64) {
        self.boot += 1;
        self.fault = None;
        let changes = std::mem::take(&mut self.unsynced_names);
        let kept = choose(changes.len() as u64) as usize;
        for change in changes.iter().take(kept) {
            change.apply(&mut self.durable_names);
        }
        self.names = self.durable_names.clone();
        let named: BTreeSet<u64> = self.names.values().copied().collect();
        self.files.retain(|inode, _| named.contains(inode));
        for file in self.files.values_mut() {
            file.crash(&mut choose);
        }
    }

    fn new_file(&mut self, file: FileState) -> u64 {
        let inode = self.next_inode;
        self.next_inode += 1;
        self.files.insert(inode, file);
        inode
    }

    fn file_mut(&mut self, inode: u64) -> io::Result<&mut FileState> {
        self.files.get_mut(&inode).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change_names(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.unsynced_names.push(change);
    }

    fn check_fault(&mut self) -> io::Result<()> {
        match &mut self.fault {
            None => Ok(()),
            Some((0, kind)) => Err((*kind).into()),
            Some((left, _)) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

impl FileState {
    fn crash(&mut self, choose: &mut impl FnMut(u64) -> u64) {
        let changes = std::mem::take(&mut self.unsynced);
        if !changes.is_empty() {
            let kept = choose(changes.len() as u64) as usize;
            for change in changes.iter().take(kept) {
                self.durable.apply(change);
            }
            if let Some(Change::Write { offset, bytes }) = changes.get(kept) {
                let torn = choose(bytes.len() as u64) as usize;
                self.durable.apply(&Change::Write { offset: *offset, bytes: bytes[..torn.min(bytes.len())].to_vec() });
            }
        }
        self.live = self.durable.clone();
    }
}

impl NameChange {
    fn dir(&self) -> Option<&Path> {
        match self {
            NameChange::Link(path, _) | NameChange::Unlink(path) | NameChange::Rename(_, path) => path.parent(),
        }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            NameChange::Link(path, inode) => {
                names.insert(path.clone(), *inode);
            }
            NameChange::Unlink(path) => {
                names.remove(path);
            }
            NameChange::Rename(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
        }
    }
}

//! A disk in memory that fails on demand, and short forms for the tests.

use crate::core::fact::{Exit, RunId, ServiceId};
use crate::core::note::Note;
use crate::journal::{Journal, Reader, Record, Sizes, Stamp, Store, Trust};
use crate::text::samples;
use crate::units::Mono;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// A handle to a disk; clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk(pub Rc<RefCell<Content>>);

/// What is on it, and how it fails.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    /// Bytes of each file, and how many of them survive a power cut for certain.
    pub files: BTreeMap<String, (Vec<u8>, usize)>,
    /// Bytes that can still be appended; the rest of an append is not written.
    pub room: Option<usize>,
    /// Everything that would change something fails.
    pub read_only: bool,
    /// Appends arrive, and the sync behind them fails.
    pub sync_fails: bool,
    /// Calls that changed something.
    pub writes: usize,
}

impl Disk {
    /// Cuts the power: of what was not synced, only the first `survives` bytes per file are there.
    pub fn cut_power(&self, survives: usize) {
        let mut disk = self.0.borrow_mut();
        for (bytes, safe) in disk.files.values_mut() {
            bytes.truncate(safe.saturating_add(survives));
            *safe = bytes.len();
        }
        disk.room = None;
        disk.read_only = false;
        disk.sync_fails = false;
    }

    pub fn set_room(&self, room: Option<usize>) {
        self.0.borrow_mut().room = room;
    }

    pub fn writes(&self) -> usize {
        self.0.borrow().writes
    }

    fn change(&self) -> io::Result<std::cell::RefMut<'_, Content>> {
        let mut disk = self.0.borrow_mut();
        if disk.read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        disk.writes += 1;
        Ok(disk)
    }
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Store for Disk {
    fn prepare(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn names(&mut self) -> io::Result<Vec<String>> {
        Ok(self.0.borrow().files.keys().cloned().collect())
    }

    fn read(&mut self, name: &str) -> io::Result<Vec<u8>> {
        let disk = self.0.borrow();
        Ok(disk.files.get(name).ok_or_else(missing)?.0.clone())
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        let mut disk = self.change()?;
        if disk.room == Some(0) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        match disk.files.insert(name.to_owned(), (vec![], 0)) {
            None => Ok(()),
            Some(_) => Err(io::ErrorKind::AlreadyExists.into()),
        }
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.change()?;
        let fits = bytes.len().min(disk.room.unwrap_or(usize::MAX));
        disk.room = disk.room.map(|room| room - fits);
        let sync_fails = disk.sync_fails;
        let (content, safe) = disk.files.get_mut(name).ok_or_else(missing)?;
        content.extend(&bytes[..fits]);
        if fits < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if sync_fails {
            return Err(io::Error::from_raw_os_error(5));
        }
        *safe = content.len();
        Ok(())
    }

    fn cut(&mut self, name: &str, length: u64) -> io::Result<()> {
        let mut disk = self.change()?;
        let (content, safe) = disk.files.get_mut(name).ok_or_else(missing)?;
        content.truncate(usize::try_from(length).unwrap());
        *safe = content.len();
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut disk = self.change()?;
        disk.files.remove(name).map(|_| ()).ok_or_else(missing)
    }

    fn place(&self) -> String {
        "/model".to_owned()
    }
}

/// Small sizes, so that a test sees rotation and loss soon.
pub(super) fn small() -> Sizes {
    Sizes {
        batch: 1000,
        segment: 2000,
        segments: 3,
        kept: 10,
        daily_info: 1_000_000,
    }
}

pub(super) fn journal(disk: &Disk, sizes: Sizes) -> Journal<Disk> {
    Journal::with(disk.clone(), "5f0c", sizes)
}

/// This many seconds after the boot.
pub(super) fn at(seconds: u64) -> Stamp {
    Stamp {
        mono: Mono(0).after(Duration::from_secs(seconds)),
        wall: None,
        trust: Trust::Unset,
    }
}

/// Good news that can wait; `run` tells one from another.
pub(super) fn info(run: u32) -> Note {
    Note::ServiceStarting {
        service: ServiceId(1),
        run: RunId(run),
    }
}

/// Bad news that cannot; `code` tells one from another.
pub(super) fn warning(code: u8) -> Note {
    Note::ServiceExited {
        service: ServiceId(1),
        exit: Exit::Code(code),
        asked: false,
        done: false,
        lived: Duration::from_secs(1),
    }
}

pub(super) fn append(journal: &mut Journal<Disk>, seconds: u64, note: &Note) {
    journal.append(at(seconds), note, &samples::field());
}

/// All records, which must be without damage.
pub(super) fn records(disk: &Disk) -> Vec<Record> {
    let mut reader = Reader::new(disk.clone()).unwrap();
    let records: Vec<_> = reader.by_ref().collect();
    assert!(reader.damage().is_none(), "{:?}", reader.damage());
    records
}

/// Events and numbers of all records.
pub(super) fn story(disk: &Disk) -> Vec<(u64, String)> {
    let records = records(disk).into_iter();
    records.map(|r| (r.seq, r.event)).collect()
}

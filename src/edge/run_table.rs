//! What a successor of this daemon has to know about each service, in two files that stay open.
//!
//! ```text
//! runs:   a row for each service: its run record, and its name    one write when a run begins or ends
//! memos:  a line for each service, in the same order              one write for all that are due
//! ```
//!
//! A row is written in place, and never lies in two pages: so it is there as a whole or not at all when
//! the daemon dies, which is all that is needed, because the directory is memory and does not outlive
//! the machine. Room is taken when the daemon starts, so that none is wanting later. Rows keep their
//! place for a boot; those of services that are gone are used again.
//!
//! A table that cannot be had is told once; then a successor finds what runs by its control group.

use super::memo;
use super::places::Places;
use super::run_record::{self, RunRecord};
use crate::config::Fingerprint;
use crate::core::fact::ServiceId;
use crate::sorted::Map;
use rustix::fs::{FallocateFlags, fallocate};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Bytes of a row: the line of the record, and a line with the name. A divisor of the page size, as is
/// that of a memo.
const ROW: usize = 256;

/// Where the name begins.
const NAME: usize = run_record::LENGTH;

/// A row that is nobody's.
const BLANK: [u8; ROW] = row(&run_record::NOTHING);

/// Memos that are written at once, at most: a buffer of 16 KiB.
const TOGETHER: usize = 16;

/// What an earlier daemon of this boot left about a service.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Left {
    /// A run whose end nobody has seen.
    pub record: Option<RunRecord>,
    /// How its latest run was begun, whether that is over or not; `None` where nobody knows.
    pub fingerprint: Option<Fingerprint>,
    /// Its memo.
    pub memo: Option<String>,
}

/// The same, by name.
pub type Leavings = BTreeMap<String, Left>;

/// The table, as the threads write to it.
pub struct RunTable {
    /// Missing where they could not be had.
    files: Option<Files>,
    /// The row of each service of this daemon.
    rows: Box<[usize]>,
    /// The rows of services that are not this daemon's.
    others: BTreeMap<String, usize>,
}

struct Files {
    runs: File,
    memos: File,
}

const fn row(record: &[u8; NAME]) -> [u8; ROW] {
    let mut row = [b' '; ROW];
    let (head, _) = row.split_at_mut(NAME);
    head.copy_from_slice(record);
    row[ROW - 1] = b'\n';
    row
}

impl RunTable {
    /// The table of this runtime directory with a row for each of these services, in their order; and
    /// what was left about these and others. Files of an earlier version are taken up.
    pub fn open(places: &Places, names: &[&str]) -> (RunTable, Leavings) {
        let mut image = Image::read(places);
        let (mut left, old) = (image.leavings(), old_files(places, &image.names));
        for (name, what) in &old {
            image.enter(name, what);
        }
        left.extend(old.clone());
        for name in names {
            image.enter(name, &Left::default());
        }
        let rows = names.iter().map(|name| image.names[*name]).collect();
        let files = image.write(places).map_err(|e| {
            log::warn!(
                "{}: {e}; a successor may not find what runs",
                places.runs().display()
            );
        });
        let files = files.ok();
        if files.is_some() {
            for name in old.keys() {
                RunRecord::remove(&places.run_record(name));
                memo::remove(&places.memo(name));
            }
        }
        let mut others = image.names;
        for name in names {
            others.remove(*name);
        }
        let table = RunTable {
            files,
            rows,
            others,
        };
        (table, left)
    }

    /// What a daemon of this boot has left, for somebody who only looks.
    pub fn look(places: &Places) -> Leavings {
        Image::read(places).leavings()
    }

    /// Names of services of which a daemon of this boot has left a run whose end nobody has seen.
    pub fn running(places: &Places) -> Vec<String> {
        let left = RunTable::look(places).into_iter();
        left.filter_map(|(name, left)| left.record.map(|_| name))
            .collect()
    }

    /// A run has begun, or is ready.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn store(&self, service: ServiceId, record: &RunRecord) -> io::Result<()> {
        self.write_record(self.row(service), &record.to_line())
    }

    /// A run that was begun so is over, and somebody has seen its end.
    pub fn strike_out(&self, service: ServiceId, fingerprint: Option<Fingerprint>) {
        // If that fails, its reader finds out that the process is gone.
        let _ = self.write_record(self.row(service), &run_record::over(fingerprint));
    }

    /// Keeps these lines about services for a successor.
    ///
    /// # Errors
    /// What the kernel said; or that a line is too long, which none of ours is.
    pub fn remember(&self, lines: &Map<ServiceId, Box<str>>) -> io::Result<()> {
        let mut rows = Map::with_capacity(lines.len());
        for (service, line) in lines {
            rows.insert(self.row(*service), line);
        }
        let mut outcome = Ok(());
        let (mut first, mut text) = (0, Vec::new());
        for (row, line) in rows {
            let (Some(row), Ok(memo)) = (row, memo::padded(line)) else {
                outcome = Err(io::ErrorKind::InvalidInput.into());
                continue;
            };
            let full = text.len() == TOGETHER * memo::LENGTH;
            if full || row * memo::LENGTH != first * memo::LENGTH + text.len() {
                outcome = self.write_memos(first, &text).and(outcome);
                text.clear();
                first = row;
            }
            text.extend_from_slice(&memo);
        }
        self.write_memos(first, &text).and(outcome)
    }

    /// Nobody configures this service any more, and nothing of it is left.
    pub fn forget(&self, name: &str) {
        if let Some(row) = self.others.get(name)
            && let Some(files) = &self.files
        {
            // What stays if that fails names a process that is gone.
            let memo = [0; memo::LENGTH];
            let _ = files.memos.write_all_at(&memo, offset(*row, memo::LENGTH));
            let _ = files.runs.write_all_at(&BLANK, offset(*row, ROW));
        }
    }

    fn row(&self, service: ServiceId) -> Option<usize> {
        self.rows.get(usize::from(service.0)).copied()
    }

    fn write_record(&self, row: Option<usize>, line: &[u8; NAME]) -> io::Result<()> {
        let (row, files) = row
            .zip(self.files.as_ref())
            .ok_or(io::ErrorKind::NotFound)?;
        files.runs.write_all_at(line, offset(row, ROW))
    }

    fn write_memos(&self, first: usize, text: &[u8]) -> io::Result<()> {
        let files = self.files.as_ref().ok_or(io::ErrorKind::NotFound)?;
        files.memos.write_all_at(text, offset(first, memo::LENGTH))
    }
}

fn offset(row: usize, length: usize) -> u64 {
    // Rows are counted by services, of which there are some thousands at the most.
    (row * length) as u64
}

/// The files as they are to be.
struct Image {
    runs: Vec<u8>,
    memos: Vec<u8>,
    names: BTreeMap<String, usize>,
    /// Rows that are nobody's.
    free: BTreeSet<usize>,
    /// Rows that are not in the files yet.
    new: BTreeSet<usize>,
    /// Rows that there were.
    before: usize,
}

impl Image {
    fn read(places: &Places) -> Image {
        let runs = fs::read(places.runs()).unwrap_or_default();
        let memos = fs::read(places.memos()).unwrap_or_default();
        Image::of(runs, memos)
    }

    fn of(mut runs: Vec<u8>, memos: Vec<u8>) -> Image {
        // What is torn at the end was never a row.
        runs.truncate(runs.len() - runs.len() % ROW);
        let (mut names, mut free) = (BTreeMap::new(), BTreeSet::new());
        for (at, row) in runs.chunks_exact(ROW).enumerate() {
            match name_of(row) {
                Some(name) if !names.contains_key(name) => {
                    names.insert(name.to_owned(), at);
                }
                Some(_) | None => {
                    free.insert(at);
                }
            }
        }
        let (new, before) = (BTreeSet::new(), runs.len() / ROW);
        Image {
            runs,
            memos,
            names,
            free,
            new,
            before,
        }
    }

    fn leavings(&self) -> Leavings {
        let left = |(name, at): (&String, &usize)| {
            let line = self.runs[at * ROW..].first_chunk::<NAME>();
            let memo = self.memos.get(at * memo::LENGTH..(at + 1) * memo::LENGTH);
            let record = line.and_then(|line| RunRecord::from_bytes(line));
            let fingerprint = match &record {
                Some(record) => record.fingerprint,
                None => line.and_then(|line| run_record::fingerprint_of_over(line)),
            };
            let memo = memo.and_then(memo::of);
            let left = Left {
                record,
                fingerprint,
                memo,
            };
            (name.clone(), left)
        };
        self.names.iter().map(left).collect()
    }

    /// Gives this name a row, unless it has one.
    fn enter(&mut self, name: &str, left: &Left) {
        if self.names.contains_key(name) {
            return;
        }
        let at = self.free.pop_first().unwrap_or(self.runs.len() / ROW);
        let size = self.runs.len().max((at + 1) * ROW);
        self.runs.resize(size, b' ');
        let size = self.memos.len().max((at + 1) * memo::LENGTH);
        self.memos.resize(size, 0);
        let record = left.record.as_ref().map(RunRecord::to_line);
        let mut written = row(&record.unwrap_or(run_record::NOTHING));
        let room = &mut written[NAME..ROW - 1];
        // Longer names are refused by the configuration.
        let length = name.len().min(room.len());
        room[..length].copy_from_slice(&name.as_bytes()[..length]);
        self.runs[at * ROW..(at + 1) * ROW].copy_from_slice(&written);
        let memo = left
            .memo
            .as_deref()
            .and_then(|line| memo::padded(line).ok());
        let memo = memo.unwrap_or([0; memo::LENGTH]);
        self.memos[at * memo::LENGTH..(at + 1) * memo::LENGTH].copy_from_slice(&memo);
        self.names.insert(name.to_owned(), at);
        self.new.insert(at);
    }

    /// Writes what is new: memos first, so that no name finds another one's.
    fn write(&self, places: &Places) -> io::Result<Files> {
        let (runs, memos) = (open(&places.runs())?, open(&places.memos())?);
        let size = offset(self.runs.len() / ROW, memo::LENGTH);
        if size > 0 {
            // Where it is not offered, or there is no room, each write shows whether there is any.
            let _ = fallocate(&memos, FallocateFlags::empty(), 0, size);
        }
        let (Some(first), Some(last)) = (self.new.first(), self.new.last()) else {
            return Ok(Files { runs, memos });
        };
        for at in &self.new {
            let memo = &self.memos[at * memo::LENGTH..(at + 1) * memo::LENGTH];
            // Where the file has just grown there is nothing.
            if memo[0] != 0 || *at < self.before {
                memos.write_all_at(memo, offset(*at, memo::LENGTH))?;
            }
        }
        let rows = &self.runs[first * ROW..(last + 1) * ROW];
        runs.write_all_at(rows, offset(*first, ROW))?;
        Ok(Files { runs, memos })
    }
}

/// What is found in files that may hold anything.
#[cfg(any(test, fuzzing))]
pub(super) fn leavings(runs: &[u8], memos: &[u8]) -> Leavings {
    Image::of(runs.to_vec(), memos.to_vec()).leavings()
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path)
}

/// The name in a row, if it is one.
fn name_of(row: &[u8]) -> Option<&str> {
    let line = row.get(NAME..)?.strip_suffix(b"\n")?;
    let name = std::str::from_utf8(line).ok()?.trim_end_matches(' ');
    let plain = |c: char| !c.is_control() && c != '/' && c != ' ';
    (!name.is_empty() && !name.starts_with('.') && name.chars().all(plain)).then_some(name)
}

/// What a daemon of an earlier version left, in a directory for each service.
fn old_files(places: &Places, known: &BTreeMap<String, usize>) -> Leavings {
    let names = places.left().into_iter();
    let found = names.filter(|name| !known.contains_key(name)).map(|name| {
        let left = Left {
            record: RunRecord::load(&places.run_record(&name)),
            fingerprint: None,
            memo: memo::load(&places.memo(&name)),
        };
        (name, left)
    });
    found.filter(|(_, left)| *left != Left::default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::{Pid, RunId};

    fn record(number: u32) -> RunRecord {
        let pid = Pid::new(number + 1).unwrap();
        RunRecord::new(RunId(number), pid, 99, false)
    }

    fn lines(lines: &[(u16, &str)]) -> Map<ServiceId, Box<str>> {
        let lines = lines.iter();
        lines
            .map(|(at, line)| (ServiceId(*at), (*line).into()))
            .collect()
    }

    fn left(record: Option<RunRecord>, memo: Option<&str>) -> Left {
        let memo = memo.map(str::to_owned);
        Left {
            record,
            fingerprint: None,
            memo,
        }
    }

    /// A successor finds what was written last, by name, whatever the configuration has become; what
    /// was struck out or forgotten it does not find, and a row that is used again tells nothing of
    /// before.
    #[test]
    fn a_successor_finds_what_was_written_last() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::new(dir.path());
        let (table, nothing) = RunTable::open(&places, &["a", "b", "c"]);
        assert!(nothing.is_empty());
        table.store(ServiceId(0), &record(1)).unwrap();
        table.store(ServiceId(1), &record(2)).unwrap();
        table.store(ServiceId(1), &record(3)).unwrap();
        table.store(ServiceId(2), &record(4)).unwrap();
        table.strike_out(ServiceId(2), Some(Fingerprint::any(5)));
        table.remember(&lines(&[(0, "old"), (2, "third")])).unwrap();
        table
            .remember(&lines(&[(0, "first"), (1, "second")]))
            .unwrap();
        assert!(table.store(ServiceId(3), &record(5)).is_err());

        let (table, found) = RunTable::open(&places, &["0", "b", "c"]);
        assert_eq!(found["a"], left(Some(record(1)), Some("first")));
        assert_eq!(found["b"], left(Some(record(3)), Some("second")));
        let third = Left {
            fingerprint: Some(Fingerprint::any(5)),
            ..left(None, Some("third"))
        };
        assert_eq!(found["c"], third);
        table.store(ServiceId(0), &record(7)).unwrap();
        table.forget("a");
        let size = || fs::metadata(places.runs()).unwrap().len();
        assert_eq!(size(), 4 * ROW as u64);

        let (_, found) = RunTable::open(&places, &["b", "d"]);
        assert_eq!(found["0"].record, Some(record(7)));
        assert!(!found.contains_key("a"));
        let (_, found) = RunTable::open(&places, &["d"]);
        assert_eq!(found["d"], Left::default());
        assert_eq!(size(), 4 * ROW as u64);
    }

    /// Many memos are written in a few pieces, each in its place, whatever the gaps between them.
    #[test]
    fn many_memos_find_their_places() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::new(dir.path());
        let names: Vec<String> = (0..100).map(|at| format!("s{at}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (table, _) = RunTable::open(&places, &names);
        let told = |at: &usize| at % 41 != 3;
        let memos = (0u16..)
            .zip(&names)
            .filter(|(at, _)| told(&usize::from(*at)));
        let memos: Vec<(u16, &str)> = memos.map(|(at, name)| (at, *name)).collect();
        table.remember(&lines(&memos)).unwrap();
        let (_, found) = RunTable::open(&places, &[]);
        for (at, name) in names.iter().enumerate() {
            let memo = told(&at).then_some(*name);
            assert_eq!(found[*name], left(None, memo));
        }
        let long = "x".repeat(memo::LENGTH);
        assert!(table.remember(&lines(&[(0, &long), (1, "kept")])).is_err());
        let (_, found) = RunTable::open(&places, &[]);
        assert_eq!(found["s1"].memo.as_deref(), Some("kept"));
    }

    /// What a daemon of an earlier version left in its files is taken up, once.
    #[test]
    fn files_of_an_earlier_version_are_taken_up() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::new(dir.path());
        for (name, number) in [("known", 5), ("stranger", 6)] {
            places.make_service(name).unwrap();
            fs::write(places.run_record(name), record(number).to_line()).unwrap();
            fs::write(places.memo(name), memo::padded("a memo").unwrap()).unwrap();
        }
        for _ in 0..2 {
            let (_, found) = RunTable::open(&places, &["known", "new"]);
            for (name, number) in [("known", 5), ("stranger", 6)] {
                assert_eq!(found[name], left(Some(record(number)), Some("a memo")));
                assert!(!places.run_record(name).exists() && !places.memo(name).exists());
            }
        }
    }

    /// Whatever stands in the files, it is no panic, and no name that leads elsewhere.
    #[test]
    fn nonsense_is_no_row() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::new(dir.path());
        let mut strange = row(&record(1).to_line());
        strange[NAME..NAME + 9].copy_from_slice(b"../../etc");
        let mut torn = row(&run_record::NOTHING);
        torn[..NAME - 1].fill(0xFF);
        torn[NAME] = b'a';
        let runs = [&strange[..], &torn, &torn, &[0; 2 * ROW], &[b'a'; ROW - 1]].concat();
        fs::write(places.runs(), runs).unwrap();
        fs::write(places.memos(), [0xFF; 3 * memo::LENGTH - 1]).unwrap();
        let (table, found) = RunTable::open(&places, &["a", "b"]);
        assert_eq!(found, [("a".to_owned(), Left::default())].into());
        table.store(ServiceId(1), &record(8)).unwrap();
        let (_, found) = RunTable::open(&places, &[]);
        assert_eq!(found["b"], left(Some(record(8)), None));
    }

    /// Without a place for it there is no table, and nothing else fails.
    #[test]
    fn a_table_that_cannot_be_had() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::new(&dir.path().join("none"));
        let (table, found) = RunTable::open(&places, &["a"]);
        assert!(found.is_empty());
        assert!(table.store(ServiceId(0), &record(1)).is_err());
        assert!(table.remember(&lines(&[(0, "a")])).is_err());
        table.strike_out(ServiceId(0), None);
        table.forget("a");
    }
}

//! What lies on a disk that may have been damaged, or written by somebody else.

use super::settings;
use crate::core::note::Note;
use crate::edge::hostile as edge;
use crate::journal::{Journal, Reader, Record, Sizes, Stamp, Store, Trust};
use crate::units::Mono;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

/// Separates files in what is given.
const NEXT_FILE: &[u8] = b"\n--\n";

/// A directory in memory. Clones are the same one.
#[derive(Clone, Default)]
struct Memory(Rc<RefCell<BTreeMap<String, Vec<u8>>>>);

impl Memory {
    fn with<T>(&self, name: &str, on: impl FnOnce(&mut Vec<u8>) -> T) -> io::Result<T> {
        let mut files = self.0.borrow_mut();
        let file = files.get_mut(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(on(file))
    }
}

impl Store for Memory {
    fn prepare(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn names(&mut self) -> io::Result<Vec<String>> {
        Ok(self.0.borrow().keys().cloned().collect())
    }

    fn read(&mut self, name: &str) -> io::Result<Vec<u8>> {
        self.with(name, |file| file.clone())
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        self.0.borrow_mut().insert(name.to_owned(), Vec::new());
        Ok(())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.with(name, |file| file.extend_from_slice(bytes))
    }

    fn cut(&mut self, name: &str, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.with(name, |file| file.truncate(length))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let gone = self.0.borrow_mut().remove(name);
        gone.map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn place(&self) -> String {
        "memory".to_owned()
    }
}

fn all(store: &Memory) -> Vec<Record> {
    match Reader::new(store.clone()) {
        Ok(reader) => reader.collect(),
        Err(_) => Vec::new(),
    }
}

/// A journal that somebody else has left: its records are read in order and each once; a writer that
/// goes on with it loses none of them, and what it writes is read after them.
pub fn journal(bytes: &[u8]) {
    let store = Memory::default();
    let mut rest = bytes;
    for number in 1..4_u64 {
        let end = rest.windows(NEXT_FILE.len()).position(|w| w == NEXT_FILE);
        let file = &rest[..end.map_or(rest.len(), |end| end + 1)];
        let name = format!("{:010}.journal", number * 100);
        store.0.borrow_mut().insert(name, with_sums(file));
        let Some(end) = end else {
            break;
        };
        rest = &rest[end + NEXT_FILE.len()..];
    }
    let before = all(&store);
    assert!(before.is_sorted_by(|a, b| a.seq < b.seq), "{before:?}");
    let stamp = Stamp {
        mono: Mono(5_000),
        wall: None,
        trust: Trust::Unset,
    };
    let mut journal = Journal::with(store.clone(), "a-boot", Sizes::default());
    journal.append(stamp, &Note::Ended, settings());
    journal.flush(stamp);
    let after = all(&store);
    assert!(after.is_sorted_by(|a, b| a.seq < b.seq), "{after:?}");
    if journal.is_on_disk() {
        assert!(after.len() > before.len(), "{before:?} {after:?}");
        assert_eq!(after[..before.len()], before[..]);
    }
}

/// Lines that begin with eight zeros get their right checksum, which nobody finds by chance.
fn with_sums(file: &[u8]) -> Vec<u8> {
    let lines = file.split_inclusive(|b| *b == b'\n');
    let summed = lines.map(|line| match line.strip_prefix(b"00000000 ") {
        Some(json) => {
            let json_only = json.strip_suffix(b"\n").unwrap_or(json);
            let sum = format!("{:08x} ", crc32fast::hash(json_only));
            [sum.as_bytes(), json].concat()
        }
        None => line.to_vec(),
    });
    summed.collect::<Vec<_>>().concat()
}

/// The small files of the daemon: marker, hold, jobs, the board, runs, memos, starts.
pub fn records(bytes: &[u8]) {
    edge::records(bytes, settings());
}

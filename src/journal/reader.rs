//! Reads all records of a journal, in order.

use super::record::{Line, Record};
use super::scan::{segment_name, segments};
use super::store::{Directory, Store};
use std::io;
use std::path::Path;
use std::vec;

/// What a reader had to leave out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Damage {
    /// Damaged lines.
    pub lines: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes behind the last line feed of the last segment: a record that is just being written,
    /// or one that a power cut tore.
    pub unfinished: u64,
    /// Records whose number is not larger than that of one before them.
    pub repeated: u64,
    /// Intact records of a later version.
    pub newer: u64,
    /// Segments that could not be read at all, with the reason.
    pub unreadable: Vec<String>,
}

impl Damage {
    /// Nothing was left out.
    pub fn is_none(&self) -> bool {
        *self == Damage::default()
    }
}

/// Iterator over the records of all segments. Never writes; may run beside the daemon.
#[derive(Debug)]
pub struct Reader<S> {
    store: S,
    segments: vec::IntoIter<u64>,
    records: vec::IntoIter<Record>,
    last: Option<u64>,
    damage: Damage,
}

impl Reader<Directory> {
    /// A reader of the journal in this directory.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn open(dir: &Path) -> io::Result<Reader<Directory>> {
        Reader::new(Directory::new(dir))
    }
}

impl<S: Store> Reader<S> {
    /// A reader of the segments that are in `store` now.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn new(mut store: S) -> io::Result<Reader<S>> {
        let segments = segments(&store.names()?);
        Ok(Reader {
            store,
            segments: segments.into_iter(),
            records: vec![].into_iter(),
            last: None,
            damage: Damage::default(),
        })
    }

    /// There was no segment in the directory: nobody has ever written a journal there.
    pub fn is_empty(&self) -> bool {
        self.segments.len() == 0
    }

    /// What was left out so far; complete once the iterator is through.
    pub fn damage(&self) -> &Damage {
        &self.damage
    }

    fn load(&mut self, segment: u64) {
        let name = segment_name(segment);
        let bytes = match self.store.read(&name) {
            Ok(bytes) => bytes,
            // Rotated away since the names were listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                self.damage.unreadable.push(format!("{name}: {error}"));
                return;
            }
        };
        let next = self.segments.as_slice().first().copied();
        let is_last = next.is_none();
        let mut records = Vec::new();
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(line) => records.extend(self.line(line, next)),
                None if is_last => self.damage.unfinished = piece.len() as u64,
                None => self.damaged(piece.len()),
            }
        }
        self.records = records.into_iter();
    }

    /// `next`: where the next segment begins. Numbers from there on are its own, or whoever has forged
    /// one would keep all that is written later from being read.
    fn line(&mut self, line: &[u8], next: Option<u64>) -> Option<Record> {
        match Line::read(line) {
            Line::Whole(record)
                if Some(record.seq) > self.last && next.is_none_or(|next| record.seq < next) =>
            {
                self.last = Some(record.seq);
                Some(*record)
            }
            Line::Whole(_) => {
                self.damage.repeated += 1;
                None
            }
            Line::Newer(_) => {
                self.damage.newer += 1;
                None
            }
            Line::Damaged => {
                self.damaged(line.len() + 1);
                None
            }
        }
    }

    fn damaged(&mut self, length: usize) {
        self.damage.lines += 1;
        self.damage.bytes += length as u64;
    }
}

impl<S: Store> Iterator for Reader<S> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        loop {
            if let Some(record) = self.records.next() {
                return Some(record);
            }
            let segment = self.segments.next()?;
            self.load(segment);
        }
    }
}

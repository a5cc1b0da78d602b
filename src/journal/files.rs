//! The segments of a journal that is on disk.

use super::scan::segment_name;
use super::store::Store;
use std::io;

/// The segments.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Their numbers, in order. Records go to the last.
    pub numbers: Vec<u64>,
    /// Synced length of the last.
    pub size: u64,
}

impl Files {
    /// Name and synced length of the segment that records go to, if there is one yet.
    pub fn current(&self) -> Option<(String, u64)> {
        let last = self.numbers.last()?;
        Some((segment_name(*last), self.size))
    }

    /// The room for a record of this number and length in the current segment, or in a new one
    /// where it does not fit. `limit` is the size of a segment, `most` how many there may be.
    pub fn room<S: Store>(
        &mut self,
        store: &mut S,
        (seq, length): (u64, u64),
        (limit, most): (u64, usize),
    ) -> io::Result<u64> {
        if self.numbers.is_empty() || self.size + length > limit {
            self.rotate(store, seq, most)?;
        }
        Ok(limit.saturating_sub(self.size))
    }

    /// Writes and syncs these bytes.
    pub fn append<S: Store>(&mut self, store: &mut S, bytes: &[u8]) -> io::Result<()> {
        let (name, _) = self.current().ok_or(io::ErrorKind::NotFound)?;
        store.append(&name, bytes)?;
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Begins the segment of this number. The oldest go first: on a full disk that is what makes
    /// the room.
    fn rotate<S: Store>(&mut self, store: &mut S, first: u64, most: usize) -> io::Result<()> {
        while !self.numbers.is_empty() && self.numbers.len() >= most {
            store.remove(&segment_name(self.numbers[0]))?;
            self.numbers.remove(0);
        }
        store.create(&segment_name(first))?;
        self.numbers.push(first);
        self.size = 0;
        Ok(())
    }
}

//! Records that are not synced yet.

use super::record::Record;
use crate::units::Mono;
use std::collections::VecDeque;

/// Records that are not synced yet, in order.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub records: VecDeque<Record>,
    /// Length of their lines. Only used to see when a batch is full.
    pub bytes: u64,
    /// When the oldest came.
    pub since: Option<Mono>,
    /// Records that had to make room, all of them older than those in the queue.
    pub lost: u64,
}

impl Queue {
    pub fn push(&mut self, record: Record, length: u64) {
        self.since.get_or_insert(record.mono);
        self.records.push_back(record);
        self.bytes += length;
    }

    /// The lines of as many records as fit into `room`, at least one, and how many those are.
    pub fn lines(&self, room: u64) -> (Vec<u8>, usize) {
        let mut bytes = Vec::new();
        let mut count = 0;
        for record in &self.records {
            let line = record.line();
            if count > 0 && (bytes.len() + line.len()) as u64 > room {
                break;
            }
            bytes.extend(line);
            count += 1;
        }
        (bytes, count)
    }

    /// The first `count` records are safe.
    pub fn done(&mut self, count: usize) {
        self.records.drain(..count);
        if self.records.is_empty() {
            self.bytes = 0;
            self.since = None;
        }
    }

    /// Lets the oldest go until at most `most` are left.
    pub fn make_room(&mut self, most: usize) {
        while self.records.len() > most {
            self.records.pop_front();
            self.lost += 1;
        }
    }

    /// By how much all numbers must grow so that none is below `floor`; `next` is the number of
    /// the record that will come after those in the queue. With losses, one number before the first
    /// stays free for the record that tells of them.
    pub fn shift(&self, floor: u64, next: u64) -> u64 {
        let gap = u64::from(self.lost > 0);
        let first = self.records.front().map_or(next, |r| r.seq);
        (floor + gap).saturating_sub(first)
    }
}

//! Records that are not synced yet.

use super::record::{Record, put_line};
use crate::units::Mono;
use std::collections::VecDeque;

/// A record that is not synced yet: its text, as it will be written. To form it again for that would
/// take as long as the first time, in the last moment of a daemon too; and the record itself takes
/// three times as much memory.
#[derive(Debug)]
pub(super) struct Waiting {
    pub seq: u64,
    json: Box<str>,
}

impl Waiting {
    /// Length of its line.
    pub fn length(&self) -> u64 {
        Record::line_length(&self.json)
    }

    /// Gives it a number that is larger by so much.
    fn renumber(&mut self, shift: u64) {
        self.seq += shift;
        // What was formed here can be read here.
        if let Ok(record) = serde_json::from_str::<Record>(&self.json) {
            let seq = self.seq;
            self.json = Record { seq, ..record }.json().into();
        }
    }
}

/// Records that are not synced yet, in order.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub records: VecDeque<Waiting>,
    /// Length of their lines. Only used to see when a batch is full.
    pub bytes: u64,
    /// When the oldest came.
    pub since: Option<Mono>,
    /// Records that had to make room, all of them older than those in the queue.
    pub lost: u64,
}

impl Queue {
    /// Puts a record in, of which this is the JSON.
    pub fn push(&mut self, record: &Record, json: &str) {
        self.since.get_or_insert(record.mono);
        self.bytes += Record::line_length(json);
        let (seq, json) = (record.seq, json.into());
        self.records.push_back(Waiting { seq, json });
    }

    /// The lines of as many records as fit into `room`, at least one, and how many those are.
    pub fn lines(&self, room: u64) -> (Vec<u8>, usize) {
        let mut bytes = Vec::new();
        let mut count = 0;
        for record in &self.records {
            if count > 0 && bytes.len() as u64 + record.length() > room {
                break;
            }
            put_line(&record.json, &mut bytes);
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

    /// Gives all of them numbers that are larger by so much.
    pub fn renumber(&mut self, shift: u64) {
        if shift > 0 {
            let records = self.records.iter_mut();
            records.for_each(|record| record.renumber(shift));
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

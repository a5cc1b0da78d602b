//! Looks through the bytes of a segment. Pure.

use super::record::{Line, SEQ_MAX};

/// What a segment holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Scan {
    /// Bytes up to the end of its last whole record.
    pub whole: usize,
    /// Bytes behind that.
    pub tail: usize,
    /// Lines, or parts of one, in those.
    pub tail_lines: u64,
    /// The largest number of a whole record.
    pub last: Option<u64>,
    /// It holds records of a later version.
    pub newer: bool,
}

/// Looks through the bytes of a segment.
pub(super) fn scan(bytes: &[u8]) -> Scan {
    let mut found = Scan::default();
    let mut at = 0;
    for piece in bytes.split_inclusive(|b| *b == b'\n') {
        at += piece.len();
        found.tail += piece.len();
        found.tail_lines += 1;
        let seq = match piece.strip_suffix(b"\n").map(Line::read) {
            Some(Line::Whole(record)) => record.seq,
            Some(Line::Newer(seq)) => {
                found.newer = true;
                seq
            }
            Some(Line::Damaged) | None => continue,
        };
        found.whole = at;
        found.tail = 0;
        found.tail_lines = 0;
        found.last = found.last.max(Some(seq));
    }
    found
}

/// The file name of the segment that begins with this number.
pub(super) fn segment_name(first: u64) -> String {
    format!("{first:010}.journal")
}

/// The numbers of the segments among these file names, in order.
pub(super) fn segments(names: &[String]) -> Vec<u64> {
    let mut numbers: Vec<u64> = names
        .iter()
        .filter_map(|name| {
            let number = name.strip_suffix(".journal")?.parse().ok()?;
            (number <= SEQ_MAX && segment_name(number) == **name).then_some(number)
        })
        .collect();
    numbers.sort_unstable();
    numbers
}

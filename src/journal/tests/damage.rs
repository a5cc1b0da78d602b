//! Cut files and flipped bits.

use super::model::{Disk, append, info, journal, small, story, warning};
use crate::journal::{News, Reader, Record, own};
use proptest::prelude::*;

const NAME: &str = "0000000001.journal";

/// Bytes of a segment with these records, and the records.
fn segment() -> (Vec<u8>, Vec<Record>) {
    let disk = Disk::default();
    let mut journal = journal(&disk, small());
    for code in 0..4 {
        append(&mut journal, 1, &info(u32::from(code)));
        append(&mut journal, 1, &warning(code));
    }
    let records = Reader::new(disk.clone()).unwrap().collect();
    let bytes = disk.0.borrow().files[NAME].0.clone();
    (bytes, records)
}

fn disk_with(bytes: &[u8]) -> Disk {
    let disk = Disk::default();
    let content = (bytes.to_vec(), bytes.len());
    disk.0.borrow_mut().files.insert(NAME.to_owned(), content);
    disk
}

fn read(disk: &Disk) -> Vec<Record> {
    Reader::new(disk.clone()).unwrap().collect()
}

/// Opens a journal on the disk, appends to it, and checks that what was readable before still is,
/// that only the new records are new, and that numbers grow.
fn reopen_and_append(disk: &Disk) {
    let before = read(disk);
    let mut journal = journal(disk, small());
    append(&mut journal, 5, &warning(200));
    let after = read(disk);
    assert!(after.starts_with(&before));
    let new: Vec<&str> = after[before.len()..].iter().map(|r| &*r.event).collect();
    assert!(
        new == ["service-exited"] || new == [own::TORN, "service-exited"],
        "{new:?}"
    );
    assert!(after.windows(2).all(|pair| pair[0].seq < pair[1].seq));
}

/// Cut at every byte: every record before the cut is there, none is invented, and the journal goes
/// on behind them.
#[test]
fn cut_at_every_byte() {
    let (bytes, records) = segment();
    for end in 0..=bytes.len() {
        let disk = disk_with(&bytes[..end]);
        let whole = bytes[..end].iter().filter(|b| **b == b'\n').count();
        assert_eq!(read(&disk), records[..whole], "cut at {end}");
        reopen_and_append(&disk);
        assert_eq!(read(&disk)[..whole], records[..whole], "cut at {end}");
    }
}

/// Cut, and the rest of the block reads as zeros, as some file systems leave it.
#[test]
fn zeros_behind_the_cut() {
    let (bytes, records) = segment();
    for end in (0..bytes.len()).step_by(7) {
        let mut torn = bytes[..end].to_vec();
        torn.resize(bytes.len() + 100, 0);
        let disk = disk_with(&torn);
        let whole = bytes[..end].iter().filter(|b| **b == b'\n').count();
        assert_eq!(read(&disk), records[..whole]);
        reopen_and_append(&disk);
    }
}

/// What was cut off is told, and its number is not given again.
#[test]
fn torn_tail_is_told() {
    let (bytes, _) = segment();
    let disk = disk_with(&bytes[..bytes.len() - 10]);
    let tail = bytes.len()
        - 10
        - (bytes[..bytes.len() - 1]
            .iter()
            .rposition(|b| *b == b'\n')
            .unwrap()
            + 1);
    let mut journal = journal(&disk, small());
    let torn = News::Torn { bytes: tail as u64 };
    assert_eq!(journal.take_news(), Some(torn));
    append(&mut journal, 5, &info(9));
    let story = story(&disk);
    assert_eq!(
        story[6..],
        [
            (7, "service-starting".to_owned()),
            (9, own::TORN.to_owned()),
            (10, "service-starting".to_owned())
        ]
    );
    assert_eq!(read(&disk)[7].data["bytes"], tail);
}

/// Damage in the middle is skipped and counted, and left where it is.
#[test]
fn damage_in_the_middle_is_counted() {
    let (mut bytes, records) = segment();
    let line = bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
    bytes[line / 2] ^= 4;
    let disk = disk_with(&bytes);
    drop(journal(&disk, small()));
    assert_eq!(disk.0.borrow().files[NAME].0, bytes);
    let mut reader = Reader::new(disk).unwrap();
    let found: Vec<_> = reader.by_ref().collect();
    assert_eq!(found, records[1..]);
    assert_eq!(
        (reader.damage().lines, reader.damage().bytes),
        (1, line as u64)
    );
}

/// A segment of which nothing is left does not make numbers start anew.
#[test]
fn empty_last_segment() {
    let (bytes, records) = segment();
    let disk = disk_with(&bytes);
    let name = "0000000009.journal".to_owned();
    disk.0.borrow_mut().files.insert(name, (vec![0; 50], 50));
    reopen_and_append(&disk);
    assert_eq!(read(&disk)[..records.len()], records);
    assert!(read(&disk)[records.len()].seq > 9);
}

/// A file that is none of ours is neither read nor touched.
#[test]
fn foreign_files_are_left_alone() {
    let disk = Disk::default();
    for name in [
        "notes.txt",
        "1.journal",
        "x.journal",
        "0000000001.journal.bak",
    ] {
        disk.0
            .borrow_mut()
            .files
            .insert(name.to_owned(), (b"hello".to_vec(), 5));
    }
    reopen_and_append(&disk);
    let untouched = |f: &&(Vec<u8>, usize)| f.0 == b"hello";
    assert_eq!(disk.0.borrow().files.values().filter(untouched).count(), 4);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Any bits flipped anywhere: the reader gives only records that were written; all of those
    /// before the first damaged line; and the journal goes on behind them.
    #[test]
    fn flipped_bits(flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8u32), 1..4)) {
        let (bytes, records) = segment();
        let mut flipped = bytes.clone();
        for (at, bit) in &flips {
            flipped[at.index(bytes.len())] ^= 1 << bit;
        }
        let disk = disk_with(&flipped);
        let found = read(&disk);
        prop_assert!(found.iter().all(|record| records.contains(record)));
        let first = bytes.iter().zip(&flipped).position(|(a, b)| a != b).unwrap_or(bytes.len());
        let whole = bytes[..first].iter().filter(|b| **b == b'\n').count();
        prop_assert!(found.starts_with(&records[..whole]));
        reopen_and_append(&disk);
    }

    /// Bytes that were never a journal.
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let disk = disk_with(&bytes);
        prop_assert_eq!(read(&disk), vec![]);
        reopen_and_append(&disk);
    }
}

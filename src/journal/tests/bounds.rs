//! Rotation, and the bound per day.

use super::model::{Disk, append, info, journal, records, small, story, warning};
use crate::core::note::Note;
use crate::journal::{BATCH, DAILY_INFO, DAY, SEGMENT, SEGMENTS, Sizes, own};

/// With the shipped sizes: no segment grows beyond 256 KiB, there are never more than eight, and
/// what is left is the newest part of the story without a gap.
#[test]
fn segments_are_bounded() {
    let disk = Disk::default();
    let sizes = Sizes {
        daily_info: u64::MAX / 8,
        ..Sizes::default()
    };
    let mut journal = journal(&disk, sizes);
    let mut count = 0;
    while disk.0.borrow().files.len() < SEGMENTS || count < 12_000 {
        count += 1;
        append(&mut journal, 1, &info(count));
        let disk = disk.0.borrow();
        assert!(disk.files.len() <= SEGMENTS);
        let longest = disk.files.values().map(|f| f.0.len()).max().unwrap_or(0);
        assert!(longest as u64 <= SEGMENT);
    }
    let waiting = u64::try_from(journal.unsynced()).unwrap();
    let numbers: Vec<u64> = records(&disk).iter().map(|r| r.seq).collect();
    assert!(numbers[0] > 1, "nothing was rotated away");
    let newest = u64::from(count) - waiting;
    assert_eq!(numbers, (numbers[0]..=newest).collect::<Vec<_>>());
    let total: usize = disk.0.borrow().files.values().map(|f| f.0.len()).sum();
    assert!(total as u64 > (SEGMENTS as u64 - 1) * (SEGMENT - BATCH - 1000));
}

/// Good news stops at its bound, bad news goes on, and one record says how much was left out.
#[test]
fn good_news_is_bounded_per_day() {
    let disk = Disk::default();
    let sizes = Sizes {
        daily_info: 2_000,
        segment: 100_000,
        ..Sizes::default()
    };
    let mut journal = journal(&disk, sizes);
    for run in 0..20 {
        append(&mut journal, 1, &info(run));
    }
    for code in 0..5 {
        append(&mut journal, 2, &warning(code));
    }
    let first_day = story(&disk).len();
    let starts = story(&disk)
        .iter()
        .filter(|r| r.1 == "service-starting")
        .count();
    assert!((5..15).contains(&starts));
    assert_eq!(first_day, starts + 5);
    let used: usize = disk.0.borrow().files.values().map(|f| f.0.len()).sum();
    assert!(used <= 2_000 + 5 * 300);

    append(&mut journal, DAY.as_secs() + 1, &info(99));
    let all = records(&disk);
    let told = &all[first_day];
    assert_eq!(told.event, own::SUPPRESSED);
    assert_eq!(told.data["records"], 20 - starts);
    assert_eq!(all[first_day + 1].event, "service-starting");
    let numbers: Vec<u64> = all.iter().map(|r| r.seq).collect();
    assert_eq!(numbers, (1..=all.len() as u64).collect::<Vec<_>>());
}

/// Even bad news is bounded, at four times as much; the end of the daemon tells what is missing.
#[test]
fn bad_news_is_bounded_too() {
    let disk = Disk::default();
    let sizes = Sizes {
        daily_info: 1_000,
        segment: 100_000,
        ..Sizes::default()
    };
    let mut journal = journal(&disk, sizes);
    for code in 0..100 {
        append(&mut journal, 1, &warning(code));
    }
    let used: usize = disk.0.borrow().files.values().map(|f| f.0.len()).sum();
    assert!((3_600..=4_000).contains(&used), "{used}");
    let written = records(&disk).len();
    append(&mut journal, 2, &Note::Ended);
    let told = records(&disk)[written].clone();
    assert_eq!(told.event, own::SUPPRESSED);
    assert_eq!(told.data["records"], 100 - written);
}

/// The shipped bound is the one that the documentation promises.
#[test]
fn shipped_bound() {
    assert_eq!(DAILY_INFO, 1024 * 1024);
    let disk = Disk::default();
    let mut journal = journal(&disk, Sizes::default());
    for run in 0..10_000 {
        append(&mut journal, 1, &info(run));
    }
    let used: usize = disk.0.borrow().files.values().map(|f| f.0.len()).sum();
    assert!(used as u64 <= DAILY_INFO);
    assert!(used as u64 > DAILY_INFO - BATCH - 300);
}

/// With room for fewer segments than there are, opening and writing bring them down.
#[test]
fn surplus_segments_go() {
    let disk = Disk::default();
    let mut many = journal(
        &disk,
        Sizes {
            segments: 6,
            ..small()
        },
    );
    for code in 0..60 {
        append(&mut many, 1, &warning(code));
    }
    assert_eq!(disk.0.borrow().files.len(), 6);
    let mut few = journal(&disk, small());
    for code in 0..10 {
        append(&mut few, 1, &warning(code));
    }
    assert_eq!(disk.0.borrow().files.len(), 3);
}

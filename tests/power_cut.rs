//! What a cut of the power leaves of the journal and of the marker.
//!
//! One program, run by three: `cargo test` has it write and read in a directory of its own; a case of
//! the virtual machines has it write on a disk whose writes are recorded, and then read what is left
//! of that disk after each of many cuts (`cargo xtask vm journal-survives-cuts`).
//!
//! Terms: what is *acknowledged* has returned from the write that promises it. A guest writes both
//! numbers of it behind the file system, past every buffer, where they stand at their place among the
//! disk's other writes.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use fieldwarden::core::fact::{Fault, RunId, ServiceId};
use fieldwarden::core::intent::{Marker, Outage};
use fieldwarden::core::note::Note;
use fieldwarden::core::picture::Shed;
use fieldwarden::core::settings::{Service, Settings};
use fieldwarden::edge::marker_file::{self, MarkerFiles, Of};
use fieldwarden::edge::places::Places;
use fieldwarden::journal::{Directory, Journal, Reader, Sizes, Stamp, Trust};
use fieldwarden::units::Mono;

/// What to do, where that is not the test itself: `write DIR DEVICE OFFSET` or
/// `check DIR RECORD MARKER`.
const ORDER: &str = "FIELDWARDEN_POWER_CUT";

/// Records that are written.
const RECORDS: u64 = 300;

/// So many that the oldest make room several times.
const SIZES: Sizes = Sizes {
    batch: 2048,
    segment: 16 * 1024,
    segments: 3,
    kept: 256,
    daily_info: 1 << 20,
};

/// The latest record and the latest marker that are acknowledged; none: 0.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Acknowledged {
    record: u64,
    marker: u64,
}

#[test]
fn what_is_acknowledged_is_found() {
    let order = std::env::var(ORDER).unwrap_or_default();
    match order.split_whitespace().collect::<Vec<_>>()[..] {
        [] => {
            let dir = tempfile::tempdir().unwrap();
            let mut done = Acknowledged::default();
            check(dir.path(), done);
            write(dir.path(), &mut |now| done = now);
            assert_eq!((done.record, done.marker), (RECORDS, RECORDS));
            check(dir.path(), done);
        }
        ["write", dir, device, offset] => {
            let offset = offset.parse().unwrap();
            let device = OpenOptions::new()
                .write(true)
                .custom_flags(libc::O_DIRECT)
                .open(device)
                .unwrap();
            write(Path::new(dir), &mut |done| {
                acknowledge(&device, offset, done)
            });
        }
        ["check", dir, record, marker] => {
            let done = Acknowledged {
                record: record.parse().unwrap(),
                marker: marker.parse().unwrap(),
            };
            check(Path::new(dir), done);
        }
        _ => panic!("{ORDER}: {order}"),
    }
}

/// A sector, where the kernel wants it for a write past its buffers.
#[repr(align(4096))]
struct Sector([u8; 512]);

fn acknowledge(device: &File, offset: u64, done: Acknowledged) {
    let mut sector = Sector([b' '; 512]);
    let text = format!("{} {}", done.record, done.marker);
    sector.0[..text.len()].copy_from_slice(text.as_bytes());
    device.write_all_at(&sector.0, offset).unwrap();
}

fn settings() -> Settings {
    Settings {
        services: vec![Service::named("web")],
        ..Settings::nothing()
    }
}

fn stamp(number: u64) -> Stamp {
    Stamp {
        mono: Mono(number * 1000),
        wall: None,
        trust: Trust::Unset,
    }
}

/// A record with this number in it: every third can wait, the others are synced at once.
fn note(number: u64) -> Note {
    let service = ServiceId(0);
    match number % 3 {
        0 => Note::ServiceStarting {
            service,
            run: RunId(u32::try_from(number).unwrap()),
        },
        _ => Note::ServiceKilled {
            service,
            waited: Duration::from_secs(number),
        },
    }
}

fn journal(dir: &Path, life: u64) -> Journal<Directory> {
    let place = Directory::new(&dir.join("journal"));
    Journal::with(place, &format!("boot-{life}"), SIZES)
}

fn markers(dir: &Path) -> MarkerFiles {
    let places = Places::new(dir);
    MarkerFiles::new(&places, dir, "boot", Of::ThisMachine)
}

fn marker(number: u64) -> Marker {
    Marker {
        outage: Some(Outage {
            since: Mono(number * 1000),
            confirmed: true,
            shed: Shed::Nothing,
            charge: None,
            dark: None,
        }),
        ..Marker::default()
    }
}

/// Writes records and markers, and says what is acknowledged whenever that is more.
fn write(dir: &Path, acknowledge: &mut dyn FnMut(Acknowledged)) {
    let (settings, markers) = (settings(), markers(dir));
    let mut journal = self::journal(dir, 0);
    let mut done = Acknowledged::default();
    for number in 1..=RECORDS {
        if number % 70 == 0 {
            // The daemon is replaced, in order.
            journal.flush(stamp(number));
            journal = self::journal(dir, number);
        }
        journal.append(stamp(number), &note(number), &settings);
        if number == RECORDS {
            journal.flush(stamp(number));
        }
        assert!(journal.is_on_disk(), "record {number}");
        if journal.unsynced() == 0 {
            done.record = number;
            acknowledge(done);
        }
        markers.keep(&marker(number)).unwrap();
        done.marker = number;
        acknowledge(done);
    }
}

/// Whatever was acknowledged is there, whole and in its order, and nothing is that was never written;
/// and the next daemon goes on behind it.
fn check(dir: &Path, done: Acknowledged) {
    let before = records(dir);
    assert_records(&before, done.record);
    let left = marker_file::read(&dir.join("marker"));
    match left {
        Ok(written) => {
            let number = written
                .marker
                .outage
                .map_or(0, |outage| outage.since.0 / 1000);
            // The next one may have reached the disk before anybody could say so.
            assert!(
                (done.marker..=RECORDS).contains(&number),
                "{number} {done:?}"
            );
            assert_eq!(written.marker, marker(number));
        }
        Err(why) => assert_eq!((why, done.marker), (Fault::Absent, 0)),
    }
    let copy = copied(dir);
    let mut journal = self::journal(copy.path(), RECORDS + 1);
    let number = RECORDS + 1;
    journal.append(stamp(number), &note(number), &settings());
    journal.flush(stamp(number));
    let after = records(copy.path());
    let last = before.keys().last().copied().unwrap_or(0);
    let numbers: Vec<u64> = after.range(last + 1..).filter_map(|(_, n)| *n).collect();
    assert_eq!(numbers, [RECORDS + 1], "behind {last}");
}

/// The numbers in the records of a journal, by the records' own; `None` in what it says of itself.
fn records(dir: &Path) -> BTreeMap<u64, Option<u64>> {
    let Ok(mut reader) = Reader::open(&dir.join("journal")) else {
        return BTreeMap::new();
    };
    let mut found = BTreeMap::new();
    for record in reader.by_ref() {
        let number = match record.event.as_str() {
            "service-starting" => record.data["run"].as_u64(),
            "service-killed" => record.data["waited"].as_f64().map(|s| s as u64),
            _ => None,
        };
        if let Some(number) = number {
            assert_eq!(record.mono, Mono(number * 1000), "{record:?}");
        }
        assert_eq!(found.insert(record.seq, number), None, "twice: {record:?}");
    }
    found
}

fn assert_records(found: &BTreeMap<u64, Option<u64>>, acknowledged: u64) {
    let numbers: Vec<u64> = found.values().flatten().copied().collect();
    let (first, last) = match (numbers.first(), numbers.last()) {
        (Some(first), Some(last)) => (*first, *last),
        _ => (1, 0),
    };
    let all: Vec<u64> = (first..=last).collect();
    assert_eq!(numbers, all, "not in a row");
    assert!(last >= acknowledged, "{last} is the last of {acknowledged}");
    // Only what made room is gone from the beginning.
    let room = u64::try_from(SIZES.segments).unwrap() * SIZES.segment;
    let most = room / 400;
    assert!(first == 1 || last - first > most / 3, "{first} to {last}");
}

/// A copy, for a check that writes.
fn copied(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let journal = copy.path().join("journal");
    std::fs::create_dir(&journal).unwrap();
    for entry in std::fs::read_dir(dir.join("journal")).into_iter().flatten() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), journal.join(entry.file_name())).unwrap();
    }
    copy
}

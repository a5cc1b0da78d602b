//! A disk that is full, read-only, failing, or written by a later version.

use super::model::{Disk, append, at, info, journal, records, small, story, warning};
use crate::core::fact::ServiceId;
use crate::core::note::Note;
use crate::journal::{Journal, News, Reader, Sizes, own};
use proptest::prelude::*;
use std::time::Duration;

fn news(journal: &mut Journal<Disk>) -> Vec<News> {
    std::iter::from_fn(|| journal.take_news()).collect()
}

fn degraded(why: &str) -> News {
    News::Degraded {
        place: "/model".to_owned(),
        why: why.to_owned(),
    }
}

/// A full disk: said once, tried again after 60 s, and then everything is there once.
#[test]
fn full_disk_for_a_while() {
    let disk = Disk::default();
    let mut journal = journal(&disk, small());
    append(&mut journal, 1, &warning(1));
    disk.set_room(Some(100));
    append(&mut journal, 10, &warning(2));
    append(&mut journal, 20, &warning(3));
    assert_eq!(news(&mut journal), [degraded("no storage space")]);
    assert_eq!((journal.unsynced(), journal.is_on_disk()), (2, false));
    assert_eq!(journal.deadline(), Some(at(70).mono));

    let before = disk.writes();
    journal.flush(at(69));
    assert_eq!(disk.writes(), before, "nothing is tried early");
    journal.flush(at(70));
    assert_eq!(news(&mut journal), [], "still full: nothing new to say");
    assert_eq!(journal.deadline(), Some(at(130).mono));

    disk.set_room(None);
    journal.flush(at(130));
    assert_eq!(news(&mut journal), [News::Recovered { lost: 0 }]);
    assert_eq!((journal.unsynced(), journal.is_on_disk()), (0, true));
    let numbers: Vec<u64> = story(&disk).iter().map(|r| r.0).collect();
    assert_eq!(numbers, [1, 2, 3]);
}

/// A long failure: the newest records are kept, and one record says how many are missing. Numbers
/// grow without a repeat.
#[test]
fn long_failure_loses_the_oldest() {
    let disk = Disk::default();
    let mut journal = journal(&disk, small());
    append(&mut journal, 1, &warning(1));
    disk.0.borrow_mut().read_only = true;
    for code in 2..32 {
        append(&mut journal, 2, &warning(code));
    }
    assert_eq!(journal.unsynced(), 10);
    disk.0.borrow_mut().read_only = false;
    append(&mut journal, 100, &info(1));

    let told = &records(&disk)[1];
    assert_eq!((told.event.as_str(), told.seq), (own::LOST, 21));
    assert_eq!(told.data["records"], 20);
    let numbers: Vec<u64> = story(&disk).iter().map(|r| r.0).collect();
    assert_eq!(numbers, [&[1], &(21..=32).collect::<Vec<_>>()[..]].concat());
    assert_eq!(
        news(&mut journal),
        [
            degraded("read-only filesystem or storage medium"),
            News::Recovered { lost: 20 }
        ]
    );
}

/// After a failed sync nobody knows what the card holds: it is cut back and written again.
#[test]
fn failed_sync_is_written_again() {
    let disk = Disk::default();
    let mut journal = journal(&disk, small());
    append(&mut journal, 1, &warning(1));
    disk.0.borrow_mut().sync_fails = true;
    append(&mut journal, 2, &warning(2));
    assert_eq!(journal.unsynced(), 1);
    disk.0.borrow_mut().sync_fails = false;
    journal.flush(at(62));
    assert_eq!(journal.unsynced(), 0);
    disk.cut_power(0);
    let numbers: Vec<u64> = story(&disk).iter().map(|r| r.0).collect();
    assert_eq!(numbers, [1, 2]);
}

/// A directory that comes late (a file system mounted after us) already holds a story: ours goes on
/// behind it.
#[test]
fn late_disk_continues_its_numbers() {
    let disk = Disk::default();
    {
        let mut journal = journal(&disk, small());
        append(&mut journal, 1, &warning(1));
        append(&mut journal, 1, &warning(2));
    }
    let late = Disk::default();
    late.0.borrow_mut().read_only = true;
    let mut journal = journal(&late, small());
    append(&mut journal, 1, &warning(3));
    late.0.borrow_mut().files = disk.0.borrow().files.clone();
    late.0.borrow_mut().read_only = false;
    journal.flush(at(61));
    let numbers: Vec<u64> = story(&late).iter().map(|r| r.0).collect();
    assert_eq!(numbers, [1, 2, 3]);
}

/// What a later version wrote is left alone, byte for byte.
#[test]
fn newer_journal_is_left_alone() {
    let disk = Disk::default();
    {
        let mut journal = journal(&disk, small());
        append(&mut journal, 1, &warning(1));
    }
    let json = r#"{"v":2,"seq":7,"something":"else"}"#;
    let line = format!("{:08x} {json}\ntorn", crc32fast::hash(json.as_bytes()));
    let name = "0000000001.journal";
    disk.0
        .borrow_mut()
        .files
        .get_mut(name)
        .unwrap()
        .0
        .extend(line.bytes());
    let before = disk.0.borrow().files.clone();

    let mut journal = journal(&disk, small());
    let place = "/model".to_owned();
    assert_eq!(news(&mut journal), [News::Refused { place }]);
    for code in 0..100 {
        append(&mut journal, 100 * u64::from(code), &warning(code));
    }
    assert_eq!(disk.0.borrow().files, before);
    assert_eq!((journal.unsynced(), journal.deadline()), (10, None));
    assert_eq!(news(&mut journal), []);
}

/// Full while a new segment is due: the oldest one makes the room.
#[test]
fn oldest_segment_makes_room() {
    let disk = Disk::default();
    let mut journal = journal(&disk, small());
    let mut code = 0;
    while disk.0.borrow().files.len() < 3 || journal.unsynced() > 0 {
        code += 1;
        append(&mut journal, 1, &warning(code));
    }
    let oldest = disk.0.borrow().files.keys().next().unwrap().clone();
    for code in 0..9 {
        append(&mut journal, 2, &warning(code));
    }
    let disk = disk.0.borrow();
    assert_eq!(disk.files.len(), 3);
    assert!(!disk.files.contains_key(&oldest));
}

/// One thing that happens to a journal.
#[derive(Clone, Debug)]
enum Step {
    Info,
    Warning,
    Flush,
    Room(Option<usize>),
    ReadOnly(bool),
    SyncFails(bool),
    Restart,
    PowerCut(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => Just(Step::Info),
        8 => Just(Step::Warning),
        2 => Just(Step::Flush),
        2 => prop::option::of(0..1500usize).prop_map(Step::Room),
        1 => any::<bool>().prop_map(Step::ReadOnly),
        1 => any::<bool>().prop_map(Step::SyncFails),
        1 => Just(Step::Restart),
        1 => (0..2000usize).prop_map(Step::PowerCut),
    ];
    prop::collection::vec(step, 1..120)
}

/// A journal, its disk, and what it has promised.
struct Run {
    disk: Disk,
    journal: Journal<Disk>,
    seconds: u64,
    appended: u32,
    /// Appended and not known to be safe.
    open: Vec<u32>,
    /// Promised.
    safe: Vec<u32>,
}

impl Run {
    fn step(&mut self, step: &Step) {
        self.seconds += 20;
        match step {
            Step::Info | Step::Warning => {
                self.appended += 1;
                self.open.push(self.appended);
                let note = match step {
                    Step::Warning => numbered_warning(self.appended),
                    _ => info(self.appended),
                };
                append(&mut self.journal, self.seconds, &note);
            }
            Step::Flush => self.journal.flush(at(self.seconds)),
            Step::Room(room) => self.disk.set_room(*room),
            Step::ReadOnly(is) => self.disk.0.borrow_mut().read_only = *is,
            Step::SyncFails(fails) => self.disk.0.borrow_mut().sync_fails = *fails,
            Step::Restart => self.restart(),
            Step::PowerCut(survives) => {
                self.disk.cut_power(*survives);
                self.restart();
            }
        }
        // Where records were lost for want of memory, that is no promise either.
        if self.journal.unsynced() == 0 {
            self.safe.append(&mut self.open);
        }
    }

    fn restart(&mut self) {
        self.open.clear();
        self.journal = journal(&self.disk, roomy());
    }

    /// The numbers that the notes were given, in the order of the journal.
    fn read(&self) -> Vec<u32> {
        let mut last = 0;
        let mut found = Vec::new();
        for record in Reader::new(self.disk.clone()).unwrap() {
            assert!(record.seq > last, "numbers grow");
            last = record.seq;
            let number = record.data.get("run").or(record.data.get("failures"));
            let number = number
                .and_then(|n| n.as_u64())
                .map(|n| u32::try_from(n).unwrap());
            found.extend(number);
        }
        found
    }
}

/// Bad news that carries a number of any size.
fn numbered_warning(number: u32) -> Note {
    Note::ServiceBackoff {
        service: ServiceId(1),
        delay: Duration::ZERO,
        failures: number,
    }
}

/// Room for everything, so that whatever is missing is a fault.
fn roomy() -> Sizes {
    Sizes {
        batch: 600,
        segment: 1500,
        segments: 1000,
        kept: 1000,
        daily_info: 1_000_000,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever happens: what was reported as safe is there, in order and once; nothing is there
    /// that was never appended; numbers grow.
    #[test]
    fn nothing_safe_is_lost(steps in steps()) {
        let disk = Disk::default();
        let mut run = Run {
            journal: journal(&disk, roomy()),
            disk,
            seconds: 0,
            appended: 0,
            open: vec![],
            safe: vec![],
        };
        for step in &steps {
            run.step(step);
        }
        run.disk.cut_power(0);
        run.restart();
        let found = run.read();
        prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", found);
        prop_assert!(found.iter().all(|n| *n <= run.appended));
        let missing: Vec<_> = run.safe.iter().filter(|n| !found.contains(n)).collect();
        prop_assert!(missing.is_empty(), "{:?}", missing);
    }
}

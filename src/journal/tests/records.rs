//! Single records, and which of them are urgent.

use super::model::{Disk, append, at, info, journal, records, story, warning};
use crate::core::note::{Note, Severity};
use crate::core::settings::Settings;
use crate::journal::record::{Line, SEQ_MAX};
use crate::journal::{DELAY, Record, Sizes, Stamp, Trust, urgent};
use crate::text::{describe, samples};
use crate::units::Mono;
use jiff::Timestamp;
use proptest::prelude::*;

/// A record as `tail` shows it. The checksum was computed with another implementation.
#[test]
fn line_of_a_record() {
    let disk = Disk::default();
    let mut journal = journal(&disk, Sizes::default());
    let stamp = Stamp {
        mono: Mono(12_400),
        wall: Some("2026-11-21T03:16:52.123Z".parse().unwrap()),
        trust: Trust::Synced,
    };
    journal.append(stamp, &warning(1), &samples::field());
    let bytes = disk.0.borrow().files["0000000001.journal"].0.clone();
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        concat!(
            "f811cc29 ",
            r#"{"v":1,"seq":1,"boot":"5f0c","mono":12.4,"wall":"2026-11-21T03:16:52.123Z","#,
            r#""trust":"synced","severity":"warning","event":"service-exited","#,
            r#""text":"web exited with status 1 after 1 s","#,
            r#""data":{"asked":false,"code":1,"lived":1,"service":"web"}}"#,
            "\n"
        )
    );
}

fn stamps() -> impl Strategy<Value = Stamp> {
    let trust = prop::sample::select(vec![
        Trust::Unset,
        Trust::Floor,
        Trust::Rtc,
        Trust::Synced,
        Trust::Holdover,
    ]);
    let wall = prop::option::of(0..4_102_444_800_000i64);
    // 1000 years. Beyond 2^50 ms the JSON number is no longer exact to the millisecond.
    (0..1u64 << 45, wall, trust).prop_map(|(mono, wall, trust)| Stamp {
        mono: Mono(mono),
        wall: wall.map(|ms| Timestamp::from_millisecond(ms).unwrap()),
        trust,
    })
}

proptest! {
    /// A record reads back as it was, whatever its time, event and names.
    #[test]
    fn what_is_written_is_read(
        stamp in stamps(),
        seq in ..=SEQ_MAX,
        boot in any::<String>(),
        service in any::<String>(),
        which in any::<prop::sample::Index>(),
    ) {
        let settings = samples::settings(&["a", &service], &["/", &service]);
        let notes = samples::notes();
        let note = &notes[which.index(notes.len())].0;
        let record = Record::of(note, &settings, &boot, seq, stamp);
        let line = record.line();
        let (end, line) = line.split_last().unwrap();
        prop_assert_eq!(*end, b'\n');
        prop_assert!(!line.contains(&b'\n'));
        prop_assert_eq!(Line::read(line), Line::Whole(Box::new(record)));
    }
}

/// A number so large that no other can follow is nobody's.
#[test]
fn numbers_can_grow() {
    let seen = |seq| {
        let record = Record::of(&Note::Ended, &Settings::nothing(), "b", seq, at(1));
        let line = record.line();
        matches!(Line::read(line.trim_ascii_end()), Line::Whole(_))
    };
    assert!(seen(SEQ_MAX));
    assert!(!seen(SEQ_MAX + 1) && !seen(u64::MAX));
}

/// Every note is synced when it is appended if it is urgent, and waits otherwise.
#[test]
fn urgent_notes_are_synced_at_once() {
    for (note, _) in samples::notes() {
        let disk = Disk::default();
        let mut journal = journal(&disk, Sizes::default());
        append(&mut journal, 1, &note);
        assert_eq!(journal.unsynced() == 0, urgent(&note), "{note:?}");
        assert_eq!(records(&disk).len() == 1, urgent(&note), "{note:?}");
    }
}

/// Good news waits until a batch is full, five minutes are over, or bad news comes.
#[test]
fn batches() {
    let disk = Disk::default();
    let mut journal = journal(&disk, Sizes::default());
    append(&mut journal, 10, &info(1));
    append(&mut journal, 20, &info(2));
    assert_eq!(journal.deadline(), Some(at(10).mono.after(DELAY)));
    assert_eq!((journal.unsynced(), disk.writes()), (2, 0));

    append(&mut journal, 30, &warning(1));
    assert_eq!((journal.unsynced(), journal.deadline()), (0, None));
    assert_eq!(disk.writes(), 2, "a new segment, and one append");

    append(&mut journal, 40, &info(3));
    journal.flush(at(340));
    assert_eq!((journal.unsynced(), disk.writes()), (0, 3));

    append(&mut journal, 400, &info(4));
    append(&mut journal, 700, &info(5));
    assert_eq!((journal.unsynced(), disk.writes()), (0, 4));

    for run in 6..100 {
        append(&mut journal, 700, &info(run));
    }
    let written: usize = disk.0.borrow().files.values().map(|f| f.0.len()).sum();
    let batches = disk.writes() - 4;
    assert!(batches >= 3, "{batches}");
    assert!(written / (batches + 1) < 4096 + 300, "{written}");
    assert_eq!(story(&disk)[0], (1, "service-starting".to_owned()));
}

/// The documented events and their severities are those of the code; so is the list of events that
/// are synced at once although they are no bad news.
#[test]
fn documentation_is_complete() {
    let page = include_str!("../../../docs/formats.md");
    let mut documented = rows(page, "events");
    let mut listed = rows(page, "synced");
    for (note, _) in samples::notes() {
        let name = describe(&note, &samples::field()).name;
        let row = documented.iter().find(|(event, _)| event == name);
        let (_, severity) = row.unwrap_or_else(|| panic!("{name} is not in docs/formats.md"));
        let word = crate::text::severity_word(note.severity());
        assert!(
            severity.contains(word),
            "{name}: {word} is not in `{severity}`"
        );
        let is_listed = listed.iter().any(|(event, _)| event == name);
        let by_class = note.severity() == Severity::Info && urgent(&note);
        assert!(is_listed || !by_class, "{name} is not listed as synced");
        assert!(!is_listed || urgent(&note), "{name} is not synced at once");
    }
    let names: Vec<&str> = samples::notes()
        .iter()
        .map(|(note, _)| describe(note, &samples::field()).name)
        .chain(crate::journal::own::ALL)
        .collect();
    documented.retain(|(event, _)| !names.contains(&event.as_str()));
    listed.retain(|(event, _)| !names.contains(&event.as_str()));
    assert_eq!((documented, listed), (vec![], vec![]), "no such events");
}

/// First and second cell of each row of the table behind the line `<!-- table: NAME -->`.
fn rows(page: &str, name: &str) -> Vec<(String, String)> {
    let mark = format!("<!-- table: {name} -->\n");
    let from = page.find(&mark).expect("the table is marked") + mark.len();
    let table = page[from..]
        .lines()
        .take_while(|line| line.starts_with('|'));
    let cells = table.skip(2).map(|line| {
        let mut cells = line.split('|').skip(1).map(|c| c.trim().replace('`', ""));
        (cells.next().unwrap(), cells.next().unwrap())
    });
    let rows: Vec<_> = cells.collect();
    assert!(!rows.is_empty());
    rows
}

/// The list covers notes by name, so no note with a listed name may be left to wait.
#[test]
fn urgency_depends_on_the_kind_or_the_severity() {
    assert!(urgent(&Note::Ended) && urgent(&Note::WatchdogHadReset));
    assert!(!urgent(&info(1)) && urgent(&warning(1)));
}

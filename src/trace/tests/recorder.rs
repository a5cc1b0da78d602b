//! The flight recorder, on a real directory.

use crate::core::fact::{Change, Fact, Pid, RunId, ServiceId};
use crate::text::samples;
use crate::trace::{Lost, Ring, fact_line, open};
use crate::units::Mono;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn checkpoint() -> Vec<(Mono, Fact)> {
    let change = Change::Adopted {
        pid: Pid::new(812).unwrap(),
        ready: true,
    };
    let service = ServiceId(1);
    let run = RunId(1);
    vec![(
        Mono(0),
        Fact::Child {
            service,
            run,
            change,
        },
    )]
}

fn ring(dir: &Path) -> Ring {
    Ring::new(dir, "5f0c", "[service.web]\n").with_limit(400)
}

fn append(ring: &mut Ring, ms: u64) {
    let settings = samples::field();
    let mut batch = fact_line(Mono(ms), &Fact::Tick, &settings);
    batch.push('\n');
    ring.append(Mono(ms), &batch, &settings, checkpoint);
}

/// The times of the steps of a file, each of which must be readable by itself.
fn times(file: &Path) -> Vec<u64> {
    let text = fs::read_to_string(file).unwrap();
    let settings = samples::field();
    let document = open("trace", &text).unwrap();
    assert_eq!(document.meta("boot"), Some("5f0c"));
    let steps: Vec<_> = document.steps(&settings).map(Result::unwrap).collect();
    assert_eq!(steps[0].fact, checkpoint()[0].1);
    steps[1..].iter().map(|s| s.at.0).collect()
}

/// Both files stay below the limit, can be read by themselves, and follow each other without a gap.
#[test]
fn rotates_without_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let mut ring = ring(dir.path());
    for ms in 1..=100 {
        append(&mut ring, ms);
        let size = |name| fs::metadata(dir.path().join(name)).map_or(0, |m| m.len());
        assert!(size("trace") <= 400 && size("trace.1") <= 400);
    }
    let both = [
        times(&dir.path().join("trace.1")),
        times(&dir.path().join("trace")),
    ]
    .concat();
    let first = both[0];
    assert_eq!(both, (first..=100).collect::<Vec<_>>());
    assert!(first > 1, "there was a rotation");
    assert_eq!(ring.lost(), Lost::default());
}

/// Nobody but us can read the files.
#[test]
fn files_are_private() {
    let dir = tempfile::tempdir().unwrap();
    append(&mut ring(dir.path()), 1);
    let mode = fs::metadata(dir.path().join("trace"))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
}

/// The file of a daemon that crashed is kept as the one before.
#[test]
fn earlier_file_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    append(&mut ring(dir.path()), 1);
    append(&mut ring(dir.path()), 2);
    assert_eq!(times(&dir.path().join("trace.1")), [1]);
    assert_eq!(times(&dir.path().join("trace")), [2]);
}

/// A missing directory is counted, tried again after 10 s and not before, and the new file says
/// what was lost.
#[test]
fn failures_are_counted() {
    let top = tempfile::tempdir().unwrap();
    let dir = top.path().join("gone");
    let mut ring = ring(&dir);
    append(&mut ring, 1_000);
    fs::create_dir(&dir).unwrap();
    append(&mut ring, 10_999);
    let lost = Lost {
        batches: 2,
        bytes: 11 + 12,
    };
    assert_eq!(ring.lost(), lost);
    append(&mut ring, 11_000);
    assert_eq!(ring.lost(), lost);
    assert_eq!(times(&dir.join("trace")), [11_000]);
    let text = fs::read_to_string(dir.join("trace")).unwrap();
    assert_eq!(open("t", &text).unwrap().meta("lost-batches"), Some("2"));
}

/// A file that somebody deleted is begun anew at once.
#[test]
fn deleted_file_is_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    let mut ring = ring(dir.path());
    append(&mut ring, 1);
    fs::remove_file(dir.path().join("trace")).unwrap();
    append(&mut ring, 2);
    assert_eq!(times(&dir.path().join("trace")), [2]);
}

/// A batch that can never fit is counted and harms nothing else.
#[test]
fn oversized_batch_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut ring = ring(dir.path());
    append(&mut ring, 1);
    let settings = samples::field();
    ring.append(Mono(2), &"x".repeat(500), &settings, checkpoint);
    assert_eq!(ring.lost().batches, 1);
    assert_eq!(times(&dir.path().join("trace")), [1]);
}

//! A real directory.

use super::model::{at, info, warning};
use crate::journal::{Journal, News, Reader};
use crate::text::samples;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn numbers(dir: &Path) -> Vec<u64> {
    let mut reader = Reader::open(dir).unwrap();
    let numbers = reader.by_ref().map(|r| r.seq).collect();
    assert!(reader.damage().is_none());
    numbers
}

/// A journal is made, closed, cut, opened again, and goes on; nobody else can write it.
#[test]
fn there_and_back() {
    let state = tempfile::tempdir().unwrap();
    let dir = state.path().join("journal");
    let settings = samples::field();
    {
        let mut journal = Journal::open(&dir, "5f0c");
        journal.append(at(1), &warning(1), &settings);
        journal.append(at(2), &info(1), &settings);
        journal.flush(at(3));
        assert_eq!(journal.take_news(), None);
    }
    let file = dir.join("0000000001.journal");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dir) & !0o750, mode(&file) & !0o640), (0, 0));
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();

    let mut journal = Journal::open(&dir, "5f0d");
    assert!(matches!(journal.take_news(), Some(News::Torn { .. })));
    journal.append(at(1), &warning(2), &settings);
    assert_eq!(numbers(&dir), [1, 3, 4]);
}

/// The state directory itself is missing: it is never made, but used once it is there.
#[test]
fn missing_state_directory() {
    let top = tempfile::tempdir().unwrap();
    let state = top.path().join("state");
    let dir = state.join("journal");
    let settings = samples::field();
    let mut journal = Journal::open(&dir, "5f0c");
    let text = journal.take_news().unwrap().to_string();
    assert!(
        text.contains("No such file or directory") && text.contains("the last 256 records"),
        "{text}"
    );
    journal.append(at(1), &warning(1), &settings);
    assert!(!state.exists());
    fs::create_dir(&state).unwrap();
    journal.append(at(61), &warning(2), &settings);
    assert_eq!(numbers(&dir), [1, 2]);
}

/// Somebody deletes the whole journal under a running daemon: no record goes to a file without a
/// name.
#[test]
fn deleted_journal() {
    let state = tempfile::tempdir().unwrap();
    let dir = state.path().join("journal");
    let settings = samples::field();
    let mut journal = Journal::open(&dir, "5f0c");
    journal.append(at(1), &warning(1), &settings);
    fs::remove_dir_all(&dir).unwrap();
    journal.append(at(2), &warning(2), &settings);
    assert!(!journal.is_on_disk());
    journal.append(at(62), &warning(3), &settings);
    assert_eq!(numbers(&dir), [2, 3]);
}

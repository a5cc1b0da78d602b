//! What a later version of this program has left is set aside at a start: nothing of it is believed,
//! nothing is written over it, and it is there again for whoever takes that version back.
//!
//! Files with a version of their own begin with `fieldwarden-KIND VERSION `. Those in the runtime
//! directory that have none share the one in its file `form`. The journal sees to itself.
//!
//! Never keeps a daemon from starting: what cannot be moved is written over when its time comes.

use super::places::Places;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The version of every form that this program writes.
const VERSION: u32 = 1;

/// Beginning of the first line of each file, before what it is.
const MAGIC: &str = "fieldwarden-";

/// Bytes of the first line that are looked at.
const HEAD: u64 = 64;

/// What the file `form` is of: all in the runtime directory that has no version of its own.
const RUNTIME: &str = "fieldwarden-runtime";

/// The ending of job records.
const JOB: &str = "job";

/// Sets aside what is of a later version in both directories, and notes that the runtime directory is
/// of ours.
pub fn set_aside(places: &Places, state_dir: &Path) {
    let form = places.form();
    if let Some(version) = later(&form) {
        let kept = [places.runs(), places.memos(), places.starts(), places.led()];
        for path in kept {
            aside(&path, version);
        }
    }
    let ours = format!("{RUNTIME} {VERSION}\n");
    if fs::read_to_string(&form).is_ok_and(|text| text == ours) {
        // It is as it should be, mostly.
    } else if let Err(e) = fs::write(&form, ours) {
        log::warn!(
            "{}: {e}; a later version may misread what lies here",
            form.display()
        );
    }
    for directory in [places.root(), state_dir] {
        for path in with_versions(directory) {
            set_one_aside(&path);
        }
    }
}

/// Files that may have a version of their own, in both directories.
const NAMES: [&str; 7] = [
    "marker",
    "marker.sim",
    "hold",
    "board",
    "configuration",
    "floor",
    "stops",
];

/// Files of this directory that may have a version of their own.
fn with_versions(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = NAMES.iter().map(|name| directory.join(name)).collect();
    let jobs = fs::read_dir(directory.join("jobs")).into_iter().flatten();
    let jobs = jobs.flatten().map(|entry| entry.path());
    paths.extend(jobs.filter(|path| path.extension().is_some_and(|e| e == JOB)));
    paths
}

/// Sets one file aside, if it is of a later version.
pub(super) fn set_one_aside(path: &Path) {
    if let Some(version) = later(path) {
        aside(path, version);
    }
}

/// The version of a file, if it is a later one than ours.
fn later(path: &Path) -> Option<u32> {
    let regular = path.symlink_metadata().ok()?.is_file();
    let mut head = Vec::new();
    let file = File::open(path).ok().filter(|_| regular)?;
    file.take(HEAD).read_to_end(&mut head).ok()?;
    version(&head).filter(|version| *version > VERSION)
}

/// The version in the first line of a file of ours.
pub(super) fn version(head: &[u8]) -> Option<u32> {
    let rest = head.strip_prefix(MAGIC.as_bytes())?;
    let rest = std::str::from_utf8(rest.split(|b| *b == b'\n').next()?).ok()?;
    rest.split(' ').nth(1)?.parse().ok()
}

/// Moves a file to where this program never looks.
fn aside(path: &Path, version: u32) {
    let mut to = path.as_os_str().to_owned();
    to.push(format!(".v{version}"));
    match fs::rename(path, &to) {
        Ok(()) => log::warn!(
            "{}: it is of version {version}, which this program is too old for: set aside as {}",
            path.display(),
            Path::new(&to).display()
        ),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => log::warn!(
            "{}: it is of version {version}, which this program is too old for, and cannot be set \
             aside: {e}",
            path.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn files(dir: &Path) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let mut folders = vec![dir.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(dir).unwrap().display().to_string();
                    found.insert(name, fs::read_to_string(&path).unwrap());
                }
            }
        }
        found
    }

    /// Each file of a later version is there afterwards, byte for byte, under another name; what is of
    /// ours, what is damaged and what is nobody's stays where it is.
    #[test]
    fn nothing_of_a_later_version_is_lost_or_believed() {
        let dir = tempfile::tempdir().unwrap();
        let (places, state) = (
            Places::new(&dir.path().join("run")),
            dir.path().join("state"),
        );
        places.make().unwrap();
        fs::create_dir_all(state.join("jobs")).unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        let later = [
            ("run/marker", "fieldwarden-marker 2 boot=x\n", "2"),
            ("run/hold", "fieldwarden-hold 3 boot=x crc=0\n", "3"),
            ("run/board", "fieldwarden-board 2 x728 00000000\nx\n", "2"),
            (
                "run/configuration",
                "fieldwarden-configuration 9 1 0\n",
                "9",
            ),
            (
                "state/marker",
                "fieldwarden-marker 4294967295 x\n",
                "4294967295",
            ),
            ("state/marker.sim", "fieldwarden-marker 2\n", "2"),
            (
                "state/configuration",
                "fieldwarden-configuration 2 1 0\n",
                "2",
            ),
            ("state/jobs/dump.job", "fieldwarden-job 2 boot=x\n", "2"),
            ("state/floor", "fieldwarden-floor 2 x crc=0\n", "2"),
        ];
        let ours = [
            ("state/jobs/other.job", "fieldwarden-job 1 boot=x\n"),
            ("state/jobs/notes", "fieldwarden-job 2 boot=x\n"),
            ("state/journal", "fieldwarden-marker 2\n"),
            ("run/runs", "run=1\n"),
            ("run/memos", "0 child\n"),
            ("run/starts", "12\n"),
            ("run/led", "ACT\n"),
        ];
        for (name, text, _) in later {
            write(name, text);
        }
        for (name, text) in ours {
            write(name, text);
        }
        set_aside(&places, &state);
        let mut wanted: BTreeMap<String, String> = BTreeMap::new();
        wanted.extend(ours.map(|(name, text)| (name.to_owned(), text.to_owned())));
        let moved =
            later.map(|(name, text, version)| (format!("{name}.v{version}"), text.to_owned()));
        wanted.extend(moved);
        wanted.insert("run/form".to_owned(), "fieldwarden-runtime 1\n".to_owned());
        assert_eq!(files(dir.path()), wanted);
        set_aside(&places, &state);
        assert_eq!(files(dir.path()), wanted);
        write("run/form", "fieldwarden-runtime 2 more\n");
        set_aside(&places, &state);
        for name in ["runs", "memos", "starts", "led"] {
            let text = wanted.remove(&format!("run/{name}")).unwrap();
            wanted.insert(format!("run/{name}.v2"), text);
        }
        assert_eq!(files(dir.path()), wanted);
        for damaged in [
            "",
            "fieldwarden-marker",
            "fieldwarden-marker x\n",
            "fieldwarden-marker 1\n2 2",
        ] {
            write("run/marker", damaged);
            write("run/form", damaged);
            set_aside(&places, &state);
            assert_eq!(files(dir.path())["run/marker"], damaged);
            assert_eq!(files(dir.path())["run/form"], "fieldwarden-runtime 1\n");
        }
    }

    /// The words that files begin with, by the sources, in this directory and those below.
    fn magic_words(dir: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                magic_words(&path, found);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let words = text.lines().filter_map(|line| {
                let (_, rest) = line.split_once("const MAGIC: &str = \"fieldwarden-")?;
                let word = rest.split([' ', '"']).next()?;
                (!word.is_empty()).then(|| word.to_owned())
            });
            found.extend(words);
        }
    }

    /// No file is forgotten whose form has a version.
    #[test]
    fn every_form_with_a_version_is_known_here() {
        let mut words = Vec::new();
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        magic_words(&sources, &mut words);
        assert!(words.len() >= 7, "{words:?}");
        for word in words {
            // A trace is of one boot, is only ever appended to, and is read by commands alone.
            let known = NAMES.contains(&word.as_str()) || [JOB, "trace"].contains(&word.as_str());
            assert!(known, "{word} is of no file that is set aside");
        }
    }

    /// Where nothing can be moved or written, a daemon goes on.
    #[test]
    fn what_cannot_be_set_aside_keeps_nobody_up() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::new(&dir.path().join("run"));
        places.make().unwrap();
        fs::write(places.marker(), "fieldwarden-marker 2 x\n").unwrap();
        fs::create_dir_all(dir.path().join("run/marker.v2/x")).unwrap();
        fs::create_dir(places.form()).unwrap();
        set_aside(&places, &dir.path().join("nowhere"));
        assert!(places.marker().exists());
    }
}

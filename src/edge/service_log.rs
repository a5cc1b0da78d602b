//! What a service wrote last: kept in the runtime directory, for `fieldwarden logs`.
//!
//! Terms: a *part* is one of the two files in which lines are kept. The newer one takes lines until it
//! is full; then it takes the place of the older one, whose lines are forgotten.
//!
//! ```text
//! MILLISECONDS TEXT        monotonic time; the text has no control characters
//! ```
//!
//! The files lie in memory (`/run` is a tmpfs), but not in the daemon's: they outlive it, and reading
//! them needs no daemon. There is no time of day in them, because it may be wrong when a line is
//! written and known when it is read.
//!
//! Never holds up the line's way to the log: what cannot be kept is left out, and told once.

use super::control::looking_group;
use super::places::Places;
use crate::units::Mono;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The most that is kept of all services together, in bytes: two parts of each. A Pi Zero has 512 MiB.
const ALL: u64 = 4 * 1024 * 1024;

/// The most that one part has, in bytes: some hundred lines.
const PART_MAX: u64 = 32 * 1024;

/// The least that one part has, in bytes: a line of the longest kind, and some more.
const PART_MIN: u64 = 4 * 1024;

/// Who may look at the daemon may look at these as well.
const MODE: u32 = 0o640;

/// Writes down the latest lines of one service.
pub struct ServiceLog {
    places: Places,
    /// Its name.
    pub name: Box<str>,
    /// Open since the first line.
    file: Option<File>,
    size: u64,
    part: u64,
    /// It could not be written, and that was told.
    told: bool,
}

impl ServiceLog {
    /// Of this service, one of so many. Nothing is made before its first line.
    pub fn of(places: &Places, name: &str, services: usize) -> ServiceLog {
        let services = u64::try_from(services.max(1)).unwrap_or(u64::MAX);
        ServiceLog {
            places: places.clone(),
            name: name.into(),
            file: None,
            size: 0,
            part: (ALL / 2 / services).clamp(PART_MIN, PART_MAX),
            told: false,
        }
    }

    /// Keeps lines, which are in the form of this file.
    pub fn keep(&mut self, lines: &[u8]) {
        match self.write(lines) {
            Ok(()) => self.told = false,
            Err(e) => {
                self.file = None;
                if !std::mem::replace(&mut self.told, true) {
                    log::warn!(
                        "{}: {e}; its latest lines are not kept",
                        self.places.kept_output(&self.name).display()
                    );
                }
            }
        }
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let length = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        if self.file.is_some() && self.size.saturating_add(length) > self.part {
            self.file = None;
            let [newer, older] = parts(&self.places, &self.name);
            std::fs::rename(newer, older)?;
        }
        let file = match &mut self.file {
            Some(file) => file,
            empty @ None => {
                let newer = self.places.kept_output(&self.name);
                let file = self.places.within(&self.name, || open(&newer))?;
                self.size = file.metadata()?.len();
                empty.insert(file)
            }
        };
        file.write_all(lines)?;
        self.size = self.size.saturating_add(length);
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE;
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file: File = rustix::fs::open(path, flags, Mode::from_raw_mode(MODE))?.into();
    let made = file.metadata()?;
    if made.len() == 0 {
        file.set_permissions(std::fs::Permissions::from_mode(MODE))?;
        // Fails for a daemon that is neither root nor in the group; then only its own user may look.
        let _ = std::os::unix::fs::fchown(&file, None, looking_group());
    }
    Ok(file)
}

fn parts(places: &Places, name: &str) -> [PathBuf; 2] {
    let newer = places.kept_output(name);
    let older = newer.with_extension("old");
    [newer, older]
}

/// Puts a line into the form of this file.
pub fn form(now: Mono, text: &str, into: &mut Vec<u8>) {
    // Writing into memory cannot fail.
    let _ = writeln!(into, "{} {text}", now.0);
}

/// A line that was kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// When it was read from the service.
    pub at: Mono,
    /// What the service wrote, without control characters.
    pub text: String,
}

/// Reads what was kept of a service, and what is added to it.
pub struct Reader {
    newer: PathBuf,
    older: PathBuf,
    /// It has given the lines of the older part.
    begun: bool,
    file: Option<BufReader<File>>,
    /// The beginning of a line whose end was not written yet.
    partial: Vec<u8>,
}

impl Reader {
    /// From the first line that is kept.
    pub fn new(places: &Places, name: &str) -> Reader {
        let [newer, older] = parts(places, name);
        Reader {
            newer,
            older,
            begun: false,
            file: None,
            partial: Vec::new(),
        }
    }

    /// All lines that came since it was asked last.
    ///
    /// # Errors
    /// When a part is there and cannot be read, with its path.
    pub fn read(&mut self) -> io::Result<Vec<Line>> {
        let mut lines = Vec::new();
        // The newer part first: while it is open, becoming the older one does not take it away.
        if self.file.is_none() {
            self.file = reader(&self.newer)?;
        }
        if !std::mem::replace(&mut self.begun, true) {
            self.skipped(self.file.as_ref(), &mut lines)?;
        }
        while let Some(file) = &mut self.file {
            drain(file, &mut self.partial, &mut lines)?;
            match reader(&self.newer)? {
                Some(next) if !same(file, &next) => {
                    // What was written between the look at its end and the change is in it.
                    drain(file, &mut self.partial, &mut lines)?;
                    self.partial.clear();
                    self.skipped(self.file.as_ref(), &mut lines)?;
                    self.file = Some(next);
                }
                Some(_) | None => break,
            }
        }
        Ok(lines)
    }

    /// Lines of the older part, unless it is the one that is being read.
    fn skipped(&self, read: Option<&BufReader<File>>, into: &mut Vec<Line>) -> io::Result<()> {
        let Some(mut older) = reader(&self.older)? else {
            return Ok(());
        };
        match read.is_some_and(|read| same(read, &older)) {
            true => Ok(()),
            false => drain(&mut older, &mut Vec::new(), into),
        }
    }
}

fn drain(
    file: &mut BufReader<File>,
    partial: &mut Vec<u8>,
    into: &mut Vec<Line>,
) -> io::Result<()> {
    while file.read_until(b'\n', partial)? > 0 {
        if partial.last() == Some(&b'\n') {
            into.extend(line(&String::from_utf8_lossy(partial)));
            partial.clear();
        }
    }
    Ok(())
}

fn reader(path: &Path) -> io::Result<Option<BufReader<File>>> {
    match File::open(path) {
        Ok(file) => Ok(Some(BufReader::new(file))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(io::Error::new(e.kind(), format!("{}: {e}", path.display()))),
    }
}

fn same(one: &BufReader<File>, other: &BufReader<File>) -> bool {
    let inode = |file: &BufReader<File>| file.get_ref().metadata().map(|m| (m.dev(), m.ino()));
    matches!((inode(one), inode(other)), (Ok(a), Ok(b)) if a == b)
}

/// A line of a part; what is damaged is no line.
fn line(text: &str) -> Option<Line> {
    let (at, text) = text.trim_end_matches('\n').split_once(' ')?;
    Some(Line {
        at: Mono(at.parse().ok()?),
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, Places) {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::new(dir.path());
        places.make_service("web").unwrap();
        (dir, places)
    }

    fn say(log: &mut ServiceLog, number: u64) {
        let mut lines = Vec::new();
        form(
            Mono(number),
            &format!("line {number} {}", "x".repeat(80)),
            &mut lines,
        );
        log.keep(&lines);
    }

    /// However much is written: two parts are kept, the latest lines are in them, none is missing
    /// between them, and a reader that looks often enough gets every line once.
    #[test]
    fn the_latest_lines_are_kept_and_followed() {
        let (_dir, places) = place();
        let mut log = ServiceLog::of(&places, "web", 1000);
        let mut follower = Reader::new(&places, "web");
        let mut followed = Vec::new();
        for number in 0..1000 {
            say(&mut log, number);
            if number % 7 == 0 {
                followed.extend(follower.read().unwrap());
            }
        }
        followed.extend(follower.read().unwrap());
        let numbers: Vec<u64> = followed.iter().map(|l| l.at.0).collect();
        assert_eq!(numbers, (0..1000).collect::<Vec<_>>());
        let kept = Reader::new(&places, "web").read().unwrap();
        let first = kept.first().unwrap().at.0;
        let numbers: Vec<u64> = kept.iter().map(|l| l.at.0).collect();
        assert_eq!(numbers, (first..1000).collect::<Vec<_>>());
        let size: u64 = parts(&places, "web")
            .iter()
            .map(|p| p.metadata().unwrap().len())
            .sum();
        assert!((PART_MIN..=2 * PART_MIN).contains(&size), "{size}");
    }

    /// A successor of the daemon writes on where the former ended.
    #[test]
    fn a_successor_goes_on() {
        let (_dir, places) = place();
        say(&mut ServiceLog::of(&places, "web", 1), 1);
        say(&mut ServiceLog::of(&places, "web", 1), 2);
        let kept = Reader::new(&places, "web").read().unwrap();
        assert_eq!(kept.len(), 2);
        let mode = std::fs::metadata(places.kept_output("web")).unwrap().mode();
        assert_eq!(mode & 0o7777, MODE);
    }

    /// A file that was cut or filled with something else gives the lines that are left.
    #[test]
    fn damage_costs_the_damaged_lines_only() {
        let (_dir, places) = place();
        std::fs::write(
            places.kept_output("web"),
            b"12 a\n\xff\xff\nx y\n13 b c\n14",
        )
        .unwrap();
        let mut reader = Reader::new(&places, "web");
        let texts: Vec<_> = reader.read().unwrap().into_iter().map(|l| l.text).collect();
        assert_eq!(texts, ["a", "b c"]);
        assert_eq!(Reader::new(&places, "nobody").read().unwrap(), []);
    }

    /// A directory that takes no lines costs nothing but them.
    #[test]
    fn what_cannot_be_kept_is_left_out() {
        let (dir, places) = place();
        let mut log = ServiceLog::of(&places, "web", 1);
        let parent = dir.path().join("service");
        std::fs::remove_dir_all(&parent).unwrap();
        std::fs::write(&parent, "in the way").unwrap();
        say(&mut log, 1);
        std::fs::remove_file(&parent).unwrap();
        places.make_service("web").unwrap();
        say(&mut log, 2);
        let kept = Reader::new(&places, "web").read().unwrap();
        assert_eq!(kept.len(), 1);
    }
}

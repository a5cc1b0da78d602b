//! What is known of a job's runs, for the next daemon and the next boot: one line in a file of its
//! own.
//!
//! ```text
//! fieldwarden-job 1 boot=UUID 0.000 child dump run=0 remembered first=... crc=1a2b3c4d
//! ```
//!
//! As with the marker, there are two: one in the runtime directory, which works where nothing can
//! be written to disk, and one in the state directory, which outlives the boot. Each is written
//! whole or not at all.

use super::marker_file::write_whole;
use super::places::Places;
use crate::core::fact::{Change, Fact, RunId, ServiceId};
use crate::core::settings::Settings;
use crate::text;
use crate::trace::parse_fact;
use crate::units::Mono;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Beginning of the line, with the version of its form.
const MAGIC: &str = "fieldwarden-job 1 boot=";

/// Before the checksum of everything that stands before it.
const CRC: &str = " crc=";

/// Longest line that is looked at, in bytes: twice what any job needs.
const LENGTH_MAX: u64 = 1024;

/// Name of the directory in either place.
const DIRECTORY: &str = "jobs";

/// The files of all jobs.
#[derive(Clone, Debug)]
pub struct JobFiles {
    runtime: PathBuf,
    state: PathBuf,
    boot: Box<str>,
}

impl JobFiles {
    /// Those of a daemon with these directories, in this boot.
    pub fn new(places: &Places, state_dir: &Path, boot: &str) -> JobFiles {
        JobFiles {
            runtime: places.root().join(DIRECTORY),
            state: state_dir.join(DIRECTORY),
            boot: boot.into(),
        }
    }

    /// What was left about this job, as a fact; `None` if there is nothing that can be understood.
    pub fn found(&self, service: ServiceId, settings: &Settings) -> Option<Fact> {
        let read = |directory: &Path| {
            let path = path(directory, settings.name(service));
            match read(&path, service, settings) {
                Ok(found) => found,
                Err(e) => {
                    log::warn!(
                        "{}: {e}; its earlier runs are not known from it",
                        path.display()
                    );
                    None
                }
            }
        };
        let here = read(&self.runtime).filter(|(boot, _)| *boot == self.boot);
        let (boot, fact) = here.or_else(|| read(&self.state))?;
        let Fact::Child {
            change: Change::Remembered(past),
            ..
        } = fact
        else {
            return None;
        };
        let past = match boot == self.boot {
            true => past,
            false => past.of_earlier_boot(),
        };
        Some(remembered(service, Change::Remembered(past)))
    }

    /// Keeps what is known of a job.
    ///
    /// # Errors
    /// What the kernel said of the file that outlives the boot; the other one lies in memory.
    pub fn keep(&self, service: ServiceId, change: Change, settings: &Settings) -> io::Result<()> {
        let fact = text::fact(&remembered(service, change), settings);
        let line = format!("{MAGIC}{} {} {fact}", self.boot, Mono(0));
        let crc = crc32fast::hash(line.as_bytes());
        let line = format!("{line}{CRC}{crc:08x}\n");
        let write = |directory: &Path| {
            fs::create_dir_all(directory)?;
            write_whole(&path(directory, settings.name(service)), line.as_bytes())
        };
        // What cannot be written here is found there, unless that fails, too; so an older one must not
        // stay here, which would count more than that.
        if write(&self.runtime).is_err() {
            let _ = fs::remove_file(path(&self.runtime, settings.name(service)));
        }
        write(&self.state)
    }
}

/// The file of a job. Its name ends in a way in which none of those ends that are written before
/// they take its place.
fn path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.job"))
}

fn remembered(service: ServiceId, change: Change) -> Fact {
    Fact::Child {
        service,
        run: RunId(0),
        change,
    }
}

/// The boot in which it was written, and what it says; `None` if there is no file.
fn read(
    path: &Path,
    service: ServiceId,
    settings: &Settings,
) -> io::Result<Option<(Box<str>, Fact)>> {
    let file = match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut text = String::new();
    file.take(LENGTH_MAX).read_to_string(&mut text)?;
    let found = parse(&text, service, settings);
    found.map(Some).ok_or(io::ErrorKind::InvalidData.into())
}

/// `None` unless it is whole, of our version, and about this job.
pub(super) fn parse(
    text: &str,
    service: ServiceId,
    settings: &Settings,
) -> Option<(Box<str>, Fact)> {
    let (line, crc) = text.strip_suffix('\n')?.rsplit_once(CRC)?;
    if crc != format!("{:08x}", crc32fast::hash(line.as_bytes())) {
        return None;
    }
    let (boot, line) = line.strip_prefix(MAGIC)?.split_once(' ')?;
    let (_, fact) = parse_fact(line, settings).ok()?;
    let ours = match &fact {
        Fact::Child {
            service: of,
            change: Change::Remembered(_),
            ..
        } => *of == service,
        _ => false,
    };
    ours.then(|| (boot.into(), fact))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: ServiceId = ServiceId(0);

    fn settings() -> Settings {
        let text = "[service.dump]\nkind = \"job\"\ncommand = [\"/bin/true\"]\nevery = \"1h\"\n";
        crate::config::parse("test", text).unwrap().config.settings
    }

    fn change(line: &str) -> Change {
        match parse_fact(
            &format!("0 child dump run=0 remembered {line}"),
            &settings(),
        ) {
            Ok((_, Fact::Child { change, .. })) => change,
            other => panic!("{other:?}"),
        }
    }

    fn files(dir: &Path, boot: &str) -> JobFiles {
        let places = Places::new(&dir.join("run"));
        JobFiles::new(&places, &dir.join("state"), boot)
    }

    const HERE: &str = "first=1.000@none good=2.000@2031-07-04T12:34:56Z latest=3.000@none \
                        outcome=failed failing=yes repeats=no slot=none";
    const LATER: &str = "first=none@none good=none@2031-07-04T12:34:56Z latest=none@none \
                         outcome=failed failing=yes repeats=no slot=none";

    /// Whoever comes next in this boot finds it as it was, and a later boot without the time of the
    /// earlier one; also if either file is lost, or damaged at any byte.
    #[test]
    fn it_outlives_daemons_and_boots() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings();
        let found = |boot: &str| files(dir.path(), boot).found(DUMP, &settings);
        assert_eq!(found("a"), None);
        files(dir.path(), "a")
            .keep(DUMP, change(HERE), &settings)
            .unwrap();
        let here = Some(remembered(DUMP, change(HERE)));
        let later = Some(remembered(DUMP, change(LATER)));
        assert_eq!((found("a"), found("b")), (here.clone(), later.clone()));
        let state = dir.path().join("state/jobs/dump.job");
        let whole = fs::read(&state).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&state, &damaged).unwrap();
            assert_eq!((found("a"), found("b")), (here.clone(), None), "byte {at}");
            fs::write(&state, &whole[..at]).unwrap();
            assert_eq!(found("b"), None, "{at} bytes");
        }
        fs::write(&state, &whole).unwrap();
        fs::remove_dir_all(dir.path().join("run")).unwrap();
        assert_eq!((found("a"), found("b")), (here, later));
    }

    /// Where nothing can be written to disk, that is told, and the next daemon of this boot finds
    /// it nevertheless.
    #[test]
    fn without_a_disk_it_lasts_for_the_boot() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("state"), "no directory").unwrap();
        let settings = settings();
        let kept = files(dir.path(), "a").keep(DUMP, change(HERE), &settings);
        assert!(kept.is_err());
        let found = |boot: &str| files(dir.path(), boot).found(DUMP, &settings);
        assert_eq!(found("a"), Some(remembered(DUMP, change(HERE))));
        assert_eq!(found("b"), None);
    }

    /// Where memory is full, what is on disk is newer than what lies there from before.
    #[test]
    fn an_older_copy_does_not_count_more() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings();
        let here = files(dir.path(), "a");
        here.keep(DUMP, change(HERE), &settings).unwrap();
        fs::create_dir(path(&here.runtime, "dump").with_extension("new")).unwrap();
        let newer = HERE.replace("latest=3.000", "latest=9.000");
        here.keep(DUMP, change(&newer), &settings).unwrap();
        let found = here.found(DUMP, &settings);
        assert_eq!(found, Some(remembered(DUMP, change(&newer))));
    }
}

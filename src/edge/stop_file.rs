//! How long services take to stop, kept for the daemons and the boots to come, in one file for all.
//!
//! ```text
//! fieldwarden-stops 1
//! db 00c0ffee00c0ffee 1.2,0.8,killed
//! crc=1a2b3c4d
//! ```
//!
//! The number is the fingerprint of how the service is run: what was learned of another program, or of
//! the same with other arguments, says nothing. What cannot be read is not known, and then the
//! deadlines count, which is the safe direction.
//!
//! Written at the first stop, once in ten minutes at most from then on, and when the daemon ends. What
//! is lost with a daemon that is killed is as good as never learned.

use super::marker_file::write_whole;
use crate::config::Fingerprint;
use crate::core::fact::{Change, Fact, RunId, ServiceId, StopTimes};
use crate::core::settings::Settings;
use crate::text;
use crate::units::Mono;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// First line, with the version of the form.
const MAGIC: &str = "fieldwarden-stops 1\n";

/// Before the checksum of everything that stands before it.
const CRC: &str = "crc=";

/// Longest file that is looked at, in bytes: there may be a thousand services.
const LENGTH_MAX: u64 = 256 * 1024;

/// Time between two writes. Shorter: a service that is restarted again and again wears out the card.
/// Longer: more is lost with a daemon that is killed.
const EVERY: Duration = Duration::from_secs(600);

/// The file, and what is known.
pub struct StopFile {
    path: PathBuf,
    /// Of each service, how it is run, and how long its stops took.
    known: Vec<(Fingerprint, StopTimes)>,
    /// Something is known that is not in the file.
    news: bool,
    written: Option<Mono>,
    /// It could not be written, and that was told.
    told: bool,
}

impl StopFile {
    /// That of a daemon with this state directory, and services that are run so. Nothing is opened yet.
    pub fn new(state_dir: &Path, run_as: impl Iterator<Item = Fingerprint>) -> StopFile {
        StopFile {
            path: state_dir.join("stops"),
            known: run_as.map(|how| (how, StopTimes::default())).collect(),
            news: false,
            written: None,
            told: false,
        }
    }

    /// What earlier daemons have left, as facts.
    pub fn found(&mut self, settings: &Settings) -> Vec<Fact> {
        let text = match read(&self.path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(e) => {
                let path = self.path.display();
                log::warn!("{path}: {e}; how long services take to stop is not known from it");
                return Vec::new();
            }
        };
        let Some(lines) = whole(&text) else {
            let path = self.path.display();
            log::warn!("{path}: damaged; how long services take to stop is not known from it");
            return Vec::new();
        };
        let mut facts = Vec::new();
        for (name, how, times) in lines.filter_map(entry) {
            let Some(service) = settings.service(name) else {
                continue;
            };
            let known = self.known.get_mut(usize::from(service.0));
            if let Some((_, known)) = known.filter(|(run_as, _)| *run_as == how) {
                *known = times;
                facts.push(Fact::Child {
                    service,
                    run: RunId(0),
                    change: Change::Stops(times),
                });
            }
        }
        facts
    }

    /// Takes in what was learned.
    pub fn learn(&mut self, service: ServiceId, times: StopTimes) {
        if let Some((_, known)) = self.known.get_mut(usize::from(service.0)) {
            self.news |= *known != times;
            *known = times;
        }
    }

    /// Writes what is new, if it is time for that, or `at_last`.
    pub fn write(&mut self, now: Mono, at_last: bool, settings: &Settings) {
        let recently = self.written.is_some_and(|at| now.since(at) < EVERY);
        if !self.news || recently && !at_last {
            return;
        }
        (self.written, self.news) = (Some(now), false);
        let text = self.text(settings);
        let outcome = write_whole(&self.path, text.as_bytes());
        self.news = outcome.is_err();
        match outcome {
            Ok(()) => self.told = false,
            Err(e) if !self.told => {
                self.told = true;
                let path = self.path.display();
                log::warn!("{path}: {e}; how long services take to stop is not known after this");
            }
            Err(_) => {}
        }
    }

    fn text(&self, settings: &Settings) -> String {
        let mut text = MAGIC.to_owned();
        let known = self.known.iter().zip(&settings.services);
        for ((how, times), service) in known.filter(|((_, times), _)| times.count() > 0) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{} {how} {}", service.name, text::stops(times));
        }
        let crc = crc32fast::hash(text.as_bytes());
        let _ = writeln!(text, "{CRC}{crc:08x}");
        text
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = File::open(path)?;
    file.take(LENGTH_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// The lines of a file that is whole and of our version.
pub(super) fn whole(text: &str) -> Option<impl Iterator<Item = &str>> {
    let at = text.rfind(CRC)?;
    let (body, crc) = text.split_at(at);
    let wanted = format!("{CRC}{:08x}\n", crc32fast::hash(body.as_bytes()));
    let lines = body.strip_prefix(MAGIC)?;
    (crc == wanted).then(|| lines.lines())
}

/// Name of a service, how it is run, and how long its stops took.
pub(super) fn entry(line: &str) -> Option<(&str, Fingerprint, StopTimes)> {
    let mut words = line.split(' ');
    let (name, how, times) = (words.next()?, words.next()?, words.next()?);
    let ends = words.next().is_none();
    let entry = (name, Fingerprint::read(how)?, text::stop_times(times)?);
    ends.then_some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::samples;

    fn settings() -> Settings {
        samples::settings(&["db", "web"], &[])
    }

    fn file(dir: &Path) -> StopFile {
        StopFile::new(dir, [7, 8].map(Fingerprint::any).into_iter())
    }

    fn times(text: &str) -> StopTimes {
        text::stop_times(text).unwrap()
    }

    fn found(dir: &Path) -> Vec<(u16, String)> {
        let facts = file(dir).found(&settings());
        let of = |fact| match fact {
            Fact::Child {
                service,
                change: Change::Stops(times),
                ..
            } => (service.0, text::stops(&times)),
            other => panic!("{other:?}"),
        };
        facts.into_iter().map(of).collect()
    }

    /// Whoever comes next knows it; of a file that is cut or damaged anywhere, nothing; and of a
    /// service that is run in another way, nothing.
    #[test]
    fn it_outlives_daemons_and_boots() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(found(dir.path()), []);
        let mut first = file(dir.path());
        first.learn(ServiceId(0), times("1.2,killed,0.4"));
        first.learn(ServiceId(1), times("0.1"));
        first.write(Mono(5_000), false, &settings());
        let both = [(0, "1.2,killed,0.4".to_owned()), (1, "0.1".to_owned())];
        assert_eq!(found(dir.path()), both);
        let other = [7, 9].map(Fingerprint::any).into_iter();
        let mut other = StopFile::new(dir.path(), other);
        assert_eq!(other.found(&settings()).len(), 1);
        let path = dir.path().join("stops");
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, &damaged).unwrap();
            assert_eq!(found(dir.path()), [], "byte {at}");
            std::fs::write(&path, &whole[..at]).unwrap();
            assert_eq!(found(dir.path()), [], "{at} bytes");
        }
    }

    /// At once, then by ten minutes, and at the end; nothing where nothing is new.
    #[test]
    fn it_is_written_seldom() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = file(dir.path());
        let mut writes = 0;
        let path = dir.path().join("stops");
        for minute in 0..60 {
            file.learn(ServiceId(0), times(&format!("{minute}.1")));
            file.write(Mono(minute * 60_000), false, &settings());
            writes += u32::from(std::fs::remove_file(&path).is_ok());
        }
        assert_eq!(writes, 6);
        file.write(Mono(3_600_000), true, &settings());
        assert_eq!(found(dir.path()), [(0, "59.1".to_owned())]);
        std::fs::remove_file(&path).unwrap();
        file.write(Mono(9_600_000), true, &settings());
        assert!(!path.exists());
    }

    /// A disk that takes nothing costs nothing but what it would have kept.
    #[test]
    fn without_a_disk() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = file(&dir.path().join("none"));
        file.learn(ServiceId(0), times("0.1"));
        file.write(Mono(0), false, &settings());
        assert_eq!(file.found(&settings()), []);
        // What could not be written is written when there is a disk again.
        std::fs::create_dir(dir.path().join("none")).unwrap();
        file.write(Mono(1), false, &settings());
        assert_eq!(file.found(&settings()), [], "too soon");
        file.write(Mono(2), true, &settings());
        assert_eq!(file.found(&settings()).len(), 1);
    }
}

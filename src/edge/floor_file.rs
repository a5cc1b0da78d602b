//! The time that is past for certain, kept for the boots to come: one line in a file of its own.
//!
//! ```text
//! fieldwarden-floor 1 2026-11-27T20:41:07Z crc=1a2b3c4d
//! ```
//!
//! What the clock showed while it was synced, or soon after, and nothing else: one wrong clock that is
//! written down here would make all right ones wrong. So the next boot without a network and without a
//! battery-backed clock that keeps time knows that it is in the past, by an hour or less, even if
//! nothing has happened for months that was worth a record.
//!
//! Written within the hour after the clock was synced first, once in an hour from then on, and when
//! the daemon ends: some thirty small writes a day at most on a machine whose daemon stays up.

use super::marker_file::write_whole;
use crate::core::fact::{Fact, Reading};
use crate::core::note::Trust;
use crate::units::{Mono, Wall};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Beginning of the line, with the version of its form.
const MAGIC: &str = "fieldwarden-floor 1 ";

/// Before the checksum of everything that stands before it.
const CRC: &str = " crc=";

/// Longest line that is looked at, in bytes: twice what it can be.
const LENGTH_MAX: u64 = 128;

/// Time between two writes. Shorter: a card is worn out for a lower bound. Longer: a clock that is
/// wrong by less passes for one that can be right.
const EVERY: Duration = Duration::from_secs(3600);

/// Time from the first synced reading to the first write of a daemon, and least gain for which its end
/// is worth one: a daemon that is restarted again and again must not write each time.
const SOON: Duration = Duration::from_secs(60);

/// The file, and what is known that is not in it yet.
pub struct FloorFile {
    path: PathBuf,
    /// The latest, and what it is in the file.
    latest: Option<Wall>,
    kept: Option<Wall>,
    due: Option<Mono>,
    /// It could not be written, and that was told.
    told: bool,
}

impl FloorFile {
    /// That of a daemon with this state directory. Nothing is opened yet.
    pub fn new(state_dir: &Path) -> FloorFile {
        FloorFile {
            path: state_dir.join("floor"),
            latest: None,
            kept: None,
            due: None,
            told: false,
        }
    }

    /// What an earlier daemon has left; `None` if that is nothing, or cannot be made out.
    pub fn found(&mut self) -> Option<Wall> {
        match read(&self.path) {
            Ok(found) => {
                if found.is_none() {
                    log::warn!(
                        "{}: damaged; what it told of the past is not known",
                        self.path.display()
                    );
                }
                self.kept = found;
                found
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => {
                log::warn!(
                    "{}: {e}; the past is not known from it",
                    self.path.display()
                );
                None
            }
        }
    }

    /// Takes in what a pass was told, and how far wall time can be trusted after it. May write.
    pub fn see(&mut self, now: Mono, fact: &Fact, trust: Trust) {
        let Fact::Seen(Reading::Clock {
            shown: Some(shown), ..
        }) = fact
        else {
            return;
        };
        if !matches!(trust, Trust::Synced | Trust::Holdover) {
            return;
        }
        self.latest = self.latest.max(Some(shown.time));
        let due = *self.due.get_or_insert(now.after(SOON));
        if now >= due {
            self.due = Some(now.after(EVERY));
            self.write();
        }
    }

    /// The daemon ends.
    pub fn close(&mut self) {
        let gain = |latest: Wall| self.kept.is_none_or(|kept| gained(latest, kept) >= SOON);
        if self.latest.is_some_and(gain) {
            self.write();
        }
    }

    /// Never lowers it.
    fn write(&mut self) {
        let Some(latest) = self.latest.filter(|latest| Some(*latest) > self.kept) else {
            return;
        };
        match write_whole(&self.path, line(latest).as_bytes()) {
            Ok(()) => (self.kept, self.told) = (Some(latest), false),
            Err(e) if !self.told => {
                self.told = true;
                log::warn!(
                    "{}: {e}; the next boot may take a time for right that is past",
                    self.path.display()
                );
            }
            Err(_) => {}
        }
    }
}

fn gained(latest: Wall, kept: Wall) -> Duration {
    latest.beyond(kept).unwrap_or(Duration::ZERO)
}

fn line(time: Wall) -> String {
    let line = format!("{MAGIC}{}", crate::text::wall(time));
    let crc = crc32fast::hash(line.as_bytes());
    format!("{line}{CRC}{crc:08x}\n")
}

/// `None` if it is damaged or of another version.
fn read(path: &Path) -> io::Result<Option<Wall>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LENGTH_MAX).read_to_end(&mut bytes)?;
    Ok(std::str::from_utf8(&bytes).ok().and_then(parse))
}

fn parse(text: &str) -> Option<Wall> {
    let (line, _) = text.split_once('\n')?;
    let (line, crc) = line.rsplit_once(CRC)?;
    if crc != format!("{:08x}", crc32fast::hash(line.as_bytes())) {
        return None;
    }
    let time: jiff::Timestamp = line.strip_prefix(MAGIC)?.parse().ok()?;
    Wall::new(time.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::Shown;
    use proptest::prelude::*;

    fn wall(seconds: i64) -> Wall {
        Wall::new(seconds).unwrap()
    }

    /// The clock shows a time, at so many seconds after the boot, and is trusted so far.
    fn see(file: &mut FloorFile, at: u64, seconds: i64, trust: Trust) {
        let shown = Some(Shown {
            time: wall(seconds),
            at: Mono(at * 1000),
        });
        let synced = trust == Trust::Synced;
        let fact = Fact::Seen(Reading::Clock { synced, shown });
        file.see(Mono(at * 1000), &fact, trust);
    }

    const NOW: i64 = 1_800_000_000;

    /// Only what a clock showed that is or was synced; within the minute, then by the hour, and at the
    /// end.
    #[test]
    fn kept_seldom_and_only_from_a_synced_clock() {
        let dir = tempfile::tempdir().unwrap();
        let fresh = || FloorFile::new(dir.path());
        let mut file = fresh();
        assert_eq!(file.found(), None);
        for trust in [Trust::Unset, Trust::Floor, Trust::Rtc] {
            see(&mut file, 10_000, NOW + 900_000, trust);
        }
        file.close();
        assert_eq!(fresh().found(), None);
        let mut writes = 0;
        let mut before = None;
        for at in (20_000..20_000 + 86_400).step_by(15) {
            let trust = if at % 30 == 0 {
                Trust::Synced
            } else {
                Trust::Holdover
            };
            see(&mut file, at, NOW + at.cast_signed(), trust);
            let found = fresh().found();
            writes += u32::from(found != before);
            before = found;
        }
        assert_eq!(writes, 24);
        file.close();
        assert_eq!(fresh().found(), Some(wall(NOW + 20_000 + 86_385)));
    }

    /// A daemon that is restarted every few seconds, and one that cannot know better, write nothing.
    #[test]
    fn never_lowered_and_not_at_every_end() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = FloorFile::new(dir.path());
        see(&mut first, 1, NOW, Trust::Synced);
        first.close();
        for (seconds, kept) in [(NOW + 30, NOW), (NOW - 50, NOW), (NOW + 60, NOW + 60)] {
            let mut next = FloorFile::new(dir.path());
            assert!(next.found().is_some());
            see(&mut next, 1, seconds, Trust::Synced);
            next.close();
            assert_eq!(FloorFile::new(dir.path()).found(), Some(wall(kept)));
        }
    }

    proptest! {
        /// What is damaged tells nothing: neither a bit that is turned, nor an end that is missing.
        #[test]
        fn damaged_ones_tell_nothing(seconds in 0..4_000_000_000_i64, at in 0..45_usize, bit in 0..8_u32) {
            let whole = line(wall(seconds));
            prop_assert_eq!(parse(&whole), Some(wall(seconds)));
            let cut = whole.get(..at.min(whole.len() - 1)).unwrap_or_default();
            prop_assert_eq!(parse(cut), None);
            let mut bytes = whole.clone().into_bytes();
            let at = at.min(bytes.len() - 2);
            bytes[at] ^= 1 << bit;
            let found = std::str::from_utf8(&bytes).ok().and_then(parse);
            prop_assert_eq!(found, None);
        }
    }
}

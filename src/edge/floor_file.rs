//! The time that is past for certain, kept for the boots to come: one line in a file of its own.
//!
//! ```text
//! fieldwarden-floor 1 2026-11-27T20:41:07Z crc=1a2b3c4d
//! ```
//!
//! What the clock showed while it was synced steadily, or after that, and nothing else: one wrong
//! clock that is written down here would make all right ones wrong, for all boots to come. So a time
//! source has to stay with what it says for a while, times that are far beyond the making of this
//! program are never taken, and a clock that is synced for long lowers what is written. The safe
//! direction is down: with a floor that is too low, a wrong clock may pass as ever without one; with
//! one that is too high, no right clock does. So the next boot without a network and without a
//! battery-backed clock that keeps time knows that it is in the past, by an hour or less, even if
//! nothing has happened for months that was worth a record.
//!
//! Written a minute after the clock was synced steadily first, once in an hour from then on, and when
//! the daemon ends: some thirty small writes a day at most on a machine whose daemon stays up.

use super::marker_file::write_whole;
use crate::core::fact::{Fact, Reading, Shown};
use crate::core::note::Trust;
use crate::core::trust::{HORIZON, SURE, step_between};
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

/// For how long a clock must have been synced without a step before it is believed. Time sources that
/// have set it wrong set it right again in seconds, mostly; longer, and short boots leave nothing.
const STEADY: Duration = Duration::from_secs(30);

/// Least difference that is worth lowering it. Time sources differ by less.
const LOWER: Duration = Duration::from_secs(60);

/// Time from the first steady reading to the first write of a daemon, and least gain for which its end
/// is worth one: a daemon that is restarted again and again must not write each time.
const SOON: Duration = Duration::from_secs(60);

/// The file, and what is known that is not in it yet.
pub struct FloorFile {
    path: PathBuf,
    /// When the program was made.
    made: Wall,
    /// What the clock showed last, trusted or not.
    shown: Option<Shown>,
    /// Synced without a step since then, and whether that is long enough.
    since: Option<Mono>,
    steady: bool,
    /// The newest that can be relied on, and what is in the file.
    latest: Option<Wall>,
    kept: Option<Wall>,
    /// There may be one in the file that could not be read.
    unread: bool,
    due: Option<Mono>,
    /// It could not be written, and that was told.
    told: bool,
}

impl FloorFile {
    /// That of a daemon with this state directory, of a program that was made then. Nothing is opened
    /// yet.
    pub fn new(state_dir: &Path, made: Wall) -> FloorFile {
        FloorFile {
            path: state_dir.join("floor"),
            made,
            shown: None,
            since: None,
            steady: false,
            latest: None,
            kept: None,
            unread: false,
            due: None,
            told: false,
        }
    }

    /// A time that may be past; nothing proves one that is far beyond the making of this program.
    pub fn can_be_past(&self, time: Wall) -> bool {
        time.beyond(self.made).is_none_or(|by| by <= HORIZON)
    }

    /// What an earlier daemon has left; `None` if that is nothing, or cannot be made out.
    pub fn found(&mut self) -> Option<Wall> {
        self.unread = false;
        self.kept = match read(&self.path) {
            Ok(Some(found)) if self.can_be_past(found) => Some(found),
            Ok(found) => {
                let what = found.map_or("damaged", |_| "too far ahead to be true");
                log::warn!(
                    "{}: {what}; what it told of the past is not known",
                    self.path.display()
                );
                None
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => {
                self.unread = true;
                log::warn!(
                    "{}: {e}; the past is not known from it",
                    self.path.display()
                );
                None
            }
        };
        self.kept
    }

    /// Takes in what a pass was told, and how far wall time can be trusted after it. May write.
    pub fn see(&mut self, now: Mono, fact: &Fact, trust: Trust) {
        let Fact::Seen(Reading::Clock {
            shown: Some(shown),
            synced,
        }) = fact
        else {
            return;
        };
        let before = self.shown.replace(*shown);
        let step = before.and_then(|before| step_between(before, *shown));
        if step.is_some_and(|by| by < 0) {
            self.latest = None;
        }
        self.watch(now, *synced, step.is_some());
        let trusted = matches!(trust, Trust::Synced | Trust::Holdover);
        if !self.steady || !trusted || !self.can_be_past(shown.time) {
            return;
        }
        self.latest = Some(shown.time);
        let sure = self.since.is_some_and(|since| now.since(since) >= SURE);
        if *synced && sure {
            self.lower(shown.time);
        }
        let due = *self.due.get_or_insert(now.after(SOON));
        if now >= due {
            self.due = Some(now.after(EVERY));
            self.write();
        }
    }

    /// Takes in whether the clock is synced without a step for long enough. One that runs free after
    /// that is still right, until somebody sets it.
    fn watch(&mut self, now: Mono, synced: bool, stepped: bool) {
        if stepped || !synced && !self.steady {
            (self.since, self.steady) = (None, false);
        }
        if synced {
            let since = *self.since.get_or_insert(now);
            self.steady |= now.since(since) >= STEADY;
        }
    }

    /// What is in the file has turned out to be to come yet.
    fn lower(&mut self, shown: Wall) {
        let Some(kept) = self.kept.filter(|kept| gained(*kept, shown) > LOWER) else {
            return;
        };
        log::warn!(
            "{}: it said that {} is past, and a clock that is synced for long shows {}: lowered",
            self.path.display(),
            crate::text::wall(kept),
            crate::text::wall(shown)
        );
        self.kept = None;
        self.write();
    }

    /// The daemon ends.
    pub fn close(&mut self) {
        let gain = |latest: Wall| self.kept.is_none_or(|kept| gained(latest, kept) >= SOON);
        if self.latest.is_some_and(gain) {
            self.write();
        }
    }

    /// Lowers nothing that is known to be kept, and nothing that cannot be read.
    fn write(&mut self) {
        if self.unread {
            self.found();
        }
        if self.unread {
            return;
        }
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
        let fresh = || FloorFile::new(dir.path(), wall(NOW));
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
            let trust = if at % 2 == 0 || at <= 20_030 {
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
        let mut first = FloorFile::new(dir.path(), wall(NOW - 900));
        see(&mut first, 1, NOW - 30, Trust::Synced);
        see(&mut first, 31, NOW, Trust::Synced);
        first.close();
        for (seconds, kept) in [(NOW + 30, NOW), (NOW - 50, NOW), (NOW + 60, NOW + 60)] {
            let mut next = FloorFile::new(dir.path(), wall(NOW - 900));
            assert!(next.found().is_some());
            see(&mut next, 1, seconds - 30, Trust::Synced);
            see(&mut next, 31, seconds, Trust::Synced);
            next.close();
            assert_eq!(
                FloorFile::new(dir.path(), wall(NOW - 900)).found(),
                Some(wall(kept))
            );
        }
    }

    const YEAR: i64 = 365 * 86_400;

    /// A time source that was wrong for a moment, or is far beyond anything, leaves nothing; a clock
    /// that ran free before it was steady neither.
    #[test]
    fn one_wrong_answer_is_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = FloorFile::new(dir.path(), wall(NOW));
        for at in [0, 10, 20] {
            see(&mut file, at, NOW + 5 * YEAR, Trust::Synced);
        }
        for at in 21..400 {
            see(&mut file, at, NOW + 5 * YEAR, Trust::Holdover);
        }
        for at in 400..429 {
            see(&mut file, at, NOW + at.cast_signed(), Trust::Synced);
        }
        file.close();
        assert_eq!(file.found(), None);
        for at in 500..600 {
            see(
                &mut file,
                at,
                NOW + 19 * YEAR + at.cast_signed(),
                Trust::Synced,
            );
        }
        // It was right for long enough, but for what came before the step.
        see(&mut file, 600, NOW + 600, Trust::Synced);
        assert_eq!(file.latest, None);
        let far = NOW + 20 * YEAR;
        let mut file = FloorFile::new(&dir.path().join("."), wall(NOW));
        for at in 700..1_400 {
            see(&mut file, at, far + at.cast_signed(), Trust::Synced);
        }
        file.close();
        let kept = file.found();
        assert!(kept.is_none_or(|kept| kept < wall(far)), "{kept:?}");
        // One that an earlier program has kept is not believed either.
        std::fs::write(dir.path().join("floor"), line(wall(far + 1))).unwrap();
        assert_eq!(file.found(), None);
    }

    /// A clock that is synced for long, and that the core trusts, lowers it by itself and at once.
    #[test]
    fn a_clock_that_is_synced_for_long_lowers_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("floor"), line(wall(NOW + YEAR))).unwrap();
        let mut file = FloorFile::new(dir.path(), wall(NOW));
        assert_eq!(file.found(), Some(wall(NOW + YEAR)));
        for at in (0..600).step_by(10) {
            see(&mut file, at, NOW + at.cast_signed(), Trust::Synced);
        }
        let on_disk = || FloorFile::new(dir.path(), wall(NOW)).found();
        assert_eq!(on_disk(), Some(wall(NOW + YEAR)));
        see(&mut file, 600, NOW + 600, Trust::Synced);
        assert_eq!(on_disk(), Some(wall(NOW + 600)));
    }

    /// What cannot be read is not written over.
    #[test]
    fn what_cannot_be_read_is_not_lowered() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("floor");
        // A file below a file: no error that says that there is nothing.
        std::fs::write(&path, line(wall(NOW + YEAR))).unwrap();
        let mut file = FloorFile::new(dir.path(), wall(NOW));
        let whole = std::mem::replace(&mut file.path, path.join("floor"));
        assert_eq!(file.found(), None);
        assert!(file.unread);
        file.path = whole;
        for at in [0, 40, 80, 120] {
            see(&mut file, at, NOW + at.cast_signed(), Trust::Synced);
        }
        file.close();
        assert_eq!(
            FloorFile::new(dir.path(), wall(NOW)).found(),
            Some(wall(NOW + YEAR))
        );
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

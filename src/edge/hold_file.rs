//! The hold that is in force, for the next daemon of this boot: one line in a file of its own.
//!
//! ```text
//! fieldwarden-hold 1 boot=UUID 0.000 seen hold user=1000 since=12.000 until=... crc=1a2b3c4d
//! ```
//!
//! It lies in memory, is written whole or not at all, and counts for the boot in which it was
//! written. Whatever cannot be made out is no hold: the machine is guarded as usual then.

use super::marker_file::{fault, write_whole};
use super::places::Places;
use crate::core::fact::{Fact, Fault, Hold, Reading, Source};
use crate::core::settings::Settings;
use crate::text;
use crate::trace::parse_fact;
use crate::units::Mono;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;

/// Beginning of the line, with the version of its form.
const MAGIC: &str = "fieldwarden-hold 1 boot=";

/// Before the checksum of everything that stands before it.
const CRC: &str = " crc=";

/// Longest line that is looked at, in bytes: a reason in which every character is escaped, and as
/// much again.
const LENGTH_MAX: u64 = 20 * Hold::REASON_MAX as u64;

/// Where the hold is kept.
#[derive(Clone, Debug)]
pub struct HoldFile {
    path: PathBuf,
    boot: Box<str>,
}

impl HoldFile {
    /// That of a daemon with this runtime directory, in this boot.
    pub fn new(places: &Places, boot: &str) -> HoldFile {
        HoldFile {
            path: places.hold(),
            boot: boot.into(),
        }
    }

    /// What a daemon of this boot has left, as a fact; `None` if that is nothing.
    pub fn found(&self, settings: &Settings) -> Option<Fact> {
        let lost = |why| Fact::Lost {
            source: Source::Hold,
            why,
        };
        match self.read() {
            Ok(text) => match parse(&text, settings) {
                Some((boot, hold)) if boot == &*self.boot => Some(Fact::Seen(Reading::Hold(hold))),
                // The boot has ended it.
                Some(_) => None,
                None => Some(lost(Fault::Implausible)),
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) if e.kind() == io::ErrorKind::InvalidData => Some(lost(Fault::Implausible)),
            Err(e) => Some(lost(fault(&e))),
        }
    }

    /// Keeps a hold, or that there is none. One that cannot be kept leaves none behind: what was kept
    /// before it would be taken up in its place.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn keep(&self, hold: Option<&Hold>, settings: &Settings) -> Result<(), Fault> {
        let done = match hold {
            Some(hold) => {
                let text = line(&self.boot, hold, settings);
                let written = write_whole(&self.path, text.as_bytes());
                written.or_else(|e| self.remove().and(Err(e)))
            }
            None => self.remove(),
        };
        done.map_err(|e| fault(&e))
    }

    fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    fn read(&self) -> io::Result<String> {
        let mut text = String::new();
        let file = File::open(&self.path)?;
        file.take(LENGTH_MAX).read_to_string(&mut text)?;
        Ok(text)
    }
}

fn line(boot: &str, hold: &Hold, settings: &Settings) -> String {
    let fact = text::fact(&Fact::Seen(Reading::Hold(hold.clone())), settings);
    let line = format!("{MAGIC}{boot} {} {fact}", Mono(0));
    let crc = crc32fast::hash(line.as_bytes());
    format!("{line}{CRC}{crc:08x}\n")
}

/// The boot in which it was written, and the hold; `None` unless it is whole and of our version.
pub(super) fn parse<'t>(text: &'t str, settings: &Settings) -> Option<(&'t str, Hold)> {
    let (line, crc) = text.strip_suffix('\n')?.rsplit_once(CRC)?;
    if crc != format!("{:08x}", crc32fast::hash(line.as_bytes())) {
        return None;
    }
    let (boot, line) = line.strip_prefix(MAGIC)?.split_once(' ')?;
    match parse_fact(line, settings) {
        Ok((_, Fact::Seen(Reading::Hold(hold)))) => Some((boot, hold)),
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::Asker;
    use std::path::Path;

    fn file(dir: &Path, boot: &str) -> HoldFile {
        HoldFile::new(&Places::new(dir), boot)
    }

    fn hold(reason: &str) -> Hold {
        Hold {
            by: Asker::User(1000),
            since: Mono(12_000),
            until: Mono(1_812_000),
            reason: reason.into(),
        }
    }

    /// Whoever comes next in this boot finds it as it was, a later boot finds nothing; and when it
    /// has ended, so does this one.
    #[test]
    fn it_outlives_daemons_and_no_boot() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings::nothing();
        let (here, later) = (file(dir.path(), "a"), file(dir.path(), "b"));
        assert_eq!(here.found(&settings), None);
        let longest: String = "\u{3042}\"".repeat(Hold::REASON_MAX / 2);
        for reason in ["the wiring of \"A\"", &longest] {
            let hold = hold(reason);
            here.keep(Some(&hold), &settings).unwrap();
            let found = Some(Fact::Seen(Reading::Hold(hold)));
            assert_eq!(
                (here.found(&settings), later.found(&settings)),
                (found, None)
            );
        }
        here.keep(None, &settings).unwrap();
        here.keep(None, &settings).unwrap();
        assert_eq!(here.found(&settings), None);
    }

    /// A hold that cannot be kept does not leave the one before it to the next daemon.
    #[test]
    fn what_cannot_be_kept_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings::nothing();
        let here = file(dir.path(), "a");
        here.keep(Some(&hold("long")), &settings).unwrap();
        // There is no room for another file.
        fs::create_dir(here.path.with_extension("new")).unwrap();
        let kept = here.keep(Some(&hold("short")), &settings);
        assert!(matches!(kept, Err(Fault::Errno(_))), "{kept:?}");
        assert_eq!(here.found(&settings), None);
    }

    /// Damaged at any byte, cut short anywhere, or no file at all: told as lost, and never a hold
    /// that nobody asked for.
    #[test]
    fn what_is_damaged_is_no_hold() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings::nothing();
        let here = file(dir.path(), "a");
        here.keep(Some(&hold("x")), &settings).unwrap();
        let whole = fs::read(&here.path).unwrap();
        let lost = Some(Fact::Lost {
            source: Source::Hold,
            why: Fault::Implausible,
        });
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 7);
            for bytes in [&flipped[..], &whole[..at]] {
                fs::write(&here.path, bytes).unwrap();
                assert_eq!(here.found(&settings), lost, "byte {at}");
            }
        }
        fs::remove_file(&here.path).unwrap();
        fs::create_dir(&here.path).unwrap();
        let found = here.found(&settings);
        assert!(matches!(found, Some(Fact::Lost { .. })), "{found:?}");
        assert!(here.keep(Some(&hold("x")), &settings).is_err());
    }
}

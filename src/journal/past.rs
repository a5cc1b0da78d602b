//! What an old journal proves.

use super::Trust;
use super::record::Line;
use super::scan::{segment_name, segments};
use super::store::{Directory, Store};
use jiff::Timestamp;
use std::path::Path;

/// The time of the newest record that was written while the clock was synced: it is past for
/// certain. `None` if there is none, or none can be read.
///
/// Records of other times prove nothing: one wrong clock would make all right ones wrong.
pub fn newest_synced(dir: &Path) -> Option<Timestamp> {
    let mut store = Directory::new(dir);
    let numbers = segments(&store.names().ok()?);
    numbers.into_iter().rev().find_map(|number| {
        let bytes = store.read(&segment_name(number)).ok()?;
        let lines = bytes.rsplit(|b| *b == b'\n');
        lines.map(Line::read).find_map(|line| match line {
            Line::Whole(record) if record.trust == Trust::Synced => record.wall,
            Line::Whole(_) | Line::Newer(_) | Line::Damaged => None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::note::Note;
    use crate::core::settings::Settings;
    use crate::journal::{Journal, Stamp};
    use crate::units::Mono;

    /// The newest record of a synced clock counts, wherever it is, and no other.
    #[test]
    fn only_a_synced_clock_proves_anything() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(newest_synced(&dir.path().join("missing")), None);
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let write = |records: &[(i64, Trust)]| {
            let mut journal = Journal::open(dir.path(), "boot");
            for (seconds, trust) in records {
                let stamp = Stamp {
                    mono: Mono(1),
                    wall: Some(at(*seconds)),
                    trust: *trust,
                };
                // A warning is on disk when this returns.
                journal.append(stamp, &Note::MainsLost, &Settings::nothing());
            }
        };
        write(&[(4_000, Trust::Floor), (9_000, Trust::Rtc)]);
        assert_eq!(newest_synced(dir.path()), None);
        write(&[(1_000, Trust::Synced), (2_000, Trust::Synced)]);
        write(&[(8_000, Trust::Holdover), (7_000, Trust::Unset)]);
        assert_eq!(newest_synced(dir.path()), Some(at(2_000)));
        // A segment that is cut short does not hide the one before it.
        std::fs::write(dir.path().join("0000000099.journal"), "00000000 {").unwrap();
        assert_eq!(newest_synced(dir.path()), Some(at(2_000)));
    }
}

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

//! Events that the journal itself adds, besides those of the notes. All of them are warnings.

use super::record::{Record, Stamp};

/// Records of the last day that were not written, because the bound per day was reached.
pub const SUPPRESSED: &str = "journal-suppressed";
/// Records that were in memory only and had to make room while the disk took none.
pub const LOST: &str = "journal-lost";
/// A damaged tail was cut off when the journal was opened.
pub const TORN: &str = "journal-torn";

/// All of them.
pub const ALL: [&str; 3] = [SUPPRESSED, LOST, TORN];

pub(super) fn suppressed(records: u64, boot: &str, seq: u64, stamp: Stamp) -> Record {
    let text = "were not written: the journal's bound per day was reached";
    of(
        SUPPRESSED,
        ("records", records),
        text,
        Record::blank(boot, seq, stamp),
    )
}

pub(super) fn lost(records: u64, boot: &str, seq: u64, stamp: Stamp) -> Record {
    let text = "were lost while the disk took none";
    of(
        LOST,
        ("records", records),
        text,
        Record::blank(boot, seq, stamp),
    )
}

pub(super) fn torn(bytes: u64, boot: &str, seq: u64, stamp: Stamp) -> Record {
    let text = "at the end of the journal were damaged and cut off, as a power cut leaves them";
    of(
        TORN,
        ("bytes", bytes),
        text,
        Record::blank(boot, seq, stamp),
    )
}

fn of(event: &str, (unit, count): (&str, u64), text: &str, blank: Record) -> Record {
    Record {
        event: event.to_owned(),
        text: format!("{count} {unit} {text}"),
        data: [(unit.to_owned(), count.into())].into_iter().collect(),
        ..blank
    }
}

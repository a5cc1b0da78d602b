//! The durable event journal: what an operator can still read after a power cut.
//!
//! A directory of append-only *segments* `NNNNNNNNNN.journal`, named by the sequence number of
//! their first record. A record is one line, `crc32hex SP json LF`, so that `tail` shows it in the
//! field and a torn or damaged one is recognised. The form is laid down in `docs/formats.md`.
//!
//! Terms: a record is *urgent* when it is written and synced before [`Journal::append`] returns
//! (see [`urgent`]); others wait in memory for a *batch*. The journal is *degraded* while the disk
//! does not take its records: they are kept in memory, the newest [`KEPT`] of them, until it does
//! again. A *tail* is what stands behind the last whole record of a segment; it is cut off when the
//! journal is opened, because a power cut leaves such things.
//!
//! Promise: a record that was synced is lost only with its segment, by rotation or by damage to its
//! own line. A card that lies about its cache can still lose what it reported as written.
//!
//! Never: fail its caller; rewrite a record in place; write without a bound per day; read a clock.

mod budget;
mod files;
mod news;
pub mod own;
mod past;
mod queue;
mod reader;
mod record;
mod scan;
mod store;
mod writer;

#[cfg(test)]
mod tests;

pub use crate::core::note::Trust;
pub use budget::{DAILY_INFO, DAILY_URGENT, DAY};
pub use news::News;
pub use past::newest_synced;
pub use reader::{Damage, Reader};
pub use record::{FORMAT, Record, Stamp};
pub use store::{Directory, Store};
pub use writer::{BATCH, DELAY, Journal, KEPT, RETRY, SEGMENT, SEGMENTS, Sizes};

use crate::core::note::{Note, Severity};

/// Whether a record of this note is written and synced at once.
///
/// Besides everything that is not good news: the marks from which the end of a boot is judged
/// later, which are worthless if they are still in memory when the power goes.
pub fn urgent(note: &Note) -> bool {
    note.severity() >= Severity::Warning
        || matches!(
            note,
            Note::Began { .. }
                | Note::Ending { .. }
                | Note::Ended
                | Note::WatchdogArmed { .. }
                | Note::WatchdogHadReset
                | Note::PetWithheld { .. }
                | Note::ThreadLate { .. }
        )
}

//! How much may be written per day, for the sake of the card.

use crate::units::Mono;
use std::time::Duration;

/// The span for which the bounds hold, counted from the first record of this daemon.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Bytes per [`DAY`] that records without urgency may bring the total to. At 250 bytes each these
/// are 4000 events: more is a fault that repeats itself, and would only wear the card.
pub const DAILY_INFO: u64 = 1024 * 1024;

/// Bytes per [`DAY`] that urgent records may bring the total to: four times as much, so that bad
/// news still gets through when good news has used up its share.
pub const DAILY_URGENT: u64 = 4 * DAILY_INFO;

/// What was written in the present day, and what was not.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    /// Share of records without urgency; urgent ones have four times as much.
    info: u64,
    since: Option<Mono>,
    used: u64,
    suppressed: u64,
}

impl Budget {
    pub fn new(info: u64) -> Budget {
        Budget {
            info,
            since: None,
            used: 0,
            suppressed: 0,
        }
    }

    /// Begins a new day if the present one is over; gives the number of records that were
    /// suppressed in it, if any.
    pub fn turn(&mut self, now: Mono) -> Option<u64> {
        let since = *self.since.get_or_insert(now);
        if now.since(since) < DAY {
            return None;
        }
        self.since = Some(now);
        self.used = 0;
        self.take_suppressed()
    }

    /// The number of records suppressed since it was last asked for, if any.
    pub fn take_suppressed(&mut self) -> Option<u64> {
        let suppressed = std::mem::take(&mut self.suppressed);
        (suppressed > 0).then_some(suppressed)
    }

    /// Whether a record of this length may be written; it counts either way.
    pub fn admit(&mut self, length: u64, urgent: bool) -> bool {
        let share = if urgent { 4 * self.info } else { self.info };
        if self.used + length > share {
            self.suppressed += 1;
            return false;
        }
        self.used += length;
        true
    }

    /// Counts a record that is written whatever the bound.
    pub fn charge(&mut self, length: u64) {
        self.used += length;
    }
}

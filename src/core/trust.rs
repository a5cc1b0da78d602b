//! Words for how far a clock can be trusted, and for what speaks against it.

pub(crate) use super::clock::{HORIZON, SURE, step_between};
use std::time::Duration;

/// How far wall time can be trusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Trust {
    /// Not at all: nobody ever set the clock, or what it shows cannot be true.
    #[default]
    Unset,
    /// Not earlier than something known, such as the date of the program; nothing confirms it.
    Floor,
    /// A battery-backed clock shows the same.
    Rtc,
    /// Disciplined by a time source.
    Synced,
    /// Was synced, and runs free since.
    Holdover,
}

/// Why a time cannot be true.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doubt {
    /// It is before the floor.
    Early {
        /// By how much.
        by: Duration,
    },
    /// It is too far beyond the floor.
    Future {
        /// How far beyond the floor it is.
        by: Duration,
    },
}

/// What speaks against the battery-backed clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RtcDoubt {
    /// Its oscillator had stopped: its battery is empty, or it was never set.
    Stopped,
    /// It says itself that its time is not valid.
    Invalid,
    /// It shows the same time again and again.
    Frozen,
    /// Its time cannot be true.
    Untrue(Doubt),
    /// It is ahead of the synced clock.
    Ahead {
        /// By how much.
        by: Duration,
    },
    /// It is behind the synced clock.
    Behind {
        /// By how much.
        by: Duration,
    },
}

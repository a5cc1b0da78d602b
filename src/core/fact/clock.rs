//! What clocks show.

use crate::units::{MilliCelsius, Mono, Wall};

/// What a clock showed, and when that was.
///
/// The time of the reading belongs to it: news may be late, and then a clock would seem to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shown {
    /// What it showed.
    pub time: Wall,
    /// When it was read.
    pub at: Mono,
}

/// What the battery-backed clock said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RtcSeen {
    /// What it showed; `None` if it, or its driver, says that its time is not valid.
    pub shown: Option<Shown>,
    /// Its oscillator had stopped, so that its time is wrong however right it looks. `None` where
    /// nobody can tell: that a driver does not complain proves nothing.
    pub oscillator_stopped: Option<bool>,
    /// The temperature of its chip, where it measures one.
    pub temperature: Option<MilliCelsius>,
}

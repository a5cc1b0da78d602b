//! Notes about the end of the machine: a halt that is under way, the marker, and how the boot before
//! ended.

use super::{DrillRefused, Severity};
use crate::core::fact::{Fault, HaltKind};
use crate::core::intent::{FoundMarker, in_time};
use crate::core::past::{Confidence, End};
use crate::core::picture::{HaltCause, Rung};
use std::time::Duration;

/// Something about the end of the machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HaltNote {
    /// The machine is being halted: services are stopped.
    Halting {
        /// How that ends.
        kind: HaltKind,
        /// Why.
        cause: HaltCause,
        /// The time that services are given.
        budget: Duration,
    },
    /// A halt that a daemon before this one began is taken up.
    HaltTakenUp {
        /// How it was to end.
        kind: HaltKind,
        /// Why.
        cause: HaltCause,
        /// That daemon ran in this boot; otherwise a reset may have interrupted it.
        same_boot: bool,
    },
    /// Mains are back in time: the halt is taken back.
    HaltCancelled {
        /// Why the machine was being halted.
        cause: HaltCause,
    },
    /// Mains are back too late: the machine is started again instead of being off.
    HaltTurned {
        /// Why the machine was being halted.
        cause: HaltCause,
    },
    /// Mains are back, or the machine was reset, but the board has not taken it that it is to keep the
    /// power on. Where a halt is under way, the machine is turned off in order.
    CutStays {
        /// Why, unless it did not answer in time.
        why: Option<Fault>,
    },
    /// A halt of an earlier boot is not finished: that was tried often enough.
    HaltGivenUp {
        /// Boots in a row that tried.
        attempts: u8,
    },
    /// Halts were in vain too often: mains that are said to be gone do not end the ride-through any
    /// more, only the battery's level does.
    MainsDoubted {
        /// Halts since mains were seen last.
        halts: u8,
    },
    /// The battery sinks though mains are said to be there; halts because of that were in vain too
    /// often.
    SinkDoubted {
        /// Halts since the battery was seen to fill.
        halts: u8,
    },
    /// A rung of a halt was not climbed in time, or not at all; the next one follows.
    RungMissed {
        /// Which.
        rung: Rung,
        /// Why, unless its time was over.
        why: Option<Fault>,
    },
    /// Init is asked to halt the machine. Nothing can be taken back any more.
    InitAsked {
        /// How that ends.
        kind: HaltKind,
    },
    /// Init does not do it: the kernel is told to halt the machine.
    HaltForced {
        /// How that ends.
        kind: HaltKind,
    },
    /// The kernel does not do it either: no pets any more.
    HaltLeftToWatchdog,
    /// The watchdog was given the time that init has to unmount everything.
    WatchdogStretched {
        /// The timeout that is in force.
        timeout: Duration,
    },
    /// How the boot before this one ended.
    LastBoot {
        /// How.
        end: End,
        /// How sure that is.
        confidence: Confidence,
        /// What was found of it.
        left: Option<Box<FoundMarker>>,
    },
    /// The watchdog is not tried out.
    DrillRefused {
        /// Why.
        why: DrillRefused,
    },
    /// No pets any more, for a drill: the watchdog is to bite.
    DrillBites {
        /// Within this time.
        within: Duration,
    },
    /// It did not bite.
    DrillFailed {
        /// For so long there was no pet.
        waited: Duration,
    },
    /// The marker cannot be written.
    MarkerFailed {
        /// Why.
        why: Fault,
    },
}

impl HaltNote {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            HaltNote::HaltCancelled { .. } | HaltNote::WatchdogStretched { .. } => Severity::Info,
            HaltNote::LastBoot { end, .. } => match end {
                End::FirstBoot | End::AskedToEnd | End::Halted { .. } | End::PlannedCut { .. } => {
                    Severity::Info
                }
                End::Drill { took, timeout, .. } => match in_time(*took, *timeout) {
                    true => Severity::Info,
                    false => Severity::Warning,
                },
                End::InHalt { .. }
                | End::CutOnBattery
                | End::BatteryEmpty
                | End::BrownOut
                | End::MainsCut
                | End::Panic
                | End::CutOrHang
                | End::Withheld { .. }
                | End::Hang
                | End::Unknown => Severity::Warning,
            },
            HaltNote::Halting { .. }
            | HaltNote::HaltTakenUp { .. }
            | HaltNote::HaltTurned { .. }
            | HaltNote::HaltGivenUp { .. }
            | HaltNote::InitAsked { .. }
            | HaltNote::DrillRefused { .. }
            | HaltNote::DrillBites { .. }
            | HaltNote::MarkerFailed { .. } => Severity::Warning,
            HaltNote::MainsDoubted { .. }
            | HaltNote::SinkDoubted { .. }
            | HaltNote::RungMissed { .. }
            | HaltNote::CutStays { .. }
            | HaltNote::DrillFailed { .. }
            | HaltNote::HaltForced { .. }
            | HaltNote::HaltLeftToWatchdog => Severity::Error,
        }
    }
}

impl From<HaltNote> for super::Note {
    fn from(note: HaltNote) -> super::Note {
        super::Note::Halt(note)
    }
}

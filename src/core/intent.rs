//! What the daemon means to do, as far as a successor has to know it: the content of the marker.
//!
//! Terms: the *marker* is a small file that is written ahead of what it tells; the *intent* in it
//! says what was to come, and the *sign of life* when it was written.

use super::fact::{HaltKind, Thread};
use super::past::LastBoot;
use super::picture::{HaltCause, Shed};
use super::reboots::Reboots;
use super::traces::{Sample, Traces};
use crate::units::{Mono, Permille, Wall};
use std::time::Duration;

/// What is to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Intent {
    /// The daemon goes on.
    #[default]
    Run,
    /// It was asked to stop the services and to end.
    Exit,
    /// It was asked to end and to leave the services running.
    Leave,
    /// No pets are given out, because this thread is stuck: the hardware resets the machine.
    Withhold {
        /// The thread.
        thread: Thread,
    },
    /// The machine is halted.
    Halt {
        /// How that ends.
        kind: HaltKind,
        /// Why.
        cause: HaltCause,
        /// How far it has come.
        phase: HaltPhase,
    },
}

/// How far a halt has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HaltPhase {
    /// It can be taken back.
    Begun,
    /// Init is asked, or will be at once: it cannot be taken back.
    Committed,
}

/// Whether a board cuts the power that was told so ahead of the halt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CutTold {
    /// It does not: it was not told, or has refused or forgotten it.
    #[default]
    No,
    /// It was told, or is about to be, or is to forget it, and nobody knows what it made of that.
    Maybe,
    /// It took it.
    Taken {
        /// When it was told, at the earliest, in this boot.
        since: Mono,
    },
}

/// What the marker tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Marker {
    /// What is to come.
    pub intent: Intent,
    /// Whether mains were there, as it was believed.
    pub mains: Option<bool>,
    /// Boots in a row that set out to finish this halt. 0 to 255.
    pub attempts: u8,
    /// Halts for want of mains, over all boots since mains were seen last; with the one that is under
    /// way. 0 to 255.
    pub in_vain: u8,
    /// Halts because the battery sank though mains were said to be there, since it was seen to
    /// fill, over all boots; with the one that is under way. 0 to 255.
    pub sunk: u8,
    /// Restarts of the machine on purpose, and resets that nobody meant, over all boots; with the one
    /// that is under way.
    pub reboots: Reboots,
    /// The outage that goes on, for whoever follows in this boot; `None` while there is none.
    pub outage: Option<Outage>,
    /// Whether the board cuts the power soon, where it is told so ahead of the halt.
    pub cut: CutTold,
    /// How the boot before this one ended, for whoever follows in this boot; `None`: it was not told.
    pub before: Option<LastBoot>,
    /// What was last seen of power.
    pub sample: Sample,
    /// The clock could be trusted when this was written.
    pub dated: bool,
    /// No pets are given out, for a drill of the watchdog.
    pub let_go: Option<LetGo>,
    /// What the latest drill of the watchdog has proven, over all boots.
    pub proof: Option<Proof>,
}

/// The watchdog is to bite, for a drill.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LetGo {
    /// When the last pet was given out, in the time of this boot.
    pub since: Mono,
    /// The timeout that is in force.
    pub timeout: Duration,
}

/// The watchdog has bitten in a drill.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Proof {
    /// From the last pet to the last sign of life: it bit then, or up to a second later.
    pub took: Duration,
    /// The timeout that was in force.
    pub timeout: Duration,
    /// When that was, if the clock could be trusted.
    pub at: Option<Wall>,
}

impl Proof {
    /// It bit when it should have.
    pub fn in_time(&self) -> bool {
        in_time(self.took, self.timeout)
    }
}

/// Signs of life come a second apart in a drill, and a card takes its time. More: a kernel that pets by
/// itself is taken for a watchdog. Less: a slow card is taken for that.
const GRAIN: Duration = Duration::from_secs(2);

/// A bite was when it should have been.
pub fn in_time(took: Duration, timeout: Duration) -> bool {
    took <= timeout + GRAIN
}

/// An outage, as far as a successor in the same boot has to know it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outage {
    /// When mains were first seen gone.
    pub since: Mono,
    /// More than the sign of a current said so.
    pub confirmed: bool,
    /// Which services were stopped to save power.
    pub shed: Shed,
    /// What the battery held when it began; `None` where that was not known.
    pub charge: Option<Permille>,
    /// From when on the level of the battery was not known; `None` while it was.
    pub dark: Option<Mono>,
}

/// A marker that was found at the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FoundMarker {
    /// What it tells.
    pub marker: Marker,
    /// It was written in this boot, by a daemon that is gone.
    pub same_boot: bool,
    /// The driver of the watchdog says that it ended the boot before; `None` where it cannot tell,
    /// which is so on a Pi.
    pub reset: Option<bool>,
    /// The file system that keeps the marker over boots is of a kind that does so.
    pub lasts: bool,
    /// What else was found of the boot before.
    pub traces: Traces,
}

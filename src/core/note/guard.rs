//! What there is to tell of clocks, disks, memory and network that the guards look after.

use super::Severity;
use crate::core::fact::{CanaryId, CapId, Fault, MountId, Wear};
use crate::core::picture::{Shed, Verdict};
use crate::units::Permille;
use std::time::Duration;

/// Something that a guard found, or did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GuardNote {
    /// Nothing speaks against the battery-backed clock any more.
    RtcRight,
    /// The battery-backed clock was set to what the synced clock shows.
    RtcSet,
    /// It could not be set.
    RtcNotSet {
        /// Why.
        why: Fault,
    },
    /// There is a way out of the machine again.
    NetworkUp,
    /// There is no way out of the machine.
    NetworkDown,
    /// A file system that was writable is not any more.
    MountReadOnly {
        /// Which.
        mount: MountId,
    },
    /// It is writable again.
    MountWritable {
        /// Which.
        mount: MountId,
    },
    /// A canary could not be written, synced or read back; [`Fault::Implausible`]: what came back is
    /// not what was written.
    CanaryFailed {
        /// Which.
        canary: CanaryId,
        /// Why.
        why: Fault,
    },
    /// One took longer than a card that is well.
    CanarySlow {
        /// Which.
        canary: CanaryId,
        /// How long.
        took: Duration,
    },
    /// One is as it should be again.
    CanaryWell {
        /// Which.
        canary: CanaryId,
    },
    /// Files were deleted to keep a cap.
    CapTrimmed {
        /// Which.
        cap: CapId,
        /// How many.
        files: u32,
        /// Their sizes together.
        bytes: u64,
    },
    /// What may be deleted was, and the rest is still above the cap.
    CapOver {
        /// Which.
        cap: CapId,
    },
    /// A cap cannot be looked after.
    CapFailed {
        /// Which.
        cap: CapId,
        /// Why.
        why: Fault,
    },
    /// A medium says that it is worn.
    MediumWorn {
        /// The verdict now.
        verdict: Verdict,
        /// The file system on it.
        mount: MountId,
        /// What it says.
        wear: Wear,
    },
    /// The pressure on memory entered a worse or better range.
    MemoryPressure {
        /// The verdict now.
        verdict: Verdict,
        /// The reading.
        full: Permille,
    },
    /// The machine works for its swap.
    Thrashing {
        /// Some of it lies on a disk or card.
        on_disk: bool,
    },
    /// It does not any more.
    ThrashingOver,
    /// Services are stopped for want of memory, or may run again.
    MemoryShedding {
        /// Which are stopped now.
        shed: Shed,
    },
}

impl GuardNote {
    pub(super) fn severity(&self) -> Severity {
        match self {
            GuardNote::RtcRight
            | GuardNote::RtcSet
            | GuardNote::NetworkUp
            | GuardNote::NetworkDown
            | GuardNote::MountWritable { .. }
            | GuardNote::CanaryWell { .. }
            | GuardNote::CapTrimmed { .. }
            | GuardNote::ThrashingOver => Severity::Info,
            GuardNote::RtcNotSet { .. }
            | GuardNote::CanarySlow { .. }
            | GuardNote::CapOver { .. }
            | GuardNote::CapFailed { .. }
            | GuardNote::Thrashing { .. } => Severity::Warning,
            GuardNote::MountReadOnly { .. } | GuardNote::CanaryFailed { .. } => Severity::Error,
            GuardNote::MemoryShedding { shed } => Severity::of(shed.verdict()),
            GuardNote::MediumWorn { verdict, .. } | GuardNote::MemoryPressure { verdict, .. } => {
                Severity::of(*verdict)
            }
        }
    }
}

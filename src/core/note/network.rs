//! What there is to tell of the way out of the machine.

use super::{MachineKept, Severity};
use crate::core::fact::{ExpiryId, Found, Step};
use crate::core::picture::Verdict;
use std::time::Duration;

/// Something about the network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NetworkNote {
    /// The way out is broken: for so many looks in a row, or at another step than before.
    UplinkBroken {
        /// The first step that is.
        step: Step,
        /// What was found there.
        found: Found,
        /// Since the first look that failed.
        lasted: Duration,
    },
    /// It is as it should be again.
    UplinkWell {
        /// From the first look that failed to the first that did not.
        lasted: Duration,
    },
    /// Something is done for it.
    Repairing {
        /// Which rung.
        rung: u16,
        /// The step that is broken.
        step: Step,
    },
    /// It is broken still, and nothing is left for now that may be done and makes a difference.
    RepairsSpent {
        /// The step that is broken.
        step: Step,
    },
    /// For the sake of the way out, the machine is restarted.
    RestartsMachine,
    /// It would have been, and stays on.
    KeepsMachine {
        /// Why.
        why: MachineKept,
    },
    /// Something expires before long.
    ExpiryNear {
        /// `Warn`, or `Critical` where it is urgent.
        verdict: Verdict,
        /// What.
        expiry: ExpiryId,
        /// Time until then.
        left: Duration,
    },
    /// It has expired.
    ExpiryOver {
        /// What.
        expiry: ExpiryId,
        /// Time since then.
        since: Duration,
    },
    /// It was renewed.
    ExpiryFar {
        /// What.
        expiry: ExpiryId,
        /// Time until it expires.
        left: Duration,
    },
}

impl NetworkNote {
    pub(super) fn severity(&self) -> Severity {
        match self {
            NetworkNote::UplinkWell { .. } | NetworkNote::ExpiryFar { .. } => Severity::Info,
            NetworkNote::UplinkBroken { .. }
            | NetworkNote::Repairing { .. }
            | NetworkNote::RepairsSpent { .. }
            | NetworkNote::KeepsMachine { .. } => Severity::Warning,
            NetworkNote::RestartsMachine => Severity::Error,
            NetworkNote::ExpiryNear { verdict, .. } => Severity::of(*verdict),
            NetworkNote::ExpiryOver { .. } => Severity::Error,
        }
    }
}

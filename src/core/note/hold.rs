//! What is told of a hold.

use super::Severity;
use crate::core::fact::{Asker, Fault};
use std::time::Duration;

/// What has become of a hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HoldNote {
    /// From now on nothing is escalated.
    HoldBegan {
        /// Who asked for it.
        by: Asker,
        /// For how long.
        time: Duration,
        /// What for.
        reason: Box<str>,
    },
    /// The one that is in force ends at another time from now on.
    HoldChanged {
        /// Who asked for it.
        by: Asker,
        /// How long it lasts from now on.
        time: Duration,
        /// What for.
        reason: Box<str>,
    },
    /// It goes on from a daemon before this one.
    HoldTakenUp {
        /// Who had asked for it.
        by: Asker,
        /// How long it lasts from now on.
        time: Duration,
        /// What for.
        reason: Box<str>,
    },
    /// Somebody has ended it.
    HoldEnded {
        /// Who.
        by: Asker,
        /// How long it has lasted.
        lasted: Duration,
    },
    /// Its time is over.
    HoldOver {
        /// How long it has lasted.
        lasted: Duration,
    },
    /// What a daemon before this one left about it cannot be made out: there is none.
    HoldLost {
        /// Why.
        why: Fault,
    },
    /// It could not be kept for a successor of this daemon, or that it has ended could not.
    HoldNotKept {
        /// Why.
        why: Fault,
    },
}

impl HoldNote {
    /// How much it matters.
    pub(super) fn severity(&self) -> Severity {
        match self {
            // Less is done for the machine than usual, and somebody should know.
            HoldNote::HoldBegan { .. }
            | HoldNote::HoldChanged { .. }
            | HoldNote::HoldTakenUp { .. }
            | HoldNote::HoldLost { .. }
            | HoldNote::HoldNotKept { .. } => Severity::Warning,
            HoldNote::HoldEnded { .. } | HoldNote::HoldOver { .. } => Severity::Info,
        }
    }
}

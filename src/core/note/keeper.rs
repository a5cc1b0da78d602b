//! Notes about services whose process somebody else keeps.

use super::Severity;
use crate::core::fact::Fault;

/// What became of a service without our doing, or of what its keeper says. Which service, stands
/// beside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeeperNote {
    /// Somebody told its keeper to end it. It is left alone.
    StoppedElsewhere,
    /// Somebody told its keeper to start it, or to start it anew. It is kept from now on.
    StartedElsewhere,
    /// It ended and its keeper started it again by itself. That counts as a restart.
    RestartedElsewhere {
        /// Failures in a row.
        failures: u32,
    },
    /// Its keeper does not say how it stands: nothing is decided about it.
    KeeperSilent {
        /// Why.
        why: Fault,
    },
    /// It says so again.
    KeeperHeard,
    /// Its keeper finds that it cannot be used.
    Unhealthy {
        /// It is ended for that.
        ended: bool,
    },
    /// Its keeper finds that it can be used again.
    Healthy,
}

impl KeeperNote {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            KeeperNote::StoppedElsewhere
            | KeeperNote::StartedElsewhere
            | KeeperNote::KeeperHeard
            | KeeperNote::Healthy => Severity::Info,
            KeeperNote::RestartedElsewhere { .. }
            | KeeperNote::KeeperSilent { .. }
            | KeeperNote::Unhealthy { .. } => Severity::Warning,
        }
    }
}

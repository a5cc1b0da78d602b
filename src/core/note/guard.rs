//! What there is to tell of clocks, disks, memory and network that the guards look after.

use super::Severity;
use crate::core::fact::Fault;

/// Something that a guard found, or did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GuardNote {
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
}

impl GuardNote {
    pub(super) fn severity(&self) -> Severity {
        match self {
            GuardNote::RtcSet | GuardNote::NetworkUp | GuardNote::NetworkDown => Severity::Info,
            GuardNote::RtcNotSet { .. } => Severity::Warning,
        }
    }
}

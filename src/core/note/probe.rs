//! Notes about probes of services.

use super::Severity;
use crate::core::fact::Ill;

/// What probes have found of a service. Which service, and the kind of probe, stand beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProbeNote {
    /// It can be used: for the first time in its run, or again.
    ProbePassed,
    /// So many probes in a row have failed. What follows depends on their kind.
    ProbeFailed {
        /// What was wrong the last time.
        why: Ill,
        /// How many.
        failures: u32,
    },
    /// As many probes in a row could not be made: of the service nothing is known by them.
    ProbeUnsure {
        /// Why, the last time.
        why: Ill,
    },
    /// They can be made again.
    ProbeSure,
}

impl ProbeNote {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            ProbeNote::ProbePassed | ProbeNote::ProbeSure => Severity::Info,
            ProbeNote::ProbeFailed { .. } | ProbeNote::ProbeUnsure { .. } => Severity::Warning,
        }
    }
}

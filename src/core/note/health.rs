//! What there is to tell of the health endpoint.

use super::Severity;
use crate::core::fact::Fault;

/// Something about the health endpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HealthNote {
    /// It does not listen wherever it should.
    HealthAway {
        /// Why.
        why: Fault,
    },
    /// It does.
    HealthBack,
}

impl HealthNote {
    pub(super) fn severity(&self) -> Severity {
        match self {
            HealthNote::HealthAway { .. } => Severity::Warning,
            HealthNote::HealthBack => Severity::Info,
        }
    }
}

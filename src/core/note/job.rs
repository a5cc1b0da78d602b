//! Notes about jobs.

use super::Severity;
use crate::core::job::Age;
use crate::core::picture::Verdict;
use std::time::Duration;

/// What has become of a job. Which one stands beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JobNote {
    /// It is to run now, and was to run before: the machine was off, or its clock wrong.
    JobLate {
        /// By so much.
        late: Duration,
    },
    /// Times at which it was to run have passed while it ran: they do not come again.
    JobSkipped,
    /// It runs for too long, and is stopped.
    JobOverran {
        /// For so long.
        ran: Duration,
    },
    /// There is something else to think of it than before.
    JobFreshness {
        /// What.
        verdict: Verdict,
        /// Age of its last good run; `None` if there is none.
        age: Option<Age>,
    },
}

impl JobNote {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            JobNote::JobLate { .. } => Severity::Info,
            JobNote::JobSkipped | JobNote::JobOverran { .. } => Severity::Warning,
            JobNote::JobFreshness { verdict, .. } => Severity::of(*verdict),
        }
    }
}

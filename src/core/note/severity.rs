//! How much a note matters, by what it tells.

use crate::core::memo::Left;
use crate::core::picture::Verdict;

/// How much a note matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// Expected course of things.
    Info,
    /// Something needs a look some day. Synced to disk at once.
    Warning,
    /// Something is broken now. Synced to disk at once.
    Error,
}

impl Severity {
    /// Of a change of a verdict: as bad as what it is now.
    pub(super) fn of(verdict: Verdict) -> Severity {
        match verdict {
            Verdict::Ok => Severity::Info,
            Verdict::Warn | Verdict::Unknown => Severity::Warning,
            Verdict::Critical => Severity::Error,
        }
    }

    /// That a process ended and nobody saw it needs a look; all else is as it was.
    pub(super) fn of_recalled(left: Left) -> Severity {
        match left {
            Left::Running => Severity::Warning,
            Left::Over
            | Left::Waiting
            | Left::Ending
            | Left::Resting { .. }
            | Left::Backoff { .. }
            | Left::GaveUp { .. } => Severity::Info,
        }
    }
}

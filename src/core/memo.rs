//! What a daemon leaves about each service, for its successor in the same boot.
//!
//! A daemon may be gone without warning, so this is kept up to date all the time: what an operator
//! has stopped stays stopped, what has finished is not run again, and what keeps failing goes on
//! waiting, whichever daemon comes next.

use crate::units::Mono;

/// What a daemon leaves about a service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Memo {
    /// How far it had come.
    pub left: Left,
    /// Failures in a row.
    pub failures: u32,
    /// When it was last started again without having been asked to, oldest first; at most
    /// [`Memo::RESTARTS`] of them.
    pub restarts: Box<[Mono]>,
    /// How far the probes of its run had let it come.
    pub progress: Progress,
}

/// How far the probes of a run have let it come. Whoever is not told takes it to have come all the way:
/// no service is stopped because nobody remembers that it was well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Its startup probe has succeeded.
    pub started: bool,
    /// Its readiness probe said last that it can be used.
    pub ready: bool,
}

impl Progress {
    /// All the way; so has one without probes.
    pub const FULL: Progress = Progress {
        started: true,
        ready: true,
    };
}

impl Memo {
    /// Restarts that are remembered: far more than the usual limit within a window, and few enough
    /// for a file of one page.
    pub const RESTARTS: usize = 32;
}

/// How far a service had come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    /// The daemon has ended in good order: nothing counts any more but the number of the run.
    Over,
    /// It was to run, and waited for others or to be let.
    Waiting,
    /// It was to run, and a process was there or about to be.
    Running,
    /// It was to rest, and a process was there or about to be.
    Ending,
    /// It was at rest.
    Resting {
        /// Why.
        why: Rest,
    },
    /// It had failed and waited.
    Backoff {
        /// Until when.
        until: Mono,
    },
    /// It had failed too often.
    GaveUp {
        /// When it was to be tried once more.
        until: Mono,
    },
}

/// Why a service is at rest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rest {
    /// Nobody has asked for it.
    NotStarted,
    /// It was asked to stop.
    Stopped,
    /// It ended well, and is not to be restarted.
    Finished,
    /// It failed, and is not to be restarted.
    Failed,
    /// Somebody told its keeper to end it.
    Elsewhere,
}

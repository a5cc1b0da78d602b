//! What the children thread is told: about each service once, and what to do as it comes.

use crate::core::action::{Reach, Signal};
use crate::core::fact::{OrderId, RunId, ServiceId};
use crate::edge::fd_store::FdStore;
use crate::edge::run_record::RunRecord;
use crate::units::Mono;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What the children thread can be told to do.
pub enum ChildOrder {
    /// A run was found that an earlier daemon had started. The core knows.
    Adopted {
        /// Whose.
        service: ServiceId,
        /// How a successor finds it.
        record: RunRecord,
        /// Its main process.
        pidfd: OwnedFd,
    },
    /// A run has come into being: see [`Births`](super::Births).
    Born {
        /// Whose.
        service: ServiceId,
        /// How a successor finds it.
        record: RunRecord,
        /// Its main process; the spawner has it too, until it is watched.
        pidfd: Arc<OwnedFd>,
        /// Where it writes a newline when it is ready, if that is how it says so.
        newline: Option<Arc<OwnedFd>>,
    },
    /// A run that was left here cannot be watched, and was killed.
    Unwatched {
        /// Whose.
        service: ServiceId,
        /// Its number.
        run: RunId,
    },
    /// Send a signal.
    Signal {
        /// Whose.
        service: ServiceId,
        /// Which run; one that is over is left alone, for one that is not here yet it is kept.
        run: RunId,
        /// Which signal.
        signal: Signal,
        /// To whom.
        reach: Reach,
    },
    /// Keep this line about a service for a successor of this daemon.
    Remember {
        /// Which.
        service: ServiceId,
        /// It is not to run: what it has left for its next run is let go of.
        at_rest: bool,
        /// What it has to know.
        line: Box<str>,
    },
    /// Pass a pet on to the guards.
    Pet {
        /// To be quoted in the outcome.
        order: OrderId,
        /// When the core looks for the outcome, at the latest.
        by: Mono,
    },
    /// End the thread.
    Quit,
}

/// What the children thread has to know about each service.
pub struct Child {
    /// Its name.
    pub name: Box<str>,
    /// Number of the signal that asks it to end.
    pub stop_signal: i32,
    /// Longest silence it may keep.
    pub heartbeat: Option<Duration>,
    /// Its notify socket, if it is to use one.
    pub notify: Option<Arc<OwnedFd>>,
    /// The FIFO to which it writes a newline when it is ready, if that is how it says so.
    pub newline: Option<PathBuf>,
    /// What it has left for its next run; the spawner has it too.
    pub store: FdStore,
    /// How many descriptors that may be.
    pub store_most: u32,
}

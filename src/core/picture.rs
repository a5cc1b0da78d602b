//! The picture: what the policies of one pass know, and what they have found so far.
//!
//! Terms: a *verdict* is what a policy thinks of its subject. A policy reads the verdicts of those
//! before it in the order, writes its own, and has no other way to talk to its neighbours.

use super::action::Answer;
use super::fact::{Asker, Thread, Ticket};
use crate::units::Mono;

/// What a policy thinks of its subject. Ordered from best to worst; *unknown* is worse than *ok*
/// and better than *warn*, because absence is no good news and no proof of harm either.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Nothing is known.
    #[default]
    Unknown,
    /// Somebody should look.
    Warn,
    /// Broken.
    Critical,
}

impl Verdict {
    /// The word for it: `ok`, `unknown`, `warn`, `critical`.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Unknown => "unknown",
            Verdict::Warn => "warn",
            Verdict::Critical => "critical",
        }
    }
}

/// How far the end of the daemon has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Ending {
    /// It goes on.
    #[default]
    No,
    /// Services are being stopped.
    Stopping {
        /// Who asked.
        by: Asker,
        /// The time for it is over: kill what is left.
        overran: bool,
    },
    /// Services are down or left; the watchdog is to be put into its last state.
    Parting {
        /// The services live on.
        services_left: bool,
    },
}

/// Verdicts and wishes of one pass.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// The clock can be trusted.
    pub clock: Verdict,
    /// Power from outside: warn on battery. `None` where nothing tells.
    pub power: Option<Verdict>,
    /// Temperature.
    pub thermal: Verdict,
    /// Memory and load.
    pub memory: Verdict,
    /// File systems.
    pub storage: Verdict,
    /// Services: critical if one gave up, warn if one that should be up is not.
    pub services: Verdict,
    /// Services that are up.
    pub up: u16,
    /// Services that should be up.
    pub wanted: u16,
    /// Services with a process, or with one being started.
    pub alive: u16,
    /// How far the end of the daemon has come.
    pub ending: Ending,
    /// Threads of the daemon.
    pub threads: Verdict,
    /// An essential thread that is stuck.
    pub stuck: Option<Thread>,
    /// The hardware watchdog.
    pub watchdog: Verdict,
    /// The watchdog is in its last state; nothing more will be asked of it.
    pub guard_settled: bool,
    /// Answer to the request of this pass, from the policy that took it.
    pub answer: Option<(Ticket, Answer)>,
    /// Time of this pass.
    pub now: Mono,
}

impl Picture {
    /// The worst of all verdicts.
    pub fn worst(&self) -> Verdict {
        [
            self.clock,
            self.thermal,
            self.memory,
            self.storage,
            self.services,
            self.threads,
            self.watchdog,
        ]
        .into_iter()
        .chain(self.power)
        .max()
        .unwrap_or_default()
    }
}

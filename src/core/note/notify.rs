//! Notes about what services say of themselves on their notify sockets.

use super::Severity;
use crate::core::fact::{Errno, Pid, Refusal};
use std::time::Duration;

/// What a service has said of itself, or what came of it. Which one stands beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotifyNote {
    /// It reads its configuration anew.
    ServiceReloading,
    /// It has.
    ServiceReloaded {
        /// Time that it took.
        took: Duration,
    },
    /// It began to, and did not say that it had in the time that it gets for a start.
    ServiceReloadOverran {
        /// That time.
        waited: Duration,
    },
    /// It is about to end, without having been asked to.
    ServiceEnding,
    /// It asked for time, and was given it: the first time since it began to start, to run or to stop.
    ServiceExtended {
        /// How much, from now.
        time: Duration,
    },
    /// It failed at something.
    ServiceErrno {
        /// What the kernel had told it.
        errno: Errno,
    },
    /// It has found itself broken, and is ended.
    ServiceTriggered,
    /// It owes heartbeats at another interval than before.
    ServiceWindow {
        /// Longest silence from now on; `None`: it sends none any more.
        window: Option<Duration>,
    },
    /// Another of its processes is the main one now.
    ServiceMain {
        /// Which.
        pid: Pid,
    },
    /// Something was sent to its notify socket that counts for nothing.
    ServiceRefused {
        /// Why.
        why: Refusal,
        /// How often, since it was told last.
        times: u32,
    },
}

impl NotifyNote {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            NotifyNote::ServiceReloading
            | NotifyNote::ServiceReloaded { .. }
            | NotifyNote::ServiceEnding
            | NotifyNote::ServiceExtended { .. }
            | NotifyNote::ServiceWindow { window: Some(_) }
            | NotifyNote::ServiceMain { .. } => Severity::Info,
            NotifyNote::ServiceReloadOverran { .. }
            | NotifyNote::ServiceErrno { .. }
            | NotifyNote::ServiceTriggered
            | NotifyNote::ServiceWindow { window: None }
            | NotifyNote::ServiceRefused { .. } => Severity::Warning,
        }
    }
}

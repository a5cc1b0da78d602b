//! What is told of the daemon itself.

use super::fault_sentence;
use crate::core::fact::{Controller, Fault, Lack, Thread};
use crate::core::note::HealthNote;

/// Records do not reach the disk.
pub(super) fn journal_away(why: &Fault) -> String {
    format!(
        "events cannot be written to disk: {}; the latest are kept in memory, and a power cut loses \
         them: check that the file system of `state_dir` is mounted, writable and not full",
        fault_sentence(why)
    )
}

/// They do again.
pub(super) const JOURNAL_BACK: &str = "events are written to disk again";

/// Monitoring is not told, or not everywhere; or it is again.
pub(super) fn health(note: &HealthNote) -> String {
    match note {
        HealthNote::HealthAway { why } => format!(
            "the health endpoint does not listen wherever it should: {}; it is tried again, at least \
             every minute: look at [health] of the configuration, and with `ss -ltnp` for who has its port",
            fault_sentence(why)
        ),
        HealthNote::HealthBack => "the health endpoint listens wherever it should".to_owned(),
    }
}

/// Services do not outlive the daemon.
pub(super) fn pool_missing(why: &Fault) -> String {
    format!(
        "the control group of fieldwarden-pool.service, or the one that `cgroup` names, cannot be used: \
         {}; services end with this daemon: look at `systemctl status fieldwarden-pool` and at \
         `cgroup`, then restart fieldwarden",
        fault_sentence(why)
    )
}

/// Limits that do not hold, why, and what to do about it.
pub fn unenforced(controller: Controller, lack: Lack) -> String {
    format!(
        "{} limits of services are not enforced: {}",
        controller.name(),
        lack.remedy()
    )
}

/// What daemons left that broke off one after another is not trusted.
pub(super) fn safe_start(aborted: u32) -> String {
    format!(
        "{aborted} daemons before this one broke off within a minute: what they left about services is \
         ignored, and those that were stopped are started again; look for the cause in the log; if it \
         goes on, the machine is left to its hardware watchdog"
    )
}

/// What a late thread most likely waits for.
pub(super) fn blame(thread: Thread) -> &'static str {
    match thread {
        Thread::Disk
        | Thread::Recorder
        | Thread::Spawner
        | Thread::SecondSpawner
        | Thread::Marker
        | Thread::Canary
        | Thread::Uplink
        | Thread::Sync => ": the storage may hang",
        Thread::Bus => ": the bus may be stuck",
        Thread::Prober => ": a file system with a file that a probe looks at may hang",
        Thread::Keeper => ": systemd may be stuck",
        // It never waits for an engine.
        Thread::Engine => ": the machine may be overloaded",
        Thread::Log => ": nobody reads our log",
        Thread::Led => ": the driver of the LED may hang",
        Thread::Children
        | Thread::Watchdog
        | Thread::Vitals
        | Thread::Control
        | Thread::Line
        | Thread::Output
        | Thread::Signals
        | Thread::Health
        | Thread::Halt => "",
    }
}

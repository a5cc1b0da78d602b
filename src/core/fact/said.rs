//! What a run tells of itself on its notify socket, beyond that it is ready and alive: the keys of
//! `sd_notify(3)`, read and bounded by the edge.

use super::{Errno, Pid};
use crate::units::Mono;
use std::time::Duration;

/// One thing that a run has told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Said {
    /// `RELOADING=1`: it reads its configuration anew, and says `READY=1` when it has.
    Reloading {
        /// When it began, by its own word (`MONOTONIC_USEC=`).
        since: Option<Mono>,
    },
    /// `STOPPING=1`: it is about to end.
    Stopping,
    /// `STATUS=`: what it does now, in its own words, without control characters and at most
    /// [`Said::STATUS_MAX`] bytes; empty if there is nothing to be said any more.
    Status(Box<str>),
    /// `ERRNO=`: what went wrong with it.
    Errno(Errno),
    /// `WATCHDOG=trigger`: it has found itself broken.
    Trigger,
    /// `WATCHDOG_USEC=`: the longest silence between its heartbeats from now on; `None` for 0, after
    /// which it sends none. At least 100 ms and at most 24 h.
    Window(Option<Duration>),
    /// `EXTEND_TIMEOUT_USEC=`: it needs more time, this much from now, at most 1 h.
    Extend(Duration),
    /// `FDSTORE=1` and the like: so many of its descriptors are kept for its next run now.
    Kept(u16),
    /// `MAINPID=`: another of its own processes is the main one, and is watched as such already.
    Main(Pid),
}

impl Said {
    /// Longest text of `STATUS=` that is kept, in bytes.
    pub const STATUS_MAX: usize = 256;
}

/// Why something that was sent to a notify socket counts for nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Whoever sent it is no part of the service.
    Stranger {
        /// Its process, as far as the kernel tells.
        pid: Option<Pid>,
        /// Its user.
        user: u32,
    },
    /// The datagram is longer than 4,096 bytes.
    TooLong,
    /// There is a NUL in it.
    Nul,
    /// A value that cannot be.
    Value(NotifyKey),
    /// `MAINPID=` names a process that is no part of the service, or is gone.
    Main(Pid),
    /// More descriptors are left than `fd_store` allows.
    Store,
    /// More is said than is listened to.
    Flood,
}

/// Keys of `sd_notify(3)` whose value can be a wrong one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotifyKey {
    /// `STATUS=`, which is UTF-8.
    Status,
    /// `ERRNO=`, from 0 to 4095.
    Errno,
    /// `MAINPID=`
    MainPid,
    /// `WATCHDOG=`, which is `1` or `trigger`.
    Watchdog,
    /// `WATCHDOG_USEC=`
    WatchdogUsec,
    /// `EXTEND_TIMEOUT_USEC=`
    ExtendTimeoutUsec,
    /// `MONOTONIC_USEC=`
    MonotonicUsec,
}

impl NotifyKey {
    /// All of them, in the order of declaration.
    pub const ALL: [NotifyKey; 7] = [
        NotifyKey::Status,
        NotifyKey::Errno,
        NotifyKey::MainPid,
        NotifyKey::Watchdog,
        NotifyKey::WatchdogUsec,
        NotifyKey::ExtendTimeoutUsec,
        NotifyKey::MonotonicUsec,
    ];
}

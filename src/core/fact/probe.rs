//! What a probe of a service is for, and what came of one.

use super::{Errno, Exit};
use std::time::Duration;

/// What a probe is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum ProbeKind {
    /// Whether the service has started: until it has, there is no other probe, and it is not up.
    Startup,
    /// Whether it can be used now.
    Readiness,
    /// Whether it lives, or has to be started again.
    Liveness,
    /// Whether its network is as closed as its owner believes.
    Isolation,
}

impl ProbeKind {
    /// All of them, in the order of declaration.
    pub const ALL: [ProbeKind; 4] = [
        ProbeKind::Startup,
        ProbeKind::Readiness,
        ProbeKind::Liveness,
        ProbeKind::Isolation,
    ];
}

/// What came of one probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Probed {
    /// The service is as it should be.
    Good,
    /// It is not.
    Bad(Ill),
    /// Nothing can be told of the service by it: it is not to blame for that.
    Unsure(Ill),
}

/// What was wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ill {
    /// The kernel said so: to a connection, to a look at a file, to the start of a program.
    Errno(Errno),
    /// It took too long.
    TimedOut,
    /// The connection was closed before there was an answer.
    Closed,
    /// The answer is none of HTTP.
    NotHttp,
    /// HTTP's status: anything but 200 to 399.
    Status(u16),
    /// The program ended so.
    Exit(Exit),
    /// The file has not changed for so long.
    Unchanged(Duration),
    /// The time of the file cannot be true, or is old, and it has not been watched for long enough.
    Undated,
    /// We were too busy, or were held up.
    Busy,
    /// What its owner has named at this place is reached, counted from 1.
    Reaches(u8),
}

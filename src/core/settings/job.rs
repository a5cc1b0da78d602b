//! A service that is a job: it runs from time to time, and ends by itself.

use super::Calendar;
use std::time::Duration;

/// What makes a service a job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Job {
    /// When it is to run.
    pub schedule: Schedule,
    /// Each of its times is put off by up to this time, drawn anew for each run.
    pub jitter: Duration,
    /// Longest time that a run may last.
    pub timeout: Duration,
    /// Of all jobs with this word, one runs at a time.
    pub exclusive: Option<Box<str>>,
    /// It is not started while one of these is the case.
    pub not_while: Vec<Hindrance>,
    /// How old its last good run may be.
    pub fresh_within: Option<Duration>,
}

/// When a job is to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Schedule {
    /// So long after the start of its run before.
    Every(Duration),
    /// At these times.
    Calendar {
        /// Which.
        calendar: Calendar,
        /// Whether or not the clock can be trusted.
        any_clock: bool,
    },
}

/// What keeps a job from being started. Only what is known to be so does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Hindrance {
    /// The machine runs on its battery.
    Battery,
    /// The firmware slows the processor down, or the supply is too weak.
    Throttled,
    /// Memory is low.
    MemoryLow,
}

impl Hindrance {
    /// All of them.
    pub const ALL: [Hindrance; 3] = [
        Hindrance::Battery,
        Hindrance::Throttled,
        Hindrance::MemoryLow,
    ];
}

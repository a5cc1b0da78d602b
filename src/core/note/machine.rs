//! Why the machine is not restarted.

use std::time::Duration;

/// Why the machine is not restarted for the sake of a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MachineKept {
    /// It was restarted for that as often as it may be.
    UsedUp {
        /// How often.
        reboots: u32,
        /// Within which window.
        window: Duration,
    },
    /// How often it was is not known.
    NotCounted,
    /// It has been up for too short a time.
    TooSoon {
        /// How long it has to be up.
        uptime: Duration,
    },
    /// It runs on its battery, or that is low.
    OnBattery,
}

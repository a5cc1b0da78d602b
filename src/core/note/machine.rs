//! Why the machine is not restarted.

use crate::core::fact::Thread;
use std::time::Duration;

/// Why the machine is not restarted for the sake of a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MachineKept {
    /// It was restarted on purpose as often as it may be, or reset by its watchdog.
    UsedUp {
        /// How often; 0 where it may not be at all.
        reboots: u32,
        /// Within which window.
        window: Duration,
    },
    /// How often it was is not known: what was left cannot be read.
    NotCounted,
    /// What is written down is not known to outlive a boot, so nobody would know of this one.
    NotKept,
    /// That it is restarted could not be written down ahead.
    NotWritten,
    /// It has been up for too short a time.
    TooSoon {
        /// How long it has to be up.
        uptime: Duration,
    },
    /// It runs on its battery, or that sinks.
    OnBattery,
    /// Daemons before this one broke off: the fault may be ours.
    Unsteady,
    /// Somebody works on it.
    Hold,
    /// Neither init nor the kernel did it when they were asked in this boot.
    Refused,
}

/// Why the watchdog is not tried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DrillRefused {
    /// The daemon does not pet a hardware watchdog: there is none that could bite.
    Unguarded,
    /// Init would end the daemon before the watchdog bites.
    InitFirst {
        /// Within this time it wants to hear from us.
        window: Duration,
    },
    /// A thread of the daemon is late: nobody would know what the bite was for.
    Late {
        /// Which.
        thread: Thread,
    },
    /// What keeps the machine from being restarted on purpose.
    Kept(MachineKept),
}

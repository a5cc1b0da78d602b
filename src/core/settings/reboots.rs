//! How often the machine may be restarted for the sake of services.

use std::time::Duration;

/// How often the machine may be restarted for the sake of services.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reboots {
    /// Restarts allowed inside `window`. 0 to 6; 0: none at all.
    pub most: u32,
    /// The window of `most`; only time counts in which a daemon lives.
    pub window: Duration,
    /// Least time between the start of the machine and such a restart.
    pub uptime: Duration,
}

impl Reboots {
    /// As in the sample configuration.
    pub const DEFAULT: Reboots = Reboots {
        most: 3,
        window: Duration::from_secs(6 * 3600),
        uptime: Duration::from_secs(600),
    };
}

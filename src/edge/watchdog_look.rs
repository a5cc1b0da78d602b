//! Looks at the hardware watchdogs of a machine from outside: whether one runs, and its timeout.
//!
//! Never opens a device, as that would arm it and take it from its owner. What is read is what the
//! kernel shows of each below `/sys/class/watchdog` (kernel:
//! Documentation/ABI/testing/sysfs-class-watchdog).

use crate::core::fact::{Errno, Fact, Fault, Reading, Source};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Where the devices are found, below the root of the machine.
const CLASS: &str = "sys/class/watchdog";

/// Whether a hardware watchdog runs, whoever pets it: a reading, or its loss where the kernel does
/// not show that. `root` is `/`, or a tree that stands for it.
pub fn look(root: &Path) -> Fact {
    match running(root) {
        Ok(reading) => Fact::Seen(reading),
        Err(why) => Fact::Lost {
            source: Source::Watchdog,
            why,
        },
    }
}

/// A hardware watchdog runs; `None` where nobody can tell.
pub fn runs(root: &Path) -> Option<bool> {
    match running(root) {
        Ok(Reading::WatchdogElsewhere { running, .. }) => Some(running),
        Ok(_) | Err(_) => None,
    }
}

fn running(root: &Path) -> Result<Reading, Fault> {
    let none = Reading::WatchdogElsewhere {
        running: false,
        timeout: None,
    };
    let Ok(devices) = fs::read_dir(root.join(CLASS)) else {
        // No driver was ever loaded.
        return Ok(none);
    };
    let mut silent = None;
    for device in devices.flatten().map(|entry| entry.path()) {
        match fs::read_to_string(device.join("state")) {
            Ok(state) if state.trim() == "active" => {
                let timeout = fs::read_to_string(device.join("timeout")).ok();
                let timeout = timeout.and_then(|text| text.trim().parse().ok());
                return Ok(Reading::WatchdogElsewhere {
                    running: true,
                    timeout: timeout.map(Duration::from_secs),
                });
            }
            Ok(_) => {}
            Err(error) => silent = Some(Errno(error.raw_os_error().unwrap_or(libc::EIO))),
        }
    }
    // A kernel that does not show the state: nobody can tell, and that is no proof of either.
    silent.map_or(Ok(none), |errno| Err(Fault::Errno(errno)))
}

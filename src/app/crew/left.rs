//! What an earlier daemon, of this boot or of the one before, has left of what it meant to do.

use super::Devices;
use crate::app::Plan;
use crate::core::fact::Fact;
use crate::edge::boot_traces;
use crate::edge::marker_file::MarkerFiles;
use crate::edge::watchdog_driver::WatchdogPaths;
use std::path::Path;

/// What the daemon before this one has left. A simulated machine begins with its daemon.
pub(super) fn found(plan: &Plan, marker: &MarkerFiles) -> Fact {
    match &plan.devices {
        Devices::Real(_) => marker.found(ended_last_boot(plan), |written| {
            boot_traces::look(Path::new("/"), written)
        }),
        Devices::Simulated(_) => MarkerFiles::nothing(),
    }
}

/// Whether the watchdog ended the boot before; `None` where that cannot be known.
fn ended_last_boot(plan: &Plan) -> Option<bool> {
    match &plan.devices {
        Devices::Real(_) => {
            WatchdogPaths::of(&plan.config.wiring.watchdog_device).ended_last_boot()
        }
        Devices::Simulated(_) => None,
    }
}

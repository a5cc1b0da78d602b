//! What is left to do where daemon after daemon breaks off: leave the machine to its watchdog.
//!
//! Each daemon that starts opens the device, which pets it, and so does the kernel when one breaks off.
//! So a daemon that cannot live would keep the machine from being reset for ever. This one opens the
//! device, keeps it open, and does nothing else that could break off.

use super::{Devices, Plan};
use crate::core::StartKind;
use crate::core::settings::WatchdogOwner;
use crate::edge::clock;
use crate::edge::logging;
use crate::edge::places::Places;
use crate::edge::starts;
use crate::edge::systemd::{Environment, Init};
use crate::edge::watchdog_device::WatchdogDevice;
use crate::edge::watchdog_driver::KernelWatchdog;
use crate::text::{fault_sentence, for_people};
use std::time::Duration;

/// Time between two pets for init, which would end us otherwise; it allows for far more.
const INIT: Duration = Duration::from_secs(5);

/// Counts this start, unless that was done, and decides how it goes on. Returns how many daemons broke
/// off in the minute before, if they are to be taken for a loop.
pub(super) fn begin(plan: Plan, places: &Places) -> (Plan, Option<u32>) {
    let aborted = plan.aborted.unwrap_or_else(|| {
        starts::enter(&places.starts(), clock::now()).unwrap_or_else(|e| {
            log::warn!("starts are not counted: {e}");
            0
        })
    });
    match StartKind::after(aborted) {
        StartKind::Usual => (plan, None),
        StartKind::Safe => (plan, Some(aborted)),
        StartKind::Hopeless => (leave_to_watchdog(plan, aborted), Some(aborted)),
    }
}

/// Leaves the machine to its watchdog, and never returns; or returns the plan, to be carried out with a
/// safe start, where there is no watchdog of ours to leave it to, or where that was of no use before.
fn leave_to_watchdog(mut plan: Plan, aborted: u32) -> Plan {
    let wiring = &plan.config.wiring;
    let ours = plan.config.settings.watchdog.owner == WatchdogOwner::Fieldwarden;
    let Devices::Real(hardware) = plan.devices else {
        return plan;
    };
    let resets = wiring.state_dir.join("resets");
    let allowed = ours
        && match starts::take_reset(&resets) {
            Ok(allowed) => allowed,
            Err(e) => {
                log::error!(
                    "{}: {e}: no reset that could not be counted",
                    resets.display()
                );
                false
            }
        };
    if !allowed {
        log::error!(
            "{aborted} daemons broke off within a minute; no reset is left to help: going on"
        );
        plan.devices = Devices::of(&wiring.board);
        return plan;
    }
    let mut device = KernelWatchdog::of(&wiring.watchdog_device, hardware);
    match device.arm(plan.config.settings.watchdog.timeout) {
        Ok(seen) => wait_for_reset(&plan.environment, aborted, seen.timeout),
        Err(why) => {
            log::error!(
                "no hardware watchdog to leave this machine to: {}",
                fault_sentence(&why)
            );
            plan.devices = Devices::of(&wiring.board);
            plan
        }
    }
}

fn wait_for_reset(environment: &Environment, aborted: u32, timeout: Duration) -> ! {
    let said = format!(
        "{aborted} daemons broke off within a minute: no more pets, the hardware resets this machine \
         within {}",
        for_people(timeout)
    );
    log::error!("{said}");
    logging::flush();
    let mut init = Init::of(environment).ok();
    loop {
        if let Some(init) = &mut init {
            // Init would start another one of us, and its open would be a pet.
            let _ = init.ready();
            let _ = init.status(&said);
            let _ = init.pet();
        }
        std::thread::sleep(INIT);
    }
}

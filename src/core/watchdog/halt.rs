//! The hardware watchdog while the machine is halted.
//!
//! Init needs time to unmount everything, and nobody pets meanwhile: systemd takes the device over
//! for a reboot, but not for a power-off. So the driver is given that time before init is asked. It
//! is taken back if the halt is, and when the hardware itself is to end it.

use super::{Guard, Parting, Watchdog};
use crate::core::Pass;
use crate::core::note::HaltNote;
use crate::core::picture::{HaltCause, Halting, Rung};
use std::time::Duration;

/// The timeout that is wanted now.
pub(super) fn timeout(pass: &Pass) -> Duration {
    let usual = pass.settings.watchdog.timeout;
    if pass.picture.stuck.is_some() {
        // Pets are withheld, and that is to end in time.
        return usual;
    }
    let halting = pass.picture.halting.filter(|halting| !is_drill(halting));
    match halting.map(|halting| halting.rung) {
        Some(Rung::Syncing | Rung::Cutting | Rung::Asked | Rung::Rescuing | Rung::Forced) => {
            usual.max(pass.settings.halt_finish)
        }
        Some(
            Rung::Looking | Rung::Stopping | Rung::Killing | Rung::Recording | Rung::WatchdogReset,
        )
        | None => usual,
    }
}

fn is_drill(halting: &Halting) -> bool {
    matches!(halting.cause, HaltCause::Drill { .. })
}

/// What the driver made of another timeout for a device that runs.
pub(super) fn tell(timeout: Duration, pass: &mut Pass) {
    if pass
        .picture
        .halting
        .is_some_and(|h| h.rung < Rung::WatchdogReset)
    {
        pass.tell(HaltNote::WatchdogStretched { timeout });
    }
}

impl Watchdog {
    /// Sets the device anew when another timeout is wanted; gives it up at the last rung.
    pub(super) fn follow_halt(&mut self, pass: &mut Pass) {
        let rung = pass.picture.halting.map(|halting| halting.rung);
        // Once, and never again: a driver that is set anew may begin to count anew.
        let given_up = self.let_go;
        if std::mem::take(&mut self.drill) && pass.picture.halting.is_none() {
            // It has not bitten, and is petted on; or it was not let go.
            self.toothless |= self.let_go;
            self.let_go = false;
            self.next_pet = Some(pass.now);
        }
        self.drill |= pass.picture.halting.is_some_and(|h| is_drill(&h));
        self.let_go |= rung == Some(Rung::WatchdogReset);
        let runs = matches!(self.guard, Guard::Armed(_)) && self.arming.is_none();
        let set_to = self.asked_for.unwrap_or(pass.settings.watchdog.timeout);
        if runs && !given_up && set_to != timeout(pass) {
            self.arm(pass);
        }
    }

    /// An end that was on its way has become a halt: the machine is guarded up to the end of that, and
    /// the last order comes then. A device that may have been stopped is started again.
    pub(super) fn stay(&mut self, pass: &mut Pass) {
        match std::mem::replace(&mut self.parting, Parting::No) {
            Parting::No => return,
            Parting::Opening => {}
            Parting::Petting(order) => self.petting = Some(order),
            Parting::Disarming(_) | Parting::Settled { .. } => {
                let stopped = pass.settings.watchdog.disarm_on_stop;
                if stopped && self.timeout().is_some() && self.arming.is_none() {
                    self.arm(pass);
                }
            }
        }
        pass.picture.guard_settled = false;
    }
}

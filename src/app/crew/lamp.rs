//! The status LED and its thread, if there is to be one.

use super::{Devices, Hands};
use crate::app::{AppError, Plan};
use crate::config::{Config, LedPlan};
use crate::core::fact::Thread;
use crate::edge::hardware::Hardware;
use crate::edge::inbox::Inbox;
use crate::edge::led::class::ClassLed;
use crate::edge::led::line::LineLed;
use crate::edge::led::{self, Lamp, LedOrder};
use crate::edge::orders::{self, Orders};
use crate::edge::places::Places;
use crate::edge::pulse::Pulse;
use std::sync::Arc;
use std::time::Duration;

/// A change of an LED behind a firmware or a bus takes a moment.
const LED: Duration = Duration::from_secs(10);

/// Orders that may wait. The latest one counts, and each is a change of state or a renewal.
const ROOM: usize = 8;

/// The LED that the configuration names.
fn of(config: &Config, devices: &Devices, places: &Places) -> Option<Box<dyn Lamp>> {
    let plan = config.wiring.led.as_ref()?;
    Some(match devices {
        Devices::Real(hardware) => real(plan, places, hardware),
        Devices::Simulated(board) => Box::new(board.lamp()),
    })
}

/// The LED of this machine.
pub(in crate::app) fn real(plan: &LedPlan, places: &Places, hardware: &Hardware) -> Box<dyn Lamp> {
    match plan {
        LedPlan::Class { name } => Box::new(ClassLed::of(name, places.led(), hardware)),
        LedPlan::Line { line, active_low } => Box::new(LineLed::of(line, *active_low, hardware)),
    }
}

impl Hands {
    /// Mans the LED that the configuration names; there is nothing to do without one.
    pub(super) fn man_led(
        &mut self,
        plan: &Plan,
        places: &Places,
        inbox: &Inbox,
    ) -> Result<Option<Orders<LedOrder>>, AppError> {
        let Some(lamp) = of(&plan.config, &plan.devices, places) else {
            return Ok(None);
        };
        let pulse = Arc::new(Pulse::new(Thread::Led, LED));
        let (orders, work) = orders::plain(ROOM, pulse);
        let inbox = inbox.clone();
        self.man("led", move || led::run(lamp, &work, &inbox))?;
        Ok(Some(orders))
    }
}

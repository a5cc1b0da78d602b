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
use crate::text::fault_sentence;
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

/// The LED that an earlier daemon had, if it is not the one that is to be driven now.
pub(in crate::app) fn left_behind(
    plan: Option<&LedPlan>,
    places: &Places,
    hardware: &Hardware,
) -> Option<ClassLed> {
    let named = match plan {
        Some(LedPlan::Class { name }) => Some(name.as_str()),
        Some(LedPlan::Line { .. }) | None => None,
    };
    ClassLed::left_behind(named, places.led(), hardware)
}

/// Gives back what was left behind. What cannot be given back is not tried again: it is nobody's now.
pub(in crate::app) fn give_back(left: Option<ClassLed>) {
    if let Some(mut led) = left
        && let Err(why) = led.release()
    {
        log::warn!(
            "an LED that is not named any more is not given back: {}",
            fault_sentence(&why)
        );
    }
}

impl Hands {
    /// Mans the LED that the configuration names. Without one there is at most something to give back.
    pub(super) fn man_led(
        &mut self,
        plan: &Plan,
        places: &Places,
        inbox: &Inbox,
    ) -> Result<Option<Orders<LedOrder>>, AppError> {
        let left = match &plan.devices {
            Devices::Real(hardware) => {
                left_behind(plan.config.wiring.led.as_ref(), places, hardware)
            }
            Devices::Simulated(_) => None,
        };
        let Some(lamp) = of(&plan.config, &plan.devices, places) else {
            // In a thread all the same: a driver may take its time.
            if left.is_some() {
                self.man("led", move || give_back(left))?;
            }
            return Ok(None);
        };
        let pulse = Arc::new(Pulse::new(Thread::Led, LED));
        let (orders, work) = orders::plain(ROOM, pulse);
        let inbox = inbox.clone();
        self.man("led", move || {
            give_back(left);
            led::run(lamp, &work, &inbox);
        })?;
        Ok(Some(orders))
    }
}

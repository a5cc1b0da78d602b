//! A simulated LED: it takes every state, and tells what it shows.

use super::SimBoard;
use crate::core::fact::Fault;
use crate::core::light::LedState;
use crate::edge::led::{Carried, Lamp};

/// The LED of a simulated board.
#[derive(Debug)]
pub struct SimLamp(SimBoard);

impl SimBoard {
    /// The board's status LED.
    pub fn lamp(&self) -> SimLamp {
        SimLamp(self.clone())
    }

    /// What the LED shows; `None` while it is dark.
    pub fn shown(&self) -> Option<LedState> {
        self.world().shown
    }

    /// Knob: the LED refuses with this fault, or takes everything again with `None`.
    pub fn break_lamp(&self, why: Option<Fault>) {
        let mut world = self.world();
        world.lamp_fault = why;
        world.shown = None;
    }
}

impl Lamp for SimLamp {
    fn show(&mut self, state: LedState) -> Result<Carried, Fault> {
        let mut world = self.0.world();
        if let Some(why) = &world.lamp_fault {
            return Err(why.clone());
        }
        world.shown = Some(state);
        Ok(Carried::ByItself)
    }

    fn set(&mut self, _: bool) -> Result<(), Fault> {
        Ok(())
    }

    fn release(&mut self) -> Result<(), Fault> {
        self.0.world().shown = None;
        Ok(())
    }
}

//! An LED on a GPIO line, switched by hand: through the registers on a Pi, where its level outlives
//! us, and through the kernel elsewhere.
//!
//! Never takes a line that somebody else has.

use super::{Carried, Lamp};
use crate::config::board::{Drive, Line};
use crate::core::fact::Fault;
use crate::core::light::LedState;
use crate::edge::drive::{Driven, OutputLine};
use crate::edge::gpio;
use crate::edge::hardware::Hardware;

/// An LED on a line.
pub struct LineLed {
    line: Line,
    /// At the level that is dark.
    output: OutputLine,
    active_low: bool,
    driven: Option<Driven>,
}

impl LineLed {
    /// The LED on this line. Nothing is opened yet.
    pub fn of(line: &Line, active_low: bool, hardware: &Hardware) -> LineLed {
        let dark = Drive {
            line: line.clone(),
            high: active_low,
        };
        LineLed {
            line: line.clone(),
            output: OutputLine::of(&dark, hardware),
            active_low,
            driven: None,
        }
    }
}

impl Lamp for LineLed {
    fn show(&mut self, _: LedState) -> Result<Carried, Fault> {
        if self.driven.is_none() {
            // A pin is taken through its registers without the kernel being asked.
            if let Some(by) = gpio::holder(&self.line) {
                return Err(Fault::Taken { by });
            }
            self.driven = Some(self.output.start()?);
        }
        Ok(Carried::ByHand)
    }

    fn set(&mut self, lit: bool) -> Result<(), Fault> {
        let driven = self.driven.as_mut().ok_or(Fault::Absent)?;
        let set = driven.set(lit != self.active_low);
        if set.is_err() {
            self.driven = None;
        }
        set
    }

    fn release(&mut self) -> Result<(), Fault> {
        if self.driven.is_none() {
            return Ok(());
        }
        let dark = self.set(false);
        self.driven = None;
        dark
    }
}

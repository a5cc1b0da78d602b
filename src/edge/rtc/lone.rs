//! A DS3231 that no driver of the kernel has, read over its bus.
//!
//! Here the chip's own mark tells that its oscillator had stopped. As soon as a driver owns the chip,
//! it is left to that driver.

use super::{times_agree, vote};
use crate::chip::{Bus, Trouble, ds3231};
use crate::core::fact::{Fault, RtcSeen, Shown};
use crate::edge::bound_chips::BoundChips;
use crate::edge::clock;

/// The bus of the Pi's header, on every model (kernel: arch/arm/boot/dts/broadcom, `i2c1`).
pub const BUS: u8 = 1;

/// The chip and its bus.
pub struct LoneChip {
    bus: Box<dyn Bus + Send>,
    bound: BoundChips,
}

impl LoneChip {
    /// A chip on this bus, which is number [`BUS`] of the machine.
    pub fn new(bus: Box<dyn Bus + Send>, bound: BoundChips) -> LoneChip {
        LoneChip { bus, bound }
    }

    /// No driver owns it.
    pub fn is_alone(&self) -> bool {
        self.bound.driver(BUS, ds3231::ADDRESS).is_none()
    }

    /// What it says: time and mark are read until two reads in a row agree.
    ///
    /// # Errors
    /// What the bus said, or that nothing plausible came.
    pub fn look(&mut self) -> Result<RtcSeen, Fault> {
        let bus = &mut *self.bus;
        let time = vote(|| ds3231::time(bus).map(Some).map_err(fault), times_agree)?;
        let at = clock::now();
        let about = vote(
            || ds3231::about(bus).map_err(fault),
            |before, now| before.stopped == now.stopped,
        )?;
        Ok(RtcSeen {
            shown: time.map(|time| Shown { time, at }),
            oscillator_stopped: Some(about.stopped),
            temperature: Some(about.temperature),
        })
    }
}

fn fault(trouble: Trouble) -> Fault {
    match trouble {
        Trouble::Bus(errno) => Fault::Errno(errno),
        Trouble::NotReady | Trouble::Implausible => Fault::Implausible,
    }
}

//! Chips of a board: pure register work over a [`Bus`].
//!
//! ```text
//! registers ──bus──► chip ──► Sample ──judge──► a reading, or why there is none
//! ```
//!
//! Terms: a *sample* is what one chip could tell in one poll; what it cannot tell is `None`. Byte
//! order, sign and scale of the registers belong to the file of the chip; the board only says how
//! the chip is wired: its address, its shunt, which sign of the current is charging.
//!
//! Never waits, retries, opens anything or judges whether a battery is low. Never writes a register
//! that changes what the battery's owner set up: no reset, no quick-start, no alert thresholds.

pub mod ds3231;
pub mod framed;
mod ina219;
mod max1704x;
pub mod registers;

pub use ina219::Ina219;
pub use max1704x::{Max1704x, Variant};
pub use registers::Registers;

use crate::core::fact::Errno;
use crate::units::{Milliamps, Millivolts, Permille};
use std::time::Duration;

/// What chips are reached over. Shaped like SMBus, so that adapters without plain transfers can
/// serve it too.
pub trait Bus {
    /// Reads from a register on. At most 32 bytes; one or two where the adapter knows nothing else.
    ///
    /// # Errors
    /// What the kernel said: EREMOTEIO or ENXIO where nobody answers, ETIMEDOUT on a stuck bus.
    fn read(&mut self, address: u8, register: u8, into: &mut [u8]) -> Result<(), Errno>;

    /// Writes from a register on.
    ///
    /// # Errors
    /// As for [`Bus::read`].
    fn write(&mut self, address: u8, register: u8, bytes: &[u8]) -> Result<(), Errno>;

    /// Reads without naming a register, in a transfer of its own.
    ///
    /// # Errors
    /// As for [`Bus::read`]; EOPNOTSUPP where that is not possible.
    fn receive(&mut self, _address: u8, _into: &mut [u8]) -> Result<(), Errno> {
        /// EOPNOTSUPP.
        const NOT_SUPPORTED: Errno = Errno(95);
        Err(NOT_SUPPORTED)
    }

    /// Waits for a chip that needs time for its answer, where there is time.
    fn wait(&mut self, _time: Duration) {}
}

/// What a chip could tell in one poll.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sample {
    /// Voltage of the pack.
    pub voltage: Option<Millivolts>,
    /// What is left of a full battery.
    pub charge: Option<Permille>,
    /// Current into the battery.
    pub current: Option<Milliamps>,
}

impl Sample {
    /// What this chip knows, and for the rest what the other one knows.
    #[must_use]
    pub fn or(self, other: Sample) -> Sample {
        Sample {
            voltage: self.voltage.or(other.voltage),
            charge: self.charge.or(other.charge),
            current: self.current.or(other.current),
        }
    }
}

/// Why there is no sample.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// A transfer failed.
    Bus(Errno),
    /// The chip had lost its settings, or never had them; they were written, and it needs a moment.
    NotReady,
    /// What it says cannot be true.
    Implausible,
}

impl From<Errno> for Trouble {
    fn from(errno: Errno) -> Trouble {
        Trouble::Bus(errno)
    }
}

/// A chip that measures the battery.
pub trait Chip {
    /// Takes a sample.
    ///
    /// # Errors
    /// When there is none; never a value in place of one.
    fn poll(&mut self, bus: &mut dyn Bus) -> Result<Sample, Trouble>;

    /// Asks whether there is power from outside, where the chip's protocol has that.
    ///
    /// # Errors
    /// When it cannot be told.
    fn mains(&mut self, _bus: &mut dyn Bus) -> Result<Mains, Trouble> {
        Err(Trouble::Implausible)
    }
}

/// What was said of power from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mains {
    /// There is power.
    pub present: bool,
    /// All that was read is what a stuck bus says as well.
    pub empty: bool,
}

/// Reads a register of two bytes of which the high one comes first.
fn word(bus: &mut dyn Bus, address: u8, register: u8) -> Result<u16, Errno> {
    let mut bytes = [0; 2];
    bus.read(address, register, &mut bytes)?;
    Ok(u16::from_be_bytes(bytes))
}

/// Writes a register of two bytes, the high one first.
fn write_word(bus: &mut dyn Bus, address: u8, register: u8, value: u16) -> Result<(), Errno> {
    bus.write(address, register, &value.to_be_bytes())
}

/// Lowest voltage of a cell that is believed, in millivolts. Cells of both chemistries in use are
/// ruined below it, and gauges cease to answer (2.51 V was seen); a bus that is held down reads 0.
const CELL_LOWEST: u32 = 2_000;

/// Highest voltage of a cell that is believed, in millivolts. Chargers stop at 4.2 to 4.35 V; a bus
/// whose data line is held up reads 5.12 V from a MAX17040.
const CELL_HIGHEST: u32 = 4_800;

/// Highest current that is believed, in either direction, in milliamperes. No board of this kind
/// carries half of it.
const CURRENT_HIGHEST: i32 = 20_000;

/// Believes a sample of a battery with this many cells in series, or not.
///
/// # Errors
/// When it says nothing, or something that no battery does.
pub fn judge(sample: Sample, cells: u8) -> Result<Sample, Trouble> {
    let cells = u32::from(cells.max(1));
    let (lowest, highest) = (CELL_LOWEST * cells, CELL_HIGHEST * cells);
    let wrong_voltage = |v: Millivolts| !(lowest..=highest).contains(&v.0);
    let wrong_current = |a: Milliamps| !(-CURRENT_HIGHEST..=CURRENT_HIGHEST).contains(&a.0);
    let wrong = sample == Sample::default()
        || sample.voltage.is_some_and(wrong_voltage)
        || sample.charge.is_some_and(|share| share.0 > 1000)
        || sample.current.is_some_and(wrong_current);
    match wrong {
        true => Err(Trouble::Implausible),
        false => Ok(sample),
    }
}

#[cfg(test)]
mod tests;

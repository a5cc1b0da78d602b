//! Reads registers of chips for a command that looks which boards would fit. Writes none.
//!
//! Used by a command only, never by the daemon.

mod users;

pub use users::bus_users;

use super::bound_chips::BoundChips;
use super::hardware::Hardware;
use super::i2c::KernelBus;
use crate::chip::Bus;
use crate::core::fact::Errno;
use std::collections::BTreeMap;
use std::path::Path;

/// The I2C buses of this machine, to be read only.
pub struct BusLook {
    hardware: Hardware,
    bound: BoundChips,
    buses: BTreeMap<u8, KernelBus>,
}

impl BusLook {
    /// Opens nothing yet.
    pub fn with(hardware: Hardware) -> BusLook {
        BusLook {
            hardware,
            bound: BoundChips::new(Path::new("/")),
            buses: BTreeMap::new(),
        }
    }

    /// There is such a bus, and its device can be opened.
    pub fn is_there(&self, bus: u8) -> bool {
        Path::new(&format!("/dev/i2c-{bus}")).exists()
    }

    /// The driver of the kernel that owns a chip, if one does.
    pub fn driver(&self, bus: u8, address: u8) -> Option<Box<str>> {
        self.bound.driver(bus, address)
    }

    /// Reads one byte of a chip. That no driver owns it is for the caller to know.
    ///
    /// # Errors
    /// What the kernel said: EREMOTEIO or ENXIO where nobody answers.
    pub fn read(&mut self, bus: u8, address: u8, register: u8) -> Result<u8, Errno> {
        let BusLook {
            hardware, buses, ..
        } = self;
        let bus = buses
            .entry(bus)
            .or_insert_with(|| KernelBus::of(bus, hardware));
        let mut byte = [0];
        bus.read(address, register, &mut byte)?;
        Ok(byte[0])
    }
}

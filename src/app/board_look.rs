//! The I2C buses of this machine for a command that only reads: the permission to open them is
//! given here.

use crate::edge::bus_look::BusLook;
use crate::edge::hardware::Hardware;

/// The I2C buses of this machine, to be read only. Opens nothing yet.
pub fn begin() -> BusLook {
    BusLook::with(Hardware::of_this_machine())
}

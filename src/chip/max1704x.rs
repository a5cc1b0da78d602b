//! MAX17040 and its family: voltage of one or two cells, and what is left in them.
//!
//! Registers are two bytes, the high one first. The step of the voltage differs from chip to chip,
//! and nothing in the registers tells which chip it is, so the board file does. The charge counts in
//! 256ths of a percent and may pass 100 %.
//!
//! Never sends a quick-start or a reset: the charge would jump.
//!
//! Source: kernel: drivers/power/supply/max17040_battery.c (scales of all eight chips).

use super::{Bus, Chip, Sample, Trouble, word};
use crate::units::{Millivolts, Permille};

const VCELL: u8 = 0x02;
const SOC: u8 = 0x04;

/// The chips of the family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Variant {
    /// One cell, 12 bits of voltage.
    Max17040,
    /// Two cells, 12 bits of voltage.
    Max17041,
    /// As MAX17040, with an alert.
    Max17043,
    /// As MAX17041, with an alert.
    Max17044,
    /// One cell, 16 bits of voltage.
    Max17048,
    /// Two cells, 16 bits of voltage.
    Max17049,
    /// As MAX17048.
    Max17058,
    /// As MAX17049.
    Max17059,
}

impl Variant {
    /// All of them, with the words for them.
    pub const ALL: [(&'static str, Variant); 8] = [
        ("max17040", Variant::Max17040),
        ("max17041", Variant::Max17041),
        ("max17043", Variant::Max17043),
        ("max17044", Variant::Max17044),
        ("max17048", Variant::Max17048),
        ("max17049", Variant::Max17049),
        ("max17058", Variant::Max17058),
        ("max17059", Variant::Max17059),
    ];

    /// Voltage of the pack, from the register.
    fn voltage(self, raw: u16) -> Millivolts {
        let raw = u32::from(raw);
        Millivolts(match self {
            // Steps of 1.25 mV above four bits that mean nothing.
            Variant::Max17040 | Variant::Max17043 => (raw >> 4) * 5 / 4,
            Variant::Max17041 | Variant::Max17044 => (raw >> 4) * 5 / 2,
            // Steps of 78.125 uV: 5/64 mV.
            Variant::Max17048 | Variant::Max17058 => raw * 5 / 64,
            Variant::Max17049 | Variant::Max17059 => raw * 5 / 32,
        })
    }
}

/// A gauge of this family.
#[derive(Debug)]
pub struct Max1704x {
    address: u8,
    variant: Variant,
}

impl Max1704x {
    /// A chip at this address.
    pub fn new(address: u8, variant: Variant) -> Max1704x {
        Max1704x { address, variant }
    }
}

impl Chip for Max1704x {
    fn poll(&mut self, bus: &mut dyn Bus) -> Result<Sample, Trouble> {
        let voltage = word(bus, self.address, VCELL)?;
        let charge = word(bus, self.address, SOC)?;
        Ok(Sample {
            voltage: Some(self.variant.voltage(voltage)),
            charge: Some(share(charge)),
            current: None,
        })
    }
}

/// 256ths of a percent as a share of all there is; more than all is all.
fn share(raw: u16) -> Permille {
    let permille = u32::from(raw) * 10 / 256;
    Permille(u16::try_from(permille.min(1000)).unwrap_or(1000))
}

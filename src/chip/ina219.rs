//! INA219: voltage of a pack, and the current through a shunt beside it.
//!
//! Registers are two bytes, the high one first. The chip computes the current from its calibration,
//! which is 0 after it was without power: then it reads 0 A, which looks like a battery at rest. So
//! configuration and calibration are read **after** the values, with every poll; if they are not
//! ours they are written, and the values are not used.
//!
//! Sources: TI INA219 datasheet (registers, bit 0 of the calibration is void); kernel:
//! drivers/hwmon/ina2xx.c (scales).

use super::{Bus, Chip, Sample, Trouble, word, write_word};
use crate::core::fact::Errno;
use crate::units::{Milliamps, Millivolts};

const CONFIGURATION: u8 = 0x00;
const BUS_VOLTAGE: u8 = 0x02;
const CURRENT: u8 = 0x04;
const CALIBRATION: u8 = 0x05;

/// Both voltages continuously, mean of 32 samples each (17 ms), ranges 32 V and 320 mV. A smaller
/// range would gain no resolution: the steps are 4 mV and 10 uV in all of them.
const CONTINUOUS: u16 = 0x3EEF;

/// Step of the bus voltage, in millivolts, above three bits of flags.
const STEP: u32 = 4;

/// The current and the power are wrong: a product did not fit (OVF).
const OVERFLOW: u16 = 1;

/// An INA219.
#[derive(Debug)]
pub struct Ina219 {
    address: u8,
    calibration: u16,
    /// Step of the current register, in millionths of an ampere.
    step: u32,
    /// A positive current charges the battery.
    charging_positive: bool,
}

impl Ina219 {
    /// A chip at this address with a shunt of so many millionths of an ohm (at least 1000), that is
    /// to measure up to `range`. `charging_positive` says which sign of the current is charging.
    pub fn new(address: u8, micro_ohms: u32, range: Milliamps, charging_positive: bool) -> Ina219 {
        let step = step(range);
        Ina219 {
            address,
            calibration: calibration(step, micro_ohms),
            step,
            charging_positive,
        }
    }

    /// The chip has the settings that the values rest on. Settings that are not ours are written.
    fn check(&self, bus: &mut dyn Bus) -> Result<bool, Errno> {
        let mut ours = true;
        for (register, wanted) in [(CONFIGURATION, CONTINUOUS), (CALIBRATION, self.calibration)] {
            if word(bus, self.address, register)? != wanted {
                write_word(bus, self.address, register, wanted)?;
                ours = false;
            }
        }
        Ok(ours)
    }

    fn current(&self, raw: u16) -> Milliamps {
        let micro = i64::from(raw.cast_signed()) * i64::from(self.step);
        let milli = match self.charging_positive {
            true => micro / 1000,
            false => -micro / 1000,
        };
        // 32768 steps of at most 1000 uA.
        Milliamps(i32::try_from(milli).unwrap_or(i32::MAX))
    }
}

impl Chip for Ina219 {
    fn poll(&mut self, bus: &mut dyn Bus) -> Result<Sample, Trouble> {
        let voltage = word(bus, self.address, BUS_VOLTAGE)?;
        let current = word(bus, self.address, CURRENT)?;
        if !self.check(bus)? {
            return Err(Trouble::NotReady);
        }
        let overflow = voltage & OVERFLOW != 0;
        Ok(Sample {
            voltage: Some(Millivolts(u32::from(voltage >> 3) * STEP)),
            charge: None,
            current: (!overflow).then(|| self.current(current)),
        })
    }
}

/// The smallest whole step of the current register, in millionths of an ampere, with which 15 bits
/// reach the range.
fn step(range: Milliamps) -> u32 {
    let micro = u64::from(range.0.unsigned_abs()) * 1000;
    u32::try_from(micro.div_ceil(32_767).clamp(1, 1000)).unwrap_or(1000)
}

/// The calibration for a step and a shunt: 0.04096 / (step * shunt), without the bit that the chip
/// does not keep.
fn calibration(step: u32, micro_ohms: u32) -> u16 {
    let product = (u64::from(step) * u64::from(micro_ohms)).max(1);
    let value = 40_960_000_000 / product;
    u16::try_from(value).unwrap_or(u16::MAX) & !1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calibrations of vendors' code: 0.1 mA at 0.1 ohm is 4096 there. For 5 A at 0.01 ohm theirs is
    /// 26868 at a step that they round to 0.1524 mA; ours rests on the whole step of 153 uA.
    #[test]
    fn calibrations() {
        assert_eq!(calibration(100, 100_000), 4_096);
        assert_eq!(step(Milliamps(5_000)), 153);
        assert_eq!(calibration(153, 10_000), 26_770, "even: bit 0 is void");
        assert_eq!(step(Milliamps(3_200)), 98);
        assert_eq!(step(Milliamps(i32::MIN)), 1000);
        assert_eq!(calibration(1, 1_000), u16::MAX - 1);
        assert_eq!(calibration(0, 0), u16::MAX - 1);
    }
}

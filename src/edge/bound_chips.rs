//! Chips that a driver of the kernel owns: found in sysfs, and read through its files.
//!
//! ```text
//! /sys/bus/i2c/devices/1-0040/driver          it is bound
//!                            /hwmon/hwmon2/   in1_input (mV), curr1_input (mA), shunt_resistor (uOhm)
//!                            /power_supply/X/ voltage_now (uV), current_now (uA), capacity (%)
//! ```
//!
//! The kernel's `ina2xx` believes in a shunt of 10 mOhm unless it was told otherwise, so its current
//! is scaled by the shunt that it believes in and the one that the board has.
//!
//! Never talks to a chip, and never takes one away from its driver. Sources: kernel:
//! Documentation/hwmon/ina2xx.rst, Documentation/ABI/testing/sysfs-class-power.

use super::power_supply::fault_of;
use crate::chip::Sample;
use crate::config::board::{ChipPlan, Driver};
use crate::core::fact::Fault;
use crate::units::{Milliamps, Millivolts, Permille};
use std::fs;
use std::path::{Path, PathBuf};

/// The devices of all I2C buses of a machine.
#[derive(Debug)]
pub struct BoundChips {
    devices: PathBuf,
}

impl BoundChips {
    /// Those of the machine whose `/sys` is below `root`.
    pub fn new(root: &Path) -> BoundChips {
        BoundChips {
            devices: root.join("sys/bus/i2c/devices"),
        }
    }

    /// The driver that owns the chip, if one does.
    pub fn driver(&self, bus: u8, address: u8) -> Option<Box<str>> {
        let link = fs::read_link(self.device(bus, address).join("driver")).ok()?;
        Some(link.file_name()?.to_string_lossy().into())
    }

    /// What the driver's files tell.
    ///
    /// # Errors
    /// [`Fault::Taken`] when the driver has no files of either kind, and whatever the kernel says
    /// when they are read.
    pub fn sample(&self, chip: &ChipPlan, driver: &str) -> Result<Sample, Fault> {
        let device = self.device(chip.bus, chip.address);
        if let Some(monitor) = only_child(&device.join("hwmon")) {
            return monitored(&monitor, &chip.driver);
        }
        if let Some(supply) = only_child(&device.join("power_supply")) {
            return supplied(&supply, &chip.driver);
        }
        Err(Fault::Taken {
            by: Some(format!("kernel driver {driver}").into()),
        })
    }

    fn device(&self, bus: u8, address: u8) -> PathBuf {
        self.devices.join(format!("{bus}-{address:04x}"))
    }
}

/// The first entry of a directory that has one; of several, the first by name.
fn only_child(directory: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(directory).ok()?.flatten();
    entries.map(|entry| entry.path()).min()
}

fn monitored(files: &Path, driver: &Driver) -> Result<Sample, Fault> {
    let voltage = number(files, "in1_input")?;
    let current = match optional(files, "curr1_input")? {
        None => None,
        Some(milli) => {
            let believed = optional(files, "shunt_resistor")?;
            Some(Milliamps(fits(in_truth(milli, believed, driver))?))
        }
    };
    Ok(Sample {
        voltage: Some(Millivolts(fits(voltage)?)),
        charge: None,
        current,
    })
}

/// The current into the battery, when the driver believes in this shunt.
fn in_truth(milli: i64, believed: Option<i64>, driver: &Driver) -> i64 {
    match driver {
        Driver::Ina219 {
            micro_ohms,
            charging_positive,
            ..
        } => {
            let shunt = i64::from((*micro_ohms).max(1));
            let milli = milli.saturating_mul(believed.unwrap_or(shunt)) / shunt;
            if *charging_positive { milli } else { -milli }
        }
        Driver::Max1704x(_) | Driver::Registers { .. } | Driver::Framed(_) => milli,
    }
}

fn supplied(files: &Path, driver: &Driver) -> Result<Sample, Fault> {
    let voltage = number(files, "voltage_now")?;
    let charge = optional(files, "capacity")?;
    let current = optional(files, "current_now")?;
    let current = current.map(|micro| in_truth(micro / 1000, None, driver));
    Ok(Sample {
        voltage: Some(Millivolts(fits(voltage / 1000)?)),
        charge: match charge {
            None => None,
            // Some gauges count beyond all.
            Some(percent) => Some(Permille(fits(percent.min(100).saturating_mul(10))?)),
        },
        current: match current {
            None => None,
            Some(milli) => Some(Milliamps(fits(milli)?)),
        },
    })
}

/// A file that must be there.
fn number(files: &Path, name: &str) -> Result<i64, Fault> {
    optional(files, name)?.ok_or(Fault::Absent)
}

/// A whole number; `None` if the driver has no such file.
fn optional(files: &Path, name: &str) -> Result<Option<i64>, Fault> {
    match fs::read_to_string(files.join(name)) {
        Ok(text) => match text.trim().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Fault::Implausible),
        },
        Err(error) => match fault_of(&error) {
            Fault::Absent => Ok(None),
            other => Err(other),
        },
    }
}

fn fits<T: TryFrom<i64>>(number: i64) -> Result<T, Fault> {
    T::try_from(number).map_err(|_| Fault::Implausible)
}

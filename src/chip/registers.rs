//! A controller or gauge of which a board file lists the registers.
//!
//! ```text
//! one or two bytes ──mask──► bits ──encoding──► number ──times, divided_by, plus──► mV, mA or %
//! ```
//!
//! Terms: a *field* is where one quantity stands and how it is written there; a *layout* has the
//! fields of a chip. Two bytes that are read one by one may belong to two moments: the high one is
//! read again, and counts only if it is the same.
//!
//! Never writes anything but the one register that wakes a chip up, where the layout has one.

use super::{Bus, Chip, Sample, Trouble};
use crate::units::{Milliamps, Millivolts, Permille};

/// How often a register is read until it is believed.
const READS: usize = 20;

/// The largest charge that is believed, in thousandths of a full battery.
const CHARGE_HIGHEST: i64 = 1_100;

/// How many bytes a field has, and in which order they are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// It has one.
    Byte,
    /// Two, the high one first.
    HighFirst,
    /// Two, the low one first.
    LowFirst,
}

/// How a number is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// As bits.
    Binary,
    /// A decimal digit in each four bits.
    Bcd,
    /// Whole ones in the high byte, hundredths in the low one; the number is one of hundredths.
    Hundredths,
}

/// Where a quantity stands, and how it is written there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// The register of the first byte.
    pub register: u8,
    /// Its bytes.
    pub order: Order,
    /// Bits that count; the lowest of them counts one. Not 0.
    pub mask: u16,
    /// How they are a number.
    pub encoding: Encoding,
    /// The highest of them is the sign.
    pub signed: bool,
    /// The number is multiplied by this,
    pub times: u32,
    /// divided by this (not 0),
    pub divided_by: u32,
    /// and this is added: in millivolts, milliamperes or percent.
    pub plus: i32,
    /// What is larger than this is not believed.
    pub most: Option<u32>,
}

/// How a chip wants to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manner {
    /// Byte by byte: it refuses longer reads.
    pub bytewise: bool,
    /// A value counts when so many reads in a row are alike; from 1.
    pub alike: u8,
}

/// A register that tells whether this is the chip that it should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Id {
    /// The register, one byte.
    pub register: u8,
    /// What it holds.
    pub value: u8,
}

/// A register that wakes a chip up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wake {
    /// The register, one byte.
    pub register: u8,
    /// Bits that are all 0 while it is awake. Then nothing is written.
    pub mask: u8,
    /// What is written otherwise.
    pub value: u8,
}

/// What is looked at before a chip is believed, or told anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Proof {
    /// By what it is known.
    pub id: Option<Id>,
    /// What wakes it up.
    pub wake: Option<Wake>,
}

/// What is known of a chip.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    /// How it is read.
    pub manner: Manner,
    /// That it is this chip, and awake.
    pub proof: Proof,
    /// Voltage of the pack.
    pub voltage: Option<Field>,
    /// What is left, in percent.
    pub charge: Option<Field>,
    /// Current of the battery.
    pub current: Option<Field>,
    /// A positive current charges the battery.
    pub charging_positive: bool,
}

impl Field {
    /// The quantity in parts of its unit, `fine` of which are one. `None` if the bits are no number, or
    /// one that is too large.
    fn quantity(&self, raw: u16, fine: i64) -> Option<i64> {
        let number = self.number(raw)?;
        let scaled = number * i64::from(self.times) * fine / i64::from(self.divided_by.max(1));
        let value = scaled + i64::from(self.plus) * fine;
        let within = |most: u32| value <= i64::from(most) * fine;
        self.most.is_none_or(within).then_some(value)
    }

    /// The bits as a number.
    fn number(&self, raw: u16) -> Option<i64> {
        let mask = if self.mask == 0 { u16::MAX } else { self.mask };
        let bits = (raw & mask) >> mask.trailing_zeros();
        let width = 16 - mask.leading_zeros() - mask.trailing_zeros();
        match self.encoding {
            Encoding::Binary if self.signed && bits >> (width - 1) & 1 == 1 => {
                Some(i64::from(bits) - (1 << width))
            }
            Encoding::Binary => Some(i64::from(bits)),
            Encoding::Bcd => [12, 8, 4, 0].into_iter().try_fold(0, |number, shift| {
                let digit = i64::from(bits >> shift & 0xF);
                (digit < 10).then_some(number * 10 + digit)
            }),
            Encoding::Hundredths => {
                let [whole, part] = bits.to_be_bytes().map(i64::from);
                (part < 100).then_some(whole * 100 + part)
            }
        }
    }

    /// The quantity in its unit, rounded towards zero; and whether all bits that were read are alike,
    /// as they are on a bus that is stuck.
    ///
    /// # Errors
    /// When the chip does not answer, or says what is no such quantity.
    pub fn look(
        &self,
        bus: &mut dyn Bus,
        address: u8,
        manner: Manner,
    ) -> Result<(i64, bool), Trouble> {
        let raw = self.settled(bus, address, manner)?;
        let value = self.quantity(raw, 1).ok_or(Trouble::Implausible)?;
        Ok((value, self.stuck(raw)))
    }

    /// All bits are alike, those that do not count as well, as a bus has them that is held.
    fn stuck(&self, raw: u16) -> bool {
        let ones = match self.order {
            Order::Byte => 0xFF,
            Order::HighFirst | Order::LowFirst => u16::MAX,
        };
        raw == 0 || raw == ones
    }

    /// The quantity in parts of its unit, `fine` of which are one.
    fn read(
        &self,
        bus: &mut dyn Bus,
        address: u8,
        manner: Manner,
        fine: i64,
    ) -> Result<i64, Trouble> {
        let raw = self.settled(bus, address, manner)?;
        self.quantity(raw, fine).ok_or(Trouble::Implausible)
    }

    /// What is read so many times in a row as the chip wants it.
    fn settled(&self, bus: &mut dyn Bus, address: u8, manner: Manner) -> Result<u16, Trouble> {
        let mut last = self.raw(bus, address, manner)?;
        let mut alike = 1;
        for _ in 1..READS {
            if alike >= manner.alike {
                break;
            }
            let next = self.raw(bus, address, manner)?;
            alike = if next == last { alike + 1 } else { 1 };
            last = next;
        }
        match alike >= manner.alike {
            true => Ok(last),
            false => Err(Trouble::Implausible),
        }
    }

    fn raw(&self, bus: &mut dyn Bus, address: u8, manner: Manner) -> Result<u16, Trouble> {
        let first = self.register;
        let pair = match (self.order, manner.bytewise) {
            (Order::Byte, _) => return Ok(u16::from(byte(bus, address, first)?)),
            (Order::HighFirst | Order::LowFirst, false) => {
                let mut pair = [0; 2];
                bus.read(address, first, &mut pair)?;
                pair
            }
            (Order::HighFirst | Order::LowFirst, true) => self.pair(bus, address)?,
        };
        Ok(match self.order {
            Order::LowFirst => u16::from_le_bytes(pair),
            Order::HighFirst | Order::Byte => u16::from_be_bytes(pair),
        })
    }

    /// Two bytes one by one, of one moment.
    fn pair(&self, bus: &mut dyn Bus, address: u8) -> Result<[u8; 2], Trouble> {
        let (first, second) = (self.register, self.register.wrapping_add(1));
        let low_first = self.order == Order::LowFirst;
        let (high, low) = if low_first {
            (second, first)
        } else {
            (first, second)
        };
        for _ in 0..READS {
            let before = byte(bus, address, high)?;
            let lower = byte(bus, address, low)?;
            if byte(bus, address, high)? == before {
                return Ok(if low_first {
                    [lower, before]
                } else {
                    [before, lower]
                });
            }
        }
        Err(Trouble::Implausible)
    }
}

fn byte(bus: &mut dyn Bus, address: u8, register: u8) -> Result<u8, Trouble> {
    let mut byte = [0];
    bus.read(address, register, &mut byte)?;
    Ok(byte[0])
}

impl Proof {
    /// The chip at this address is the one that it should be, and is awake. One that sleeps is woken up
    /// for the next time; nothing is written to another chip.
    ///
    /// # Errors
    /// When it does not answer, is another one, or was asleep.
    pub fn check(self, bus: &mut dyn Bus, address: u8) -> Result<(), Trouble> {
        if let Some(Id { register, value }) = self.id
            && byte(bus, address, register)? != value
        {
            return Err(Trouble::Implausible);
        }
        if let Some(wake) = self.wake
            && byte(bus, address, wake.register)? & wake.mask != 0
        {
            bus.write(address, wake.register, &[wake.value])?;
            return Err(Trouble::NotReady);
        }
        Ok(())
    }
}

impl Layout {
    /// It tells anything of the battery.
    pub fn tells(&self) -> bool {
        self.voltage.is_some() || self.charge.is_some() || self.current.is_some()
    }
}

/// A chip with a layout.
#[derive(Debug)]
pub struct Registers {
    address: u8,
    layout: Layout,
}

impl Registers {
    /// The chip at this address.
    pub fn new(address: u8, layout: Layout) -> Registers {
        Registers { address, layout }
    }

    fn current(&self, milli: i64) -> Milliamps {
        let into = if self.layout.charging_positive {
            milli
        } else {
            -milli
        };
        let most = i64::from(i32::MAX);
        Milliamps(i32::try_from(into.clamp(-most, most)).unwrap_or(i32::MAX))
    }
}

impl Chip for Registers {
    /// A voltage that is not believed makes all the rest doubtful: a bus that is held down tells of an
    /// empty battery. A charge or a current that is not believed leaves the voltage as it is.
    fn poll(&mut self, bus: &mut dyn Bus) -> Result<Sample, Trouble> {
        let (address, manner) = (self.address, self.layout.manner);
        self.layout.proof.check(bus, address)?;
        let voltage = match &self.layout.voltage {
            Some(field) => Some(voltage(field, bus, address, manner)?),
            None => None,
        };
        let mut read = |field: &Option<Field>, fine| match field {
            Some(field) => believed(field.read(bus, address, manner, fine)),
            None => Ok(None),
        };
        let charge = read(&self.layout.charge, 10)?.and_then(charge);
        let current = read(&self.layout.current, 1)?;
        let sample = Sample {
            voltage,
            charge,
            current: current.map(|milli| self.current(milli)),
        };
        match sample == Sample::default() {
            true => Err(Trouble::Implausible),
            false => Ok(sample),
        }
    }
}

/// The voltage. A negative one is none that a battery has, and neither is one that a bus tells that is
/// held up or down: where something is added to it, that would be a voltage as any other.
fn voltage(
    field: &Field,
    bus: &mut dyn Bus,
    address: u8,
    manner: Manner,
) -> Result<Millivolts, Trouble> {
    let (milli, stuck) = field.look(bus, address, manner)?;
    let milli = u32::try_from(milli).ok().filter(|_| !stuck);
    milli.map(Millivolts).ok_or(Trouble::Implausible)
}

/// What is left, of this in thousandths; `None` if it is no such share. Gauges may count a little
/// beyond all.
fn charge(permille: i64) -> Option<Permille> {
    let share = (0..=CHARGE_HIGHEST).contains(&permille);
    let all = u16::try_from(permille.min(1000)).ok()?;
    share.then_some(Permille(all))
}

/// `None` in place of what was read and is not believed.
fn believed(read: Result<i64, Trouble>) -> Result<Option<i64>, Trouble> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(Trouble::Implausible) => Ok(None),
        Err(why @ (Trouble::Bus(_) | Trouble::NotReady)) => Err(why),
    }
}

#[cfg(test)]
mod tests;

//! DS3231: a clock with a battery, its mark that the clock had stopped, and its temperature.
//!
//! Time is BCD in seven registers, latched by the chip when a read begins, so that one transfer is of
//! one moment. Hours may count to 12 (bit 6, then bit 5 is PM). The chip counts 100 years and flags
//! the hundred (bit 7 of the month); a year 00 is 2000.
//!
//! The mark stays until somebody clears it, which is the business of whoever sets the clock. Never
//! writes a register.
//!
//! Sources: DS3231 datasheet (registers); kernel: drivers/rtc/rtc-ds1307.c (year 2000, hours).

use super::{Bus, Trouble};
use crate::units::{MilliCelsius, Wall};

/// Its only address.
pub const ADDRESS: u8 = 0x68;

const TIME: u8 = 0x00;
const STATUS: u8 = 0x0F;
const TEMPERATURE: u8 = 0x11;

/// OSF: the oscillator is stopped, or was since this was cleared.
const STOPPED: u8 = 0x80;

/// What it says about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct About {
    /// Its oscillator had stopped: its time is wrong.
    pub stopped: bool,
    /// Its temperature, in steps of a quarter of a degree.
    pub temperature: MilliCelsius,
}

/// Reads the time.
///
/// # Errors
/// When a transfer fails, or the digits are no time.
pub fn time(bus: &mut dyn Bus) -> Result<Wall, Trouble> {
    let mut registers = [0; 7];
    bus.read(ADDRESS, TIME, &mut registers)?;
    decode(registers).ok_or(Trouble::Implausible)
}

/// Reads what it says about itself.
///
/// # Errors
/// When a transfer fails.
pub fn about(bus: &mut dyn Bus) -> Result<About, Trouble> {
    let (mut status, mut heat) = ([0; 1], [0; 2]);
    bus.read(ADDRESS, STATUS, &mut status)?;
    bus.read(ADDRESS, TEMPERATURE, &mut heat)?;
    let [whole, quarters] = heat;
    let milli = i32::from(whole.cast_signed()) * 1000 + i32::from(quarters >> 6) * 250;
    Ok(About {
        stopped: status[0] & STOPPED != 0,
        temperature: MilliCelsius(milli),
    })
}

fn decode([second, minute, hour, _, day, month, year]: [u8; 7]) -> Option<Wall> {
    let century = if month & 0x80 == 0 { 2000 } else { 2100 };
    let hour = match hour & 0x40 {
        0 => digits(hour & 0x3F)?,
        // 12 at night is 0, 12 at noon is 12.
        _ => match digits(hour & 0x1F)? {
            twelve @ 1..=12 => twelve % 12 + if hour & 0x20 == 0 { 0 } else { 12 },
            _ => return None,
        },
    };
    let date = jiff::civil::DateTime::new(
        century + i16::from(digits(year)?),
        digits(month & 0x1F)?,
        digits(day & 0x3F)?,
        hour,
        digits(minute & 0x7F)?,
        digits(second & 0x7F)?,
        0,
    );
    let time = date.ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Wall::new(time.timestamp().as_second())
}

/// Two decimal digits in a byte.
fn digits(bcd: u8) -> Option<i8> {
    let (tens, ones) = (bcd >> 4, bcd & 0x0F);
    (tens < 10 && ones < 10).then(|| (tens * 10 + ones).cast_signed())
}

//! A DS3231 by its registers, read by the code that is shipped where no driver of the kernel has it.
//!
//! On a noisy bus it gives a wrong time now and then (raspberrypi/linux#3282): a bit turns over on its
//! way, or a transfer is not acknowledged.
//!
//! Source: DS3231 datasheet (registers, hours of both kinds, the hundred in the month).

use crate::rng::Rng;
use fieldwarden::chip::{Bus, ds3231};
use fieldwarden::core::fact::{Errno, Fault, RtcSeen};
use fieldwarden::edge::bound_chips::BoundChips;
use fieldwarden::edge::rtc::LoneChip;
use std::path::Path;

/// The first second that it can show: 2000.
const FIRST: i64 = 946_684_800;

/// Its mark: the oscillator is stopped, or was.
const STOPPED: u8 = 0x80;

/// The chip, at one moment.
pub struct Ds3231 {
    /// The time that it shows, in seconds.
    pub time: i64,
    /// It counts hours to 12.
    pub twelve: bool,
    /// Its oscillator had stopped.
    pub stopped: bool,
    /// No transfer is acknowledged.
    pub gone: bool,
    /// Its bus is noisy.
    pub noisy: bool,
    /// What the noise is made of.
    pub rng: Rng,
}

fn bcd(n: i8) -> u8 {
    let n = n.unsigned_abs();
    n / 10 * 16 + n % 10
}

impl Ds3231 {
    /// The latest time that it can show is not later than this one.
    pub fn shows(time: i64) -> i64 {
        time.max(FIRST)
    }

    /// One look of the shipped code.
    pub fn look(self) -> Result<RtcSeen, Fault> {
        // No driver of this machine's kernel is asked: nothing is below this path.
        let nowhere = BoundChips::new(Path::new("/dev/null/simulated"));
        LoneChip::new(Box::new(self), nowhere).look()
    }

    fn hour(&self, hour: i8) -> u8 {
        match self.twelve {
            false => bcd(hour),
            true => {
                let half = if hour % 12 == 0 { 12 } else { hour % 12 };
                let afternoon = if hour < 12 { 0 } else { 0x20 };
                0x40 | afternoon | bcd(half)
            }
        }
    }

    fn registers(&self) -> [u8; 0x13] {
        let mut all = [0; 0x13];
        let stamp = jiff::Timestamp::from_second(Self::shows(self.time)).unwrap_or_default();
        let at = stamp.to_zoned(jiff::tz::TimeZone::UTC).datetime();
        let century = if at.year() < 2100 { 0 } else { 0x80 };
        all[0] = bcd(at.second());
        all[1] = bcd(at.minute());
        all[2] = self.hour(at.hour());
        all[3] = 1;
        all[4] = bcd(at.day());
        all[5] = century | bcd(at.month());
        all[6] = bcd(i8::try_from(at.year() % 100).unwrap_or(0));
        // The 32 kHz output is on, as it is after power on.
        all[0x0F] = 0x08 | if self.stopped { STOPPED } else { 0 };
        // 25.25 degrees.
        (all[0x11], all[0x12]) = (25, 0x40);
        all
    }
}

impl Bus for Ds3231 {
    fn read(&mut self, address: u8, register: u8, into: &mut [u8]) -> Result<(), Errno> {
        let silent = self.gone || self.noisy && self.rng.chance(10);
        if silent || address != ds3231::ADDRESS {
            return Err(Errno(121));
        }
        let all = self.registers();
        let from = all.iter().skip(usize::from(register));
        for (to, from) in into.iter_mut().zip(from) {
            *to = *from;
        }
        if self.noisy && self.rng.chance(30) && !into.is_empty() {
            let at = self.rng.next() % into.len() as u64;
            let bit = self.rng.range(0, 7);
            if let Some(byte) = into.get_mut(usize::try_from(at).unwrap_or(0)) {
                *byte ^= 1 << bit;
            }
        }
        Ok(())
    }

    fn write(&mut self, _: u8, _: u8, _: &[u8]) -> Result<(), Errno> {
        panic!("nothing is ever written to a clock");
    }
}

/// Without noise the time that comes out is the one that is in it, in either way to count hours; the
/// mark and the temperature as well.
#[test]
fn what_is_in_it_comes_out() {
    for twelve in [false, true] {
        for hour in 0..400 {
            let time = 1_893_456_000 + hour * 3_601 * 37;
            let chip = Ds3231 {
                time,
                twelve,
                stopped: hour % 2 == 0,
                gone: false,
                noisy: false,
                rng: Rng::new(1),
            };
            let seen = chip.look().expect("it answers");
            assert_eq!(seen.shown.map(|s| s.time.seconds()), Some(time));
            assert_eq!(seen.oscillator_stopped, Some(hour % 2 == 0));
            assert_eq!(seen.temperature.map(|t| t.0), Some(25_250));
        }
    }
}

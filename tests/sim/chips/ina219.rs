//! An INA219 by its registers: it converts all the time, computes current and power from its
//! calibration, and forgets all of its settings when it is without power for a moment.
//!
//! Source: TI SBOS448 (registers, conversion times, the reset bit, the worked example).

use super::Ails;
use crate::rng::Rng;

const CONFIGURATION: u8 = 0;
const SHUNT: u8 = 1;
const BUS: u8 = 2;
const POWER: u8 = 3;
const CURRENT: u8 = 4;
const CALIBRATION: u8 = 5;

/// What it holds after it was without power: 32 V, 320 mV, one sample of each, all the time.
const AT_POWER_ON: u16 = 0x399F;

/// Writing this bit to the configuration is the same as taking its power away.
const RESET: u16 = 0x8000;

/// A conversion has come to its end since the power was read or the configuration written.
const READY: u16 = 2;

/// Current and power do not fit into their registers.
const OVERFLOW: u16 = 1;

/// What it measures, in microvolts across the shunt and millivolts of the pack.
#[derive(Clone, Copy, Default)]
struct Input {
    shunt: i64,
    pack: i64,
}

/// The chip.
pub struct Ina219 {
    configuration: u16,
    calibration: u16,
    shunt: i16,
    bus: u16,
    current: i16,
    power: u16,
    input: Input,
    /// When the conversion that is under way began, in milliseconds.
    began: u64,
    /// What it ails has made a difference since it was last asked.
    pub felt: bool,
}

impl Ina219 {
    pub fn new() -> Ina219 {
        Ina219 {
            configuration: AT_POWER_ON,
            calibration: 0,
            shunt: 0,
            bus: 0,
            current: 0,
            power: 0,
            input: Input::default(),
            began: 0,
            felt: false,
        }
    }

    /// It was without power until now.
    pub fn lose_power(&mut self, now: u64) {
        let (input, began, felt) = (self.input, now, self.calibration != 0);
        *self = Ina219 {
            input,
            began,
            felt,
            ..Ina219::new()
        };
    }

    /// What it has at its pins from now on: microvolts across the shunt, millivolts of the pack.
    pub fn feel(&mut self, shunt: i64, pack: i64) {
        self.input = Input { shunt, pack };
    }

    /// How long both conversions take, in milliseconds: up to 12 bits in 0.532 ms, or the mean of
    /// so many samples.
    fn takes(&self) -> u64 {
        let one = |code: u16| 1u64 << if code & 8 == 0 { 0 } else { code & 7 };
        let samples = one(self.configuration >> 7 & 0xF) + one(self.configuration >> 3 & 0xF);
        (samples * 532).div_ceil(1_000)
    }

    /// Finishes the conversions that are over by now. Anything but "both, all the time" measures
    /// nothing that a driver of ours would ask for.
    fn convert(&mut self, now: u64, ails: Option<Ails>, rng: &mut Rng) {
        let both = self.configuration & 7 == 7;
        if !both || ails == Some(Ails::Frozen) || now < self.began + self.takes() {
            return;
        }
        let range = 40_000 << (self.configuration >> 11 & 3);
        let steps = |shunt: i64| i16::try_from(shunt.clamp(-range, range) / 10).unwrap_or(i16::MAX);
        let shunt = steps(self.input.shunt);
        let told = match ails {
            Some(Ails::CurrentStuck) => self.shunt,
            Some(Ails::Negated) => steps(-self.input.shunt),
            Some(_) | None => shunt,
        };
        let measured = (self.input.pack / 4).clamp(0, 8_000);
        let pack = match ails {
            Some(Ails::VoltageStuck) => i64::from(self.bus >> 3),
            Some(_) | None => measured,
        };
        self.felt |= told != shunt || pack != measured || ails == Some(Ails::Overflown);
        self.shunt = told;
        let current = i64::from(self.shunt) * i64::from(self.calibration) / 4_096;
        let power = current.abs() * pack / 5_000;
        let fits = i16::try_from(current).ok().zip(u16::try_from(power).ok());
        let overflows = ails == Some(Ails::Overflown) || fits.is_none();
        (self.current, self.power) = match fits.filter(|_| !overflows) {
            Some(fits) => fits,
            // Whatever is left of a product that is too long.
            None => {
                let rest = rng.next().to_le_bytes();
                let word = |at: usize| u16::from_le_bytes([rest[at], rest[at + 1]]);
                (word(0).cast_signed(), word(2))
            }
        };
        let flag = if overflows { OVERFLOW } else { 0 };
        self.bus = u16::try_from(pack).unwrap_or(0) << 3 | READY | flag;
    }

    /// What is in a register.
    pub fn read(
        &mut self,
        register: u8,
        now: u64,
        ails: Option<Ails>,
        rng: &mut Rng,
    ) -> Option<u16> {
        self.convert(now, ails, rng);
        Some(match register {
            CONFIGURATION => self.configuration,
            SHUNT => self.shunt.cast_unsigned(),
            BUS if ails == Some(Ails::Unready) => {
                self.felt |= self.bus & READY != 0;
                self.bus & !READY
            }
            BUS => self.bus,
            POWER => {
                self.bus &= !READY;
                self.power
            }
            CURRENT => self.current.cast_unsigned(),
            CALIBRATION => self.calibration,
            _ => return None,
        })
    }

    /// Something is written. A conversion begins anew with each setting.
    pub fn write(&mut self, register: u8, word: u16, now: u64, ails: Option<Ails>) {
        let keeps = ails != Some(Ails::Forgets);
        self.felt |= !keeps;
        match register {
            CONFIGURATION if word & RESET != 0 => self.lose_power(now),
            CONFIGURATION if keeps => {
                self.configuration = word;
                self.bus &= !READY;
                self.began = now;
            }
            // Its last bit is not kept.
            CALIBRATION if keeps => {
                self.calibration = word & !1;
                self.began = now;
            }
            _ => {}
        }
    }
}

/// The worked example of the data sheet: 10 A through 2 mOhm at 11.98 V, with a step of 1 mA.
#[test]
fn as_its_data_sheet_says() {
    let mut rng = Rng::new(1);
    let mut chip = Ina219::new();
    chip.feel(20_000, 11_980);
    let mut read = |chip: &mut Ina219, now| {
        [SHUNT, BUS, CURRENT, POWER].map(|r| chip.read(r, now, None, &mut rng).unwrap_or(0))
    };
    assert_eq!(read(&mut chip, 0), [0, 0, 0, 0], "nothing is measured yet");
    assert_eq!(read(&mut chip, 2), [2_000, 0x5D98 | READY, 0, 0]);
    chip.write(CALIBRATION, 0x5001, 10, None);
    assert_eq!(read(&mut chip, 11)[2], 0, "it needs a moment");
    assert_eq!(read(&mut chip, 12), [2_000, 0x5D98 | READY, 10_000, 0x1766]);
    chip.write(CONFIGURATION, 0x3EEF, 20, None);
    chip.feel(-20_000, 11_980);
    assert_eq!(read(&mut chip, 54)[..3], [2_000, 0x5D98, 10_000]);
    let out = (-10_000i16).cast_unsigned();
    assert_eq!(read(&mut chip, 55)[2..], [out, 0x1766]);
    chip.lose_power(60);
    let settings = [CONFIGURATION, CALIBRATION].map(|r| chip.read(r, 99, None, &mut Rng::new(1)));
    assert_eq!(settings, [Some(AT_POWER_ON), Some(0)]);
}

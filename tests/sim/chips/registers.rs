//! A chip of which a board file lists the registers: its memory, filled as the file says that its maker
//! does. What the file leaves out is noise.

use super::Ails;
use crate::board_file::OTHERS;
use crate::rng::Rng;
use fieldwarden::chip::registers::{Encoding, Field, Layout, Order};
use fieldwarden::config::board::MainsBy;

/// The chip.
pub struct Registers {
    bytes: [u8; 256],
    layout: Layout,
    /// It does not answer when it is asked for mains.
    pub silent: bool,
    /// Registers that tell of mains.
    of_mains: Vec<u8>,
    /// What its current was last: some chips stand still.
    current: i64,
    voltage: i64,
}

impl Registers {
    pub fn new(layout: &Layout, mains: &MainsBy, address: u8) -> Registers {
        let (mut bytes, mut rng) = ([0; 256], Rng::new(u64::from(address)));
        for byte in &mut bytes {
            *byte = rng.next().to_le_bytes()[0];
        }
        let of_mains = match mains {
            MainsBy::Register {
                address: at,
                register,
                ..
            } if *at == address => vec![*register],
            MainsBy::Voltage {
                address: at,
                inputs,
                ..
            } if *at == address => inputs.iter().map(|field| field.register).collect(),
            _ => vec![],
        };
        let mut chip = Registers {
            bytes,
            layout: layout.clone(),
            silent: true,
            of_mains,
            current: 0,
            voltage: 0,
        };
        chip.lose_power();
        chip
    }

    /// It was without power: it knows who it is, and sleeps.
    pub fn lose_power(&mut self) {
        if let Some(id) = self.layout.proof.id {
            self.bytes[usize::from(id.register)] = id.value;
        }
        if let Some(wake) = self.layout.proof.wake {
            self.bytes[usize::from(wake.register)] = wake.mask;
        }
    }

    /// What it has at its pins, in millivolts, thousandths and milliamperes into the battery; says
    /// whether what it ails makes a difference.
    pub fn feel(&mut self, voltage: i64, share: i64, current: i64, ails: Option<Ails>) -> bool {
        let was = (self.voltage, self.current);
        let (told, voltage_told) = match ails {
            Some(Ails::Negated) => (-current, voltage),
            Some(Ails::CurrentStuck) => (was.1, voltage),
            Some(Ails::VoltageStuck) => (current, was.0),
            Some(_) | None => (current, voltage),
        };
        let charge = match ails {
            Some(Ails::ChargeEmpty) => 0,
            Some(Ails::ChargeFull) => 1_000,
            Some(_) | None => share,
        };
        (self.voltage, self.current) = (voltage_told, told);
        let sign = if self.layout.charging_positive { 1 } else { -1 };
        let Layout {
            voltage: v,
            charge: c,
            current: i,
            ..
        } = self.layout.clone();
        let mut wrong = false;
        if let Some(field) = v {
            self.put(&field, voltage_told, 1);
            wrong |= voltage_told != voltage;
        }
        if let Some(field) = c {
            self.put(&field, charge, 10);
            wrong |= charge != share;
        }
        if let Some(field) = i {
            self.put(&field, sign * told, 1);
            wrong |= told != current;
        }
        wrong
    }

    /// Whether mains are there; `None` if it does not answer that.
    pub fn tell(&mut self, mains: &MainsBy, there: Option<bool>) {
        if self.of_mains.is_empty() {
            return;
        }
        self.silent = there.is_none();
        let there = there.unwrap_or_default();
        match mains {
            MainsBy::Register {
                register,
                mask,
                present,
                ..
            } => {
                let bits = if there { *present } else { present ^ mask };
                self.bytes[usize::from(*register)] = (bits & mask) | (OTHERS & !mask);
            }
            MainsBy::Voltage { inputs, .. } => {
                // Power comes in at the last one; the others have what leaks into them.
                for (at, field) in inputs.clone().iter().enumerate() {
                    let last = at + 1 == inputs.len();
                    self.put(field, if there && last { 5_050 } else { 120 }, 1);
                }
            }
            _ => {}
        }
    }

    /// Writes a quantity as its field says, `fine` parts of which are one.
    fn put(&mut self, field: &Field, value: i64, fine: i64) {
        let plus = i64::from(field.plus) * fine;
        let number = (value - plus) * i64::from(field.divided_by) / (i64::from(field.times) * fine);
        let bits = match field.encoding {
            Encoding::Binary => number,
            Encoding::Bcd => [1_000, 100, 10, 1]
                .into_iter()
                .fold(0, |bits, ten| (bits << 4) | (number / ten % 10)),
            Encoding::Hundredths => ((number / 100) << 8) | (number % 100),
        };
        let mask = i64::from(field.mask);
        let room = (bits << field.mask.trailing_zeros()) & mask;
        let at = usize::from(field.register);
        match field.order {
            Order::Byte => {
                let held = i64::from(self.bytes[at]) & !mask;
                self.bytes[at] = u8::try_from((room | held) & 0xFF).unwrap_or(0);
            }
            Order::HighFirst | Order::LowFirst => {
                let [high, low] = match field.order {
                    Order::HighFirst => [at, at + 1],
                    _ => [at + 1, at],
                };
                let held = i64::from(u16::from_be_bytes([self.bytes[high], self.bytes[low]]));
                let word = u16::try_from((room | (held & !mask)) & 0xFFFF).unwrap_or(0);
                [self.bytes[high], self.bytes[low]] = word.to_be_bytes();
            }
        }
    }

    /// A register, if it answers.
    pub fn byte(&self, register: u8) -> Option<u8> {
        let unsaid = self.silent && self.of_mains.contains(&register);
        (!unsaid).then(|| self.bytes[usize::from(register)])
    }

    /// Two registers, the first one in the high byte.
    pub fn word(&self, register: u8) -> Option<u16> {
        let unsaid = self.silent && self.of_mains.contains(&register);
        let next = self.bytes[usize::from(register.wrapping_add(1))];
        (!unsaid).then(|| u16::from_be_bytes([self.bytes[usize::from(register)], next]))
    }

    /// Something is written.
    pub fn write(&mut self, register: u8, byte: u8, ails: Option<Ails>) {
        if ails != Some(Ails::Forgets) {
            self.bytes[usize::from(register)] = byte;
        }
    }
}

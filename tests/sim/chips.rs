//! The chips of a board, register by register, on a bus on which transfers go wrong.
//!
//! They are read by the code that is shipped (`edge::gauge`), with its tries and its judgement.

use crate::outage::cell::Cell;
use crate::rng::Rng;
use fieldwarden::chip::Bus;
use fieldwarden::config::board::{Board, ChipPlan, Driver};
use fieldwarden::core::fact::{Errno, Fact};
use fieldwarden::edge::bound_chips::BoundChips;
use fieldwarden::edge::gauge::Gauge;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// What a chip or its bus does wrong for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ails {
    /// Most transfers are not acknowledged.
    Naks,
    /// No transfer is.
    Gone,
    /// They are drawn out: the chip holds the clock.
    Stretched,
    /// The data line is held down: all bits are zero.
    HeldDown,
    /// It is held up: all bits are one.
    HeldUp,
    /// The bytes of each word change places.
    Swapped,
    /// The charge is zero.
    ChargeEmpty,
    /// The charge is all there is.
    ChargeFull,
    /// The registers do not change any more.
    Frozen,
}

impl Ails {
    /// Readings that are not those of the battery.
    pub const LIES: [Ails; 5] = [
        Ails::HeldDown,
        Ails::HeldUp,
        Ails::Swapped,
        Ails::ChargeEmpty,
        Ails::ChargeFull,
    ];
}

/// A bus, and the registers behind it.
#[derive(Clone)]
struct Wire(Arc<Mutex<Registers>>);

struct Registers {
    /// By address and number.
    words: BTreeMap<(u8, u8), u16>,
    ails: Option<Ails>,
    rng: Rng,
}

impl Registers {
    fn transfer(&mut self) -> Result<(), Errno> {
        let nak = match self.ails {
            Some(Ails::Naks) => self.rng.chance(90),
            Some(Ails::Gone) => true,
            Some(_) | None => false,
        };
        // EREMOTEIO: how the Pi's controller says that nobody answers.
        if nak { Err(Errno(121)) } else { Ok(()) }
    }

    fn word(&self, address: u8, register: u8) -> Result<u16, Errno> {
        let word = self.words.get(&(address, register)).ok_or(Errno(121))?;
        Ok(match self.ails {
            Some(Ails::HeldDown) => 0,
            Some(Ails::HeldUp) => u16::MAX,
            Some(Ails::Swapped) => word.swap_bytes(),
            Some(_) | None => *word,
        })
    }
}

impl Bus for Wire {
    fn read(&mut self, address: u8, register: u8, into: &mut [u8]) -> Result<(), Errno> {
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inside.transfer()?;
        let bytes = inside.word(address, register)?.to_be_bytes();
        for (to, from) in into.iter_mut().zip(bytes) {
            *to = from;
        }
        Ok(())
    }

    fn write(&mut self, address: u8, register: u8, bytes: &[u8]) -> Result<(), Errno> {
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inside.transfer()?;
        if let [high, low] = *bytes {
            let word = u16::from_be_bytes([high, low]);
            inside.words.insert((address, register), word);
        }
        Ok(())
    }
}

/// The chips of a board, and what they measure.
pub struct Chips {
    board: Board,
    wire: Wire,
    driver: Gauge,
}

impl Chips {
    /// Those of a board; `None` if it has none.
    pub fn of(board: &Board, rng: &mut Rng) -> Option<Chips> {
        if board.chips.is_empty() {
            return None;
        }
        let wire = Wire(Arc::new(Mutex::new(Registers {
            words: BTreeMap::new(),
            ails: None,
            rng: Rng::new(rng.next()),
        })));
        let driver = driver(board, &wire);
        Some(Chips {
            board: board.clone(),
            wire,
            driver,
        })
    }

    /// Another daemon: it knows nothing of what the one before it did to them.
    pub fn open(&mut self) {
        self.driver = driver(&self.board, &self.wire);
    }

    /// One look, as the shipped code takes it.
    pub fn look(&mut self, cell: &Cell, ails: Option<Ails>) -> Vec<Fact> {
        {
            let mut inside = self.wire.0.lock().unwrap_or_else(PoisonError::into_inner);
            inside.ails = ails;
            if ails != Some(Ails::Frozen) {
                for chip in &self.board.chips {
                    measure(chip, cell, &mut inside);
                }
            }
        }
        self.driver.look().facts
    }
}

fn driver(board: &Board, wire: &Wire) -> Gauge {
    // No driver of this machine's kernel is asked: nothing is below this path.
    let nowhere = BoundChips::new(Path::new("/dev/null/simulated"));
    Gauge::of(board, Box::new(wire.clone()), nowhere).pausing(|_| {})
}

fn word(n: i64) -> u16 {
    u16::try_from(n.clamp(0, 65_535)).unwrap_or(0)
}

/// What the registers of a chip say of the cell, with a little noise.
fn measure(chip: &ChipPlan, cell: &Cell, inside: &mut Registers) {
    let noise = inside.rng.range(0, 6).cast_signed() - 3;
    let voltage = cell.voltage() + noise;
    match chip.driver {
        // VCELL in steps of 1.25 mV above four bits, SOC in 256ths of a percent.
        Driver::Max1704x(_) => {
            let charge = match inside.ails {
                Some(Ails::ChargeEmpty) => 0,
                Some(Ails::ChargeFull) => 25_600,
                Some(_) | None => cell.share() * 256 / 10,
            };
            let volts = word(voltage * 4 / 5) << 4;
            inside.words.insert((chip.address, 0x02), volts);
            inside.words.insert((chip.address, 0x04), word(charge));
        }
        Driver::Ina219 { .. } | Driver::Registers => {}
    }
}

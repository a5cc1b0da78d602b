//! The chips of a board, register by register, on a bus on which transfers go wrong.
//!
//! They are read by the code that is shipped (`edge::gauge`), with its tries and its judgement.

pub mod ds3231;
mod framed;
mod ina219;
mod registers;

use crate::outage::cell::Cell;
use crate::rng::Rng;
use fieldwarden::chip::Bus;
use fieldwarden::config::board::{Board, ChipPlan, Driver};
use fieldwarden::core::fact::Errno;
use fieldwarden::edge::bound_chips::BoundChips;
use fieldwarden::edge::gauge::{Gauge, Look};
use framed::{Ask, Framed};
use ina219::Ina219;
use registers::Registers;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a chip or its bus does wrong for a while.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Ails {
    /// Most transfers are not acknowledged.
    Naks,
    /// No transfer is.
    Gone,
    /// They are drawn out: the chip holds the clock, and the controller loses bits then.
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
    /// The chip was without power for a moment since the last look: its calibration is lost.
    Reset,
    /// It keeps no settings that are written.
    Forgets,
    /// Current and power are too large for their registers (OVF).
    Overflown,
    /// The current has the other sign.
    Negated,
    /// The current does not change any more, the voltage does.
    CurrentStuck,
    /// The voltage does not change any more, the current does.
    VoltageStuck,
    /// No conversion is ever told to have ended (CNVR).
    Unready,
}

impl Ails {
    /// All of them.
    pub const ALL: [Ails; 16] = [
        Ails::Naks,
        Ails::Gone,
        Ails::Stretched,
        Ails::HeldDown,
        Ails::HeldUp,
        Ails::Swapped,
        Ails::ChargeEmpty,
        Ails::ChargeFull,
        Ails::Frozen,
        Ails::Reset,
        Ails::Forgets,
        Ails::Overflown,
        Ails::Negated,
        Ails::CurrentStuck,
        Ails::VoltageStuck,
        Ails::Unready,
    ];

    /// Readings of a MAX1704x that are not those of the battery.
    const LIES: [Ails; 5] = [
        Ails::HeldDown,
        Ails::HeldUp,
        Ails::Swapped,
        Ails::ChargeEmpty,
        Ails::ChargeFull,
    ];

    /// The same of an INA219, and what it does to its settings.
    const LIES_OF_CURRENT: [Ails; 10] = [
        Ails::HeldDown,
        Ails::HeldUp,
        Ails::Swapped,
        Ails::Reset,
        Ails::Forgets,
        Ails::Overflown,
        Ails::Negated,
        Ails::CurrentStuck,
        Ails::VoltageStuck,
        Ails::Unready,
    ];

    /// The daemon is to notice nothing of it.
    pub fn is_harmless(self) -> bool {
        matches!(self, Ails::Reset | Ails::Unready)
    }

    /// Current and voltage contradict each other, in it or at its end: the sign of the current may be
    /// distrusted until the voltage bears it out.
    pub fn contradicts(self) -> bool {
        matches!(
            self,
            Ails::Negated | Ails::CurrentStuck | Ails::VoltageStuck | Ails::Stretched
        )
    }
}

/// A bus, and what is behind it.
#[derive(Clone)]
struct Wire(Arc<Mutex<Inside>>);

struct Inside {
    /// By address.
    parts: Vec<(u8, Part)>,
    ails: Option<Ails>,
    rng: Rng,
    /// When this look began, in milliseconds.
    now: u64,
    /// What it ails has made a difference in this look.
    felt: bool,
}

/// A chip as it is inside.
enum Part {
    /// VCELL in steps of 1.25 mV above four bits, SOC in 256ths of a percent.
    Max1704x {
        volts: u16,
        charge: u16,
    },
    Ina219(Ina219),
    /// One of which the board file lists the registers. It is silent about mains now and then.
    Registers(Box<Registers>),
    /// One with a protocol of its own.
    Framed(Framed),
}

std::thread_local! {
    /// For how long the driver has waited between its tries in this look, in milliseconds.
    static WAITED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

fn wait(time: Duration) {
    WAITED.set(WAITED.get() + crate::plan::millis(time));
}

impl Wire {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    /// A look begins.
    fn begin(&mut self, now: u64, ails: Option<Ails>) {
        (self.now, self.ails, self.felt) = (now, ails, false);
        for (_, part) in &mut self.parts {
            match part {
                Part::Ina219(chip) => chip.felt = false,
                Part::Max1704x { .. } | Part::Registers(_) | Part::Framed(_) => {}
            }
        }
    }

    fn transfer(&mut self) -> Result<(), Errno> {
        let nak = match self.ails {
            Some(Ails::Naks) => self.rng.chance(90),
            Some(Ails::Gone) => true,
            Some(_) | None => false,
        };
        self.felt |= nak;
        // EREMOTEIO: how the Pi's controller says that nobody answers.
        if nak { Err(Errno(121)) } else { Ok(()) }
    }

    /// What becomes of a word on its way.
    fn carried(&self, word: u16) -> u16 {
        match self.ails {
            Some(Ails::HeldDown) => 0,
            Some(Ails::HeldUp) => u16::MAX,
            Some(Ails::Swapped) => word.swap_bytes(),
            Some(_) | None => word,
        }
    }

    fn read(&mut self, address: u8, register: u8) -> Result<u16, Errno> {
        self.transfer()?;
        let (now, ails) = (self.now + WAITED.get(), self.ails);
        let part = self.parts.iter_mut().find(|(at, _)| *at == address);
        let word = match part.ok_or(Errno(121))? {
            (_, Part::Max1704x { volts, .. }) if register == 0x02 => Some(*volts),
            (_, Part::Max1704x { charge, .. }) if register == 0x04 => Some(*charge),
            (_, Part::Max1704x { .. } | Part::Framed(_)) => None,
            (_, Part::Registers(chip)) => chip.word(register),
            (_, Part::Ina219(chip)) => chip.read(register, now, ails, &mut self.rng),
        };
        let word = self.stretched(word.ok_or(Errno(121))?);
        let carried = self.carried(word);
        self.felt |= carried != word;
        Ok(carried)
    }

    /// A chip that holds the clock at the wrong moment: the Pi's controller loses the first bit of a
    /// byte, or takes the next one for it (facts: BCM2835 errata). Only words of a gauge: no other
    /// chip of these boards holds it.
    fn stretched(&mut self, word: u16) -> u16 {
        if self.ails != Some(Ails::Stretched) || !self.rng.chance(30) {
            return word;
        }
        let mut bytes = word.to_be_bytes();
        let hit = usize::from(self.rng.chance(50));
        bytes[hit] = match self.rng.chance(50) {
            true => bytes[hit] & 0x7f,
            // The line is up when nobody holds it.
            false => bytes[hit] << 1 | 1,
        };
        u16::from_be_bytes(bytes)
    }

    /// A register of one byte.
    fn read_byte(&mut self, address: u8, register: u8) -> Result<u8, Errno> {
        self.transfer()?;
        let part = self.parts.iter().find(|(at, _)| *at == address);
        let byte = match part {
            Some((_, Part::Registers(chip))) => chip.byte(register),
            Some((_, Part::Max1704x { .. } | Part::Ina219(_) | Part::Framed(_))) | None => None,
        };
        let byte = byte.ok_or(Errno(121))?;
        Ok(match self.ails {
            Some(Ails::HeldDown) => 0,
            Some(Ails::HeldUp) => u8::MAX,
            Some(_) | None => byte,
        })
    }

    fn write(&mut self, address: u8, register: u8, word: u16) -> Result<(), Errno> {
        self.transfer()?;
        let (now, ails, word) = (self.now + WAITED.get(), self.ails, self.carried(word));
        match self.parts.iter_mut().find(|(at, _)| *at == address) {
            Some((_, Part::Ina219(chip))) => chip.write(register, word, now, ails),
            // Nothing is written to a gauge whose charge would jump.
            Some((_, Part::Max1704x { .. } | Part::Registers(_) | Part::Framed(_))) | None => {
                return Err(Errno(121));
            }
        }
        Ok(())
    }

    fn write_byte(&mut self, address: u8, register: u8, byte: u8) -> Result<(), Errno> {
        self.transfer()?;
        let ails = self.ails;
        match self.parts.iter_mut().find(|(at, _)| *at == address) {
            Some((_, Part::Registers(chip))) => chip.write(register, byte, ails),
            Some((_, Part::Max1704x { .. } | Part::Ina219(_) | Part::Framed(_))) | None => {
                return Err(Errno(121));
            }
        }
        Ok(())
    }
}

impl Inside {
    /// A part with a protocol of its own: what it puts on the wire, and what becomes of that.
    fn framed(&mut self, address: u8, ask: Ask, into: &mut [u8]) -> Option<Result<(), Errno>> {
        let part = self.parts.iter_mut().find(|(at, _)| *at == address);
        let Some((_, Part::Framed(_))) = part else {
            return None;
        };
        if let Err(nak) = self.transfer() {
            return Some(Err(nak));
        }
        let (ails, part) = (
            self.ails,
            self.parts.iter_mut().find(|(at, _)| *at == address),
        );
        let Some((_, Part::Framed(chip))) = part else {
            return None;
        };
        let outcome = chip.ask(ask, into);
        for byte in into.iter_mut() {
            let was = *byte;
            *byte = match ails {
                Some(Ails::HeldDown) => 0,
                Some(Ails::HeldUp) => u8::MAX,
                Some(_) | None => was,
            };
            self.felt |= *byte != was;
        }
        // A chip that holds the clock: the first bit of what it says is lost.
        if ails == Some(Ails::Stretched) && self.rng.chance(30) {
            into.iter_mut().take(1).for_each(|byte| *byte &= 0x7f);
        }
        Some(outcome)
    }
}

impl Bus for Wire {
    fn receive(&mut self, address: u8, into: &mut [u8]) -> Result<(), Errno> {
        let mut inside = self.inside();
        inside
            .framed(address, Ask::Receive, into)
            .unwrap_or(Err(Errno(121)))
    }

    fn read(&mut self, address: u8, register: u8, into: &mut [u8]) -> Result<(), Errno> {
        if let Some(outcome) = self.inside().framed(address, Ask::Read(register), into) {
            return outcome;
        }
        if let [byte] = into {
            *byte = self.inside().read_byte(address, register)?;
            return Ok(());
        }
        let bytes = self.inside().read(address, register)?.to_be_bytes();
        for (to, from) in into.iter_mut().zip(bytes) {
            *to = from;
        }
        Ok(())
    }

    fn write(&mut self, address: u8, register: u8, bytes: &[u8]) -> Result<(), Errno> {
        let ask = Ask::Write(register, bytes);
        if let Some(outcome) = self.inside().framed(address, ask, &mut []) {
            return outcome;
        }
        match *bytes {
            [byte] => self.inside().write_byte(address, register, byte),
            [high, low] => {
                let word = u16::from_be_bytes([high, low]);
                self.inside().write(address, register, word)
            }
            _ => Err(Errno(121)),
        }
    }
}

/// The chips of a board, and what they measure.
pub struct Chips {
    board: Board,
    wire: Wire,
    driver: Gauge,
    /// Voltage and current that were measured last.
    measured: (i64, i64),
}

impl Chips {
    /// Those of a board; `None` if it has none.
    pub fn of(board: &Board, rng: &mut Rng) -> Option<Chips> {
        if board.chips.is_empty() {
            return None;
        }
        let part =
            |chip: &ChipPlan| match &chip.driver {
                Driver::Max1704x(_) => Some(Part::Max1704x {
                    volts: 0,
                    charge: 0,
                }),
                Driver::Ina219 { .. } => Some(Part::Ina219(Ina219::new())),
                Driver::Framed(protocol) => Some(Part::Framed(Framed::new(*protocol))),
                Driver::Registers { layout, .. } => Some(Part::Registers(Box::new(
                    Registers::new(layout, &board.mains, chip.address),
                ))),
            };
        let parts = board.chips.iter();
        let wire = Wire(Arc::new(Mutex::new(Inside {
            parts: parts
                .filter_map(|chip| Some((chip.address, part(chip)?)))
                .collect(),
            ails: None,
            rng: Rng::new(rng.next()),
            now: 0,
            felt: false,
        })));
        let driver = driver(board, &wire);
        Some(Chips {
            board: board.clone(),
            wire,
            driver,
            measured: (0, 0),
        })
    }

    /// Another daemon: it knows nothing of what the one before it did to them.
    pub fn open(&mut self) {
        self.driver = driver(&self.board, &self.wire);
    }

    /// The battery is empty: they are without power, too.
    pub fn lose_power(&mut self, now: u64) {
        for (_, part) in &mut self.wire.inside().parts {
            match part {
                Part::Max1704x { .. } | Part::Framed(_) => {}
                Part::Registers(chip) => chip.lose_power(),
                Part::Ina219(chip) => chip.lose_power(now),
            }
        }
    }

    /// Readings that are wrong, of which these chips are capable.
    pub fn lies(&self) -> &'static [Ails] {
        let current = self.board.battery.is_some_and(|battery| battery.current);
        match current {
            true => &Ails::LIES_OF_CURRENT,
            false => &Ails::LIES,
        }
    }

    /// One look, as the shipped code takes it. `mains`: what its register knows of them, if it answers.
    pub fn look(&mut self, now: u64, cell: &Cell, ails: Option<Ails>, mains: Option<bool>) -> Look {
        WAITED.set(0);
        let truth = (cell.voltage(), cell.current);
        {
            let mut inside = self.wire.inside();
            inside.begin(now, ails);
            if ails == Some(Ails::Frozen) {
                inside.felt = truth != self.measured;
            } else {
                measure(&self.board, cell, &mut inside);
                self.measured = truth;
            }
            tell(&self.board, mains, &mut inside);
        }
        self.driver.look()
    }

    /// What the chips ail, or their bus, has made a difference in the latest look.
    pub fn felt(&self) -> bool {
        let inside = self.wire.inside();
        let chip = |(_, part): &(u8, Part)| match part {
            Part::Ina219(chip) => chip.felt,
            Part::Max1704x { .. } | Part::Registers(_) | Part::Framed(_) => false,
        };
        inside.felt || inside.parts.iter().any(chip)
    }
}

fn driver(board: &Board, wire: &Wire) -> Gauge {
    // No driver of this machine's kernel is asked: nothing is below this path.
    let nowhere = BoundChips::new(Path::new("/dev/null/simulated"));
    Gauge::of(board, Box::new(wire.clone()), nowhere).pausing(wait)
}

/// What the registers that tell of mains are to say.
fn tell(board: &Board, mains: Option<bool>, inside: &mut Inside) {
    for (_, part) in &mut inside.parts {
        match part {
            Part::Registers(chip) => chip.tell(&board.mains, mains),
            Part::Framed(chip) => chip.mains = mains,
            Part::Max1704x { .. } | Part::Ina219(_) => {}
        }
    }
}

fn word(n: i64) -> u16 {
    u16::try_from(n.clamp(0, 65_535)).unwrap_or(0)
}

/// What the chips have at their pins, with a little noise.
fn measure(board: &Board, cell: &Cell, inside: &mut Inside) {
    let cells = board.battery.map_or(1, |battery| battery.cells);
    let mut noise = || inside.rng.range(0, 6).cast_signed() - 3;
    // All cells of a pack are the same.
    let voltage = cell.voltage() * i64::from(cells) + noise();
    let current = cell.current + noise();
    let (now, ails) = (inside.now, inside.ails);
    for (address, part) in &mut inside.parts {
        let plan = board.chips.iter().find(|plan| plan.address == *address);
        let Some(driver) = plan.map(|plan| &plan.driver) else {
            continue;
        };
        match (part, driver) {
            (Part::Max1704x { volts, charge }, _) => {
                *volts = word(voltage * 4 / 5) << 4;
                let truth = word(cell.share() * 256 / 10);
                *charge = match ails {
                    Some(Ails::ChargeEmpty) => 0,
                    Some(Ails::ChargeFull) => 25_600,
                    Some(_) | None => truth,
                };
                inside.felt |= *charge != truth;
            }
            (
                Part::Ina219(chip),
                Driver::Ina219 {
                    micro_ohms,
                    charging_positive,
                    ..
                },
            ) => {
                let sign = if *charging_positive { 1 } else { -1 };
                chip.feel(sign * current * i64::from(*micro_ohms) / 1_000, voltage);
                if ails == Some(Ails::Reset) {
                    chip.lose_power(now);
                }
            }
            (Part::Ina219(_), _) => {}
            (Part::Framed(chip), _) => {
                inside.felt |= chip.feel(voltage, cell.share(), ails);
            }
            (Part::Registers(chip), _) => {
                if ails == Some(Ails::Reset) {
                    chip.lose_power();
                }
                inside.felt |= chip.feel(voltage, cell.share(), current, ails);
            }
        }
    }
}

//! Board files: what a board is made of, as data.
//!
//! ```text
//! /etc/fieldwarden/boards/NAME.toml, else /usr/lib/..., else the one in the program
//!     -> Shelf -> text -> parse -> Board
//! ```
//!
//! Terms: a *board* is what supplies the computer with power, usually a UPS HAT; a *shelf* is where
//! board files are looked for. An address identifies no board, so none is ever guessed: the owner
//! names it.
//!
//! What may be written is listed in [`keys`] and nowhere else. Nothing here looks at this machine.

mod about;
mod chips;
mod fit;
pub mod keys;
mod pins;
mod read;
mod registers;
mod shelf;
mod template;
pub mod words;

pub use about::{About, ComesBack, Confidence};
pub use pins::{Pin, Reserved};
pub(super) use pins::{Taken, taken};
pub use shelf::{BUILT_IN, PLACES, Shelf, is_name};
pub use template::template;

use super::led::LedPlan;
use super::problem::{Problem, Problems};
use super::report::Report;
use super::{FILE_MAX, syntax};
use crate::chip::Variant;
use crate::chip::framed::Protocol;
use crate::chip::registers::{Field, Layout, Manner, Proof};
use crate::core::fact::Thread;
use crate::core::settings::{self, Battery, CutAhead};
use crate::units::{Milliamps, Millivolts};
use std::time::Duration;

/// Longest time that the writing of a register takes with all its tries, on a bus that does not answer.
const WRITING: Duration = Duration::from_secs(5);

/// Longest time that it takes to let the alive line go, so that the board sees it.
const SEEN: Duration = Duration::from_secs(1);

/// A board as its file describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Board {
    /// Its name in the configuration.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Where its file was found, as messages show it.
    pub origin: String,
    /// The text of its file.
    pub source: String,
    /// There is no such board: everything is simulated.
    pub simulated: bool,
    /// What is said of it for people.
    pub about: About,
    /// Its battery.
    pub battery: Option<Battery>,
    /// Its chips, in the order of their names, all on one bus.
    pub chips: Vec<ChipPlan>,
    /// What tells of power from outside.
    pub mains: MainsBy,
    /// The line that shows the board that the computer runs.
    pub alive: Option<Drive>,
    /// How the board cuts the power.
    pub cut: Cut,
    /// Its status LED.
    pub led: Option<LedPlan>,
    /// Lines that it uses for something else, in the order of their names.
    pub reserved: Vec<Reserved>,
    /// What is odd in its file and keeps nothing from working, a sentence each.
    pub doubts: Vec<String>,
}

/// A chip and how it is wired.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChipPlan {
    /// Its name in the board file.
    pub name: String,
    /// Number of its bus: `/dev/i2c-N`.
    pub bus: u8,
    /// Its address.
    pub address: u8,
    /// What it is.
    pub driver: Driver,
}

/// What a chip is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Driver {
    /// A fuel gauge of Maxim's.
    Max1704x(Variant),
    /// A monitor of voltage and current.
    Ina219 {
        /// Its shunt, in millionths of an ohm.
        micro_ohms: u32,
        /// The largest current.
        range: Milliamps,
        /// A positive current charges the battery.
        charging_positive: bool,
    },
    /// One of which the file lists the registers.
    Registers {
        /// Where what stands.
        layout: Box<Layout>,
        /// Registers that must never be written.
        never_write: Box<[u8]>,
    },
    /// One that answers in frames of its own.
    Framed(Protocol),
}

impl Driver {
    /// It tells what is left in the battery.
    pub fn tells_charge(&self) -> bool {
        match self {
            Driver::Max1704x(_) | Driver::Framed(_) => true,
            Driver::Ina219 { .. } => false,
            Driver::Registers { layout, .. } => layout.charge.is_some(),
        }
    }

    /// It tells the current.
    pub fn tells_current(&self) -> bool {
        match self {
            Driver::Ina219 { .. } => true,
            Driver::Max1704x(_) | Driver::Framed(_) => false,
            Driver::Registers { layout, .. } => layout.current.is_some(),
        }
    }

    /// It tells anything at all.
    pub fn tells(&self) -> bool {
        match self {
            Driver::Ina219 { .. } | Driver::Max1704x(_) | Driver::Framed(_) => true,
            Driver::Registers { layout, .. } => layout.tells(),
        }
    }

    /// What is looked at before it is believed or told anything.
    pub fn proof(&self) -> Proof {
        match self {
            Driver::Registers { layout, .. } => layout.proof,
            Driver::Ina219 { .. } | Driver::Max1704x(_) | Driver::Framed(_) => Proof::default(),
        }
    }

    /// How its registers are read where the file names them.
    pub fn manner(&self) -> Manner {
        match self {
            Driver::Registers { layout, .. } => layout.manner,
            Driver::Ina219 { .. } | Driver::Max1704x(_) | Driver::Framed(_) => Manner {
                bytewise: false,
                alike: 1,
            },
        }
    }
}

/// A line of a GPIO chip.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Line {
    /// Label of the chip; `None` for that of the Pi's header.
    pub gpio: Option<String>,
    /// Number of the line on it.
    pub line: u32,
}

/// Labels of the chips that the Pi's header belongs to: Pi 0 to 3, Pi 4, Pi 5. (kernel:
/// drivers/pinctrl/bcm/pinctrl-bcm2835.c, drivers/pinctrl/pinctrl-rp1.c)
pub const HEADERS: [&str; 3] = ["pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1"];

impl Line {
    /// They are the same line, however its chip is named.
    pub fn is(&self, other: &Line) -> bool {
        let header = |gpio: &Option<String>| match gpio {
            None => true,
            Some(label) => HEADERS.contains(&label.as_str()),
        };
        let same_chip = self.gpio == other.gpio || header(&self.gpio) && header(&other.gpio);
        self.line == other.line && same_chip
    }
}

/// A line and the level to drive it to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Drive {
    /// The line.
    pub line: Line,
    /// The level.
    pub high: bool,
}

/// What tells of power from outside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MainsBy {
    /// Any power supply of the kernel that counts, if there is one.
    Supplies,
    /// This power supply of the kernel.
    Supply(String),
    /// A line.
    Line {
        /// The line.
        line: Line,
        /// High means that there is none.
        lost_high: bool,
        /// The resistor that holds it.
        pull: Pull,
        /// A level that lasts shorter does not count.
        debounce: Duration,
    },
    /// Bits of a register.
    Register {
        /// Address of the chip.
        address: u8,
        /// The register, one byte.
        register: u8,
        /// The bits.
        mask: u8,
        /// What they are while there is power.
        present: u8,
    },
    /// The voltage at the inputs of the board, in registers.
    Voltage {
        /// Address of the chip.
        address: u8,
        /// How it is read.
        manner: Manner,
        /// Where each input stands.
        inputs: Vec<Field>,
        /// There is power while one of them has more.
        above: Millivolts,
    },
    /// A chip whose protocol tells it.
    Chip {
        /// Its address.
        address: u8,
    },
    /// The current of the battery: while more than this flows out, there is none. The core judges
    /// it, by several readings.
    Current {
        /// What does not count.
        dead_band: Milliamps,
    },
}

/// A resistor that holds a line while nobody drives it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pull {
    /// Left as it was.
    AsIs,
    /// To high.
    Up,
    /// To low.
    Down,
}

/// How the board cuts the power.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cut {
    /// It does not.
    None,
    /// After the halt: a line is held, and put back.
    Line {
        /// The line and the level to hold.
        drive: Drive,
        /// For how long.
        hold: Duration,
    },
    /// After the halt: the alive line is let go, and the board sees it.
    Alive,
    /// A register is written.
    Register {
        /// Bus of the chip.
        bus: u8,
        /// Address of the chip.
        address: u8,
        /// The register, one byte.
        register: u8,
        /// What is written.
        value: u8,
        /// The time that is left then.
        delay: Duration,
        /// What is written to take it back, where that is possible.
        cancel: Option<u8>,
        /// It is written after everything was unmounted, and not before init is asked.
        after_unmount: bool,
        /// What is done beside it.
        steps: Steps,
    },
}

/// What is done beside the writing of one register.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Steps {
    /// What is looked at before anything is written.
    pub proof: Proof,
    /// These bits stay as the register holds them.
    pub keep: u8,
    /// What opens the chip for writing.
    pub unlock: Option<Unlock>,
    /// A register that is written first, and its value.
    pub first: Option<(u8, u8)>,
    /// 0xFF xor the byte is written behind it.
    pub checked: bool,
}

/// What opens a chip for writing, and closes it again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unlock {
    /// The register.
    pub register: u8,
    /// What opens it.
    pub open: u8,
    /// What closes it.
    pub close: u8,
}

impl Board {
    /// No board.
    pub fn none() -> Board {
        Board {
            name: "none".to_owned(),
            title: "No board".to_owned(),
            origin: String::new(),
            source: String::new(),
            simulated: false,
            about: About::default(),
            battery: None,
            chips: Vec::new(),
            mains: MainsBy::Supplies,
            alive: None,
            cut: Cut::None,
            led: None,
            reserved: Vec::new(),
            doubts: Vec::new(),
        }
    }

    /// What the core is told of it.
    pub fn settings(&self) -> settings::Board {
        settings::Board {
            mains_by: match self.mains {
                MainsBy::Supplies | MainsBy::Supply(_) => Thread::Vitals,
                MainsBy::Line { .. } => Thread::Line,
                MainsBy::Register { .. } | MainsBy::Voltage { .. } => Thread::Bus,
                MainsBy::Chip { .. } | MainsBy::Current { .. } => Thread::Bus,
            },
            battery: self.battery,
            dead_band: match self.mains {
                MainsBy::Current { dead_band } => Some(dead_band),
                MainsBy::Supplies | MainsBy::Supply(_) => None,
                MainsBy::Line { .. } | MainsBy::Register { .. } => None,
                MainsBy::Voltage { .. } | MainsBy::Chip { .. } => None,
            },
            cut_hold: match self.cut {
                Cut::Line { hold, .. } => hold,
                Cut::Alive => SEEN,
                Cut::Register {
                    after_unmount: true,
                    ..
                } => WRITING,
                Cut::None | Cut::Register { .. } => Duration::ZERO,
            },
            comes_back: match self.about.comes_back {
                ComesBack::Yes => Some(true),
                ComesBack::No => Some(false),
                ComesBack::Unknown => None,
            },
            cut_ahead: match self.cut {
                Cut::Register {
                    after_unmount: false,
                    cancel,
                    delay,
                    ..
                } => Some(CutAhead {
                    can_be_cancelled: cancel.is_some(),
                    delay,
                }),
                Cut::None | Cut::Line { .. } | Cut::Alive | Cut::Register { .. } => None,
            },
        }
    }

    /// What is looked at before the chip at this address is believed.
    pub fn proof(&self, address: u8) -> Proof {
        let chip = self.chips.iter().find(|chip| chip.address == address);
        chip.map_or(Proof::default(), |chip| chip.driver.proof())
    }

    /// A chip of it is on the bus of the Pi's header.
    pub(super) fn on_header_bus(&self) -> bool {
        self.chips.iter().any(|chip| chip.bus == pins::HEADER_BUS)
    }

    /// It has something to be polled over its bus, or simulates that.
    pub fn has_gauge(&self) -> bool {
        self.simulated || !self.chips.is_empty()
    }
}

/// Checks the text of a board file. `file` is what messages call it, `name` what the board must call
/// itself.
///
/// # Errors
/// Everything that makes it unusable.
pub fn parse(file: &str, name: &str, text: &str) -> Result<Board, Problems> {
    if text.len() > FILE_MAX {
        return Err(syntax::too_long(file).into());
    }
    let mut report = Report::new(file, text);
    let tree = syntax::tree(text, &mut report);
    let board = read::board(&mut report, tree.table.get_ref(), tree.sound, name);
    let failed = report.failed();
    match board {
        Some(board) if !failed => Ok(Board {
            origin: file.to_owned(),
            source: text.to_owned(),
            doubts: report.finish().iter().map(Problem::brief).collect(),
            ..board
        }),
        Some(_) | None => Err(report.finish()),
    }
}

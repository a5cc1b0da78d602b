//! Makes a board cut the power, by the line that it watches for that or by a register, when nothing is
//! left that could be lost: every file system is unmounted or read-only.
//!
//! Never looks at mains: whoever calls has decided that the machine goes off.

use super::bound_chips::BoundChips;
use super::drive::{Kept, OutputLine};
use super::hardware::Hardware;
use super::i2c::KernelBus;
use super::register::{Write, Writer};
use crate::config::board::{Board, Cut, Drive};
use crate::core::fact::Fault;
use crate::text::fault_sentence;
use std::fmt;
use std::time::Duration;

/// Time for the board to see that the alive line has fallen. Shorter: one that looks now and then
/// misses it. Longer: the power-off waits.
const SEEN: Duration = Duration::from_millis(500);

/// What makes the board cut the power, and the line that shows that the computer runs.
pub struct PowerCut {
    way: Way,
    /// Its number, the line, and its level after the end.
    alive: Option<(u32, OutputLine, bool)>,
    /// The same line, while this process drives it.
    kept: Kept,
}

enum Way {
    Line {
        number: u32,
        line: OutputLine,
        hold: Duration,
    },
    Register {
        writer: Box<Writer>,
        write: Write,
    },
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pulled {
    /// The board cuts the power.
    Cut {
        /// Number of the line.
        line: u32,
    },
    /// The board was told by a register.
    Written,
    /// The register cannot be written.
    NotWritten {
        /// Why.
        why: Fault,
    },
    /// The line cannot be held.
    NotHeld {
        /// Number of the line.
        line: u32,
        /// Why.
        why: Fault,
    },
    /// The line was held, but that which shows that the computer runs does not fall.
    AliveStays {
        /// Number of the line.
        line: u32,
        /// Why.
        why: Fault,
    },
}

impl PowerCut {
    /// That of this board; `None` if it is not told to cut the power at the very end. `kept` is the
    /// line that this process drives to show that the computer runs, if it does.
    pub fn of(board: &Board, kept: Kept, hardware: &Hardware) -> Option<PowerCut> {
        let way = match &board.cut {
            Cut::Line { drive, hold } => Way::Line {
                number: drive.line.line,
                line: OutputLine::of(drive, hardware),
                hold: *hold,
            },
            Cut::Register {
                bus,
                address,
                register,
                value,
                after_unmount: true,
                ..
            } => Way::Register {
                writer: Box::new(writer(*bus, hardware)),
                write: Write {
                    bus: *bus,
                    address: *address,
                    register: *register,
                    value: *value,
                },
            },
            Cut::None | Cut::Register { .. } => return None,
        };
        let alive = board.alive.as_ref().map(|alive| {
            let down = Drive {
                high: !alive.high,
                ..alive.clone()
            };
            let line = OutputLine::of(&down, hardware);
            (down.line.line, line, down.high)
        });
        Some(PowerCut { way, alive, kept })
    }

    /// Tells the board, then lets the line fall that shows that the computer runs. Takes as long as the
    /// board wants its line to be held, or as a bus takes that does not answer.
    pub fn pull(&mut self) -> Pulled {
        let told = match &mut self.way {
            Way::Line { number, line, hold } => match line.pulse(*hold) {
                Ok(()) => Pulled::Cut { line: *number },
                Err(why) => {
                    let line = *number;
                    return Pulled::NotHeld { line, why };
                }
            },
            Way::Register { writer, write } => match writer.write(*write) {
                Ok(()) => Pulled::Written,
                Err(why) => return Pulled::NotWritten { why },
            },
        };
        let fallen = self.alive.as_ref().map(|(line, alive, level)| {
            let ours = self.kept.set(*level);
            // It lasts until the power is gone, or until the process is: a line of the kernel may rise
            // again then, and the board must have seen it.
            let set = ours.unwrap_or_else(|| alive.start().map(std::mem::forget));
            if set.is_ok() {
                std::thread::sleep(SEEN);
            }
            (*line, set)
        });
        match fallen {
            Some((line, Err(why))) => Pulled::AliveStays { line, why },
            Some((_, Ok(()))) | None => told,
        }
    }
}

/// Takes back, over its bus, what was told to a board ahead of the halt. `None` if this board cannot
/// forget it, or is not told ahead.
pub fn take_back(board: &Board, hardware: &Hardware) -> Option<Result<(), Fault>> {
    let Cut::Register {
        bus,
        address,
        register,
        cancel: Some(value),
        after_unmount: false,
        ..
    } = &board.cut
    else {
        return None;
    };
    Some(writer(*bus, hardware).write(Write {
        bus: *bus,
        address: *address,
        register: *register,
        value: *value,
    }))
}

fn writer(bus: u8, hardware: &Hardware) -> Writer {
    let chips = BoundChips::new("/".as_ref());
    Writer::of(Box::new(KernelBus::of(bus, hardware)), chips)
}

impl fmt::Display for Pulled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pulled::Cut { line } => write!(f, "line {line} was held: the board cuts the power"),
            Pulled::Written => write!(f, "the board was told to cut the power"),
            Pulled::NotWritten { why } => write!(
                f,
                "the board cannot be told to cut the power: {}",
                fault_sentence(why)
            ),
            Pulled::NotHeld { line, why } => {
                write!(f, "line {line} cannot be held: {}", fault_sentence(why))
            }
            Pulled::AliveStays { line, why } => write!(
                f,
                "the board was told to cut the power, but line {line}, which shows that the computer runs, \
                 stays: {}",
                fault_sentence(why)
            ),
        }
    }
}

//! Makes a board cut the power, by the line that it watches for that or by a register, when nothing is
//! left that could be lost: every file system is unmounted or read-only.
//!
//! Never looks at mains: whoever calls has decided that the machine goes off.

use super::bound_chips::BoundChips;
use super::drive::{Kept, OutputLine};
use super::hardware::Hardware;
use super::i2c::KernelBus;
use super::register::{Write, Writer};
use super::thread;
use crate::config::board::{Board, Cut, Drive};
use crate::core::fact::Fault;
use crate::text::fault_sentence;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Time for the board to see that the alive line has fallen. Shorter: one that looks now and then
/// misses it. Longer: the power-off waits.
const SEEN: Duration = Duration::from_millis(500);

/// Time for a board to take what it is told over its bus: three tries, on a bus whose driver gives up
/// after a second.
const ANSWER: Duration = Duration::from_secs(5);

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
    /// The line that shows that the computer runs is let go, as with the other ways.
    Alive { number: u32 },
    Register {
        writer: Arc<Mutex<Writer>>,
        write: Write,
    },
}

impl Way {
    fn of(board: &Board, hardware: &Hardware) -> Option<Way> {
        match &board.cut {
            Cut::Line { drive, hold } => Some(Way::Line {
                number: drive.line.line,
                line: OutputLine::of(drive, hardware),
                hold: *hold,
            }),
            Cut::Alive => Some(Way::Alive {
                number: board.alive.as_ref()?.line.line,
            }),
            Cut::Register { .. } | Cut::None => {
                let write = Way::write(board)?;
                Some(Way::Register {
                    writer: Arc::new(Mutex::new(writer(write.bus, hardware))),
                    write,
                })
            }
        }
    }

    /// What is written to make the board cut the power.
    fn write(board: &Board) -> Option<Write> {
        match board.cut {
            Cut::Register {
                bus,
                address,
                register,
                value,
                steps,
                ..
            } => Some(Write {
                bus,
                address,
                register,
                value,
                steps,
            }),
            Cut::Line { .. } | Cut::Alive | Cut::None => None,
        }
    }
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
        let way = Way::of(board, hardware).filter(|_| board.settings().cut_ahead.is_none())?;
        Some(PowerCut::by(way, board, kept, hardware))
    }

    /// The same where a board that is told ahead of the halt did not take it, and is told once more.
    pub fn at_last(board: &Board, hardware: &Hardware) -> Option<PowerCut> {
        let way = Way::of(board, hardware)?;
        Some(PowerCut::by(way, board, Kept::default(), hardware))
    }

    fn by(way: Way, board: &Board, kept: Kept, hardware: &Hardware) -> PowerCut {
        let alive = board.alive.as_ref().map(|alive| {
            let down = Drive {
                high: !alive.high,
                ..alive.clone()
            };
            let line = OutputLine::of(&down, hardware);
            (down.line.line, line, down.high)
        });
        PowerCut { way, alive, kept }
    }

    /// Tells the board, then lets the line fall that shows that the computer runs. Takes as long as the
    /// board wants its line to be held; a bus that hangs is not waited for.
    pub fn pull(&mut self) -> Pulled {
        let told = match &mut self.way {
            Way::Line { number, line, hold } => match line.pulse(*hold) {
                Ok(()) => Pulled::Cut { line: *number },
                Err(why) => {
                    let line = *number;
                    return Pulled::NotHeld { line, why };
                }
            },
            Way::Alive { number } => Pulled::Cut { line: *number },
            Way::Register { writer, write } => match write_within(ANSWER, writer, *write) {
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
/// forget it, or is not told ahead. A bus that hangs is not waited for: whoever turns a machine round
/// must not hang with it.
pub fn take_back(board: &Board, hardware: &Hardware) -> Option<Result<(), Fault>> {
    match board.cut {
        Cut::Register {
            cancel: Some(value),
            after_unmount: false,
            ..
        } => write_ahead(board, value, hardware),
        Cut::Register { .. } | Cut::Line { .. } | Cut::Alive | Cut::None => None,
    }
}

/// Tells a board that is told ahead of the halt once more to cut the power. `None` if this is none.
/// A bus that hangs is not waited for either.
pub fn tell_again(board: &Board, hardware: &Hardware) -> Option<Result<(), Fault>> {
    match board.cut {
        Cut::Register {
            value,
            after_unmount: false,
            ..
        } => write_ahead(board, value, hardware),
        Cut::Register { .. } | Cut::Line { .. } | Cut::Alive | Cut::None => None,
    }
}

/// Writes this into the register that makes the board cut the power.
fn write_ahead(board: &Board, value: u8, hardware: &Hardware) -> Option<Result<(), Fault>> {
    let write = Write {
        value,
        ..Way::write(board)?
    };
    let mut writer = writer(write.bus, hardware);
    Some(thread::within(ANSWER, move || writer.write(write)))
}

/// Writes on another thread, which is left alone if the bus hangs; one that hangs still is not written
/// to by a second one.
fn write_within(time: Duration, writer: &Arc<Mutex<Writer>>, write: Write) -> Result<(), Fault> {
    let writer = Arc::clone(writer);
    thread::within(time, move || match writer.try_lock() {
        Ok(mut writer) => writer.write(write),
        Err(_) => Err(Fault::Busy),
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chip::Bus;
    use crate::core::fact::Errno;
    use crossbeam_channel::{Receiver, bounded};
    use std::path::Path;

    /// A bus on which nothing ends before it is told to.
    struct Hangs(Receiver<()>);

    impl Bus for Hangs {
        fn read(&mut self, _: u8, _: u8, _: &mut [u8]) -> Result<(), Errno> {
            panic!("it is written to only");
        }

        fn write(&mut self, _: u8, _: u8, _: &[u8]) -> Result<(), Errno> {
            // Whoever holds it has gone: the bus is free again.
            self.0.recv().map_err(|_| Errno(libc::EIO))
        }
    }

    /// A bus that never answers is left alone in time, and nobody queues up behind it to write when
    /// it does: by then the machine may be meant to run.
    #[test]
    fn a_bus_that_hangs_is_not_waited_for() {
        let (hold, held) = bounded(0);
        let writer = Writer::of(
            Box::new(Hangs(held)),
            BoundChips::new(Path::new("/nowhere")),
        );
        let writer = Arc::new(Mutex::new(writer));
        let write = Write {
            bus: 1,
            address: 0x2d,
            register: 1,
            value: 0x55,
            steps: Default::default(),
        };
        let told = |time| write_within(time, &writer, write);
        let late = Err(Fault::Errno(Errno(libc::ETIMEDOUT)));
        assert_eq!(told(Duration::from_millis(20)), late);
        assert_eq!(told(Duration::from_secs(60)), Err(Fault::Busy));
        drop(hold);
    }
}

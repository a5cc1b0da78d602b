//! Makes a board cut the power by the line that it watches for that, when nothing is left that could
//! be lost: every file system is unmounted or read-only.
//!
//! Never looks at mains: whoever calls has decided that the machine goes off.

use super::drive::{Kept, OutputLine};
use super::hardware::Hardware;
use crate::config::board::{Board, Cut, Drive};
use crate::core::fact::Fault;
use crate::text::fault_sentence;
use std::fmt;
use std::time::Duration;

/// The line that makes the board cut the power, and the one that shows that the computer runs.
pub struct PowerCut {
    number: u32,
    line: OutputLine,
    hold: Duration,
    /// The line, and its level after the end.
    alive: Option<(OutputLine, bool)>,
    /// The same line, while this process drives it.
    kept: Kept,
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pulled {
    /// The board cuts the power.
    Cut {
        /// Number of the line.
        line: u32,
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
    /// That of this board; `None` if it does not cut the power by a line. `kept` is the line that this
    /// process drives to show that the computer runs, if it does.
    pub fn of(board: &Board, kept: Kept, hardware: &Hardware) -> Option<PowerCut> {
        let Cut::Line { drive, hold } = &board.cut else {
            return None;
        };
        let alive = board.alive.as_ref().map(|alive| {
            let down = Drive {
                high: !alive.high,
                ..alive.clone()
            };
            (OutputLine::of(&down, hardware), down.high)
        });
        Some(PowerCut {
            number: drive.line.line,
            line: OutputLine::of(drive, hardware),
            hold: *hold,
            alive,
            kept,
        })
    }

    /// Holds the line and puts it back, then lets the other one fall. Takes as long as the board wants
    /// its line to be held.
    pub fn pull(&self) -> Pulled {
        let line = self.number;
        if let Err(why) = self.line.pulse(self.hold) {
            return Pulled::NotHeld { line, why };
        }
        let fallen = self.alive.as_ref().map(|(alive, level)| {
            let ours = self.kept.set(*level);
            // It lasts until the power is gone, or until the process is.
            ours.unwrap_or_else(|| alive.start().map(std::mem::forget))
        });
        match fallen {
            Some(Err(why)) => Pulled::AliveStays { line, why },
            Some(Ok(())) | None => Pulled::Cut { line },
        }
    }
}

impl fmt::Display for Pulled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pulled::Cut { line } => write!(f, "line {line} was held: the board cuts the power"),
            Pulled::NotHeld { line, why } => {
                write!(f, "line {line} cannot be held: {}", fault_sentence(why))
            }
            Pulled::AliveStays { line, why } => write!(
                f,
                "line {line} was held, but the alive line stays: {}",
                fault_sentence(why)
            ),
        }
    }
}

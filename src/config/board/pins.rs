//! The lines that a board has for itself, each with what it is for, and those of the Pi's header that
//! something else needs.
//!
//! Whoever wants a line for something else, such as the LED of the configuration, asks here first.

use super::super::led::LedPlan;
use super::{Board, Cut, Line, MainsBy};

/// The bus that boards and clocks on the header are read over, and its lines.
pub(in crate::config) const HEADER_BUS: u8 = 1;
const OF_BUS: [u32; 2] = [2, 3];

/// The lines over which the firmware reads the memory of a HAT, at every boot and whoever drives them.
const OF_MEMORY: [u32; 2] = [0, 1];

/// What needs a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::config) enum Taken {
    /// The memory of a HAT.
    Memory,
    /// The header's I2C bus.
    Bus,
}

impl Taken {
    /// Ends the sentence "line 2 is ...".
    pub(in crate::config) fn words(self) -> &'static str {
        match self {
            Taken::Memory => "reserved for the memory of a HAT",
            Taken::Bus => "one of I2C bus 1",
        }
    }
}

/// What needs this line; `None` if nothing does. `bus`: something is read over the header's I2C bus.
pub(in crate::config) fn taken(line: &Line, bus: bool) -> Option<Taken> {
    let header = Line {
        gpio: None,
        line: line.line,
    };
    if !line.is(&header) {
        return None;
    }
    match line.line {
        n if OF_MEMORY.contains(&n) => Some(Taken::Memory),
        n if bus && OF_BUS.contains(&n) => Some(Taken::Bus),
        _ => None,
    }
}

/// A line that the board uses in its own way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reserved {
    /// The line.
    pub line: Line,
    /// What for.
    pub purpose: String,
}

/// A line of the board with its job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pin {
    /// The line.
    pub line: Line,
    /// What it does, as it reads after "line 6: ".
    pub job: String,
}

impl Board {
    /// All lines that nothing else can have: those of its own, and those of the header's bus if it has
    /// a chip there.
    pub fn pins(&self) -> Vec<Pin> {
        let mut pins = self.own_pins();
        for (line, wire) in OF_BUS.into_iter().zip(["data", "clock"]) {
            if self.on_header_bus() {
                let line = Line { gpio: None, line };
                let job = format!("{wire} of I2C bus {HEADER_BUS}");
                pins.push(Pin { line, job });
            }
        }
        pins
    }

    /// Its own lines, each once for each of its jobs.
    pub(super) fn own_pins(&self) -> Vec<Pin> {
        let mut pins = Vec::new();
        let mut pin = |line: &Line, job: &str| {
            pins.push(Pin {
                line: line.clone(),
                job: job.to_owned(),
            });
        };
        if let MainsBy::Line { line, .. } = &self.mains {
            pin(line, "tells of mains");
        }
        if let Some(alive) = &self.alive {
            pin(&alive.line, "shows the board that the computer runs");
        }
        if let Cut::Line { drive, .. } = &self.cut {
            pin(&drive.line, "has the board cut the power");
        }
        if let Some(line) = self.led.as_ref().and_then(LedPlan::line) {
            pin(line, "status LED");
        }
        for reserved in &self.reserved {
            pin(&reserved.line, &reserved.purpose);
        }
        pins
    }

    /// What the board uses this line of its own for, if it does.
    pub fn job_of(&self, line: &Line) -> Option<String> {
        let mut pins = self.own_pins().into_iter();
        pins.find(|pin| pin.line.is(line)).map(|pin| pin.job)
    }
}

//! Lines of the Pi's header that something else needs.

use super::Line;

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

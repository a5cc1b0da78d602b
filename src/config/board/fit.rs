//! What the values of a board file must not be beside each other.
//!
//! Each is a mistake that a person makes with a data sheet in one hand, that loads, and that turns a
//! machine off, or has it never turned off.

use super::super::report::Report;
use super::super::table::{At, Table};
use super::{Board, ChipPlan, Drive, Driver, Line, Pin, pins};
use crate::core::settings::{CELL_LEAST, CELL_MOST};
use crate::units::Millivolts;
use std::ops::Range;
use std::time::Duration;

/// Shortest time from the order to the cut where init is asked after the order: the order takes 5 s,
/// what follows an init that hangs 15 s (see `core::shutdown`), and init needs the rest to begin.
const AHEAD: Duration = Duration::from_secs(30);

/// Voltages of a battery rise, and are those of all of its cells together. False if they do not.
pub(super) fn voltages(
    report: &mut Report<'_>,
    span: Range<usize>,
    cells: u32,
    [empty, low, full]: [Millivolts; 3],
) -> bool {
    let (least, most) = (CELL_LEAST * cells, CELL_MOST * cells);
    let within = |v: Millivolts| (least..=most).contains(&v.0);
    let (what, help) = if !(empty < low && low < full) {
        (
            "`battery.empty`, `low` and `full` must rise in this order".to_owned(),
            "write voltages of the pack, not of one cell".to_owned(),
        )
    } else if ![empty, low, full].into_iter().all(within) {
        let volts = |v: u32| f64::from(v) / 1000.0;
        let cells = match cells {
            1 => "one cell".to_owned(),
            n => format!("{n} cells in series"),
        };
        (
            format!("`battery.empty`, `low` and `full` cannot be those of {cells}"),
            format!(
                "write voltages from {}V to {}V, which is what {cells} can have, or mend `cells`",
                volts(least),
                volts(most)
            ),
        )
    } else {
        return true;
    };
    report.error(span, what, help);
    false
}

/// A register that tells of mains has the bits that say so among those that are looked at. False if
/// it has not.
pub(super) fn bits(table: &mut Table<'_, '_, '_>, mask: u8, present: u8) -> bool {
    let fits = present & !mask == 0;
    if !fits {
        let what = format!("`present` ({present:#04x}) has bits that `mask` ({mask:#04x}) hides");
        let help =
            "write in `present` what the bits of `mask` are while there are mains".to_owned();
        let span = table.header();
        table.report().error(span, what, help);
    }
    fits
}

/// What takes an order back is not the order. False if it is.
pub(super) fn taking_back(table: &mut Table<'_, '_, '_>, value: u8, cancel: Option<u8>) -> bool {
    let same = cancel == Some(value);
    if same {
        let what = "`cut.register.cancel` and `value` are the same: to take a cut back would cut";
        let help = "write the value that stops the board's timer, or remove `cancel`".to_owned();
        let span = table.header();
        table.report().error(span, what.to_owned(), help);
    }
    !same
}

/// Bits that stay are none of those that are written, and leave some that tell the order from what
/// takes it back. False if not: the cut would be written as it stands, and do nothing. It is no
/// error: a file of somebody's own that an earlier version took does not keep a later one from
/// starting.
pub(super) fn keeping(
    table: &mut Table<'_, '_, '_>,
    value: u8,
    cancel: Option<u8>,
    keep: u8,
) -> bool {
    let hidden = |cancel| cancel != value && (cancel ^ value) & !keep == 0;
    let what = if keep == u8::MAX {
        "`cut.register.keep` keeps all bits: nothing would be written".to_owned()
    } else if value & keep != 0 {
        format!("`cut.register.value` ({value:#04x}) has bits that `keep` ({keep:#04x}) keeps")
    } else if cancel.is_some_and(hidden) {
        format!(
            "`cut.register.cancel` and `value` differ only in bits that `keep` ({keep:#04x}) keeps"
        )
    } else {
        return true;
    };
    let help = "write in `keep` the bits that are not the board's order, and 0 for them in `value`";
    let span = table.header();
    let what = what + "; the power is not cut by this board";
    table.report().warning(span, what, help.to_owned());
    false
}

/// A board that is told before init leaves time for the end of a halt.
pub(super) fn ahead_is_long_enough(
    table: &mut Table<'_, '_, '_>,
    delay: Option<&At<Duration>>,
    after_unmount: bool,
) {
    let Some(delay) = delay.filter(|delay| !after_unmount && delay.value < AHEAD) else {
        return;
    };
    let what = "`cut.register.delay` is too short for when = \"before-halt\"".to_owned();
    let help =
        "write a duration from 30s to 10m, or when = \"after-unmount\" if the bus still works then";
    let span = delay.span.clone().unwrap_or(table.header());
    table.report().error(span, what, help.to_owned());
}

/// A chip has a protocol that tells of mains. False if it has not.
pub(super) fn tells_mains(table: &mut Table<'_, '_, '_>, chip: &ChipPlan) -> bool {
    let tells = matches!(chip.driver, Driver::Framed(_));
    if !tells {
        let what = format!("chip {} has no protocol that tells of mains", chip.name);
        let help = "name its register in [mains.register] or [mains.voltage]".to_owned();
        let span = table.header();
        table.report().error(span, what, help);
    }
    tells
}

/// A board that cuts the power when the alive line falls has one. False if it has not.
pub(super) fn falls(
    table: &mut Table<'_, '_, '_>,
    falls: Option<At<bool>>,
    alive: Option<&Option<Drive>>,
) -> bool {
    let Some(falls) = falls else { return false };
    let missing = alive.is_some_and(Option::is_none);
    let (what, help) = match (falls.value, missing) {
        (true, false) => return true,
        (true, true) => (
            "`cut.alive` needs an alive line",
            "add [alive] with its line",
        ),
        (false, _) => (
            "`cut.alive.falls` can only be true",
            "remove [cut.alive], if the board does not look at the line",
        ),
    };
    let span = falls.span.unwrap_or(table.header());
    table.report().error(span, what.to_owned(), help.to_owned());
    false
}

/// Warns of a line with a job that something else on the header needs; false if it has one. `bus`: a
/// chip of the board is on the header's. It stops no machine whose board was always wired so.
pub(super) fn line_is_free(table: &mut Table<'_, '_, '_>, line: &At<Line>, bus: bool) -> bool {
    let taken = pins::taken(&line.value, bus);
    if let Some(why) = taken {
        let what = format!("line {} is {}", line.value.line, why.words());
        let span = line.span.clone().unwrap_or(table.header());
        let help = "name the line that the board's documents name, by its GPIO number, which is not that \
                    of its pin";
        table.report().warning(span, what, help.to_owned());
    }
    taken.is_none()
}

/// No line has two jobs, however its chip is named.
pub(super) fn lines_differ(top: &mut Table<'_, '_, '_>, board: &Board) {
    let pins = board.own_pins();
    let twice = |(at, pin): (usize, &Pin)| {
        let other = pins[at + 1..].iter().find(|other| other.line.is(&pin.line));
        other.map(|other| (pin.clone(), other.clone()))
    };
    if let Some((pin, other)) = pins.iter().enumerate().find_map(twice) {
        let what = format!(
            "line {} has two jobs: \"{}\" and \"{}\"",
            pin.line.line, pin.job, other.job
        );
        let span = top.header();
        let help = "give each of [mains.line], [alive], [cut.line], [led] and [pin.NAME] its own";
        top.report().error(span, what, help.to_owned());
    }
}

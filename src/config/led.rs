//! Reads which status LED there is: `[led]` of the configuration, or of a board file.

use super::board::{Board, Line};
use super::table::{At, Table};
use std::ops::Range;

/// The label of a line's chip that stands for the Pi's header.
const HEADER: &str = "header";

/// The name that names no LED.
const NONE: &str = "none";

/// Longest name of an LED (kernel: `LED_MAX_NAME_SIZE` in include/linux/leds.h, without the NUL).
const NAME_MAX: usize = 63;

/// The status LED.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LedPlan {
    /// One of the kernel's LED class.
    Class {
        /// Its folder below /sys/class/leds: one word, no path.
        name: String,
    },
    /// One on a GPIO line.
    Line {
        /// The line.
        line: Line,
        /// It is lit while the line is low.
        active_low: bool,
    },
}

impl LedPlan {
    /// What messages call it: `ACT`, `line 17`.
    pub fn title(&self) -> Box<str> {
        match self {
            LedPlan::Class { name } => name.as_str().into(),
            LedPlan::Line { line, .. } => match &line.gpio {
                Some(gpio) => format!("line {} of {gpio}", line.line).into(),
                None => format!("line {}", line.line).into(),
            },
        }
    }

    /// Its line, if it is on one.
    pub fn line(&self) -> Option<&Line> {
        match self {
            LedPlan::Class { .. } => None,
            LedPlan::Line { line, .. } => Some(line),
        }
    }
}

/// Reads `name`, `gpio`, `line` and `active_low`. `None` if one of them is wrong; `Some(None)` if no
/// LED is named.
pub(super) fn plan(table: &mut Table<'_, '_, '_>) -> Option<Option<At<LedPlan>>> {
    let name = name(table);
    let (gpio, line) = (table.text("gpio"), table.count("line"));
    let active_low = table.flag("active_low");
    let name = Some(name?).filter(|name| name.value != NONE);
    let (gpio, active_low) = (gpio?, active_low?);
    match (name, line) {
        (Some(name), Some(line)) => {
            let what = "both `led.name` and `led.line` are given".to_owned();
            let help = "keep one of them: there is one status LED".to_owned();
            let span = line.span.or(name.span).unwrap_or(table.header());
            table.report().error(span, what, help);
            None
        }
        (name, None) => {
            // A line that is given and wrong has been reported.
            if table.gives("line") || !means_something(table, &gpio, &active_low) {
                return None;
            }
            Some(name.map(|name| name.map(|name| LedPlan::Class { name })))
        }
        (None, Some(line)) => {
            let gpio = (gpio.value != HEADER).then_some(gpio.value);
            let active_low = active_low.value;
            Some(Some(line.map(|line| LedPlan::Line {
                line: Line { gpio, line },
                active_low,
            })))
        }
    }
}

/// The name of an LED is that of a folder, and nothing that leads out of it.
fn name(table: &mut Table<'_, '_, '_>) -> Option<At<String>> {
    let name = table.text("name")?;
    let text = name.value.as_str();
    let folder = !text.is_empty() && !text.starts_with('.') && !text.contains('/');
    if folder && text.len() <= NAME_MAX {
        return Some(name);
    }
    let span = name.span.clone().unwrap_or(table.header());
    let what = format!("{text:?} is no name of an LED");
    let help = format!(
        "write one that `fieldwarden led list` shows, such as \"ACT\": one word of at most \
         {NAME_MAX} bytes"
    );
    table.report().error(span, what, help);
    None
}

/// Without a line, its chip and its polarity are nobody's.
fn means_something(
    table: &mut Table<'_, '_, '_>,
    gpio: &At<String>,
    active_low: &At<bool>,
) -> bool {
    let given = [("gpio", &gpio.span), ("active_low", &active_low.span)];
    let given = given
        .into_iter()
        .filter_map(|(key, span)| Some((key, span.clone()?)));
    let given: Vec<(&str, Range<usize>)> = given.collect();
    for (key, span) in &given {
        let what = format!("`led.{key}` means nothing without `led.line`");
        let help = match *key {
            "active_low" => "remove it: the kernel knows the polarity of an LED that has a name",
            _ => "remove it, or name the line",
        };
        table.report().error(span.clone(), what, help.to_owned());
    }
    given.is_empty()
}

/// The LED that is to be driven: that of the configuration, or else that of the board, unless it is
/// switched off. `None` if anything is wrong with it. On a line of the board there is no LED, and a
/// warning.
pub(super) fn chosen(
    mut table: Table<'_, '_, '_>,
    board: Option<&Board>,
) -> Option<Option<At<LedPlan>>> {
    let enabled = table.flag("enabled");
    let own = plan(&mut table);
    let (enabled, own) = (enabled?.value, own?);
    if let (Some(own), Some(board)) = (&own, board)
        && let Some(line) = own.value.line()
        && let Some(job) = board.job_of(line)
    {
        let what = format!(
            "line {} belongs to board {} ({job}): it is not driven as an LED",
            line.line, board.name
        );
        let help = format!(
            "name the line that the LED is wired to; `fieldwarden boards show {}` lists those of the \
             board",
            board.name
        );
        let span = own.span.clone().unwrap_or(table.header());
        // A newer board file may list a pin that the owner has long used: that stops no service.
        table.report().warning(span, what, help);
        return Some(None);
    }
    let of_board = board.and_then(|board| board.led.clone());
    let plan = own.or(of_board.map(|value| At { value, span: None }));
    Some(plan.filter(|_| enabled))
}

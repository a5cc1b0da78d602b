//! Writes the lines of a trace.

use super::{MAGIC, META, SEPARATOR, VERSION};
use crate::core::action::{Action, Actions, Order};
use crate::core::fact::Fact;
use crate::core::note::Note;
use crate::core::settings::Settings;
use crate::text;
use crate::units::Mono;

/// A fact with its time, without a line feed: `12.400 child web run=1 exited code=1`.
pub fn fact_line(at: Mono, fact: &Fact, settings: &Settings) -> String {
    format!("{at} {}", text::fact(fact, settings))
}

/// An action, indented, without a line feed: `        > start web run=2`. For scenario files.
pub fn action_line(action: &Action, settings: &Settings) -> String {
    format!("        > {}", text::action(action, settings))
}

/// An action with the number of its order: `        > start web run=2 order=7`. For the recorder,
/// so that a later `done order=7` can be told to what it belongs even where lines are missing.
pub fn order_line(order: &Order, settings: &Settings) -> String {
    let line = action_line(&order.action, settings);
    format!("{line} order={}", order.id.0)
}

/// A note, indented, without a line feed.
pub fn note_line(note: &Note, settings: &Settings) -> String {
    format!("        ! {}", text::describe(note, settings))
}

/// One whole step as the recorder writes it: the fact, its orders, its notes, each line ended.
pub fn step_lines(at: Mono, fact: &Fact, answer: &Actions, settings: &Settings) -> String {
    let mut out = fact_line(at, fact, settings);
    out.push('\n');
    for order in &answer.orders {
        out.push_str(&order_line(order, settings));
        out.push('\n');
    }
    for note in &answer.notes {
        out.push_str(&note_line(note, settings));
        out.push('\n');
    }
    out
}

/// The header of a trace, down to and with the separator.
///
/// `meta` are facts about the file, such as `("boot", BOOT_ID)`; keys must be words. A line of
/// `config` that reads exactly `----` (possible only inside a multi-line string) gets a space
/// behind it, because it would end the header.
pub fn opening(meta: &[(&str, &str)], config: &str) -> String {
    let mut out = format!("{META}{MAGIC} {VERSION}\n");
    for (key, value) in meta {
        let value = value.replace(char::is_control, " ");
        out.push_str(&format!("{META}{key} {value}\n"));
    }
    for line in config.lines() {
        out.push_str(line);
        out.push_str(if line == SEPARATOR { " \n" } else { "\n" });
    }
    out.push_str(SEPARATOR);
    out.push('\n');
    out
}

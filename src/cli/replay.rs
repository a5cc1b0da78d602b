//! `replay`: runs the core over recorded facts and shows where it decides otherwise today.
//!
//! Terms: an *echo* is what was recorded below a fact: the orders and notes that the core answered
//! with then. Orders are numbered anew; a fact that refers to an order by its recorded number is
//! made to refer to the same order by its new one.

use super::printer::{Printer, tell_line};
use crate::config::{self, Shelf};
use crate::core::action::Actions;
use crate::core::fact::{Fact, OrderId};
use crate::core::settings::Settings;
use crate::core::{BootFacts, Core};
use crate::error::Error;
use crate::text;
use crate::trace::{self, Document, Problem, Step, TraceError};
use anstyle::{AnsiColor, Style};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const GONE: Style = AnsiColor::Red.on_default();
const NEW: Style = AnsiColor::Green.on_default();

/// Largest trace in bytes. Ours have half a MiB; more is another file.
const LARGEST: u64 = 64 * 1024 * 1024;

/// What was compared.
#[derive(Clone, Copy, Default)]
struct Tally {
    facts: u64,
    lines: u64,
    differ: u64,
}

/// Prints the whole trace, with `-` before what was recorded and is not decided any more, and `+`
/// before what is decided and was not recorded.
///
/// # Errors
/// When the trace or the settings cannot be read, and when anything differs.
pub fn replay(path: &Path, choice: &Path, out: &mut Printer) -> Result<(), Error> {
    let text = read(path)?;
    let name = path.display().to_string();
    let document = trace::open(&name, &text)?;
    let settings = choose(&name, &document, choice)?;
    let mut player = Player::new(&document, &settings);
    for step in document.steps(&settings) {
        let step = step.map_err(|error| against(error, choice))?;
        player.play(&step, out)?;
    }
    let Tally {
        facts,
        lines,
        differ,
    } = player.tally;
    tell_line(&format!(
        "{facts} facts, {lines} recorded decisions, {differ} differences"
    ));
    if differ > 0 && !player.from_the_start {
        tell_line(
            "this trace begins while the daemon ran already: what it knew by then is not in it, so \
             differences near its beginning say little",
        );
    }
    if differ > 0 { Err(Error::Said) } else { Ok(()) }
}

fn read(path: &Path) -> Result<String, Error> {
    let fail = |source| Error::File {
        path: path.to_owned(),
        source,
    };
    let length = std::fs::metadata(path).map_err(fail)?.len();
    if length > LARGEST {
        return Err(fail(std::io::ErrorKind::FileTooLarge.into()));
    }
    let bytes = std::fs::read(path).map_err(fail)?;
    let text = String::from_utf8_lossy(&bytes);
    for line in bad_lines(&bytes) {
        tell_line(&format!(
            "fieldwarden: {}:{line}: not UTF-8, read as far as it goes",
            path.display()
        ));
    }
    Ok(text.into_owned())
}

/// Lines, counted from 1, that are no text.
fn bad_lines(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let lines = (1..).zip(bytes.split(|b| *b == b'\n'));
    lines.filter_map(|(number, line)| std::str::from_utf8(line).is_err().then_some(number))
}

/// A trace that does not fit the settings of another file says which file those are.
fn against(error: TraceError, choice: &Path) -> Error {
    match error.problem {
        Problem::Unknown { .. } if choice != Path::new("recorded") => Error::TraceAgainst {
            error: Box::new(error),
            settings: choice.to_owned(),
        },
        _ => error.into(),
    }
}

/// The recorded settings, or those of another file. The file systems are those that were recorded:
/// they are found on the machine, not configured.
fn choose(name: &str, document: &Document, choice: &Path) -> Result<Settings, Error> {
    let loaded = match choice.to_str() {
        Some("recorded") => config::parse_with(name, document.config, &recorded_boards(document))?,
        Some(_) | None => config::load(choice)?,
    };
    let mut settings = loaded.config.settings;
    if settings.mounts.is_empty() {
        settings.mounts = document.metas("mount").map(Box::from).collect();
    }
    Ok(settings)
}

/// The board file that was in force then; that of the program where none was recorded.
fn recorded_boards(document: &Document) -> Shelf {
    let lines: Vec<&str> = document.metas("board").collect();
    match lines.is_empty() {
        true => Shelf::built_in(),
        false => Shelf::recorded(lines.join("\n")),
    }
}

/// What the daemon knew when it began.
fn boot_facts(document: &Document) -> BootFacts {
    let millis = |key| document.meta(key).and_then(|v| v.parse().ok());
    BootFacts {
        seed: document
            .meta("seed")
            .and_then(|s| s.parse().ok())
            .unwrap_or(0),
        init_watchdog: millis("init-watchdog-ms").map(Duration::from_millis),
        first: document.meta("first") == Some("yes"),
    }
}

struct Player<'s> {
    core: Core,
    settings: &'s Settings,
    /// Recorded order numbers, and what they are now.
    orders: BTreeMap<OrderId, OrderId>,
    /// Numbers of orders go on from step to step.
    answer: Actions,
    tally: Tally,
    /// The daemon's own beginning is in the trace.
    from_the_start: bool,
}

impl<'s> Player<'s> {
    fn new(document: &Document, settings: &'s Settings) -> Player<'s> {
        Player {
            core: Core::new(settings.clone(), boot_facts(document)),
            settings,
            orders: BTreeMap::new(),
            answer: Actions::default(),
            tally: Tally::default(),
            from_the_start: false,
        }
    }

    fn play(&mut self, step: &Step, out: &mut Printer) -> Result<(), Error> {
        let fact = self.renumber(&step.fact);
        self.answer.clear();
        self.core.step(step.at, &fact, &mut self.answer);
        let now = self.answer_lines();
        let then: Vec<String> = step
            .orders
            .iter()
            .map(|o| format!("> {}", o.text))
            .chain(step.notes.iter().map(|n| format!("! {}", n.text)))
            .collect();
        self.match_orders(step);
        self.from_the_start |= step.notes.iter().any(|n| n.text.starts_with("began "));
        self.tally.facts += 1;
        self.tally.lines += then.len() as u64;
        for remark in &step.lead {
            out.line(remark)?;
        }
        out.line(&trace::fact_line(step.at, &step.fact, self.settings))?;
        self.show(&then, &now, out)
    }

    /// A fact about an order, with the number that the order has now.
    fn renumber(&mut self, fact: &Fact) -> Fact {
        match fact {
            Fact::Done { order, outcome } => Fact::Done {
                order: self.orders.remove(order).unwrap_or(*order),
                outcome: outcome.clone(),
            },
            other => other.clone(),
        }
    }

    fn answer_lines(&self) -> Vec<String> {
        let orders = self.answer.orders.iter();
        let notes = self.answer.notes.iter();
        orders
            .map(|o| format!("> {}", text::action(&o.action, self.settings)))
            .chain(notes.map(|n| format!("! {}", text::describe(n, self.settings))))
            .collect()
    }

    /// Pairs each recorded order with the first one of the same text that has no pair yet.
    fn match_orders(&mut self, step: &Step) {
        let mut free: Vec<(String, OrderId)> = self
            .answer
            .orders
            .iter()
            .map(|o| (text::action(&o.action, self.settings), o.id))
            .collect();
        for echo in &step.orders {
            let same = free.iter().position(|(text, _)| text == echo.text);
            if let (Some(at), Some(number)) = (same, echo.order) {
                self.orders.insert(number, free.remove(at).1);
            }
        }
    }

    /// Shows both lists as one: what they share at the beginning and at the end, and between that
    /// what is gone and what is new.
    fn show(&mut self, then: &[String], now: &[String], out: &mut Printer) -> Result<(), Error> {
        let same = |(a, b): &(&String, &String)| a == b;
        let head = then.iter().zip(now).take_while(same).count();
        let (then_rest, now_rest) = (&then[head..], &now[head..]);
        let tail = then_rest
            .iter()
            .rev()
            .zip(now_rest.iter().rev())
            .take_while(same)
            .count();
        let gone = &then_rest[..then_rest.len() - tail];
        let new = &now_rest[..now_rest.len() - tail];
        self.tally.differ += (gone.len() + new.len()) as u64;
        for line in &then[..head] {
            out.line(&format!("        {line}"))?;
        }
        for line in gone {
            out.line(&format!("{GONE}-       {line}{GONE:#}"))?;
        }
        for line in new {
            out.line(&format!("{NEW}+       {line}{NEW:#}"))?;
        }
        for line in &now_rest[now_rest.len() - tail..] {
            out.line(&format!("        {line}"))?;
        }
        Ok(())
    }
}

//! `status`, `power` and `events`: look and do not touch.

use super::printer::{Printer, tell_line};
use super::remote::{Daemon, Told};
use crate::demo::teller::Symbols;
use crate::error::Error;
use crate::journal::Record;
use crate::status::{BRANCHES, Date, Dated, MARK, dated, event_line, power_screen, screen};
use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::time::Duration;

/// Time that an event may be on its way from the daemon's core to those who ask: the recorder lets
/// what is not urgent gather for a tenth of a second.
const ON_ITS_WAY: Duration = Duration::from_millis(150);

/// Events below a status report: enough to see what led to it, few enough for one screen.
const BELOW: u32 = 5;

/// Time between two looks of `--watch`.
const AGAIN: Duration = Duration::from_secs(2);

/// Puts the cursor to the top left and clears what is below.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// The terminal cuts lines that are too long, or breaks them.
const CUT: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";

/// The report: for programs, again and again, or once for people.
pub fn asked(daemon: &Daemon, (json, watch): (bool, bool), out: &mut Printer) -> Result<(), Error> {
    match (json, watch) {
        (true, _) => status_json(daemon, out),
        (false, true) => self::watch(daemon, out),
        (false, false) => status(daemon, out),
    }
}

/// The report for people.
fn status(daemon: &Daemon, out: &mut Printer) -> Result<(), Error> {
    let text = report(daemon)?;
    Ok(out.put(&text)?)
}

/// The report again and again. Once there was one, a daemon that does not answer is part of what
/// is watched: it may be in the middle of a restart.
fn watch(daemon: &Daemon, out: &mut Printer) -> Result<(), Error> {
    let mut text = report(daemon)?;
    loop {
        let on_terminal = io::stdout().is_terminal();
        let size = on_terminal.then(crossterm::terminal::size).transpose()?;
        let shown = size.map_or(text.clone(), |(_, rows)| head(&text, rows.into()));
        out.put(&format!("{CLEAR}{CUT}{shown}{WRAP}"))?;
        if out.gone() {
            return Ok(());
        }
        std::thread::sleep(AGAIN);
        text = report(daemon).unwrap_or_else(|e| format!("{e}\n\nasked again every 2 s\n"));
    }
}

/// What of a text fits on so many lines of a screen: its beginning, which says the most.
fn head(text: &str, rows: usize) -> String {
    let lines = text.lines().count();
    // The cursor stands below the last line.
    let room = rows.saturating_sub(1);
    if rows == 0 || lines <= room {
        return text.to_owned();
    }
    let shown = room.saturating_sub(1);
    let mut head: String = text
        .lines()
        .take(shown)
        .fold(String::new(), |head, line| head + line + "\n");
    head.push_str(&format!("({} more lines)\n", lines - shown));
    head
}

/// The report for programs.
fn status_json(daemon: &Daemon, out: &mut Printer) -> Result<(), Error> {
    let json = daemon.status_json()?;
    Ok(out.line(&json)?)
}

/// Power alone, for people or for programs.
pub fn power(daemon: &Daemon, json: bool, out: &mut Printer) -> Result<(), Error> {
    let power = daemon.status()?.power;
    if json {
        let strange = |e: serde_json::Error| Error::Strange(e.to_string());
        return Ok(out.line(&serde_json::to_string(&power).map_err(strange)?)?);
    }
    Ok(out.put(&for_locale(&power_screen(power.as_ref())))?)
}

/// The mark and the branches that a terminal can show.
pub fn for_locale(text: &str) -> String {
    match Symbols::of_locale(|name| std::env::var(name).ok()) {
        Symbols::Unicode => text.to_owned(),
        Symbols::Ascii => BRANCHES
            .iter()
            .fold(text.replace(MARK, "*"), |text, (drawn, plain)| {
                text.replace(drawn, plain)
            }),
    }
}

fn report(daemon: &Daemon) -> Result<String, Error> {
    let status = daemon.status()?;
    // The report is what was asked for; events that cannot be had must not cost it.
    let events = latest(daemon, BELOW).unwrap_or_default();
    let events: Vec<Dated> = dated(events.into_iter()).collect();
    Ok(for_locale(&screen(&status, &events)))
}

/// The latest events, the oldest first.
pub fn latest(daemon: &Daemon, last: u32) -> Result<Vec<Record>, Error> {
    Ok(daemon
        .events(last, false)?
        .flatten()
        .filter_map(event)
        .collect())
}

fn event(told: Told) -> Option<Record> {
    match told {
        Told::Event(record, _) => Some(*record),
        Told::Lost(_) => None,
    }
}

/// When early ones of the latest events happened, by their numbers.
fn dates(daemon: &Daemon, last: u32) -> BTreeMap<u64, Date> {
    // Events are what was asked for; that some cannot be dated must not cost them.
    let known = latest(daemon, last).unwrap_or_default();
    dated(known.into_iter())
        .filter_map(|dated| Some((dated.record.seq, dated.date?)))
        .collect()
}

/// Past events, and those to come.
pub fn events(
    daemon: &Daemon,
    follow: bool,
    json: bool,
    last: u32,
    out: &mut Printer,
) -> Result<(), Error> {
    if !follow {
        // Who has just stopped a service wants to read that it stopped.
        std::thread::sleep(ON_ITS_WAY);
    }
    let told = daemon.events(last, follow)?;
    // Asked afterwards, so that it knows all that is past. What is still to come is not waited for.
    let dates = match last {
        0 => BTreeMap::new(),
        _ => dates(daemon, last),
    };
    for told in told {
        match told? {
            Told::Event(record, line) => {
                let date = dates.get(&record.seq).copied();
                let dated = Dated {
                    record: *record,
                    date,
                };
                match (json, date) {
                    // As the daemon wrote it.
                    (true, None) => out.line(&line)?,
                    (true, Some(_)) => out.line(&dated.json())?,
                    (false, _) => out.line(&event_line(&dated))?,
                }
            }
            Told::Lost(events) => {
                tell_line(&format!(
                    "fieldwarden: {events} events came too fast to be shown"
                ));
            }
        }
        if out.gone() {
            return Ok(());
        }
    }
    if follow {
        tell_line("fieldwarden: the daemon has ended");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::head;

    /// What does not fit is counted, the first line stays, and the cursor has room below.
    #[test]
    fn the_beginning_stays_on_the_screen() {
        let text = "a\nb\nc\nd\n";
        assert_eq!(head(text, 5), text);
        assert_eq!(head(text, 4), "a\nb\n(2 more lines)\n");
        assert_eq!(head(text, 2), "(4 more lines)\n");
        assert_eq!(head(text, 0), text, "a terminal that does not tell");
    }
}

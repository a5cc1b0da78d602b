//! What the demo showed, in figures, at its end.
//!
//! Terms: a *restart* takes from the end of a service, or from the end of the wait that followed,
//! to its being up again; it is told in the machine's time, everything else in board time. An
//! *outage* is all of the time from such an end to being up again, with waits and vain attempts.

use super::ledger::{Ledger, Phase, Watched};
use super::stage::Pace;
use crate::text::for_people;
use crate::units::Mono;
use std::fmt::Write;
use std::time::Duration;

/// Heading and width of the columns after the name.
const COLUMNS: [(&str, usize); 6] = [
    ("came up", 7),
    ("crashed", 7),
    ("hung", 4),
    ("heartbeats", 10),
    ("max silence", 11),
    ("slowest restart", 15),
];

/// The summary as text.
pub fn summary(ledger: &Ledger, pace: Pace, origin: Mono) -> String {
    // Writing to a string cannot fail, here and below.
    let mut text = String::from("\n");
    table(&mut text, ledger, pace);
    text.push('\n');
    for (what, value) in figures(ledger, pace) {
        let _ = writeln!(text, "  {what:<28} {value}");
    }
    let board = ledger.now.since(origin);
    let _ = writeln!(text, "  {:<28} {}", "time", duration(pace, board));
    text
}

fn table(text: &mut String, ledger: &Ledger, pace: Pace) {
    let _ = write!(text, "  {:<10}", "service");
    for (heading, width) in COLUMNS {
        let _ = write!(text, "  {heading:>width$}");
    }
    text.push('\n');
    for (settings, watched) in ledger.settings.services.iter().zip(&ledger.services) {
        let _ = write!(text, "  {:<10}", settings.name);
        for (value, (_, width)) in row(watched, pace).iter().zip(COLUMNS) {
            let _ = write!(text, "  {value:>width$}");
        }
        text.push('\n');
    }
}

fn row(watched: &Watched, pace: Pace) -> [String; 6] {
    [
        watched.ups.to_string(),
        watched.crashes.to_string(),
        watched.hangs.to_string(),
        watched.heartbeats.to_string(),
        for_people(watched.longest_silence),
        watched
            .longest_outage
            .map_or("-".to_owned(), |d| for_people(pace.real(d))),
    ]
}

fn figures(ledger: &Ledger, pace: Pace) -> Vec<(&'static str, String)> {
    let watchdog = &ledger.watchdog;
    let limit = watchdog.timeout.map_or("none".to_owned(), for_people);
    let failures: u32 = ledger.services.iter().map(|s| s.crashes + s.hangs).sum();
    let again = ledger.services.iter().map(|s| s.ups.saturating_sub(1));
    let restarts: u32 = again.sum();
    let left = ledger
        .services
        .iter()
        .filter(|s| !matches!(s.phase, Phase::Down | Phase::Backoff { .. } | Phase::GaveUp))
        .count();
    vec![
        ("crashes and hangs", failures.to_string()),
        ("restarts", restarts.to_string()),
        (
            "slowest restart",
            ledger
                .longest_outage()
                .map_or("none".to_owned(), |d| for_people(pace.real(d))),
        ),
        (
            "longest outage of a service",
            ledger.longest_down().map_or("none".to_owned(), for_people),
        ),
        (
            "board without a guard for",
            match watchdog.unguarded(ledger.now) {
                Duration::ZERO => "no time".to_owned(),
                time => format!(
                    "{}, while its device was gone, or another program had it",
                    for_people(time)
                ),
            },
        ),
        (
            "longest time without a pet",
            format!(
                "{} of {limit}, while pets were given",
                for_people(watchdog.longest_gap)
            ),
        ),
        (
            "resets by the watchdog",
            match ledger.bites {
                0 => "none".to_owned(),
                n => format!("{n}, while a thread of fieldwarden was blocked"),
            },
        ),
        (
            "power-off",
            ledger.halt.map_or("none".to_owned(), |since| {
                let took = for_people(pace.real(ledger.now.since(since)));
                format!("in order, {took} from the decision to the end")
            }),
        ),
        ("services left running", left.to_string()),
    ]
}

fn duration(pace: Pace, board: Duration) -> String {
    let real = for_people(pace.real(board));
    match pace.speed() {
        1 => real,
        _ => format!("{real}, for {} on the board", for_people(board)),
    }
}

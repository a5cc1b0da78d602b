//! The status report for people: the verdict first, then what it rests on.

use super::clock::{clock_line, rtc_line};
use super::dated::{Dated, is_trusted};
use super::service_screen::services;
use super::table::{Cell, harmless, lines};
use super::{
    BatteryStatus, HaltStatus, HoldStatus, LastBootStatus, LedStatus, MachineStatus, MountStatus,
    ProvenStatus, Status, WatchdogStatus,
};
use crate::core::note::Severity;
use crate::text::{for_people, hundredths, severity_word};
use crate::units::Milliamps;
use anstyle::{AnsiColor, Style};
use jiff::Timestamp;

pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const QUIET: Style = Style::new().dimmed();
pub(super) const TITLE: Style = Style::new().bold();

/// Begins the line of whatever can be good or bad. The only character of a report that is not
/// ASCII, apart from names.
pub const MARK: &str = "●";

/// What a person reads. It holds colours as escape sequences; the terminal's side of things is up
/// to whoever prints it. `events` are the latest ones, the oldest first.
pub fn screen(status: &Status, events: &[Dated]) -> String {
    let style = verdict_style(&status.verdict);
    let mut out = format!(
        "{style}{}{style:#}\n{QUIET}fieldwarden {}, pid {}; machine up {}{QUIET:#}\n",
        harmless(&status.headline),
        harmless(&status.software),
        status.pid,
        for_people(status.uptime_seconds.0),
    );
    let sections = [
        (
            "halt",
            lines(2, &status.halt.iter().map(halt).collect::<Vec<_>>()),
        ),
        (
            "hold",
            lines(
                2,
                &status
                    .hold
                    .iter()
                    .map(HoldStatus::cells)
                    .collect::<Vec<_>>(),
            ),
        ),
        ("watchdog", lines(2, &[watchdog(&status.watchdog)])),
        ("services", services(status)),
        ("machine", machine(status)),
        (
            "storage",
            lines(2, &status.mounts.iter().map(mount).collect::<Vec<_>>()),
        ),
        ("guards", lines(2, &super::guards::rows(status))),
        ("network", lines(2, &super::network::rows(status))),
        (
            "led",
            lines(
                2,
                &status.led.iter().map(LedStatus::cells).collect::<Vec<_>>(),
            ),
        ),
        ("limits", super::unenforced::lines(status)),
        ("late threads", threads(status)),
        (
            "latest events",
            events
                .iter()
                .map(|e| format!("  {}\n", event_line(e)))
                .collect(),
        ),
    ];
    for (title, body) in sections.iter().filter(|(_, body)| !body.is_empty()) {
        out.push_str(&format!("\n{TITLE}{title}{TITLE:#}\n{body}"));
    }
    out
}

/// One event for people: when, how bad, what. A time that may be wrong has a question mark, and one
/// that was found out later a tilde; where there is none, it is the time since the boot.
pub fn event_line(dated: &Dated) -> String {
    let event = &dated.record;
    let style = match event.severity {
        Severity::Error => BAD,
        Severity::Warning => DOUBTFUL,
        Severity::Info => Style::new(),
    };
    let time = match (dated.date, event.wall) {
        (Some(date), _) => time_of_day(date.at, '~'),
        (None, Some(wall)) => time_of_day(wall, doubt(is_trusted(event))),
        (None, None) => format!("{:>20}", format!("+{}", event.mono)),
    };
    format!(
        "{QUIET}{time}{QUIET:#} {style}{:7}{style:#} {}",
        severity_word(event.severity),
        harmless(&event.text)
    )
}

/// A line that a service wrote, for people: when, whose, what.
pub fn log_line(time: Option<Timestamp>, trusted: bool, service: &str, text: &str) -> String {
    let time = time.map_or_else(String::new, |time| time_of_day(time, doubt(trusted)));
    format!("{QUIET}{time}{QUIET:#} {service}{}", harmless(text))
}

/// What stands behind a time as the clock showed it.
fn doubt(trusted: bool) -> char {
    if trusted { ' ' } else { '?' }
}

fn time_of_day(time: Timestamp, mark: char) -> String {
    format!("{}{mark}", time.strftime("%Y-%m-%d %H:%M:%S"))
}

pub(super) fn verdict_style(verdict: &str) -> Style {
    match verdict {
        "ok" => GOOD,
        "critical" => BAD,
        _ => DOUBTFUL,
    }
}

/// The mark before a line: its colour repeats what the word beside it says.
pub(super) fn mark(style: Style) -> Cell {
    Cell::new(MARK, style)
}

fn watchdog(watchdog: &WatchdogStatus) -> Vec<Cell> {
    let style = match watchdog.state.as_str() {
        "armed" if watchdog.why.is_some() => BAD,
        "armed" => GOOD,
        "elsewhere" if watchdog.why.is_none() => GOOD,
        "withheld" | "failed" => BAD,
        _ => DOUBTFUL,
    };
    let mut details = Vec::new();
    details.extend(watchdog.identity.clone());
    details.extend(
        watchdog
            .timeout_seconds
            .map(|t| format!("timeout {}", for_people(t.0))),
    );
    match (watchdog.state.as_str(), watchdog.owner.as_str()) {
        ("failed" | "withheld", _) => {}
        (_, "nobody") | ("off", "systemd") => details.push("nobody pets it".to_owned()),
        (_, owner) => details.push(format!("petted by {owner}")),
    }
    if watchdog.nowayout == Some(true) {
        details.push("cannot be stopped".to_owned());
    }
    if watchdog.caused_reset == Some(true) {
        details.push("ended the boot before this one".to_owned());
    }
    details.extend(watchdog.proven.as_ref().map(ProvenStatus::text));
    details.extend(
        watchdog
            .stuck_thread
            .as_ref()
            .map(|t| format!("thread {t} is stuck")),
    );
    details.extend(watchdog.why.clone());
    details.extend(
        watchdog
            .retry_seconds
            .map(|r| format!("next try in {}", for_people(r.0))),
    );
    vec![
        mark(style),
        Cell::new(&watchdog.state, style),
        Cell::plain(&details.join(", ")),
    ]
}

/// A halt that is under way.
fn halt(halt: &HaltStatus) -> Vec<Cell> {
    vec![
        mark(BAD),
        Cell::new(&halt.rung, BAD),
        Cell::plain(&halt.text),
    ]
}

fn machine(status: &Status) -> String {
    let (machine, verdicts) = (&status.machine, &status.verdicts);
    let cell = |text: Option<String>, verdict: &str| match text {
        Some(text) if verdict == "warn" || verdict == "critical" => {
            Cell::new(&text, verdict_style(verdict))
        }
        Some(text) => Cell::plain(&text),
        None => Cell::new("unknown", QUIET),
    };
    let clock = clock_line(machine);
    let temperature = temperature(machine);
    let memory = machine
        .memory_available_percent
        .map(|m| format!("{} available", m.0));
    let load = machine
        .load_per_cpu
        .map(|l| format!("{} per processor", hundredths(l.0)));
    let mut rows = vec![
        vec![
            Cell::plain("temperature"),
            cell(temperature, &verdicts.temperature),
        ],
        vec![Cell::plain("memory"), cell(memory, &verdicts.memory)],
        vec![Cell::plain("load"), cell(load, &verdicts.load)],
        vec![Cell::plain("clock"), cell(clock, &verdicts.clock)],
    ];
    if let Some(rtc) = &machine.rtc {
        let verdict = match rtc.state.as_str() {
            "right" => "ok",
            _ => "warn",
        };
        rows.push(vec![Cell::plain("rtc"), cell(Some(rtc_line(rtc)), verdict)]);
    }
    if let Some(network) = &machine.network {
        rows.push(vec![Cell::plain("network"), Cell::plain(network)]);
    }
    // A machine on which nothing tells has no such line.
    if let Some(verdict) = &verdicts.power {
        rows.push(vec![Cell::plain("power"), cell(power(machine), verdict)]);
    }
    if let Some(battery) = &machine.battery {
        rows.push(vec![
            Cell::plain("battery"),
            Cell::plain(&self::battery(battery)),
        ]);
    }
    if let (Some(verdict), Some(throttle)) = (&verdicts.throttle, &machine.throttle) {
        let names = std::iter::once("throttle").chain(std::iter::repeat(""));
        for (name, line) in names.zip(throttle.lines()) {
            rows.push(vec![Cell::plain(name), cell(line, verdict)]);
        }
    }
    rows.extend(status.last_boot.as_ref().map(boot_before));
    lines(2, &rows)
}

fn boot_before(last: &LastBootStatus) -> Vec<Cell> {
    let orderly =
        ["first-boot", "halted", "planned-cut", "asked-to-end"].contains(&last.end.as_str());
    let style = if orderly { QUIET } else { DOUBTFUL };
    // Of what is not known nothing is likely.
    let text = match last.end.as_str() {
        "first-boot" | "unknown" => last.text.clone(),
        _ => format!("{} ({})", last.text, last.confidence),
    };
    vec![Cell::plain("boot before"), Cell::new(&text, style)]
}

/// The temperature, and the level that it is judged to be at, which it may be below for a while.
pub(super) fn temperature(machine: &MachineStatus) -> Option<String> {
    let heat = match machine.heat.as_deref() {
        None | Some("cool") => String::new(),
        Some(level) => format!(" ({level})"),
    };
    machine
        .temperature_celsius
        .map(|t| format!("{}{heat}", t.0))
}

/// What the machine runs on; `None` if nobody can tell.
pub(super) fn power(machine: &MachineStatus) -> Option<String> {
    match (machine.power.as_deref()?, machine.on_battery_seconds) {
        ("battery", Some(s)) => Some(format!("on battery for {}", for_people(s.0))),
        ("battery", None) => Some("on battery".to_owned()),
        ("mains", _) => Some("on mains".to_owned()),
        _ => None,
    }
}

/// What the gauge says, the charge first.
pub(super) fn battery(battery: &BatteryStatus) -> String {
    let flow = battery.amperes.map(|a| match a.0.0 {
        0 => "neither charging nor in use".to_owned(),
        1.. => format!("charging with {}", a.0),
        _ => format!("in use with {}", Milliamps(a.0.0.saturating_neg())),
    });
    let parts = [
        battery.charge_percent.map(|c| c.0.to_string()),
        battery.volts.map(|v| v.0.to_string()),
        flow,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn mount(mount: &MountStatus) -> Vec<Cell> {
    let style = verdict_style(&mount.verdict);
    let inodes = mount
        .free_inodes_percent
        .map_or_else(String::new, |i| format!("{} of inodes free", i.0));
    let free = mount
        .free_percent
        .map_or_else(String::new, |free| format!("{} free", free.0));
    let trouble = match (mount.why.as_deref(), mount.read_only) {
        (Some("read-only"), _) => Some("has turned read-only: nothing can be written".to_owned()),
        (Some("errors"), _) => Some(format!("errors recorded: {}", mount.errors.unwrap_or(0))),
        (Some("worn"), _) => Some("its medium is worn".to_owned()),
        (Some(why), _) => Some(format!("{why} low")),
        (None, Some(true)) => Some("read-only".to_owned()),
        (None, Some(false) | None) => None,
    };
    let unseen = match (mount.readable, mount.seen_seconds) {
        (true, _) => None,
        (false, Some(s)) => Some(format!("unknown, last seen {} ago", for_people(s.0))),
        (false, None) => Some("not seen yet".to_owned()),
    };
    let notes: Vec<String> = [unseen, trouble].into_iter().flatten().collect();
    vec![
        mark(style),
        Cell::plain(&mount.path),
        Cell::new(&mount.verdict, style),
        Cell::plain(&free),
        Cell::plain(&inodes),
        Cell::plain(&notes.join("; ")),
    ]
}

fn threads(status: &Status) -> String {
    let rows: Vec<Vec<Cell>> = status
        .late_threads
        .iter()
        .map(|thread| {
            let style = if thread.essential { BAD } else { DOUBTFUL };
            let late = format!("late by {}", for_people(thread.late_seconds.0));
            vec![
                mark(style),
                Cell::plain(&thread.thread),
                Cell::new(&late, style),
            ]
        })
        .collect();
    lines(2, &rows)
}

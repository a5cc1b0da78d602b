//! `fieldwarden power` for people: what the machine runs on, who says so, and what comes next.

use super::power::{PowerSource, PowerStatus, PowerStep};
use super::screen::{BAD, DOUBTFUL, GOOD, QUIET, TITLE, battery, mark};
use super::table::{Cell, lines};
use crate::text::for_people;
use anstyle::Style;

/// What a person reads, with colours as escape sequences; `None`: nothing tells of power here.
pub fn power_screen(power: Option<&PowerStatus>) -> String {
    let Some(power) = power else {
        return "nothing on this machine tells of mains or of a battery: name the board in \
                `board` of the configuration, if there is one\n"
            .to_owned();
    };
    let style = match power.state.as_str() {
        "on-line" => GOOD,
        "on-battery" | "unknown" => DOUBTFUL,
        _ => BAD,
    };
    let mut out = format!("{style}{}{style:#}\n", first_line(power));
    let sections = [
        ("sources", sources(power)),
        ("battery", battery_lines(power)),
        (title(power), next(power)),
    ];
    for (title, body) in sections.iter().filter(|(_, body)| !body.is_empty()) {
        out.push_str(&format!("\n{TITLE}{title}{TITLE:#}\n{body}"));
    }
    out
}

fn first_line(power: &PowerStatus) -> String {
    let time = power
        .outage()
        .map_or_else(String::new, |d| format!(" for {}", for_people(d)));
    let state = match power.state.as_str() {
        "on-line" => "on mains",
        "on-battery" => "on battery",
        "low-battery" => "on battery, which is low,",
        "forced-shutdown" => "on battery",
        _ => "unknown: nobody tells of mains",
    };
    match power.state.as_str() {
        "forced-shutdown" => format!("{state}{time}: the machine is to be halted"),
        _ => format!("{state}{time}"),
    }
}

pub(super) fn title(power: &PowerStatus) -> &'static str {
    match power.outage_seconds {
        Some(_) => "if mains stay away",
        None => "if mains failed now",
    }
}

fn sources(power: &PowerStatus) -> String {
    let rows: Vec<Vec<Cell>> = power.sources.iter().map(source).collect();
    lines(2, &rows) + &in_vain(power) + &recovering(power)
}

/// Halts of which nothing came.
fn in_vain(power: &PowerStatus) -> String {
    match power.halts_in_vain {
        0 => String::new(),
        halts => format!("  mains were not seen since {halts} halts in a row\n"),
    }
}

/// Services that wait until the battery has recovered.
fn recovering(power: &PowerStatus) -> String {
    let time = power.recovered_in_seconds.as_ref().map_or_else(
        || "until mains are back".to_owned(),
        |left| format!("for {} at most", for_people(left.0)),
    );
    match power.recovering {
        true => format!("  services wait until the battery has recovered, {time}\n"),
        false => String::new(),
    }
}

fn source(source: &PowerSource) -> Vec<Cell> {
    let style = match source.quality.as_str() {
        "good" => GOOD,
        "stale" | "implausible" => DOUBTFUL,
        _ => BAD,
    };
    let says = match (source.mains, &source.battery) {
        (Some(true), _) => "mains are there".to_owned(),
        (Some(false), _) => "mains are gone".to_owned(),
        (None, Some(said)) => battery(said),
        (None, None) => "nothing".to_owned(),
    };
    let age = match source.age_seconds {
        Some(age) => format!("{} ago", for_people(age.0)),
        None => "never".to_owned(),
    };
    vec![
        mark(style),
        Cell::plain(&source.source),
        Cell::new(&source.quality, style),
        Cell::plain(&says),
        Cell::new(&age, QUIET),
        Cell::plain(source.why.as_deref().unwrap_or_default()),
    ]
}

fn battery_lines(power: &PowerStatus) -> String {
    let mut rows = Vec::new();
    let mut row = |name: &str, text: String, style: Style| {
        rows.push(vec![Cell::plain(name), Cell::new(&text, style)]);
    };
    if let Some(mv) = power.millivolts_per_hour {
        row("voltage", per_hour(mv, 1000, "V"), Style::new());
    }
    if let Some(percent) = power.charge_percent_per_hour {
        // Tenths, exactly: it was made of whole thousandths.
        row(
            "charge",
            per_hour((percent * 10.0).round() as i64, 10, "%"),
            Style::new(),
        );
    }
    if power.outage_seconds.is_some() {
        let left = match power.remaining_seconds {
            Some(left) => format!("at least {}", for_people(left.0)),
            None if power.millivolts_per_hour.is_none()
                && power.charge_percent_per_hour.is_none() =>
            {
                "not known yet: that takes a minute of readings".to_owned()
            }
            None => "not known: its level does not fall all the time".to_owned(),
        };
        row("left", left, Style::new());
    }
    let low = [
        power.low_charge_percent.map(|p| p.0.to_string()),
        power.low_volts.map(|v| v.0.to_string()),
    ];
    let low: Vec<String> = low.into_iter().flatten().collect();
    if !low.is_empty() {
        row("low at", low.join(" or "), Style::new());
    }
    if !power.signs.is_empty() {
        let signs: Vec<&str> = power.signs.iter().map(|s| sign(s)).collect();
        row("signs", signs.join(", "), DOUBTFUL);
    }
    if let Some(dispute) = &power.dispute {
        let text = format!("{dispute}: look at the board, and at its file");
        row("disagree", text, DOUBTFUL);
    }
    lines(2, &rows)
}

/// A sign of an outage or of an empty battery, in words.
fn sign(word: &str) -> &str {
    match word {
        "mains-gone" => "mains are gone",
        "charge" => "its charge is low",
        "voltage" => "its voltage is low",
        "falling" => "its voltage falls all the time",
        "current" => "it is in use",
        other => other,
    }
}

/// A change in an hour: `-0.31V an hour`.
fn per_hour(value: i64, scale: i64, unit: &str) -> String {
    let sign = match value {
        0 => return "steady".to_owned(),
        n if n < 0 => "-",
        _ => "+",
    };
    let size = value.unsigned_abs();
    let scale = scale.unsigned_abs();
    let digits = if scale == 1000 { 3 } else { 1 };
    format!(
        "{sign}{}.{:0digits$}{unit} an hour",
        size / scale,
        size % scale
    )
}

fn next(power: &PowerStatus) -> String {
    let mut rows: Vec<Vec<Cell>> = power.next.iter().map(step).collect();
    if let Some(held) = &power.held {
        let why = match held.as_str() {
            "returning" => "mains are seen again: nothing is done unless they go",
            "charging" => "the battery is being charged: the ride-through does not end",
            "looking" => "this daemon looks first whether mains are still gone",
            "doubted" => "halts because of it were in vain: only the battery's level counts",
            _ => "the battery does not confirm it: the ride-through does not end",
        };
        rows.push(vec![Cell::plain("held"), Cell::new(why, DOUBTFUL)]);
    }
    if power.low_charge_percent.is_some() || power.low_volts.is_some() {
        let needed = for_people(power.needed_seconds.0);
        let text = format!(
            "halt, when the battery is low, may not last for {needed}, or is not heard of for 45 s"
        );
        rows.push(vec![Cell::plain("any time"), Cell::plain(&text)]);
    }
    lines(2, &rows)
}

pub(super) fn step(step: &PowerStep) -> Vec<Cell> {
    let what = match (step.step.as_str(), step.why.as_deref()) {
        ("stop-optional", _) => "optional services stop",
        ("stop-normal", _) => "normal services stop",
        (_, Some("ride-through")) => "halt: the ride-through is over",
        (_, Some("gauge-silent")) => "halt: nobody knows the level of the battery",
        (_, Some("low-battery")) => "halt: the battery is low",
        _ => "halt",
    };
    let when = match step.in_seconds.0.is_zero() {
        true => "now".to_owned(),
        false => format!("in {}", for_people(step.in_seconds.0)),
    };
    vec![Cell::plain(&when), Cell::plain(what)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{Amperes, BatteryStatus, Percent, Seconds, Volts};
    use crate::units::{Milliamps, Millivolts, Permille};
    use std::time::Duration;

    fn seconds(ms: u64) -> Seconds {
        Seconds(Duration::from_millis(ms))
    }

    fn on_battery() -> PowerStatus {
        let step = |step: &str, ms, why: Option<&str>| PowerStep {
            step: step.to_owned(),
            in_seconds: seconds(ms),
            why: why.map(str::to_owned),
        };
        PowerStatus {
            state: "on-battery".to_owned(),
            outage_seconds: Some(seconds(12_400)),
            sources: vec![
                PowerSource {
                    source: "line".to_owned(),
                    quality: "good".to_owned(),
                    age_seconds: Some(seconds(300)),
                    mains: Some(false),
                    battery: None,
                    why: None,
                },
                PowerSource {
                    source: "gauge".to_owned(),
                    quality: "stale".to_owned(),
                    age_seconds: Some(seconds(21_000)),
                    mains: None,
                    battery: Some(BatteryStatus {
                        volts: Some(Volts(Millivolts(3_814))),
                        charge_percent: Some(Percent(Permille(640))),
                        amperes: Some(Amperes(Milliamps(-810))),
                    }),
                    why: Some("input/output error (EIO)".to_owned()),
                },
            ],
            millivolts_per_hour: Some(-305),
            charge_percent_per_hour: Some(-25.4),
            low_charge_percent: Some(Percent(Permille(150))),
            low_volts: Some(Volts(Millivolts(3_200))),
            signs: vec!["mains-gone".to_owned(), "falling".to_owned()],
            dispute: Some("charged-on-battery".to_owned()),
            remaining_seconds: Some(seconds(2_460_000)),
            needed_seconds: seconds(50_000),
            shed: "optional".to_owned(),
            next: vec![
                step("stop-normal", 17_600, None),
                step("halt", 47_600, Some("ride-through")),
            ],
            held: Some("returning".to_owned()),
            ..PowerStatus::default()
        }
    }

    fn shown(power: Option<&PowerStatus>) -> String {
        anstream::adapter::strip_str(&power_screen(power)).to_string()
    }

    /// Everything that there is to say of an outage.
    #[test]
    fn an_outage() {
        let text = "\
on battery for 12.4 s

sources
  ●  line   good   mains are gone                 300 ms ago
  ●  gauge  stale  64%, 3.81V, in use with 0.81A  21 s ago    input/output error (EIO)

battery
  voltage   -0.305V an hour
  charge    -25.4% an hour
  left      at least 41 min
  low at    15% or 3.20V
  signs     mains are gone, its voltage falls all the time
  disagree  charged-on-battery: look at the board, and at its file

if mains stay away
  in 17.6 s  normal services stop
  in 47.6 s  halt: the ride-through is over
  held       mains are seen again: nothing is done unless they go
  any time   halt, when the battery is low, may not last for 50 s, or is not heard of for 45 s
";
        assert_eq!(shown(Some(&on_battery())), text);
    }

    /// Each state begins with its words; what is not known is left out.
    #[test]
    fn states_and_nothing() {
        for (state, line) in [
            ("on-line", "on mains"),
            ("low-battery", "on battery, which is low, for 12.4 s"),
            (
                "forced-shutdown",
                "on battery for 12.4 s: the machine is to be halted",
            ),
            ("unknown", "unknown: nobody tells of mains"),
        ] {
            let mut power = PowerStatus {
                state: state.to_owned(),
                ..on_battery()
            };
            if matches!(state, "on-line" | "unknown") {
                power.outage_seconds = None;
            }
            let text = shown(Some(&power));
            assert_eq!(text.lines().next(), Some(line));
            let title = match power.outage_seconds {
                Some(_) => "if mains stay away",
                None => "if mains failed now",
            };
            assert!(text.contains(title), "{text}");
        }
        assert!(shown(None).starts_with("nothing on this machine tells"));
        assert_eq!(per_hour(0, 1000, "V"), "steady");
        assert_eq!(per_hour(1_250, 1000, "V"), "+1.250V an hour");
    }
}

//! `fieldwarden power plan` for people: the whole way down, from mains that fail to what starts the
//! machine again.

use super::power::{PowerStatus, PowerStop};
use super::power_screen::step;
use super::screen::{BAD, DOUBTFUL, GOOD, QUIET, TITLE};
use super::table::{Cell, lines};
use crate::text::for_people;
use anstyle::Style;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long the latest stops of services took, by name: the longest of them.
pub type StopTimes = BTreeMap<String, Duration>;

/// The plan in full. `classes`: the names of the services of each class that an outage stops.
pub fn plan_screen(power: &PowerStatus, classes: &[(&str, Vec<&str>)], took: &StopTimes) -> String {
    let sections = [
        (super::power_screen::title(power), outage(power, classes)),
        ("the power-off", way_down(power, took)),
        ("the battery", battery(power)),
        ("how long the services take to stop", stops(power)),
        ("after it", after(power)),
    ];
    let parts = sections.iter().filter(|(_, body)| !body.is_empty());
    let parts = parts.map(|(title, body)| format!("{TITLE}{title}{TITLE:#}\n{body}"));
    parts.collect::<Vec<_>>().join("\n")
}

fn outage(power: &PowerStatus, classes: &[(&str, Vec<&str>)]) -> String {
    let rows: Vec<Vec<Cell>> = power
        .next
        .iter()
        .map(|next| {
            let class = match next.step.as_str() {
                "stop-optional" => "optional",
                "stop-normal" => "normal",
                _ => "",
            };
            let of = classes.iter().find(|(name, _)| *name == class);
            let names = of.map_or_else(String::new, |(_, names)| match names.is_empty() {
                true => "there are none".to_owned(),
                false => names.join(", "),
            });
            let mut row = step(next);
            row.push(Cell::new(&names, QUIET));
            row
        })
        .collect();
    match rows.is_empty() {
        true => "  only the battery ends it\n".to_owned(),
        false => lines(2, &rows),
    }
}

fn way_down(power: &PowerStatus, took: &StopTimes) -> String {
    let mut rows = Vec::new();
    let mut from = Duration::ZERO;
    let mut committed = None;
    for rung in &power.way_down {
        if !rung.can_be_taken_back && committed.is_none() {
            committed = Some((rows.len(), from));
        }
        let seen = match (rung.rung.as_str(), longest(took)) {
            ("stopping", Some((name, time))) => {
                format!("the slowest was seen to take {}: {name}", for_people(time))
            }
            ("stopping", None) => "no stop was seen yet".to_owned(),
            _ => String::new(),
        };
        rows.push(vec![
            Cell::plain(words(&rung.rung)),
            Cell::plain(&format!("{} at most", for_people(rung.at_most_seconds.0))),
            Cell::new(&seen, QUIET),
        ]);
        from += rung.at_most_seconds.0;
    }
    let mut text = lines(2, &rows);
    if let Some((at, from)) = committed {
        let line = text.match_indices('\n').map(|(end, _)| end + 1);
        let here = std::iter::once(0).chain(line).nth(at).unwrap_or(0);
        // With the time up to the ask, where time alone brings that about.
        let asked = power.next.iter().find(|next| next.step == "halt");
        let all = asked.map_or_else(String::new, |halt| {
            format!(
                ", in {} at the latest",
                for_people(halt.in_seconds.0 + from)
            )
        });
        let from = for_people(from);
        let said = format!(
            "  {DOUBTFUL}-- the point of no return, {from} after the ask at most{all}{DOUBTFUL:#}\n"
        );
        text.insert_str(here, &said);
    }
    text
}

fn longest(took: &StopTimes) -> Option<(&str, Duration)> {
    let longest = took.iter().max_by_key(|(_, time)| **time)?;
    Some((longest.0, *longest.1))
}

fn words(rung: &str) -> &str {
    match rung {
        "stopping" => "services stop",
        "killing" => "what is left is killed",
        "recording" => "what is to come is written down",
        "syncing" => "file systems are synced",
        "cutting" => "the board is told to cut the power",
        "asked" => "init stops and unmounts the rest",
        other => other,
    }
}

fn battery(power: &PowerStatus) -> String {
    let needed = power.needed_seconds.0;
    let (text, style) = match power.remaining_seconds.as_ref().map(|left| left.0) {
        Some(left) if left > needed => (format!("lasts for {} at least", for_people(left)), GOOD),
        Some(left) => (format!("may last for {} only", for_people(left)), BAD),
        None => ("known only on battery, after a minute".to_owned(), QUIET),
    };
    let rows = vec![
        vec![Cell::plain("left"), Cell::new(&text, style)],
        vec![
            Cell::plain("needed"),
            Cell::plain(&format!(
                "{}: with less than that the power-off begins",
                for_people(needed)
            )),
        ],
        vec![Cell::plain(""), Cell::new(&made_of(power), QUIET)],
    ];
    lines(2, &rows)
}

/// What `needed` is made of, service by service, and what would be shortened.
fn stops(power: &PowerStatus) -> String {
    let row = |stop: &PowerStop| {
        let plural = if stop.seen == 1 { "stop" } else { "stops" };
        let why = match (stop.basis.as_str(), &stop.longest_seconds) {
            ("learned", Some(longest)) => format!(
                "{} at most in its latest {} {plural}",
                for_people(longest.0),
                stop.seen
            ),
            ("killed", _) => "its deadline: it had to be killed of late".to_owned(),
            _ => format!("its deadline: {} {plural} seen", stop.seen),
        };
        let short = stop.left_seconds.0 < stop.deadline_seconds.0;
        let left = match short {
            true => format!(
                "killed after {} instead of {}",
                for_people(stop.left_seconds.0),
                for_people(stop.deadline_seconds.0)
            ),
            false => String::new(),
        };
        let style = if stop.on_chain { Style::new() } else { QUIET };
        vec![
            Cell::new(&stop.service, style),
            Cell::new(&for_people(stop.expected_seconds.0), style),
            Cell::new(&why, QUIET),
            Cell::new(&left, DOUBTFUL),
        ]
    };
    let rows: Vec<Vec<Cell>> = power.stops.iter().map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let short = |stop: &PowerStop| stop.left_seconds.0 < stop.deadline_seconds.0;
    let said = match power.stops.iter().any(short) {
        true => format!(
            "  with {} left when it begins, deadlines are shortened as shown\n",
            for_people(power.fit_seconds.0)
        ),
        false => String::new(),
    };
    lines(2, &rows) + &said
}

/// `2 x 12 s for the services, 30 s for the machine`.
fn made_of(power: &PowerStatus) -> String {
    let beside = for_people(power.beside_seconds.0);
    if power.stops_seconds.0.is_zero() {
        return format!("{beside} for the machine, as no service has to stop");
    }
    let chain = power.stops.iter().filter(|stop| stop.on_chain);
    let chain: Vec<&str> = chain.map(|stop| stop.service.as_str()).collect();
    let services = for_people(power.stops_seconds.0);
    format!(
        "2 x {services} for {}, and {beside} for the machine",
        chain.join(", ")
    )
}

fn after(power: &PowerStatus) -> String {
    let (text, style) = match power.comes_back {
        Some(true) => (
            "the board starts the machine by itself when mains are back",
            Style::new(),
        ),
        Some(false) => (
            "mains that return later do not start the machine: press the board's button, or take its \
             power away for a moment",
            BAD,
        ),
        None => (
            "nobody knows whether the board starts the machine when mains are back: try it at the bench",
            DOUBTFUL,
        ),
    };
    format!("  {style}{text}{style:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{PowerRung, PowerStep, Seconds};

    fn seconds(n: u64) -> Seconds {
        Seconds(Duration::from_secs(n))
    }

    fn shown(power: &PowerStatus, took: &StopTimes) -> String {
        let classes = [("optional", vec!["camera"]), ("normal", vec![])];
        anstream::adapter::strip_str(&plan_screen(power, &classes, took)).to_string()
    }

    fn power() -> PowerStatus {
        let step = |step: &str, s, why: Option<&str>| PowerStep {
            step: step.to_owned(),
            in_seconds: seconds(s),
            why: why.map(str::to_owned),
        };
        let stop = |(name, expected, deadline, left): (&str, _, _, _),
                    (basis, longest): (&str, Option<u64>),
                    seen,
                    on_chain| PowerStop {
            service: name.to_owned(),
            expected_seconds: seconds(expected),
            deadline_seconds: seconds(deadline),
            basis: basis.to_owned(),
            longest_seconds: longest.map(seconds),
            seen,
            on_chain,
            left_seconds: seconds(left),
        };
        let rung = |rung: &str, s, can_be_taken_back| PowerRung {
            rung: rung.to_owned(),
            at_most_seconds: seconds(s),
            can_be_taken_back,
        };
        PowerStatus {
            state: "on-line".to_owned(),
            needed_seconds: seconds(50),
            stops_seconds: seconds(10),
            beside_seconds: seconds(30),
            fit_seconds: seconds(50),
            stops: vec![
                stop(("db", 3, 10, 10), ("learned", Some(2)), 8, true),
                stop(("web", 7, 7, 4), ("too-few", None), 1, true),
                stop(("x", 1, 1, 1), ("killed", None), 5, false),
            ],
            next: vec![
                step("stop-optional", 10, None),
                step("stop-normal", 30, None),
                step("halt", 60, Some("ride-through")),
            ],
            way_down: vec![
                rung("stopping", 80, true),
                rung("killing", 5, true),
                rung("recording", 3, true),
                rung("syncing", 10, true),
                rung("asked", 100, false),
            ],
            comes_back: Some(true),
            ..PowerStatus::default()
        }
    }

    /// All of it, on mains.
    #[test]
    fn the_whole_way_down() {
        let took = [("db".to_owned(), Duration::from_millis(1_400))];
        let text = "\
if mains failed now
  in 10 s   optional services stop          camera
  in 30 s   normal services stop            there are none
  in 1 min  halt: the ride-through is over

the power-off
  services stop                     1 min 20 s at most  the slowest was seen to take 1.4 s: db
  what is left is killed            5 s at most
  what is to come is written down   3 s at most
  file systems are synced           10 s at most
  -- the point of no return, 1 min 38 s after the ask at most, in 2 min 38 s at the latest
  init stops and unmounts the rest  1 min 40 s at most

the battery
  left    known only on battery, after a minute
  needed  50 s: with less than that the power-off begins
          2 x 10 s for db, web, and 30 s for the machine

how long the services take to stop
  db   3 s  2 s at most in its latest 8 stops
  web  7 s  its deadline: 1 stop seen                  killed after 4 s instead of 7 s
  x    1 s  its deadline: it had to be killed of late
  with 50 s left when it begins, deadlines are shortened as shown

after it
  the board starts the machine by itself when mains are back
";
        assert_eq!(shown(&power(), &took.into()), text);
    }

    /// A battery that does not last is said so, and a board that lets the machine stay off.
    #[test]
    fn what_is_to_be_feared() {
        let power = PowerStatus {
            remaining_seconds: Some(seconds(40)),
            comes_back: Some(false),
            next: Vec::new(),
            stops: Vec::new(),
            stops_seconds: seconds(0),
            ..power()
        };
        let text = shown(&power, &StopTimes::new());
        for part in [
            "only the battery ends it",
            "no stop was seen yet",
            "may last for 40 s only",
            "30 s for the machine, as no service has to stop",
            "of no return, 1 min 38 s after the ask at most\n",
            "mains that return later do not start the machine",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

//! `power plan`: what an outage comes to, with what the journal has seen of the time that services take
//! to stop.

use super::look::{for_locale, latest};
use super::printer::Printer;
use super::remote::Daemon;
use crate::error::Error;
use crate::journal::{Reader, Record};
use crate::status::{PowerStatus, StopTimes, plan_screen};
use crate::units::Mono;
use clap::Subcommand;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Events that the daemon keeps at hand.
const OF_LATE: u32 = 256;

/// What may be asked of power besides how it stands.
#[derive(Debug, Subcommand)]
pub enum Wanted {
    /// Show the whole way down: what an outage stops and when, the rungs of a power-off and how long
    /// each may take, the point of no return, and what starts the machine again
    Plan {
        /// For programs: one JSON object, described in docs/control.md
        #[arg(long)]
        json: bool,
        /// The journal in which to look for the stops of services
        #[arg(long, value_name = "DIR", default_value = super::JOURNAL)]
        journal: std::path::PathBuf,
    },
}

/// The plan, for programs.
#[derive(Serialize)]
struct Plan<'a> {
    power: &'a PowerStatus,
    stops: BTreeMap<&'a str, f64>,
}

/// Tells of power, or shows the plan.
pub fn power(
    daemon: &Daemon,
    (what, json): (&Option<Wanted>, bool),
    out: &mut Printer,
) -> Result<(), Error> {
    match what {
        Some(Wanted::Plan { json, journal }) => plan(daemon, *json, journal, out),
        None => super::look::power(daemon, json, out),
    }
}

fn plan(daemon: &Daemon, json: bool, journal: &Path, out: &mut Printer) -> Result<(), Error> {
    let status = daemon.status()?;
    let Some(power) = &status.power else {
        if json {
            return Ok(out.line("null")?);
        }
        return Ok(out.put(&for_locale(&crate::status::power_screen(None)))?);
    };
    // Without a journal that can be read there is a plan all the same; what has happened of late is not
    // on the card yet.
    let past = Reader::open(journal).ok().into_iter().flatten();
    let took = stop_times(past.chain(latest(daemon, OF_LATE).unwrap_or_default()));
    if json {
        let stops = took
            .iter()
            .map(|(name, time)| (name.as_str(), time.as_secs_f64()));
        let plan = Plan {
            power,
            stops: stops.collect(),
        };
        let strange = |e: serde_json::Error| Error::Strange(e.to_string());
        return Ok(out.line(&serde_json::to_string(&plan).map_err(strange)?)?);
    }
    let of = |class: &str| {
        let services = status.services.iter().filter(|s| s.class == class);
        services.map(|s| s.name.as_str()).collect::<Vec<_>>()
    };
    let classes = [("optional", of("optional")), ("normal", of("normal"))];
    let known = took.into_iter();
    let known = known.filter(|(name, _)| status.services.iter().any(|s| s.name == *name));
    Ok(out.put(&for_locale(&plan_screen(power, &classes, &known.collect())))?)
}

/// How long each service took to stop, the longest of those that are on record.
fn stop_times(records: impl IntoIterator<Item = Record>) -> StopTimes {
    let mut told: BTreeMap<String, (String, Mono)> = BTreeMap::new();
    let mut took = StopTimes::new();
    for record in records {
        let Some(name) = record.data.get("service").and_then(|name| name.as_str()) else {
            continue;
        };
        match record.event.as_str() {
            "service-stopping" => {
                told.insert(name.to_owned(), (record.boot.clone(), record.mono));
            }
            "service-exited" | "service-stopped" => {
                let since = told.remove(name).filter(|(boot, _)| *boot == record.boot);
                if let Some((_, since)) = since {
                    let time = took.entry(name.to_owned()).or_default();
                    *time = (*time).max(record.mono.since(since));
                }
            }
            // What it was told to end has gone unseen, with a daemon.
            "service-starting" | "service-up" | "service-adopted" => {
                told.remove(name);
            }
            _ => {}
        }
    }
    took
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::note::{Severity, Trust};
    use std::time::Duration;

    fn record(boot: &str, ms: u64, event: &str, service: &str) -> Record {
        let data = serde_json::json!({ "service": service });
        Record {
            v: 1,
            seq: ms,
            boot: boot.to_owned(),
            mono: Mono(ms),
            wall: None,
            trust: Trust::Unset,
            severity: Severity::Info,
            event: event.to_owned(),
            text: String::new(),
            data: data.as_object().cloned().unwrap_or_default(),
        }
    }

    /// The longest stop counts; one whose end was in another boot, was asked for by nobody, or was not
    /// seen, does not.
    #[test]
    fn the_longest_stop_on_record() {
        let took = stop_times([
            record("a", 1_000, "service-stopping", "db"),
            record("a", 1_100, "service-stopping", "web"),
            record("a", 1_300, "service-exited", "web"),
            record("a", 3_000, "service-exited", "db"),
            record("a", 4_000, "service-stopping", "db"),
            record("a", 4_500, "service-exited", "db"),
            record("a", 5_000, "service-exited", "camera"),
            record("a", 6_000, "service-stopping", "web"),
            record("b", 9_000, "service-exited", "web"),
            record("b", 9_100, "service-stopping", "web"),
            record("b", 9_200, "service-adopted", "web"),
            record("b", 99_000, "service-exited", "web"),
        ]);
        let wanted = [("db", 2_000), ("web", 200)];
        let wanted = wanted.map(|(name, ms)| (name.to_owned(), Duration::from_millis(ms)));
        assert_eq!(took, StopTimes::from(wanted));
    }
}

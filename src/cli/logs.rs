//! `logs`: what services wrote last. Reads what the daemon keeps of it, so it works without a daemon.

use super::printer::{Printer, tell_line};
use super::remote::Daemon;
use crate::core::note::Trust;
use crate::edge::clock;
use crate::edge::places::Places;
use crate::edge::service_log::{Line, Reader};
use crate::error::Error;
use crate::status::{KeeperStatus, ServiceStatus, log_line};
use crate::text::trust_word;
use crate::units::Mono;
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// Time between two looks of `--follow`.
const AGAIN: Duration = Duration::from_millis(200);

/// Below the help of the command.
pub const EXAMPLES: &str = "\
Examples:
  fieldwarden logs web               the last 50 lines of one service
  fieldwarden logs -n 200 web db     of two, in the order of time
  fieldwarden logs --follow          of all, and what they write from now on";

/// Said where there is nothing to show.
const NOTHING: &str = "fieldwarden: nothing is kept: no line was written since the machine started, \
     or `output` in the configuration leads elsewhere";

#[derive(Args, Debug)]
pub struct Wanted {
    /// Services, by name; all if there is none
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// Go on with what they write from now on, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// For programs: one JSON object per line, described in docs/formats.md
    #[arg(long)]
    json: bool,
    /// How many past lines; of each service the latest 4 to 64 KiB are kept
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    last: u32,
}

/// A line for programs; the fields that a record has too have the same names and forms.
#[derive(Serialize)]
struct LogLine<'a> {
    service: &'a str,
    mono: f64,
    wall: Option<String>,
    trust: &'a str,
    text: &'a str,
}

/// Shows them.
pub fn logs(dir: &Path, daemon: &Daemon, wanted: &Wanted, out: &mut Printer) -> Result<(), Error> {
    let places = Places::new(dir);
    let known = Known::of(&places, daemon)?;
    let names = known.chosen(&wanted.services)?;
    for (name, elsewhere) in &known.elsewhere {
        if names.contains(name) {
            tell_line(elsewhere);
        }
    }
    let page = Page {
        wanted,
        trust: known.trust,
        width: names.iter().map(String::len).max().unwrap_or(0),
    };
    let mut readers: Vec<(&str, Reader)> = names
        .iter()
        .map(|name| (&**name, Reader::new(&places, name)))
        .collect();
    let past = read(&mut readers)?;
    if past.is_empty() && !wanted.follow {
        tell_line(NOTHING);
    }
    let last = usize::try_from(wanted.last).unwrap_or(usize::MAX);
    page.put(&past[past.len().saturating_sub(last)..], out)?;
    while wanted.follow && !out.gone() {
        std::thread::sleep(AGAIN);
        page.put(&read(&mut readers)?, out)?;
    }
    Ok(())
}

/// What is new, in the order in which it was written.
fn read<'a>(readers: &mut [(&'a str, Reader)]) -> Result<Vec<(&'a str, Line)>, Error> {
    let mut lines = Vec::new();
    for (name, reader) in readers {
        let fresh = reader.read().map_err(|source| Error::Log { source })?;
        lines.extend(fresh.into_iter().map(|line| (*name, line)));
    }
    // Stable: lines of one service that came within a millisecond stay in order.
    lines.sort_by_key(|(_, line)| line.at);
    Ok(lines)
}

/// Services of which something may be kept, and how far the time of day can be trusted.
struct Known {
    names: BTreeSet<String>,
    /// Where to look for what those write that somebody else keeps.
    elsewhere: BTreeMap<String, String>,
    trust: String,
}

impl Known {
    /// A daemon knows its own; without one, there are those that the last one left something of, and
    /// the kernel knows whether its clock is synchronised.
    fn of(places: &Places, daemon: &Daemon) -> Result<Known, Error> {
        let left = places.left();
        match daemon.status() {
            Ok(status) => Ok(Known {
                elsewhere: elsewhere(&status.services),
                names: status.services.into_iter().map(|s| s.name).collect(),
                trust: status.machine.clock_trust,
            }),
            Err(e) if left.is_empty() => Err(e),
            Err(_) => {
                let synced = clock::sync_state().unwrap_or(false);
                let trust = if synced { Trust::Synced } else { Trust::Unset };
                Ok(Known {
                    elsewhere: BTreeMap::new(),
                    names: left,
                    trust: trust_word(trust).to_owned(),
                })
            }
        }
    }

    fn chosen(&self, asked: &[String]) -> Result<Vec<String>, Error> {
        let known = || self.names.iter().cloned().collect();
        match asked.iter().find(|name| !self.names.contains(*name)) {
            None if asked.is_empty() => Ok(known()),
            None => Ok(asked.to_vec()),
            Some(name) => Err(Error::NoSuchService {
                name: name.clone(),
                known: known(),
            }),
        }
    }
}

/// Where to look for what services write that somebody else keeps.
fn elsewhere(services: &[ServiceStatus]) -> BTreeMap<String, String> {
    let kept = services
        .iter()
        .filter_map(|s| Some((s, s.keeper.as_ref()?)));
    let line = |(s, keeper): (&ServiceStatus, &KeeperStatus)| {
        let (by, logs) = (&keeper.by, &keeper.logs);
        let line = format!(
            "fieldwarden: {} is kept by {by}: `{logs}` shows what it writes",
            s.name
        );
        (s.name.clone(), line)
    };
    kept.map(line).collect()
}

/// How lines are printed.
struct Page<'a> {
    wanted: &'a Wanted,
    /// How far the time of day can be trusted.
    trust: String,
    /// Columns of a service's name.
    width: usize,
}

impl Page<'_> {
    fn put(&self, lines: &[(&str, Line)], out: &mut Printer) -> Result<(), Error> {
        if lines.is_empty() {
            return Ok(());
        }
        // Looked at anew each time: it may have been set meanwhile.
        let (now, wall) = (clock::now(), clock::wall());
        for (name, Line { at, text }) in lines {
            let ago = jiff::SignedDuration::try_from(now.since(*at)).unwrap_or_default();
            let time = wall.checked_sub(ago).ok();
            let line = match self.wanted.json {
                true => self.for_programs(name, (*at, time), text),
                false => self.for_people(name, time, text),
            };
            out.line(&line)?;
        }
        Ok(())
    }

    fn for_programs(
        &self,
        name: &str,
        (at, time): (Mono, Option<Timestamp>),
        text: &str,
    ) -> String {
        let line = LogLine {
            service: name,
            mono: at.0 as f64 / 1000.0,
            wall: time.map(|t| t.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()),
            trust: &self.trust,
            text,
        };
        // Texts and numbers: nothing of it can fail to be JSON.
        serde_json::to_string(&line).unwrap_or_default()
    }

    fn for_people(&self, name: &str, time: Option<Timestamp>, text: &str) -> String {
        let trusted = matches!(self.trust.as_str(), "synced" | "holdover");
        match self.wanted.services[..] {
            [_] => log_line(time, trusted, "", text),
            _ => log_line(time, trusted, &format!("{name:0$}  ", self.width), text),
        }
    }
}

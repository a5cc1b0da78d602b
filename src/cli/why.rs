//! `why` and `tree`: how services hang together, what keeps one from running, and why the machine
//! started anew.

use super::look::{for_locale, latest};
use super::past;
use super::printer::{Printer, tell_line};
use super::remote::Daemon;
use crate::edge::clock;
use crate::error::Error;
use crate::journal::Reader;
use crate::status::{
    BootBefore, Chain, Dated, Direction, Status, dated, tree as draw, why as explain,
};
use clap::Args;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// Events of a chain that are shown: what led to it lately, on less than a screen.
const SHOWN: usize = 10;

/// Events that are looked through: all that the daemon keeps at hand.
pub const AT_HAND: u32 = 256;

pub const WHY_EXAMPLES: &str = "\
Examples:
  fieldwarden why            why did this machine start anew? Needs no daemon
  fieldwarden why web        why does this service not run?

Of a service, the first line is the service, each line below it is further set in the further back it lies. Events
are those of all that are named, from what the daemon has at hand, or else from the durable journal.";

pub const TREE_EXAMPLES: &str = "\
Examples:
  fieldwarden tree               all services
  fieldwarden tree web           what web leans on
  fieldwarden tree --up db       what leans on db, and is stopped before it";

/// What is to be explained.
#[derive(Args, Debug)]
pub struct Wanted {
    /// Service, by name; without one, the story of the last boot is told
    #[arg(value_name = "SERVICE")]
    service: Option<String>,
    /// For programs: one JSON object, described in docs/formats.md; only without a service
    #[arg(long, conflicts_with = "service")]
    json: bool,
    /// Journal in which is looked for the last boot, and for events that the daemon has not at hand
    #[arg(long, value_name = "DIR", default_value = super::JOURNAL)]
    journal: PathBuf,
}

/// Explains it.
pub fn asked(daemon: &Daemon, wanted: &Wanted, out: &mut Printer) -> Result<(), Error> {
    match &wanted.service {
        Some(service) => why(daemon, service, &wanted.journal, out),
        None => boot(&wanted.journal, wanted.json, out),
    }
}

/// Why the machine started anew, by the latest verdict that is in the journal.
fn boot(journal: &Path, json: bool, out: &mut Printer) -> Result<(), Error> {
    let mut reader = past::open(journal)?;
    let told = BootBefore::of(dated(reader.by_ref()));
    past::tell(reader.damage());
    let Some(told) = told else {
        return Err(Error::NoVerdict {
            journal: journal.to_owned(),
        });
    };
    if clock::boot_id().is_ok_and(|boot| *boot != *told.boot) {
        tell_line(
            "fieldwarden: this is about an earlier boot: in the present one no daemon has written a verdict \
             there",
        );
    }
    if json {
        let strange = |e: serde_json::Error| Error::Strange(e.to_string());
        return Ok(out.line(&serde_json::to_string(&told).map_err(strange)?)?);
    }
    Ok(out.put(&for_locale(&told.screen()))?)
}

/// Why a service is as it is.
fn why(daemon: &Daemon, name: &str, journal: &Path, out: &mut Printer) -> Result<(), Error> {
    let status = daemon.status()?;
    let Some(chain) = explain(&status, name) else {
        return Err(unknown(&status, name));
    };
    // The chain is what was asked for; events that cannot be had must not cost it.
    let at_hand = latest(daemon, AT_HAND).unwrap_or_default();
    let mut events: VecDeque<Dated> = VecDeque::new();
    dated(at_hand.into_iter()).for_each(|event| keep(event, &chain, &mut events));
    if events.is_empty() {
        match Reader::open(journal) {
            Ok(reader) => dated(reader).for_each(|event| keep(event, &chain, &mut events)),
            Err(e) => tell_line(&format!(
                "fieldwarden: no event of it is at hand, and {} cannot be read: {e}; name the daemon's with --journal",
                journal.display()
            )),
        }
    }
    let screen = chain.screen(events.make_contiguous());
    Ok(out.put(&for_locale(&screen))?)
}

fn keep(event: Dated, chain: &Chain, events: &mut VecDeque<Dated>) {
    if chain.tells(&event.record) {
        events.push_back(event);
        if events.len() > SHOWN {
            events.pop_front();
        }
    }
}

/// Services as trees.
pub fn tree(daemon: &Daemon, roots: &[String], up: bool, out: &mut Printer) -> Result<(), Error> {
    let status = daemon.status()?;
    let known = |name: &&String| status.services.iter().any(|s| s.name == **name);
    if let Some(name) = roots.iter().find(|name| !known(name)) {
        return Err(unknown(&status, name));
    }
    if status.services.is_empty() {
        tell_line("fieldwarden: no services are configured");
    }
    let direction = match up {
        true => Direction::Up,
        false => Direction::Down,
    };
    Ok(out.put(&for_locale(&draw(&status, roots, direction)))?)
}

fn unknown(status: &Status, name: &str) -> Error {
    Error::NoSuchService {
        name: name.to_owned(),
        known: status.services.iter().map(|s| s.name.clone()).collect(),
    }
}

//!
//! `events --journal` and `export`: what happened in earlier boots as well. Reads the durable journal
//! itself, so it works without a daemon, and on a card that was taken out of its machine.

use super::printer::{Printer, tell_line};
use crate::error::Error;
use crate::journal::{Damage, Directory, Reader};
use crate::status::{Dated, dated, event_line};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::Path;

/// Digits of the id of a boot that tell it from the others.
const BOOT_DIGITS: usize = 8;

/// All records, for programs.
pub fn export(dir: &Path, out: &mut Printer) -> Result<(), Error> {
    let mut reader = open(dir)?;
    for event in dated(reader.by_ref()) {
        out.line(&event.json())?;
        if out.gone() {
            return Ok(());
        }
    }
    tell(reader.damage());
    Ok(())
}

/// The latest records; for people with a line wherever a boot begins.
pub fn events(dir: &Path, json: bool, last: u32, out: &mut Printer) -> Result<(), Error> {
    let keep = usize::try_from(last).unwrap_or(usize::MAX);
    let mut reader = open(dir)?;
    let mut latest: VecDeque<Dated> = VecDeque::new();
    for event in dated(reader.by_ref()) {
        latest.push_back(event);
        if latest.len() > keep {
            latest.pop_front();
        }
    }
    let mut boot = None;
    for event in &latest {
        let record = &event.record;
        if json {
            out.line(&event.json())?;
            continue;
        }
        if boot.replace(&record.boot) != Some(&record.boot) {
            let id: String = record
                .boot
                .chars()
                .filter(char::is_ascii_hexdigit)
                .collect();
            let id = id.get(..BOOT_DIGITS).unwrap_or(&id);
            out.line(&format!("-- boot {id}"))?;
        }
        out.line(&event_line(event))?;
    }
    tell(reader.damage());
    Ok(())
}

/// The journal in this directory, or in `journal` below it: the state directory is easily named
/// instead. One without a single segment is none.
pub fn open(dir: &Path) -> Result<Reader<Directory>, Error> {
    for dir in [dir, &dir.join("journal")] {
        match Reader::open(dir) {
            Ok(reader) if !reader.is_empty() => return Ok(reader),
            Ok(_) => {}
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(source) => {
                let path = dir.to_owned();
                return Err(Error::File { path, source });
            }
        }
    }
    let dir = dir.to_owned();
    Err(Error::NoJournal { dir })
}

/// Tells what had to be left out.
pub fn tell(damage: &Damage) {
    if let Some(parts) = left_out(damage) {
        tell_line(&format!("fieldwarden: left out of the journal: {parts}"));
    }
}

/// What had to be left out; `None` if nothing was.
pub fn left_out(damage: &Damage) -> Option<String> {
    let mut parts = Vec::new();
    let mut part = |count: u64, what: &str| {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    };
    part(damage.lines, "damaged lines");
    part(damage.repeated, "repeated records");
    part(damage.newer, "records of a later version");
    part(damage.unfinished, "bytes of an unfinished record");
    parts.extend(damage.unreadable.iter().cloned());
    (!parts.is_empty()).then(|| parts.join(", "))
}

//! `bundle`: packs what somebody needs who is to help from afar, and nothing that is secret.
//!
//! ```text
//! threads, one for each place ──found──► packet ──► tar.gz ──► file or standard output
//! ```
//!
//! It is most needed on a machine that is half dead: no daemon, a card that is full, read-only or
//! stalls. So nothing that is missing ends it: what could not be read stands in the archive, with why;
//! who hangs is not waited for, be it read from or written to; and an archive that cannot be written
//! where it should be goes to memory. Only the end of the command may be held up: the kernel lets go of
//! no thread that hangs in a disk.
//!
//! Only what is known to be harmless is packed. Never follows a link out of a place, and never reads
//! what services wrote or the trace, which holds the whole configuration.

mod card;
mod dmesg;
mod gather;
mod kernel;
mod output;
mod packet;
mod redact;
mod report;

use super::printer::{Printer, tell_line};
use super::remote::Daemon;
use crate::edge::archive::Beneath;
use crate::edge::clock;
use crate::error::Error;
use clap::Args;
use gather::{Basket, Part, gather, in_time};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Shown below the help.
pub const EXAMPLES: &str = "\
Examples:
  sudo fieldwarden bundle                  pack everything into a file in this directory
  sudo fieldwarden bundle --output /mnt    on a stick, because the card is full
  ssh pi sudo fieldwarden bundle --output - > pi.tar.gz
  sudo fieldwarden bundle --root /mnt      of a machine whose card is mounted here

Secrets are left out, as docs/operations.md says; look into it before you send it.";

/// Longest time that anything is waited for. The daemon answers within 10 s or says that it does not;
/// a card that stalls for longer would hold up whoever wants to know why.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is to be packed, and where to.
#[derive(Args, Debug)]
pub struct Wanted {
    /// Where to: a file, a directory, or - for standard output
    #[arg(long, short, value_name = "PATH", default_value = ".")]
    output: PathBuf,
    /// Configuration
    #[arg(long, value_name = "PATH", default_value = super::CONFIG)]
    config: PathBuf,
    /// Root of the machine it is about, if its card is mounted in this one: asks no daemon unless
    /// --runtime-dir names one
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
}

/// Packs it.
///
/// # Errors
/// When it can be written nowhere.
pub fn bundle(wanted: &Wanted, dir: Option<PathBuf>, out: &mut Printer) -> Result<(), Error> {
    output::may_go(&wanted.output)?;
    let here = wanted.root == Path::new("/");
    let root = wanted.root.clone();
    let stamp = packet::Stamp {
        host: in_time(PATIENCE, move || host(&root))
            .flatten()
            .unwrap_or_else(|| "unknown".to_owned()),
        at: clock::wall(),
        synced: clock::sync_state().unwrap_or(false),
    };
    let packet = gather(parts(wanted, here, dir), PATIENCE);
    let name = stamp.name();
    let archive = packet.pack(&stamp).map_err(Error::Output)?;
    let said = format!("{}, {} bytes", packet.summary(), archive.len());
    let place = output::write(&wanted.output, &name, archive, PATIENCE)?;
    match place {
        None => tell_line(&format!("fieldwarden: {name} on standard output: {said}")),
        Some(path) => {
            out.line(&path.display().to_string())?;
            tell_line(&format!("fieldwarden: {said}"));
        }
    }
    Ok(())
}

/// Who looks where.
fn parts(wanted: &Wanted, here: bool, dir: Option<PathBuf>) -> Vec<Part> {
    let daemon = dir
        .clone()
        .or_else(|| here.then(|| crate::error::RUNTIME_DIR.into()));
    let (root, config) = (wanted.root.clone(), wanted.config.clone());
    let mut parts = vec![
        Part::new("card", {
            let (root, config) = (root.clone(), config.clone());
            move |basket| card::look(&root, &config, here, basket)
        }),
        Part::new("kernel", move |basket| kernel::look(&root, here, basket)),
    ];
    if let Some(dir) = daemon {
        parts.push(Part::new("daemon", move |basket| ask(&dir, basket)));
    }
    if here {
        parts.push(Part::new("check", move |basket| {
            basket.text("check.txt", report::of_here(&config));
        }));
    }
    parts
}

/// What the daemon says, and has not on the card.
fn ask(dir: &Path, basket: &Basket) {
    let daemon = Daemon::new(dir.to_owned());
    match daemon.status() {
        Ok(status) => basket.text("status.json", redact::status(status)),
        Err(e) => basket.unread("status.json", first_line(&e)),
    }
    match super::look::latest(&daemon, super::why::AT_HAND) {
        Ok(records) => basket.text("events.jsonl", redact::lines(records)),
        Err(e) => basket.unread("events.jsonl", first_line(&e)),
    }
    match Beneath::root(dir) {
        Ok(place) => {
            card::listing(&place, "run", basket);
            card::known_files(&place, "run", basket);
        }
        Err(e) => basket.failed("run", &e),
    }
}

/// What failed, without what to do about it.
fn first_line(error: &Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

/// The name of the machine, as far as a file may be called so.
fn host(root: &Path) -> Option<String> {
    let root = Beneath::root(root).ok();
    let read = |place: &str, file: &str| {
        let place = root.as_ref()?.place(Path::new(place)).ok()?;
        let name = place.read(file, 64).ok()?;
        let name = String::from_utf8(name.bytes).ok()?;
        plain_name(name.trim())
    };
    read("/proc/sys/kernel", "hostname").or_else(|| read("/etc", "hostname"))
}

fn plain_name(name: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (!name.is_empty() && name.chars().all(plain)).then(|| name.to_owned())
}

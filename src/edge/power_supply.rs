//! Asks the kernel's own power supplies whether there is power from outside.
//!
//! A supply of type `Mains` counts, and one of type `USB` where there is a battery too: without
//! one, an empty USB port that could charge is no lost mains. What belongs to a peripheral (scope
//! `Device`), such as a mouse, does not count. Any supply that is online means power from outside.
//!
//! A machine on which no supply that counts was ever seen gives no fact at all, not even a loss: it
//! has nothing to lose. A Pi without a UPS that has a kernel driver is such a machine. One whose
//! supplies were there and are gone has lost its reading.
//!
//! A board that tells of mains in another way takes the place of all of this, and one that names one
//! power supply has lost its reading while that one is not there.
//!
//! The list is read anew for each look, because drivers come and go; on most machines it is empty.
//! Never judges a reading, except that one which cannot be true is lost.

use crate::config::board::{Board, MainsBy};
use crate::core::fact::{Errno, Fact, Fault, Reading, Source};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Which power supplies are looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Supplies {
    /// All that count.
    Any,
    /// The one with this name, whatever its type is.
    Named(String),
    /// None: something else tells of mains.
    Others,
}

impl Supplies {
    /// Those that tell of mains on this board.
    pub fn of(board: &Board) -> Supplies {
        match &board.mains {
            MainsBy::Supplies => Supplies::Any,
            MainsBy::Supply(name) => Supplies::Named(name.clone()),
            MainsBy::Line { .. } | MainsBy::Register { .. } | MainsBy::Current { .. } => {
                Supplies::Others
            }
        }
    }
}

/// Looks at the power supplies.
pub struct PowerSupplies {
    class: PathBuf,
    /// Only this one.
    name: Option<String>,
    /// A supply that counts was seen before.
    known: bool,
}

impl PowerSupplies {
    /// Those of the machine whose `/sys` is below `root`; `None` if something else tells of mains.
    pub fn new(root: &Path, which: Supplies) -> Option<PowerSupplies> {
        let class = root.join("sys/class/power_supply");
        let name = match which {
            Supplies::Others => return None,
            Supplies::Any => None,
            Supplies::Named(name) => Some(name),
        };
        Some(PowerSupplies {
            class,
            // A supply that was named is expected.
            known: name.is_some(),
            name,
        })
    }

    /// Whether there is power from outside; nothing where nothing can tell.
    pub fn sample(&mut self) -> Option<Fact> {
        let online = self.online();
        self.known |= !online.is_empty();
        if !self.known {
            return None;
        }
        Some(match judge(online) {
            Ok(present) => Fact::Seen(Reading::Mains { present }),
            Err(why) => Fact::Lost {
                source: Source::Mains,
                why,
            },
        })
    }

    /// The state of each supply that counts.
    fn online(&self) -> Vec<Result<bool, Fault>> {
        if let Some(name) = &self.name {
            return vec![online(&self.class.join(name))];
        }
        // Without such a directory the kernel knows no power supplies.
        let entries = fs::read_dir(&self.class).into_iter().flatten().flatten();
        let supplies: Vec<(Kind, PathBuf)> = entries
            .filter_map(|entry| Some((Kind::of(&entry.path())?, entry.path())))
            .collect();
        let battery = supplies.iter().any(|(kind, _)| *kind == Kind::Battery);
        let counts = |kind: &Kind| match kind {
            Kind::Mains => true,
            Kind::Usb => battery,
            Kind::Battery => false,
        };
        let counted = supplies.iter().filter(|(kind, _)| counts(kind));
        counted.map(|(_, path)| online(path)).collect()
    }
}

/// The types of supplies that matter here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mains,
    Usb,
    Battery,
}

impl Kind {
    /// `None` for other types, and for what belongs to a peripheral.
    fn of(supply: &Path) -> Option<Kind> {
        let word = |name| fs::read(supply.join(name)).unwrap_or_default();
        let kind = match word("type").trim_ascii() {
            b"Mains" => Kind::Mains,
            b"USB" => Kind::Usb,
            b"Battery" | b"UPS" => Kind::Battery,
            _ => return None,
        };
        (word("scope").trim_ascii() != b"Device").then_some(kind)
    }
}

/// Any that is online settles it. That none is can only be said when all have answered.
fn judge(online: Vec<Result<bool, Fault>>) -> Result<bool, Fault> {
    if online.is_empty() {
        return Err(Fault::Absent);
    }
    match online.contains(&Ok(true)) {
        true => Ok(true),
        false => online
            .into_iter()
            .collect::<Result<Vec<_>, _>>()
            .map(|_| false),
    }
}

/// What one supply says of itself.
fn online(supply: &Path) -> Result<bool, Fault> {
    let text = fs::read(supply.join("online")).map_err(|e| fault_of(&e))?;
    match text.trim_ascii() {
        b"0" => Ok(false),
        // 2: online, with a voltage that can be programmed.
        b"1" | b"2" => Ok(true),
        _ => Err(Fault::Implausible),
    }
}

/// What an error of the file system means for a reading.
pub(super) fn fault_of(error: &io::Error) -> Fault {
    match error.raw_os_error() {
        Some(libc::ENOENT) => Fault::Absent,
        Some(number) => Fault::Errno(Errno(number)),
        None => Fault::Errno(Errno(libc::EIO)),
    }
}

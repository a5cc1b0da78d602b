//! Asks the kernel's own power supplies whether there is power from outside.
//!
//! Supplies of the types `Mains` and `USB` count. What belongs to a peripheral (scope `Device`), such
//! as a mouse, does not. Any supply that is online means power from outside.
//!
//! That none is online means lost mains only beside something that carries the machine meanwhile: a
//! battery that the kernel or the board file knows. Without one, the machine runs on power of which
//! nobody tells: a USB port that could charge it is empty, or its Ethernet gives no power to a Pi that
//! is fed in another way (kernel: drivers/power/supply/rpi_poe_power.c, type `Mains`, online while the
//! current exceeds 5).
//!
//! A machine on which nothing was ever told gives no fact at all, not even a loss: it has nothing to
//! lose. A Pi without a UPS that has a kernel driver is such a machine. One whose supplies told
//! something and do not any more has lost its reading.
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
    Any {
        /// The board has a battery, whether the kernel knows it or not.
        battery: bool,
    },
    /// The one with this name, whatever its type is.
    Named(String),
    /// None: something else tells of mains.
    Others,
}

impl Supplies {
    /// Those that tell of mains on this board.
    pub fn of(board: &Board) -> Supplies {
        match &board.mains {
            MainsBy::Supplies => Supplies::Any {
                battery: board.battery.is_some(),
            },
            MainsBy::Supply(name) => Supplies::Named(name.clone()),
            MainsBy::Line { .. }
            | MainsBy::Register { .. }
            | MainsBy::Voltage { .. }
            | MainsBy::Chip { .. }
            | MainsBy::Current { .. } => Supplies::Others,
        }
    }
}

/// Looks at the power supplies.
pub struct PowerSupplies {
    class: PathBuf,
    /// Only this one.
    name: Option<String>,
    /// The board has a battery.
    battery: bool,
    /// Something was told before.
    known: bool,
}

impl PowerSupplies {
    /// Those of the machine whose `/sys` is below `root`; `None` if something else tells of mains.
    pub fn new(root: &Path, which: Supplies) -> Option<PowerSupplies> {
        let class = root.join("sys/class/power_supply");
        let (name, battery) = match which {
            Supplies::Others => return None,
            Supplies::Any { battery } => (None, battery),
            Supplies::Named(name) => (Some(name), false),
        };
        Some(PowerSupplies {
            class,
            // A supply that was named is expected.
            known: name.is_some(),
            name,
            battery,
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

    /// What each supply tells that tells anything.
    fn online(&self) -> Vec<Result<bool, Fault>> {
        if let Some(name) = &self.name {
            return vec![online(&self.class.join(name))];
        }
        // Without such a directory the kernel knows no power supplies.
        let entries = fs::read_dir(&self.class).into_iter().flatten().flatten();
        let supplies: Vec<(Kind, PathBuf)> = entries
            .filter_map(|entry| Some((Kind::of(&entry.path())?, entry.path())))
            .collect();
        let battery = self.battery || supplies.iter().any(|(kind, _)| *kind == Kind::Battery);
        let told = supplies.iter().filter_map(|(kind, path)| match kind {
            Kind::Mains | Kind::Usb => Some((kind, online(path))),
            Kind::Battery => None,
        });
        // Nothing else carries the machine: what is not online does not feed it, and that is all.
        let tells = |kind: &Kind, said: &Result<bool, Fault>| match (kind, said) {
            (_, Ok(true)) => true,
            (Kind::Mains, Err(_)) => true,
            (_, Ok(false)) | (Kind::Usb | Kind::Battery, Err(_)) => battery,
        };
        told.filter(|(kind, said)| tells(kind, said))
            .map(|(_, said)| said)
            .collect()
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

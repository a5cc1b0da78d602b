//! Reads the battery-backed clock, through its driver in the kernel where it has one.
//!
//! Terms: the *rtc* is a clock that runs on while the machine has no power; its *oscillator* stops
//! when its battery is empty, and then its time is wrong however right it looks.
//!
//! A machine can have several: a Pi 5 has one of its own, which keeps time only with a battery of
//! its own, and a clock chip beside it. Picked is a chip that somebody has added, by the name of its
//! driver; numbers depend on which driver came first. Once picked, it is not exchanged for a lesser
//! one: if it is gone, it is lost. A machine on which none was ever seen gives no fact at all.
//!
//! What a read gives is doubted: on a noisy bus a DS3231 gives a wrong time now and then
//! (raspberrypi/linux#3282), so that two reads in a row have to agree.
//!
//! That the oscillator had stopped is told by the kernel's log. The driver of a DS3231 says so in one
//! line, then gives the time as if nothing had been, and before a change of 2025 it also cleared the
//! chip's own mark (kernel: drivers/rtc/rtc-ds1307.c, commit 48458654659c). A log without that line
//! proves nothing: it may have been
//! overwritten. One that stands there counts until the next boot, whoever has set the clock since:
//! the battery is to be looked at all the same. Other drivers refuse to give a time (EINVAL).
//!
//! A DS3231 that no driver has is read over its bus, if the configuration says that there is one: an
//! address proves nothing, so that none is looked for.
//!
//! Never judges what it shows, and sets it only when it is told to.

mod lone;
mod set;

use super::clock;
use super::power_supply::fault_of;
use crate::core::fact::{Errno, Fact, Fault, Reading, RtcSeen, Shown, Source};
use crate::units::{MilliCelsius, Mono, Wall};
use nix::fcntl::OFlag;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use lone::{BUS, LoneChip};
pub use set::RtcSetter;

/// Names of drivers of clocks that are part of a computer, the better ones first. All others belong
/// to chips that somebody has added because time matters (kernel: drivers/rtc).
const BUILT_IN: [&str; 4] = ["rpi-rtc", "rtc-pl031", "rtc_cmos", "rtc-efi"];

/// Reads of one look of which two in a row have to agree. More would keep a stuck bus busy for
/// longer: each may wait a second for it.
const READS: usize = 5;

/// What two reads in a row may differ by, in seconds: they can lie on both sides of a second.
const BETWEEN: i64 = 1;

/// What the kernel says of a chip whose oscillator had stopped (kernel: rtc-ds1307.c, rtc-pcf8563.c
/// and their like), in lower case.
const STOPPED: [&[u8]; 2] = [b"set time!", b"date/time is not reliable"];

/// Most records of the kernel's log that are looked through; its usual buffer holds fewer.
const RECORDS: usize = 20_000;

/// Room for one record of the kernel's log (kernel: `PRINTKRB_RECORD_MAX`, 1 KiB, and its keys).
const RECORD: usize = 8192;

/// Temperatures that a clock chip can have, in thousandths of a degree.
const TEMPERATURES: std::ops::RangeInclusive<i32> = -60_000..=130_000;

/// Looks at the battery-backed clock.
pub struct Rtc {
    class: PathBuf,
    log: PathBuf,
    every: Duration,
    due: Mono,
    picked: Option<Picked>,
    lone: Option<LoneChip>,
}

/// The one that was picked.
struct Picked {
    rank: usize,
    name: String,
    /// It was there at the last look.
    there: bool,
    stopped: Option<bool>,
}

impl Rtc {
    /// That of the machine whose `/sys` and `/dev` are below `root`, with at least `every` between
    /// two looks. Nothing is looked at yet.
    pub fn new(root: &Path, every: Duration) -> Rtc {
        Rtc {
            class: root.join("sys/class/rtc"),
            log: root.join("dev/kmsg"),
            every,
            due: Mono(0),
            picked: None,
            lone: None,
        }
    }

    /// With a chip that is there, and is read over its bus while no driver has it.
    #[must_use]
    pub fn with_chip(mut self, chip: LoneChip) -> Rtc {
        self.lone = Some(chip);
        self
    }

    /// What it says, if it is time to look and there ever was one.
    pub fn sample(&mut self) -> Option<Fact> {
        let now = clock::now();
        if now < self.due {
            return None;
        }
        self.due = now.after(self.every);
        let seen = match &mut self.lone {
            Some(chip) if chip.is_alone() => chip.look(),
            Some(_) | None => self.ask_drivers()?,
        };
        Some(match seen {
            Ok(seen) => Fact::Seen(Reading::Rtc(seen)),
            Err(why) => Fact::Lost {
                source: Source::Rtc,
                why,
            },
        })
    }

    /// What the picked one says to its driver; `None` if there never was any.
    fn ask_drivers(&mut self) -> Option<Result<RtcSeen, Fault>> {
        let found = find(&self.class);
        let best = found.first();
        if let Some(best) = best
            && self.picked.as_ref().is_none_or(|p| best.rank < p.rank)
        {
            self.picked = Some(Picked {
                rank: best.rank,
                name: best.name.clone(),
                there: false,
                stopped: None,
            });
        }
        let picked = self.picked.as_mut()?;
        let there = found.iter().find(|f| f.name == picked.name);
        if there.is_some() && !picked.there {
            // Its driver has looked at it anew, too.
            picked.stopped = had_stopped(&self.log, &picked.name);
        }
        picked.there = there.is_some();
        let look = |f: &Found| look(&f.path, picked.stopped);
        Some(there.map_or(Err(Fault::Absent), look))
    }
}

/// One that is there.
struct Found {
    rank: usize,
    name: String,
    path: PathBuf,
}

/// All there are, the best first.
fn find(class: &Path) -> Vec<Found> {
    // Without such a directory the kernel knows none.
    let entries = fs::read_dir(class).into_iter().flatten().flatten();
    let mut found: Vec<Found> = entries
        .filter_map(|entry| {
            let path = entry.path();
            let name = fs::read_to_string(path.join("name")).ok()?;
            let name = name.trim().to_owned();
            let driver = name.split(' ').next().unwrap_or_default();
            let rank = BUILT_IN.iter().position(|b| *b == driver);
            let rank = rank.map_or(0, |at| at + 1);
            Some(Found { rank, name, path })
        })
        .collect();
    found.sort_by(|a, b| (a.rank, &a.path).cmp(&(b.rank, &b.path)));
    found
}

fn look(path: &Path, stopped: Option<bool>) -> Result<RtcSeen, Fault> {
    let file = path.join("since_epoch");
    let time = vote(|| read_time(&file), times_agree)?;
    let at = clock::now();
    Ok(RtcSeen {
        shown: time.map(|time| Shown { time, at }),
        oscillator_stopped: stopped,
        temperature: temperature(&path.join("device/hwmon")),
    })
}

/// The time; `None` if the driver says that it is not valid.
fn read_time(file: &Path) -> Result<Option<Wall>, Fault> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => return Ok(None),
        Err(error) => return Err(fault_of(&error)),
    };
    let seconds: i64 = text.trim().parse().map_err(|_| Fault::Implausible)?;
    Wall::new(seconds).map(Some).ok_or(Fault::Implausible)
}

/// Reads until two reads in a row agree. What is not there is not asked again.
///
/// # Errors
/// The last fault if no read succeeded, else that nothing plausible came.
pub fn vote<T>(
    mut read: impl FnMut() -> Result<T, Fault>,
    agree: impl Fn(&T, &T) -> bool,
) -> Result<T, Fault> {
    let mut before: Option<T> = None;
    let mut fault = Fault::Implausible;
    let mut failed = 0;
    for _ in 0..READS {
        match read() {
            Ok(now) if before.as_ref().is_some_and(|before| agree(before, &now)) => {
                return Ok(now);
            }
            Ok(now) => before = Some(now),
            Err(Fault::Absent) => return Err(Fault::Absent),
            Err(why) => {
                before = None;
                fault = why;
                failed += 1;
            }
        }
    }
    match failed {
        READS => Err(fault),
        _ => Err(Fault::Implausible),
    }
}

/// Both are of one moment.
pub fn times_agree(before: &Option<Wall>, time: &Option<Wall>) -> bool {
    match (before, time) {
        (None, None) => true,
        (Some(before), Some(time)) => (0..=BETWEEN).contains(&(time.seconds() - before.seconds())),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// The temperature of the chip, if it measures one.
fn temperature(monitors: &Path) -> Option<MilliCelsius> {
    let entries = fs::read_dir(monitors).ok()?.flatten();
    let mut files = entries.map(|e| e.path().join("temp1_input"));
    let text = files.find_map(|file| fs::read_to_string(file).ok())?;
    let milli: i32 = text.trim().parse().ok()?;
    TEMPERATURES.contains(&milli).then_some(MilliCelsius(milli))
}

/// Whether the kernel's log says that the oscillator of this chip had stopped. `None` if it does
/// not, or cannot be read: that proves nothing.
fn had_stopped(log: &Path, name: &str) -> Option<bool> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
    let mut log = options.open(log).ok()?;
    let mut room = vec![0; RECORD];
    // A record for each read, until the next would have to be waited for.
    for _ in 0..RECORDS {
        match log.read(&mut room) {
            Ok(0) => return None,
            Ok(length) if says_stopped(&room[..length], name) => return Some(true),
            Ok(_) => {}
            Err(error) if goes_on(&error) => {}
            Err(_) => return None,
        }
    }
    None
}

/// The record was overwritten before it was read (EPIPE), or is longer than any that matters.
fn goes_on(error: &io::Error) -> bool {
    let number = error.raw_os_error().map(Errno);
    let harmless = [libc::EPIPE, libc::EINVAL, libc::EINTR].map(Errno);
    number.is_some_and(|number| harmless.contains(&number))
}

/// `6,812,1234567,-;rtc-ds1307 1-0068: SET TIME!`: the name is that of driver and device, as the
/// clock's own `name` has it. Other records may be in the same text.
fn says_stopped(text: &[u8], name: &str) -> bool {
    let own = format!("{name}: ").to_ascii_lowercase();
    text.split(|b| *b == b'\n').any(|line| {
        let line = line.to_ascii_lowercase();
        let behind = find_in(&line, own.as_bytes());
        behind.is_some_and(|rest| STOPPED.iter().any(|s| find_in(rest, s).is_some()))
    })
}

/// What stands behind the first `part`.
fn find_in<'t>(text: &'t [u8], part: &[u8]) -> Option<&'t [u8]> {
    let at = text.windows(part.len()).position(|w| w == part)?;
    text.get(at + part.len()..)
}

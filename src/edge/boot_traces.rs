//! Traces of the boot before that the machine itself has kept: what its firmware says, records of a
//! panic, and a clock that ran on meanwhile.
//!
//! Only reads; what the kernel keeps of a panic is left for whoever collects it. Whatever cannot be
//! read was not found.

use super::clock;
use super::marker_file::Written;
use crate::core::traces::{Firmware, Traces};
use crate::units::{Mono, Wall};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// What the firmware of a Pi tells of its reset status, in the device tree. Its bits: the register
/// `PM_RSTS`, of which the partition to boot takes every other one.
const RESET_STATUS: &str = "proc/device-tree/chosen/bootloader/rsts";
/// There was no power before.
const HAD_POWER_ON: u32 = 1 << 12;
/// The watchdog reset it fully, as at every restart. No partition to boot can set this bit.
const HAD_WATCHDOG_FULL: u32 = 1 << 5;

/// Why the regulator of a Pi 5 was reset.
const POWER_RESET: &str = "proc/device-tree/chosen/power/power_reset";
/// Under-voltage.
const UNDER_VOLTAGE: u32 = 1 << 1;

/// Where the kernel shows what outlived a panic, and where systemd has put it by now.
const PSTORE: &str = "sys/fs/pstore";
const COLLECTED: &str = "var/lib/systemd/pstore";

/// Records of a panic begin so; those of an oops, which a kernel may survive, do not.
const PANIC: &[u8] = b"Panic#";

/// Entries of a directory that are looked at.
const ENTRIES: usize = 256;

/// A panic is no later than this after the last sign of life: ten minutes to the next, and some.
const AFTER_LIFE: i64 = 15 * 60;

/// The battery-backed clock.
const RTC: &str = "sys/class/rtc/rtc0/since_epoch";

/// By so much at most the two clocks differ, where each vouches for the other.
const AGREE: i64 = 60;

/// What there is of the boot that has left this marker. `root` is `/`, but in tests.
pub fn look(root: &Path, written: &Written) -> Traces {
    let now = Now {
        wall: clock::wall().as_second(),
        up: clock::now(),
    };
    now.look(root, written)
}

/// The present, by the clocks of the system.
struct Now {
    wall: i64,
    up: Mono,
}

impl Now {
    /// When this boot began.
    fn began(&self) -> i64 {
        let up = self.up.since(Mono::default()).as_secs();
        self.wall.saturating_sub_unsigned(up)
    }

    fn look(&self, root: &Path, written: &Written) -> Traces {
        let wall = written.wall.map(|wall| wall.as_second());
        let dated = wall.filter(|_| written.marker.dated);
        Traces {
            alive: Some(written.up),
            at: dated.and_then(Wall::new),
            gap: dated.and_then(|alive| self.gap(root, alive)),
            firmware: firmware(root),
            panic: wall.is_some_and(|alive| self.panicked(root, alive)),
        }
    }

    /// From the last sign of life to the start of this boot, if there is a clock that ran on.
    fn gap(&self, root: &Path, alive: i64) -> Option<Duration> {
        let text = fs::read_to_string(root.join(RTC)).ok()?;
        let shows: i64 = text.trim().parse().ok()?;
        let agrees = shows.abs_diff(self.wall) <= AGREE.unsigned_abs();
        let gap = self.began().checked_sub(alive)?;
        let gap = u64::try_from(gap).ok().filter(|_| agrees)?;
        Some(Duration::from_secs(gap))
    }

    /// The kernel has left a record of a panic since then.
    fn panicked(&self, root: &Path, alive: i64) -> bool {
        let since = |at: i64| at >= alive && at <= alive.saturating_add(AFTER_LIFE);
        // What was collected has the date of that.
        let now = |at: i64| at >= self.began();
        let collected = root.join(COLLECTED);
        let below = entries(&collected).filter(|path| path.is_dir());
        has_panic(&root.join(PSTORE), since)
            || has_panic(&collected, now)
            || below
                .into_iter()
                .any(|directory| has_panic(&directory, now))
    }
}

/// A record of a panic with such a date lies in this directory.
fn has_panic(directory: &Path, date: impl Fn(i64) -> bool) -> bool {
    entries(directory).any(|path| {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let dated = || fs::metadata(&path).is_ok_and(|found| date(found.mtime()));
        name.starts_with(b"dmesg") && dated() && begins_with_panic(&path)
    })
}

fn entries(directory: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.take(ENTRIES).flatten().map(|entry| entry.path())
}

fn begins_with_panic(path: &Path) -> bool {
    let mut bytes = [0; PANIC.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut bytes));
    read.is_ok() && bytes == PANIC
}

/// What the firmware says, where it is a Pi's.
fn firmware(root: &Path) -> Option<Firmware> {
    let reason = number(&root.join(POWER_RESET)).unwrap_or(0);
    if reason & UNDER_VOLTAGE != 0 {
        return Some(Firmware::Weak);
    }
    let status = number(&root.join(RESET_STATUS))?;
    match (status & HAD_POWER_ON != 0, status & HAD_WATCHDOG_FULL != 0) {
        (true, false) => Some(Firmware::PowerOn),
        (false, true) => Some(Firmware::Reset),
        (true, true) | (false, false) => None,
    }
}

/// A number of the device tree.
fn number(path: &Path) -> Option<u32> {
    let bytes = fs::read(path).ok()?;
    bytes.try_into().ok().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::intent::Marker;
    use jiff::Timestamp;
    use std::time::SystemTime;

    const ALIVE: i64 = 1_900_000_000;

    /// Started 30 s after the last sign of life, and running for a minute.
    const NOW: Now = Now {
        wall: ALIVE + 90,
        up: Mono(60_000),
    };

    fn written(dated: bool) -> Written {
        Written {
            boot: "before".into(),
            up: Mono(812_345),
            wall: Timestamp::from_second(ALIVE).ok(),
            marker: Marker {
                dated,
                ..Marker::default()
            },
        }
    }

    fn put(root: &Path, path: &str, bytes: &[u8], at: i64) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(at.unsigned_abs());
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(at)
            .unwrap();
    }

    /// A machine that keeps nothing has left its last sign of life, and no more.
    #[test]
    fn nothing_is_made_up() {
        let dir = tempfile::tempdir().unwrap();
        let traces = NOW.look(dir.path(), &written(false));
        let alive = Some(Mono(812_345));
        let only = Traces {
            alive,
            ..Traces::default()
        };
        assert_eq!(traces, only);
        let dated = NOW.look(dir.path(), &written(true));
        assert_eq!(dated.at, Wall::new(ALIVE));
        assert_eq!(dated.gap, None, "no clock ran on");
    }

    /// Only a clock that the other one bears out, and that was right before, tells of a gap.
    #[test]
    fn two_clocks_tell_of_the_gap() {
        let dir = tempfile::tempdir().unwrap();
        let gap = |shows: i64, dated| {
            put(dir.path(), RTC, format!("{shows}\n").as_bytes(), ALIVE);
            NOW.look(dir.path(), &written(dated)).gap
        };
        assert_eq!(gap(NOW.wall + 2, true), Some(Duration::from_secs(30)));
        assert_eq!(gap(NOW.wall + 2, false), None, "it was not right before");
        assert_eq!(gap(NOW.wall + 3600, true), None, "it shows local time");
        assert_eq!(gap(946_684_800, true), None, "its cell is dead");
        let early = Now {
            wall: ALIVE - 5,
            up: NOW.up,
        };
        put(dir.path(), RTC, early.wall.to_string().as_bytes(), ALIVE);
        assert_eq!(early.look(dir.path(), &written(true)).gap, None);
    }

    /// The register of the Pi: an ordinary restart sets the bit of the watchdog, a halt those of the
    /// partition, and a number that is none is nothing.
    #[test]
    fn what_the_firmware_says() {
        let dir = tempfile::tempdir().unwrap();
        for (status, said) in [
            (0x1000u32, Some(Firmware::PowerOn)),
            (0x20, Some(Firmware::Reset)),
            (0x21, Some(Firmware::Reset)),
            (0x555, None),
            (0x1020, None),
            (0, None),
        ] {
            put(dir.path(), RESET_STATUS, &status.to_be_bytes(), ALIVE);
            assert_eq!(firmware(dir.path()), said, "{status:#x}");
        }
        put(dir.path(), RESET_STATUS, b"power-on", ALIVE);
        assert_eq!(firmware(dir.path()), None);
        put(dir.path(), POWER_RESET, &2u32.to_be_bytes(), ALIVE);
        assert_eq!(firmware(dir.path()), Some(Firmware::Weak));
    }

    /// Only a panic, and only one since the last sign of life; what systemd has collected counts by the
    /// date of that.
    #[test]
    fn panics_that_were_left() {
        let panicked = |path: &str, bytes: &[u8], at| {
            let dir = tempfile::tempdir().unwrap();
            put(dir.path(), path, bytes, at);
            NOW.look(dir.path(), &written(false)).panic
        };
        let ramoops = "sys/fs/pstore/dmesg-ramoops-0";
        let text = b"Panic#1 Part1\n<0>Kernel panic - not syncing";
        assert!(panicked(ramoops, text, ALIVE + 5));
        assert!(!panicked(ramoops, text, ALIVE - 1));
        assert!(!panicked(ramoops, text, ALIVE + AFTER_LIFE + 1));
        assert!(!panicked(ramoops, b"Oops#1 Part1\n", ALIVE + 5));
        assert!(!panicked(ramoops, b"", ALIVE + 5));
        assert!(!panicked(
            "sys/fs/pstore/console-ramoops-0",
            text,
            ALIVE + 5
        ));
        for collected in ["dmesg.txt", "1900000010/dmesg.txt", "dmesg-efi-1"] {
            let path = format!("{COLLECTED}/{collected}");
            assert!(panicked(&path, text, ALIVE + 40), "{path}");
            assert!(!panicked(&path, text, ALIVE + 29), "{path}");
        }
    }
}

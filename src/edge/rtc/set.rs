//! Sets the battery-backed clock through its driver in the kernel.
//!
//! Never without an order, and never without the permission to touch real hardware. A chip without a
//! driver is not set: its registers are only read.

use super::find;
use crate::core::fact::{Errno, Fault};
use crate::edge::clock;
use crate::edge::hardware::Hardware;
use crate::edge::power_supply::fault_of;
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The driver takes whole seconds, and most chips begin one when they are set. Longer than any wait for
/// the beginning of one.
const SECOND: Duration = Duration::from_secs(1);

/// Time as the kernel hands it to a driver (kernel: include/uapi/linux/rtc.h, `struct rtc_time`).
#[repr(C)]
#[derive(Default, PartialEq, Eq, Debug)]
struct RtcTime {
    second: i32,
    minute: i32,
    hour: i32,
    day: i32,
    /// From 0.
    month: i32,
    /// Since 1900.
    year: i32,
    /// These three are not looked at.
    rest: [i32; 3],
}

nix::ioctl_write_ptr!(set_time, b'p', 0x0a, RtcTime);

/// Sets the clock that [`super::Rtc`] looks at.
pub struct RtcSetter {
    root: PathBuf,
    /// Only a chip that somebody has added: the one that the configuration names.
    added_only: bool,
}

impl RtcSetter {
    /// That of this machine. `added_only`: none that is part of a computer.
    pub fn new(added_only: bool, _: &Hardware) -> RtcSetter {
        RtcSetter {
            root: "/".into(),
            added_only,
        }
    }

    /// Sets it, at the beginning of a second: this takes up to one.
    ///
    /// # Errors
    /// [`Fault::Absent`] if no driver has it; what the kernel said.
    pub fn set(&self) -> Result<(), Fault> {
        let node = node(&self.root, self.added_only).ok_or(Fault::Absent)?;
        let file = OpenOptions::new().write(true).open(node);
        let file = file.map_err(|e| fault_of(&e))?;
        let into = clock::wall().subsec_nanosecond();
        let into = Duration::from_nanos(u64::try_from(into).unwrap_or(0));
        std::thread::sleep(SECOND.saturating_sub(into));
        write(&file, clock::wall())
    }
}

/// Its node: that of the same clock which is looked at.
fn node(root: &Path, added_only: bool) -> Option<PathBuf> {
    let found = find(&root.join("sys/class/rtc"));
    let best = found.first()?;
    let added = best.rank == 0;
    let name = best.path.file_name()?;
    (added || !added_only).then(|| root.join("dev").join(name))
}

fn write(file: &File, wall: jiff::Timestamp) -> Result<(), Fault> {
    let time = broken_down(wall);
    // SAFETY: the descriptor is open, and the structure is the kernel's own.
    let done = unsafe { set_time(file.as_raw_fd(), &raw const time) };
    done.map(drop)
        .map_err(|errno| Fault::Errno(Errno(errno as i32)))
}

fn broken_down(wall: jiff::Timestamp) -> RtcTime {
    let time = wall.to_zoned(jiff::tz::TimeZone::UTC).datetime();
    RtcTime {
        second: time.second().into(),
        minute: time.minute().into(),
        hour: time.hour().into(),
        day: time.day().into(),
        month: i32::from(time.month()) - 1,
        year: i32::from(time.year()) - 1900,
        rest: [0; 3],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A day that only some years have, and a century.
    #[test]
    fn times_are_broken_down() {
        let time = |text: &str| broken_down(text.parse().unwrap());
        let leap = time("2028-02-29T23:59:58Z");
        let numbers = |t: &RtcTime| [t.year, t.month, t.day, t.hour, t.minute, t.second];
        assert_eq!(numbers(&leap), [128, 1, 29, 23, 59, 58]);
        // 2100 has no 29 February.
        let after = numbers(&time("2100-03-01T00:00:00Z"));
        assert_eq!(after, [200, 2, 1, 0, 0, 0]);
        let before = numbers(&time("2100-02-28T23:59:59Z"));
        assert_eq!(before, [200, 1, 28, 23, 59, 59]);
    }

    /// The chip that was added is set, whatever its number; where it is to be that one, no other is.
    #[test]
    fn the_one_that_is_looked_at_is_set() {
        let root = tempfile::tempdir().unwrap();
        let add = |number: &str, name: &str| {
            let path = root.path().join("sys/class/rtc").join(number);
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join("name"), format!("{name}\n")).unwrap();
        };
        assert_eq!(node(root.path(), false), None);
        add("rtc0", "rpi-rtc soc:rpi_rtc");
        assert_eq!(node(root.path(), false), Some(root.path().join("dev/rtc0")));
        assert_eq!(node(root.path(), true), None);
        add("rtc1", "rtc-ds1307 1-0068");
        for added_only in [false, true] {
            let found = node(root.path(), added_only);
            assert_eq!(found, Some(root.path().join("dev/rtc1")));
        }
    }
}

//! Reads how long processes wait for memory (PSI), and how much goes to and from swap.
//!
//! A kernel without PSI (a Pi's needs `psi=1` in cmdline.txt) and a machine without swap give no fact
//! at all, until there is some; after that, its absence is a loss.

use super::clock;
use super::power_supply::fault_of;
use super::process::page_size;
use crate::core::fact::{Fact, Fault, Reading, Source, Swap};
use crate::units::{Mono, Permille};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What is looked at, and what it said.
pub struct MemoryWant {
    pressure: PathBuf,
    swaps: PathBuf,
    traffic: PathBuf,
    /// There is PSI.
    pressed: bool,
    /// Pages read from and written to swap since the boot.
    before: Option<(Mono, [u64; 2])>,
}

impl MemoryWant {
    /// That of the machine whose `/proc` is below `root`.
    pub fn new(root: &Path) -> MemoryWant {
        MemoryWant {
            pressure: root.join("proc/pressure/memory"),
            swaps: root.join("proc/swaps"),
            traffic: root.join("proc/vmstat"),
            pressed: false,
            before: None,
        }
    }

    /// What there is to tell.
    pub fn sample(&mut self) -> Vec<Fact> {
        let facts = [self.pressure(), self.swap(clock::now())];
        facts.into_iter().flatten().collect()
    }

    fn pressure(&mut self) -> Option<Fact> {
        let read = read(&self.pressure).and_then(|text| full(&text).ok_or(Fault::Implausible));
        match read {
            Ok(full) => {
                self.pressed = true;
                Some(Fact::Seen(Reading::Pressure { full }))
            }
            Err(why) => self.pressed.then_some(Fact::Lost {
                source: Source::Pressure,
                why,
            }),
        }
    }

    /// Nothing for the first look, which has nothing to compare with.
    fn swap(&mut self, now: Mono) -> Option<Fact> {
        let Some(on_disk) = read(&self.swaps).ok().and_then(|text| on_disk(&text)) else {
            // It was switched off: nothing goes there any more.
            let gone = self.before.take().is_some();
            let none = Swap {
                read: 0,
                written: 0,
                on_disk: false,
            };
            return gone.then_some(Fact::Seen(Reading::Swap(none)));
        };
        let pages = read(&self.traffic).ok().and_then(|text| traffic(&text))?;
        let (then, before) = self.before.replace((now, pages))?;
        let millis = u64::try_from(now.since(then).as_millis()).ok()?;
        let rate = |at: usize| {
            let kib = pages[at]
                .saturating_sub(before[at])
                .saturating_mul(page_kib());
            let rate = kib.saturating_mul(1000).checked_div(millis)?;
            Some(u32::try_from(rate).unwrap_or(u32::MAX))
        };
        Some(Fact::Seen(Reading::Swap(Swap {
            read: rate(0)?,
            written: rate(1)?,
            on_disk,
        })))
    }
}

/// The size of a page, in KiB; a Pi 5 has larger ones than others.
fn page_kib() -> u64 {
    page_size() as u64 / 1024
}

fn read(path: &Path) -> Result<String, Fault> {
    let text: io::Result<String> = fs::read_to_string(path);
    text.map_err(|e| fault_of(&e))
}

/// `full avg10=1.23 avg60=...`: hundredths of a percent, cut to thousandths.
fn full(text: &str) -> Option<Permille> {
    let line = text.lines().find_map(|l| l.strip_prefix("full avg10="))?;
    let (whole, rest) = line.split(' ').next()?.split_once('.')?;
    let tenth = rest.get(..1)?;
    let (whole, tenth): (u16, u16) = (whole.parse().ok()?, tenth.parse().ok()?);
    (whole <= 100).then(|| Permille((whole * 10 + tenth).min(1000)))
}

/// Some of it lies on a disk or a card; `None` if there is none.
fn on_disk(text: &str) -> Option<bool> {
    let mut devices = text
        .lines()
        .skip(1)
        .filter(|l| !l.trim().is_empty())
        .peekable();
    devices.peek()?;
    let in_memory = |line: &str| line.starts_with("/dev/zram") || line.starts_with("/dev/ram");
    Some(!devices.all(in_memory))
}

/// Pages read back, and written.
fn traffic(text: &str) -> Option<[u64; 2]> {
    let of = |key: &str| {
        let mut lines = text.lines();
        lines.find_map(|l| l.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
    };
    Some([of("pswpin")?, of("pswpout")?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes() {
        let text = "some avg10=2.71 avg60=1.00 avg300=0.00 total=1\n\
                    full avg10=1.29 avg60=0.00 avg300=0.00 total=2\n";
        assert_eq!(full(text), Some(Permille(12)));
        assert_eq!(full("full avg10=100.00 avg60=0.00"), Some(Permille(1000)));
        for wrong in [
            "",
            "full avg10=",
            "full avg10=x.1 ",
            "full avg10=101.00 a",
            "some avg10=1.00",
        ] {
            assert_eq!(full(wrong), None, "{wrong}");
        }
        let head = "Filename\t\t\t\tType\t\tSize\n";
        assert_eq!(on_disk(head), None);
        assert_eq!(
            on_disk(&format!("{head}/dev/zram0 partition 1\n")),
            Some(false)
        );
        let both = format!("{head}/dev/zram0 partition 1\n/var/swap file 2\n");
        assert_eq!(on_disk(&both), Some(true));
        assert_eq!(traffic("pswpin 7\npswpout 9\n"), Some([7, 9]));
        assert_eq!(traffic("pswpin 7\npswpoutx 9\n"), None);
    }

    /// Rates are those between two looks; a machine without either gives nothing.
    #[test]
    fn traffic_is_told_by_the_second() {
        let root = tempfile::tempdir().unwrap();
        let mut want = MemoryWant::new(root.path());
        assert_eq!(want.sample(), []);
        let write = |path: &str, text: &str| {
            let path = root.path().join("proc").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("swaps", "Filename\n/dev/zram0 partition\n");
        write("vmstat", "pswpin 100\npswpout 1000\n");
        assert_eq!(want.swap(Mono(1_000)), None);
        write("vmstat", "pswpin 1100\npswpout 1000\n");
        let swap = |read, on_disk| {
            Some(Fact::Seen(Reading::Swap(Swap {
                read,
                written: 0,
                on_disk,
            })))
        };
        let kib = u32::try_from(page_kib()).unwrap();
        assert_eq!(want.swap(Mono(11_000)), swap(100 * kib, false));
        write("swaps", "Filename\n");
        assert_eq!(want.swap(Mono(21_000)), swap(0, false));
        assert_eq!(want.swap(Mono(31_000)), None);
        write("pressure/memory", "full avg10=3.00 avg60=0.00\n");
        let full = Permille(30);
        assert_eq!(want.sample(), [Fact::Seen(Reading::Pressure { full })]);
        fs::remove_file(root.path().join("proc/pressure/memory")).unwrap();
        assert!(matches!(&want.sample()[..], [Fact::Lost { .. }]));
    }
}

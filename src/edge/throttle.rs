//! Asks whoever can tell for the throttle flags of a Raspberry Pi's firmware.
//!
//! 1. The mailbox, `/dev/vcio`: all bits. Asking changes nothing: see [`Mailbox`].
//! 2. `get_throttled` of the firmware's driver: all bits. Old kernels ask the firmware for it and
//!    clear its bits of what has occurred; newer ones show what somebody has asked for last, and warn
//!    once in their log that the file is deprecated.
//! 3. `in0_lcrit_alarm` of raspberrypi-hwmon: under-voltage within its last two seconds. Reading it
//!    changes nothing, but as long as that driver is loaded it clears the bits of what has occurred
//!    every two seconds.
//!
//! The first that answers counts. What the third one has seen is added to the bits of what has
//! occurred, because it may have cleared them before we could look. It stands alone only where neither
//! of the others is or was there: it knows one flag of four, and keeps its last answer when the
//! firmware does not answer it. Sources: kernel,
//! drivers/hwmon/raspberrypi-hwmon.c and (the Raspberry Pi's) drivers/firmware/raspberrypi.c.
//!
//! A machine on which none of them was ever seen gives no fact at all: it has no such firmware. One
//! whose source was there and is gone has lost its reading, and so has one whose sources all fail.
//! Never judges a reading.

use super::mailbox::Mailbox;
use super::power_supply::fault_of;
use super::throttle_bell::ThrottleBell;
use crate::core::fact::{Fact, Fault, Reading, Source, ThrottleFlag, ThrottleFlags};
use std::fs;
use std::path::{Path, PathBuf};

/// Looks at the throttle flags.
pub struct ThrottleSources {
    mailbox: Mailbox,
    platform: PathBuf,
    monitors: PathBuf,
    /// A source was seen before.
    known: bool,
    /// One of those that know all bits was.
    all_bits: bool,
    bell: Option<ThrottleBell>,
}

impl ThrottleSources {
    /// Those of the machine whose `/dev` and `/sys` are below `root`.
    pub fn new(root: &Path) -> ThrottleSources {
        ThrottleSources {
            mailbox: Mailbox::new(root),
            platform: root.join("sys/devices/platform"),
            monitors: root.join("sys/class/hwmon"),
            known: false,
            all_bits: false,
            bell: None,
        }
    }

    /// Has this rung when the kernel's own driver has news.
    #[must_use]
    pub fn with_bell(self, bell: ThrottleBell) -> ThrottleSources {
        let bell = Some(bell);
        ThrottleSources { bell, ..self }
    }

    /// Somebody clears what has occurred, and nothing tells us when: to see it, one has to look as
    /// often.
    pub fn forgets(&self) -> bool {
        let Some(alarm) = self.monitor() else {
            return false;
        };
        !self.bell.as_ref().is_some_and(|bell| bell.listen(&alarm))
    }

    /// A source was seen: it is worth while to look often.
    pub fn known(&self) -> bool {
        self.known
    }

    /// The throttle flags; nothing where nothing can tell.
    pub fn sample(&mut self) -> Option<Fact> {
        let flags = self.flags();
        self.known |= !matches!(flags, Err(Fault::Absent));
        if !self.known {
            return None;
        }
        Some(match flags {
            Ok(flags) => Fact::Seen(Reading::Throttle(flags)),
            Err(why) => Fact::Lost {
                source: Source::Throttle,
                why,
            },
        })
    }

    fn flags(&mut self) -> Result<ThrottleFlags, Fault> {
        let whole = self.mailbox.throttled();
        let whole = whole.or_else(|first| self.attribute().map_err(|then| worse(first, then)));
        self.all_bits |= !matches!(whole, Err(Fault::Absent));
        match (whole, self.alarm()) {
            (Ok(flags), Ok(true)) => Ok(flags.with_occurred(ThrottleFlag::UnderVoltage)),
            (Ok(flags), Ok(false) | Err(_)) => Ok(flags),
            (Err(why), Ok(_)) if self.all_bits => Err(why),
            // It lasts two seconds at the most, so this is as good as now.
            (Err(_), Ok(true)) => Ok(ThrottleFlags::default().with_now(ThrottleFlag::UnderVoltage)),
            (Err(_), Ok(false)) => Ok(ThrottleFlags::default()),
            (Err(first), Err(then)) => Err(worse(first, then)),
        }
    }

    /// The attribute of the firmware's driver: `soc/soc:firmware/get_throttled`, with an address
    /// behind both `soc` on a Pi 5.
    fn attribute(&self) -> Result<ThrottleFlags, Fault> {
        let entries = fs::read_dir(&self.platform).into_iter().flatten().flatten();
        let firmware = entries.filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let place = entry.path().join(format!("{name}:firmware/get_throttled"));
            (name.starts_with("soc") && place.exists()).then_some(place)
        });
        let place = firmware.min().ok_or(Fault::Absent)?;
        let text = fs::read_to_string(place).map_err(|e| fault_of(&e))?;
        let digits = text.trim();
        u32::from_str_radix(digits.strip_prefix("0x").unwrap_or(digits), 16)
            .map(ThrottleFlags)
            .map_err(|_| Fault::Implausible)
    }

    /// The alarm of the kernel's own driver.
    fn alarm(&self) -> Result<bool, Fault> {
        let alarm = self.monitor().ok_or(Fault::Absent)?;
        match fs::read(alarm).map_err(|e| fault_of(&e))?.trim_ascii() {
            b"0" => Ok(false),
            b"1" => Ok(true),
            _ => Err(Fault::Implausible),
        }
    }

    /// The alarm of the kernel's own driver, where that is loaded.
    fn monitor(&self) -> Option<PathBuf> {
        let entries = fs::read_dir(&self.monitors).into_iter().flatten().flatten();
        let ours = entries.map(|entry| entry.path()).find(|monitor| {
            fs::read(monitor.join("name")).is_ok_and(|name| name.trim_ascii() == b"rpi_volt")
        });
        Some(ours?.join("in0_lcrit_alarm"))
    }
}

/// What failed says more than what is not there.
fn worse(first: Fault, then: Fault) -> Fault {
    if first == Fault::Absent { then } else { first }
}

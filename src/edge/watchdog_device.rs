//! The hardware watchdog as the daemon uses it: armed, petted, disarmed.
//!
//! ```text
//! closed --arm: open, set, read back--> open --pet--> open --disarm: V, close--> closed
//!    ^                                    |
//!    +------ the device is gone ----------+
//! ```
//!
//! Terms: the *driver* is the kernel's side of one device; the *timeout* is what the driver reports
//! after it was set, and that one rules; *nowayout* means that the kernel never stops the device
//! again. Three things that surprise:
//!
//! - Opening the device arms it. From then on somebody has to pet, whatever else fails.
//! - Dropping a watchdog never disarms it. The file is closed without the magic letter, and a
//!   driver that knows magic close (`WDIOF_MAGICCLOSE`; that of the Pi does) runs on and resets the
//!   machine. A driver that does not know it is stopped by the kernel at *any* close, the death of
//!   the daemon included.
//! - From Linux 6.8 on the Pi's driver accepts timeouts above its 16 s: the kernel then pets the
//!   hardware in between. A dead kernel is still caught in 16 s, a dead daemon in the timeout.
//!
//! This file never decides when to pet, and never tries again by itself.

use crate::core::fact::{Errno, Fault, WatchdogSeen};
use std::time::Duration;

/// Driver can be given a timeout.
pub const WDIOF_SETTIMEOUT: u32 = 0x0080;
/// Driver is stopped by a `V` before the close, and by no other close.
pub const WDIOF_MAGICCLOSE: u32 = 0x0100;
/// Driver can be petted.
pub const WDIOF_KEEPALIVEPING: u32 = 0x8000;
/// In the boot status: the previous boot was ended by this device.
pub const WDIOF_CARDRESET: u32 = 0x0020;

/// Written just before a close, this letter asks the driver to stop.
const MAGIC_LETTER: u8 = b'V';

/// Written, this byte pets a driver that has no call for it. Anything but the magic letter will do.
const PLAIN_BYTE: u8 = 0;

/// Timeouts that are tried, from the top, when the driver refuses the wanted one and does not tell
/// its limits. 60 suits most drivers, 15 is the limit of the Pi's before Linux 6.8; below 5 nothing
/// is gained that the driver's own default would not give.
const LADDER: [u32; 6] = [60, 30, 20, 15, 10, 5];

/// Assumed when a running driver tells its timeout in no way at all, in seconds. Larger: it may
/// reset the machine between two pets. Smaller: more wake-ups, for a driver that nobody has seen.
const UNKNOWN_TIMEOUT: u32 = 5;

/// Something that resets the machine unless it is petted.
pub trait WatchdogDevice: Send {
    /// Opens the device if it is closed, asks for this timeout (rounded up to whole seconds, at
    /// least one) and tells what the driver made of it. On an open device only the timeout is set
    /// anew.
    ///
    /// # Errors
    /// [`Fault::Taken`] if another process has it, [`Fault::Absent`] if there is no such device,
    /// [`Fault::Errno`] for all else. A timeout that the driver refuses is no error.
    fn arm(&mut self, wanted: Duration) -> Result<WatchdogSeen, Fault>;

    /// Restarts the count.
    ///
    /// # Errors
    /// [`Fault::Errno`]: `EBADF` if the device is not open, else what the kernel said. A device
    /// that is gone (`ENODEV`, `ENXIO`) is closed, so that the next [`arm`](Self::arm) opens it.
    fn pet(&mut self) -> Result<(), Fault>;

    /// Stops the device and closes it. Does nothing if it is not open.
    ///
    /// # Errors
    /// [`Fault::Errno`]: `EPERM` if nowayout forbids it and `EOPNOTSUPP` if the driver neither
    /// knows magic close nor tells whether it runs - then the device stays open and must be petted;
    /// `EBUSY` if it was closed and runs on nevertheless.
    fn disarm(&mut self) -> Result<(), Fault>;
}

/// What a driver says about itself (`WDIOC_GETSUPPORT`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Support {
    /// Its name for the device.
    pub identity: Box<str>,
    /// What it can do: the sum of `WDIOF_*`.
    pub options: u32,
}

/// The kernel's side of one device: one call each, no decisions. Implemented by the kernel
/// ([`KernelDriver`](super::watchdog_driver::KernelDriver)), by the simulated board and by tests.
pub trait WatchdogDriver: Send {
    /// Opens the device, which arms it.
    ///
    /// # Errors
    /// What the kernel said.
    fn open(&mut self) -> Result<(), Errno>;

    /// `WDIOC_GETSUPPORT`.
    ///
    /// # Errors
    /// What the kernel said.
    fn support(&mut self) -> Result<Support, Errno>;

    /// `WDIOC_GETBOOTSTATUS`: a sum of `WDIOF_*`.
    ///
    /// # Errors
    /// What the kernel said.
    fn boot_status(&mut self) -> Result<u32, Errno>;

    /// `WDIOC_SETTIMEOUT`, in seconds.
    ///
    /// # Errors
    /// What the kernel said.
    fn set_timeout(&mut self, seconds: u32) -> Result<(), Errno>;

    /// `WDIOC_GETTIMEOUT`, in seconds; 0 if the driver does not know.
    ///
    /// # Errors
    /// What the kernel said.
    fn timeout(&mut self) -> Result<u32, Errno>;

    /// `WDIOC_KEEPALIVE`.
    ///
    /// # Errors
    /// What the kernel said.
    fn keep_alive(&mut self) -> Result<(), Errno>;

    /// Writes one byte to the device.
    ///
    /// # Errors
    /// What the kernel said.
    fn write(&mut self, byte: u8) -> Result<(), Errno>;

    /// Closes the device. Cannot fail: the kernel closes it in any case.
    fn close(&mut self);

    /// An attribute that can be read without opening the device (`/sys/class/watchdog`), trimmed.
    fn attribute(&self, name: &str) -> Option<Box<str>>;

    /// Who holds the device: `NAME (pid N)`, where it can be found.
    fn holder(&self) -> Option<Box<str>>;
}

/// A watchdog on top of any driver: the decisions that every driver needs.
#[derive(Debug)]
pub struct DrivenWatchdog<D> {
    driver: D,
    /// What the driver said when the device was opened; `None` while it is closed.
    open: Option<Support>,
}

impl<D: WatchdogDriver> DrivenWatchdog<D> {
    /// A closed watchdog; nothing is opened before [`arm`](WatchdogDevice::arm).
    pub fn on(driver: D) -> DrivenWatchdog<D> {
        DrivenWatchdog { driver, open: None }
    }

    /// Stops a device whose driver is open already.
    ///
    /// # Errors
    /// As [`disarm`](WatchdogDevice::disarm).
    pub fn stop_open(mut self) -> Result<(), Fault> {
        self.open = Some(self.driver.support().unwrap_or_else(|_| Support {
            identity: self.attribute_or("identity", "unnamed watchdog"),
            options: 0,
        }));
        self.disarm()
    }

    /// Opens the device if it is closed.
    fn open(&mut self) -> Result<(), Fault> {
        if self.open.is_some() {
            return Ok(());
        }
        self.driver.open().map_err(|errno| match errno.0 {
            libc::EBUSY => Fault::Taken {
                by: self.driver.holder(),
            },
            libc::ENOENT | libc::ENODEV | libc::ENXIO => Fault::Absent,
            _ => Fault::Errno(errno),
        })?;
        let support = self.driver.support().unwrap_or_else(|_| Support {
            identity: self.attribute_or("identity", "unnamed watchdog"),
            options: 0,
        });
        self.open = Some(support);
        Ok(())
    }

    fn attribute_or(&self, name: &str, otherwise: &str) -> Box<str> {
        self.driver
            .attribute(name)
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| otherwise.into())
    }

    fn number(&self, name: &str) -> Option<u32> {
        let number = self.driver.attribute(name)?.parse().ok()?;
        (number > 0).then_some(number)
    }

    fn nowayout(&self) -> bool {
        self.driver.attribute("nowayout").as_deref() == Some("1")
    }

    /// Gets as near to the wanted timeout as the driver allows and tells which one is in force.
    fn set(&mut self, wanted: u32) -> Result<u32, Errno> {
        let accepted = self.negotiate(wanted)?;
        match self.driver.timeout() {
            Ok(seconds) if seconds > 0 => Ok(seconds),
            Err(errno) if is_gone(errno) => Err(errno),
            Ok(_) | Err(_) => Ok(self
                .number("timeout")
                .or(accepted)
                .unwrap_or(UNKNOWN_TIMEOUT)),
        }
    }

    /// Offers timeouts until one is accepted; `None` if the driver keeps its own.
    fn negotiate(&mut self, wanted: u32) -> Result<Option<u32>, Errno> {
        let offers = offers(
            wanted,
            self.number("min_timeout"),
            self.number("max_timeout"),
        );
        for seconds in offers {
            match self.driver.set_timeout(seconds) {
                Ok(()) => return Ok(Some(seconds)),
                Err(errno) if is_gone(errno) => return Err(errno),
                Err(Errno(libc::EINVAL | libc::ERANGE)) => {}
                Err(_) => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Makes a fault of an error on the open device, and closes it if the device is gone.
    fn lost(&mut self, errno: Errno) -> Fault {
        if is_gone(errno) {
            self.driver.close();
            self.open = None;
        }
        Fault::Errno(errno)
    }
}

impl<D: WatchdogDriver> WatchdogDevice for DrivenWatchdog<D> {
    fn arm(&mut self, wanted: Duration) -> Result<WatchdogSeen, Fault> {
        self.open()?;
        let timeout = self
            .set(whole_seconds(wanted))
            .map_err(|errno| self.lost(errno))?;
        let identity = self.open.as_ref().map(|support| support.identity.clone());
        Ok(WatchdogSeen {
            identity: identity.unwrap_or_default(),
            timeout: Duration::from_secs(timeout.into()),
            nowayout: self.nowayout(),
            caused_reset: self
                .driver
                .boot_status()
                .is_ok_and(|flags| flags & WDIOF_CARDRESET != 0),
        })
    }

    fn pet(&mut self) -> Result<(), Fault> {
        if self.open.is_none() {
            return Err(Fault::Errno(Errno(libc::EBADF)));
        }
        let petted = match self.driver.keep_alive() {
            Err(Errno(libc::EOPNOTSUPP | libc::ENOTTY)) => self.driver.write(PLAIN_BYTE),
            other => other,
        };
        petted.map_err(|errno| self.lost(errno))
    }

    fn disarm(&mut self) -> Result<(), Fault> {
        let Some(support) = &self.open else {
            return Ok(());
        };
        if self.nowayout() {
            return Err(Fault::Errno(Errno(libc::EPERM)));
        }
        if support.options & WDIOF_MAGICCLOSE != 0 {
            self.driver
                .write(MAGIC_LETTER)
                .map_err(|errno| self.lost(errno))?;
        } else if self.driver.attribute("state").is_none() {
            return Err(Fault::Errno(Errno(libc::EOPNOTSUPP)));
        }
        self.driver.close();
        self.open = None;
        if self.driver.attribute("state").as_deref() == Some("active") {
            return Err(Fault::Errno(Errno(libc::EBUSY)));
        }
        Ok(())
    }
}

/// The device itself went away, for example because its module was unloaded.
fn is_gone(errno: Errno) -> bool {
    matches!(errno.0, libc::ENODEV | libc::ENXIO)
}

/// The timeouts to ask for, in this order: the wanted one, the driver's own limit on the side where
/// the wanted one lies beyond it, then everything smaller on the ladder.
fn offers(wanted: u32, min: Option<u32>, max: Option<u32>) -> Vec<u32> {
    let mut offers = vec![wanted];
    offers.extend(min.filter(|&min| min > wanted));
    offers.extend(max.filter(|&max| max < wanted));
    for step in LADDER {
        if step < wanted && !offers.contains(&step) {
            offers.push(step);
        }
    }
    offers
}

/// Whole seconds, rounded up, at least one and no more than the kernel's `int` holds.
fn whole_seconds(wanted: Duration) -> u32 {
    let part = u64::from(wanted.subsec_nanos() > 0);
    let up = wanted.as_secs().saturating_add(part);
    u32::try_from(up)
        .unwrap_or(u32::MAX)
        .clamp(1, i32::MAX.unsigned_abs())
}

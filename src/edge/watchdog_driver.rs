//! The kernel's watchdog device: system calls on `/dev/watchdogN` and its attributes in sysfs.
//!
//! Never decides anything; that is [`DrivenWatchdog`]. Never opens a device without a [`Hardware`].

use super::hardware::Hardware;
use super::holder::{device_number, holder};
use super::luggage;
use super::watchdog_device::{DrivenWatchdog, Support, WDIOF_CARDRESET, WatchdogDriver};
use crate::core::fact::{Errno, Fault};
use rustix::fs::{major, minor};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The name under which a successor in this process is given the open device.
const HANDED: &str = "watchdog";

/// The hardware watchdog of this machine.
pub type KernelWatchdog = DrivenWatchdog<KernelDriver>;

impl KernelWatchdog {
    /// Stops the device that a predecessor in this process has left open, unless it is this one, which
    /// is petted on (`None`: none is). Whoever names another device, or nobody, wants nothing of it.
    ///
    /// # Errors
    /// What keeps it running; then nobody pets it, and it resets the machine.
    pub fn stop_handed(wanted: Option<&Path>, _: &Hardware) -> Result<(), Fault> {
        if let Some(file) = wanted.and_then(handed) {
            luggage::put_back(HANDED.to_owned(), file.into());
            return Ok(());
        }
        let Some(fd) = luggage::take(HANDED) else {
            return Ok(());
        };
        let file = File::from(fd);
        let number = file.metadata().map_or(0, |m| m.rdev());
        let device = fs::read_link(format!("/sys/dev/char/{}:{}", major(number), minor(number)));
        let name = device
            .ok()
            .and_then(|path| path.file_name().map(OsString::from));
        let name = name.unwrap_or_else(|| "watchdog0".into());
        let paths = WatchdogPaths::of(&Path::new("/dev").join(name));
        let file = Some(file);
        DrivenWatchdog::on(KernelDriver { paths, file }).stop_open()
    }

    /// A closed watchdog for a device node such as `/dev/watchdog0`. Nothing is opened yet.
    pub fn of(device: &Path, hardware: Hardware) -> KernelWatchdog {
        DrivenWatchdog::on(KernelDriver::of(WatchdogPaths::of(device), hardware))
    }
}

/// Where the parts of one device are found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WatchdogPaths {
    /// The device node, for example `/dev/watchdog0`.
    pub device: PathBuf,
    /// Its directory of attributes, for example `/sys/class/watchdog/watchdog0`.
    pub attributes: PathBuf,
    /// Where procfs is mounted.
    pub proc: PathBuf,
}

impl WatchdogPaths {
    /// The usual places. `/dev/watchdog` is the old name of `/dev/watchdog0`; a link made by udev
    /// is followed.
    pub fn of(device: &Path) -> WatchdogPaths {
        let real = fs::canonicalize(device).unwrap_or_else(|_| device.into());
        let name = match real.file_name() {
            Some(name) if name != "watchdog" => name.into(),
            Some(_) | None => OsString::from("watchdog0"),
        };
        WatchdogPaths {
            device: device.into(),
            attributes: Path::new("/sys/class/watchdog").join(name),
            proc: "/proc".into(),
        }
    }

    /// An attribute, trimmed; `None` if the kernel does not show it.
    pub fn attribute(&self, name: &str) -> Option<Box<str>> {
        let text = fs::read_to_string(self.attributes.join(name)).ok()?;
        Some(text.trim().into())
    }

    /// Whether this device ended the boot before; `None` where its driver cannot tell, as on a Pi.
    /// Nothing is opened for it.
    pub fn ended_last_boot(&self) -> Option<bool> {
        let flags = |name| {
            let text = self.attribute(name)?;
            match text.strip_prefix("0x") {
                Some(digits) => u32::from_str_radix(digits, 16).ok(),
                None => text.parse().ok(),
            }
        };
        let set = |name| flags(name).map(|flags: u32| flags & WDIOF_CARDRESET != 0);
        match (set("bootstatus"), set("options")) {
            (Some(true), _) => Some(true),
            // It could tell, and does not.
            (Some(false), Some(true)) => Some(false),
            (Some(false) | None, _) => None,
        }
    }

    /// Who holds the device. It has two nodes if it is the first one, and either may be open.
    pub fn holder(&self) -> Option<Box<str>> {
        let mut names = vec![self.device.clone()];
        match self.device.file_name().and_then(|name| name.to_str()) {
            Some("watchdog") => names.push(self.device.with_file_name("watchdog0")),
            Some("watchdog0") => names.push(self.device.with_file_name("watchdog")),
            Some(_) | None => {}
        }
        let devices: Vec<u64> = names
            .iter()
            .filter_map(|path| device_number(path))
            .collect();
        holder(&self.proc, &devices)
    }
}

/// One device of the kernel.
#[derive(Debug)]
pub struct KernelDriver {
    paths: WatchdogPaths,
    file: Option<File>,
}

impl KernelDriver {
    /// A closed device. The permission is used up: one device, one owner.
    pub fn of(paths: WatchdogPaths, _: Hardware) -> KernelDriver {
        KernelDriver { paths, file: None }
    }

    fn descriptor(&self) -> Result<RawFd, Errno> {
        let file = self.file.as_ref().ok_or(Errno(libc::EBADF))?;
        Ok(file.as_raw_fd())
    }
}

impl WatchdogDriver for KernelDriver {
    fn open(&mut self) -> Result<(), Errno> {
        if let Some(file) = handed(&self.paths.device) {
            self.file = Some(file);
            return Ok(());
        }
        // The standard library adds O_CLOEXEC: no child may keep the device open.
        let opened = OpenOptions::new().write(true).open(&self.paths.device);
        self.file = Some(opened.map_err(|error| errno_of(&error))?);
        Ok(())
    }

    fn support(&mut self) -> Result<Support, Errno> {
        let mut info = request::Info::default();
        // SAFETY: the descriptor is open, and the kernel fills a structure of its own layout.
        unsafe { request::get_support(self.descriptor()?, &raw mut info) }.map_err(from_nix)?;
        let name = info.identity.split(|&byte| byte == 0).next();
        Ok(Support {
            identity: String::from_utf8_lossy(name.unwrap_or_default())
                .trim()
                .into(),
            options: info.options,
        })
    }

    fn boot_status(&mut self) -> Result<u32, Errno> {
        let mut flags = 0;
        // SAFETY: the descriptor is open, and the kernel writes one int.
        unsafe { request::get_boot_status(self.descriptor()?, &raw mut flags) }
            .map_err(from_nix)?;
        Ok(flags.cast_unsigned())
    }

    fn set_timeout(&mut self, seconds: u32) -> Result<(), Errno> {
        let mut seconds = i32::try_from(seconds).map_err(|_| Errno(libc::EINVAL))?;
        // SAFETY: the descriptor is open, and the kernel reads and writes one int.
        unsafe { request::set_timeout(self.descriptor()?, &raw mut seconds) }.map_err(from_nix)?;
        Ok(())
    }

    fn timeout(&mut self) -> Result<u32, Errno> {
        let mut seconds = 0;
        // SAFETY: the descriptor is open, and the kernel writes one int.
        unsafe { request::get_timeout(self.descriptor()?, &raw mut seconds) }.map_err(from_nix)?;
        Ok(u32::try_from(seconds).unwrap_or(0))
    }

    fn keep_alive(&mut self) -> Result<(), Errno> {
        let mut unused = 0;
        // SAFETY: the descriptor is open; the kernel ignores the argument, and an int is there in
        // case a driver does not.
        unsafe { request::keep_alive(self.descriptor()?, &raw mut unused) }.map_err(from_nix)?;
        Ok(())
    }

    fn write(&mut self, byte: u8) -> Result<(), Errno> {
        let file = self.file.as_mut().ok_or(Errno(libc::EBADF))?;
        file.write_all(&[byte]).map_err(|error| errno_of(&error))
    }

    fn close(&mut self) {
        self.file = None;
    }

    fn attribute(&self, name: &str) -> Option<Box<str>> {
        self.paths.attribute(name)
    }

    fn holder(&self) -> Option<Box<str>> {
        self.paths.holder()
    }
}

/// A device that is left to a successor in this process stays open all the time: no driver stops it,
/// and nobody else gets it.
impl Drop for KernelDriver {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            luggage::put(HANDED.to_owned(), file.into());
        }
    }
}

/// What a predecessor in this process has left open, if it is this device.
fn handed(device: &Path) -> Option<File> {
    let file = File::from(luggage::take(HANDED)?);
    let same = match (file.metadata(), fs::metadata(device)) {
        (Ok(open), Ok(named)) => open.rdev() == named.rdev(),
        // Nobody must close it unstopped because another one is not there.
        (Err(_), _) | (_, Err(_)) => false,
    };
    if same {
        return Some(file);
    }
    luggage::put_back(HANDED.to_owned(), file.into());
    None
}

/// The error number of a failed call; EIO for an error that the kernel did not make.
fn errno_of(error: &io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(libc::EIO))
}

fn from_nix(errno: nix::errno::Errno) -> Errno {
    Errno(errno as i32)
}

/// The requests of `linux/watchdog.h`.
mod request {
    use std::ffi::c_int;

    /// `struct watchdog_info`.
    #[repr(C)]
    #[derive(Default)]
    pub struct Info {
        pub options: u32,
        pub firmware_version: u32,
        pub identity: [u8; 32],
    }

    nix::ioctl_read!(get_support, b'W', 0, Info);
    nix::ioctl_read!(get_boot_status, b'W', 2, c_int);
    nix::ioctl_read!(keep_alive, b'W', 5, c_int);
    nix::ioctl_readwrite!(set_timeout, b'W', 6, c_int);
    nix::ioctl_read!(get_timeout, b'W', 7, c_int);
}

#[cfg(test)]
mod tests {
    //! What can be shown without hardware: a regular file is no watchdog and says so, and what is
    //! written reaches it. The calls themselves are shown in the virtual machine.

    use super::*;
    use crate::core::fact::Fault;
    use crate::edge::watchdog_device::WatchdogDevice;
    use std::time::Duration;

    /// A driver on a regular file. Made here, from its fields, because tests have no `Hardware`.
    fn driver(device: &Path) -> KernelDriver {
        let nowhere = device.with_file_name("nowhere");
        KernelDriver {
            paths: WatchdogPaths {
                device: device.into(),
                attributes: nowhere.clone(),
                proc: nowhere,
            },
            file: None,
        }
    }

    #[test]
    fn a_regular_file_answers_every_request_with_enotty() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut driver = driver(file.path());
        driver.open().unwrap();
        let enotty = Errno(libc::ENOTTY);
        assert_eq!(driver.support(), Err(enotty));
        assert_eq!(driver.boot_status(), Err(enotty));
        assert_eq!(driver.set_timeout(15), Err(enotty));
        assert_eq!(driver.timeout(), Err(enotty));
        assert_eq!(driver.keep_alive(), Err(enotty));
    }

    #[test]
    fn a_driver_without_requests_is_petted_by_writing_and_never_with_the_magic_letter() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut watchdog = DrivenWatchdog::on(driver(file.path()));
        let seen = watchdog.arm(Duration::from_secs(15)).unwrap();
        assert_eq!(seen.timeout, Duration::from_secs(5));
        watchdog.pet().unwrap();
        drop(watchdog);
        assert_eq!(fs::read(file.path()).unwrap(), [0]);
    }

    #[test]
    fn a_missing_node_is_absent_and_a_closed_device_cannot_be_used() {
        let directory = tempfile::tempdir().unwrap();
        let mut driver = driver(&directory.path().join("watchdog0"));
        assert_eq!(driver.keep_alive(), Err(Errno(libc::EBADF)));
        assert_eq!(driver.write(0), Err(Errno(libc::EBADF)));
        let mut watchdog = DrivenWatchdog::on(driver);
        assert_eq!(watchdog.arm(Duration::from_secs(15)), Err(Fault::Absent));
    }
}

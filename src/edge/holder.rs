//! Finds out which process holds a device that can be opened only once.
//!
//! Looks through `/proc/*/fd`. Processes that may not be looked at are passed over in silence, so
//! "nobody found" does not mean "nobody". Never follows a descriptor outside `/dev`: asking about a
//! file on a dead network file system would hang the caller.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// Longest process name the kernel keeps.
const NAME_LENGTH: usize = 15;

/// `NAME (pid N)` of the process with the lowest number that has one of these character devices
/// open; `proc` is where procfs is mounted.
pub fn holder(proc: &Path, devices: &[u64]) -> Option<Box<str>> {
    let mut pids: Vec<u32> = fs::read_dir(proc)
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    let pid = pids
        .into_iter()
        .find(|pid| holds(&proc.join(pid.to_string()).join("fd"), devices))?;
    Some(format!("{} (pid {pid})", name(proc, pid)).into())
}

/// Number of a character device, for [`holder`]; `None` if the path is no such device.
pub fn device_number(path: &Path) -> Option<u64> {
    let about = fs::metadata(path).ok()?;
    about.file_type().is_char_device().then(|| about.rdev())
}

/// One of the descriptors in this directory is one of these devices.
fn holds(descriptors: &Path, devices: &[u64]) -> bool {
    let Ok(entries) = fs::read_dir(descriptors) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let path = entry.path();
        let inside_dev = fs::read_link(&path).is_ok_and(|target| target.starts_with("/dev"));
        inside_dev && device_number(&path).is_some_and(|number| devices.contains(&number))
    })
}

/// Name of a process, printable in one line.
fn name(proc: &Path, pid: u32) -> String {
    let path = proc.join(pid.to_string()).join(OsStr::new("comm"));
    let bytes = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let name: String = text
        .trim_end_matches('\n')
        .chars()
        .take(NAME_LENGTH)
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    if name.is_empty() { "?".into() } else { name }
}

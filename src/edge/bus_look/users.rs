//! Finds out which processes have I2C buses open.
//!
//! Safe direction: one process that cannot be looked at may use any bus, so that nothing is known then.
//!
//! Looks at names only: asking about a file that a process has open, on a dead network file system,
//! would hang. A device of another name, as in a container, is not seen.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Buses that somebody but the process with the number `own` has open, each with one of those who do:
/// `NAME (pid N)`. `proc` is where procfs is mounted.
///
/// # Errors
/// What could not be looked at, and why: who uses which bus is not known then.
pub fn bus_users(proc: &Path, own: u32) -> io::Result<BTreeMap<u8, String>> {
    let mut users = BTreeMap::new();
    let mut seen = false;
    for entry in fs::read_dir(proc).map_err(|e| at(proc, &e))? {
        let name = entry.map_err(|e| at(proc, &e))?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if pid == own {
            seen = true;
            continue;
        }
        let process = proc.join(pid.to_string());
        for bus in buses(&process.join("fd"))? {
            users.entry(bus).or_insert_with(|| user(&process, pid));
        }
    }
    match seen {
        true => Ok(users),
        // Not mounted, or of other processes than those beside us.
        false => Err(at(proc, &ErrorKind::NotFound.into())),
    }
}

/// The buses among the descriptors in this directory. A process that has ended has none.
fn buses(descriptors: &Path) -> io::Result<Vec<u8>> {
    let entries = match fs::read_dir(descriptors) {
        Err(e) if is_gone(&e) => return Ok(Vec::new()),
        entries => entries.map_err(|e| at(descriptors, &e))?,
    };
    let mut buses = Vec::new();
    for entry in entries {
        let target = entry.and_then(|entry| fs::read_link(entry.path()));
        match target {
            Ok(target) => buses.extend(bus(&target)),
            Err(e) if is_gone(&e) => {}
            Err(e) => return Err(at(descriptors, &e)),
        }
    }
    Ok(buses)
}

/// The number of the bus whose device this is.
fn bus(target: &Path) -> Option<u8> {
    let name = target.file_name()?.to_str()?;
    let name = name.strip_suffix(" (deleted)").unwrap_or(name);
    name.strip_prefix("i2c-")?.parse().ok()
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn user(process: &Path, pid: u32) -> String {
    let name = fs::read(process.join("comm")).unwrap_or_default();
    let name = String::from_utf8_lossy(&name);
    let name: String = name
        .trim_end()
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    format!("{name} (pid {pid})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    /// A procfs of these processes, each with what its descriptors lead to.
    fn procfs(processes: &[(u32, &[&str])]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        for (pid, targets) in processes {
            let process = dir.path().join(pid.to_string());
            fs::create_dir_all(process.join("fd")).unwrap();
            fs::write(process.join("comm"), format!("p{pid}\u{1b}\n")).unwrap();
            for (number, target) in targets.iter().enumerate() {
                symlink(target, process.join("fd").join(number.to_string())).unwrap();
            }
        }
        let path = dir.path().to_owned();
        (dir, path)
    }

    /// Whoever has a bus open uses it, by whatever way to its device; we do not count.
    #[test]
    fn who_has_a_bus_open_uses_it() {
        let (_dir, proc) = procfs(&[
            (
                1,
                &["/dev/null", "socket:[7]", "/home/i2c-x", "/dev/i2c-300"],
            ),
            (7, &["pipe:[3]", "/dev/i2c-1"]),
            (9, &["/i2c-20 (deleted)", "/run/c/dev/i2c-0"]),
            (12, &["/dev/i2c-3"]),
        ]);
        fs::write(proc.join("uptime"), "1").unwrap();
        let users = bus_users(&proc, 12).unwrap();
        let users: Vec<_> = users.iter().map(|(bus, who)| (*bus, &**who)).collect();
        let expected = [(0, "p9 (pid 9)"), (1, "p7 (pid 7)"), (20, "p9 (pid 9)")];
        assert_eq!(users, expected);
    }

    /// A process that ended meanwhile is none; one that cannot be looked at may use anything, and a
    /// procfs without ourselves is not that of this machine.
    #[test]
    fn what_cannot_be_read_is_not_taken_for_free() {
        let (_dir, proc) = procfs(&[(12, &[]), (5, &[])]);
        fs::create_dir(proc.join("3")).unwrap();
        assert_eq!(bus_users(&proc, 12).unwrap(), BTreeMap::new());
        assert!(bus_users(&proc, 13).is_err());
        assert!(bus_users(&proc.join("none"), 12).is_err());
        fs::write(proc.join("3/fd"), "no directory").unwrap();
        let why = bus_users(&proc, 12).unwrap_err().to_string();
        assert!(
            why.starts_with(&format!("{}/3/fd: ", proc.display())),
            "{why}"
        );
        fs::remove_file(proc.join("3/fd")).unwrap();
        fs::write(proc.join("5/fd/0"), "no link").unwrap();
        assert!(bus_users(&proc, 12).is_err());
    }
}

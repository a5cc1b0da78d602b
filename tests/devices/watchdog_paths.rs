//! Where a watchdog's parts are found, and who holds it.

use crate::fixture;
use fieldwarden::core::fact::{Errno, Fact, Fault, Reading, Source};
use fieldwarden::edge::holder::{device_number, holder};
use fieldwarden::edge::watchdog_driver::WatchdogPaths;
use fieldwarden::edge::watchdog_look::{look, runs};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

/// A procfs with one process that has one descriptor.
fn add_process(proc: &Path, pid: u32, name: &str, target: &str) {
    let process = proc.join(pid.to_string());
    fs::create_dir_all(process.join("fd")).unwrap();
    fs::write(process.join("comm"), name).unwrap();
    symlink(target, process.join("fd/9")).unwrap();
}

#[test]
fn the_old_name_stands_for_the_first_device() {
    for (device, attributes) in [
        ("/dev/watchdog0", "/sys/class/watchdog/watchdog0"),
        ("/dev/watchdog", "/sys/class/watchdog/watchdog0"),
        ("/dev/watchdog3", "/sys/class/watchdog/watchdog3"),
    ] {
        let paths = WatchdogPaths::of(Path::new(device));
        assert_eq!(paths.device, Path::new(device));
        assert_eq!(paths.attributes, Path::new(attributes));
    }
}

#[test]
fn a_link_to_a_device_leads_to_its_attributes() {
    let dev = tempfile::tempdir().unwrap();
    fs::write(dev.path().join("watchdog7"), "").unwrap();
    symlink("watchdog7", dev.path().join("board-watchdog")).unwrap();
    let paths = WatchdogPaths::of(&dev.path().join("board-watchdog"));
    assert!(
        paths.attributes.ends_with("class/watchdog/watchdog7"),
        "{paths:?}"
    );
}

#[test]
fn attributes_are_read_without_opening_the_device() {
    let paths = WatchdogPaths {
        device: "/nowhere/watchdog0".into(),
        attributes: fixture("watchdog/sys/class/watchdog/watchdog0"),
        proc: "/nowhere".into(),
    };
    let identity = paths.attribute("identity");
    assert_eq!(identity.as_deref(), Some("Broadcom BCM2835 Watchdog timer"));
    assert_eq!(paths.attribute("max_timeout").as_deref(), Some("15"));
    assert_eq!(paths.attribute("pretimeout"), None);
    assert_eq!(paths.holder(), None);
}

/// `/dev/full` and `/dev/null` stand for the device and for another one: nobody is hurt by them.
#[test]
fn the_holder_is_named_by_its_process() {
    let proc = tempfile::tempdir().unwrap();
    fs::write(proc.path().join("version"), "not a process").unwrap();
    add_process(proc.path(), 1, "systemd\n", "/dev/null");
    add_process(proc.path(), 812, "watchdog\u{1b}x\n", "/dev/full");
    add_process(proc.path(), 90, "log\n", "/var/log/messages");
    add_process(proc.path(), 91, "gone\n", "/dev/no-such-device");
    let full = device_number(Path::new("/dev/full")).unwrap();
    let found = holder(proc.path(), &[full]);
    assert_eq!(found.as_deref(), Some("watchdog?x (pid 812)"));
    assert_eq!(holder(proc.path(), &[]), None);
    assert_eq!(holder(&proc.path().join("none"), &[full]), None);
}

#[test]
fn this_process_is_found_in_the_real_procfs() {
    let _held = fs::File::open("/dev/full").unwrap();
    let full = device_number(Path::new("/dev/full")).unwrap();
    let found = holder(Path::new("/proc"), &[full]).unwrap();
    assert!(found.contains(" (pid ") && found.ends_with(')'), "{found}");
}

#[test]
fn a_regular_file_is_no_device() {
    assert_eq!(device_number(Path::new("/proc/version")), None);
    assert_eq!(device_number(Path::new("/nowhere")), None);
}

/// Of several devices, one that runs is enough; and a kernel that does not show it leaves it open.
#[test]
fn a_watchdog_is_looked_at_without_opening_it() {
    let seen = |running, timeout: Option<u64>| {
        Fact::Seen(Reading::WatchdogElsewhere {
            running,
            timeout: timeout.map(Duration::from_secs),
        })
    };
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    assert_eq!((look(root), runs(root)), (seen(false, None), Some(false)));
    let write = |device: &str, name: &str, text: &str| {
        let folder = root.join("sys/class/watchdog").join(device);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), text).unwrap();
    };
    write("watchdog1", "timeout", "60\n");
    let hidden = Fact::Lost {
        source: Source::Watchdog,
        why: Fault::Errno(Errno(libc::ENOENT)),
    };
    assert_eq!((look(root), runs(root)), (hidden, None));
    write("watchdog1", "state", "inactive\n");
    assert_eq!((look(root), runs(root)), (seen(false, None), Some(false)));
    write("watchdog0", "state", "active\n");
    write("watchdog0", "timeout", "15\n");
    assert_eq!((look(root), runs(root)), (seen(true, Some(15)), Some(true)));
}

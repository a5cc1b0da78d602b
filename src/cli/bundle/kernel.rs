//! What the kernel tells of the machine.
//!
//! Of texts that somebody else has had a hand in (command line, mounts, what drivers log), only what is
//! known to be harmless is packed. Numbers that name one device among all (serial numbers, addresses)
//! are not read.

use super::dmesg::{Hidden, without_addresses};
use super::gather::Basket;
use crate::config::REMOVED;
use crate::edge::archive::{Beneath, Piece, kernel_log, why};
use std::io::ErrorKind;
use std::path::Path;

/// Bytes of one file of procfs. The list of modules of a Pi has some 10 KiB.
const TEXT: usize = 64 * 1024;

/// Bytes of one file of sysfs, which has a page at most.
const VALUE: usize = 4096;

/// Bytes of the kernel's log.
const LOG: usize = 512 * 1024;

/// Devices of one class that are looked at.
const DEVICES: usize = 32;

/// Files below `/proc` that hold nothing but the kernel's own words and numbers.
const PROC: [&str; 10] = [
    "version",
    "uptime",
    "loadavg",
    "meminfo",
    "swaps",
    "modules",
    "pressure/cpu",
    "pressure/io",
    "pressure/memory",
    "sys/kernel/tainted",
];

/// Properties of the device tree.
const TREE: [&str; 4] = [
    "model",
    "compatible",
    "chosen/bootloader/rsts",
    "chosen/power/power_reset",
];

/// Folders below `/sys`: what the archive calls them, where devices are, and what is read of each.
/// Nothing that a read would change: the firmware's throttle flags are cleared by a read of their file.
const CLASSES: [(&str, &str, &[&str]); 8] = [
    (
        "watchdog",
        "class/watchdog",
        &[
            "identity",
            "state",
            "status",
            "timeout",
            "timeleft",
            "min_timeout",
            "max_timeout",
            "bootstatus",
            "nowayout",
            "pretimeout",
            "pretimeout_governor",
        ],
    ),
    (
        "power-supply",
        "class/power_supply",
        &[
            "type",
            "online",
            "present",
            "status",
            "health",
            "capacity",
            "voltage_now",
            "current_now",
            "technology",
            "manufacturer",
            "model_name",
        ],
    ),
    ("thermal", "class/thermal", &["type", "temp"]),
    (
        "hwmon",
        "class/hwmon",
        &["name", "in0_lcrit_alarm", "temp1_input"],
    ),
    ("rtc", "class/rtc", &["name", "since_epoch", "hctosys"]),
    (
        "block",
        "block",
        &[
            "size",
            "ro",
            "stat",
            "device/type",
            "device/name",
            "device/manfid",
            "device/oemid",
            "device/date",
            "device/life_time",
            "device/pre_eol_info",
        ],
    ),
    (
        "ext4",
        "fs/ext4",
        &[
            "errors_count",
            "first_error_time",
            "first_error_func",
            "last_error_time",
            "last_error_func",
            "lifetime_write_kbytes",
        ],
    ),
    (
        "net",
        "class/net",
        &["operstate", "carrier", "carrier_changes"],
    ),
];

/// Parameters of the command line whose values are shown: they name consoles, disks by their kind, and
/// switches of the kernel.
const PARAMETERS: [&str; 22] = [
    "8250.nr_uarts",
    "cgroup_disable",
    "cgroup_enable",
    "cgroup_memory",
    "coherent_pool",
    "console",
    "cma",
    "dwc_otg.lpm_enable",
    "fsck.repair",
    "init",
    "isolcpus",
    "loglevel",
    "maxcpus",
    "mem",
    "numa",
    "panic",
    "psi",
    "root",
    "rootfstype",
    "swapaccount",
    "systemd.unified_cgroup_hierarchy",
    "watchdog.stop_on_reboot",
];

/// Parameters without a value that are shown.
const SWITCHES: [&str; 8] = [
    "quiet", "ro", "rootwait", "rw", "splash", "noswap", "nosmp", "debug",
];

/// Options of mounts that are shown, those with a value by what stands before it.
const OPTIONS: [&str; 26] = [
    "commit",
    "data",
    "dirsync",
    "discard",
    "emergency_ro",
    "errors",
    "huge",
    "inode64",
    "mode",
    "noatime",
    "nodev",
    "nodiratime",
    "noexec",
    "nosuid",
    "nr_inodes",
    "relatime",
    "ro",
    "rw",
    "shutdown",
    "size",
    "stripe",
    "sync",
    "lazytime",
    "shared",
    "memory_recursiveprot",
    "nsdelegate",
];

/// Looks at the kernel of the machine with this root, and at its log if it is this one.
pub fn look(root: &Path, here: bool, basket: &Basket) {
    let root = match Beneath::root(root) {
        Ok(root) => root,
        Err(e) => return basket.unread("kernel", e.to_string()),
    };
    match root.place(Path::new("/proc")) {
        Ok(place) => {
            if here {
                log(&place, basket);
            }
            procfs(&place, basket);
        }
        Err(e) => basket.failed("kernel/proc", &e),
    }
    match root.place(Path::new("/sys")) {
        Ok(place) => sysfs(&place, basket),
        Err(e) => basket.failed("kernel/sys", &e),
    }
    match root.place(Path::new("/usr/lib")) {
        Ok(place) => whole(&place, "os-release", "os-release.txt", basket),
        Err(e) => basket.failed("os-release.txt", &e),
    }
}

/// The log of the kernel, which may quote its command line: without that one, it is not packed.
fn log(proc: &Beneath, basket: &Basket) {
    const NAME: &str = "kernel/dmesg.txt";
    let hidden = match proc.read("cmdline", TEXT) {
        Ok(piece) => Hidden::of(&piece.bytes),
        Err(e) => {
            let why = format!("it may quote /proc/cmdline, which cannot be read: {e}");
            return basket.unread(NAME, why);
        }
    };
    match kernel_log(Path::new("/dev/kmsg"), LOG) {
        Ok(kept) => {
            let cut = kept.cut.then_some("the latest lines only");
            let lines = kept.lines.iter().map(|line| hidden.without(line) + "\n");
            basket.cut(NAME, lines.collect::<String>().into_bytes(), cut);
        }
        Err(e) => basket.failed(NAME, &e),
    }
}

fn procfs(place: &Beneath, basket: &Basket) {
    for file in PROC {
        let name = format!("kernel/{}.txt", file.replace('/', "-"));
        whole(place, file, &name, basket);
    }
    for (file, name, redacted) in [
        (
            "cmdline",
            "kernel/cmdline.txt",
            cmdline as fn(&str) -> String,
        ),
        ("self/mounts", "kernel/mounts.txt", mounts),
    ] {
        match place.read(file, TEXT) {
            Ok(piece) => basket.text(name, redacted(&String::from_utf8_lossy(&piece.bytes))),
            Err(e) => basket.failed(name, &e),
        }
    }
}

fn whole(place: &Beneath, file: &str, name: &str, basket: &Basket) {
    match place.read(file, TEXT) {
        Ok(Piece { bytes, more }) => basket.cut(name, bytes, more.then_some("its beginning only")),
        Err(e) => basket.failed(name, &e),
    }
}

fn sysfs(place: &Beneath, basket: &Basket) {
    let mut tree = String::new();
    for property in TREE {
        if let Ok(piece) = place.read(&format!("firmware/devicetree/base/{property}"), VALUE) {
            tree.push_str(&format!("{property}: {}\n", value(&piece.bytes)));
        }
    }
    match tree.is_empty() {
        true => basket.failed("kernel/device-tree.txt", &ErrorKind::NotFound.into()),
        false => basket.text("kernel/device-tree.txt", tree),
    }
    for (name, folder, attributes) in CLASSES {
        let name = format!("kernel/{name}.txt");
        let devices = match place.list(folder) {
            Ok(devices) if !devices.is_empty() => devices,
            Ok(_) => {
                basket.failed(&name, &ErrorKind::NotFound.into());
                continue;
            }
            Err(e) => {
                basket.failed(&name, &e);
                continue;
            }
        };
        let mut text = String::new();
        for device in devices.iter().take(DEVICES) {
            for attribute in attributes {
                let path = format!("{}/{attribute}", device.name);
                match place.read(&format!("{folder}/{path}"), VALUE) {
                    Ok(piece) => text.push_str(&format!("{path}: {}\n", value(&piece.bytes))),
                    Err(e) if e.kind() == ErrorKind::NotFound => {}
                    Err(e) if e.kind() == ErrorKind::NotADirectory => {}
                    Err(e) => text.push_str(&format!("{path}: cannot be read: {}\n", why(&e))),
                }
            }
        }
        basket.text(&name, without_addresses(&text));
    }
}

/// A value of sysfs or of the device tree on one line; one that is no text in hexadecimal digits.
fn value(bytes: &[u8]) -> String {
    let trimmed = bytes.trim_ascii_end();
    let trimmed = trimmed.strip_suffix(b"\0").unwrap_or(trimmed);
    match str::from_utf8(trimmed) {
        Ok(text)
            if !text
                .chars()
                .any(|c| c.is_control() && !"\0\n\t".contains(c)) =>
        {
            text.replace(['\0', '\n', '\t'], " ")
        }
        Ok(_) | Err(_) => {
            let digits: String = bytes.iter().take(64).map(|b| format!("{b:02x}")).collect();
            format!("0x{digits}")
        }
    }
}

/// A word of the command line that is known to be harmless.
pub fn is_shown(word: &str) -> bool {
    let known = match word.split_once('=') {
        Some((name, _)) => PARAMETERS.contains(&name),
        None => SWITCHES.contains(&word),
    };
    // In quotes there may be more words, and an address may hold a password.
    known && !word.contains(['"', '@'])
}

/// The command line without what is not known to be harmless.
fn cmdline(text: &str) -> String {
    let mut shown = Vec::new();
    let mut removed = 0;
    for word in text.split_ascii_whitespace() {
        match is_shown(word) {
            true => shown.push(word),
            false => removed += 1,
        }
    }
    let rest = match removed {
        0 => String::new(),
        n => format!("{n} more {REMOVED}\n"),
    };
    format!("{}\n{rest}", shown.join(" "))
}

/// The table of mounts without sources on a network and without options that are not known.
fn mounts(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let (Some(source), Some(point), Some(kind), Some(options)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            continue;
        };
        let local = source.starts_with("/dev/")
            || source
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let source = if local { source } else { REMOVED };
        let shown = options.split(',').map(|option| {
            let name = option.split('=').next().unwrap_or(option);
            match OPTIONS.contains(&name) {
                true => option,
                false => REMOVED,
            }
        });
        let mut shown: Vec<_> = shown.collect();
        shown.dedup();
        out.push_str(&format!("{source} {point} {kind} {}\n", shown.join(",")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passwords reach a kernel in more ways than one; what is not known is counted only.
    #[test]
    fn the_command_line_holds_no_secret() {
        let text = "console=serial0,115200 root=PARTUUID=7a-02 rootwait quiet hunter2 \
            systemd.set_credential=pw:hunter2 rd.luks.key=hunter2 ds=nocloud;s=http://hunter2/ \
            root=//u:hunter2@nas/x init=\"/bin/x hunter2\" -- hunter2\n";
        let shown = cmdline(text);
        let expected =
            "console=serial0,115200 root=PARTUUID=7a-02 rootwait quiet\n9 more (removed)\n";
        assert_eq!(shown, expected);
        assert_eq!(cmdline("quiet\n"), "quiet\n");
    }

    /// What is mounted, with the options that tell how it stands, and without a name on a network.
    #[test]
    fn mounts_hold_no_secret() {
        let text = "/dev/mmcblk0p2 / ext4 rw,noatime,errors=remount-ro 0 0\n\
            //u:hunter2@nas/x /mnt cifs rw,username=hunter2,password=hunter2 0 0\n\
            u@hunter2:/ /srv fuse.sshfs rw,nosuid 0 0\ntmpfs /run tmpfs rw,size=10k 0 0\nrubbish\n";
        let expected = "/dev/mmcblk0p2 / ext4 rw,noatime,errors=remount-ro\n\
            (removed) /mnt cifs rw,(removed)\n(removed) /srv fuse.sshfs rw,nosuid\n\
            tmpfs /run tmpfs rw,size=10k\n";
        assert_eq!(mounts(text), expected);
    }

    /// Properties of a device tree are lists of texts, or numbers.
    #[test]
    fn values_of_any_kind() {
        assert_eq!(value(b"Raspberry Pi 4\0"), "Raspberry Pi 4");
        assert_eq!(value(b"a,b\0c,d\0"), "a,b c,d");
        assert_eq!(value(b"12\n"), "12");
        assert_eq!(value(&[0, 0, 16, 0]), "0x00001000");
        assert_eq!(value(b"\x1b[2J"), "0x1b5b324a");
    }
}

//! Reads the kernel's table of mounts, and finds the file systems that are worth watching.
//!
//! Terms: a mount is *covered* when another one was put on the very same place later; the *mount
//! options* belong to one place, the *super options* to the file system behind it. Never touches
//! the file systems themselves, so it cannot hang with a card.

use crate::sorted::Set;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Most file systems that are watched. More: a machine full of mounts makes every look at them
/// long. Fewer: a Pi with several partitions and sticks loses one.
pub const MOST_MOUNTS: usize = 32;

/// Where the table is, below a root.
const TABLE: &str = "proc/self/mountinfo";

/// Kinds of file system that keep data on a card, disk or stick of this machine.
const LOCAL: [&[u8]; 7] = [
    b"ext2", b"ext3", b"ext4", b"vfat", b"btrfs", b"f2fs", b"xfs",
];

/// Kinds beside those that keep what is written to them over a boot.
const LASTING: [&[u8]; 6] = [b"exfat", b"jffs2", b"ubifs", b"nilfs2", b"nfs", b"nfs4"];

/// Block devices whose content is gone after a boot, whatever file system is on them.
const IN_MEMORY: [&[u8]; 2] = [b"/dev/zram", b"/dev/ram"];

/// What is mounted below these belongs to the system, not to anybody's data.
const SYSTEM: [&str; 4] = ["/proc", "/sys", "/dev", "/run"];

/// Super options of a file system on which no write can succeed: mounted so, switched over after an
/// error (Linux 6.15 on says `emergency_ro`; before 6.12 it was `ro`), or shut down.
const UNWRITABLE: [&[u8]; 3] = [b"ro", b"emergency_ro", b"shutdown"];

/// One line of the table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mount {
    id: u32,
    parent: u32,
    /// Major and minor number of the file system's device.
    device: (u32, u32),
    /// It shows the whole file system, not only a directory of it.
    whole: bool,
    /// Where it is mounted.
    pub point: PathBuf,
    kind: Vec<u8>,
    /// It lies in the machine's memory, whatever its kind.
    in_memory: bool,
    /// Nothing can be written through this place, by the will of whoever mounted it.
    pub read_only_here: bool,
    /// Nothing can be written to the file system at all.
    pub unwritable: bool,
}

/// The table of the machine whose `/proc` is below `root`.
///
/// # Errors
/// It cannot be read.
pub fn table(root: &Path) -> io::Result<Vec<Mount>> {
    Ok(parse(&fs::read(root.join(TABLE))?))
}

/// The writable local file systems, by mount point, each once however often it is mounted, at most
/// [`MOST_MOUNTS`]. One that an error made read-only counts as writable: it was meant to be.
///
/// Not among them: what lives in memory, is read-only by intent, belongs to the system (`/proc`,
/// `/sys`, `/dev`, `/run`) or to containers, or is an overlay anywhere but at `/`.
///
/// # Errors
/// The table of mounts cannot be read.
pub fn discover(root: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(worth_watching(&table(root)?))
}

/// The same, for a table that was read already.
pub fn worth_watching(table: &[Mount]) -> Vec<PathBuf> {
    let mut wanted: Vec<&Mount> = table
        .iter()
        .filter(|mount| mount.holds_data() && !mount.read_only_here)
        .filter(|mount| !table.iter().any(|other| other.covers(mount)))
        .collect();
    wanted.sort_by_key(|mount| {
        let below_root = mount.point != Path::new("/");
        let length = mount.point.as_os_str().len();
        (below_root, !mount.whole, length, mount.point.clone())
    });
    let mut seen = Set::new();
    wanted.retain(|mount| seen.insert(mount.device));
    let mut points: Vec<PathBuf> = wanted.into_iter().map(|m| m.point.clone()).collect();
    points.sort();
    points.truncate(MOST_MOUNTS);
    points
}

/// The mount that a path such as `/data` stands for; `None` if nothing is mounted there.
pub fn mounted_at<'t>(table: &'t [Mount], point: &Path) -> Option<&'t Mount> {
    // Comparing paths part by part makes `/data/` and `/data` the same.
    let here = |mount: &&Mount| mount.point == point;
    let uncovered = |mount: &&Mount| !table.iter().any(|other| other.covers(mount));
    table.iter().filter(here).find(uncovered)
}

/// The mount on which a path lies that begins at `/` and has no links in it.
pub fn mount_of<'t>(table: &'t [Mount], path: &Path) -> Option<&'t Mount> {
    let above = |mount: &&Mount| path.starts_with(&mount.point);
    let uncovered = |mount: &&Mount| !table.iter().any(|other| other.covers(mount));
    let length = |mount: &&Mount| mount.point.components().count();
    table
        .iter()
        .filter(above)
        .filter(uncovered)
        .max_by_key(length)
}

/// Reads the text of the table. Lines that are not what the kernel writes are passed over.
pub fn parse(text: &[u8]) -> Vec<Mount> {
    text.split(|&byte| byte == b'\n')
        .filter_map(parse_line)
        .collect()
}

impl Mount {
    /// Major and minor number of its device.
    pub fn device(&self) -> (u32, u32) {
        self.device
    }

    /// Major and minor number of the device of a file system that counts its errors.
    pub fn counts_errors(&self) -> Option<(u32, u32)> {
        let ext4 = [&b"ext4"[..], b"ext3", b"ext2"].contains(&self.kind.as_slice());
        ext4.then_some(self.device)
    }

    /// What is written to it is still there after a boot, as far as its kind tells; not where nothing
    /// can be written. An overlay may have its upper part in memory, and does not tell.
    pub fn outlives_a_boot(&self) -> bool {
        let kind = self.kind.as_slice();
        let lasting = LOCAL.contains(&kind) || LASTING.contains(&kind);
        lasting && !self.in_memory && !self.unwritable
    }

    fn covers(&self, other: &Mount) -> bool {
        self.parent == other.id && self.id != other.id && self.point == other.point
    }

    fn holds_data(&self) -> bool {
        let overlay_root = self.kind == b"overlay" && self.point == Path::new("/");
        let local = LOCAL.contains(&self.kind.as_slice());
        let system = SYSTEM.iter().any(|top| self.point.starts_with(top));
        (local || overlay_root) && !system
    }
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`: number,
/// parent, device, directory shown, mount point, mount options, any number of tags, a dash, kind,
/// source, super options.
fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut words = line.split(|&byte| byte == b' ');
    let id = number(words.next()?)?;
    let parent = number(words.next()?)?;
    let device = words.next()?;
    let colon = device.iter().position(|&byte| byte == b':')?;
    let device = (number(&device[..colon])?, number(&device[colon + 1..])?);
    let whole = words.next()? == b"/";
    let point = PathBuf::from(unescape(words.next()?));
    let options = words.next()?;
    words.find(|&word| word == b"-")?;
    let kind = words.next()?.to_vec();
    let source = words.next()?;
    let super_options = words.next().unwrap_or_default();
    point.is_absolute().then(|| Mount {
        id,
        parent,
        device,
        whole,
        point,
        kind,
        in_memory: IN_MEMORY.iter().any(|device| source.starts_with(device)),
        read_only_here: has_any(options, &[b"ro"]),
        unwritable: has_any(super_options, &UNWRITABLE),
    })
}

fn number(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// One of these is in a list of options separated by commas.
fn has_any(options: &[u8], wanted: &[&[u8]]) -> bool {
    options
        .split(|&byte| byte == b',')
        .any(|option| wanted.contains(&option))
}

/// Undoes the escapes of space, tab, newline and backslash: `\040` and the like.
pub fn unescape(text: &[u8]) -> OsString {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        match (first, octal(after)) {
            (b'\\', Some(byte)) => {
                plain.push(byte);
                // `octal` has seen three digits.
                rest = &after[3..];
            }
            (_, _) => {
                plain.push(first);
                rest = after;
            }
        }
    }
    OsString::from_vec(plain)
}

/// The byte that three octal digits stand for.
fn octal(text: &[u8]) -> Option<u8> {
    let digits = text.get(..3)?;
    if !digits.iter().all(|digit| (b'0'..=b'7').contains(digit)) {
        return None;
    }
    let value = digits
        .iter()
        .fold(0_u32, |value, digit| value * 8 + u32::from(digit - b'0'));
    u8::try_from(value).ok()
}

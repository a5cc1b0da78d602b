//! Reads how worn the medium of a file system is, where it tells: eMMC from version 5 on.
//!
//! Cards have nothing of the kind; that is told of them as nothing, not as well.

use super::mountinfo::{self, mounted_at};
use crate::core::fact::{Fact, MountId, Reading, Wear};
use std::fs;
use std::path::{Path, PathBuf};

/// What the media of these mount points say, which [`MountId`] counts.
pub fn look<P: AsRef<Path>>(root: &Path, points: &[P]) -> Vec<Fact> {
    let Ok(table) = mountinfo::table(root) else {
        return Vec::new();
    };
    let media = (0_u16..).zip(points).filter_map(|(number, point)| {
        let (major, minor) = mounted_at(&table, point.as_ref())?.device();
        let device = root.join(format!("sys/dev/block/{major}:{minor}"));
        let wear = wear(&device)?;
        let mount = MountId(number);
        Some(Fact::Seen(Reading::Wear { mount, wear }))
    });
    media.collect()
}

/// A partition's directory lies in that of its disk, which has the device.
fn wear(device: &Path) -> Option<Wear> {
    let own = fs::canonicalize(device).ok()?;
    let disk = own.parent().map(Path::to_owned);
    let places = [Some(own), disk].into_iter().flatten();
    let of: PathBuf = places
        .map(|p| p.join("device"))
        .find(|p| p.join("life_time").exists())?;
    let life = fs::read_to_string(of.join("life_time")).ok()?;
    // Of the two kinds of memory in it, the one that is worn more.
    let life = life.split_whitespace().filter_map(hex).max()?;
    let spare = fs::read_to_string(of.join("pre_eol_info")).ok();
    let spare = spare.and_then(|text| hex(text.trim())).unwrap_or(0);
    Some(Wear { life, spare })
}

/// `0x01`.
fn hex(text: &str) -> Option<u8> {
    u8::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The eMMC of a Compute Module, below a partition; a card beside it says nothing.
    #[test]
    fn only_what_tells() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let disks = root.join("sys/devices/block");
        for (disk, part) in [("mmcblk0", "mmcblk0p2"), ("mmcblk1", "mmcblk1p1")] {
            fs::create_dir_all(disks.join(disk).join(part)).unwrap();
            fs::create_dir_all(disks.join(disk).join("device")).unwrap();
        }
        fs::write(disks.join("mmcblk0/device/life_time"), "0x01 0x0a\n").unwrap();
        fs::write(disks.join("mmcblk0/device/pre_eol_info"), "0x02\n").unwrap();
        fs::create_dir_all(root.join("sys/dev/block")).unwrap();
        for (number, part) in [
            ("179:2", "mmcblk0/mmcblk0p2"),
            ("179:9", "mmcblk1/mmcblk1p1"),
        ] {
            let link = root.join("sys/dev/block").join(number);
            std::os::unix::fs::symlink(disks.join(part), link).unwrap();
        }
        fs::create_dir_all(root.join("proc/self")).unwrap();
        let table = "20 1 179:2 / / rw - ext4 /dev/mmcblk0p2 rw\n\
                     21 20 179:9 / /data rw - ext4 /dev/mmcblk1p1 rw\n";
        fs::write(root.join("proc/self/mountinfo"), table).unwrap();
        let facts = look(root, &["/data", "/", "/none"]);
        let wear = Wear { life: 10, spare: 2 };
        let mount = MountId(1);
        assert_eq!(facts, [Fact::Seen(Reading::Wear { mount, wear })]);
    }
}

//! File systems are asked one by one, and silence is told as what it is.

use crate::fixture;
use fieldwarden::core::fact::{Errno, Fact, Fault, MountId, Reading, Source};
use fieldwarden::edge::disk::{AskSpace, Disk, Space, discover};
use fieldwarden::units::Permille;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const PLENTY: Space = Space {
    blocks: 1000,
    available: 250,
    files: 4000,
    files_available: 3000,
    read_only: false,
};

fn always(answer: Result<Space, Errno>) -> AskSpace {
    Box::new(move |_| answer)
}

/// A root whose table of mounts is this fixture.
fn root_with(table: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let inside = root.path().join("proc/self");
    std::fs::create_dir_all(&inside).unwrap();
    std::fs::copy(fixture("mountinfo").join(table), inside.join("mountinfo")).unwrap();
    root
}

fn lost(mount: u16, why: Fault) -> Fact {
    let source = Source::Mount(MountId(mount));
    Fact::Lost { source, why }
}

#[test]
fn a_healthy_file_system_gives_shares_of_space_and_inodes() {
    let mut disk = Disk::asking(fixture("pi4"), always(Ok(PLENTY)));
    let expected = Fact::Seen(Reading::Mount {
        mount: MountId(0),
        space: Permille(250),
        inodes: Some(Permille(750)),
        read_only: false,
        errors: 0,
    });
    assert_eq!(disk.sample(&["/"]), [expected]);
}

#[test]
fn a_file_system_without_inodes_has_no_share_of_them() {
    let space = Space {
        files: 0,
        files_available: 0,
        ..PLENTY
    };
    let mut disk = Disk::asking(fixture("pi4"), always(Ok(space)));
    let facts = disk.sample(&["/boot/firmware"]);
    assert!(
        matches!(facts[..], [Fact::Seen(Reading::Mount { inodes: None, .. })]),
        "{facts:?}"
    );
}

#[test]
fn read_only_is_seen_in_the_flag_and_in_both_kinds_of_options() {
    let root = root_with("read-only-after-error");
    let points = ["/", "/data", "/log", "/fine", "/config"];
    let flags = |answer: Space| {
        let mut disk = Disk::asking(root.path().into(), always(Ok(answer)));
        let facts = disk.sample(&points);
        facts
            .into_iter()
            .map(|fact| match fact {
                Fact::Seen(Reading::Mount { read_only, .. }) => read_only,
                other => panic!("not a reading of a mount: {other:?}"),
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(flags(PLENTY), [true, true, true, false, true]);
    let flagged = Space {
        read_only: true,
        ..PLENTY
    };
    assert_eq!(flags(flagged), [true; 5]);
}

#[test]
fn what_is_not_mounted_is_absent_and_is_not_asked() {
    let ask: AskSpace = Box::new(|path| panic!("{} was asked", path.display()));
    let mut disk = Disk::asking(fixture("pi4"), ask);
    assert_eq!(disk.sample(&["/gone"]), [lost(0, Fault::Absent)]);
}

#[test]
fn what_the_card_says_is_passed_on() {
    for (errno, why) in [
        (libc::EIO, Fault::Errno(Errno(libc::EIO))),
        (libc::EACCES, Fault::Errno(Errno(libc::EACCES))),
        (libc::ENOENT, Fault::Absent),
    ] {
        let mut disk = Disk::asking(fixture("pi4"), always(Err(Errno(errno))));
        assert_eq!(disk.sample(&["/"]), [lost(0, why)]);
    }
}

#[test]
fn a_file_system_of_no_size_is_implausible() {
    let mut disk = Disk::asking(fixture("pi4"), always(Ok(Space::default())));
    assert_eq!(disk.sample(&["/"]), [lost(0, Fault::Implausible)]);
}

#[test]
fn without_the_table_of_mounts_nothing_is_known() {
    let mut disk = Disk::asking(fixture("hwmon-only"), always(Ok(PLENTY)));
    let why = Fault::Errno(Errno(libc::ENOENT));
    assert_eq!(
        disk.sample(&["/", "/data"]),
        [lost(0, why.clone()), lost(1, why)]
    );
}

/// The thread can tell of the first before the second hangs.
#[test]
fn every_answer_is_told_before_the_next_question() {
    let course = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&course);
    let ask: AskSpace = Box::new(move |path| {
        asked
            .lock()
            .unwrap()
            .push(format!("ask {}", path.display()));
        Ok(PLENTY)
    });
    let root = root_with("read-only-after-error");
    let mut disk = Disk::asking(root.path().into(), ask);
    disk.sample_each(&["/", "/data"], |_| {
        course.lock().unwrap().push("tell".into())
    });
    let [first, second] = ["", "data"].map(|p| format!("ask {}", root.path().join(p).display()));
    assert_eq!(
        *course.lock().unwrap(),
        [first, "tell".into(), second, "tell".into()]
    );
}

#[test]
fn the_root_of_this_machine_answers() {
    let facts = Disk::new("/".into()).sample(&["/"]);
    let [Fact::Seen(Reading::Mount { space, .. })] = facts[..] else {
        panic!("{facts:?}");
    };
    assert!(space <= Permille(1000));
}

#[test]
fn what_is_discovered_can_be_sampled() {
    let found: Vec<PathBuf> = discover(&fixture("pi4")).unwrap();
    let mut disk = Disk::asking(fixture("pi4"), always(Ok(PLENTY)));
    let facts = disk.sample(&found);
    assert_eq!(facts.len(), 3);
    assert!(
        facts.iter().all(|fact| matches!(fact, Fact::Seen(_))),
        "{facts:?}"
    );
    assert!(found.contains(&Path::new("/mnt/usb stick").into()));
}

/// Errors are found by the number of the device, whatever it is called; a file system that does not
/// count them has none.
#[test]
fn recorded_errors_are_counted() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let write = |name: &str, text: &str| {
        let file = root.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    write(
        "proc/self/mountinfo",
        "21 1 179:2 / / rw - ext4 /dev/root rw\n22 21 179:1 / /boot rw - vfat /dev/mmcblk0p1 rw\n\
         23 21 8:1 / /stick rw - ext4 /dev/sda1 rw\n",
    );
    let devices = root.join("sys/dev/block");
    fs::create_dir_all(&devices).unwrap();
    for (number, name) in [
        ("179:2", "mmcblk0p2"),
        ("179:1", "mmcblk0p1"),
        ("8:1", "sda1"),
    ] {
        let link = format!("../../devices/platform/{name}");
        std::os::unix::fs::symlink(link, devices.join(number)).unwrap();
    }
    write("sys/fs/ext4/mmcblk0p2/errors_count", "7\n");
    write("sys/fs/ext4/mmcblk0p1/errors_count", "3\n");
    write("sys/fs/ext4/sda1/errors_count", "no number\n");
    let mut disk = Disk::asking(root.into(), always(Ok(PLENTY)));
    let counted = disk.sample(&["/", "/boot", "/stick"]);
    let counted: Vec<Option<u32>> = counted
        .iter()
        .map(|fact| match fact {
            Fact::Seen(Reading::Mount { errors, .. }) => Some(*errors),
            _ => None,
        })
        .collect();
    assert_eq!(counted, [Some(7), Some(0), Some(0)]);
}

//! The table of mounts: what is found in it, and that nothing in it can hurt.

use crate::fixture;
use fieldwarden::edge::mountinfo::{
    MOST_MOUNTS, Mount, discover, mount_of, mounted_at, parse, unescape, worth_watching,
};
use proptest::prelude::*;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

fn table(name: &str) -> Vec<Mount> {
    parse(&std::fs::read(fixture("mountinfo").join(name)).unwrap())
}

fn watched(name: &str) -> Vec<PathBuf> {
    worth_watching(&table(name))
}

fn paths(names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(PathBuf::from).collect()
}

#[test]
fn a_pi_with_docker_snaps_and_a_stick_has_three_file_systems_worth_watching() {
    let found = discover(&fixture("pi4")).unwrap();
    assert_eq!(found, paths(&["/", "/boot/firmware", "/mnt/usb stick"]));
}

#[test]
fn an_overlay_counts_at_the_root_only_and_its_lower_side_not_at_all() {
    assert_eq!(watched("overlayroot"), paths(&["/", "/data"]));
}

#[test]
fn what_an_error_made_read_only_is_watched_and_what_was_mounted_so_is_not() {
    let found = watched("read-only-after-error");
    assert_eq!(found, paths(&["/", "/data", "/fine", "/log"]));
}

#[test]
fn what_is_covered_is_not_seen() {
    assert_eq!(watched("stacked"), paths(&["/", "/boot/efi"]));
    let table = table("stacked");
    let cache = mounted_at(&table, Path::new("/cache/")).unwrap();
    assert_eq!(cache.point, Path::new("/cache"));
    assert!(mounted_at(&table, Path::new("/elsewhere")).is_none());
}

/// Where a path lies, and whether that outlives a boot: a card does; an overlay, memory and a
/// compressed part of memory do not, whatever they are mounted on.
#[test]
fn what_outlives_a_boot_is_told_by_the_kind_of_the_file_system() {
    let lines = "\
21 1 179:2 / / rw - ext4 /dev/mmcblk0p2 rw
22 21 0:20 / /run rw - tmpfs tmpfs rw
23 21 0:21 / /var/log rw - overlay overlay rw,upperdir=/run/log
24 21 253:0 / /var/lib/zram rw - ext4 /dev/zram0 rw
25 21 179:3 / /data rw - f2fs /dev/mmcblk0p3 rw
26 25 0:22 / /data rw - tmpfs none rw
27 21 0:23 / /net rw - nfs4 server:/net rw
";
    let table = parse(lines.as_bytes());
    let of = |path: &str| {
        let mount = mount_of(&table, Path::new(path)).unwrap();
        (mount.point.to_str().unwrap(), mount.outlives_a_boot())
    };
    assert_eq!(of("/var/lib/fieldwarden"), ("/", true));
    assert_eq!(of("/running"), ("/", true));
    assert_eq!(of("/run/fieldwarden"), ("/run", false));
    assert_eq!(of("/var/log"), ("/var/log", false));
    assert_eq!(of("/var/lib/zram/marker"), ("/var/lib/zram", false));
    assert_eq!(of("/data/marker"), ("/data", false), "it is covered");
    assert_eq!(of("/net/marker"), ("/net", true));
    assert_eq!(mount_of(&table[1..2], Path::new("/var")), None);
}

#[test]
fn one_of_several_places_stands_for_a_file_system_the_whole_one_first() {
    assert_eq!(watched("btrfs"), paths(&["/", "/whole/disk"]));
}

#[test]
fn every_way_of_being_unwritable_is_told_apart_from_the_words_that_only_look_so() {
    let table = table("read-only-after-error");
    let states: Vec<(&Path, bool, bool)> = table
        .iter()
        .map(|m| (m.point.as_path(), m.read_only_here, m.unwritable))
        .collect();
    let expected = [
        ("/", false, true),
        ("/data", false, true),
        ("/log", false, true),
        ("/fine", false, false),
        ("/config", true, false),
    ]
    .map(|(point, here, all)| (Path::new(point), here, all));
    assert_eq!(states, expected);
}

#[test]
fn no_more_file_systems_are_watched_than_there_is_room_for() {
    let lines: String = (0..40)
        .map(|n| format!("{n} 99 8:{n} / /disk{n:02} rw - ext4 /dev/x{n} rw\n"))
        .collect();
    let found = worth_watching(&parse(lines.as_bytes()));
    assert_eq!(found.len(), MOST_MOUNTS);
    assert_eq!(found.first(), Some(&PathBuf::from("/disk00")));
}

#[test]
fn escapes_are_undone_and_what_only_looks_like_one_is_kept() {
    for (written, meant) in [
        (r"/mnt/usb\040stick", "/mnt/usb stick"),
        (r"/a\011b\012c\134d", "/a\tb\nc\\d"),
        (r"/a\04", r"/a\04"),
        (r"/a\089", r"/a\089"),
        (r"/a\777", r"/a\777"),
        (r"\", r"\"),
        (r"\\040", r"\ "),
    ] {
        assert_eq!(unescape(written.as_bytes()), OsStr::new(meant), "{written}");
    }
}

#[test]
fn lines_that_are_none_are_passed_over() {
    for line in [
        "",
        "36",
        "36 35 98:0",
        "36 35 98 / /m rw - ext4 /dev/a rw",
        "x 35 98:0 / /m rw - ext4 /dev/a rw",
        "36 35 98:0 / /m rw shared:1 ext4 /dev/a rw",
        "36 35 98:0 / m rw - ext4 /dev/a rw",
        "36 35 98:0 / /m rw - ext4",
    ] {
        assert_eq!(parse(line.as_bytes()), [], "{line:?}");
    }
    let text = b"rubbish\n36 35 98:0 / /m rw - ext4 /dev/a rw\n\xff\xfe\n";
    assert_eq!(parse(text).len(), 1);
}

#[test]
fn a_machine_without_the_table_is_an_error() {
    assert!(discover(&fixture("hwmon-only")).is_err());
}

/// What may stand in a line of the table, and what looks like it.
const WORD: &str = r"[0-9]{1,11}|[a-z]{1,4}|/|/[a-z\\0-7]{0,6}|-|8:[0-9]{1,11}|:|ro|ext4";

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(text in proptest::collection::vec(any::<u8>(), 0..400)) {
        let table = parse(&text);
        prop_assert!(worth_watching(&table).len() <= table.len());
    }

    #[test]
    fn nearly_right_lines_do_not_make_it_panic(
        words in proptest::collection::vec(WORD, 0..14),
    ) {
        let table = parse(words.join(" ").as_bytes());
        for mount in &table {
            prop_assert!(mount.point.is_absolute());
        }
    }

    #[test]
    fn what_the_kernel_escapes_comes_back(name in "[ -~\t\n]{0,20}") {
        let written: String = name
            .chars()
            .map(|c| match c {
                ' ' | '\t' | '\n' | '\\' => format!("\\{:03o}", u32::from(c)),
                other => other.to_string(),
            })
            .collect();
        prop_assert_eq!(unescape(written.as_bytes()), OsStr::new(&name));
    }
}

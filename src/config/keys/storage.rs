//! The keys of `[storage]`.

use super::{CRITICAL, WARN, hours, key, s};
use crate::config::schema::Absent::{Default, Inside, Nothing, Required};
use crate::config::schema::{Kind, Section};

/// File systems.
pub const STORAGE: Section = Section {
    header: "storage",
    meaning: "File systems.",
    keys: &[
        key(
            "every",
            Kind::Duration(s(5), hours(1)),
            Default("\"60s\""),
            "Time between two looks",
        ),
        key(
            "mounts",
            Kind::Paths,
            Nothing("[\"/\"]"),
            "Mount points to watch; without this key, every writable local file system that is \
             found at the start",
        ),
        key(
            "space",
            FREE,
            Inside,
            "Limits of the free space; critical must be the lower one",
        ),
        key(
            "inodes",
            FREE,
            Inside,
            "Limits of the free inodes; critical must be the lower one",
        ),
        key(
            "canaries",
            Kind::Paths,
            Nothing("[\"/var/lib/fieldwarden\"]"),
            "Directories in which a file of 4 KiB is written, synced and read back past the cache from \
             time to time, so that a card that only pretends is found out; without this key, none",
        ),
        key(
            "canary_every",
            Kind::Duration(s(10), hours(24)),
            Default("\"1h\""),
            "Time between two tries of them",
        ),
    ],
};

/// A cap on files.
pub const CAP: Section = Section {
    header: "cap.NAME",
    meaning: "What files of a directory may take up together; the oldest are deleted when it is more. There \
              may be many such sections.",
    keys: &[
        key(
            "dir",
            Kind::Path,
            Required("\"/var/log/app\""),
            "The directory; what lies deeper, and links, are left alone; must be given",
        ),
        key(
            "max",
            Kind::WordOrSize(&[], 4096, 1 << 50),
            Required("\"64MiB\""),
            "Most that they may take up; must be given",
        ),
        key(
            "only",
            Kind::Texts,
            Required("[\"*.log.*\"]"),
            "Forms of names, with * and ?: nothing else counts, or is deleted; must be given",
        ),
        key(
            "keep",
            Kind::Count(1, 1000),
            Default("1"),
            "So many of them, the newest ones, are never deleted",
        ),
    ],
};

const FREE: Kind = Kind::Table(&[
    key("warn", Kind::Share, Default("\"15%\""), WARN),
    key("critical", Kind::Share, Default("\"5%\""), CRITICAL),
]);

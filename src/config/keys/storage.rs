//! The keys of `[storage]`.

use super::{CRITICAL, WARN, hours, key, s};
use crate::config::schema::Absent::{Default, Inside, Nothing};
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
    ],
};

const FREE: Kind = Kind::Table(&[
    key("warn", Kind::Share, Default("\"15%\""), WARN),
    key("critical", Kind::Share, Default("\"5%\""), CRITICAL),
]);

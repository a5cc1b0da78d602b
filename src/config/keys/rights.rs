//! The keys of a service about who it is and what one of its processes may do.

use super::super::schema::{Absent, Key, Kind};
use super::key;
use Absent::{Default, Inside, Nothing};

pub(super) const USER: Key = key(
    "user",
    Kind::User,
    Nothing("\"www-data\""),
    "Who it runs as, by name or number of /etc/passwd; without this key, whoever the daemon runs as: \
     root",
);

pub(super) const GROUP: Key = key(
    "group",
    Kind::Group,
    Nothing("\"www-data\""),
    "Its group, by name or number of /etc/group; without this key, that of its user",
);

pub(super) const GROUPS: Key = key(
    "groups",
    Kind::Groups,
    Nothing("[\"i2c\", \"gpio\"]"),
    "Its other groups, these and no more; without this key, those that /etc/group has for its user",
);

pub(super) const CAPABILITIES: Key = key(
    "capabilities",
    Kind::Capabilities,
    Nothing("[\"net_bind_service\"]"),
    "Capabilities of the kernel that it has, whoever it runs as, and that none of its processes can \
     exceed; without this key, none if it has a user, and all if it runs as root",
);

pub(super) const NO_NEW_PRIVILEGES: Key = key(
    "no_new_privileges",
    Kind::Flag,
    Nothing("true"),
    "No program that it starts gives it more rights, such as sudo; without this key, true if it has a \
     user other than root",
);

pub(super) const UMASK: Key = key(
    "umask",
    Kind::Umask,
    Default("\"022\""),
    "Permissions that its new files do not get",
);

pub(super) const NICE: Key = key(
    "nice",
    Kind::Signed(-20, 19),
    Nothing("10"),
    "How far it stands back for others on the processor; without this key, as the daemon does: 0",
);

pub(super) const OOM_SCORE: Key = key(
    "oom_score",
    Kind::Signed(-1000, 1000),
    Default("0"),
    "How soon the kernel takes it for the one to end when memory is out: 1000 first, -1000 never",
);

pub(super) const LIMITS: Key = key(
    "limits",
    Kind::Table(&[
        key(
            "nofile",
            Kind::WordOrCount(UNLIMITED, 3, 1_048_576),
            Nothing("4096"),
            "Open files of one process",
        ),
        key(
            "nproc",
            Kind::WordOrCount(UNLIMITED, 1, 4_194_304),
            Nothing("200"),
            "Processes and threads of its user, wherever they run; root has no such limit",
        ),
        key(
            "core",
            Kind::WordOrSize(UNLIMITED, 0, SIZE_MAX),
            Nothing("\"0B\""),
            "Size of a core dump",
        ),
        key(
            "memlock",
            Kind::WordOrSize(UNLIMITED, 0, SIZE_MAX),
            Nothing("\"64MiB\""),
            "Memory of one process that is locked",
        ),
        key(
            "stack",
            Kind::WordOrSize(UNLIMITED, 64 * 1024, SIZE_MAX),
            Nothing("\"8MiB\""),
            "Stack of one process",
        ),
        key(
            "fsize",
            Kind::WordOrSize(UNLIMITED, 0, SIZE_MAX),
            Nothing("\"1GiB\""),
            "Size of a file that it writes",
        ),
        key(
            "as",
            Kind::WordOrSize(UNLIMITED, 1024 * 1024, SIZE_MAX),
            Nothing("\"512MiB\""),
            "Address space of one process",
        ),
    ]),
    Inside,
    "Limits of one process, as prlimit(1) names them, which it cannot raise; each that is left out \
     stays as the daemon found it",
);

pub(super) const UNLIMITED: &[&str] = &["unlimited"];

/// No machine has more, and 32-bit ones count no further than the kernel's pages reach.
pub(super) const SIZE_MAX: u64 = 1 << 40;

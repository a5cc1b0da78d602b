//! The keys of a service about what it sees of the machine.

use super::super::schema::{Absent, Key, Kind};
use super::key;
use super::rights::SIZE_MAX;
use Absent::{Default, Nothing};

pub(super) const PRIVATE_TMP: Key = key(
    "private_tmp",
    Kind::WordOrSize(&["none"], 64 * 1024, SIZE_MAX),
    Default("\"none\""),
    "Room in a /tmp of its own, and as much in a /var/tmp: empty at each start, in memory, and gone \
     after it",
);

pub(super) const READ_ONLY: Key = key(
    "read_only",
    Kind::Paths,
    Default("[]"),
    "Paths that must be there, and below which it can change nothing, whoever it runs as; [\"/\"] for \
     everything",
);

pub(super) const WRITABLE: Key = key(
    "writable",
    Kind::Paths,
    Default("[]"),
    "Paths below those of read_only that must be there, too, and that stay as they are",
);

pub(super) const PRIVATE_NETWORK: Key = key(
    "private_network",
    Kind::Flag,
    Default("false"),
    "It has no network but a loopback interface of its own, and meets no abstract socket of others",
);

pub(super) const MUST_NOT_REACH: Key = key(
    "must_not_reach",
    Kind::Texts,
    Default("[]"),
    "Hosts and ports that it must not be able to connect to, as in [\"db:5432\"]: tried from within its \
     own network every 10 min; that one is reached is told, and nothing is ended; at most 32",
);

pub(super) const SECRETS: Key = key(
    "secrets",
    Kind::Secrets,
    Nothing("{ token = \"/etc/web/token\" }"),
    "Files that are copied at each start, for its user alone and in memory, to \
     $CREDENTIALS_DIRECTORY/NAME; at most 32, each of at most 256 KiB",
);

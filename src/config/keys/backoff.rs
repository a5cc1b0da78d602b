//! The keys of `backoff` in `[service.NAME]`.

use super::super::schema::{Absent, Key, Kind};
use super::{hours, key, ms, s};
use Absent::Default;

pub(super) const BACKOFF: &[Key] = &[
    key(
        "immediate",
        Kind::Count(0, 100),
        Default("3"),
        "Failures in a row that are answered at once",
    ),
    key(
        "first",
        Kind::Duration(ms(100), hours(1)),
        Default("\"1s\""),
        "First wait after those; each further one is twice as long",
    ),
    key(
        "cap",
        Kind::Duration(ms(100), hours(24)),
        Default("\"60s\""),
        "Longest wait",
    ),
    key(
        "stable",
        Kind::Duration(s(1), hours(24)),
        Default("\"10m\""),
        "A run this long wipes out the failures before it",
    ),
    key(
        "restarts",
        Kind::Count(1, 1000),
        Default("8"),
        "Restarts inside the window after which the service is given up",
    ),
    key(
        "window",
        Kind::Duration(s(1), hours(24)),
        Default("\"10m\""),
        "The window of those restarts",
    ),
    key(
        "cooldown",
        Kind::Duration(s(1), hours(24)),
        Default("\"10m\""),
        "Time after giving up until one more try, which also waits until a restart has left the window",
    ),
];

//! The keys of a service that make it a job.

use super::super::schema::{Absent, Key, Kind};
use super::{hours, key, min, s};
use Absent::{Default, Nothing};
use std::time::Duration;

/// A year: longer than any board is meant to be without a restore test.
const YEAR: Duration = hours(366 * 24);

pub const KIND: Key = key(
    "kind",
    Kind::Choice(&["service", "job", "unit", "container"]),
    Default("\"service\""),
    "A service is kept running; a job runs from time to time and ends by itself: it needs every or \
     calendar, and with autostart = false it runs only when somebody starts it; a unit is kept running \
     by systemd, which is asked to start and stop it, and a container by its engine",
);

pub const EVERY: Key = key(
    "every",
    Kind::Duration(s(10), YEAR),
    Nothing("\"1h\""),
    "For a job: time from the start of one run to the next, in this boot and over boots",
);

pub const CALENDAR: Key = key(
    "calendar",
    Kind::Text,
    Nothing("\"mon-fri 03:30\""),
    "For a job: times by the clock, as in \"03:30\", \"mon,thu 03:30\", \"15 03:30\" (day of the month, \
     or its last one), \"last 03:30\" or \":15\" (every hour)",
);

pub const ZONE: Key = key(
    "zone",
    Kind::Text,
    Default("\"local\""),
    "The time zone of calendar: \"local\" for that of the machine when the daemon starts, \"UTC\", a name \
     such as \"Europe/Berlin\", or its rules such as \"CET-1CEST,M3.5.0,M10.5.0/3\"",
);

pub const ANY_CLOCK: Key = key(
    "any_clock",
    Kind::Flag,
    Default("false"),
    "For a calendar: go by the clock even while it cannot be trusted",
);

pub const JITTER: Key = key(
    "jitter",
    Kind::Duration(Duration::ZERO, hours(24)),
    Default("\"0s\""),
    "For a job: each of its times is put off by up to this time, so that not all boards run it at once",
);

pub const TIMEOUT: Key = key(
    "timeout",
    Kind::Duration(s(1), hours(7 * 24)),
    Default("\"1h\""),
    "For a job: a run that lasts longer is stopped and has failed",
);

pub const EXCLUSIVE: Key = key(
    "exclusive",
    Kind::Text,
    Nothing("\"heavy\""),
    "For a job: of all jobs with the same word here, one runs at a time",
);

pub const NOT_WHILE: Key = key(
    "not_while",
    Kind::Words(&["battery", "throttled", "memory-low"]),
    Default("[]"),
    "For a job: it waits while the machine runs on its battery, while the firmware throttles it or the \
     supply is too weak, while memory is low",
);

pub const FRESH_WITHIN: Key = key(
    "fresh_within",
    Kind::Duration(min(1), YEAR),
    Nothing("\"2h\""),
    "For a job: how old its last good run may be; older is warn, twice as old critical, and not known is \
     unknown",
);

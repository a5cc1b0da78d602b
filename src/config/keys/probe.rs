//! The keys of `probe` in `[service.NAME]`, and of each probe in it.

use super::super::schema::{Absent, Key, Kind};
use super::{hours, key, min, ms, s};
use Absent::{Default, Nothing};

/// Which probes there are.
pub(super) const PROBES: &[Key] = &[
    key(
        "startup",
        Kind::Table(PROBE),
        Nothing("{ tcp = \"127.0.0.1:80\", interval = \"1s\", failure_threshold = 60 }"),
        "Whether it has started: until this succeeds it is not up and has no other probe; when it fails, \
         its start has failed",
    ),
    key(
        "readiness",
        Kind::Table(PROBE),
        Nothing("{ http = \"http://127.0.0.1/ready\", interval = \"5s\" }"),
        "Whether it can be used: without that, services that require it are not started; nothing is \
         ended",
    ),
    key(
        "liveness",
        Kind::Table(PROBE),
        Nothing("{ http = \"http://127.0.0.1/alive\", failure_threshold = 6 }"),
        "Whether it lives: when this fails, it is ended and started again as after a hang",
    ),
];

/// The keys of each probe.
const PROBE: &[Key] = &[
    key(
        "exec",
        Kind::Command,
        Nothing("[\"/usr/bin/web-check\"]"),
        "Run this program as the service itself would be, in its control group; 0 is a success",
    ),
    key(
        "tcp",
        Kind::Text,
        Nothing("\"127.0.0.1:80\""),
        "Connect to this address and port, or to \"unix:/run/web.sock\"",
    ),
    key(
        "http",
        Kind::Text,
        Nothing("\"http://127.0.0.1:80/alive\""),
        "Get this from an address, or from \"http://unix:/run/web.sock:/alive\"; a status from 200 to \
         399 is a success, and no redirect is followed",
    ),
    key(
        "file",
        Kind::Path,
        Nothing("\"/run/web/alive\""),
        "Look when this file has changed last; to have changed within max_age is a success",
    ),
    key(
        "max_age",
        Kind::Duration(s(1), hours(24)),
        Nothing("\"60s\""),
        "How long ago that may be; must be given with file",
    ),
    key(
        "interval",
        Kind::Duration(s(1), hours(1)),
        Default("\"10s\""),
        "Time from one probe to the next",
    ),
    key(
        "timeout",
        Kind::Duration(ms(100), min(1)),
        Default("\"1s\""),
        "Time after which a probe has failed",
    ),
    key(
        "initial_delay",
        Kind::Duration(std::time::Duration::ZERO, hours(1)),
        Default("\"0s\""),
        "Time until the first one: from the start for startup, otherwise from when it is up",
    ),
    key(
        "failure_threshold",
        Kind::Count(1, 1000),
        Default("3"),
        "Failures in a row that count",
    ),
    key(
        "success_threshold",
        Kind::Count(1, 1000),
        Default("1"),
        "Successes in a row that count; more than 1 for readiness only",
    ),
    key(
        "network",
        Kind::Flag,
        Default("false"),
        "The probe depends on the network: without this it may ask nobody beyond this machine; with it, \
         it is not made while there is no network, and what it finds is no ill health of this machine",
    ),
];

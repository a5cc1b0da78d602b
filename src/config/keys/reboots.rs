//! The keys of `[reboots]` and `[hold]`.

use super::super::schema::{Absent, Kind, Section};
use super::{hours, key, min, s};
use Absent::Default;

/// How often the machine may be restarted for the sake of services.
pub const REBOOTS: Section = Section {
    header: "reboots",
    meaning: "How often the machine may be restarted for the sake of services that escalate.",
    keys: &[
        key(
            "most",
            Kind::Count(0, 6),
            Default("3"),
            "Restarts inside the window; there are never more than 6 within 7 days, and none with 0",
        ),
        key(
            "window",
            Kind::Duration(min(10), hours(168)),
            Default("\"6h\""),
            "The window of those restarts; time in which the machine is off does not count",
        ),
        key(
            "uptime",
            Kind::Duration(s(10), hours(24)),
            Default("\"10m\""),
            "Least time that the machine has to be up before such a restart",
        ),
    ],
};

/// For how long somebody may have nothing escalated.
pub const HOLD: Section = Section {
    header: "hold",
    meaning: "For how long somebody who works on the machine may have nothing escalated.",
    keys: &[key(
        "most",
        Kind::Duration(min(1), hours(24)),
        Default("\"4h\""),
        "Longest time that a hold lasts, however often it is changed (fieldwarden hold)",
    )],
};

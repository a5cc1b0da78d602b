//! The keys of `[group.NAME]`.

use super::super::schema::{Absent, Kind, Section};
use super::{hours, key, s};
use Absent::{Default, Required};

/// Services that are restarted together.
pub const GROUP: Section = Section {
    header: "group.NAME",
    meaning: "Services that are restarted together; there may be many such sections.",
    keys: &[
        key(
            "members",
            Kind::Services,
            Required("[\"web\"]"),
            "Its members, in their order; a service is in one group at most; must be given",
        ),
        key(
            "strategy",
            Kind::Choice(&["one-for-one", "one-for-all", "rest-for-one"]),
            Default("\"one-for-all\""),
            "Who is restarted when a member fails: that one; all; or that one and those that stand \
             behind it in members",
        ),
        key(
            "restarts",
            Kind::Count(1, 1000),
            Default("3"),
            "Restarts of the group inside the window after which the member that failed is given up",
        ),
        key(
            "window",
            Kind::Duration(s(1), hours(24)),
            Default("\"10m\""),
            "The window of those restarts",
        ),
        key(
            "escalate",
            Kind::Choice(&["none", "group", "machine"]),
            Default("\"none\""),
            "What follows when a member is given up: it waits for its cooldown; the whole group is \
             restarted; or that, and the machine when the budget of the group is used up",
        ),
    ],
};

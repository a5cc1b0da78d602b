//! The keys of `[control]`.

use super::super::schema::{Absent, Kind, Section};
use super::key;

/// Who may act over the control socket.
pub const CONTROL: Section = Section {
    header: "control",
    meaning: "Who may act on the daemon over its control socket.",
    keys: &[key(
        "operators",
        Kind::Users,
        Absent::Default("[]"),
        "Users who may start, stop, reload, hold and halt, by name or number of /etc/passwd, as in [\"pi\"], \
         beside root and whoever the daemon runs as; they must be in the group that may look; at most 64",
    )],
};

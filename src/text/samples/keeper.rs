//! Notes about services that somebody else keeps. Who that is, these settings do not say; what is said
//! of systemd, `crate::text::keeper` tests.

use super::WEB;
use crate::core::fact::{Errno, Fault};
use crate::core::note::{KeeperNote, Note};

pub(super) fn notes() -> Vec<(Note, &'static str)> {
    let of = |note, words| (Note::Keeper(WEB, note), words);
    vec![
        of(
            KeeperNote::StoppedElsewhere,
            "web was stopped by another, through its keeper: it is left alone until `fieldwarden start \
             web`, or until it is started there",
        ),
        of(
            KeeperNote::StartedElsewhere,
            "web was started by another, through its keeper: it is kept up from now on",
        ),
        of(
            KeeperNote::RestartedElsewhere { failures: 1 },
            "web ended and its keeper itself starts it again: that counts as a restart",
        ),
        of(
            KeeperNote::RestartedElsewhere { failures: 4 },
            "web failed 4 times in a row and its keeper itself starts it again: that counts as a \
             restart",
        ),
        of(
            KeeperNote::KeeperSilent {
                why: Fault::Errno(Errno(110)),
            },
            "its keeper does not say how web stands (timed out (ETIMEDOUT)): nothing is \
             decided about it",
        ),
        of(
            KeeperNote::KeeperHeard,
            "its keeper says again how web stands",
        ),
        of(
            KeeperNote::Unhealthy { ended: true },
            "its keeper finds web unhealthy: ended and started again",
        ),
        of(
            KeeperNote::Unhealthy { ended: false },
            "its keeper finds web unhealthy: left running, as is configured",
        ),
        of(KeeperNote::Healthy, "its keeper finds web healthy again"),
    ]
}

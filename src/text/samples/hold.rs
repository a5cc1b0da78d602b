//! Notes about holds.

use super::seconds;
use crate::core::fact::{Asker, Errno, Fault, Request};
use crate::core::note::{HoldNote, Note};

pub(super) fn notes() -> Vec<(Note, &'static str)> {
    let (by, reason) = (Asker::User(1000), || "the wiring".into());
    let all = [
        (
            HoldNote::HoldBegan {
                by,
                time: seconds(1800),
                reason: reason(),
            },
            "hold: user 1000 has nothing escalated for 30 min: the wiring",
        ),
        (
            HoldNote::HoldChanged {
                by: Asker::User(0),
                time: seconds(600),
                reason: reason(),
            },
            "the hold lasts 10 min from now on, says root: the wiring",
        ),
        (
            HoldNote::HoldTakenUp {
                by,
                time: seconds(60),
                reason: reason(),
            },
            "the hold of user 1000 goes on for 1 min: the wiring",
        ),
        (
            HoldNote::HoldEnded {
                by,
                lasted: seconds(300),
            },
            "user 1000 ended the hold after 5 min: failures count again, from none",
        ),
        (
            HoldNote::HoldOver {
                lasted: seconds(1800),
            },
            "the hold is over after 30 min: failures count again, from none",
        ),
        (
            HoldNote::HoldLost {
                why: Fault::Implausible,
            },
            "the hold that was left cannot be read, so there is none: its value cannot be true; ask \
             for it again with `fieldwarden hold`",
        ),
        (
            HoldNote::HoldNotKept {
                why: Fault::Errno(Errno(28)),
            },
            "the hold cannot be written down for a restart of the daemon: no space left on device \
             (ENOSPC)",
        ),
    ];
    let asked = [
        (
            Request::Hold {
                time: seconds(60),
                reason: reason(),
            },
            "user 1000 asked to escalate nothing for 1 min: the wiring",
        ),
        (Request::EndHold, "user 1000 asked to end the hold"),
    ];
    let holds = all.map(|(note, words)| (Note::Hold(note), words));
    let asked = asked.map(|(request, words)| (Note::Asked { by, request }, words));
    holds.into_iter().chain(asked).collect()
}

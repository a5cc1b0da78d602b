//! Notes of the way out and of what expires.

use crate::core::fact::{ExpiryId, Found, Step};
use crate::core::note::{MachineKept, NetworkNote, Note};
use crate::core::picture::Verdict;
use std::time::Duration;

pub(super) fn notes() -> Vec<(Note, &'static str)> {
    let of = |note, words| (Note::Network(note), words);
    let broken = |step, found, lasted| NetworkNote::UplinkBroken {
        step,
        found,
        lasted: Duration::from_secs(lasted),
    };
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let expiry = ExpiryId(0);
    vec![
        of(
            broken(Step::Name, Found::Silent, 420),
            "the way out has been broken for 7 min: names are not looked up, nobody answers",
        ),
        of(
            broken(Step::Ssh, Found::Wrong, 0),
            "the way out is broken: what answers for SSH is no SSH server",
        ),
        of(
            NetworkNote::UplinkWell { lasted: days(2) },
            "the way out is as it should be again, after 2 d",
        ),
        of(
            NetworkNote::Repairing {
                rung: 0,
                step: Step::Vpn,
            },
            "the way out is broken at vpn: trying tunnel",
        ),
        of(
            NetworkNote::RepairsSpent { step: Step::Name },
            "the way out stays broken at name: nothing is left for now that may be tried and makes a \
             difference",
        ),
        of(
            NetworkNote::RestartsMachine,
            "restarting this machine: the way out could not be repaired",
        ),
        of(
            NetworkNote::KeepsMachine {
                why: MachineKept::Hold,
            },
            "this machine is not restarted for the way out: somebody works on it, and has a hold in \
             force",
        ),
        of(
            NetworkNote::ExpiryNear {
                verdict: Verdict::Warn,
                expiry,
                left: days(30),
            },
            "web expires in 30 d: renew it",
        ),
        of(
            NetworkNote::ExpiryNear {
                verdict: Verdict::Critical,
                expiry,
                left: days(7),
            },
            "web expires in 7 d: renew it",
        ),
        of(
            NetworkNote::ExpiryOver {
                expiry,
                since: days(1),
            },
            "web expired 1 d ago: renew it",
        ),
        of(
            NetworkNote::ExpiryFar {
                expiry,
                left: days(90),
            },
            "web was renewed: it expires in 90 d",
        ),
    ]
}

//! Notes about groups of services.

use super::{WEB, seconds};
use crate::core::fact::GroupId;
use crate::core::note::{GroupNote, MachineKept, Note};

/// The last rung.
pub(super) fn machine() -> Vec<(Note, &'static str)> {
    let kept = |why, words| (Note::MachineKept { service: WEB, why }, words);
    let used_up = |reboots| MachineKept::UsedUp {
        reboots,
        window: seconds(6 * 3600),
    };
    vec![
        (
            Note::MachineRestarting { service: WEB },
            "web could not be kept up: restarting this machine",
        ),
        kept(
            used_up(3),
            "web could not be kept up, but this machine is not restarted: it was restarted on \
             purpose, or hung, 3 \
             times within 6 h: look for the cause",
        ),
        kept(
            used_up(1),
            "web could not be kept up, but this machine is not restarted: it was restarted on \
             purpose, or hung, once \
             within 6 h: look for the cause",
        ),
        kept(
            MachineKept::NotCounted,
            "web could not be kept up, but this machine is not restarted: nobody knows how often it was \
             restarted already: is `state_dir` readable?",
        ),
        kept(
            MachineKept::TooSoon {
                uptime: seconds(600),
            },
            "web could not be kept up, but this machine is not restarted: it has not been up for 10 min \
             yet",
        ),
        kept(
            used_up(0),
            "web could not be kept up, but this machine is not restarted: `most` of [reboots] is 0",
        ),
        kept(
            MachineKept::NotKept,
            "web could not be kept up, but this machine is not restarted: nothing in `state_dir` is known \
             to have outlived a boot, so nobody would know of it",
        ),
        kept(
            MachineKept::NotWritten,
            "web could not be kept up, but this machine is not restarted: it cannot be written down that \
             it is: is `state_dir` writable?",
        ),
        kept(
            MachineKept::OnBattery,
            "web could not be kept up, but this machine is not restarted: it runs on its battery, or that \
             sinks",
        ),
        kept(
            MachineKept::Unsteady,
            "web could not be kept up, but this machine is not restarted: daemons before this one broke \
             off",
        ),
        kept(
            MachineKept::Hold,
            "web could not be kept up, but this machine is not restarted: somebody works on it, and has a \
             hold in force",
        ),
        kept(
            MachineKept::Refused,
            "web could not be kept up, but this machine is not restarted: neither init nor the kernel did \
             it when they were asked",
        ),
    ]
}

pub(super) fn notes() -> Vec<(Note, &'static str)> {
    let all = [
        (
            GroupNote::GroupRestarting { counted: true },
            "group field is restarted because web failed",
        ),
        (
            GroupNote::GroupRestarting { counted: false },
            "group field is restarted because web failed, which does not count towards giving up",
        ),
        (
            GroupNote::GroupGaveUp {
                restarts: 3,
                window: seconds(600),
                retry: seconds(540),
            },
            "gave up on group field: 3 restarts within 10 min; web is tried again in 9 min, or now with \
             `fieldwarden start web`",
        ),
    ];
    all.map(|(note, words)| (Note::Group(GroupId(0), WEB, note), words))
        .to_vec()
}

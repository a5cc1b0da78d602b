//! Notes about the end of the machine.

use super::seconds;
use crate::core::fact::{Asker, Errno, Fault, HaltKind, Thread};
use crate::core::intent::{CutTold, HaltPhase, Intent, Marker};
use crate::core::note::{HaltNote, Note};
use crate::core::picture::{HaltCause, Rung};
use crate::core::{Confidence, End};

pub(super) fn notes() -> Vec<(Note, &'static str)> {
    let notes = [course(), failures(), marker()].concat();
    notes.into_iter().map(|(n, s)| (n.into(), s)).collect()
}

fn course() -> Vec<(HaltNote, &'static str)> {
    let kind = HaltKind::PowerOff;
    vec![
        (
            HaltNote::Halting {
                kind,
                cause: HaltCause::RideThrough,
                budget: seconds(80),
            },
            "turning this machine off, because mains stayed away for too long: services have \
             1 min 20 s to end",
        ),
        (
            HaltNote::Halting {
                kind: HaltKind::Reboot,
                cause: HaltCause::Asked { by: Asker::User(0) },
                budget: seconds(80),
            },
            "restarting this machine, because root asked for it: services have 1 min 20 s to end",
        ),
        (
            HaltNote::HaltTakenUp {
                kind,
                cause: HaltCause::LowBattery,
                same_boot: true,
            },
            "the daemon before this one was halting this machine, because the battery is low: going \
             on with it",
        ),
        (
            HaltNote::HaltTakenUp {
                kind,
                cause: HaltCause::GaugeSilent,
                same_boot: false,
            },
            "the boot before was being halted, because it runs on battery, and nothing tells how \
             full that is: unless mains are back, that is finished before any service starts",
        ),
        (
            HaltNote::HaltCancelled {
                cause: HaltCause::LowBattery,
            },
            "mains are back in time: this machine stays on, and its services come back",
        ),
        (
            HaltNote::HaltTurned {
                cause: HaltCause::LowBattery,
            },
            "mains are back too late to stay on: restarting this machine instead of leaving it off",
        ),
        (
            HaltNote::CutStays {
                why: Some(Fault::Absent),
            },
            "the machine is to run, but the board cannot be told to keep the power on (there is none on \
             this machine): it cuts the power soon",
        ),
        (
            HaltNote::HaltGivenUp { attempts: 3 },
            "the halt of an earlier boot is not finished any more after 3 in a row: services start; \
             look at the sensor of the mains",
        ),
        (
            HaltNote::MainsDoubted { halts: 3 },
            "mains are said to be gone, and were not seen since 3 halts in a row: only the battery decides \
             now; look at what tells of mains",
        ),
        (
            HaltNote::SinkDoubted { halts: 3 },
            "the battery sinks though mains are said to be there, and 3 halts in a row have not charged it: \
             the machine is not halted for it any more; look at the gauge and at what tells of mains",
        ),
        (
            HaltNote::InitAsked { kind },
            "asked init: turning this machine off; nothing can be taken back now",
        ),
        (
            HaltNote::WatchdogStretched {
                timeout: seconds(180),
            },
            "while init unmounts everything, the hardware watchdog waits for 3 min",
        ),
    ]
}

fn failures() -> Vec<(HaltNote, &'static str)> {
    vec![
        (
            HaltNote::RungMissed {
                rung: Rung::Syncing,
                why: None,
            },
            "halting: syncing the file systems took too long; going on without",
        ),
        (
            HaltNote::RungMissed {
                rung: Rung::Forced,
                why: Some(Fault::Errno(Errno(1))),
            },
            "halting: the kernel failed (operation not permitted (EPERM)); going on",
        ),
        (
            HaltNote::HaltForced {
                kind: HaltKind::Reboot,
            },
            "init does not do it: restarting this machine without it, after making file systems \
             read-only",
        ),
        (
            HaltNote::HaltLeftToWatchdog,
            "the kernel does not halt this machine: no more pets, the hardware resets it",
        ),
        (
            HaltNote::MarkerFailed {
                why: Fault::Errno(Errno(30)),
            },
            "what is to come cannot be written down (read-only file system (EROFS)): after a reset \
             the next boot will not know; is `state_dir` writable?",
        ),
    ]
}

fn marker() -> Vec<(HaltNote, &'static str)> {
    let left = |intent| {
        Some(Marker {
            intent,
            mains: Some(true),
            attempts: 0,
            in_vain: 0,
            sunk: 0,
            reboots: crate::core::reboots::Reboots::default(),
            outage: None,
            cut: CutTold::No,
            before: None,
        })
    };
    let thread = Thread::Watchdog;
    let (kind, cause) = (HaltKind::PowerOff, HaltCause::RideThrough);
    let halt = Intent::Halt {
        kind,
        cause,
        phase: HaltPhase::Committed,
    };
    let of = |end, confidence, left, reset| HaltNote::LastBoot {
        end,
        confidence,
        left,
        reset,
    };
    use Confidence::{Certain, Likely, Possible};
    vec![
        (
            of(End::FirstBoot, Likely, None, None),
            "the boot before: not known, nothing was recorded before this start",
        ),
        (
            of(End::Halted { kind, cause }, Likely, left(halt), None),
            "the boot before was ended by us (poweroff), because mains stayed away for too long \
             (likely)",
        ),
        (
            of(End::InHalt { cause }, Certain, left(halt), Some(true)),
            "the boot before went down in the middle of a halt, begun because mains stayed away for \
             too long (certain)",
        ),
        (
            of(End::AskedToEnd, Likely, left(Intent::Exit), None),
            "the boot before was shut down: we were asked to end before it went down (likely)",
        ),
        (
            of(End::CutOnBattery, Likely, left(Intent::Run), None),
            "the boot before lost its power while it ran on battery (likely)",
        ),
        (
            of(End::CutOrHang, Possible, left(Intent::Leave), Some(false)),
            "the boot before ended without warning: its power was cut, or it hung (possible)",
        ),
        (
            of(
                End::Withheld { thread },
                Certain,
                left(Intent::Withhold { thread }),
                Some(true),
            ),
            "the boot before was reset by the watchdog, because our watchdog thread was stuck \
             (certain)",
        ),
        (
            of(End::Hang, Certain, left(Intent::Run), Some(true)),
            "the boot before was reset by the watchdog: the machine hung (certain)",
        ),
        (
            of(End::Unknown, Possible, None, None),
            "the boot before ended in a way that nothing tells of (possible)",
        ),
    ]
}

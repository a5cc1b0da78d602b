//! Notes about the end of the machine.

use super::seconds;
use crate::core::fact::{Asker, Errno, Fault, HaltKind, Thread};
use crate::core::intent::{FoundMarker, HaltPhase, Intent, Marker};
use crate::core::note::{DrillRefused, HaltNote, MachineKept, Note};
use crate::core::picture::{HaltCause, Rung};
use crate::core::traces::{Firmware, Sample, Traces};
use crate::core::{Confidence, End};
use crate::units::{Millivolts, Mono, Permille, Wall};
use std::time::Duration;

pub(super) fn notes() -> Vec<(Note, &'static str)> {
    let notes = [course(), failures(), drills(), marker()].concat();
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

fn drills() -> Vec<(HaltNote, &'static str)> {
    let refused = |why, words| (HaltNote::DrillRefused { why }, words);
    let window = Duration::from_secs(6 * 3600);
    vec![
        refused(
            DrillRefused::Unguarded,
            "the watchdog is not tried out: the daemon does not pet a hardware watchdog now, so there is \
             none that could bite",
        ),
        refused(
            DrillRefused::InitFirst {
                window: Duration::from_secs(10),
            },
            "the watchdog is not tried out: init ends the daemon after 10 s without a pet, before the \
             watchdog bites: allow for more with `WatchdogSec=` of its unit, or set a shorter `timeout` in \
             [watchdog]",
        ),
        refused(
            DrillRefused::Late {
                thread: Thread::Disk,
            },
            "the watchdog is not tried out: the thread disk of the daemon is late: nobody would know what \
             the bite was for",
        ),
        refused(
            DrillRefused::Kept(MachineKept::UsedUp { reboots: 3, window }),
            "the watchdog is not tried out: the machine was restarted on purpose 3 times within 6 h, which \
             is as often as it may be",
        ),
        refused(
            DrillRefused::Kept(MachineKept::Hold),
            "the watchdog is not tried out: somebody works on it, and has a hold in force",
        ),
        (
            HaltNote::DrillBites {
                within: Duration::from_secs(35),
            },
            "no more pets, for the drill: the hardware watchdog is to reset this machine; if it does not \
             within 35 s, the services come back",
        ),
        (
            HaltNote::DrillFailed {
                waited: Duration::from_secs(38),
            },
            "the hardware watchdog has not bitten 38 s after the last pet: nothing guards this machine; \
             services come back",
        ),
    ]
}

fn marker() -> Vec<(HaltNote, &'static str)> {
    let left = |intent, reset| FoundMarker {
        marker: Marker {
            intent,
            mains: Some(true),
            ..Marker::default()
        },
        reset,
        lasts: true,
        ..FoundMarker::default()
    };
    let thread = Thread::Watchdog;
    let (kind, cause) = (HaltKind::PowerOff, HaltCause::RideThrough);
    let halt = Intent::Halt {
        kind,
        cause,
        phase: HaltPhase::Committed,
    };
    let of = |end, confidence, left: Option<FoundMarker>| HaltNote::LastBoot {
        end,
        confidence,
        left: left.map(Box::new),
    };
    let ran = |reset| Some(left(Intent::Run, reset));
    let traced = FoundMarker {
        marker: Marker {
            sample: Sample {
                level: Some(Permille(64)),
                voltage: Some(Millivolts(3_310)),
                weak: Some(true),
                low: true,
            },
            ..left(Intent::Run, None).marker
        },
        traces: Traces {
            alive: Some(Mono(812_345)),
            at: Wall::new(1_900_000_000),
            gap: Some(Duration::from_secs(90)),
            firmware: Some(Firmware::PowerOn),
            panic: true,
        },
        ..left(Intent::Run, None)
    };
    use Confidence::{Likely, Possible};
    vec![
        (
            of(End::FirstBoot, Likely, None),
            "the boot before: not known, nothing was recorded before this start",
        ),
        (
            of(End::Halted { kind, cause }, Likely, Some(left(halt, None))),
            "the boot before was ended by us (poweroff), because mains stayed away for too long \
             (likely)",
        ),
        (
            of(End::PlannedCut { cause }, Likely, Some(left(halt, None))),
            "the boot before was ended by us, and its board cut the power, because mains stayed away \
             for too long (likely)",
        ),
        (
            of(End::InHalt { cause }, Likely, Some(left(halt, Some(true)))),
            "the boot before went down in the middle of a halt, begun because mains stayed away for \
             too long (likely)",
        ),
        (
            of(
                End::Drill {
                    by: Asker::User(1000),
                    took: Duration::from_millis(14_250),
                    timeout: Duration::from_secs(15),
                },
                Likely,
                ran(Some(true)),
            ),
            "the boot before was ended by a drill that user 1000 asked for: the watchdog bit 14.2 s after \
             the last pet, or up to a second later, with a timeout of 15 s: in time (likely)",
        ),
        (
            of(
                End::Drill {
                    by: Asker::User(0),
                    took: Duration::from_secs(40),
                    timeout: Duration::from_secs(15),
                },
                Likely,
                ran(Some(true)),
            ),
            "the boot before was ended by a drill that root asked for: the watchdog bit 40 s after the \
             last pet, or up to a second later, with a timeout of 15 s: too late (likely)",
        ),
        (
            of(End::AskedToEnd, Likely, Some(left(Intent::Exit, None))),
            "the boot before was shut down: we were asked to end before it went down (likely)",
        ),
        (
            of(End::CutOnBattery, Likely, ran(None)),
            "the boot before lost its power while it ran on battery (likely)",
        ),
        (
            of(End::BatteryEmpty, Likely, Some(traced)),
            "the boot before ended when its battery ran empty (likely)",
        ),
        (
            of(End::BrownOut, Possible, Some(traced)),
            "the boot before ended because its supply was too weak, and broke down (possible)",
        ),
        (
            of(End::MainsCut, Likely, ran(Some(false))),
            "the boot before ended without warning: its power was cut (likely)",
        ),
        (
            of(
                End::CutOrHang,
                Possible,
                Some(left(Intent::Leave, Some(false))),
            ),
            "the boot before ended without warning: its power was cut, or it hung (possible)",
        ),
        (
            of(
                End::Withheld { thread },
                Likely,
                Some(left(Intent::Withhold { thread }, Some(true))),
            ),
            "the boot before was reset by the watchdog, because our watchdog thread was stuck \
             (likely)",
        ),
        (
            of(End::Hang, Likely, ran(Some(true))),
            "the boot before was reset without warning: it hung, or the daemon did (likely)",
        ),
        (
            of(End::Panic, Likely, ran(None)),
            "the boot before ended with a panic of its kernel (likely)",
        ),
        (
            of(End::Unknown, Possible, None),
            "the boot before ended in a way that nothing tells of (possible)",
        ),
    ]
}

use super::*;
use crate::core::fact::Asker;
use crate::core::intent::LetGo;
use crate::core::traces::Sample;
use crate::units::Mono;

const GAPS: [Option<Duration>; 3] = [None, Some(Duration::from_secs(60)), Some(NO_POWER)];
const MAYBE: [Option<bool>; 3] = [None, Some(true), Some(false)];

fn halt(kind: HaltKind, phase: HaltPhase) -> Intent {
    let cause = HaltCause::LowBattery;
    Intent::Halt { kind, cause, phase }
}

/// What a boot has left that was to go on, or not.
fn left(intent: Intent) -> FoundMarker {
    let mut left = FoundMarker {
        lasts: true,
        ..FoundMarker::default()
    };
    left.marker.intent = intent;
    left
}

type Change<'a> = &'a dyn Fn(&mut FoundMarker);

fn verdict(left: &FoundMarker, guarded: bool) -> String {
    let LastBoot { end, confidence } = judge(&Ok(*left), guarded).unwrap();
    let end = format!("{end:?}");
    let word = end.split([' ', '{']).next().unwrap_or_default();
    format!("{word} {confidence:?}")
}

/// Every intent with everything that a driver can say, where nothing else tells.
#[test]
fn every_trace() {
    use HaltKind::PowerOff;
    use HaltPhase::{Begun, Committed};
    let thread = Thread::Watchdog;
    for (intent, silent, denies, admits) in [
        (
            Intent::Run,
            "CutOrHang Possible",
            "MainsCut Likely",
            "Hang Likely",
        ),
        (
            Intent::Leave,
            "CutOrHang Possible",
            "MainsCut Likely",
            "Hang Likely",
        ),
        (
            Intent::Exit,
            "AskedToEnd Likely",
            "AskedToEnd Likely",
            "AskedToEnd Possible",
        ),
        (
            Intent::Withhold { thread },
            "Withheld Likely",
            "MainsCut Possible",
            "Withheld Likely",
        ),
        (
            halt(PowerOff, Begun),
            "InHalt Likely",
            "InHalt Likely",
            "InHalt Likely",
        ),
        (
            halt(PowerOff, Committed),
            "Halted Likely",
            "Halted Likely",
            "InHalt Likely",
        ),
    ] {
        for (reset, wanted) in [(None, silent), (Some(false), denies), (Some(true), admits)] {
            let found = FoundMarker {
                reset,
                ..left(intent)
            };
            assert_eq!(verdict(&found, true), wanted, "{found:?}");
        }
    }
}

/// What tells one sudden end from another.
#[test]
fn what_tells_sudden_ends_apart() {
    let of = |change: &dyn Fn(&mut FoundMarker)| {
        let mut found = left(Intent::Run);
        change(&mut found);
        verdict(&found, true)
    };
    let firmware = |said| move |found: &mut FoundMarker| found.traces.firmware = Some(said);
    let battery = |level, low| {
        move |found: &mut FoundMarker| {
            found.marker.mains = Some(false);
            found.marker.sample = Sample {
                level,
                low,
                ..Sample::default()
            };
        }
    };
    let weak = |said: Option<Firmware>| {
        move |found: &mut FoundMarker| {
            found.marker.sample.weak = Some(true);
            found.traces.firmware = said;
        }
    };
    let gap = |gap| move |found: &mut FoundMarker| found.traces.gap = Some(gap);
    let panic = |said: Option<Firmware>| {
        move |found: &mut FoundMarker| {
            found.traces.panic = true;
            found.traces.firmware = said;
        }
    };
    let cases: [(Change, &str); 15] = [
        (&firmware(Firmware::PowerOn), "MainsCut Likely"),
        (&firmware(Firmware::Reset), "Hang Likely"),
        (&firmware(Firmware::Weak), "BrownOut Possible"),
        (&weak(None), "BrownOut Possible"),
        (&weak(Some(Firmware::PowerOn)), "BrownOut Likely"),
        (&weak(Some(Firmware::Weak)), "BrownOut Likely"),
        (&weak(Some(Firmware::Reset)), "Hang Likely"),
        (&battery(None, false), "CutOnBattery Likely"),
        (&battery(Some(Permille(201)), false), "CutOnBattery Likely"),
        (&battery(Some(NEARLY_EMPTY), false), "BatteryEmpty Likely"),
        (&battery(None, true), "BatteryEmpty Likely"),
        (&gap(NO_POWER), "MainsCut Likely"),
        (
            &gap(NO_POWER - Duration::from_secs(1)),
            "CutOrHang Possible",
        ),
        (&panic(None), "Panic Likely"),
        (&panic(Some(Firmware::PowerOn)), "Panic Possible"),
    ];
    for (number, (change, wanted)) in cases.into_iter().enumerate() {
        assert_eq!(of(change), wanted, "case {number}");
    }
    // Without a guard, a machine that hung waits for somebody.
    let mut unguarded = left(Intent::Run);
    unguarded.traces.gap = Some(NO_POWER);
    assert_eq!(verdict(&unguarded, false), "CutOrHang Possible");
}

/// A board that was told to cut the power does so; a restart that lost its power is an odd one; and
/// one that was asked for keeps who did.
#[test]
fn halts_of_ours() {
    let mut cut = left(halt(HaltKind::PowerOff, HaltPhase::Committed));
    cut.marker.cut = CutTold::Maybe;
    assert_eq!(verdict(&cut, true), "PlannedCut Likely");
    let by = Asker::User(1000);
    let asked = Intent::Halt {
        kind: HaltKind::Reboot,
        cause: HaltCause::Asked { by },
        phase: HaltPhase::Committed,
    };
    let mut restart = left(asked);
    let end = judge(&Ok(restart), true).map(|verdict| verdict.end);
    let (kind, cause) = (HaltKind::Reboot, HaltCause::Asked { by });
    assert_eq!(end, Some(End::Halted { kind, cause }));
    restart.traces.firmware = Some(Firmware::PowerOn);
    assert_eq!(verdict(&restart, true), "Halted Possible");
}

/// A drill that bit: certain only if the driver says so and no other boot fits in between; and none at
/// all if something else ended it, or it never came to letting go.
#[test]
fn drills() {
    let by = Asker::User(0);
    let timeout = Duration::from_secs(15);
    let mut found = left(Intent::Halt {
        kind: HaltKind::Reboot,
        cause: HaltCause::Drill { by },
        phase: HaltPhase::Committed,
    });
    assert_eq!(verdict(&found, true), "InHalt Likely");
    let since = Mono(100_000);
    found.marker.let_go = Some(LetGo { since, timeout });
    found.traces.alive = Some(Mono(114_200));
    for (reset, gap, firmware, wanted) in [
        (None, None, None, "Drill Likely"),
        (Some(true), None, None, "Drill Likely"),
        (Some(true), Some(AT_ONCE), None, "Drill Certain"),
        (Some(true), Some(AT_ONCE * 2), None, "Drill Likely"),
        (None, Some(AT_ONCE), Some(Firmware::Reset), "Drill Likely"),
        (Some(false), Some(AT_ONCE), None, "InHalt Likely"),
        (None, None, Some(Firmware::PowerOn), "InHalt Likely"),
    ] {
        (found.reset, found.traces.gap, found.traces.firmware) = (reset, gap, firmware);
        assert_eq!(verdict(&found, true), wanted, "{found:?}");
    }
    (found.reset, found.traces.firmware) = (None, None);
    let end = judge(&Ok(found), true).map(|verdict| verdict.end);
    let took = Duration::from_millis(14_200);
    assert_eq!(end, Some(End::Drill { by, took, timeout }));
    found.marker.intent = halt(HaltKind::Reboot, HaltPhase::Committed);
    assert_eq!(verdict(&found, true), "Halted Likely");
}

/// Without a marker of the boot before nothing is known; in the same boot, nothing is judged.
#[test]
fn what_was_not_found() {
    let judged = |why| judge(&Err(why), true).map(|v| (v.end, v.confidence));
    let first = (End::FirstBoot, Confidence::Likely);
    assert_eq!(judged(Fault::Absent), Some(first));
    let unknown = (End::Unknown, Confidence::Possible);
    assert_eq!(judged(Fault::Implausible), Some(unknown));
    let stale = FoundMarker {
        lasts: false,
        reset: Some(true),
        ..left(Intent::Run)
    };
    assert_eq!(verdict(&stale, true), "Unknown Possible");
    let same = FoundMarker {
        same_boot: true,
        ..left(Intent::Run)
    };
    assert_eq!(judge(&Ok(same), true), None);
}

/// Everything that can be found, in every combination.
fn everything() -> Vec<(FoundMarker, bool)> {
    let thread = Thread::Children;
    let mut intents = vec![
        Intent::Run,
        Intent::Exit,
        Intent::Leave,
        Intent::Withhold { thread },
    ];
    for kind in [HaltKind::PowerOff, HaltKind::Reboot] {
        intents.extend([
            halt(kind, HaltPhase::Begun),
            halt(kind, HaltPhase::Committed),
        ]);
    }
    let firmwares = [
        None,
        Some(Firmware::PowerOn),
        Some(Firmware::Reset),
        Some(Firmware::Weak),
    ];
    let levels = [None, Some(Permille(100)), Some(Permille(900))];
    let mut all = vec![];
    for intent in intents {
        for (mains, reset) in MAYBE.iter().flat_map(|m| MAYBE.map(|r| (*m, r))) {
            for (firmware, gap) in firmwares.iter().flat_map(|f| GAPS.map(|g| (*f, g))) {
                for (weak, level) in MAYBE.iter().flat_map(|w| levels.map(|l| (*w, l))) {
                    for bits in 0..8u8 {
                        let mut found = left(intent);
                        found.reset = reset;
                        found.marker.mains = mains;
                        found.marker.sample.weak = weak;
                        found.marker.sample.level = level;
                        (found.traces.firmware, found.traces.gap) = (firmware, gap);
                        found.traces.panic = bits & 1 != 0;
                        found.marker.cut = match bits & 2 {
                            0 => CutTold::No,
                            _ => CutTold::Maybe,
                        };
                        all.push((found, bits & 4 != 0));
                    }
                }
            }
        }
    }
    all
}

/// No verdict says what something denies, and none is called certain: whatever is left, another end
/// could have left as well.
#[test]
fn no_verdict_against_the_evidence() {
    let all = everything();
    assert!(all.len() > 50_000, "{}", all.len());
    for (found, guarded) in all {
        let LastBoot { end, confidence } = judge(&Ok(found), guarded).unwrap();
        let traces = &found.traces;
        let bit = found.reset == Some(true);
        let denied = found.reset == Some(false);
        let says = |said| traces.firmware == Some(said);
        let no_power = says(Firmware::PowerOn) || says(Firmware::Weak);
        let likely = confidence >= Confidence::Likely;
        let sudden = matches!(found.marker.intent, Intent::Run | Intent::Leave);
        let fits = match end {
            End::CutOnBattery | End::BatteryEmpty => {
                found.marker.mains == Some(false) && !bit && !says(Firmware::Reset)
            }
            End::MainsCut | End::BrownOut | End::CutOrHang => {
                !bit && !says(Firmware::Reset) && !traces.panic
            }
            End::Withheld { .. } => {
                !denied && !no_power && matches!(found.marker.intent, Intent::Withhold { .. })
            }
            End::Hang => (bit || says(Firmware::Reset)) && !(likely && (denied || no_power)),
            End::Panic => traces.panic && !(likely && no_power && !bit),
            End::Halted { .. } | End::PlannedCut { .. } | End::InHalt { .. } => {
                matches!(found.marker.intent, Intent::Halt { .. })
            }
            End::AskedToEnd => found.marker.intent == Intent::Exit,
            End::FirstBoot | End::Drill { .. } | End::Unknown => false,
        };
        assert!(fits, "{end:?} {confidence:?}: {found:?}");
        assert!(confidence < Confidence::Certain, "{end:?}: {found:?}");
        assert!(!sudden || end != End::AskedToEnd, "{found:?}");
        assert!(guarded || end != End::MainsCut || no_power, "{found:?}");
    }
}

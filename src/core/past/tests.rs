use super::*;
use crate::core::fact::Asker;
use crate::core::intent::LetGo;
use crate::units::Mono;

const GAPS: [Option<Duration>; 3] = [None, Some(Duration::from_secs(60)), Some(NO_POWER)];
/// Too short a gap to tell of anything.
const ALMOST: Duration = Duration::from_secs(20 * 60 - 1);
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
            "MainsCut Possible",
            "Hang Likely",
        ),
        (
            Intent::Leave,
            "CutOrHang Possible",
            "MainsCut Possible",
            "Hang Possible",
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
    let weak = |said: Option<Firmware>| {
        move |found: &mut FoundMarker| {
            found.marker.sample.weak = Some(true);
            found.traces.firmware = said;
        }
    };
    let gap = |gap| move |found: &mut FoundMarker| found.traces.gap = Some(gap);
    let panic = |said: Option<Firmware>| {
        move |found: &mut FoundMarker| {
            found.marker.dated = true;
            found.traces.panic = true;
            found.traces.firmware = said;
        }
    };
    let cases: [(Change, &str); 13] = [
        (&firmware(Firmware::PowerOn), "MainsCut Likely"),
        (&firmware(Firmware::Reset), "Hang Possible"),
        (&firmware(Firmware::Weak), "BrownOut Possible"),
        (&weak(None), "BrownOut Possible"),
        (&weak(Some(Firmware::PowerOn)), "BrownOut Likely"),
        (&weak(Some(Firmware::Weak)), "BrownOut Likely"),
        (&weak(Some(Firmware::Reset)), "Hang Possible"),
        (&gap(NO_POWER), "MainsCut Possible"),
        (&gap(ALMOST), "CutOrHang Possible"),
        (&panic(None), "Panic Likely"),
        (&panic(Some(Firmware::PowerOn)), "Panic Possible"),
        (
            &|found| {
                panic(None)(found);
                found.marker.dated = false;
            },
            "Panic Possible",
        ),
        (
            &|found| {
                gap(NO_POWER)(found);
                found.reset = Some(false);
            },
            "MainsCut Likely",
        ),
    ];
    for (number, (change, wanted)) in cases.into_iter().enumerate() {
        assert_eq!(of(change), wanted, "case {number}");
    }
    // Without a guard, a machine that hung waits for somebody.
    let mut unguarded = left(Intent::Run);
    unguarded.traces.gap = Some(NO_POWER);
    assert_eq!(verdict(&unguarded, false), "CutOrHang Possible");
}

/// On battery a bite, a hang and a reset button leave the same as a battery that gave out, unless
/// something tells that there was no power; and one that ran empty is not back at once.
#[test]
fn what_tells_that_a_battery_gave_out() {
    let power_on = Some(Firmware::PowerOn);
    let (short, long) = (Some(ALMOST), Some(NO_POWER));
    for (level, low, firmware, gap, reset, wanted) in [
        (None, false, None, None, None, "CutOnBattery Possible"),
        (
            None,
            false,
            None,
            None,
            Some(false),
            "CutOnBattery Possible",
        ),
        (None, false, power_on, None, None, "CutOnBattery Likely"),
        (
            None,
            false,
            Some(Firmware::Weak),
            None,
            None,
            "CutOnBattery Likely",
        ),
        (Some(201), false, None, long, None, "CutOnBattery Likely"),
        (Some(200), false, None, None, None, "BatteryEmpty Possible"),
        (Some(200), false, None, long, None, "BatteryEmpty Likely"),
        (
            Some(200),
            false,
            power_on,
            None,
            None,
            "BatteryEmpty Likely",
        ),
        (
            Some(200),
            false,
            power_on,
            short,
            None,
            "CutOnBattery Likely",
        ),
        (None, true, power_on, None, None, "BatteryEmpty Likely"),
        (None, true, None, short, None, "CutOnBattery Possible"),
        (
            None,
            true,
            Some(Firmware::Reset),
            None,
            None,
            "Hang Possible",
        ),
    ] {
        let mut found = left(Intent::Run);
        found.marker.mains = Some(false);
        (found.marker.sample.level, found.marker.sample.low) = (level.map(Permille), low);
        (found.traces.firmware, found.traces.gap, found.reset) = (firmware, gap, reset);
        assert_eq!(verdict(&found, true), wanted, "{found:?}");
    }
}

/// A daemon that left the services to another one wrote nothing from then on: nothing is likely, and
/// the time since says nothing.
#[test]
fn who_left_tells_little() {
    for (firmware, gap, panic, wanted) in [
        (None, Some(NO_POWER), false, "CutOrHang Possible"),
        (Some(Firmware::PowerOn), None, false, "MainsCut Possible"),
        (None, None, true, "Panic Possible"),
    ] {
        let mut found = left(Intent::Leave);
        found.marker.dated = true;
        (found.traces.firmware, found.traces.gap) = (firmware, gap);
        found.traces.panic = panic;
        assert_eq!(verdict(&found, true), wanted, "{found:?}");
    }
}

/// A board that was told to cut the power does so; a restart that lost its power is an odd one; and
/// one that was asked for keeps who did.
#[test]
fn halts_of_ours() {
    let taken = CutTold::Taken { since: Mono(1) };
    let (on, reset) = (Some(Firmware::PowerOn), Some(Firmware::Reset));
    for (cut, firmware, wanted) in [
        (taken, None, "PlannedCut Likely"),
        (taken, on, "PlannedCut Likely"),
        (taken, reset, "InHalt Possible"),
        (CutTold::Maybe, None, "PlannedCut Likely"),
        (CutTold::Maybe, on, "PlannedCut Likely"),
        (CutTold::Maybe, reset, "InHalt Possible"),
        (CutTold::No, on, "Halted Likely"),
        (CutTold::No, reset, "InHalt Possible"),
    ] {
        let mut found = left(halt(HaltKind::PowerOff, HaltPhase::Committed));
        (found.marker.cut, found.traces.firmware) = (cut, firmware);
        assert_eq!(verdict(&found, true), wanted, "{found:?}");
    }
    // A panic counts as far as its date does.
    let mut panicked = left(halt(HaltKind::PowerOff, HaltPhase::Committed));
    panicked.traces.panic = true;
    assert_eq!(verdict(&panicked, true), "InHalt Possible");
    panicked.marker.dated = true;
    assert_eq!(verdict(&panicked, true), "InHalt Likely");
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

/// Shows everything that can be found, in every combination.
fn everything(see: &mut dyn FnMut(&FoundMarker, bool)) {
    let thread = Thread::Children;
    let mut intents = vec![
        Intent::Run,
        Intent::Exit,
        Intent::Leave,
        Intent::Withhold { thread },
        Intent::Halt {
            kind: HaltKind::Reboot,
            cause: HaltCause::Drill { by: Asker::User(0) },
            phase: HaltPhase::Committed,
        },
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
    let timeout = Duration::from_secs(15);
    let since = Mono(1_000);
    for intent in intents {
        let mut found = left(intent);
        let drill = matches!(
            intent,
            Intent::Halt {
                cause: HaltCause::Drill { .. },
                ..
            }
        );
        found.marker.let_go = drill.then_some(LetGo { since, timeout });
        for (mains, reset) in MAYBE.iter().flat_map(|m| MAYBE.map(|r| (*m, r))) {
            (found.marker.mains, found.reset) = (mains, reset);
            for (firmware, gap) in firmwares.iter().flat_map(|f| GAPS.map(|g| (*f, g))) {
                (found.traces.firmware, found.traces.gap) = (firmware, gap);
                for (weak, level) in MAYBE.iter().flat_map(|w| levels.map(|l| (*w, l))) {
                    (found.marker.sample.weak, found.marker.sample.level) = (weak, level);
                    for bits in 0..48u8 {
                        found.traces.panic = bits & 1 != 0;
                        found.marker.sample.low = bits & 2 != 0;
                        found.marker.dated = bits & 4 != 0;
                        found.marker.cut = match bits / 16 {
                            0 => CutTold::No,
                            1 => CutTold::Maybe,
                            _ => CutTold::Taken { since },
                        };
                        see(&found, bits & 8 != 0);
                    }
                }
            }
        }
    }
}

/// What contradicts a verdict, in what was found.
fn contradiction(found: &FoundMarker, guarded: bool, last: LastBoot) -> Option<&'static str> {
    let LastBoot { end, confidence } = last;
    let (marker, traces) = (&found.marker, &found.traces);
    let bit = found.reset == Some(true);
    let denied = found.reset == Some(false);
    let was_reset = traces.firmware == Some(Firmware::Reset);
    let power_on = traces.firmware == Some(Firmware::PowerOn);
    let no_power = power_on || traces.firmware == Some(Firmware::Weak);
    let long = guarded && traces.gap == Some(NO_POWER);
    let on_battery = marker.mains == Some(false) && marker.intent == Intent::Run;
    let likely = confidence >= Confidence::Likely;
    let lost = !bit && !was_reset && !traces.panic;
    let committed = matches!(
        marker.intent,
        Intent::Halt {
            phase: HaltPhase::Committed,
            ..
        }
    );
    let drill = matches!(
        marker.intent,
        Intent::Halt {
            cause: HaltCause::Drill { .. },
            ..
        }
    );
    let off = matches!(
        marker.intent,
        Intent::Halt {
            kind: HaltKind::PowerOff,
            ..
        }
    );
    let halting = matches!(marker.intent, Intent::Halt { .. });
    let (fits, sure) = match end {
        End::CutOnBattery => (lost && on_battery, no_power || long),
        End::BatteryEmpty => {
            let low = marker.sample.low || marker.sample.level == Some(Permille(100));
            let short = traces.gap.is_some_and(|gap| gap < NO_POWER);
            (lost && on_battery && low && !short, no_power || long)
        }
        End::MainsCut => (lost && (guarded || power_on), power_on || long && denied),
        End::BrownOut => (lost, no_power && marker.sample.weak == Some(true)),
        End::CutOrHang => (lost && !no_power, false),
        End::Withheld { .. } => {
            let withheld = matches!(marker.intent, Intent::Withhold { .. });
            (withheld && !denied && !no_power && !traces.panic, true)
        }
        End::Hang => (bit || was_reset, bit && !no_power),
        End::Panic => (traces.panic, marker.dated && (!no_power || bit)),
        End::Halted { kind, .. } => {
            let kept = !(bit || traces.panic || off && was_reset);
            (committed && kept, kind == HaltKind::PowerOff || !no_power)
        }
        End::PlannedCut { .. } => {
            let told = marker.cut != CutTold::No;
            (committed && off && told && lost, true)
        }
        End::InHalt { .. } => {
            let told = bit || traces.panic && marker.dated;
            let why = bit || traces.panic || off && was_reset;
            let fits = halting && (!committed || drill || why);
            (fits, !committed || drill || told && !no_power)
        }
        End::Drill { .. } => (drill && !denied && !no_power && !traces.panic, true),
        End::AskedToEnd => (marker.intent == Intent::Exit, !bit && !traces.panic),
        End::FirstBoot | End::Unknown => (false, false),
    };
    let certain = matches!(end, End::Drill { .. }) && bit && traces.gap == GAPS[1];
    match () {
        () if !fits => Some("something denies it"),
        () if likely && !sure => Some("others would have left the same"),
        () if likely && marker.intent == Intent::Leave => Some("nobody wrote signs of life"),
        () if confidence == Confidence::Certain && !certain => Some("nothing proves it"),
        () => None,
    }
}

/// No verdict says what something denies, and none is surer than what it rests on.
#[test]
fn no_verdict_against_the_evidence() {
    let mut seen = 0;
    everything(&mut |found, guarded| {
        let last = judge(&Ok(*found), guarded).unwrap();
        let wrong = contradiction(found, guarded, last);
        assert_eq!(wrong, None, "{last:?}, guarded {guarded}: {found:?}");
        seen += 1;
    });
    assert!(seen > 400_000, "{seen}");
}

//! Every state of the guard against everything that can happen, and against nothing ever happening.

use super::{Guard, Parting, Watchdog};
use crate::core::action::{Action, Actions};
use crate::core::fact::{
    Errno, Fact, Fault, HaltKind, OrderId, Reading, Source, Thread, WatchdogSeen,
};
use crate::core::intent::CutTold;
use crate::core::picture::{Ending, HaltCause, Halting, Picture, Rung};
use crate::core::settings::{Settings, WatchdogOwner};
use crate::core::{BootFacts, Pass, Policy};
use crate::units::Mono;
use std::time::Duration;

const NOW: Mono = Mono(1_000_000);
const ARM: OrderId = OrderId(900);
const PET: OrderId = OrderId(901);
const LAST: OrderId = OrderId(902);

const STATES: [&str; 11] = [
    "idle",
    "systemd",
    "arming",
    "armed",
    "petting",
    "failed",
    "retrying",
    "withheld",
    "opening",
    "parting",
    "disarming",
];

const INPUTS: [&str; 13] = [
    "tick", "seen", "lost", "arm-ok", "arm-err", "pet-ok", "pet-busy", "pet-err", "last-ok",
    "last-err", "stuck", "exit", "leave",
];

fn settings(state: &str) -> Settings {
    let mut settings = Settings::nothing();
    settings.watchdog.owner = match state {
        "systemd" => WatchdogOwner::Systemd,
        _ => WatchdogOwner::Fieldwarden,
    };
    settings.watchdog.timeout = Duration::from_secs(15);
    settings.watchdog.disarm_on_stop = true;
    settings
}

fn seen() -> WatchdogSeen {
    WatchdogSeen {
        identity: "timer".into(),
        timeout: Duration::from_secs(15),
        nowayout: false,
        caused_reset: false,
    }
}

fn in_state(word: &str) -> Watchdog {
    let boot = BootFacts {
        seed: 1,
        init_watchdog: None,
        first: true,
    };
    let mut w = Watchdog::new(&settings(word), boot);
    let failed = |retry| Guard::Failed {
        why: Fault::Absent,
        retry,
    };
    w.next_pet = (word != "idle" && word != "systemd").then_some(Mono(NOW.0 + 2_000));
    match word {
        "idle" | "systemd" => return w,
        "arming" | "opening" => w.guard = Guard::Arming,
        "failed" => w.guard = failed(Mono(NOW.0 + 5_000)),
        "retrying" => w.guard = failed(NOW),
        _ => w.guard = Guard::Armed(seen()),
    }
    match word {
        "arming" | "opening" => w.arming = Some(ARM),
        "petting" => w.petting = Some(PET),
        "withheld" => w.withheld = true,
        _ => {}
    }
    w.parting = match word {
        "opening" => Parting::Opening,
        "parting" => Parting::Petting(LAST),
        "disarming" => Parting::Disarming(LAST),
        _ => Parting::No,
    };
    w
}

fn word(w: &Watchdog) -> &'static str {
    match (w.parting, &w.guard) {
        (Parting::Settled { .. }, _) => "settled",
        (Parting::Opening, _) => "opening",
        (Parting::Petting(_), _) => "parting",
        (Parting::Disarming(_), _) => "disarming",
        (Parting::No, _) if w.withheld => "withheld",
        (
            Parting::No,
            Guard::Idle {
                owner: WatchdogOwner::Systemd,
            },
        ) => "systemd",
        (Parting::No, Guard::Idle { .. }) => "idle",
        (Parting::No, Guard::Arming) => "arming",
        (Parting::No, Guard::Armed(_)) if w.petting.is_some() => "petting",
        (Parting::No, Guard::Armed(_)) => "armed",
        (Parting::No, Guard::Failed { .. }) => "failed",
    }
}

/// The next state, and the orders that are given.
fn outcome(state: &str, input: &str) -> String {
    let mut w = in_state(state);
    let done = |order, outcome| Fact::Done { order, outcome };
    let errno = Err(Fault::Errno(Errno(5)));
    let fact = match input {
        "seen" => Fact::Seen(Reading::Watchdog(seen())),
        "lost" => Fact::Lost {
            source: Source::Watchdog,
            why: Fault::Absent,
        },
        "arm-ok" => done(ARM, Ok(())),
        "arm-err" => done(ARM, errno),
        "pet-ok" => done(PET, Ok(())),
        "pet-busy" => done(PET, Err(Fault::Busy)),
        "pet-err" => done(PET, errno),
        "last-ok" => done(LAST, Ok(())),
        "last-err" => done(LAST, errno),
        _ => Fact::Tick,
    };
    let parts = matches!(state, "opening" | "parting" | "disarming");
    let stuck = input == "stuck" || state == "withheld" && input != "tick";
    let mut picture = Picture {
        stuck: stuck.then_some(Thread::Children),
        ending: match input {
            "leave" => Ending::Parting {
                services_left: true,
            },
            _ if parts || input == "exit" => Ending::Parting {
                services_left: false,
            },
            _ => Ending::No,
        },
        ..Picture::default()
    };
    let mut out = Actions::default();
    w.step(&mut Pass {
        now: NOW,
        fact: &fact,
        settings: &settings(state),
        picture: &mut picture,
        out: &mut out,
    });
    let mut cell = word(&w).to_owned();
    for order in &out.orders {
        cell += match order.action {
            Action::Arm { .. } => "+arm",
            Action::Pet => "+pet",
            Action::Disarm => "+disarm",
            _ => "+?",
        };
    }
    assert_eq!(
        picture.guard_settled,
        cell.starts_with("settled"),
        "{state}, {input}"
    );
    // A wait that nothing ends would be a daemon that never ends. The first tick comes by itself.
    let fresh = matches!(state, "idle" | "systemd");
    let waits = w.arming.is_some() || w.petting.is_some() || stuck || parts || input == "leave";
    assert!(
        w.deadline().is_some() || waits || fresh || input == "exit",
        "{state}, {input}: waits for ever"
    );
    if cell == state { "-".to_owned() } else { cell }
}

/// `-` is "as before".
const TABLE: &str = "
           tick         seen         lost         arm-ok       arm-err      pet-ok       pet-busy     pet-err      last-ok      last-err     stuck        exit         leave
idle       arming+arm+pet petting+pet  failed       -            -            -            -            -            -            -            withheld+arm settled      settled
systemd    systemd+pet  -            -            -            -            -            -            -            -            -            withheld     settled      settled
arming     -            petting+pet  failed       failed       failed       -            -            -            -            -            withheld     opening      opening
armed      -            petting+pet  failed       -            -            -            -            -            -            -            withheld     disarming+disarm parting+pet
petting    -            -            failed       -            -            armed        armed        failed       -            -            withheld     disarming+disarm parting+pet
failed     -            petting+pet  -            -            -            -            -            -            -            -            withheld     settled      settled
retrying   failed+arm   petting+pet  failed       failed+arm   failed+arm   failed+arm   failed+arm   failed+arm   failed+arm   failed+arm   withheld+arm settled      settled
withheld   armed        -            -            -            -            -            -            -            -            -            -            disarming+disarm settled
opening    -            -            -            settled      settled      -            -            -            -            -            -            -            -
parting    -            -            -            -            -            -            -            -            settled      settled      -            -            -
disarming  -            -            -            -            -            -            -            -            settled      parting+pet  -            -            -
";

#[test]
fn every_state_and_every_input() {
    let mut is = format!("\n{:<10}", "");
    for input in INPUTS {
        is += &format!(" {input:<12}");
    }
    for state in STATES {
        is = format!("{}\n{state:<10}", is.trim_end());
        for input in INPUTS {
            is += &format!(" {:<12}", outcome(state, input));
        }
    }
    let is = is.trim_end().to_owned() + "\n";
    assert!(is == TABLE, "the table is now:\n{is}");
}

/// The shortest timeout of all guards rules, and a driver that says zero does not make us busy.
#[test]
fn period_follows_the_shortest_timeout() {
    let secs = Duration::from_secs;
    let mut w = in_state("armed");
    assert_eq!(w.period(), secs(5));
    w.init = Some(secs(6));
    assert_eq!(w.period(), secs(2));
    w.init = Some(Duration::ZERO);
    assert!(w.period() >= Duration::from_millis(100));
    w.init = None;
    w.guard = Guard::Arming;
    assert_eq!(w.period(), secs(10));
    // One that fails may be open still: what it had is in force, and every pet may be the one it takes.
    w.in_force = Some(secs(15));
    w.guard = Guard::Failed {
        why: Fault::Errno(Errno(5)),
        retry: NOW,
    };
    assert_eq!(w.period(), secs(5));
}

/// An end that becomes a halt: the device is guarded again, whatever its last order was, started again
/// where that may have stopped it, and has another last order when the halt ends.
#[test]
fn an_end_that_becomes_a_halt() {
    for (state, after, armed) in [
        ("opening", "arming", false),
        ("parting", "petting", false),
        ("disarming", "armed", true),
        ("settled", "armed", true),
    ] {
        let mut w = in_state(state);
        if state == "settled" {
            w.parting = Parting::Settled { told: Some(NOW) };
        }
        let mut picture = Picture {
            guard_settled: true,
            ending: Ending::Halting { overran: false },
            halting: Some(Halting {
                kind: HaltKind::PowerOff,
                cause: HaltCause::RideThrough,
                rung: Rung::Stopping,
                can_be_taken_back: true,
                attempts: 0,
                cut: CutTold::No,
                dismissed: true,
            }),
            ..Picture::default()
        };
        let settings = settings(state);
        let step = |w: &mut Watchdog, picture: &mut Picture| {
            let mut out = Actions::default();
            w.step(&mut Pass {
                now: NOW,
                fact: &Fact::Tick,
                settings: &settings,
                picture,
                out: &mut out,
            });
            out.orders
                .iter()
                .map(|o| o.action.clone())
                .collect::<Vec<_>>()
        };
        let timeout = Duration::from_secs(15);
        let wanted = armed.then_some(Action::Arm { timeout });
        let orders = step(&mut w, &mut picture);
        assert_eq!(orders, wanted.into_iter().collect::<Vec<_>>(), "{state}");
        assert_eq!((word(&w), picture.guard_settled), (after, false), "{state}");
        assert_eq!(w.deadline(), w.next_pet, "{state}: nobody pets");
        w.arming = None;
        w.guard = Guard::Armed(seen());
        picture.ending = Ending::Parting {
            services_left: false,
        };
        assert_eq!(step(&mut w, &mut picture), [Action::Pet], "{state}");
        assert_eq!(word(&w), "parting", "{state}");
    }
}

//! Every verdict against the state that it comes to, and the LED against everything it may answer.

use super::state::{self, Start};
use super::{CALM, Led};
use crate::core::action::{Action, Actions};
use crate::core::fact::{Asker, Errno, Fact, Fault, HaltKind, OrderId, Request, Thread, Ticket};
use crate::core::intent::CutTold;
use crate::core::light::{LASTS, LedState, Light};
use crate::core::note::Note;
use crate::core::picture::{Ending, HaltCause, Halting, Picture, Rung, Strain, Verdict};
use crate::core::settings::Settings;
use crate::core::{Pass, Policy};
use crate::units::Mono;
use std::time::Duration;

/// A picture in which everything is well.
fn well() -> Picture {
    Picture {
        clock: Verdict::Ok,
        power: Some(Verdict::Ok),
        mains: Some(true),
        thermal: Verdict::Ok,
        throttle: Some(Verdict::Ok),
        memory: Verdict::Ok,
        storage: Verdict::Ok,
        daemon: Verdict::Ok,
        services: Verdict::Ok,
        threads: Verdict::Ok,
        watchdog: Verdict::Ok,
        ..Picture::default()
    }
}

fn halting(rung: Rung) -> Option<Halting> {
    Some(Halting {
        kind: HaltKind::PowerOff,
        cause: HaltCause::LowBattery,
        rung,
        can_be_taken_back: rung < Rung::Asked,
        attempts: 0,
        cut: CutTold::No,
        dismissed: false,
    })
}

fn comes_to(change: impl FnOnce(&mut Picture)) -> LedState {
    let mut picture = well();
    change(&mut picture);
    state::of(&picture, &mut Start::Over, Mono(0))
}

/// Each subject at each verdict, alone and with everything else at its worst.
#[test]
fn the_worst_wins() {
    use Verdict::{Critical, Ok, Unknown, Warn};
    type Put = fn(&mut Picture, Verdict);
    let plain: [Put; 8] = [
        |p, v| p.clock = v,
        |p, v| p.thermal = v,
        |p, v| p.memory = v,
        |p, v| p.storage = v,
        |p, v| p.daemon = v,
        |p, v| p.services = v,
        |p, v| p.threads = v,
        |p, v| p.throttle = Some(v),
    ];
    for put in plain {
        for (verdict, state) in [
            (Ok, LedState::Well),
            (Unknown, LedState::Unknown),
            (Warn, LedState::Degraded),
            (Critical, LedState::Critical),
        ] {
            assert_eq!(comes_to(|p| put(p, verdict)), state);
            // Nobody sees on an LED that the LED is broken.
            assert_eq!(
                comes_to(|p| {
                    put(p, verdict);
                    p.led = Some(Critical);
                }),
                state
            );
        }
    }
    for (verdict, mains, state) in [
        (Some(Ok), Some(true), LedState::Well),
        (Some(Unknown), None, LedState::Unknown),
        (Some(Warn), Some(true), LedState::Degraded),
        (Some(Warn), Some(false), LedState::OnBattery),
        (Some(Unknown), Some(false), LedState::OnBattery),
        (Some(Critical), Some(false), LedState::Critical),
        (None, None, LedState::Well),
    ] {
        assert_eq!(
            comes_to(|p| (p.power, p.mains) = (verdict, mains)),
            state,
            "{verdict:?} {mains:?}"
        );
    }
    let low = |p: &mut Picture| {
        (p.power, p.mains) = (Some(Critical), Some(false));
        p.strain_of_power = Some(Strain::LowBattery);
    };
    assert_eq!(comes_to(low), LedState::LowBattery);
    assert_eq!(comes_to(|p| p.watchdog = Warn), LedState::Degraded);
    assert_eq!(comes_to(|p| p.watchdog = Critical), LedState::Unguarded);
    for (rung, state) in [
        (Rung::Looking, LedState::Stopping),
        (Rung::Stopping, LedState::Stopping),
        (Rung::Killing, LedState::Stopping),
        (Rung::Recording, LedState::Stopping),
        (Rung::Syncing, LedState::Stopping),
        (Rung::Cutting, LedState::Stopping),
        (Rung::Asked, LedState::Halting),
        (Rung::Rescuing, LedState::Halting),
        (Rung::Forced, LedState::Halting),
        (Rung::WatchdogReset, LedState::Halting),
    ] {
        let all = |p: &mut Picture| {
            (p.power, p.mains, p.watchdog, p.services) =
                (Some(Critical), Some(false), Critical, Critical);
            p.halting = halting(rung);
        };
        assert_eq!(comes_to(all), state, "{rung:?}");
    }
    // A board that was told to cut the power, and cannot be told otherwise.
    let cut = |p: &mut Picture| {
        p.halting = halting(Rung::Cutting).map(|halting| Halting {
            can_be_taken_back: false,
            ..halting
        });
    };
    assert_eq!(comes_to(cut), LedState::Halting);
}

/// A service that is not up is being started, for two minutes at most and only until all were up once.
#[test]
fn starting_excuses_services_for_a_while() {
    let mut picture = well();
    picture.services = Verdict::Warn;
    let mut start = Start::Ahead;
    assert!(!start.begin(&Fact::Seen(crate::core::fact::Reading::Journal), Mono(0)));
    assert!(start.begin(&Fact::Tick, Mono(0)));
    let mut at =
        |picture: &Picture, second: u64| state::of(picture, &mut start, Mono(second * 1000));
    assert_eq!(at(&picture, 1), LedState::Starting);
    // What is worse than a start is told.
    picture.storage = Verdict::Critical;
    assert_eq!(at(&picture, 2), LedState::Critical);
    picture.storage = Verdict::Ok;
    assert_eq!(at(&picture, 119), LedState::Starting);
    assert_eq!(at(&picture, 120), LedState::Degraded);
    let mut start = Start::Ahead;
    start.begin(&Fact::Tick, Mono(0));
    assert_eq!(
        state::of(&well(), &mut start, Mono(1)),
        LedState::Well,
        "all are up"
    );
    assert_eq!(
        state::of(&picture, &mut start, Mono(2)),
        LedState::Degraded,
        "and one is missing"
    );
}

/// A policy, its picture and its time.
struct Rig {
    led: Led,
    picture: Picture,
    settings: Settings,
    now: Mono,
    out: Actions,
    last: Option<OrderId>,
}

impl Rig {
    fn new() -> Rig {
        let settings = Settings {
            led: Some("ACT".into()),
            ..Settings::nothing()
        };
        let mut rig = Rig {
            led: Led::default(),
            picture: well(),
            settings,
            now: Mono(1_000_000),
            out: Actions::default(),
            last: None,
        };
        assert_eq!(rig.tell(0, &Fact::Tick).0, [Light::Show(LedState::Well)]);
        rig.answer(0, Ok(()));
        rig
    }

    /// What was ordered and said.
    fn tell(&mut self, after: u64, fact: &Fact) -> (Vec<Light>, Vec<Note>) {
        self.now = Mono(self.now.0 + after);
        self.led.step(&mut Pass {
            now: self.now,
            fact,
            settings: &self.settings,
            picture: &mut self.picture,
            out: &mut self.out,
        });
        let out = self.out.take();
        let lights = out.orders.iter().map(|order| match order.action {
            Action::Light(light) => light,
            ref other => panic!("{other:?}"),
        });
        self.last = out.orders.last().map_or(self.last, |order| Some(order.id));
        (lights.collect(), out.notes)
    }

    fn answer(&mut self, after: u64, outcome: Result<(), Fault>) -> (Vec<Light>, Vec<Note>) {
        let order = self.last.expect("an order");
        self.tell(after, &Fact::Done { order, outcome })
    }

    /// Ticks at the deadlines until this time has passed; what was ordered.
    fn wait(&mut self, time: Duration) -> Vec<Light> {
        let end = self.now.after(time);
        let mut lights = Vec::new();
        while let Some(due) = self.led.deadline().filter(|due| *due <= end) {
            let after = due.0.saturating_sub(self.now.0);
            let given = self.tell(after, &Fact::Tick).0;
            if !given.is_empty() {
                self.answer(5, Ok(()));
            }
            lights.extend(given);
        }
        self.now = end;
        lights
    }
}

/// What is worse is shown at once, what is better after ten seconds of it, as the worst of them.
#[test]
fn worse_at_once_and_better_when_it_lasts() {
    let mut rig = Rig::new();
    rig.picture.services = Verdict::Critical;
    let critical = Light::Show(LedState::Critical);
    assert_eq!(rig.tell(1, &Fact::Tick).0, [critical]);
    rig.answer(5, Ok(()));
    rig.picture.services = Verdict::Ok;
    assert_eq!(rig.tell(1, &Fact::Tick).0, []);
    rig.picture.services = Verdict::Warn;
    assert_eq!(rig.tell(4_000, &Fact::Tick).0, []);
    rig.picture.services = Verdict::Ok;
    assert_eq!(rig.tell(1_000, &Fact::Tick).0, []);
    let lights = rig.wait(CALM * 2);
    assert_eq!(
        lights,
        [Light::Show(LedState::Degraded), Light::Show(LedState::Well)]
    );
}

/// What is lit is ordered anew before it ends by itself, and not much more often; a machine that goes
/// down is told once.
#[test]
fn what_lasts_is_renewed_in_time() {
    let mut rig = Rig::new();
    let lights = rig.wait(LASTS * 10);
    let most = u32::try_from(lights.len()).unwrap();
    assert!(lights.iter().all(|l| *l == Light::Show(LedState::Well)));
    // Two in a row may be lost.
    assert!((25..=35).contains(&most), "{most} in {:?}", LASTS * 10);
    rig.picture.halting = halting(Rung::Asked);
    rig.picture.ending = Ending::Halting { overran: true };
    assert_eq!(rig.tell(1, &Fact::Tick).0, [Light::Show(LedState::Halting)]);
    rig.answer(5, Ok(()));
    assert_eq!(rig.wait(LASTS * 10), []);
}

/// A renewal falls into the pause, where nobody sees the rhythm begin anew.
#[test]
fn renewals_fall_into_the_pause() {
    for state in LedState::ALL.into_iter().filter(|s| s.lasts().is_some()) {
        let due = super::renewal(Light::Show(state), Mono(0)).expect("a time");
        let cycle = state.rhythm().cycle();
        let into = Duration::from_millis(due.0 % u64::try_from(cycle.as_millis()).unwrap());
        let pause = state.rhythm().pause();
        assert!(into > cycle.saturating_sub(pause), "{state:?}: {into:?}");
        assert!(due.since(Mono(0)) < LASTS / 2, "{state:?}");
    }
}

/// An LED that refuses is told of once for each reason, tried ever more rarely, and told of again when
/// it is back.
#[test]
fn a_refusal_is_told_once_and_tried_again() {
    let mut rig = Rig::new();
    let errno = Fault::Errno(Errno(5));
    let mut waits = Vec::new();
    let mut notes = Vec::new();
    for _ in 0..9 {
        let due = rig.led.deadline().expect("a deadline");
        let after = due.0 - rig.now.0;
        waits.push(after / 1000);
        assert_eq!(rig.tell(after, &Fact::Tick).0.len(), 1);
        notes.extend(rig.answer(0, Err(errno.clone())).1);
        assert_eq!(rig.picture.led, Some(Verdict::Warn));
        assert_eq!(rig.led.view().unwrap().lit, None);
    }
    assert_eq!(waits[1..], [10, 20, 40, 80, 160, 300, 300, 300]);
    assert_eq!(notes.len(), 1, "{notes:?}");
    let taken = Fault::Taken { by: None };
    let after = rig.led.deadline().unwrap().0 - rig.now.0;
    rig.tell(after, &Fact::Tick);
    assert_eq!(rig.answer(0, Err(taken)).1.len(), 1, "another reason");
    let after = rig.led.deadline().unwrap().0 - rig.now.0;
    rig.tell(after, &Fact::Tick);
    assert_eq!(rig.answer(0, Ok(())).1, [Note::LedBack]);
    assert_eq!(rig.picture.led, Some(Verdict::Ok));
    assert_eq!(rig.led.view().unwrap().lit, Some(LedState::Well));
}

/// A full queue is no broken LED: it is tried again soon and not told of.
#[test]
fn a_full_queue_is_tried_again_soon() {
    let mut rig = Rig::new();
    rig.picture.services = Verdict::Critical;
    rig.tell(1, &Fact::Tick);
    assert_eq!(rig.answer(0, Err(Fault::Busy)).1, []);
    assert_eq!(rig.picture.led, Some(Verdict::Unknown));
    assert_eq!(
        rig.wait(Duration::from_secs(6)),
        [Light::Show(LedState::Critical)]
    );
    assert_eq!(rig.picture.led, Some(Verdict::Ok));
}

/// An outcome of an order that is not the latest says nothing.
#[test]
fn an_old_outcome_says_nothing() {
    let mut rig = Rig::new();
    rig.picture.services = Verdict::Warn;
    rig.tell(1, &Fact::Tick);
    let old = rig.last.unwrap();
    rig.picture.services = Verdict::Critical;
    rig.tell(1, &Fact::Tick);
    let outcome = Err(Fault::Absent);
    let (lights, notes) = rig.tell(
        1,
        &Fact::Done {
            order: old,
            outcome,
        },
    );
    assert_eq!((lights, notes), (vec![], vec![]));
    rig.answer(1, Ok(()));
    assert_eq!(rig.led.view().unwrap().lit, Some(LedState::Critical));
}

fn demand(state: LedState, seconds: u64) -> Fact {
    Fact::Asked {
        ticket: Ticket(1),
        by: Asker::User(0),
        request: Request::ShowLed {
            state,
            time: Duration::from_secs(seconds),
        },
    }
}

/// What an operator wants to see ends by itself, and at once when the truth gets worse.
#[test]
fn a_demand_ends_by_itself_or_by_the_truth() {
    let mut rig = Rig::new();
    let (lights, notes) = rig.tell(1, &demand(LedState::Halting, 5));
    assert_eq!(lights, [Light::Show(LedState::Halting)]);
    assert_eq!(notes.len(), 1);
    rig.answer(5, Ok(()));
    assert_eq!(
        rig.wait(Duration::from_secs(6)),
        [Light::Show(LedState::Well)]
    );
    rig.tell(1, &demand(LedState::Well, 60));
    rig.picture.mains = Some(false);
    assert_eq!(
        rig.tell(1, &Fact::Tick).0,
        [Light::Show(LedState::OnBattery)]
    );
    // Nothing is shown on demand while the daemon or the machine ends.
    rig.picture.ending = Ending::Halting { overran: false };
    rig.picture.halting = halting(Rung::Stopping);
    rig.tell(1, &Fact::Tick);
    assert_eq!(rig.tell(1, &demand(LedState::Well, 60)).0, []);
    assert_eq!(rig.led.view().unwrap().demand, None);
}

/// At the end: given back after a stop, left to a successor otherwise, and left as it is where the
/// machine goes down. Nothing is tried again then, whatever happens.
#[test]
fn the_end_is_told_once() {
    for (services_left, halts, wanted) in [
        (false, None, vec![Light::Release]),
        (true, None, vec![]),
        (false, halting(Rung::Asked), vec![]),
    ] {
        let mut rig = Rig::new();
        rig.picture.halting = halts;
        if halts.is_some() {
            rig.picture.ending = Ending::Halting { overran: true };
            rig.tell(1, &Fact::Tick);
            rig.answer(1, Ok(()));
        }
        rig.picture.ending = Ending::Parting { services_left };
        assert_eq!(rig.tell(1, &Fact::Tick).0, wanted);
        if !wanted.is_empty() {
            rig.answer(1, Err(Fault::Absent));
        }
        assert_eq!(rig.led.deadline(), None, "{services_left} {halts:?}");
        assert_eq!(rig.tell(900_000, &Fact::Tick).0, []);
    }
}

/// A thread that is stuck makes the machine no worse than degraded, and is no reason to flood it with
/// orders.
#[test]
fn a_stuck_thread_gets_no_flood() {
    let mut rig = Rig::new();
    rig.picture.threads = Verdict::Warn;
    let late = Fact::Thread {
        thread: Thread::Led,
        pulse: crate::core::fact::Pulse::Late { since: rig.now },
    };
    assert_eq!(rig.tell(1, &late).0, [Light::Show(LedState::Degraded)]);
    for _ in 0..100 {
        assert_eq!(rig.tell(60_000, &Fact::Tick).0, []);
    }
}

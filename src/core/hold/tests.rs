//! Holds: how they begin, change and end, and what they must not touch.

use crate::core::action::{Action, Actions, Answer};
use crate::core::fact::{
    Asker, Change, Errno, Exit, Fact, Fault, Hold, OrderId, Pid, Pulse, Reading, Request, RunId,
    ServiceId, Source, Thread, Ticket, WatchdogSeen,
};
use crate::core::note::{HoldNote, Note};
use crate::core::picture::{Ending, HaltCause, Halting, Rung, Verdict};
use crate::core::settings::Settings;
use crate::core::{BootFacts, Core, State};
use crate::units::{MilliCelsius, Mono};
use proptest::prelude::*;
use std::time::Duration;

const BY: Asker = Asker::User(1000);
/// Most of a hold, in these tests.
const MOST: u64 = 600;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A machine with one service that crashes when a test says so.
struct Machine {
    core: Core,
    out: Actions,
    now: Mono,
    run: RunId,
    /// What was ordered for the guard and for the end of the machine, and when.
    guard: Vec<(Mono, Action)>,
    withheld: Vec<(Mono, Note)>,
    notes: Vec<Note>,
    answer: Option<Answer>,
    kept: Option<Option<Hold>>,
}

impl Machine {
    fn of(left: &[Fact]) -> Machine {
        let text =
            "board = \"sim\"\n[hold]\nmost = \"10m\"\n[service.web]\ncommand = [\"/bin/web\"]\n";
        let settings = crate::config::parse("test", text).unwrap().config.settings;
        Machine::with(settings, left)
    }

    fn with(settings: Settings, left: &[Fact]) -> Machine {
        let boot = BootFacts {
            seed: 1,
            init_watchdog: None,
            first: false,
        };
        let mut machine = Machine {
            core: Core::new(settings, boot),
            out: Actions::default(),
            now: Mono(1_000_000),
            run: RunId(0),
            guard: Vec::new(),
            withheld: Vec::new(),
            notes: Vec::new(),
            answer: None,
            kept: None,
        };
        for fact in left {
            machine.step(fact);
        }
        machine.step(&Fact::Tick);
        machine
    }

    /// One fact, and whatever follows from it at once.
    fn step(&mut self, fact: &Fact) {
        let mut facts = vec![fact.clone()];
        while let Some(fact) = facts.pop() {
            self.out.clear();
            self.core.step(self.now, &fact, &mut self.out);
            self.notes.extend(self.out.notes.iter().cloned());
            let withheld =
                |note: &&Note| matches!(note, Note::PetWithheld { .. } | Note::PetResumed);
            let withheld = self.out.notes.iter().filter(withheld).cloned();
            self.withheld.extend(withheld.map(|note| (self.now, note)));
            for order in self.out.take().orders {
                facts.extend(self.carry_out(order.id, order.action));
            }
        }
    }

    fn carry_out(&mut self, order: OrderId, action: Action) -> Vec<Fact> {
        let done = Fact::Done {
            order,
            outcome: Ok(()),
        };
        match action {
            Action::Start { service, run } => {
                self.run = run;
                let pid = Pid::new(1000 + run.0).unwrap();
                let change = Change::Started { pid };
                vec![
                    Fact::Child {
                        service,
                        run,
                        change,
                    },
                    done,
                ]
            }
            Action::Signal { service, run, .. } => {
                let change = Change::Exited(Exit::Signal(15));
                vec![
                    Fact::Child {
                        service,
                        run,
                        change,
                    },
                    done,
                ]
            }
            Action::Arm { timeout } => {
                self.guard.push((self.now, Action::Arm { timeout }));
                let seen = Reading::Watchdog(WatchdogSeen {
                    identity: "test".into(),
                    timeout,
                    nowayout: false,
                    caused_reset: false,
                });
                vec![done, Fact::Seen(seen)]
            }
            Action::Reply { answer, .. } => {
                self.answer = Some(answer);
                vec![done]
            }
            Action::KeepHold { hold } => {
                self.kept = Some(hold);
                vec![]
            }
            guard @ (Action::Pet
            | Action::Disarm
            | Action::Sync
            | Action::AskInit { .. }
            | Action::ForceHalt { .. }
            | Action::CheckConfig
            | Action::HandOver
            | Action::Exit { .. }) => {
                self.guard.push((self.now, guard));
                vec![done]
            }
            Action::Keep(_) => vec![],
            Action::Probe { .. }
            | Action::WatchGauge { .. }
            | Action::SetRtc
            | Action::Trim { .. }
            | Action::RollCall { .. }
            | Action::Light(_)
            | Action::Announce(_)
            | Action::Record(_)
            | Action::CutPower { .. } => vec![done],
        }
    }

    /// Lets so much time pass.
    fn pass(&mut self, millis: u64) {
        let end = Mono(self.now.0 + millis);
        while let Some(due) = self.core.deadline().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.step(&Fact::Tick);
        }
        self.now = end;
    }

    fn ask(&mut self, request: Request) -> Option<Answer> {
        self.answer = None;
        self.step(&Fact::Asked {
            ticket: Ticket(7),
            by: BY,
            request,
        });
        self.answer.clone()
    }

    fn hold(&mut self, seconds: u64) -> Option<Answer> {
        self.ask(Request::Hold {
            time: s(seconds),
            reason: "wiring".into(),
        })
    }

    fn crash(&mut self) {
        let change = Change::Exited(Exit::Code(1));
        let (service, run) = (ServiceId(0), self.run);
        self.step(&Fact::Child {
            service,
            run,
            change,
        });
    }

    fn state(&self) -> State {
        self.core.services().next().unwrap().state
    }

    fn gave_up(&self) -> bool {
        matches!(self.state(), State::GaveUp { .. })
    }

    /// Crashes until it is given up, at most so many times. Returns how often it did.
    fn crashes(&mut self, most: u32) -> u32 {
        for n in 0..most {
            if self.gave_up() {
                return n;
            }
            self.crash();
            self.wait();
        }
        most
    }

    /// Until it is up again, or given up.
    fn wait(&mut self) {
        while !self.gave_up() && !matches!(self.state(), State::Up { .. }) {
            self.pass(1_000);
        }
    }

    fn told(&mut self) -> Vec<HoldNote> {
        let notes = std::mem::take(&mut self.notes);
        let holds = notes.into_iter().filter_map(|note| match note {
            Note::Hold(note) => Some(note),
            _ => None,
        });
        holds.collect()
    }
}

fn left(since: u64, until: u64) -> Fact {
    Fact::Seen(Reading::Hold(Hold {
        by: BY,
        since: Mono(since),
        until: Mono(until),
        reason: "wiring".into(),
    }))
}

/// It lasts as long as was asked for, can be changed and ended, and each of that is kept for whoever
/// comes next.
#[test]
fn a_hold_begins_changes_and_ends() {
    let mut m = Machine::of(&[]);
    assert_eq!(m.ask(Request::EndHold), Some(Answer::Already));
    assert_eq!((m.kept.take(), m.told()), (None, vec![]));
    assert_eq!(m.hold(60), Some(Answer::Accepted));
    let kept = m.kept.take().unwrap().unwrap();
    assert_eq!(
        (kept.since, kept.until, kept.by),
        (m.now, m.now.after(s(60)), BY)
    );
    m.pass(10_000);
    assert_eq!(m.hold(20), Some(Answer::Accepted));
    let changed = m.kept.take().unwrap().unwrap();
    assert_eq!(
        (changed.since, changed.until),
        (kept.since, m.now.after(s(20)))
    );
    m.pass(19_999);
    assert!(m.core.hold().is_some() && m.core.picture().hold);
    m.pass(1);
    assert!(m.core.hold().is_none() && !m.core.picture().hold);
    assert_eq!(m.kept.take(), Some(None));
    assert_eq!(m.hold(60), Some(Answer::Accepted));
    m.pass(5_000);
    assert_eq!(m.ask(Request::EndHold), Some(Answer::Accepted));
    assert_eq!(m.kept.take(), Some(None));
    let reason: Box<str> = "wiring".into();
    let began = |time| HoldNote::HoldBegan {
        by: BY,
        time: s(time),
        reason: reason.clone(),
    };
    let wanted = [
        began(60),
        HoldNote::HoldChanged {
            by: BY,
            time: s(20),
            reason: reason.clone(),
        },
        HoldNote::HoldOver { lasted: s(30) },
        began(60),
        HoldNote::HoldEnded {
            by: BY,
            lasted: s(5),
        },
    ];
    assert_eq!(m.told(), wanted);
}

/// However often it is changed, it does not last longer than the configuration allows, counted from
/// where it began.
#[test]
fn changes_never_add_up() {
    let mut m = Machine::of(&[]);
    assert_eq!(m.hold(MOST + 1), Some(Answer::TooLong { left: s(MOST) }));
    assert!(m.core.hold().is_none());
    assert_eq!(m.hold(MOST), Some(Answer::Accepted));
    m.pass(100_000);
    let left = s(MOST - 100);
    assert_eq!(m.hold(MOST), Some(Answer::TooLong { left }));
    // The one that is in force stays as it was.
    assert_eq!(m.core.hold().unwrap().until, Mono(1_000_000 + MOST * 1_000));
    assert_eq!(m.hold(MOST - 100), Some(Answer::Accepted));
    m.pass(MOST * 1_000 - 100_001);
    assert!(m.core.hold().is_some());
    m.pass(1);
    assert!(m.core.hold().is_none());
    assert_eq!(m.hold(MOST), Some(Answer::Accepted));
}

/// What a daemon of this boot has left goes on to its end, and no further than this configuration
/// allows; what is over is told as over; what cannot be is none.
#[test]
fn a_successor_goes_on_with_it() {
    // Now is 1000 s.
    let m = Machine::of(&[left(900_000, 1_100_000)]);
    assert_eq!(m.core.hold().unwrap().until, Mono(1_100_000));
    let mut m = Machine::of(&[left(900_000, 9_000_000)]);
    assert_eq!(m.core.hold().unwrap().until, Mono(900_000 + MOST * 1_000));
    let taken_up = HoldNote::HoldTakenUp {
        by: BY,
        time: s(MOST - 100),
        reason: "wiring".into(),
    };
    assert_eq!(m.told(), [taken_up]);
    let mut m = Machine::of(&[left(900_000, 950_000)]);
    assert!(m.core.hold().is_none());
    assert_eq!(m.told(), [HoldNote::HoldOver { lasted: s(50) }]);
    assert_eq!(m.kept, Some(None));
    let lost = Fact::Lost {
        source: Source::Hold,
        why: Fault::Implausible,
    };
    for nonsense in [left(1_000_001, 1_100_000), lost] {
        let mut m = Machine::of(std::slice::from_ref(&nonsense));
        assert!(m.core.hold().is_none());
        let why = Fault::Implausible;
        assert_eq!(m.told(), [HoldNote::HoldLost { why }]);
        // News that come too late are no news.
        m.step(&left(900_000, 1_100_000));
        assert!(m.core.hold().is_none());
    }
}

/// That it could not be kept is told; the hold itself is in force all the same.
#[test]
fn what_cannot_be_kept_is_told() {
    let mut m = Machine::of(&[]);
    m.hold(60);
    let order = OrderId(m.out.push(Action::Sync).0 - 2);
    m.notes.clear();
    for order in (order.0.saturating_sub(3)..order.0 + 3).map(OrderId) {
        m.step(&Fact::Done {
            order,
            outcome: Err(Fault::Errno(Errno(28))),
        });
    }
    let why = Fault::Errno(Errno(28));
    assert_eq!(m.told(), [HoldNote::HoldNotKept { why }]);
    assert!(m.core.hold().is_some());
}

/// Failures in a hold are never a reason to give up, and when it is over it takes as many as ever:
/// neither those before it nor those within it count.
#[test]
fn the_fault_begins_when_the_hold_is_over() {
    let fresh = Machine::of(&[]).crashes(50);
    assert!(fresh < 50, "it is given up some time");
    for ended in [false, true] {
        let mut m = Machine::of(&[]);
        let before = m.crashes(fresh - 1);
        assert_eq!((before, m.gave_up()), (fresh - 1, false));
        m.hold(MOST);
        for _ in 0..40 {
            m.crash();
            assert!(!m.gave_up());
            m.pass(10_000);
        }
        m.wait();
        if ended {
            m.ask(Request::EndHold);
        } else {
            m.pass(MOST * 1_000);
        }
        assert!(m.core.hold().is_none());
        assert_eq!(m.crashes(50), fresh);
    }
}

/// In a halt that can still be taken back for a hold there may be one; else it comes too late.
#[test]
fn too_late_for_a_hold() {
    let halting = |cause, can_be_taken_back| Halting {
        kind: crate::core::fact::HaltKind::Reboot,
        cause,
        rung: Rung::Stopping,
        can_be_taken_back,
        attempts: 0,
        cut: crate::core::intent::CutTold::No,
        dismissed: false,
    };
    let too_late = |ending, halting| {
        let mut picture = crate::core::picture::Picture::default();
        (picture.ending, picture.halting) = (ending, halting);
        super::is_too_late(&picture)
    };
    let halts = Ending::Halting { overran: false };
    assert!(!too_late(Ending::No, None));
    assert!(!too_late(halts, Some(halting(HaltCause::Services, true))));
    assert!(too_late(halts, Some(halting(HaltCause::Services, false))));
    assert!(too_late(halts, Some(halting(HaltCause::LowBattery, true))));
    let parting = Ending::Parting {
        services_left: true,
    };
    assert!(too_late(parting, None));
}

/// Something that happens to the machine.
#[derive(Clone, Copy, Debug)]
enum Event {
    Crash,
    Mains(bool),
    Hot(bool),
    Stuck(bool),
    Nothing,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Crash),
        2 => any::<bool>().prop_map(Event::Mains),
        1 => any::<bool>().prop_map(Event::Hot),
        1 => any::<bool>().prop_map(Event::Stuck),
        1 => Just(Event::Nothing),
    ]
}

/// The story of a machine, with a hold from the step `from` on or without one.
fn story(steps: &[(u64, Event)], hold: Option<(usize, u64)>) -> Machine {
    let mut m = Machine::of(&[]);
    for (at, (millis, event)) in steps.iter().enumerate() {
        m.pass(*millis);
        if let Some((from, seconds)) = hold
            && at == from
        {
            m.hold(seconds);
        }
        match *event {
            Event::Crash => m.crash(),
            Event::Mains(present) => m.step(&Fact::Seen(Reading::Mains { present })),
            Event::Hot(hot) => {
                let heat = if hot { 95_000 } else { 40_000 };
                m.step(&Fact::Seen(Reading::Temperature(MilliCelsius(heat))));
            }
            Event::Stuck(stuck) => {
                let pulse = match stuck {
                    true => Pulse::Late { since: m.now },
                    false => Pulse::OnTime,
                };
                let thread = Thread::Children;
                m.step(&Fact::Thread { thread, pulse });
            }
            Event::Nothing => {}
        }
    }
    m.pass(60_000);
    m
}

proptest! {
    /// With a hold and without, the guard hears the same at the same times: it is petted, not petted
    /// where a thread of ours is stuck, and the machine is halted for want of mains.
    #[test]
    fn the_guard_never_notices(
        steps in proptest::collection::vec((1u64..40_000, event()), 1..60),
        from in 0usize..60,
        seconds in 1..=MOST,
    ) {
        let with = story(&steps, Some((from, seconds)));
        let without = story(&steps, None);
        prop_assert_eq!(with.guard, without.guard);
        prop_assert_eq!(with.withheld, without.withheld);
        let heat = |core: &Core| (core.picture().thermal, core.picture().shed_for_heat);
        prop_assert_eq!(heat(&with.core), heat(&without.core));
        prop_assert!(with.core.picture().watchdog <= Verdict::Critical);
    }
}

//! The last rung: when the machine is restarted for a service, and everything that keeps it on.

use super::{Shutdown, State};
use crate::core::action::{Action, Actions, Answer};
use crate::core::fact::{
    Asker, Errno, Fact, Fault, HaltKind, OrderId, Reading, Request, ServiceId, Source, Ticket,
};
use crate::core::intent::{CutTold, FoundMarker, HaltPhase, Intent, Marker};
use crate::core::note::{HaltNote, MachineKept, Note};
use crate::core::picture::{HaltCause, Picture, Rung, Strain};
use crate::core::reboots::{LONG, Reboots};
use crate::core::settings::Settings;
use crate::core::{Confidence, End, LastBoot, Pass, Policy};
use crate::units::Mono;
use std::time::Duration;

const WEB: ServiceId = ServiceId(3);
/// An hour after the machine was started.
const NOW: Mono = Mono(3_600_000);
const WINDOW: Duration = Duration::from_secs(6 * 3600);

/// A machine that has found this.
struct Machine {
    shutdown: Shutdown,
    picture: Picture,
    settings: Settings,
}

/// What an earlier boot has left, with restarts of these ages.
fn left(ages: &[u16]) -> FoundMarker {
    FoundMarker {
        marker: Marker {
            intent: Intent::Run,
            mains: None,
            attempts: 0,
            in_vain: 0,
            sunk: 0,
            reboots: Reboots::of(ages.to_vec()).unwrap(),
            outage: None,
            cut: CutTold::No,
            before: None,
            ..Marker::default()
        },
        same_boot: false,
        reset: None,
        lasts: true,
        ..FoundMarker::default()
    }
}

fn seen(left: FoundMarker) -> Fact {
    Fact::Seen(Reading::marker(left))
}

fn lost(why: Fault) -> Fact {
    Fact::Lost {
        source: Source::Marker,
        why,
    }
}

impl Machine {
    fn that(found: &Fact) -> Machine {
        let mut machine = Machine {
            shutdown: Shutdown::default(),
            picture: Picture {
                alive: 1,
                ..Picture::default()
            },
            settings: Settings::nothing(),
        };
        machine.step(found, Mono(1_000));
        machine
    }

    fn step(&mut self, fact: &Fact, now: Mono) -> Actions {
        let mut out = Actions::default();
        self.shutdown.step(&mut Pass {
            now,
            fact,
            settings: &self.settings,
            picture: &mut self.picture,
            out: &mut out,
        });
        out
    }

    /// A service was given up.
    fn give_up(&mut self, now: Mono) -> Actions {
        self.picture.escalated = Some(WEB);
        self.step(&Fact::Tick, now)
    }

    /// The marker tells how many there were, or cannot.
    fn record(&mut self, outcome: &str) -> Actions {
        self.picture.recorded = outcome == "written";
        self.picture.record_failed = outcome == "failed";
        self.step(&Fact::Tick, NOW)
    }

    /// One that is being carried out, with all services down, on this rung.
    fn on(rung: Rung) -> (Machine, OrderId) {
        let mut machine = Machine::that(&seen(left(&[])));
        machine.give_up(NOW);
        machine.record("written");
        for _ in 0..10 {
            let State::Halting(halt) = machine.shutdown.state else {
                panic!("not halting");
            };
            if halt.rung == rung {
                return (machine, halt.order.unwrap_or(OrderId(0)));
            }
            (machine.picture.alive, machine.picture.recorded) = (0, false);
            let late = halt.until;
            machine.step(&Fact::Tick, late);
        }
        panic!("never on {rung:?}");
    }

    fn runs(&self) -> bool {
        matches!(self.shutdown.state, State::Running)
    }

    fn kept(&mut self, now: Mono) -> Option<MachineKept> {
        let out = self.give_up(now);
        assert_eq!(out.orders, Vec::new());
        match &out.notes[..] {
            [Note::MachineKept { service: WEB, why }] => Some(*why),
            [] => None,
            other => panic!("{other:?}"),
        }
    }
}

fn restarting(out: &Actions) -> bool {
    out.notes
        .contains(&Note::MachineRestarting { service: WEB })
}

/// It is counted first; nothing is stopped, told or ordered before that is written down.
#[test]
fn it_is_counted_before_it_is_made() {
    let mut machine = Machine::that(&seen(left(&[2])));
    assert_eq!(machine.kept(NOW), None);
    assert!(machine.runs() && machine.picture.halting.is_none());
    // The one before lies back another fifty minutes and some.
    assert_eq!(machine.picture.reboots, Reboots::of(vec![0, 7]).unwrap());
    assert!(machine.shutdown.deadline().is_some());
    assert_eq!(machine.record("under way").notes, Vec::new());
    assert!(machine.runs());
    let out = machine.record("written");
    assert!(restarting(&out));
    let halting = machine.picture.halting.unwrap();
    assert_eq!(
        (halting.kind, halting.cause, halting.rung),
        (HaltKind::Reboot, HaltCause::Services, Rung::Stopping)
    );
    // Whoever else is given up meanwhile changes nothing.
    assert_eq!(machine.give_up(NOW).notes, Vec::new());
    assert_eq!(machine.picture.reboots, Reboots::of(vec![0, 7]).unwrap());
}

/// A boot that hung counts as well, once, whoever follows in this boot.
#[test]
fn a_hang_uses_up_the_same_budget() {
    let hung = FoundMarker {
        reset: Some(true),
        ..left(&[0, 1])
    };
    let used_up = MachineKept::UsedUp {
        reboots: 3,
        window: WINDOW,
    };
    for (found, why) in [
        (hung, Some(used_up)),
        (left(&[0, 1]), None),
        (
            FoundMarker {
                lasts: false,
                ..hung
            },
            Some(MachineKept::NotKept),
        ),
    ] {
        let machine = Machine::that(&seen(found));
        let kept = machine
            .shutdown
            .keeps_machine(NOW, &machine.picture, &machine.settings);
        assert_eq!(kept, why, "{found:?}");
    }
    let same = FoundMarker {
        same_boot: true,
        ..hung
    };
    let machine = Machine::that(&seen(same));
    assert_eq!(machine.picture.reboots, Reboots::of(vec![0, 1]).unwrap());
}

/// What was found, and what is, each in its turn: then the machine stays on, and nothing is counted.
#[test]
fn whatever_is_not_known_or_not_in_order_keeps_it_on() {
    let first = LastBoot {
        end: End::FirstBoot,
        confidence: Confidence::Likely,
    };
    let same_boot = |before| {
        let mut left = left(&[]);
        (left.same_boot, left.marker.before) = (true, before);
        left
    };
    let in_memory = FoundMarker {
        lasts: false,
        ..left(&[])
    };
    let ago = |hours: u16| hours * 6;
    let used_up = |reboots, window| MachineKept::UsedUp { reboots, window };
    let six = [ago(7), ago(24), ago(25), ago(100), ago(101), ago(102)];
    for (found, why) in [
        (lost(Fault::Implausible), MachineKept::NotCounted),
        (lost(Fault::Errno(Errno(5))), MachineKept::NotCounted),
        (Fact::Tick, MachineKept::NotCounted),
        (lost(Fault::Absent), MachineKept::NotKept),
        (seen(same_boot(None)), MachineKept::NotKept),
        (seen(same_boot(Some(first))), MachineKept::NotKept),
        (seen(in_memory), MachineKept::NotKept),
        (seen(left(&[0, 1, 29])), used_up(3, WINDOW)),
        (seen(left(&six)), used_up(6, LONG)),
        (
            Fact::Seen(Reading::marker(FoundMarker {
                marker: Marker {
                    reboots: Reboots::UNKNOWN,
                    ..left(&[]).marker
                },
                ..left(&[])
            })),
            used_up(3, WINDOW),
        ),
    ] {
        let mut machine = Machine::that(&found);
        let before = machine.picture.reboots;
        assert_eq!(machine.kept(NOW), Some(why), "{found:?}");
        assert!(machine.runs());
        assert!(!machine.picture.reboots.are_more_than(&before));
        let told = machine
            .shutdown
            .keeps_machine(NOW, &machine.picture, &machine.settings);
        assert_eq!(told, Some(why));
    }
}

/// The same for what holds when it is asked for.
#[test]
fn not_now() {
    let uptime = Duration::from_secs(600);
    type Change = fn(&mut Machine);
    let battery = MachineKept::OnBattery;
    let changes: [(Change, MachineKept); 4] = [
        (|m| m.picture.mains = Some(false), battery),
        (
            |m| m.picture.strain_of_power = Some(Strain::LowBattery),
            battery,
        ),
        (|m| m.picture.sinks = true, battery),
        (|m| m.picture.hold = true, MachineKept::Hold),
    ];
    for (change, why) in changes {
        let mut machine = Machine::that(&seen(left(&[])));
        change(&mut machine);
        assert_eq!(machine.kept(NOW), Some(why));
        // It may come about while that is written down: then it is counted, and not made.
        let mut machine = Machine::that(&seen(left(&[])));
        assert_eq!(machine.kept(NOW), None);
        change(&mut machine);
        let out = machine.record("written");
        assert_eq!(out.notes, [Note::MachineKept { service: WEB, why }]);
        assert!(machine.runs());
    }
    let mut machine = Machine::that(&seen(left(&[])));
    let early = MachineKept::TooSoon { uptime };
    assert_eq!(machine.kept(Mono(599_999)), Some(early));
    assert_eq!(machine.kept(Mono(600_000)), None);
    let mut machine = Machine::that(&seen(left(&[])));
    machine.step(&Fact::Seen(Reading::Starts { aborted: 3 }), Mono(1_000));
    assert_eq!(machine.kept(NOW), Some(MachineKept::Unsteady));
    let mut machine = Machine::that(&seen(left(&[])));
    machine.settings.reboots.most = 0;
    let never = MachineKept::UsedUp {
        reboots: 0,
        window: WINDOW,
    };
    assert_eq!(machine.kept(NOW), Some(never));
}

/// A successor in a boot that knows of an earlier one goes on from there.
#[test]
fn a_successor_knows_as_much() {
    let mut found = left(&[0, 0]);
    found.same_boot = true;
    found.marker.before = Some(LastBoot {
        end: End::CutOrHang,
        confidence: Confidence::Possible,
    });
    let mut machine = Machine::that(&seen(found));
    assert_eq!(machine.kept(NOW), None);
    let out = machine.record("written");
    assert!(restarting(&out));
    assert_eq!(machine.picture.reboots.ages().count(), 3);
}

/// What cannot be written down in time is not made, and stays counted.
#[test]
fn what_cannot_be_counted_is_not_made() {
    for outcome in ["failed", "late"] {
        let mut machine = Machine::that(&seen(left(&[])));
        assert_eq!(machine.kept(NOW), None);
        let out = match outcome {
            "failed" => machine.record("failed"),
            _ => {
                assert_eq!(machine.step(&Fact::Tick, Mono(NOW.0 + 2_999)).notes, []);
                machine.step(&Fact::Tick, Mono(NOW.0 + 3_000))
            }
        };
        let why = MachineKept::NotWritten;
        assert_eq!(out.notes, [Note::MachineKept { service: WEB, why }]);
        assert_eq!(out.orders, Vec::new());
        assert!(machine.runs());
        let told = machine
            .shutdown
            .keeps_machine(NOW, &machine.picture, &machine.settings);
        assert_eq!(told, Some(why));
        // That it is written later makes nothing of it.
        assert_eq!(machine.record("written").notes, Vec::new());
        assert!(machine.runs());
        assert_eq!(machine.picture.reboots.ages().count(), 1);
    }
}

/// Who asks for an end or a halt meanwhile is heard, and the restart is not made.
#[test]
fn whoever_ends_it_meanwhile_comes_first() {
    for request in [
        Request::Exit,
        Request::Leave,
        Request::Halt(HaltKind::PowerOff),
    ] {
        let mut machine = Machine::that(&seen(left(&[])));
        assert_eq!(machine.kept(NOW), None);
        let asked = Fact::Asked {
            ticket: Ticket(1),
            by: Asker::User(0),
            request: request.clone(),
        };
        machine.step(&asked, NOW);
        let out = machine.record("written");
        assert!(!restarting(&out), "{request:?}");
        let kind = machine.picture.halting.map(|halting| halting.kind);
        assert_ne!(kind, Some(HaltKind::Reboot), "{request:?}");
    }
    // The power policy as well.
    let mut machine = Machine::that(&seen(left(&[])));
    assert_eq!(machine.kept(NOW), None);
    machine.picture.ask_halt(HaltCause::LowBattery);
    let out = machine.record("written");
    assert!(!restarting(&out));
    let halting = machine.picture.halting.unwrap();
    assert_eq!(halting.kind, HaltKind::PowerOff);
}

/// Once mains are gone it is taken back, up to the point of no return.
#[test]
fn it_is_taken_back_on_battery() {
    for rung in [Rung::Stopping, Rung::Recording, Rung::Syncing] {
        let (mut machine, _) = Machine::on(rung);
        machine.picture.mains = Some(false);
        let cause = HaltCause::Services;
        let out = machine.step(&Fact::Tick, NOW);
        assert_eq!(out.notes, [HaltNote::HaltCancelled { cause }.into()]);
        assert!(machine.runs() && machine.picture.halt_ask.is_none());
        assert_eq!(machine.picture.reboots.ages().count(), 1);
    }
    let (mut machine, _) = Machine::on(Rung::Asked);
    machine.picture.mains = Some(false);
    assert_eq!(machine.step(&Fact::Tick, NOW).notes, []);
    assert!(!machine.runs());
}

/// An operator who asks for a halt in the middle of it means that, and gets it; it is not taken back.
#[test]
fn an_operator_is_heard_in_the_middle_of_it() {
    for (kind, rung) in [
        (HaltKind::Reboot, Rung::Stopping),
        (HaltKind::PowerOff, Rung::Syncing),
    ] {
        let (mut machine, _) = Machine::on(rung);
        let by = Asker::User(0);
        let asked = Fact::Asked {
            ticket: Ticket(1),
            by,
            request: Request::Halt(kind),
        };
        machine.step(&asked, NOW);
        let answer = machine.picture.answer.take();
        assert_eq!(answer, Some((Ticket(1), Answer::Accepted)));
        machine.picture.mains = Some(false);
        machine.step(&Fact::Tick, NOW);
        let halting = machine.picture.halting.unwrap();
        let cause = HaltCause::Asked { by };
        assert_eq!((halting.kind, halting.cause), (kind, cause));
    }
}

/// Where nobody restarts the machine, services are not kept down for that, and it is not tried again.
#[test]
fn what_is_refused_is_taken_back() {
    for rung in [Rung::Asked, Rung::Forced] {
        let (mut machine, order) = Machine::on(rung);
        let refused = Fact::Done {
            order,
            outcome: Err(Fault::Errno(Errno(1))),
        };
        let out = machine.step(&refused, NOW);
        let cause = HaltCause::Services;
        let cancelled = HaltNote::HaltCancelled { cause }.into();
        assert!(out.notes.contains(&cancelled), "{rung:?}: {:?}", out.notes);
        assert_eq!(out.orders, Vec::new());
        assert!(machine.runs());
        assert_eq!(machine.kept(NOW), Some(MachineKept::Refused));
    }
    // A kernel that has not come back yet may still do it.
    let (mut machine, _) = Machine::on(Rung::Forced);
    let State::Halting(halt) = machine.shutdown.state else {
        panic!("not halting");
    };
    machine.step(&Fact::Tick, halt.until);
    assert!(!machine.runs());
}

/// A daemon that is killed in the middle has a successor that goes on, and does not count it again.
#[test]
fn a_successor_finishes_it() {
    for (phase, rung) in [
        (HaltPhase::Begun, Rung::Stopping),
        (HaltPhase::Committed, Rung::Asked),
    ] {
        let mut found = left(&[0]);
        found.same_boot = true;
        found.marker.intent = Intent::Halt {
            kind: HaltKind::Reboot,
            cause: HaltCause::Services,
            phase,
        };
        let machine = Machine::that(&seen(found));
        assert_eq!(machine.picture.halting.map(|h| h.rung), Some(rung));
        assert_eq!(machine.picture.reboots.ages().count(), 1);
        // The next boot begins as usual.
        found.same_boot = false;
        let machine = Machine::that(&seen(found));
        assert!(machine.runs());
        assert_eq!(machine.picture.reboots.ages().count(), 1);
    }
}

/// The whole way: init is asked for a restart, and for nothing else.
#[test]
fn init_is_asked_for_a_restart() {
    let (mut machine, order) = Machine::on(Rung::Syncing);
    let done = Fact::Done {
        order,
        outcome: Ok(()),
    };
    let out = machine.step(&done, NOW);
    let kind = HaltKind::Reboot;
    let asked: Vec<&Action> = out.orders.iter().map(|o| &o.action).collect();
    assert_eq!(asked, [&Action::AskInit { kind }]);
}

//! A halt of the machine, from the ask to the last rung.

use super::drill::bites_within;
use super::escalation::not_now;
use super::ladder::{Came, can_be_taken_back, limit_with, next};
use super::told::Told;
use super::{Shutdown, State};
use crate::core::Pass;
use crate::core::action::{Action, Answer};
use crate::core::budget::StopSpan;
use crate::core::fact::{Asker, Fact, HaltKind, OrderId};
use crate::core::note::{HaltNote, Note};
use crate::core::picture::{Ending, HaltCause, Halting, Rung};
use crate::units::Mono;
use std::time::Duration;

/// Boots in a row that finish a halt although mains were not seen gone in them: a sensor that is
/// silent for ever must not keep the machine off for ever.
const BLIND_ATTEMPTS: u8 = 1;

/// The same with mains seen gone. Then the power policy decides as always: it asks for a halt again,
/// but only after its own waits.
const ATTEMPTS: u8 = 3;

/// A wish for the daemon's end, which waits for the halt.
#[derive(Clone, Copy)]
pub(super) struct Dismissal {
    pub by: Asker,
    /// It was told to leave the services to a successor.
    pub leave: bool,
    /// By when the services were to be down, had there been no halt.
    pub until: Mono,
}

/// A halt that is under way.
#[derive(Clone, Copy)]
pub(super) struct Halt {
    pub kind: HaltKind,
    pub cause: HaltCause,
    pub rung: Rung,
    /// When the time of this rung is over.
    pub until: Mono,
    /// When it began.
    pub since: Mono,
    /// The time that services were given.
    pub budget: Duration,
    /// What their stop takes, as it was known when it began.
    pub span: StopSpan,
    /// Boots in a row that set out to finish it.
    pub attempts: u8,
    /// An earlier boot had come beyond its point of no return, and no watchdog is known to have ended
    /// it: the machine was off, and something has started it.
    pub carried_out: bool,
    /// An earlier daemon of this boot began it: until then, nothing is done that cannot be taken back
    /// before it is known whether mains are there.
    pub looks_until: Option<Mono>,
    /// What this rung waits for.
    pub order: Option<OrderId>,
    /// Somebody has told the daemon to end meanwhile: init, as a rule.
    pub dismissed: Option<Dismissal>,
    /// What the board knows of a cut of its power.
    pub board: Told,
    /// Init took the signal.
    pub taken: bool,
    /// That it comes to the last rungs has been told.
    pub told: bool,
}

impl Halt {
    pub(super) fn new(kind: HaltKind, cause: HaltCause) -> Halt {
        Halt {
            kind,
            cause,
            rung: Rung::Stopping,
            until: Mono::default(),
            since: Mono::default(),
            budget: Duration::ZERO,
            span: StopSpan::default(),
            attempts: 0,
            carried_out: false,
            looks_until: None,
            order: None,
            dismissed: None,
            board: Told::Nothing,
            taken: false,
            told: false,
        }
    }

    /// What it was begun for does not hold any more: mains are back, the battery fills, or, where it is
    /// for the sake of services, the battery has to give.
    pub(super) fn no_longer_holds(&self, pass: &Pass) -> bool {
        match self.cause {
            HaltCause::RideThrough | HaltCause::LowBattery | HaltCause::GaugeSilent => {
                pass.picture.mains == Some(true)
            }
            // What says that they are there is not believed; the battery says it by filling.
            HaltCause::BatterySinks => !pass.picture.sinks,
            HaltCause::Services | HaltCause::Network => self.is_not_worth_it(pass),
            HaltCause::Drill { .. } => not_now(pass.picture).is_some(),
            HaltCause::Asked { .. } => false,
        }
    }

    /// It was begun by an earlier boot, and has been tried often enough.
    fn is_given_up(&self, pass: &Pass) -> bool {
        match pass.picture.mains {
            Some(_) => self.attempts >= ATTEMPTS || pass.picture.mains_doubted,
            // Nothing started it but mains, as a rule. If the battery is low, the power policy asks.
            None => self.carried_out || self.attempts >= BLIND_ATTEMPTS,
        }
    }

    /// Until when it has to be learnt whether mains are there; `None` once that is known, or in vain.
    fn looks(&self, pass: &Pass) -> Option<Mono> {
        self.looks_until
            .filter(|until| pass.picture.mains.is_none() && pass.now < *until)
    }

    /// What the present rung has come to; `None` while it goes on.
    fn came(&self, pass: &Pass) -> Option<Came> {
        let late = (pass.now >= self.until).then_some(Came::Late);
        let done = |yes: bool| if yes { Some(Came::Done) } else { late.clone() };
        match self.rung {
            Rung::Looking => done(pass.picture.mains == Some(false)),
            // Before the services have seen that they are held, some may still be about to start.
            Rung::Stopping | Rung::Killing => {
                let down = pass.picture.alive == 0 && pass.picture.wanted == 0;
                done(down && self.looks(pass).is_none())
            }
            Rung::Recording => done(pass.picture.recorded),
            // Nothing else is done while the board is told to forget it, and after it was told in vain.
            Rung::Cutting if self.board.due().is_some() => None,
            Rung::Cutting if matches!(self.board, Told::Stays { .. }) => Some(Came::Done),
            Rung::Syncing | Rung::Cutting | Rung::Asked | Rung::Rescuing | Rung::Forced => {
                match pass.fact {
                    Fact::Done { order, outcome } if Some(*order) == self.order => {
                        Some(match outcome {
                            Ok(()) => Came::Done,
                            Err(why) => Came::Failed(why.clone()),
                        })
                    }
                    Fact::Tick
                    | Fact::Seen(_)
                    | Fact::Lost { .. }
                    | Fact::Child { .. }
                    | Fact::Kept { .. }
                    | Fact::Asked { .. }
                    | Fact::Done { .. }
                    | Fact::Thread { .. } => late,
                }
            }
            Rung::WatchdogReset => late,
        }
    }

    /// Shows the others how far it has come.
    fn publish(&self, pass: &mut Pass) {
        pass.picture.halting = Some(Halting {
            kind: self.kind,
            cause: self.cause,
            rung: self.rung,
            can_be_taken_back: can_be_taken_back(self.rung, pass.settings),
            attempts: self.attempts,
            cut: self.cut(cuts(self.kind, pass), pass.picture.forgets_cut),
            dismissed: self.dismissed.is_some(),
        });
        pass.picture.ending = Ending::Halting {
            overran: self.rung > Rung::Stopping,
        };
    }

    /// Tells of a rung that was not climbed as it should be.
    fn tell(&self, came: &Came, pass: &mut Pass) {
        let why = match (self.rung, came) {
            (_, Came::Done) => return,
            // Told when what is left is killed; told at its beginning; told already.
            (Rung::Stopping | Rung::Looking | Rung::WatchdogReset, _) => return,
            (Rung::Forced, _) if self.told => return,
            (_, Came::Failed(why)) => Some(why.clone()),
            (_, Came::Late) => None,
        };
        let rung = self.rung;
        pass.tell(HaltNote::RungMissed { rung, why });
    }

    /// Mains are back too late: the machine must not stay off, because nothing would start it.
    pub(super) fn turn_round(&mut self, pass: &mut Pass) {
        if self.kind == HaltKind::Reboot {
            return;
        }
        self.kind = HaltKind::Reboot;
        pass.tell(HaltNote::HaltTurned { cause: self.cause });
        if self.rung == Rung::Asked {
            let kind = self.kind;
            self.order = Some(pass.out.push(Action::AskInit { kind }));
        }
    }

    /// What a rung does when it begins.
    fn act(&mut self, pass: &mut Pass) -> Option<OrderId> {
        let (kind, cause, budget) = (self.kind, self.cause, self.budget);
        match self.rung {
            Rung::Looking | Rung::Recording => None,
            Rung::Stopping => {
                pass.tell(HaltNote::Halting {
                    kind,
                    cause,
                    budget,
                });
                None
            }
            Rung::Killing => {
                pass.out.note(Note::StopOverran { budget });
                None
            }
            Rung::Syncing => Some(pass.out.push(Action::Sync)),
            Rung::Rescuing => {
                // Init does nothing, so no hook tells the board that did not take the cut: off with its
                // power on, it would stay off when mains return.
                if self.board == Told::Nothing && cuts(kind, pass) {
                    self.tell_board(pass);
                }
                Some(pass.out.push(Action::Sync))
            }
            Rung::Cutting => Some(self.tell_board(pass)),
            Rung::Asked => {
                pass.tell(HaltNote::InitAsked { kind });
                Some(pass.out.push(Action::AskInit { kind }))
            }
            Rung::Forced => {
                if !self.told {
                    pass.tell(HaltNote::HaltForced { kind });
                }
                Some(pass.out.push(Action::ForceHalt { kind }))
            }
            Rung::WatchdogReset if self.is_drill() => {
                let within = time(self.rung, self.cause, pass);
                pass.tell(HaltNote::DrillBites { within });
                None
            }
            Rung::WatchdogReset => {
                if !std::mem::replace(&mut self.told, true) {
                    pass.tell(HaltNote::HaltLeftToWatchdog);
                }
                None
            }
        }
    }
}

impl Shutdown {
    /// An operator asks for a halt.
    pub(super) fn ask_halt(&mut self, kind: HaltKind, by: Asker, pass: &mut Pass) -> Answer {
        let cause = HaltCause::Asked { by };
        match self.state {
            State::Running => {
                pass.picture.ask_halt(cause);
                self.enter(Rung::Stopping, Halt::new(kind, cause), pass);
                Answer::Accepted
            }
            // It might be taken back, and whoever asks now means it.
            State::Halting(halt) if halt.is_for_services(pass) => {
                pass.picture.halt_ask = Some(cause);
                let halt = Halt {
                    dismissed: halt.dismissed,
                    ..Halt::new(kind, cause)
                };
                self.enter(Rung::Stopping, halt, pass);
                Answer::Accepted
            }
            State::Halting(halt) if halt.kind == kind => Answer::Already,
            State::Halting(_) | State::Stopping { .. } | State::Parting { .. } | State::Over => {
                Answer::Ending
            }
        }
    }

    /// A policy has asked for a halt, and none is under way. An end of the daemon that is under way
    /// becomes one: whoever asked for that did not mean the battery to run empty.
    pub(super) fn hear_ask(&mut self, pass: &mut Pass) {
        let Some(cause) = pass.picture.halt_ask else {
            return;
        };
        let dismissed = match self.state {
            State::Running => None,
            State::Stopping { by, until, overran } => Some(Dismissal {
                by,
                leave: false,
                // Grace was no promise.
                until: if overran { pass.now } else { until },
            }),
            // Services are down, and the daemon is about to go: that is not too late.
            State::Parting {
                exit: Some(exit), ..
            } => Some(exit),
            State::Halting(_) | State::Parting { exit: None, .. } | State::Over => return,
        };
        let halt = Halt {
            dismissed,
            ..Halt::new(HaltKind::PowerOff, cause)
        };
        self.enter(Rung::Stopping, halt, pass);
    }

    /// Begins a rung.
    pub(super) fn enter(&mut self, rung: Rung, mut halt: Halt, pass: &mut Pass) {
        let time = time(rung, halt.cause, pass);
        if rung == Rung::Stopping {
            halt.budget = time;
            halt.since = pass.now;
            halt.span = pass.picture.stop_span.unwrap_or_default();
        }
        halt.rung = rung;
        halt.until = pass.now.after(time);
        halt.fit_stops(pass);
        halt.order = halt.act(pass);
        halt.publish(pass);
        self.state = State::Halting(halt);
        // The services come before us in a pass: let them see it in one of their own.
        self.due = Some(pass.now);
    }

    /// Goes as far as the state of services, threads and mains allows.
    pub(super) fn climb(&mut self, mut halt: Halt, pass: &mut Pass) {
        if halt.hear_board(pass) {
            let cause = halt.cause;
            return self.cancel(&halt, HaltNote::HaltCancelled { cause }, pass);
        }
        if halt.rung == Rung::Stopping && pass.picture.mains == Some(true) {
            // There is no battery any more into which it had to fit.
            halt.until = halt.since.after(pass.settings.stop_budget);
        }
        if matches!(halt.rung, Rung::Stopping | Rung::Asked) {
            // The battery may turn out to last less long than it seemed.
            halt.until = halt
                .until
                .min(pass.now.after(time(halt.rung, halt.cause, pass)));
            halt.until = halt.until.min(halt.asked_by(pass).unwrap_or(halt.until));
            halt.fit_stops(pass);
        }
        let mut came = halt.came(pass);
        if halt.rung == Rung::Looking && came.is_some() {
            if halt.is_given_up(pass) {
                let attempts = halt.attempts;
                return self.cancel(&halt, HaltNote::HaltGivenUp { attempts }, pass);
            }
            halt.attempts = halt.attempts.saturating_add(1);
        }
        if halt.rung == Rung::Asked && came == Some(Came::Done) {
            // Init has the signal, and is to stop us now.
            (halt.order, came) = (None, None);
            halt.taken = true;
        }
        // Init lives, and does what it was asked for, however late: nobody cuts that short.
        let waits = halt.rung == Rung::Asked && halt.order.is_none() || halt.rung == Rung::Rescuing;
        if waits && halt.taken && halt.dismissed.is_some() {
            return self.part(false, pass);
        }
        if let Some(came) = &came {
            halt.tell(came, pass);
        }
        if let Some(came) = came.as_ref().filter(|_| halt.is_drill())
            && self.go_on_drilling(halt, came, pass)
        {
            return;
        }
        if halt.is_refused(came.as_ref()) {
            self.restart_was_refused();
            let cause = halt.cause;
            return self.cancel(&halt, HaltNote::HaltCancelled { cause }, pass);
        }
        let cuts = cuts(halt.kind, pass);
        match came.and_then(|came| next(halt.rung, &came, cuts)) {
            Some(rung) => self.enter(rung, halt, pass),
            None => {
                halt.publish(pass);
                self.state = State::Halting(halt);
                let sooner = halt.looks(pass).or(halt.board.due());
                self.due = Some(sooner.map_or(halt.until, |at| at.min(halt.until)));
            }
        }
    }

    /// Init, or somebody, tells us to end while the machine is being halted.
    pub(super) fn dismiss(
        &mut self,
        mut halt: Halt,
        by: Asker,
        leave: bool,
        pass: &Pass,
    ) -> Answer {
        let answer = match halt.dismissed {
            None => Answer::Accepted,
            Some(before) if before.leave == leave => Answer::Already,
            // The other way of ending comes too late, as it does without a halt.
            Some(_) => Answer::Ending,
        };
        halt.dismissed.get_or_insert(Dismissal {
            by,
            leave,
            until: pass.now.after(pass.settings.stop_budget),
        });
        self.state = State::Halting(halt);
        answer
    }

    /// The halt is taken back: services come back, unless we were told to end.
    pub(super) fn cancel(&mut self, halt: &Halt, note: HaltNote, pass: &mut Pass) {
        pass.tell(note);
        pass.picture.let_go = None;
        pass.picture.stop_fit = None;
        pass.picture.halt_ask = None;
        pass.picture.halting = None;
        pass.picture.ending = Ending::No;
        self.state = State::Running;
        self.due = Some(pass.now);
        match halt.dismissed {
            None => {}
            Some(Dismissal {
                by, leave: true, ..
            }) => {
                pass.out.note(Note::Leaving { by });
                self.part(true, pass);
            }
            // The halt has used up some of the time: whoever waits for the end was promised when.
            Some(Dismissal { by, until, .. }) => self.begin_exit(by, until, pass),
        }
    }
}

/// The board has to be told of this halt before init is.
pub(super) fn cuts(kind: HaltKind, pass: &Pass) -> bool {
    kind == HaltKind::PowerOff && pass.settings.board.cut_ahead.is_some()
}

/// How long a rung may last, as it stands now.
fn time(rung: Rung, cause: HaltCause, pass: &Pass) -> Duration {
    if rung == Rung::WatchdogReset && matches!(cause, HaltCause::Drill { .. }) {
        return bites_within(pass);
    }
    limit_with(rung, cause, pass.settings, pass.picture.hold_up)
}

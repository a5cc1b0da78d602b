//! Holds: the invariants O1 to O3, and how operators ask for them.
//!
//! They are told from what was asked for and accepted, and know nothing of how the core keeps it.

use crate::checks::View;
use crate::daemon::LifeEvent;
use crate::world::World;
use fieldwarden::core::action::{Action, Answer};
use fieldwarden::core::fact::{
    Asker, Errno, Fact, Fault, Hold, OrderId, Reading, Request, ServiceId, Source, Thread, Ticket,
};
use fieldwarden::core::note::{GroupNote, HoldNote, Note};
use fieldwarden::core::picture::{Excuse, HaltCause};
use fieldwarden::core::settings::Settings;
use std::time::Duration;

/// What was asked for.
#[derive(Default)]
pub struct Holds {
    /// The hold that is in force: since when, and until when.
    now: Option<(u64, u64)>,
    /// All that were in force in this boot, as a daemon may have left them.
    ever: Vec<(u64, u64)>,
    begun: bool,
}

impl Holds {
    /// Another daemon, which knows of a hold only what it is told.
    pub fn new_life(&mut self) {
        (self.now, self.begun) = (None, false);
    }

    /// One is in force.
    pub fn in_force(&self, now: u64) -> bool {
        self.now.is_some_and(|(_, until)| now < until)
    }

    /// O1: every hold ends, by its time, and never later than the configuration allows, however often
    /// it was changed. O2: within one nobody is given up, no group begins anew for that, and the
    /// machine is not restarted for the sake of a service. O3: within one, and not without one,
    /// failures are put down to it.
    pub fn holds_end(&mut self, v: &View, settings: &Settings) -> Result<(), String> {
        self.hear(v, settings)?;
        let held = self.in_force(v.now);
        let core = v.core.hold().map(|hold| hold.until.0);
        let told = self.now.filter(|_| held).map(|(_, until)| until);
        if self.begun && (core != told || v.core.picture().hold != held) {
            return Err(format!(
                "O1: a hold until {core:?}, and {told:?} was asked for"
            ));
        }
        let late = |until| v.deadline.is_none_or(|due| due.0 > until);
        if self.begun && told.is_some_and(late) {
            return Err("O1: nobody looks when the hold is over".to_owned());
        }
        match held {
            true => nothing_is_escalated(v),
            false => nothing_is_put_down_to_it(v),
        }
    }

    fn hear(&mut self, v: &View, settings: &Settings) -> Result<(), String> {
        self.now = self.now.filter(|(_, until)| v.now < *until);
        let most = millis(settings.hold_most);
        match v.fact {
            Fact::Tick => self.begun = true,
            Fact::Seen(Reading::Hold(left)) if !self.begun => {
                let left = (left.since.0, left.until.0);
                if !self.ever.contains(&left) {
                    return Err(format!("O1: nobody has asked for the hold {left:?}"));
                }
                self.now = Some(left).filter(|(_, until)| v.now < *until);
            }
            Fact::Asked {
                request: Request::Hold { time, .. },
                ..
            } if accepted(v) => {
                let since = self.now.map_or(v.now, |(since, _)| since);
                let until = v.now + millis(*time);
                if until > since + most {
                    return Err(format!("O1: a hold from {since} until {until}"));
                }
                self.now = Some((since, until));
                self.ever.push((since, until));
            }
            Fact::Asked {
                request: Request::EndHold,
                ..
            } if accepted(v) => self.now = None,
            _ => {}
        }
        Ok(())
    }
}

/// Failures count from none again in this step.
pub fn is_over(v: &View) -> bool {
    v.notes.iter().any(|note| {
        let ends = |note: &HoldNote| {
            matches!(note, HoldNote::HoldOver { .. } | HoldNote::HoldEnded { .. })
        };
        matches!(note, Note::Hold(note) if ends(note))
    })
}

fn accepted(v: &View) -> bool {
    let accepts = |action: &Action| {
        let Action::Reply { answer, .. } = action else {
            return false;
        };
        *answer == Answer::Accepted
    };
    v.orders.iter().any(|order| accepts(&order.action))
}

fn nothing_is_escalated(v: &View) -> Result<(), String> {
    for note in v.notes {
        match note {
            Note::ServiceGaveUp { .. } | Note::Group(_, _, GroupNote::GroupGaveUp { .. }) => {
                return Err("O2: given up in a hold".to_owned());
            }
            Note::Group(_, _, GroupNote::GroupRestarting { counted: true }) => {
                return Err("O2: a restart of a group counts in a hold".to_owned());
            }
            Note::MachineRestarting { .. } => {
                return Err("O2: the machine is restarted in a hold".to_owned());
            }
            Note::ServiceBackoff { service, .. } if !excused(v, *service) => {
                return Err("O3: a failure in a hold is not excused".to_owned());
            }
            _ => {}
        }
    }
    let for_services = |halt: fieldwarden::core::picture::Halting| {
        halt.cause == HaltCause::Services && halt.can_be_taken_back
    };
    match v.core.picture().halting.is_some_and(for_services) {
        true => Err("O2: a halt for services goes on in a hold".to_owned()),
        false => Ok(()),
    }
}

fn nothing_is_put_down_to_it(v: &View) -> Result<(), String> {
    let by_hold = |note: &Note| {
        let Note::ServiceExcused { excuse, .. } = note else {
            return false;
        };
        *excuse == Excuse::Hold
    };
    match v.notes.iter().any(by_hold) {
        true => Err("O3: a failure is put down to a hold, and none is in force".to_owned()),
        false => Ok(()),
    }
}

/// A failure of this service is excused in this step, or earlier ones are.
fn excused(v: &View, which: ServiceId) -> bool {
    v.notes.iter().any(|note| match note {
        Note::ServiceExcused { service, .. } | Note::RestartsExcused { service, .. } => {
            *service == which
        }
        _ => false,
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl World {
    /// Somebody works on the machine, or has done so, or asks for more than there is.
    pub fn work_on_it(&mut self) {
        let most = self.plan.settings.hold_most.as_secs();
        let seconds = match self.rng.chance(70) {
            true => self.rng.range(1, most.min(90)),
            false => self.rng.range(1, most + 1),
        };
        let request = match self.rng.chance(20) {
            true => Request::EndHold,
            false => Request::Hold {
                time: Duration::from_secs(seconds),
                reason: "the wiring".into(),
            },
        };
        self.next_ticket += 1;
        let fact = Fact::Asked {
            ticket: Ticket(self.next_ticket),
            by: Asker::User(1000),
            request,
        };
        self.life_at(self.now, LifeEvent::Fact(fact, 0));
    }

    /// What a daemon is told of the hold that the one before it has left.
    pub fn remember_hold(&mut self) {
        let Some(hold) = self.hold.clone() else {
            return;
        };
        let fact = match self.rng.chance(10) {
            // Damaged, by whatever.
            true => Fact::Lost {
                source: Source::Hold,
                why: Fault::Implausible,
            },
            false => Fact::Seen(Reading::Hold(hold)),
        };
        self.step(&fact, 0);
    }

    /// The record of this boot is written, by a thread that may be stuck or killed before that.
    pub fn keep_hold(&mut self, order: OrderId, hold: Option<Hold>) {
        match hold.is_some() && self.rng.chance(10) {
            true => {
                // No room.
                let why = Fault::Errno(Errno(28));
                self.done(Thread::Halt, order, Err(why));
            }
            false => self.hold = hold,
        }
    }
}

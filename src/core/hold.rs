//! Holds: somebody works on the machine, and for a bounded time nothing is escalated.
//!
//! ```text
//!            asked                 time is over, ended
//!   None ───────────────► Held ──────────────────────────► None
//!     └─left by a daemon──►│ ▲
//!       of this boot       └─┘ asked again: another end
//! ```
//!
//! Terms: a *hold* suspends what follows when a service keeps failing: giving up on it, its group
//! starting anew, the machine being restarted. Failures count towards none of that while it lasts,
//! and those before it are forgotten when it is over. It suspends nothing else: pets, what power and
//! heat ask for, and the restart of what has failed go on.
//!
//! Never lasts beyond its end, whatever the wall clock does, and never longer than the configuration
//! allows, however often it is changed. Whoever does not know of one takes it that there is none: the
//! machine is guarded then.

#[cfg(test)]
mod tests;

use super::action::{Action, Answer};
use super::fact::{Asker, Fact, Fault, Hold, OrderId, Reading, Request, Source};
use super::note::{HoldNote, Note};
use super::picture::{Ending, Picture};
use super::{Pass, Policy};
use crate::units::Mono;
use std::time::Duration;

/// State of the policy.
#[derive(Default)]
pub(crate) struct Holds {
    hold: Option<Hold>,
    /// The latest order to keep it for a successor.
    order: Option<OrderId>,
    begun: bool,
}

impl Holds {
    /// The one that is in force.
    pub fn hold(&self) -> Option<&Hold> {
        self.hold.as_ref()
    }

    /// What a daemon before this one has left.
    fn take_up(&mut self, left: &Hold, pass: &mut Pass) {
        if left.since > pass.now {
            // It is from no daemon of this boot.
            let why = Fault::Implausible;
            return tell(HoldNote::HoldLost { why }, pass);
        }
        let until = left.until.min(left.since.after(pass.settings.hold_most));
        self.hold = Some(Hold {
            until,
            ..left.clone()
        });
        if until > pass.now {
            let (by, reason) = (left.by, left.reason.clone());
            let time = until.since(pass.now);
            tell(HoldNote::HoldTakenUp { by, time, reason }, pass);
        }
    }

    fn ask(&mut self, by: Asker, time: Duration, reason: &str, pass: &mut Pass) -> Answer {
        if is_too_late(pass.picture) {
            return Answer::Ending;
        }
        let since = self.hold.as_ref().map_or(pass.now, |hold| hold.since);
        let left = since.after(pass.settings.hold_most).since(pass.now);
        if time > left {
            return Answer::TooLong { left };
        }
        let until = pass.now.after(time);
        let reason: Box<str> = reason.into();
        let hold = Hold {
            by,
            since,
            until,
            reason: reason.clone(),
        };
        let note = match self.hold.replace(hold) {
            None => HoldNote::HoldBegan { by, time, reason },
            Some(_) => HoldNote::HoldChanged { by, time, reason },
        };
        tell(note, pass);
        self.keep(pass);
        Answer::Accepted
    }

    fn end(&mut self, by: Asker, pass: &mut Pass) -> Answer {
        let Some(hold) = self.hold.take() else {
            return Answer::Already;
        };
        let lasted = pass.now.since(hold.since);
        tell(HoldNote::HoldEnded { by, lasted }, pass);
        self.keep(pass);
        Answer::Accepted
    }

    /// Its time may be over.
    fn expire(&mut self, pass: &mut Pass) {
        if let Some(hold) = self.hold.take_if(|hold| hold.until <= pass.now) {
            let lasted = hold.until.since(hold.since);
            tell(HoldNote::HoldOver { lasted }, pass);
            self.keep(pass);
        }
    }

    /// Lets a successor know.
    fn keep(&mut self, pass: &mut Pass) {
        let hold = self.hold.clone();
        self.order = Some(pass.out.push(Action::KeepHold { hold }));
    }

    fn kept(&mut self, outcome: &Result<(), Fault>, pass: &mut Pass) {
        self.order = None;
        if let Err(why) = outcome {
            let why = why.clone();
            tell(HoldNote::HoldNotKept { why }, pass);
        }
    }

    fn hear(&mut self, pass: &mut Pass) {
        match pass.fact {
            Fact::Seen(Reading::Hold(left)) if !self.begun => self.take_up(left, pass),
            Fact::Lost {
                source: Source::Hold,
                why,
            } if !self.begun => {
                let why = why.clone();
                tell(HoldNote::HoldLost { why }, pass);
            }
            Fact::Asked {
                ticket,
                by,
                request: Request::Hold { time, reason },
            } => {
                let answer = self.ask(*by, *time, reason, pass);
                pass.picture.answer = Some((*ticket, answer));
            }
            Fact::Asked {
                ticket,
                by,
                request: Request::EndHold,
            } => {
                let answer = self.end(*by, pass);
                pass.picture.answer = Some((*ticket, answer));
            }
            Fact::Done { order, outcome } if Some(*order) == self.order => {
                self.kept(outcome, pass);
            }
            Fact::Tick => self.begun = true,
            Fact::Seen(_) | Fact::Lost { .. } | Fact::Thread { .. } => {}
            Fact::Child { .. } | Fact::Kept { .. } | Fact::Asked { .. } | Fact::Done { .. } => {}
        }
    }
}

/// There is nothing left that a hold could hold up: the daemon ends, or the machine, and not for the
/// sake of a service or of the way out.
fn is_too_late(picture: &Picture) -> bool {
    match picture.ending {
        Ending::No => false,
        Ending::Stopping { .. } | Ending::Parting { .. } => true,
        Ending::Halting { .. } => picture
            .halting
            .is_none_or(|halt| !halt.cause.is_last_resort() || !halt.can_be_taken_back),
    }
}

fn tell(note: HoldNote, pass: &mut Pass) {
    pass.out.note(Note::Hold(note));
}

impl Policy for Holds {
    fn step(&mut self, pass: &mut Pass) {
        // First: who asks when the time is over begins a hold of his own.
        if self.begun {
            self.expire(pass);
        }
        self.hear(pass);
        if self.begun {
            self.expire(pass);
        }
        pass.picture.hold = self.hold.is_some();
    }

    fn deadline(&self) -> Option<Mono> {
        self.hold.as_ref().map(|hold| hold.until)
    }
}

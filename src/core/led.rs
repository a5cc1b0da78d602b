//! The status LED: says the worst of what the others have found, to somebody who stands before it.
//!
//! ```text
//! picture ──► state ──worse: at once, better: after 10 s──► target ──► order ──► lit
//!                                                             ▲          │ refused: later again
//!                                     shown on demand ────────┘          ▼
//! ```
//!
//! Terms: the *target* is what is to be shown; an LED that has taken it is *lit*. Whatever carries a
//! state out forgets it after two minutes unless it is told again, so the LED of a daemon that is gone
//! falls dark instead of saying that all is well.
//!
//! Never judges anything by itself; only whether there is an LED to say it with. Never shows anything
//! better than what was the worst in the last ten seconds, except while an operator wants to see it.

mod state;
#[cfg(test)]
mod tests;

use super::action::{Action, Answer};
use super::fact::{Asker, Fact, Fault, OrderId, Request};
use super::light::{LedState, Light};
use super::note::Note;
use super::picture::{Ending, Verdict};
use super::{Pass, Policy};
use crate::sorted::Map;
use crate::units::Mono;
use state::Start;
use std::time::Duration;

/// What is better must have been so for this long: two rhythms, so that it can be counted. Longer: a
/// fault that was mended is told for longer. Shorter: a service that flaps makes a rhythm that nobody
/// can read.
const CALM: Duration = Duration::from_secs(10);

/// After about this time an LED is told the same again: a third of what it keeps it in mind for. It is
/// told in the middle of a pause, where nobody sees the rhythm begin anew.
const RENEW: Duration = Duration::from_secs(40);

/// First wait after a failure; each wait is twice the one before.
const FIRST: Duration = Duration::from_secs(10);

/// Longest wait after a failure.
const CAP: Duration = Duration::from_secs(300);

/// Wait after a queue that was full: its thread is behind, and that is told of elsewhere.
const BUSY: Duration = Duration::from_secs(5);

/// State of the policy.
#[derive(Default)]
pub(crate) struct Led {
    start: Start,
    /// What the picture comes to now.
    state: Option<LedState>,
    /// What it came to in the last ten seconds that was worse, and until when.
    lately: Map<LedState, Mono>,
    /// The worst of those.
    target: Option<LedState>,
    demand: Option<Demand>,
    /// What was ordered last.
    given: Option<Light>,
    /// The order that is on its way.
    order: Option<OrderId>,
    /// What the LED has taken last, and when it is to be told again.
    lit: Option<(Light, Option<Mono>)>,
    trouble: Option<Trouble>,
    /// What was told of the trouble.
    told: Option<Fault>,
    /// The daemon ends: nothing is tried again.
    over: bool,
}

/// An operator wants to see this state.
#[derive(Clone, Copy)]
struct Demand {
    state: LedState,
    until: Mono,
    /// The target at its beginning. What is worse than that is shown at once.
    instead_of: Option<LedState>,
}

/// The LED cannot be had.
#[derive(Clone)]
struct Trouble {
    why: Fault,
    /// When it is tried again.
    retry: Mono,
    /// The next wait.
    wait: Duration,
}

/// How the LED stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LedView {
    /// What it is to show by the state of things.
    pub target: LedState,
    /// What an operator wants to see instead, and until when.
    pub demand: Option<(LedState, Mono)>,
    /// What it shows; `None` before it has taken anything, and while it cannot be had.
    pub lit: Option<LedState>,
    /// Why it cannot be had, and when it is tried again.
    pub trouble: Option<(Fault, Mono)>,
}

impl Led {
    /// How it stands; `None` before the first pass, and where there is none.
    pub fn view(&self) -> Option<LedView> {
        let lit = match (self.lit, &self.trouble) {
            (Some((Light::Show(state), _)), None) => Some(state),
            (Some((Light::Show(_) | Light::Release, _)) | None, _) => None,
        };
        Some(LedView {
            target: self.target?,
            demand: self.demand.map(|demand| (demand.state, demand.until)),
            lit,
            trouble: self.trouble.as_ref().map(|t| (t.why.clone(), t.retry)),
        })
    }

    /// Follows what is to be shown: what is worse at once, what is better when it lasts.
    fn follow(&mut self, pass: &Pass) {
        let state = state::of(pass.picture, &mut self.start, pass.now);
        // It was so until now.
        if let Some(before) = self.state.replace(state) {
            self.lately.insert(before, pass.now);
        }
        self.lately
            .retain(|worse, at| *worse > state && pass.now < at.after(CALM));
        let worst = self.lately.last();
        self.target = Some(worst.map_or(state, |(worse, _)| *worse));
        if let Some(demand) = self.demand
            && (pass.now >= demand.until || self.target > demand.instead_of)
        {
            self.demand = None;
        }
    }

    fn demand(&mut self, state: LedState, time: Duration, by: Asker, pass: &mut Pass) -> Answer {
        match pass.picture.ending {
            Ending::No => {}
            Ending::Stopping { .. } | Ending::Halting { .. } | Ending::Parting { .. } => {
                return Answer::Ending;
            }
        }
        if self.demand.is_none() {
            let request = Request::ShowLed { state, time };
            pass.out.note(Note::Asked { by, request });
        }
        self.demand = Some(Demand {
            state,
            until: pass.now.after(time),
            instead_of: self.target,
        });
        Answer::Accepted
    }

    fn done(&mut self, outcome: &Result<(), Fault>, pass: &mut Pass) {
        self.order = None;
        match outcome {
            Ok(()) => {
                self.trouble = None;
                if self.told.take().is_some() {
                    pass.out.note(Note::LedBack);
                }
                self.lit = self.given.map(|light| (light, renewal(light, pass.now)));
            }
            Err(why) => self.fail(why, pass),
        }
    }

    fn fail(&mut self, why: &Fault, pass: &mut Pass) {
        let wait = self.trouble.as_ref().map_or(FIRST, |t| t.wait);
        let (pause, next) = match why {
            Fault::Busy => (BUSY, wait),
            Fault::Errno(_) | Fault::Taken { .. } | Fault::Absent | Fault::Implausible => {
                (wait, CAP.min(wait * 2))
            }
        };
        let retry = pass.now.after(pause);
        if *why != Fault::Busy && self.told.as_ref() != Some(why) {
            self.told = Some(why.clone());
            let why = why.clone();
            pass.out.note(Note::LedFailed { why, retry: pause });
        }
        self.trouble = Some(Trouble {
            why: why.clone(),
            retry,
            wait: next,
        });
    }

    /// What the LED is to be told, if anything.
    fn wanted(&self, pass: &Pass) -> Option<Light> {
        let released = Some(Light::Release);
        match pass.picture.ending {
            // What is shown then is to outlive us.
            Ending::Parting { .. } if pass.picture.halting.is_some() => None,
            // A successor takes it over.
            Ending::Parting {
                services_left: true,
            } => None,
            Ending::Parting {
                services_left: false,
            } => released,
            Ending::No | Ending::Stopping { .. } | Ending::Halting { .. } => {
                let state = self.demand.map(|demand| demand.state).or(self.target);
                state.map(Light::Show)
            }
        }
    }

    fn order(&mut self, pass: &mut Pass) {
        let Some(wanted) = self.wanted(pass) else {
            return;
        };
        let news = self.given != Some(wanted);
        let due = match &self.trouble {
            // The last word is tried whatever was before.
            Some(_) if wanted == Light::Release => news,
            Some(trouble) => self.order.is_none() && pass.now >= trouble.retry,
            None => news || self.renew().is_some_and(|at| pass.now >= at),
        };
        if due {
            self.given = Some(wanted);
            self.order = Some(pass.out.push(Action::Light(wanted)));
        }
    }

    /// When what is lit has to be told again.
    fn renew(&self) -> Option<Mono> {
        self.lit
            .and_then(|(_, at)| at)
            .filter(|_| self.order.is_none())
    }

    fn verdict(&self) -> Verdict {
        match (&self.trouble, self.lit) {
            (Some(trouble), _) if trouble.why != Fault::Busy => Verdict::Warn,
            (Some(_), _) | (None, None) => Verdict::Unknown,
            (None, Some(_)) => Verdict::Ok,
        }
    }
}

/// When an LED that has taken this now is to be told again: about [`RENEW`] from now, in a pause.
fn renewal(light: Light, now: Mono) -> Option<Mono> {
    let Light::Show(state) = light else {
        return None;
    };
    state.lasts()?;
    let rhythm = state.rhythm();
    let mut beats = rhythm.cycle();
    while beats < RENEW {
        beats += rhythm.cycle();
    }
    Some(now.after(beats.saturating_sub(rhythm.pause() / 2)))
}

impl Policy for Led {
    fn step(&mut self, pass: &mut Pass) {
        if pass.settings.led.is_none() || !self.start.begin(pass.fact, pass.now) {
            return;
        }
        match pass.fact {
            Fact::Done { order, outcome } if Some(*order) == self.order => {
                self.done(outcome, pass);
            }
            Fact::Asked {
                ticket,
                by,
                request: Request::ShowLed { state, time },
            } => {
                let answer = self.demand(*state, *time, *by, pass);
                pass.picture.answer = Some((*ticket, answer));
            }
            Fact::Tick | Fact::Seen(_) | Fact::Lost { .. } | Fact::Thread { .. } => {}
            Fact::Child { .. } | Fact::Kept { .. } | Fact::Asked { .. } | Fact::Done { .. } => {}
        }
        self.over = matches!(pass.picture.ending, Ending::Parting { .. });
        self.follow(pass);
        self.order(pass);
        pass.picture.led = Some(self.verdict());
    }

    fn deadline(&self) -> Option<Mono> {
        if self.over {
            return None;
        }
        let retry = self.trouble.as_ref().map(|trouble| trouble.retry);
        let again = match retry {
            Some(retry) => Some(retry).filter(|_| self.order.is_none()),
            None => self.renew(),
        };
        let better = self.lately.last();
        let better = better.map(|(_, at)| at.after(CALM));
        let demand = self.demand.map(|demand| demand.until);
        [again, better, demand, self.start.until()]
            .into_iter()
            .flatten()
            .min()
    }
}

//! One service: what it is doing, what it should be doing, and what follows.
//!
//! ```text
//!            start                 started, ready
//!   Down ───────────► Starting ──────────────────► Up
//!    ▲  ▲                │ │ failed, exited        │ │ exited
//!    │  │     stop,      │ └──────────┐ ┌──────────┘ │ stop, hung,
//!    │  │     not ready  ▼            ▼ ▼            ▼ says so itself
//!    │  └──── Stopping ◄─┼──── Backoff, GaveUp ◄── Stopping
//!    │ exited    ▲       │ due: start
//!    └───────────┴───────┘
//! ```
//!
//! Terms: the *state* is what it is doing; the *wish* is what it should be doing; they are two
//! fields, never mixed. A *run* is one life of its process.
//!
//! Never starts a second process while one may be alive, and never forgets one that is.

mod account;
mod again;
mod company;
mod end;
mod excuse;
mod health;
mod kept;
mod legacy;
mod news;
mod probe;
#[cfg(test)]
mod probe_tests;
mod probing;
mod sight;
#[cfg(test)]
mod tests;
mod time;

pub use account::{Account, Reload};
pub(crate) use legacy::Digest;
pub(crate) use news::Turn;
pub use probing::{ProbeView, Probing, Readiness};

use super::action::{Action, Actions, Signal};
use super::backoff::Backoff;
use super::fact::{GroupId, Obstacle, OrderId, Pid, RunId, ServiceId};
use super::job::Outcome;
use super::memo::{Left, Progress};
use super::note::Note;
use super::settings::{Hindrance, Need, Service as Settings};
use crate::units::Mono;
use kept::Kept;
use std::time::Duration;

/// A start that has brought no process after this time is called stuck: far beyond what a slow card
/// needs to load a program, and short enough to be told while somebody looks.
const START_STUCK: Duration = Duration::from_secs(30);

/// That a service has failed and is to be started again, as its group sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fall {
    /// It was given up.
    pub gave_up: bool,
    /// An earlier daemon has seen it.
    pub earlier: bool,
    /// It was put down to the machine.
    pub excused: bool,
}

/// What a service should be doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// Run.
    Run,
    /// Rest.
    Rest,
}

/// Why a service must not run now, whatever its wish is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bar {
    /// A service that it requires is not up, or is about to be stopped.
    Requirement {
        /// Which.
        service: ServiceId,
        /// That one is on its way up.
        coming: bool,
    },
    /// Something is not there.
    Need(Need),
    /// Its group is restarted, and is not down yet, or waits for the member that failed.
    Group {
        /// Which.
        group: GroupId,
        /// No member of it was given up.
        coming: bool,
    },
    /// It is a job, and this is the case.
    Hindered(Hindrance),
    /// It is a job, and another one runs, or runs first, that must not run at the same time.
    Taken {
        /// Which.
        by: ServiceId,
    },
    /// Somebody else keeps it, and cannot start it, or nobody knows whether that is so.
    Keeper(Obstacle),
}

/// Why a service is down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Down {
    /// Nobody has asked for it.
    NotStarted,
    /// It is to run, and waits for the services it comes after.
    Waiting,
    /// It is to run, and is held back while power is short.
    Held,
    /// It was asked to stop.
    Stopped,
    /// It ended well, and is not to be restarted.
    Finished,
    /// It failed, and is not to be restarted.
    Failed,
    /// Somebody told its keeper to end it.
    Elsewhere,
}

/// Why a service is being stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StopCause {
    /// Somebody asked for it.
    Asked,
    /// It did not get ready, or its heartbeat ceased: a failure.
    Fault,
    /// It said itself that it was about to end.
    Own,
}

/// What a service is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// There is no process.
    Down {
        /// Why.
        why: Down,
    },
    /// A process is being started, or has not said that it is ready.
    Starting {
        /// Since when.
        since: Mono,
        /// Its process, as soon as there is one.
        pid: Option<Pid>,
    },
    /// It runs.
    Up {
        /// When its run began.
        since: Mono,
        /// Its main process.
        pid: Pid,
        /// Its last sign of life.
        beat: Mono,
    },
    /// It was told to end.
    Stopping {
        /// When its run began.
        since: Mono,
        /// Its main process. One that somebody else keeps may have none yet, or none any more: it waits
        /// to be started again.
        pid: Option<Pid>,
        /// When it was told.
        told: Mono,
        /// Why.
        cause: StopCause,
        /// It was told the hard way.
        killed: bool,
    },
    /// There is no process; one will be started.
    Backoff {
        /// When.
        until: Mono,
    },
    /// There is no process; it failed too often.
    GaveUp {
        /// When it will be tried once more.
        until: Mono,
    },
}

/// One service of the set.
pub(crate) struct Service {
    pub id: ServiceId,
    /// It is a job, or does its work for the way out: it rests most of the time, and nothing is missing
    /// then. What there is to think of a job is told apart; a dead network is no ill health.
    pub job: bool,
    pub state: State,
    pub wish: Wish,
    pub run: RunId,
    pub adopted: bool,
    /// It must not run now, whatever its wish is.
    pub held: bool,
    /// Why it must not run now for the sake of others.
    pub bar: Option<Bar>,
    /// Times it was started again without being asked to, since the daemon began.
    pub restarts: u32,
    pub backoff: Backoff,
    /// It was asked to stop, and then to run again.
    restart_wanted: bool,
    /// Its next start is a restart that nobody asked for.
    again: bool,
    /// That one does not count: it was the machine's fault.
    excused: bool,
    /// When it failed last.
    failed: Option<Mono>,
    /// It has failed, and its group has not been told.
    pub fell: Option<Fall>,
    /// Failures that were the machine's fault, since the daemon began.
    pub excuses: u32,
    /// When its latest run was ordered.
    ordered: Mono,
    /// It said that it was ready before we heard that it had started: those are two threads' news.
    ready_early: bool,
    /// The order that it waits for: a start, or the signal that is to end it.
    pub order: Option<OrderId>,
    /// The signal that is to end it, if that could not be sent.
    unsent: Option<Signal>,
    said: Signal,
    /// It has failed more than once in a row; from then on its run counts as a stable one.
    pub proving: Option<Mono>,
    /// The deadline that was put off because the daemon was held up, and how often in a row it was.
    last_call: Option<(Mono, u8)>,
    /// What its latest run has told of itself.
    pub account: Account,
    /// The probes of its latest run, if it has any.
    probing: Option<Box<Probing>>,
    /// The network is known to be gone: probes that depend on it are not made.
    cut_off: bool,
    /// What is known of it where somebody else keeps it.
    kept: Option<Box<Kept>>,
    /// How an earlier daemon left it.
    recalled: Option<Left>,
    recalled_progress: Progress,
    /// Its latest run was begun otherwise than it is configured now.
    redefined: bool,
    /// When it was heard that it is to end, if that was said in vain before.
    heard: Option<Mono>,
    /// When it wants to be looked at.
    pub due: Option<Mono>,
}

impl Service {
    /// `job`: it is one.
    pub fn new(id: ServiceId, job: bool) -> Service {
        Service {
            id,
            job,
            state: State::Down {
                why: Down::NotStarted,
            },
            wish: Wish::Rest,
            run: RunId(0),
            adopted: false,
            held: false,
            bar: None,
            restarts: 0,
            backoff: Backoff::default(),
            restart_wanted: false,
            again: false,
            excused: false,
            failed: None,
            fell: None,
            excuses: 0,
            ordered: Mono::default(),
            ready_early: false,
            order: None,
            unsent: None,
            said: Signal::Stop,
            proving: None,
            last_call: None,
            account: Account::default(),
            probing: None,
            cut_off: false,
            kept: None,
            recalled: None,
            recalled_progress: Progress::FULL,
            redefined: false,
            heard: None,
            due: None,
        }
    }

    /// It is up, and has yet to show that it stays so.
    pub fn is_on_probation(&self) -> bool {
        self.proving.is_some() && matches!(self.state, State::Up { .. })
    }

    /// A process exists, or may come into being from a start that is under way; and it is not left
    /// as it is while the daemon ends.
    pub fn alive(&self) -> bool {
        match self.state {
            State::Starting { .. } | State::Up { .. } | State::Stopping { .. } => !self.is_let_go(),
            State::Down { .. } | State::Backoff { .. } | State::GaveUp { .. } => false,
        }
    }

    /// Services that come after this one have to wait for it: it is on its way up, or goes down first
    /// to come up again. Nobody knows when one will be that waits for something other than services.
    pub fn holds_up_others(&self) -> bool {
        let coming = match self.bar {
            None => true,
            Some(Bar::Requirement { coming, .. } | Bar::Group { coming, .. }) => coming,
            Some(Bar::Keeper(obstacle)) => {
                matches!(obstacle, Obstacle::Unseen | Obstacle::Ending)
            }
            Some(Bar::Need(_) | Bar::Hindered(_) | Bar::Taken { .. }) => false,
        };
        let comes = match self.state {
            State::Up { .. } => self.must_stop() || self.probed_readiness() == Readiness::Awaited,
            State::GaveUp { .. } => false,
            State::Down { .. }
            | State::Starting { .. }
            | State::Stopping { .. }
            | State::Backoff { .. } => true,
        };
        coming && self.called_for() && comes
    }

    /// Services that require this one may run on: it is up, and stays so, or it has done its work; or
    /// it is not known yet how it stands with its keeper.
    pub fn bears_others(&self) -> bool {
        self.has_what_it_takes() || self.first_seen()
    }

    fn has_what_it_takes(&self) -> bool {
        match self.state {
            State::Up { .. } => !self.must_stop(),
            State::Down { why } => why == Down::Finished,
            State::Starting { .. }
            | State::Stopping { .. }
            | State::Backoff { .. }
            | State::GaveUp { .. } => false,
        }
    }

    /// Services that require this one may be started: it can be used, too. One that runs already goes
    /// on without that, since what comes and goes must not make services come and go.
    pub fn admits_others(&self) -> bool {
        let lost = matches!(self.state, State::Up { .. }) && self.readiness() != Readiness::Ready;
        self.has_what_it_takes() && !lost
    }

    /// A process that is there has to be stopped.
    pub fn must_stop(&self) -> bool {
        !self.called_for() || self.restart_wanted || self.bar.is_some()
    }

    /// It should be started as soon as the services before it allow.
    pub fn wants_start(&self) -> bool {
        self.called_for() && self.bar.is_none() && matches!(self.state, State::Down { .. })
    }

    /// It is to run, and there is no process: neither does it wait after a failure.
    pub fn is_at_the_start(&self) -> bool {
        self.called_for() && matches!(self.state, State::Down { .. })
    }

    /// How its latest run ended, while there is none; `None` if it was stopped, and before the first.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.state {
            State::Down {
                why: Down::Finished,
            } => Some(Outcome::Good),
            State::Down { why: Down::Failed } | State::Backoff { .. } | State::GaveUp { .. } => {
                Some(Outcome::Failed)
            }
            State::Down { .. } => self.again.then_some(Outcome::Failed),
            State::Starting { .. } | State::Up { .. } | State::Stopping { .. } => None,
        }
    }

    /// Nothing is known of it from an earlier daemon.
    pub fn is_new(&self) -> bool {
        self.recalled.is_none() && !self.adopted
    }

    /// It was given up, or rests though it has not done its work: whoever needs it wants it started.
    pub fn can_be_called(&self) -> bool {
        match self.state {
            State::GaveUp { .. } => true,
            State::Down { why } => self.wish == Wish::Rest && why != Down::Finished,
            State::Starting { .. } | State::Up { .. } | State::Stopping { .. } => {
                self.wish == Wish::Rest
            }
            State::Backoff { .. } => false,
        }
    }

    /// It is to run, and may.
    pub fn called_for(&self) -> bool {
        self.wish == Wish::Run && !self.held && !self.is_let_go()
    }

    /// Holds it back, or lets it run again if that is wished. A process that is there has to be
    /// stopped with [`Service::stop`].
    pub fn hold(&mut self, held: bool) {
        self.held = held;
        if let State::Down {
            why: why @ (Down::Waiting | Down::Held),
        } = &mut self.state
        {
            *why = if held { Down::Held } else { Down::Waiting };
        }
    }

    /// Everything that a request can change, to see whether one did.
    pub fn course(&self) -> (State, Wish, bool) {
        (self.state, self.wish, self.restart_wanted)
    }

    /// Lets it run from now on; a fresh start for the count of failures.
    pub fn want_run(&mut self) {
        self.wish = Wish::Run;
        match self.state {
            State::Down {
                why: Down::Waiting | Down::Held,
            } => {}
            State::Backoff { .. } | State::GaveUp { .. } | State::Down { .. } => {
                self.backoff.forgive();
                self.await_turn();
            }
            State::Stopping { .. } => self.restart_wanted = true,
            State::Starting { .. } | State::Up { .. } => {}
        }
    }

    /// Lets it rest from now on. [`Service::stop`] has to be called for a process that is there.
    pub fn want_rest(&mut self) {
        self.wish = Wish::Rest;
        self.restart_wanted = false;
        match self.state {
            State::Backoff { .. }
            | State::GaveUp { .. }
            | State::Down {
                // Whoever stops one that failed for good has seen that it did.
                why: Down::Waiting | Down::Held | Down::Failed,
            } => self.rest_in(Down::Stopped),
            State::Down { .. }
            | State::Starting { .. }
            | State::Up { .. }
            | State::Stopping { .. } => {}
        }
    }

    /// Is to be stopped and to run again. [`Service::stop`] has to be called for a process that is
    /// there.
    pub fn want_restart(&mut self) {
        self.want_run();
        if matches!(self.state, State::Up { .. } | State::Starting { .. }) {
            self.backoff.forgive();
            self.restart_wanted = true;
        }
    }

    /// Starts a process. Only from a state without one.
    pub fn start(&mut self, s: &Settings, now: Mono, out: &mut Actions) {
        debug_assert!(!self.alive(), "a second process for {:?}", self.id);
        if self.again {
            // Counted here and not when the failure happened: it may have waited for others since.
            if !self.excused {
                self.backoff.restart(&s.backoff, now);
            }
            self.restarts = self.restarts.saturating_add(1);
        }
        self.run = RunId(self.run.0.saturating_add(1));
        self.adopted = false;
        self.restart_wanted = false;
        self.again = false;
        self.excused = false;
        self.ready_early = false;
        self.account = self.account.next();
        self.probing = Probing::new(s);
        self.ordered = now;
        self.state = State::Starting {
            since: now,
            pid: None,
        };
        self.due = Some(now.after(START_STUCK));
        self.order = Some(out.push(Action::Start {
            service: self.id,
            run: self.run,
        }));
        out.note(Note::ServiceStarting {
            service: self.id,
            run: self.run,
        });
    }

    fn rest_in(&mut self, why: Down) {
        self.state = State::Down { why };
        if self.wish == Wish::Rest {
            // Whoever keeps it lets go of it, too.
            self.account.kept = 0;
        }
        self.again = false;
        self.due = None;
    }

    /// Is to be started when those before it are up and nothing holds it.
    fn await_turn(&mut self) {
        self.rest_in(if self.held { Down::Held } else { Down::Waiting });
    }

    /// Is to be started again without having been asked to.
    fn come_back(&mut self) {
        self.await_turn();
        self.again = true;
    }
}

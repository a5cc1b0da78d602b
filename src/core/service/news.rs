//! News of a run: started, ready, ended, or not even ordered; and what follows from an end.

use super::{Account, Down, Probing, Service, State, StopCause, Wish};
use crate::core::action::Actions;
use crate::core::backoff::Next;
use crate::core::fact::{Change, Errno, Exit, Fault, Pid, RunId, Stage};
use crate::core::note::{Finish, Note, NotifyNote};
use crate::core::picture::Excuse;
use crate::core::settings::{Ended, Ready, Sequel, Service as Settings};
use crate::units::Mono;
use std::time::Duration;

/// Time after which a signal is sent again that found the queue of the children's thread full.
const SIGNAL_AGAIN: Duration = Duration::from_secs(1);

/// `EBUSY`: told of a start that found the queue of the spawner full.
const EBUSY: Errno = Errno(16);

/// What a service has at hand when news of it arrive.
pub(crate) struct Turn<'a> {
    pub s: &'a Settings,
    pub now: Mono,
    /// Any number, another one each time.
    pub jitter: u64,
    /// What a failure now is excused by.
    pub excuse: Option<Excuse>,
    pub out: &'a mut Actions,
}

impl Service {
    /// Its order was not carried out.
    pub fn refused(&mut self, why: &Fault, turn: &mut Turn) {
        let unanswered = self.is_unanswered(why);
        if !unanswered && self.is_not_restarted(why, turn) {
            return;
        }
        match self.state {
            State::Starting { pid: None, .. } if unanswered => {}
            State::Starting { pid: None, .. } => {
                let errno = match why {
                    Fault::Errno(errno) => *errno,
                    Fault::Busy | Fault::Taken { .. } | Fault::Absent | Fault::Implausible => EBUSY,
                };
                let stage = match self.is_kept_elsewhere() {
                    true => Stage::Keeper,
                    false => Stage::Prepare,
                };
                self.start_failed(stage, errno, turn);
                // Nobody else has to go down because a queue of ours was full.
                self.fell = None;
            }
            State::Stopping { .. } if *why == Fault::Busy => {
                self.unsent = Some(self.said);
                self.due = Some(turn.now.after(SIGNAL_AGAIN));
            }
            // What could not be signalled is gone, or will be killed when its time is over.
            State::Starting { pid: Some(_), .. }
            | State::Up { .. }
            | State::Stopping { .. }
            | State::Down { .. }
            | State::Backoff { .. }
            | State::GaveUp { .. } => {}
        }
    }

    /// Takes in what happened to one of its runs. News about another run, or news that cannot be
    /// true in this state, changes nothing.
    pub fn change(&mut self, run: RunId, change: &Change, turn: &mut Turn) {
        let ours = matches!(change, Change::Recalled(_) | Change::Probed { .. });
        if self.is_kept_elsewhere() && !ours {
            // How it stands is for its keeper to say.
            return;
        }
        if let (Change::Adopted { pid, ready }, false) = (change, self.alive()) {
            return self.adopt(run, *pid, *ready, turn);
        }
        if let Change::Recalled(memo) = change {
            return self.recall(run, memo, turn);
        }
        if *change == Change::Redefined {
            self.redefined = true;
            return;
        }
        if run != self.run {
            return;
        }
        match change {
            Change::Started { pid } => self.started(*pid, turn),
            Change::StartFailed { stage, errno } => self.start_failed(*stage, *errno, turn),
            Change::Ready => self.ready(turn),
            Change::Heartbeat => {
                if let State::Up { beat, .. } = &mut self.state {
                    *beat = turn.now;
                    self.account.extended = None;
                }
            }
            Change::Said(said) => self.hear(said, turn),
            Change::Refused { why, times } => {
                let (why, times) = (*why, *times);
                let note = NotifyNote::ServiceRefused { why, times };
                turn.out.note(Note::Notify(self.id, note));
            }
            Change::Probed {
                kind,
                attempt,
                probed,
            } => self.probed(*kind, *attempt, *probed, turn),
            Change::Exited(exit) => self.exited(*exit, turn),
            // It is alive already; and what is known of a job's runs is not known here.
            Change::Adopted { .. }
            | Change::Recalled(_)
            | Change::Redefined
            | Change::Remembered(_)
            | Change::Stops(_) => {}
        }
    }

    fn adopt(&mut self, run: RunId, pid: Pid, ready: bool, turn: &mut Turn) {
        let now = turn.now;
        let ending = self.was_ending(run);
        self.probing = Probing::taken_over(turn.s, self.progress_of(run));
        self.run = run;
        self.ordered = now;
        self.adopted = true;
        self.fell = None;
        self.account = Account::default();
        self.wish = if ending { Wish::Rest } else { Wish::Run };
        turn.out.note(Note::ServiceAdopted {
            service: self.id,
            pid,
        });
        if ready || turn.s.ready == Ready::Exec {
            match self.try_start(turn.s, now) {
                true => {
                    let pid = Some(pid);
                    self.state = State::Starting { since: now, pid };
                }
                false => self.be_up(now, pid, turn),
            }
        } else {
            self.await_ready(pid, turn);
        }
    }

    /// Its program was executed. Its life, and its time to get ready, count from now: a card that
    /// took a minute to load it is not its fault, nor its merit.
    fn started(&mut self, pid: Pid, turn: &mut Turn) {
        if !matches!(self.state, State::Starting { pid: None, .. }) {
            return;
        }
        self.await_ready(pid, turn);
        // Also one that is not wanted any more: it may have to wait for its turn to be stopped.
        if turn.s.ready == Ready::Exec || self.ready_early {
            self.speak_up(turn.now, pid, turn);
        }
    }

    pub(super) fn start_failed(&mut self, stage: Stage, errno: Errno, turn: &mut Turn) {
        if !matches!(self.state, State::Starting { pid: None, .. }) {
            return;
        }
        turn.out.note(Note::ServiceStartFailed {
            service: self.id,
            stage,
            errno,
        });
        self.over(Ended::NotStarted, Duration::ZERO, turn);
    }

    fn ready(&mut self, turn: &mut Turn) {
        match self.state {
            State::Starting { pid: None, .. } => self.ready_early = true,
            State::Starting {
                since,
                pid: Some(pid),
            } => self.speak_up(since, pid, turn),
            State::Up { .. } => self.end_reload(turn),
            State::Stopping { .. }
            | State::Down { .. }
            | State::Backoff { .. }
            | State::GaveUp { .. } => {}
        }
    }

    fn await_ready(&mut self, pid: Pid, turn: &Turn) {
        self.state = State::Starting {
            since: turn.now,
            pid: Some(pid),
        };
        self.due = Some(turn.now.after(turn.s.start_timeout));
    }

    /// It is ready by its own word.
    pub(super) fn speak_up(&mut self, since: Mono, pid: Pid, turn: &mut Turn) {
        if !self.try_start(turn.s, turn.now) {
            self.up(since, pid, turn);
        }
    }

    pub(super) fn up(&mut self, since: Mono, pid: Pid, turn: &mut Turn) {
        turn.out.note(Note::ServiceUp {
            service: self.id,
            pid,
            took: turn.now.since(self.ordered),
        });
        self.be_up(since, pid, turn);
    }

    pub(super) fn be_up(&mut self, since: Mono, pid: Pid, turn: &Turn) {
        let beat = turn.now;
        self.state = State::Up { since, pid, beat };
        let failing = self.backoff.failures() > 1;
        self.proving = failing.then(|| since.after(turn.s.backoff.stable));
        self.account.extended = None;
        self.due = self.up_due(turn.s);
        self.try_life(turn.s, turn.now);
    }

    /// It was taken over, and its run began then.
    pub fn has_run_since(&mut self, began: Mono, s: &Settings) {
        if let State::Up { since, .. } = &mut self.state {
            *since = began;
            self.due = self.up_due(s);
        }
    }

    pub(super) fn exited(&mut self, exit: Exit, turn: &mut Turn) {
        let (since, told) = match self.state {
            // It ended before we heard that it had started: one thread's news overtook the other's.
            State::Starting { pid: None, .. } => (turn.now, None),
            State::Starting {
                since,
                pid: Some(_),
            }
            | State::Up { since, .. } => (since, None),
            // It said so before, but nobody told it to.
            State::Stopping {
                since,
                cause: StopCause::Own,
                ..
            } => (since, None),
            State::Stopping { since, cause, .. } => (since, Some(cause)),
            State::Down { .. } | State::Backoff { .. } | State::GaveUp { .. } => return,
        };
        let asked = told == Some(StopCause::Asked);
        let lived = turn.now.since(since);
        let by_itself = told.is_none() && self.wish == Wish::Run && !self.restart_wanted;
        let done = by_itself && turn.s.sequel(Ended::By(exit)) == Sequel::Done;
        turn.out.note(Note::ServiceExited {
            service: self.id,
            exit,
            asked,
            done,
            lived,
        });
        match told {
            None => self.over(Ended::By(exit), lived, turn),
            Some(StopCause::Fault) => self.over(Ended::Hung, lived, turn),
            Some(StopCause::Asked) if self.wish == Wish::Run => self.await_turn(),
            Some(StopCause::Asked) => self.rest_in(Down::Stopped),
            Some(StopCause::Own) => self.over(Ended::By(exit), lived, turn),
        }
    }

    /// A run is over that nobody asked to end.
    fn over(&mut self, ended: Ended, lived: Duration, turn: &mut Turn) {
        if self.wish == Wish::Rest {
            return self.rest_in(Down::Stopped);
        }
        if self.restart_wanted {
            self.await_turn();
            return;
        }
        match turn.s.sequel(ended) {
            Sequel::Again => self.fail(lived, turn),
            Sequel::Done => self.finish(Finish::Done, turn),
            Sequel::Failed => self.finish(Finish::Failed, turn),
            Sequel::Refused => self.finish(Finish::Refused, turn),
        }
    }

    /// It stays down, until somebody starts it.
    pub(super) fn finish(&mut self, how: Finish, turn: &mut Turn) {
        self.wish = Wish::Rest;
        let service = self.id;
        turn.out.note(Note::ServiceFinished { service, how });
        self.rest_in(match how {
            Finish::Done => Down::Finished,
            Finish::Failed | Finish::Refused => Down::Failed,
        });
    }

    pub(super) fn fail(&mut self, lived: Duration, turn: &mut Turn) {
        let (limits, now) = (&turn.s.backoff, turn.now);
        self.failed = Some(now);
        self.excused = turn.excuse.is_some();
        if let Some(excuse) = turn.excuse {
            self.put_down_to(excuse, turn);
        }
        let next = self
            .backoff
            .fail(limits, now, lived, turn.jitter, self.excused);
        match next {
            Next::Wait(delay) if delay.is_zero() => self.come_back(),
            Next::Wait(delay) => self.wait(delay, turn),
            Next::GiveUp(until) => {
                turn.out.note(Note::ServiceGaveUp {
                    service: self.id,
                    restarts: self.backoff.restarts(),
                    window: limits.window,
                    retry: until.since(now),
                });
                self.state = State::GaveUp { until };
                self.due = Some(until);
            }
        }
        self.fall(false);
    }

    /// Is started again after this time.
    pub(super) fn wait(&mut self, delay: Duration, turn: &mut Turn) {
        turn.out.note(Note::ServiceBackoff {
            service: self.id,
            delay,
            failures: self.backoff.failures(),
        });
        let until = turn.now.after(delay);
        self.state = State::Backoff { until };
        self.due = Some(until);
    }
}

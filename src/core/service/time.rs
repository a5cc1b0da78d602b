//! What comes due: waits, missed deadlines, ceased heartbeats.

use super::end::KILL_AGAIN;
use super::{Service, State, StopCause};
use crate::core::action::{Actions, Reach, Signal};
use crate::core::fact::Pid;
use crate::core::note::{JobNote, Note};
use crate::core::settings::Service as Settings;
use crate::units::Mono;
use std::time::Duration;

/// A look that comes so late means that the whole daemon was held up, not just the service. Usual
/// latencies are far below; and a heartbeat window is at least five times that.
const HELD_UP: Duration = Duration::from_millis(20);

/// Time for what has been said meanwhile to arrive: to be read from the socket and put into the inbox.
const LAST_CALL: Duration = Duration::from_millis(200);

/// Last calls in a row for one deadline: the daemon may be held up during a last call, too. One that is
/// held up all the time must come to a judgement nevertheless.
const MOST_CALLS: u8 = 3;

/// What is killed because it did not end in time. One that said itself that it ends has failed then.
fn overrun(cause: StopCause) -> StopCause {
    match cause {
        StopCause::Own | StopCause::Fault => StopCause::Fault,
        StopCause::Asked => StopCause::Asked,
    }
}

impl Service {
    /// Nobody listens to processes now: it cannot be judged by what is not heard of it.
    pub fn go_unheard(&mut self) {
        if self.judged_by_silence() {
            self.due = None;
        }
    }

    fn judged_by_silence(&self) -> bool {
        match self.state {
            State::Starting { pid: Some(_), .. }
            | State::Up { .. }
            | State::Stopping { killed: false, .. } => true,
            State::Starting { pid: None, .. }
            | State::Stopping { killed: true, .. }
            | State::Down { .. }
            | State::Backoff { .. }
            | State::GaveUp { .. } => false,
        }
    }

    /// Somebody listens to processes again: it gets all its time anew.
    pub fn be_heard(&mut self, s: &Settings, now: Mono) {
        let (tried, patience, ready_by) =
            (self.is_tried(), self.patience(s), self.ready_by(s, now));
        match &mut self.state {
            State::Starting { pid: Some(_), .. } if tried => {}
            State::Starting { pid: Some(_), .. } => {
                self.due = self.account.extended.max(ready_by);
            }
            State::Up { beat, .. } => {
                *beat = now;
                self.renew_reload(s, now);
                self.due = self.up_due(s);
            }
            State::Stopping { killed: false, .. } => {
                self.due = self.account.extended.max(Some(now.after(patience)));
            }
            State::Starting { pid: None, .. }
            | State::Stopping { killed: true, .. }
            | State::Down { .. }
            | State::Backoff { .. }
            | State::GaveUp { .. } => {}
        }
    }

    /// When a run that is up is looked at next: its heartbeat ceases, it has become a stable one, or it
    /// should have reloaded.
    pub(super) fn up_due(&self, s: &Settings) -> Option<Mono> {
        let reload = self.account.reloading.map(|reload| reload.due);
        let times = [self.silent_at(s), self.proving, reload, self.over_at(s)];
        times.into_iter().flatten().min()
    }

    /// When the run of a job must be over.
    fn over_at(&self, s: &Settings) -> Option<Mono> {
        let State::Up { since, .. } = self.state else {
            return None;
        };
        Some(since.after(s.job.as_ref()?.timeout))
    }

    /// When a run that is up has been silent for too long, if it says nothing from now on.
    fn silent_at(&self, s: &Settings) -> Option<Mono> {
        let State::Up { beat, .. } = self.state else {
            return None;
        };
        let silent = beat.after(self.window(s)?);
        Some(silent.max(self.account.extended.unwrap_or(silent)))
    }

    /// When it is judged: a heartbeat since the deadline was set has moved it.
    fn judged_at(&self, s: &Settings, due: Mono) -> Mono {
        self.silent_at(s).map_or(due, |silent| due.max(silent))
    }

    /// The daemon itself was held up. What it was to hear may still be on its way: it gets a moment to
    /// arrive.
    fn gets_last_call(&mut self, due: Mono, now: Mono) -> bool {
        let calls = match self.last_call {
            Some((call, calls)) if call == due => calls,
            Some(_) | None => 0,
        };
        let held_up = now.since(due) >= HELD_UP && calls < MOST_CALLS;
        if held_up && self.judged_by_silence() {
            let call = now.after(LAST_CALL);
            self.last_call = Some((call, calls + 1));
            self.due = Some(call);
            return true;
        }
        false
    }

    /// Its time has come: a wait is over, or a deadline was missed.
    pub fn tick(&mut self, s: &Settings, now: Mono, out: &mut Actions) {
        let Some(due) = self.due.filter(|due| *due <= now) else {
            return;
        };
        if self.gets_last_call(self.judged_at(s, due), now) {
            return;
        }
        self.due = None;
        match self.state {
            State::Backoff { .. } | State::GaveUp { .. } => self.come_back(),
            State::Starting { since, pid: None } => {
                let (service, waited) = (self.id, now.since(since));
                out.note(Note::ServiceStartStuck { service, waited });
            }
            State::Starting {
                since,
                pid: Some(pid),
            } => {
                let waited = match self.account.extended {
                    None => s.start_timeout,
                    Some(_) => now.since(since),
                };
                out.note(Note::ServiceNotReady {
                    service: self.id,
                    waited,
                });
                let run = (since, Some(pid));
                self.tell_to_end(s, now, run, StopCause::Fault, Signal::Stop, out);
            }
            State::Up { since, pid, beat } => {
                if self.proving.take_if(|stable| *stable <= now).is_some() {
                    self.backoff.settle();
                }
                out.notes.extend(self.give_up_reload(now));
                match self.over_at(s).is_some_and(|until| until <= now) {
                    true => self.end_overrun(s, now, (since, pid), out),
                    false => self.check_heartbeat(s, now, (since, pid), beat, out),
                }
            }
            State::Stopping {
                since,
                pid,
                told,
                cause,
                killed,
            } => {
                if killed {
                    self.signal(Signal::Kill, Reach::All, out);
                    self.due = Some(now.after(KILL_AGAIN));
                } else if let Some(signal) = self.unsent {
                    self.tell_again(s, now, signal, out);
                } else {
                    self.kill_run(now, since, pid, told, overrun(cause), out);
                }
            }
            State::Down { .. } => {}
        }
    }

    /// Nobody has heard it before: its time begins now, also for whoever hurries it.
    fn tell_again(&mut self, s: &Settings, now: Mono, signal: Signal, out: &mut Actions) {
        self.heard = Some(now);
        self.signal(signal, Reach::Main, out);
        self.due = Some(now.after(self.patience(s)));
    }

    fn end_overrun(&mut self, s: &Settings, now: Mono, run: (Mono, Pid), out: &mut Actions) {
        let ran = now.since(run.0);
        out.note(Note::Job(self.id, JobNote::JobOverran { ran }));
        let run = (run.0, Some(run.1));
        self.tell_to_end(s, now, run, StopCause::Fault, Signal::Stop, out);
    }

    fn check_heartbeat(
        &mut self,
        s: &Settings,
        now: Mono,
        run: (Mono, Pid),
        beat: Mono,
        out: &mut Actions,
    ) {
        if self.silent_at(s).is_none_or(|silent| silent > now) {
            self.due = self.up_due(s);
            return;
        }
        out.note(Note::ServiceHung {
            service: self.id,
            silent: now.since(beat),
        });
        let run = (run.0, Some(run.1));
        self.tell_to_end(s, now, run, StopCause::Fault, Signal::Abort, out);
    }
}

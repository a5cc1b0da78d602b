//! Ends of a service that somebody else keeps after which it is to run again.
//!
//! A keeper that is told to stop a service may stop others along with it, which hang on it there and of
//! which nothing is known here, and nobody would start those again. A restart in one go and a failure
//! spare them. So whoever asks for a restart has it done in one go, and one that hangs is ended as one
//! that has failed; its keeper may start it again by itself after either.
//!
//! What is to stay down is stopped: one that is to rest, is barred, was given up, or goes with the
//! machine.

use super::{Probing, Service, State, StopCause, Turn};
use crate::core::action::{Actions, Signal};
use crate::core::fact::{Exit, Fault, Pid, RunId, Stage};
use crate::core::note::{KeeperNote, Note};
use crate::core::settings::{Ended, Sequel, Service as Settings};
use crate::units::Mono;
use std::time::Duration;

impl Service {
    /// Has its keeper restart it, which somebody wants. False where it has to be stopped, and started
    /// when its turn comes.
    pub fn restart_in_one_go(&mut self, s: &Settings, now: Mono, out: &mut Actions) -> bool {
        let State::Up { since, pid, .. } = self.state else {
            return false;
        };
        let fit = self.restart_wanted && self.may_run() && drags_others(s);
        if !fit || self.order.is_some() || s.stop_timeout.is_zero() || self.is_out_of_sight() {
            return false;
        }
        out.note(Note::ServiceStopping { service: self.id });
        let run = (since, Some(pid));
        self.tell_to_end(s, now, run, StopCause::Asked, Signal::Restart, out);
        true
    }

    /// How one that hangs is told to end: as one that fails, unless it is to stay down then.
    pub(super) fn how_to_fail(&self, s: &Settings, now: Mono, signal: Signal) -> Signal {
        let again = s.sequel(Ended::Hung) == Sequel::Again && self.may_run();
        match drags_others(s) && again && !self.backoff.is_spent(&s.backoff, now) {
            true => Signal::Abort,
            false => signal,
        }
    }

    /// It may run as far as everybody's wishes go, were it not for itself.
    fn may_run(&self) -> bool {
        self.called_for() && self.bar.is_none()
    }

    /// It was told to end in a way after which its keeper may start it again.
    fn may_return(&self) -> bool {
        let told = matches!(self.said, Signal::Restart | Signal::Abort);
        self.kept.is_some() && told && matches!(self.state, State::Stopping { .. })
    }

    /// It is on its way down and would be started again by its keeper, and that must not be any more.
    pub(super) fn must_not_return(&self) -> bool {
        self.may_return() && !self.may_run()
    }

    /// The signal that ends all of it now.
    pub(super) fn last_signal(&self) -> Signal {
        match self.may_return() && self.may_run() {
            true => Signal::Abort,
            false => Signal::Kill,
        }
    }

    /// It is on its way up, after an end of its latest life if its keeper waits: that is the life after
    /// the one that was told to end.
    pub(super) fn returns(&self, pid: Option<Pid>, after: Option<Exit>) -> bool {
        let old = self.main();
        let another = match self.said {
            // It was up.
            Signal::Restart => pid.is_none() || pid != old,
            Signal::Abort | Signal::Stop | Signal::Kill => pid.is_some() && pid != old,
        };
        self.can_return() && (another || after.is_some())
    }

    /// Its end, and its next life, are what was asked for.
    pub(super) fn can_return(&self) -> bool {
        self.may_return() && self.may_run() && self.order.is_none()
    }

    /// It has ended, and another life of it has begun already.
    pub(super) fn return_alive(&mut self, pid: Pid, turn: &mut Turn) {
        self.return_from(Exit::Unknown, turn);
        // This is the life that was counted.
        if let Some(kept) = &mut self.kept {
            kept.counted = 0;
        }
        self.begin_life(pid, turn);
    }

    /// It has ended in this way, and another life of it begins.
    pub(super) fn return_from(&mut self, exit: Exit, turn: &mut Turn) {
        let asked = matches!(
            self.state,
            State::Stopping {
                cause: StopCause::Asked,
                ..
            }
        );
        self.exited(exit, turn);
        self.run = RunId(self.run.0.saturating_add(1));
        (self.adopted, self.restart_wanted) = (false, false);
        match asked {
            true => turn.out.note(Note::ServiceStarting {
                service: self.id,
                run: self.run,
            }),
            false => self.count_own(turn),
        }
        (self.again, self.excused) = (false, false);
        self.account = self.account.next();
        self.probing = Probing::new(turn.s);
        self.ordered = turn.now;
        self.state = State::Starting {
            since: turn.now,
            pid: None,
        };
        self.due = Some(turn.now.after(super::START_STUCK));
    }

    /// It has failed, and its keeper starts it again: that is the restart that it waited for.
    fn count_own(&mut self, turn: &mut Turn) {
        if !self.excused {
            self.backoff.restart(&turn.s.backoff, turn.now);
        }
        self.restarts = self.restarts.saturating_add(1);
        if let Some(kept) = &mut self.kept {
            // Its keeper counts it as well.
            kept.counted = kept.counted.saturating_add(1);
        }
        let failures = self.backoff.failures();
        self.tell_kept(KeeperNote::RestartedElsewhere { failures }, turn.out);
    }

    /// Its keeper has refused to restart it: it runs on. Returns whether it was that.
    pub(super) fn is_not_restarted(&mut self, why: &Fault, turn: &mut Turn) -> bool {
        let State::Stopping {
            since,
            pid: Some(pid),
            killed: false,
            ..
        } = self.state
        else {
            return false;
        };
        let (Signal::Restart, Fault::Errno(errno)) = (self.said, why) else {
            return false;
        };
        turn.out.note(Note::ServiceStartFailed {
            service: self.id,
            stage: Stage::Keeper,
            errno: *errno,
        });
        self.restart_wanted = false;
        self.be_up(since, pid, turn);
        true
    }

    /// Time that it has to end in. Where nobody has said so, it is what its keeper gives it, if that is
    /// more than what holds by default; and what holds by default while the machine goes down or cannot
    /// afford it, because others wait for their turn then and the battery for nobody.
    pub(super) fn patience(&self, s: &Settings) -> Duration {
        let own = self.kept.as_ref().and_then(|kept| kept.patience);
        let own = own.filter(|_| s.keeper.as_ref().is_some_and(|k| k.has_own_stop()));
        let own = own.filter(|_| !self.held);
        own.map_or(s.stop_timeout, |own| own.max(s.stop_timeout))
    }

    /// When it must be ready, if it has a process from now on; `None` where that is for its keeper to
    /// say.
    pub(super) fn ready_by(&self, s: &Settings, now: Mono) -> Option<Mono> {
        let own = s.keeper.as_ref().is_some_and(|k| k.has_own_start());
        (!own).then(|| now.after(s.start_timeout))
    }
}

fn drags_others(s: &Settings) -> bool {
    let keeper = s.keeper.as_ref();
    keeper.is_some_and(|keeper| keeper.drags_others())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::{Health, Life, ServiceId, Standing};
    use crate::core::settings::Keeper;

    /// A unit of which nobody has said how long it may take to stop has what systemd gives it: from the
    /// beginning, and once a battery that was short is not any more.
    #[test]
    fn its_own_time_to_stop_holds() {
        let mut s = Settings::named("db");
        let of = |own_stop| Keeper::Systemd {
            unit: "db.service".into(),
            own_start: true,
            own_stop,
        };
        for (own_stop, seconds) in [(true, 90), (false, 10)] {
            s.keeper = Some(Box::new(of(own_stop)));
            let (now, mut out) = (Mono(1_000_000), Actions::default());
            let mut service = Service::of(ServiceId(0), &s);
            let up = Standing::Up {
                life: Life(1),
                pid: Pid::new(7).unwrap(),
                again: 0,
                health: Health::Untold,
                patience: Some(Duration::from_secs(90)),
            };
            let mut turn = Turn {
                s: &s,
                now,
                jitter: 0,
                excuse: None,
                out: &mut out,
            };
            service.stand(&up, &mut turn);
            service.want_rest();
            service.stop(&s, now, &mut out);
            let own = Some(now.after(Duration::from_secs(seconds)));
            assert_eq!(service.due, own);
            service.hurry(Duration::from_secs(3));
            assert_eq!(service.due, Some(now.after(Duration::from_secs(3))));
            service.stop_at_ease(&s);
            assert_eq!(service.due, own);
            // The machine goes down a second later: others wait for their turn.
            let later = now.after(Duration::from_secs(1));
            service.hold(true);
            service.go_down(&s, later);
            let ours = Some(later.after(s.stop_timeout)).min(own);
            assert_eq!(service.due, ours);
            assert_eq!(service.patience(&s), s.stop_timeout);
        }
    }
}

//! A service whose process somebody else keeps, its *keeper*: what follows from how it stands there.
//!
//! Its keeper is asked to start and to stop it, as the children's threads are for a process of ours;
//! but it may do both without being asked, or be asked by others. So what it says is compared with
//! what was known:
//!
//! | says | known as up | known as down |
//! |---|---|---|
//! | up, the same life | nothing new | |
//! | up, another life | started by its keeper: a restart; or by somebody | kept from now on |
//! | coming | its start is waited for | the same |
//! | down, told to | somebody's wish: it is left alone | nothing new |
//! | down by itself | it ended | nothing new |
//! | nothing | nothing is decided | nothing is started |
//!
//! Never starts one of which it is not known that it is down.

use super::sight::ETIMEDOUT;
use super::{Bar, Down, Probing, Service, State, Turn, Wish};
use crate::core::action::Actions;
use crate::core::fact::{Exit, Health, Life, Obstacle, Pid, ServiceId, Stage, Standing};
use crate::core::memo::Left;
use crate::core::note::{Finish, KeeperNote, Note};
use crate::core::settings::{Restart, Service as Settings};
use crate::units::Mono;
use std::time::Duration;

/// What is known of a service that somebody else keeps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Kept {
    /// Its latest life, as far as it was seen up.
    life: Option<Life>,
    /// When that was seen first.
    since: Mono,
    /// Times its keeper had started it again by itself when it was seen last.
    again: u32,
    /// What its keeper thinks of that life.
    pub(super) health: Health,
    /// Why it cannot be started.
    obstacle: Option<Obstacle>,
    /// Its keeper does not say how it stands.
    pub(super) silent: bool,
    /// Whoever asks its keeper is stuck.
    pub(super) unasked: bool,
    /// It was ordered to start, and nobody knows whether that was heard.
    pub(super) unanswered: bool,
    /// A start was not heard, and it was not seen up since.
    unheard: bool,
    /// Its life ended and another one was on its way, and we had not asked for that.
    replaced: bool,
    /// Times since then that its end was counted while its keeper waited to start it again.
    pub(super) counted: u32,
    /// Time that its keeper gives it to end.
    pub(super) patience: Option<Duration>,
    /// The daemon ends and leaves it as it is.
    let_go: bool,
}

impl Service {
    /// One with these settings.
    pub fn of(id: ServiceId, s: &Settings) -> Service {
        let mut service = Service::new(id, s.job.is_some());
        service.kept = s.keeper.is_some().then(|| {
            Box::new(Kept {
                life: None,
                since: Mono::default(),
                again: 0,
                health: Health::Untold,
                obstacle: Some(Obstacle::Unseen),
                silent: false,
                unasked: false,
                unanswered: false,
                unheard: false,
                replaced: false,
                counted: 0,
                patience: None,
                let_go: false,
            })
        });
        service
    }

    /// A process of ours is on its way: whoever takes over would not know of it.
    pub fn is_being_made(&self) -> bool {
        matches!(self.state, State::Starting { pid: None, .. }) && self.kept.is_none()
    }

    /// Somebody else keeps its process.
    pub fn is_kept_elsewhere(&self) -> bool {
        self.kept.is_some()
    }

    /// Why its keeper cannot start it, or nobody knows whether it can.
    pub fn obstacle(&self) -> Option<Obstacle> {
        let kept = self.kept.as_ref()?;
        if kept.obstacle == Some(Obstacle::Unseen) || !self.is_out_of_sight() {
            return kept.obstacle;
        }
        Some(Obstacle::Silent)
    }

    /// What keeps it from being started by its keeper. One that runs is let run.
    pub fn keeper_bar(&self) -> Option<Bar> {
        let wanted = self.called_for() && !self.alive();
        let obstacle = self.obstacle().filter(|_| wanted)?;
        Some(Bar::Keeper(obstacle))
    }

    /// It may be told to end before it has a process: its keeper takes back a start that is to come.
    pub(super) fn can_be_told_early(&self) -> bool {
        self.kept.is_some() && self.order.is_none() && !self.is_out_of_sight()
    }

    /// The daemon ends: whether it is left as it is, or goes down with the machine after all.
    pub fn let_go(&mut self, let_go: bool) -> bool {
        let kept = self.kept.as_mut();
        kept.map(|kept| kept.let_go = let_go).is_some()
    }

    /// The daemon ends, and it is left as it is.
    pub(super) fn is_let_go(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.let_go)
    }

    /// This daemon has yet to see how it stands.
    pub(super) fn first_seen(&self) -> bool {
        let kept = self.kept.as_ref();
        kept.is_some_and(|k| k.obstacle == Some(Obstacle::Unseen))
    }

    pub(super) fn tell_kept(&self, note: KeeperNote, out: &mut Actions) {
        out.note(Note::Keeper(self.id, note));
    }

    /// Takes in how it stands with its keeper.
    pub fn stand(&mut self, standing: &Standing, turn: &mut Turn) {
        let first = self.first_seen();
        match standing {
            Standing::Unknown { why } => return self.lose_sight(why, turn.out),
            Standing::Up { .. }
            | Standing::Coming { .. }
            | Standing::Going
            | Standing::Down { .. } => self.regain_sight(turn),
        }
        let Some(kept) = &mut self.kept else {
            return;
        };
        kept.obstacle = match standing {
            Standing::Down { obstacle, .. } => *obstacle,
            Standing::Going if first => Some(Obstacle::Unseen),
            Standing::Going => Some(Obstacle::Ending),
            Standing::Up { .. } | Standing::Coming { .. } | Standing::Unknown { .. } => None,
        };
        match *standing {
            Standing::Up {
                life,
                pid,
                again,
                health,
                patience,
            } => {
                kept.patience = patience;
                self.seen_up(first, (life, pid, again), turn);
                self.heed(health, turn);
            }
            Standing::Coming { pid, after } => self.seen_coming(first, pid, after, turn),
            Standing::Down { exit, told, .. } => self.seen_down(first, exit, told, turn),
            Standing::Going | Standing::Unknown { .. } => {}
        }
    }

    fn seen_up(&mut self, first: bool, (life, pid, again): (Life, Pid, u32), turn: &mut Turn) {
        let Some(kept) = &mut self.kept else {
            return;
        };
        let before = (kept.life.replace(life), kept.again, kept.since);
        (kept.again, kept.unanswered, kept.unheard) = (again, false, false);
        let counted = std::mem::take(&mut kept.counted);
        let (old, own) = (before.0, again > before.1);
        let told = again <= before.1.saturating_add(counted);
        let same = old == Some(life);
        if !same {
            (kept.since, kept.health) = (turn.now, Health::Untold);
        }
        let another = old.is_some() && !same;
        match self.state {
            State::Up { .. } if another => {
                self.live_again(own, turn.now.since(before.2), turn);
                self.begin_life(pid, turn);
            }
            State::Starting { .. } if self.is_tried() && another => {
                self.live_again(own, turn.now.since(before.2), turn);
                self.begin_life(pid, turn);
            }
            State::Starting { .. } if self.is_tried() => self.set_main(pid),
            State::Starting { .. } => {
                let replaced = self.kept.as_mut().map(|k| std::mem::take(&mut k.replaced));
                if own && another {
                    if !told {
                        self.count_restart(turn.now.since(before.2), turn);
                    }
                } else if replaced == Some(true) {
                    self.tell_kept(KeeperNote::StartedElsewhere, turn.out);
                }
                self.begin_life(pid, turn);
            }
            State::Up { .. } => self.set_main(pid),
            State::Stopping { .. } if !another => self.set_main(pid),
            // It came up before its keeper could be told to end it.
            State::Stopping { pid: None, .. } if self.order.is_some() => self.set_main(pid),
            State::Stopping { .. } if self.can_return() => {
                self.return_alive(pid, turn);
            }
            State::Stopping { .. } => {
                self.exited(Exit::Unknown, turn);
                self.take_up(false, turn);
                self.begin_life(pid, turn);
            }
            State::Down { .. } | State::Backoff { .. } | State::GaveUp { .. } => {
                self.take_up(first, turn);
                match first {
                    true => self.begin_adopted(pid, turn),
                    false => self.begin_life(pid, turn),
                }
            }
        }
    }

    /// `after`: its life has ended in this way, and its keeper waits to start it again.
    fn seen_coming(&mut self, first: bool, pid: Option<Pid>, after: Option<Exit>, turn: &mut Turn) {
        if after.is_some() {
            self.count_end(turn);
        }
        match self.state {
            State::Down { .. } | State::Backoff { .. } | State::GaveUp { .. } => {
                self.take_up(first, turn);
            }
            State::Up { .. } => self.be_replaced(),
            State::Starting { .. } if self.is_tried() => self.be_replaced(),
            State::Starting { pid: Some(_), .. } if after.is_some() => self.be_replaced(),
            State::Starting { pid: None, .. } if pid.is_some() => {}
            // Its keeper has waited for long enough, and something else holds it up.
            State::Starting { pid: None, .. } if self.due.is_none() && after.is_none() => {}
            State::Stopping { .. } if self.returns(pid, after) => {
                self.return_from(after.unwrap_or(Exit::Unknown), turn);
            }
            State::Starting { .. } | State::Stopping { .. } => {
                return pid.into_iter().for_each(|pid| self.set_main(pid));
            }
        }
        // Its life is over, and there is another one to come.
        if !matches!(self.state, State::Starting { pid: None, .. }) {
            self.probing = Probing::new(turn.s);
            self.ordered = turn.now;
        }
        self.proving = None;
        self.state = State::Starting {
            since: turn.now,
            pid,
        };
        self.due = match (pid, after) {
            (Some(_), _) => self.ready_by(turn.s, turn.now),
            // How long its keeper waits is for its owner to say.
            (None, Some(_)) => None,
            (None, None) => Some(turn.now.after(super::START_STUCK)),
        };
    }

    /// It ended by itself, and its keeper is going to start it again: that counts now, however long the
    /// keeper waits, and not once more when it is up.
    fn count_end(&mut self, turn: &mut Turn) {
        let lived = match self.state {
            State::Up { since, .. }
            | State::Starting {
                since,
                pid: Some(_),
            } => turn.now.since(since),
            State::Starting { pid: None, .. }
            | State::Stopping { .. }
            | State::Down { .. }
            | State::Backoff { .. }
            | State::GaveUp { .. } => return,
        };
        if let Some(kept) = &mut self.kept {
            kept.counted = kept.counted.saturating_add(1);
        }
        self.count_restart(lived, turn);
    }

    fn be_replaced(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.replaced = true;
        }
        self.begin_run();
    }

    fn seen_down(&mut self, first: bool, exit: Exit, told: bool, turn: &mut Turn) {
        if self.order.is_some() {
            // It may be older than the order: it is looked at once more when that is carried out.
            return;
        }
        let unanswered = self.kept.as_mut().map(|kept| {
            kept.replaced = false;
            std::mem::take(&mut kept.unanswered)
        });
        match self.state {
            State::Down { .. } | State::Backoff { .. } | State::GaveUp { .. } => {
                if first && self.ended_unseen() {
                    self.fell_unseen(told, turn);
                }
            }
            State::Starting { pid: None, .. } if unanswered == Some(true) => self.unheard(turn),
            State::Starting { .. } | State::Up { .. } if told => self.leave_alone(turn.out),
            State::Starting { .. } | State::Up { .. } | State::Stopping { .. } => {
                self.exited(exit, turn);
            }
        }
    }

    /// It was ordered to start, and is down: its keeper may not have heard that, which is no failure of
    /// the service. But where that is so twice in a row, its start may be what takes its keeper along.
    fn unheard(&mut self, turn: &mut Turn) {
        let unheard = self
            .kept
            .as_mut()
            .map(|k| std::mem::replace(&mut k.unheard, true));
        match unheard {
            Some(true) => {
                self.start_failed(Stage::Keeper, ETIMEDOUT, turn);
                // As where it is refused: nobody else has to go down for that.
                self.fell = None;
            }
            Some(false) | None => self.await_turn(),
        }
    }

    /// It ran when the last daemon did, and is down.
    fn fell_unseen(&mut self, told: bool, turn: &mut Turn) {
        if told {
            return self.leave_alone(turn.out);
        }
        if self.wish == Wish::Rest {
            // Somebody has had it stopped since.
            return self.rest_in(Down::Stopped);
        }
        turn.out.note(Note::ServiceRecalled {
            service: self.id,
            left: Left::Running,
        });
        match turn.s.restart {
            Restart::Always | Restart::OnFailure | Restart::OnAbnormal => {
                self.fail(Duration::ZERO, turn);
            }
            Restart::Never => self.finish(Finish::Failed, turn),
        }
    }

    /// Somebody stopped it.
    fn leave_alone(&mut self, out: &mut Actions) {
        self.tell_kept(KeeperNote::StoppedElsewhere, out);
        self.wish = Wish::Rest;
        self.restart_wanted = false;
        self.proving = None;
        self.rest_in(Down::Elsewhere);
    }

    /// It runs, or is about to, and we have not asked for that.
    fn take_up(&mut self, first: bool, turn: &mut Turn) {
        let ending = first && self.was_ending(self.run);
        match first {
            true => {
                self.run.0 = self.run.0.max(1);
                self.adopted = true;
            }
            false => {
                self.tell_kept(KeeperNote::StartedElsewhere, turn.out);
                self.begin_run();
            }
        }
        let progress = self.progress_of(self.run);
        self.probing = match first {
            true => Probing::taken_over(turn.s, progress),
            false => Probing::new(turn.s),
        };
        self.wish = if ending { Wish::Rest } else { Wish::Run };
        self.fell = None;
        self.ordered = turn.now;
        self.again = false;
        self.state = State::Starting {
            since: turn.now,
            pid: None,
        };
    }

    /// It has ended and runs again, and we have not asked for that.
    fn live_again(&mut self, own: bool, lived: Duration, turn: &mut Turn) {
        match own {
            true => self.count_restart(lived, turn),
            false => self.tell_kept(KeeperNote::StartedElsewhere, turn.out),
        }
        self.begin_run();
        self.probing = Probing::new(turn.s);
        self.ordered = turn.now;
        self.state = State::Starting {
            since: turn.now,
            pid: None,
        };
    }

    fn begin_run(&mut self) {
        self.run = crate::core::fact::RunId(self.run.0.saturating_add(1));
        self.adopted = false;
        self.restart_wanted = false;
    }

    /// A restart by its keeper counts like one of ours. It is not given up for that: it runs, or will.
    fn count_restart(&mut self, lived: Duration, turn: &mut Turn) {
        self.failed = Some(turn.now);
        let excused = turn.excuse.is_some();
        if let Some(excuse) = turn.excuse {
            self.put_down_to(excuse, turn);
        }
        let limits = &turn.s.backoff;
        let _ = self
            .backoff
            .fail(limits, turn.now, lived, turn.jitter, excused);
        if !excused {
            self.backoff.restart(limits, turn.now);
        }
        self.restarts = self.restarts.saturating_add(1);
        let failures = self.backoff.failures();
        self.tell_kept(KeeperNote::RestartedElsewhere { failures }, turn.out);
        // Whoever goes with it must not run on without it.
        self.excused = excused;
        self.fall(false);
        self.excused = false;
    }

    /// Its process is there.
    pub(super) fn begin_life(&mut self, pid: Pid, turn: &mut Turn) {
        let State::Starting { since, .. } = self.state else {
            return;
        };
        self.state = State::Starting {
            since,
            pid: Some(pid),
        };
        self.speak_up(since, pid, turn);
    }

    /// It ran before this daemon did.
    fn begin_adopted(&mut self, pid: Pid, turn: &mut Turn) {
        let (service, since) = (self.id, turn.now);
        turn.out.note(Note::ServiceAdopted { service, pid });
        self.state = State::Starting {
            since,
            pid: Some(pid),
        };
        if !self.try_start(turn.s, since) {
            self.be_up(since, pid, turn);
        }
    }

    fn set_main(&mut self, main: Pid) {
        match &mut self.state {
            State::Starting { pid: Some(pid), .. } | State::Up { pid, .. } => *pid = main,
            State::Stopping { pid, .. } => *pid = Some(main),
            State::Starting { pid: None, .. }
            | State::Down { .. }
            | State::Backoff { .. }
            | State::GaveUp { .. } => {}
        }
    }
}

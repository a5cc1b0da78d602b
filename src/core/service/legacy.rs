//! What passes from one daemon to the next in one boot: what this one leaves, and what it makes of
//! what it was left.

use super::{Down, Service, State, Turn, Wish};
use crate::core::fact::RunId;
use crate::core::memo::{Left, Memo, Progress, Rest};
use crate::core::note::{Finish, Note};
use crate::core::settings::Restart;
use crate::units::Mono;
use std::time::Duration;

/// The parts of a memo that tell whether it has changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest {
    left: Left,
    run: RunId,
    failures: u32,
    restarts: (u32, Option<Mono>),
    progress: Progress,
}

impl Service {
    /// What a successor would have to know now, in short.
    pub fn digest(&self) -> Digest {
        Digest {
            left: self.left(),
            run: self.run,
            failures: self.backoff.failures(),
            restarts: (self.backoff.restarts(), self.backoff.latest()),
            progress: self.progress(),
        }
    }

    /// What a successor would have to know now.
    pub fn memo(&self) -> Memo {
        Memo {
            left: self.left(),
            failures: self.backoff.failures(),
            restarts: self.backoff.latest_restarts(Memo::RESTARTS),
            progress: self.progress(),
        }
    }

    fn left(&self) -> Left {
        match (self.state, self.wish) {
            // Only others keep it from being started again.
            (State::Down { .. }, Wish::Run) if self.again => Left::Backoff {
                until: self.failed.unwrap_or_default(),
            },
            (State::Down { .. }, Wish::Run) => Left::Waiting,
            (State::Down { why }, Wish::Rest) => Left::Resting {
                why: match why {
                    Down::NotStarted => Rest::NotStarted,
                    Down::Stopped | Down::Waiting | Down::Held => Rest::Stopped,
                    Down::Finished => Rest::Finished,
                    Down::Failed => Rest::Failed,
                    Down::Elsewhere => Rest::Elsewhere,
                },
            },
            // Whoever finds it down must not take that for somebody else's doing.
            (State::Stopping { .. }, Wish::Run) if self.is_kept_elsewhere() => Left::Waiting,
            (State::Starting { .. } | State::Up { .. } | State::Stopping { .. }, Wish::Run) => {
                Left::Running
            }
            (State::Starting { .. } | State::Up { .. } | State::Stopping { .. }, Wish::Rest) => {
                Left::Ending
            }
            (State::Backoff { until }, _) => Left::Backoff { until },
            (State::GaveUp { until }, _) => Left::GaveUp { until },
        }
    }

    /// Takes up what an earlier daemon left, before it is known what lives on.
    pub fn recall(&mut self, run: RunId, memo: &Memo, turn: &Turn) {
        if self.alive() || self.recalled.is_some() {
            return;
        }
        self.run = run;
        self.recalled_progress = memo.progress;
        if memo.left == Left::Over {
            return;
        }
        self.recalled = Some(memo.left);
        let (limits, now) = (&turn.s.backoff, turn.now);
        self.backoff.recall(memo.failures, &memo.restarts, now);
        // No wait is longer, whatever the memo says.
        let longest = limits.cap.max(limits.cooldown).max(limits.window);
        let bounded = |until: Mono| until.min(now.after(longest));
        match memo.left {
            Left::Over => {}
            Left::Waiting | Left::Running => {
                self.wish = Wish::Run;
                self.await_turn();
            }
            Left::Ending => self.rest_in(Down::Stopped),
            Left::Resting { why } => self.rest_in(match why {
                Rest::NotStarted => Down::NotStarted,
                Rest::Stopped => Down::Stopped,
                Rest::Finished => Down::Finished,
                Rest::Failed => Down::Failed,
                Rest::Elsewhere => Down::Elsewhere,
            }),
            Left::Backoff { until } => {
                self.wish = Wish::Run;
                let until = bounded(until);
                self.state = State::Backoff { until };
                self.due = Some(until);
                self.fall(true);
            }
            Left::GaveUp { until } => {
                self.wish = Wish::Run;
                let until = bounded(until);
                self.state = State::GaveUp { until };
                self.due = Some(until);
                self.fall(true);
            }
        }
    }

    /// A process of it lives on. How far had its probes let it come?
    pub(super) fn progress_of(&self, run: RunId) -> Progress {
        match self.recalled {
            // A memo that is older than the process says nothing about it, but that it is young.
            Some(_) if run != self.run => Progress {
                started: false,
                ready: false,
            },
            Some(_) | None => self.recalled_progress,
        }
    }

    /// A process of it lives on. Was it being stopped?
    pub fn was_ending(&self, run: RunId) -> bool {
        // A memo that is older than the process says nothing about it.
        self.recalled == Some(Left::Ending) && run == self.run
    }

    /// It ran when the last daemon did, and does not live on.
    pub fn ended_unseen(&self) -> bool {
        self.recalled == Some(Left::Running) && !self.adopted
    }

    /// It is configured otherwise than it was started. Is it started anew for that? What runs or keeps
    /// failing is, and that is no failure; what was stopped or has done its work rests; a job ends by
    /// itself first.
    fn takes_up(&self, autostart: bool) -> bool {
        if self.adopted {
            return !self.job && self.wish == Wish::Run;
        }
        match self.recalled {
            None | Some(Left::Over | Left::Waiting | Left::Ending) => false,
            Some(Left::Running | Left::Backoff { .. } | Left::GaveUp { .. }) => !self.job,
            Some(Left::Resting { why }) => why == Rest::Failed && autostart,
        }
    }

    /// The daemon begins; what lives on was told before. `autostart`: it is to run unless it was
    /// left otherwise.
    pub fn begin(&mut self, autostart: bool, turn: &mut Turn) {
        if self.redefined && self.takes_up(autostart) {
            turn.out.note(Note::ServiceRedefined(self.id));
            self.fell = None;
            self.want_restart();
            return;
        }
        let Some(left) = self.recalled.filter(|_| !self.adopted) else {
            if autostart && self.recalled.is_none() {
                self.want_run();
            }
            return;
        };
        let silent = matches!(
            left,
            Left::Over
                | Left::Waiting
                | Left::Resting {
                    why: Rest::NotStarted
                }
        );
        // Whether one runs that somebody else keeps is not known yet.
        let unknown = self.is_kept_elsewhere() && matches!(left, Left::Running | Left::Ending);
        if !silent && !unknown {
            turn.out.note(Note::ServiceRecalled {
                service: self.id,
                left,
            });
        }
        // How it ended nobody knows, and so it counts as a failure; but a job that is to run once may
        // have done its work.
        // Of one that somebody else keeps it is not even known yet that it has ended.
        if self.ended_unseen() && !self.is_kept_elsewhere() {
            match turn.s.restart {
                Restart::Always | Restart::OnFailure | Restart::OnAbnormal => {
                    self.fail(Duration::ZERO, turn);
                }
                Restart::Never => self.finish(Finish::Failed, turn),
            }
        }
    }
}

//! When one job runs.
//!
//! ```text
//!           due, or somebody starts it
//!   At ───────────────────────────────► Called: it runs, or waits to be let, or is tried again
//!   ▲ ▲                                    │
//!   │ └────────────────────────────────────┘ it rests: the next time follows
//!   │ the clock is right
//!   Clock ◄── the clock is not to be trusted (a calendar only)
//! ```
//!
//! However many of its times have passed unused, one run makes up for them: those that passed while
//! the machine was off, while something hindered it, and while its run before went on. A time is
//! never counted from a clock that nobody trusts; where the time of the last run cannot be known
//! after a boot, the job runs once, [`FIRST`] after it.
//!
//! Never starts anything: it says when.

use crate::core::job::{Age, JobPast, Outcome, Sight, Stamp, freshness};
use crate::core::picture::Verdict;
use crate::core::settings::{Calendar, Job, Schedule};
use crate::units::{Mono, Wall};
use std::time::Duration;

/// From the start of the daemon to a run that is overdue then: the machine has enough to do, and
/// the clock may still become right. Longer: a board that is seldom on for long gets nothing done.
const SETTLE: Duration = Duration::from_secs(60);

/// The same where nobody knows when the last run was. Boots shorter than this run nothing of it,
/// and longer ones once: a board that boots all day does not run it all day.
const FIRST: Duration = Duration::from_secs(600);

/// How far the clock may have gone back before times that are done with count as to come. Less:
/// setting it right by some seconds would repeat a run.
const SLACK: Duration = Duration::from_secs(60);

/// Clocks are read in whole seconds.
const SECOND: Duration = Duration::from_secs(1);

/// When a job is to run next.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Plan {
    /// When somebody starts it.
    #[default]
    ByHand,
    /// Nobody knows before the clock can be trusted.
    Clock,
    /// Then.
    At {
        /// When.
        due: Mono,
        /// It is not known when it ran last.
        guessed: bool,
    },
    /// It runs, or waits to be let, or is tried again: when next depends on that.
    Called,
}

/// One job.
#[derive(Default)]
pub(super) struct Timetable {
    pub plan: Plan,
    pub past: JobPast,
    /// So late it is called, of the most that its jitter allows.
    pub spread: Duration,
    /// It follows its schedule.
    pub scheduled: bool,
    /// When its schedule called it last, in this boot.
    called: Option<Mono>,
    /// What there was to think of it when that was told last.
    pub told: Verdict,
    /// Its past has changed and has not been kept.
    pub changed: bool,
}

/// Its time has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Due {
    /// So much later than it was to run, if that is much.
    pub late: Option<Duration>,
}

impl Timetable {
    /// Of a job that follows its schedule, or does not.
    pub fn new(scheduled: bool) -> Timetable {
        Timetable {
            scheduled,
            ..Timetable::default()
        }
    }

    /// A run begins.
    pub fn begin_run(&mut self, sight: &Sight) {
        self.past.repeats = self.was_cut_short();
        self.past.latest = Some(sight.stamp());
        self.past.outcome = None;
        self.plan = Plan::Called;
        self.changed = true;
    }

    /// A run has ended.
    pub fn end_run(&mut self, outcome: Outcome) {
        self.past.outcome = Some(outcome);
        match outcome {
            Outcome::Good => {
                self.past.good = self.past.latest;
                self.past.failing = false;
            }
            Outcome::Failed => self.past.failing = true,
            Outcome::Stopped => {}
        }
        self.changed = true;
    }

    /// Asked while it rests: its run before was cut short by the end of a boot or of a daemon, and
    /// was the first that was.
    fn was_cut_short(&self) -> bool {
        self.past.latest.is_some() && self.past.outcome.is_none() && !self.past.repeats
    }

    /// Such a run is to be made up for. Once it was called for again that is done with: if it is
    /// stopped before it runs, the time for that has passed, and it has its usual ones.
    fn is_to_repeat(&self) -> bool {
        self.was_cut_short() && self.called.is_none()
    }

    /// Finds out when it is to run next. `idle`: it has just come to rest. Returns whether times of
    /// it have passed while it ran.
    pub fn lay(&mut self, job: &Job, sight: &Sight, idle: bool) -> bool {
        let ran = |latest: Stamp| idle.then(|| sight.age(latest).least());
        let ran = self.past.latest.filter(|l| l.at.is_some()).and_then(ran);
        let (plan, skipped) = match (&job.schedule, self.scheduled) {
            (_, false) => (Plan::ByHand, false),
            (Schedule::Every(every), true) => {
                let plan = match idle {
                    true => self.after_this(*every, sight, ran),
                    false => self.after_the_last(*every, sight),
                };
                (plan, ran.is_some_and(|ran| ran >= *every))
            }
            (Schedule::Calendar { calendar, .. }, true) => {
                let wall = wall(job, sight);
                let slot = self.past.slot.filter(|_| idle);
                let passed = slot.and_then(|slot| calendar.next(slot)).zip(wall);
                let plan = match wall {
                    Some(wall) => self.by_calendar(calendar, wall, sight, idle),
                    None => Plan::Clock,
                };
                (plan, passed.is_some_and(|(next, wall)| next <= wall))
            }
        };
        self.plan = plan;
        skipped
    }

    /// It has just come to rest. Those of its times that have passed meanwhile do not come again.
    fn after_this(&self, every: Duration, sight: &Sight, ran: Option<Duration>) -> Plan {
        let (start, times) = match (self.past.latest.and_then(|latest| latest.at), ran) {
            (Some(start), Some(ran)) => (start, ran.as_millis() / every.as_millis().max(1) + 1),
            // It was stopped while it waited to be let.
            (Some(_) | None, _) => (sight.now, 1),
        };
        let times = u32::try_from(times).unwrap_or(u32::MAX);
        Plan::At {
            due: start.after(every.saturating_mul(times)).after(self.spread),
            guessed: false,
        }
    }

    /// What an earlier daemon has left, or a clock that was not known to be right.
    fn after_the_last(&self, every: Duration, sight: &Sight) -> Plan {
        let settle = sight.begun.after(every.min(SETTLE));
        let first = sight.begun.after(every.min(FIRST));
        let age = self
            .past
            .latest
            .map(|latest| (sight.age(latest), latest.at));
        let (due, guessed) = match age {
            Some(_) if self.is_to_repeat() => (settle, false),
            None => (first, false),
            Some((Age::Known(_), Some(start))) => (start.after(every), false),
            Some((Age::Known(age), None)) => {
                let due = sight.now.after(every.saturating_sub(age));
                (due.max(settle), false)
            }
            Some((Age::AtLeast(_), _)) => (first, true),
        };
        Plan::At {
            due: due.after(self.spread),
            guessed,
        }
    }

    fn by_calendar(&mut self, calendar: &Calendar, wall: Wall, sight: &Sight, idle: bool) -> Plan {
        let settle = sight.begun.after(SETTLE);
        let slot = match self.past.slot {
            // A clock that was far ahead once must not keep it from running until then.
            Some(slot) if slot.beyond(wall).is_some_and(|by| by > SLACK) => wall,
            // Those that have passed while it ran do not come again.
            Some(slot) if idle => slot.max(wall),
            Some(slot) => slot,
            None => wall,
        };
        if self.past.slot.replace(slot) != Some(slot) {
            self.changed = true;
        }
        let due = match calendar.next(slot) {
            Some(_) if self.is_to_repeat() && !idle => settle.after(self.spread),
            Some(next) => match next.later(self.spread).beyond(wall) {
                Some(ahead) => sight.now.after(ahead),
                None => sight.now.max(settle),
            },
            None => return Plan::Clock,
        };
        Plan::At {
            due,
            guessed: false,
        }
    }

    /// Whether its time has come.
    pub fn is_due(&mut self, job: &Job, sight: &Sight) -> Option<Due> {
        let due = match self.plan {
            Plan::At { due, .. } if due <= sight.now => due,
            Plan::At { .. } | Plan::ByHand | Plan::Clock | Plan::Called => return None,
        };
        let late = match &job.schedule {
            Schedule::Every(every) => {
                self.past
                    .latest
                    .and_then(|latest| match (sight.age(latest), latest.at) {
                        (Age::Known(_), Some(_)) => Some(sight.now.since(due)),
                        (Age::Known(age), None) => age.checked_sub(*every + self.spread),
                        (Age::AtLeast(_), _) => None,
                    })
            }
            Schedule::Calendar { calendar, .. } => {
                let Some(wall) = wall(job, sight) else {
                    self.plan = Plan::Clock;
                    return None;
                };
                let slot = self.past.slot.unwrap_or(wall);
                let next = calendar.next(slot).filter(|_| !self.is_to_repeat());
                let planned = next.map(|next| next.later(self.spread));
                if planned.is_some_and(|p| p.beyond(wall).is_some_and(|by| by > SECOND)) {
                    // It was put back, by less than is noticed at once.
                    self.lay(job, sight, false);
                    return None;
                }
                let late = planned.and_then(|planned| wall.beyond(planned));
                // All that have passed are done with.
                self.past.slot = Some(slot.max(wall).max(next.unwrap_or(slot)));
                self.changed = true;
                let soon = |at: Mono| sight.now.since(at) < calendar.least();
                if self.called.is_some_and(soon) {
                    self.lay(job, sight, false);
                    return None;
                }
                late
            }
        };
        self.called = Some(sight.now);
        self.plan = Plan::Called;
        let late = late.filter(|late| *late >= SETTLE);
        Some(Due { late })
    }

    /// How old its last good run is, or how long there has been none.
    pub fn age(&self, sight: &Sight) -> Age {
        sight.age(self.past.good.unwrap_or(self.past.first))
    }

    /// What there is to think of it.
    pub fn verdict(&self, job: &Job, sight: &Sight) -> Verdict {
        freshness(&self.past, job.fresh_within, self.age(sight))
    }

    /// When that may change although nothing happens.
    fn turns(&self, job: &Job, sight: &Sight) -> Option<Mono> {
        let within = job.fresh_within?;
        let least = self.age(sight).least();
        // It changes when it is older than that, not when it is as old.
        let late = Duration::from_millis(1);
        let steps = [within, within.saturating_mul(2)].into_iter();
        let left = steps.filter(|step| least <= *step);
        left.map(|step| sight.now.after(step - least + late)).min()
    }

    /// When it is to be looked at next.
    pub fn deadline(&self, job: &Job, sight: &Sight) -> Option<Mono> {
        let due = match self.plan {
            Plan::At { due, .. } => Some(due),
            Plan::ByHand | Plan::Clock | Plan::Called => None,
        };
        due.into_iter().chain(self.turns(job, sight)).min()
    }

    /// Dates what happened in this boot, once the clock can be trusted.
    pub fn date(&mut self, sight: &Sight) {
        let JobPast {
            first,
            good,
            latest,
            ..
        } = &mut self.past;
        for stamp in [Some(first), good.as_mut(), latest.as_mut()] {
            self.changed |= stamp.is_some_and(|stamp| sight.date(stamp));
        }
    }
}

/// What the clock shows, as far as the job goes by it.
fn wall(job: &Job, sight: &Sight) -> Option<Wall> {
    match job.schedule {
        Schedule::Calendar {
            any_clock: true, ..
        } => sight.shown,
        Schedule::Calendar {
            any_clock: false, ..
        }
        | Schedule::Every(_) => sight.trusted,
    }
}

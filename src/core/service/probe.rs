//! Probes of one kind of one run: when the next one is due, and what those that were made add up to.
//!
//! ```text
//!           due: asked                    answered, or never
//! Resting ─────────────► Asked ─────────────────────────────► Resting
//! ```
//!
//! Only what comes in a row counts: a success wipes out the failures before it, a failure the
//! successes. A probe of which nothing can be told counts neither way; nor does one that nobody
//! answers, since whoever makes the probes measures their time, and answers for a service that does
//! not: silence is ours, and no service is restarted for it.

use crate::core::fact::{Ill, Probed};
use crate::core::settings::Probe as Settings;
use crate::units::Mono;
use std::time::Duration;

/// Time beyond its own that a probe has to be answered in: what is to be started for it may have to
/// wait for the card. Shorter, and a slow card makes probes that nobody waits for; longer, and a
/// prober that is stuck is found later.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Until the next one is due.
    Resting { due: Mono },
    /// One is being made.
    Asked { since: Mono, until: Mono },
}

/// What probes of one kind have shown in a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shown {
    /// Good ones, as many as count.
    Well,
    /// Bad ones, so many, and as many as count; the last one like this.
    Ill { why: Ill, failures: u32 },
    /// As many could not be made.
    Unsure { why: Ill },
}

/// Probes of one kind of one run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Trial {
    pub own: Settings,
    phase: Phase,
    /// Number of the latest one.
    attempt: u32,
    pub failures: u32,
    successes: u32,
    pub unsure: u32,
    /// What was wrong with the latest one that was answered, if anything.
    pub ill: Option<Ill>,
}

impl Trial {
    /// They begin now.
    pub fn begin(own: Settings, now: Mono) -> Trial {
        let due = now.after(own.initial_delay);
        Trial {
            own,
            phase: Phase::Resting { due },
            attempt: 0,
            failures: 0,
            successes: 0,
            unsure: 0,
            ill: None,
        }
    }

    /// When it is to be looked at.
    pub fn due(&self) -> Mono {
        match self.phase {
            Phase::Resting { due } => due,
            Phase::Asked { until, .. } => until,
        }
    }

    /// Its time may have come. Returns the number of the probe that is to be made, or what it shows
    /// that nobody answers.
    pub fn tick(&mut self, now: Mono) -> (Option<u32>, Option<Shown>) {
        match self.phase {
            Phase::Resting { due } if due <= now => {
                self.attempt = self.attempt.wrapping_add(1);
                let until = now.after(self.own.timeout).after(PATIENCE);
                self.phase = Phase::Asked { since: now, until };
                (Some(self.attempt), None)
            }
            Phase::Asked { until, .. } if until <= now => {
                let unsure = Probed::Unsure(Ill::Busy);
                (None, self.hear(self.attempt, unsure, now))
            }
            Phase::Resting { .. } | Phase::Asked { .. } => (None, None),
        }
    }

    /// A probe was answered. One that is not the latest, or was answered before, changes nothing.
    pub fn hear(&mut self, attempt: u32, probed: Probed, now: Mono) -> Option<Shown> {
        let Phase::Asked { since, .. } = self.phase else {
            return None;
        };
        if attempt != self.attempt {
            return None;
        }
        let due = since.after(self.own.interval).max(now);
        self.phase = Phase::Resting { due };
        self.count(probed)
    }

    /// As many as count could not be made.
    pub fn is_unsure(&self) -> bool {
        self.unsure >= self.own.failure_threshold
    }

    /// Nothing is made of what is under way, nor of what was shown before; the next one is due at this
    /// time. That nothing can be told stands until something is.
    pub fn begin_again(&mut self, due: Mono) {
        self.phase = Phase::Resting { due };
        (self.failures, self.successes) = (0, 0);
    }

    fn count(&mut self, probed: Probed) -> Option<Shown> {
        match probed {
            Probed::Good => {
                (self.failures, self.unsure, self.ill) = (0, 0, None);
                self.successes = self.successes.saturating_add(1);
                (self.successes >= self.own.success_threshold).then_some(Shown::Well)
            }
            Probed::Bad(why) => {
                (self.successes, self.unsure, self.ill) = (0, 0, Some(why));
                self.failures = self.failures.saturating_add(1);
                let failures = self.failures;
                (failures >= self.own.failure_threshold).then_some(Shown::Ill { why, failures })
            }
            Probed::Unsure(why) => {
                // What was found goes on to stand, and why.
                if self.failures == 0 {
                    self.ill = Some(why);
                }
                self.unsure = self.unsure.saturating_add(1);
                (self.unsure >= self.own.failure_threshold).then_some(Shown::Unsure { why })
            }
        }
    }
}

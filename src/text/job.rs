//! Words about jobs.

use super::Value;
use super::describe::{Fields, time};
use super::quantity::{for_people, wall};
use super::words::flag;
use crate::core::job::{Age, JobPast, Outcome, Stamp};
use crate::core::note::{Finish, JobNote};
use crate::core::picture::Verdict;
use crate::core::settings::Hindrance;

/// How a run ended: `good`, `failed`, `stopped`.
pub fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Good => "good",
        Outcome::Failed => "failed",
        Outcome::Stopped => "stopped",
    }
}

/// The run that ended so; `None` for a word that is none of them.
pub fn outcome_named(word: &str) -> Option<Outcome> {
    let all = [Outcome::Good, Outcome::Failed, Outcome::Stopped];
    all.into_iter().find(|o| outcome_word(*o) == word)
}

/// What keeps a job from being started: `battery`, `throttled`, `memory-low`.
pub fn hindrance_word(hindrance: Hindrance) -> &'static str {
    match hindrance {
        Hindrance::Battery => "battery",
        Hindrance::Throttled => "throttled",
        Hindrance::MemoryLow => "memory-low",
    }
}

/// A moment: `12.400@2031-07-04T12:34:56Z`, with `none` for what is not known of it.
fn stamp(stamp: Stamp) -> String {
    let none = || "none".to_owned();
    let at = stamp.at.map_or_else(none, |at| at.to_string());
    let time = stamp.wall.map_or_else(none, wall);
    format!("{at}@{time}")
}

/// What is known of a job's runs, on one line.
pub(super) fn past(past: &JobPast) -> String {
    let known = |moment: Option<Stamp>| moment.map_or_else(|| "none".to_owned(), stamp);
    format!(
        "first={} good={} latest={} outcome={} failing={} repeats={} slot={}",
        stamp(past.first),
        known(past.good),
        known(past.latest),
        past.outcome.map_or("none", outcome_word),
        flag(past.failing),
        flag(past.repeats),
        past.slot.map_or_else(|| "none".to_owned(), wall)
    )
}

/// Name and fields of a note; the service is the first of them.
pub(super) fn describe(note: &JobNote, of: Fields) -> (&'static str, Fields) {
    let (name, rest) = match note {
        JobNote::JobLate { late } => ("job-late", vec![("late", time(*late))]),
        JobNote::JobSkipped => ("job-skipped", vec![]),
        JobNote::JobOverran { ran } => ("job-overran", vec![("ran", time(*ran))]),
        JobNote::JobFreshness { verdict, age } => {
            let age = match age {
                Some(Age::Known(age)) => ("age", time(*age)),
                Some(Age::AtLeast(age)) => ("at-least", time(*age)),
                None => ("age", Value::Text("none".into())),
            };
            let verdict = Value::Text(verdict.word().into());
            ("job-freshness", vec![("verdict", verdict), age])
        }
    };
    (name, of.into_iter().chain(rest).collect())
}

/// A note about the job of this name, for people.
pub(super) fn sentence(name: &str, note: &JobNote) -> String {
    match note {
        JobNote::JobLate { late } => {
            format!("{name} was to run {} ago, and runs now", for_people(*late))
        }
        JobNote::JobSkipped => {
            format!(
                "{name} ran for so long that it missed times of its own: they do not come again"
            )
        }
        JobNote::JobOverran { ran } => {
            format!("{name} still runs after {}: stopping it", for_people(*ran))
        }
        JobNote::JobFreshness { verdict, age } => freshness(name, *verdict, *age),
    }
}

fn freshness(name: &str, verdict: Verdict, age: Option<Age>) -> String {
    let good = match age {
        Some(Age::Known(age)) => format!("its last good run was {} ago", for_people(age)),
        Some(Age::AtLeast(age)) => format!(
            "its last good run was before this start of the machine, {} ago or longer",
            for_people(age)
        ),
        None => "no good run of it is known".to_owned(),
    };
    match verdict {
        Verdict::Ok => format!("{name} is well again: {good}"),
        Verdict::Unknown => format!("nobody can tell how {name} is: {good}"),
        Verdict::Warn => format!("{name} needs a look: {good}"),
        Verdict::Critical => format!("{name} is overdue: {good}"),
    }
}

/// A run of a job is over.
pub(super) fn finished(name: &str, how: Finish) -> String {
    match how {
        Finish::Done => format!("{name} is done until its next time"),
        Finish::Failed | Finish::Refused => format!(
            "{name} failed, and runs again at its next time; look at `fieldwarden logs {name}`"
        ),
    }
}

/// A job waits because of this.
pub(super) fn hindered(name: &str, hindrance: Hindrance) -> String {
    let why = match hindrance {
        Hindrance::Battery => "the machine runs on its battery",
        Hindrance::Throttled => "the processor is throttled or the supply too weak",
        Hindrance::MemoryLow => "memory is low",
    };
    format!("{name} waits while {why}")
}

/// A job waits for another one.
pub(super) fn taken(name: &str, by: &str) -> String {
    format!("{name} waits for {by}, which must not run at the same time")
}

//! Jobs in the status report.

use super::ServiceStatus;
use super::quantity::Seconds;
use crate::core::fact::ServiceId;
use crate::core::job::Age;
use crate::core::{Bar, Core, JobPlan, View, Wish};
use crate::text::{self, for_people};
use crate::units::Mono;
use serde::{Deserialize, Serialize};

/// What makes a service a job.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct JobStatus {
    /// `at`: it runs next in `due_seconds`; `clock`: not before the clock can be trusted;
    /// `by-hand`: when somebody starts it; `called`: it runs, waits to be let, or is tried again.
    pub next: String,
    /// Time until it runs next.
    pub due_seconds: Option<Seconds>,
    /// What it waits for although its time has come: `battery`, `throttled`, `memory-low`.
    pub not_while: Option<String>,
    /// The job that it must not run beside and waits for.
    pub beside: Option<String>,
    /// Age of its last good run; null if none is known of.
    pub good_seconds: Option<Seconds>,
    /// It is that old or older: nobody can tell how much.
    pub good_at_least: bool,
    /// How its latest run ended: `good`, `failed` or `stopped`; null while it lasts, and if that is
    /// not known.
    pub latest: Option<String>,
    /// The latest run that ended by itself has failed.
    pub failing: bool,
    /// How old its last good run may be.
    pub fresh_within_seconds: Option<Seconds>,
    /// What there is to think of it: `ok`, `unknown`, `warn` or `critical`.
    pub verdict: String,
}

/// How a job stands; `None` for a service that is none.
pub(super) fn job(view: &View, core: &Core, now: Mono) -> Option<JobStatus> {
    let job = core.job(view.service, now)?;
    let settings = core.settings();
    let own = settings.services.get(usize::from(view.service.0))?;
    let waits = view.wish == Wish::Run && !view.held;
    let due = match job.plan {
        JobPlan::At { due, .. } => Some(Seconds(due.since(now))),
        JobPlan::ByHand | JobPlan::Clock | JobPlan::Called => None,
    };
    let (not_while, beside) = match view.bar.filter(|_| waits) {
        Some(Bar::Hindered(hindrance)) => (Some(text::hindrance_word(hindrance)), None),
        Some(Bar::Taken { by }) => (None, Some(by)),
        Some(Bar::Need(_) | Bar::Requirement { .. } | Bar::Group { .. } | Bar::Keeper(_))
        | None => (None, None),
    };
    let name = |id: ServiceId| settings.name(id).to_owned();
    Some(JobStatus {
        next: plan_word(job.plan).to_owned(),
        due_seconds: due,
        not_while: not_while.map(str::to_owned),
        beside: beside.map(name),
        good_seconds: job.good.map(|age| Seconds(age.least())),
        good_at_least: matches!(job.good, Some(Age::AtLeast(_))),
        failing: job.failing,
        latest: job.outcome.map(|o| text::outcome_word(o).to_owned()),
        fresh_within_seconds: own.job.as_ref().and_then(|j| j.fresh_within).map(Seconds),
        verdict: job.verdict.word().to_owned(),
    })
}

fn plan_word(plan: JobPlan) -> &'static str {
    match plan {
        JobPlan::At { .. } => "at",
        JobPlan::Clock => "clock",
        JobPlan::ByHand => "by-hand",
        JobPlan::Called => "called",
    }
}

impl JobStatus {
    /// Why it does not run although its time has come.
    pub fn waits(&self) -> Option<String> {
        let why = match (self.not_while.as_deref(), &self.beside) {
            (Some("battery"), _) => "waits while on battery".to_owned(),
            (Some("throttled"), _) => "waits while throttled".to_owned(),
            (Some(_), _) => "waits while memory is low".to_owned(),
            (None, Some(other)) => {
                format!("waits for {other}, which must not run at the same time")
            }
            (None, None) => return None,
        };
        Some(why)
    }

    /// When it runs next; nothing while it does, or waits to.
    pub(super) fn next(&self) -> Option<String> {
        match (self.next.as_str(), self.due_seconds) {
            ("at", Some(due)) => Some(format!("next run in {}", for_people(due.0))),
            ("clock", _) => Some("waits until the clock can be trusted".to_owned()),
            ("by-hand", _) => Some("runs when somebody starts it".to_owned()),
            _ => None,
        }
    }

    /// How old its last good run is.
    pub(super) fn good(&self) -> String {
        match self.good_seconds {
            None => "no good run yet".to_owned(),
            Some(age) if self.good_at_least => {
                format!("last good run {} ago or longer", for_people(age.0))
            }
            Some(age) => format!("last good run {} ago", for_people(age.0)),
        }
    }
}

/// What speaks against a job, for the first line.
pub(super) fn trouble(service: &ServiceStatus) -> Option<String> {
    let job = service.job.as_ref()?;
    let name = &service.name;
    match (job.verdict.as_str(), job.failing) {
        ("ok", _) => None,
        ("unknown", _) => Some(format!("nobody can tell how {name} is: {}", job.good())),
        (_, true) => Some(format!("the latest run of {name} failed, {}", job.good())),
        (_, false) => Some(format!("{name} is not fresh: {}", job.good())),
    }
}

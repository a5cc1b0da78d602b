//! How long services need to stop, and what a battery leaves them of that: the invariants T1 to T4.
//!
//! What was seen of stops is counted here by the notes alone.

use crate::checks::View;
use fieldwarden::core::budget::{Fit, StopTimes};
use fieldwarden::core::fact::{Change, Fact, ServiceId};
use fieldwarden::core::note::Note;
use fieldwarden::core::picture::{Ending, Rung};
use fieldwarden::core::settings::Settings;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Stops of a service that count.
const SEEN: usize = 8;

/// Of one service.
#[derive(Clone, Default)]
struct Stops {
    /// When it was told to, as long as it has not ended.
    told: Option<u64>,
    killed: bool,
    /// How long each took, in milliseconds, the latest first; `None`: it was killed.
    took: VecDeque<Option<u64>>,
}

impl Stops {
    /// In milliseconds, a tenth of a second more or less.
    fn expected(&self, deadline: Duration) -> (Duration, Duration) {
        if self.took.len() < 3 || self.took.contains(&None) {
            return (deadline, deadline);
        }
        let longest = self.took.iter().flatten().max().copied().unwrap_or(0);
        let of = |longest: u64| Duration::from_millis(longest * 3 / 2 + 1_000).min(deadline);
        (of(longest), of(longest + 100))
    }
}

/// What is remembered from step to step.
#[derive(Default)]
pub struct Budgets {
    services: BTreeMap<ServiceId, Stops>,
    fit: Option<Fit>,
}

impl Budgets {
    pub fn new_life(&mut self) {
        *self = Budgets::default();
    }

    /// What is left of a deadline at most and at least, as it was in the step before, or is now.
    pub fn left(&self, service: ServiceId, v: &View, deadline: Duration) -> Duration {
        let none = Stops::default();
        let stops = self.services.get(&service).unwrap_or(&none);
        let expected = stops.expected(deadline).0;
        let left = |fit: Option<Fit>| fit.map_or(deadline, |fit| fit.leaves(expected, deadline));
        left(self.fit).min(left(v.core.picture().stop_fit))
    }

    /// T1: of each stop that was asked for it is told how long it took, and of none else. T2: nothing
    /// is shortened but in a halt on battery. T3: what is told of the span is never more than with
    /// deadlines, and there is none without an outage. T4: what is expected is what the stops say.
    pub fn are_kept(&mut self, v: &View, settings: &Settings) -> Result<(), String> {
        let outcome = self.look(v, settings);
        self.fit = v.core.picture().stop_fit;
        outcome
    }

    fn look(&mut self, v: &View, settings: &Settings) -> Result<(), String> {
        if let Fact::Child {
            service,
            change: Change::Stops(times),
            ..
        } = v.fact
        {
            let took = |t: Option<Duration>| t.map(crate::plan::millis);
            let took = times.seen().map(took).collect();
            self.services.entry(*service).or_default().took = took;
        }
        let mut told: Vec<(ServiceId, Option<u64>)> = Vec::new();
        for note in v.notes {
            match note {
                Note::ServiceStopping { service } => {
                    let stops = self.services.entry(*service).or_default();
                    (stops.told, stops.killed) = (Some(v.now), false);
                }
                Note::ServiceKilled { service, .. } => {
                    self.services.entry(*service).or_default().killed = true;
                }
                Note::ServiceExited { service, asked, .. } => {
                    let stops = self.services.entry(*service).or_default();
                    let since = stops.told.take().unwrap_or(v.now);
                    let killed = std::mem::take(&mut stops.killed);
                    if *asked {
                        told.push((*service, (!killed).then(|| v.now - since)));
                    }
                }
                _ => {}
            }
        }
        self.are_told(v, &told)?;
        self.expectations(v, settings)?;
        nothing_is_shortened(v, self.fit)?;
        span(v, settings)
    }

    fn are_told(&mut self, v: &View, told: &[(ServiceId, Option<u64>)]) -> Result<(), String> {
        for (service, took) in told {
            let stops = self.services.entry(*service).or_default();
            stops.took.push_front(*took);
            stops.took.truncate(SEEN);
            let core: Option<&StopTimes> = v.learned.iter().find(|s| s.0 == *service).map(|s| &s.1);
            let latest = core.and_then(|times| times.seen().next());
            let fits = match (latest, took) {
                (Some(None), None) => true,
                (Some(Some(told)), Some(took)) => {
                    let told = crate::plan::millis(told);
                    (*took..=*took + 100).contains(&told)
                }
                _ => false,
            };
            if !fits {
                return Err(format!(
                    "T1: a stop that took {took:?} is told as {latest:?}"
                ));
            }
        }
        match v.learned.len() == told.len() {
            true => Ok(()),
            false => Err(format!("T1: {} stops are told, {told:?}", v.learned.len())),
        }
    }

    fn expectations(&self, v: &View, settings: &Settings) -> Result<(), String> {
        // Seldom: it is a look at all of them.
        if v.core.picture().stop_span.is_none() || !v.now.is_multiple_of(7) {
            return Ok(());
        }
        for view in v.core.stop_views(Duration::from_secs(40)) {
            let deadline = settings.services[usize::from(view.service.0)].stop_timeout;
            let none = Stops::default();
            let stops = self.services.get(&view.service).unwrap_or(&none);
            let (least, most) = stops.expected(deadline);
            let own = view.expected == deadline || (least..=most).contains(&view.expected);
            if !own || view.expected > deadline || view.left > deadline {
                return Err(format!("T4: {view:?}, by its stops {least:?} to {most:?}"));
            }
        }
        Ok(())
    }
}

fn nothing_is_shortened(v: &View, before: Option<Fit>) -> Result<(), String> {
    let picture = v.core.picture();
    let stops = picture.halting.is_some_and(|h| h.rung == Rung::Stopping);
    let halts = matches!(picture.ending, Ending::Halting { .. }) && stops;
    // In the pass of an ask that is answered, the halt does not look.
    let back = picture.mains == Some(true) && before.is_some();
    match picture.stop_fit.is_some() && (!halts || back && !matches!(v.fact, Fact::Asked { .. })) {
        true => Err(format!("T2: deadlines are shortened: {picture:?}")),
        false => Ok(()),
    }
}

fn span(v: &View, settings: &Settings) -> Result<(), String> {
    let picture = v.core.picture();
    let Some(span) = picture.stop_span else {
        return Ok(());
    };
    let all: Duration = settings.services.iter().map(|s| s.stop_timeout).sum();
    match span.expected > span.most || span.most > all || picture.outage.is_none() {
        true => Err(format!("T3: {span:?} with deadlines of {all:?}")),
        false => Ok(()),
    }
}

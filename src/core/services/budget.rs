//! What the stop of the services takes, and what a battery that is short leaves them of it.
//!
//! Never looks at all services on mains, and in an outage not more often than once a second.

use super::Services;
use crate::core::Pass;
use crate::core::action::Actions;
use crate::core::budget::{Basis, Fit, StopSpan, StopTimes, Took, longest, longest_chain};
use crate::core::fact::ServiceId;
use crate::core::service::State;
use crate::core::settings::Settings;
use crate::units::Mono;
use std::time::Duration;

/// Time between two looks at all services in an outage.
const OFTEN: Duration = Duration::from_secs(1);

/// What was found last.
#[derive(Default)]
pub(super) struct Budget {
    /// When, in this outage.
    looked: Option<Mono>,
    /// Something has changed since.
    pub(super) stale: bool,
    /// How the stop is made to fit.
    fit: Option<Fit>,
    /// What that leaves of each service's deadline; empty where nothing is shortened.
    left: Vec<Duration>,
    /// What is known of the stops of services, in their order; none of those of which there is nothing.
    known: Vec<(ServiceId, StopTimes)>,
    /// Services of which a stop was seen that nobody has been told of.
    learned: Vec<ServiceId>,
}

impl Budget {
    /// What was learned of a service.
    fn of(&self, id: ServiceId) -> StopTimes {
        let at = self.known.binary_search_by_key(&id, |(of, _)| *of);
        at.map_or_else(|_| StopTimes::default(), |at| self.known[at].1)
    }

    /// What an earlier daemon has learned of a service.
    pub fn recall(&mut self, id: ServiceId, times: StopTimes) {
        match self.known.binary_search_by_key(&id, |(of, _)| *of) {
            Ok(at) => self.known[at].1 = times,
            Err(at) => self.known.insert(at, (id, times)),
        }
        self.stale = true;
    }

    /// A service has been stopped, and that took so long; `None` if it was not that.
    pub fn learn(&mut self, id: ServiceId, took: Option<Took>) {
        if let Some(took) = took {
            let mut times = self.of(id);
            times.see(took);
            self.recall(id, times);
            self.learned.push(id);
        }
    }
}

/// What the stop of a service takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StopView {
    /// Which.
    pub service: ServiceId,
    /// What it is expected to take.
    pub expected: Duration,
    /// Its deadline.
    pub deadline: Duration,
    /// Why that much is expected.
    pub basis: Basis,
    /// Stops of it that are remembered.
    pub seen: usize,
    /// It is one of the longest chain.
    pub on_chain: bool,
    /// What a battery that lasts no longer than is needed would leave of its deadline, or the present
    /// one if it lasts for less.
    pub left: Duration,
}

impl Services {
    /// A service may have been told to stop: it gets what there is for it.
    pub(super) fn look_at_stop(&mut self, id: ServiceId) {
        let at = usize::from(id.0);
        if let Some(left) = self.budget.left.get(at).copied() {
            self.services[at].hurry(left);
        }
    }

    /// It has to stop before the machine can go down.
    fn counts(&self, at: usize) -> bool {
        self.parts.get(at).is_some_and(|p| p.alive || p.wanted)
    }

    /// What is expected of its stop. One that is at it already may take all its time.
    fn expected(&self, at: usize, settings: &Settings) -> Duration {
        let deadline = settings.services[at].stop_timeout;
        match self.services[at].state {
            State::Stopping { .. } => deadline,
            State::Down { .. }
            | State::Starting { .. }
            | State::Up { .. }
            | State::Backoff { .. }
            | State::GaveUp { .. } => self.budget.of(self.services[at].id).expected(deadline).0,
        }
    }

    fn own_time(&self, at: usize, settings: &Settings) -> Duration {
        match self.counts(at) {
            true => self.expected(at, settings),
            false => Duration::ZERO,
        }
    }

    /// What the stop of all of them takes that run or are to.
    pub fn stop_span(&self, settings: &Settings) -> StopSpan {
        let deadline = |at: usize| match self.counts(at) {
            true => settings.services[at].stop_timeout,
            false => Duration::ZERO,
        };
        let all = &settings.services;
        StopSpan {
            expected: longest(all, |at| self.own_time(at, settings)),
            most: longest(all, deadline),
        }
    }

    /// What the stop of each of them takes. `time`: what the battery gives for it.
    pub fn stop_views(&self, settings: &Settings, time: Duration) -> Vec<StopView> {
        let chain = longest_chain(&settings.services, |at| self.own_time(at, settings));
        let fit = Fit::of(time, self.stop_span(settings));
        let services = self.services.iter().zip(&settings.services);
        let counting = services.filter(|(service, _)| self.counts(usize::from(service.id.0)));
        let view = |(service, s): (&super::Service, &crate::core::settings::Service)| {
            let stops = self.budget.of(service.id);
            let (_, basis) = stops.expected(s.stop_timeout);
            let expected = self.expected(usize::from(service.id.0), settings);
            let left = fit.map_or(s.stop_timeout, |fit| fit.leaves(expected, s.stop_timeout));
            StopView {
                service: service.id,
                expected,
                deadline: s.stop_timeout,
                basis,
                seen: stops.count(),
                on_chain: chain.contains(&service.id),
                left,
            }
        };
        counting.map(view).collect()
    }

    /// Takes up how the stop is made to fit, if that is new.
    pub(super) fn fit(&mut self, pass: &Pass) {
        if self.budget.fit == pass.picture.stop_fit {
            return;
        }
        self.budget.fit = pass.picture.stop_fit;
        let left = |fit: Fit| {
            let each = self.services.iter().zip(&pass.settings.services);
            let each = each.map(|(service, s)| {
                let expected = self.budget.of(service.id).expected(s.stop_timeout).0;
                fit.leaves(expected, s.stop_timeout)
            });
            each.collect()
        };
        self.budget.left = pass.picture.stop_fit.map(left).unwrap_or_default();
        for id in self.ids() {
            if pass.picture.stop_fit.is_none() {
                let at = usize::from(id.0);
                self.services[at].stop_at_ease(&pass.settings.services[at]);
            }
            self.touch(id);
        }
    }

    /// Tells those before us in a pass what the stop takes, in an outage.
    pub(super) fn publish_span(&mut self, pass: &mut Pass) {
        if pass.picture.outage.is_none() {
            pass.picture.stop_span = None;
            self.budget.looked = None;
            return;
        }
        let due = self.budget.looked.is_none_or(|at| {
            let waited = pass.now.since(at) >= OFTEN;
            self.budget.stale && waited
        });
        if due {
            pass.picture.stop_span = Some(self.stop_span(pass.settings));
            self.budget.looked = Some(pass.now);
            self.budget.stale = false;
        }
    }

    /// Tells what was learned.
    pub(super) fn leave_stop_times(&mut self, out: &mut Actions) {
        for id in std::mem::take(&mut self.budget.learned) {
            out.stops.push((id, self.budget.of(id)));
        }
    }
}

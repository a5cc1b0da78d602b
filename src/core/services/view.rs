//! How services stand, for those who ask.

use super::Services;
use crate::core::fact::{Health, Obstacle, Pid, RunId, ServiceId};
use crate::core::service::{Account, Bar, ProbeView, Readiness, Service, State, Wish};

/// How one service stands, for those who ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct View {
    /// Which.
    pub service: ServiceId,
    /// What it is doing.
    pub state: State,
    /// What it should be doing.
    pub wish: Wish,
    /// It must not run now, whatever its wish is.
    pub held: bool,
    /// Why it must not run now for the sake of others.
    pub bar: Option<Bar>,
    /// What its keeper thinks of it, while it runs.
    pub health: Health,
    /// Why its keeper cannot start it, or nobody knows how it stands there.
    pub obstacle: Option<Obstacle>,
    /// It runs, and is stopped as soon as those that lean on it are; it may be to come up again.
    pub leaving: bool,
    /// Whether it can be used, as far as its probes tell; of no meaning unless it is up.
    pub readiness: Readiness,
    /// Its latest run.
    pub run: RunId,
    /// Its process was started by an earlier daemon.
    pub adopted: bool,
    /// Times it was started again without being asked to, since the daemon began.
    pub restarts: u32,
    /// Failures in a row.
    pub failures: u32,
    /// Failures that were put down to the machine, since the daemon began.
    pub excuses: u32,
}

impl Services {
    pub fn views(&self) -> impl Iterator<Item = View> + '_ {
        self.services.iter().map(|s| View {
            service: s.id,
            state: s.state,
            wish: s.wish,
            held: s.held,
            bar: s.bar,
            obstacle: s.obstacle(),
            health: s.health(),
            leaving: s.alive() && s.must_stop(),
            readiness: s.readiness(),
            run: s.run,
            adopted: s.adopted,
            restarts: s.restarts,
            failures: s.backoff.failures(),
            excuses: s.excuses,
        })
    }

    /// What the latest run of a service has told of itself.
    pub fn account(&self, service: ServiceId) -> Option<&Account> {
        Some(&self.services.get(usize::from(service.0))?.account)
    }

    /// The main process of a service, if it has one.
    pub fn main_process(&self, service: ServiceId) -> Option<Pid> {
        self.services.get(usize::from(service.0))?.main()
    }

    /// How the probes of a service stand that are made of it now.
    pub fn probe_views(&self, service: ServiceId) -> impl Iterator<Item = ProbeView> + '_ {
        let service = self.services.get(usize::from(service.0));
        service.into_iter().flat_map(Service::probe_views)
    }
}

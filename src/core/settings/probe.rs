//! When a service is probed, and what follows from what probes find.

use crate::core::fact::ProbeKind;
use std::time::Duration;

/// The probes of a service.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Probes {
    /// Whether it has started.
    pub startup: Option<Probe>,
    /// Whether it can be used.
    pub readiness: Option<Probe>,
    /// Whether it lives.
    pub liveness: Option<Probe>,
    /// Whether its network is closed.
    pub isolation: Option<Probe>,
}

impl Probes {
    /// The probe of this kind.
    pub fn get(&self, kind: ProbeKind) -> Option<&Probe> {
        match kind {
            ProbeKind::Startup => self.startup.as_ref(),
            ProbeKind::Readiness => self.readiness.as_ref(),
            ProbeKind::Liveness => self.liveness.as_ref(),
            ProbeKind::Isolation => self.isolation.as_ref(),
        }
    }

    /// The place of the probe of this kind.
    pub fn get_mut(&mut self, kind: ProbeKind) -> &mut Option<Probe> {
        match kind {
            ProbeKind::Startup => &mut self.startup,
            ProbeKind::Readiness => &mut self.readiness,
            ProbeKind::Liveness => &mut self.liveness,
            ProbeKind::Isolation => &mut self.isolation,
        }
    }
}

/// One probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probe {
    /// Time until the first one. 0 s to 1 h.
    pub initial_delay: Duration,
    /// From one to the next. 1 s to 1 h.
    pub interval: Duration,
    /// Time that each gets. 100 ms to 1 min.
    pub timeout: Duration,
    /// So many failures in a row count. 1 to 1000.
    pub failure_threshold: u32,
    /// So many successes in a row count. 1 to 1000; 1 for startup and liveness.
    pub success_threshold: u32,
    /// It depends on the network: its owner says so.
    pub network: bool,
}

impl Probe {
    /// As in the sample configuration.
    pub const DEFAULT: Probe = Probe {
        initial_delay: Duration::ZERO,
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(1),
        failure_threshold: 3,
        success_threshold: 1,
        network: false,
    };

    /// Whether a network is closed: tried soon after the start, when what its owner does to it has been
    /// done, and then not often, because each is a process. One that is found open is told at once.
    pub const ISOLATION: Probe = Probe {
        initial_delay: Duration::from_secs(5),
        interval: Duration::from_secs(600),
        timeout: Duration::from_secs(20),
        failure_threshold: 1,
        success_threshold: 1,
        network: false,
    };
}

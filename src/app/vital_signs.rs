//! Whose vital signs are read: those of this machine, or of the simulated board.

use crate::config::Config;
use crate::core::fact::{Fact, ProbeKind, Reading};
use crate::core::settings::{Need, Service, Settings, WatchdogOwner};
use crate::edge::bound_chips::BoundChips;
use crate::edge::clock;
use crate::edge::hardware::Hardware;
use crate::edge::i2c::KernelBus;
use crate::edge::power_supply::Supplies;
use crate::edge::rtc::{self, LoneChip, Rtc};
use crate::edge::senses::VitalSigns;
use crate::edge::sim_board::SimBoard;
use crate::edge::throttle_bell::ThrottleBell;
use crate::edge::vitals::Vitals;
use crate::edge::watchdog_look;
use crossbeam_channel::Sender;
use std::path::Path;
use std::time::Duration;

/// This machine.
pub(super) struct RealVitals {
    vitals: Vitals,
    /// Somebody else pets the hardware watchdog: look whether it runs.
    watchdog_elsewhere: bool,
}

impl RealVitals {
    /// `ring`: there is news of the throttle flags.
    pub fn new(
        config: &Config,
        settings: &Settings,
        hardware: &Hardware,
        ring: Sender<()>,
    ) -> RealVitals {
        let vitals = Vitals::new("/".into(), Supplies::of(&config.wiring.board))
            .with_bell(ThrottleBell::new(ring));
        let vitals = match needs_network(settings) {
            true => vitals.with_network(),
            false => vitals,
        };
        RealVitals {
            vitals: match config.wiring.rtc_every {
                Some(every) => vitals.with_rtc(rtc(config, every, hardware)),
                None => vitals,
            },
            watchdog_elsewhere: settings.watchdog.owner == WatchdogOwner::Systemd,
        }
    }
}

/// Some service needs a network: otherwise nobody looks.
fn needs_network(settings: &Settings) -> bool {
    let mut services = settings.services.iter();
    services.any(|service| service.needs.contains(&Need::Network) || is_networked(service))
}

/// A probe of it depends on the network.
fn is_networked(service: &Service) -> bool {
    let probes = service.probes.iter();
    let mut each = probes.flat_map(|p| ProbeKind::ALL.into_iter().filter_map(|kind| p.get(kind)));
    each.any(|probe| probe.network)
}

/// The battery-backed clock.
fn rtc(config: &Config, every: Duration, hardware: &Hardware) -> Rtc {
    let root = Path::new("/");
    let clock = Rtc::new(root, every);
    match config.wiring.rtc_chip {
        false => clock,
        true => {
            let bus = Box::new(KernelBus::of(rtc::BUS, hardware));
            clock.with_chip(LoneChip::new(bus, BoundChips::new(root)))
        }
    }
}

impl VitalSigns for RealVitals {
    fn sample(&mut self) -> Vec<Fact> {
        let mut facts = self.vitals.sample();
        if self.watchdog_elsewhere {
            facts.push(watchdog_look::look(Path::new("/")));
        }
        facts
    }

    fn glance(&mut self) -> Option<Fact> {
        self.vitals.glance()
    }

    fn flags_fade(&self) -> bool {
        self.vitals.flags_fade()
    }

    fn mains(&mut self) -> Option<Fact> {
        self.vitals.mains()
    }

    fn network(&mut self) -> Option<Fact> {
        self.vitals.network()
    }
}

/// The simulated board, looked at with the daemon's clock.
pub(super) struct SimVitals {
    board: SimBoard,
    /// Somebody needs a network. That of the board is always up.
    network: bool,
}

impl SimVitals {
    pub fn new(board: SimBoard, settings: &Settings) -> SimVitals {
        SimVitals {
            board,
            network: needs_network(settings),
        }
    }
}

impl VitalSigns for SimVitals {
    fn sample(&mut self) -> Vec<Fact> {
        let mut facts = self.board.sample(clock::now());
        facts.extend(self.network());
        facts
    }

    fn glance(&mut self) -> Option<Fact> {
        Some(self.board.glance(clock::now()))
    }

    fn flags_fade(&self) -> bool {
        // Nobody but us looks at that board's firmware.
        false
    }

    fn mains(&mut self) -> Option<Fact> {
        Some(self.board.glance_at_mains(clock::now()))
    }

    fn network(&mut self) -> Option<Fact> {
        let up = Fact::Seen(Reading::Network { up: true });
        self.network.then_some(up)
    }
}

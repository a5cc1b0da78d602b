//! Settings for tests.

use crate::core::fact::ServiceId;
use crate::core::settings::{
    Backoff, Board, Cap, Escalate, Expiry, Group, Heat, Limits, Network, Power, Ready, Remedy,
    Rung, Service, Settings, Strategy, Watchdog, WatchdogOwner,
};
use crate::units::{MilliCelsius, Permille};
use std::time::Duration;

/// Settings with these services and mount points, and defaults otherwise.
pub(crate) fn settings(services: &[&str], mounts: &[&str]) -> Settings {
    let share = |warn, critical| Limits {
        warn: Permille(warn),
        critical: Permille(critical),
    };
    Settings {
        services: services.iter().map(|name| service(name)).collect(),
        groups: vec![Group {
            name: "field".into(),
            members: (0u16..).map(ServiceId).take(services.len()).collect(),
            strategy: Strategy::OneForOne,
            restarts: 3,
            window: Duration::from_secs(600),
            escalate: Escalate::Nothing,
        }],
        reboots: crate::core::settings::Reboots::DEFAULT,
        hold_most: Duration::from_secs(4 * 3600),
        mounts: mounts.iter().map(|m| (*m).into()).collect(),
        watchdog: Watchdog {
            owner: WatchdogOwner::Fieldwarden,
            timeout: Duration::from_secs(15),
            disarm_on_stop: false,
        },
        temperature: Heat {
            warn: MilliCelsius(75_000),
            hot: MilliCelsius(80_000),
            critical: MilliCelsius(85_000),
            settle: Duration::from_secs(60),
        },
        memory: share(150, 50),
        load: Limits {
            warn: 200,
            critical: 400,
        },
        space: share(100, 20),
        inodes: share(100, 20),
        canaries: vec!["/data".into()],
        caps: vec![Cap {
            name: "logs".into(),
            dir: "/var/log/app".into(),
            max: 1 << 20,
            only: vec!["*.log.*".into()],
            keep: 1,
        }],
        network: Some(Network {
            every: Duration::from_secs(300),
            failures: 3,
            handshake: Duration::from_secs(300),
            rungs: vec![Rung {
                name: "tunnel".into(),
                remedy: Remedy::Machine,
                steps: Vec::new(),
                settle: Duration::from_secs(120),
                budget: None,
            }],
        }),
        expiries: vec![Expiry {
            name: "web".into(),
            warn: Duration::from_secs(30 * 86_400),
            critical: Duration::from_secs(7 * 86_400),
        }],
        pressure: share(100, 400),
        shed_for_memory: false,
        stop_budget: Duration::from_secs(30),
        halt_finish: Duration::from_secs(180),
        board: Board::NONE,
        power: Power::DEFAULT,
        clock_tolerance: Duration::from_secs(30),
        set_rtc: false,
        led: Some("ACT".into()),
    }
}

fn service(name: &str) -> Service {
    Service {
        ready: Ready::Notify,
        start_timeout: Duration::from_secs(30),
        heartbeat: Some(Duration::from_secs(10)),
        backoff: Backoff {
            immediate: 1,
            stable: Duration::from_secs(60),
            restarts: 10,
            cooldown: Duration::from_secs(900),
            ..Backoff::DEFAULT
        },
        ..Service::named(name)
    }
}

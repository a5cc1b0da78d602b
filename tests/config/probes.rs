//! Probes of services arrive as they are written, with the defaults that are documented.

use super::good;
use fieldwarden::config::{ProbePlan, Target, Url, Way};
use fieldwarden::core::fact::ProbeKind;
use fieldwarden::core::settings::Probe;
use std::net::SocketAddr;
use std::time::Duration;

#[test]
fn every_probe_arrives() {
    let text = r#"
        [service.web]
        command = ["/bin/true"]
        [service.web.probe.startup]
        tcp = "[::1]:8080"
        interval = "2s"
        timeout = "500ms"
        initial_delay = "3s"
        failure_threshold = 60
        [service.web.probe.readiness]
        http = "http://unix:/run/web.sock:/ready"
        success_threshold = 4
        [service.web.probe.liveness]
        exec = ["/usr/bin/web-check", "-q"]
        network = true
        [service.files]
        command = ["/bin/true"]
        probe.liveness = { file = "/run/files/alive", max_age = "90s" }
        [service.none]
        command = ["/bin/true"]
    "#;
    let config = good(text).config;
    let ms = Duration::from_millis;
    let web = config.settings.services[2].probes.as_ref().unwrap();
    let startup = Probe {
        initial_delay: ms(3_000),
        interval: ms(2_000),
        timeout: ms(500),
        failure_threshold: 60,
        success_threshold: 1,
        network: false,
    };
    assert_eq!(web.startup, Some(startup));
    let readiness = Probe {
        success_threshold: 4,
        ..Probe::DEFAULT
    };
    assert_eq!(web.readiness, Some(readiness));
    let liveness = Probe {
        network: true,
        ..Probe::DEFAULT
    };
    assert_eq!(web.liveness, Some(liveness));
    assert_eq!(config.settings.services[1].probes, None);
    assert!(config.wiring.commands[1].probes.is_empty());

    let address: SocketAddr = "[::1]:8080".parse().unwrap();
    let url = Url {
        target: Target::Unix("/run/web.sock".into()),
        host: "localhost".to_owned(),
        path: "/ready".to_owned(),
    };
    let argv = ["/usr/bin/web-check", "-q"].map(str::to_owned).to_vec();
    let plan = |kind, way, timeout, interval| ProbePlan {
        kind,
        way,
        timeout: ms(timeout),
        interval: ms(interval),
    };
    let plans = [
        plan(
            ProbeKind::Startup,
            Way::Tcp(Target::Inet(address)),
            500,
            2_000,
        ),
        plan(ProbeKind::Readiness, Way::Http(url), 1_000, 10_000),
        plan(ProbeKind::Liveness, Way::Exec(argv), 1_000, 10_000),
    ];
    assert_eq!(&*config.wiring.commands[2].probes, plans);
    let path = "/run/files/alive".into();
    let max_age = ms(90_000);
    let way = Way::File { path, max_age };
    assert_eq!(config.wiring.commands[0].probes[0].way, way);
}

/// What a service must not reach is tried soon, and not often; without the key, or with none, never.
#[test]
fn what_a_service_must_not_reach() {
    let text = |targets: &str| {
        format!("[service.web]\ncommand = [\"/bin/true\"]\nmust_not_reach = [{targets}]\n")
    };
    let config = good(&text("\"db:5432\", \"[::1]:22\"")).config;
    let own = config.settings.services[0]
        .probes
        .as_ref()
        .unwrap()
        .isolation;
    let own = own.unwrap();
    let times = (own.initial_delay, own.interval, own.failure_threshold);
    assert_eq!(times, (Duration::from_secs(5), Duration::from_secs(600), 1));
    let plan = &config.wiring.commands[0].probes[0];
    let targets = ["db:5432", "[::1]:22"].map(str::to_owned).to_vec();
    assert_eq!(plan.way, Way::Unreachable(targets));
    assert_eq!(good(&text("")).config.settings.services[0].probes, None);
}

/// What another machine answers is asked only where that is said to be meant.
#[test]
fn the_network_is_asked_on_purpose_only() {
    let text = |network: &str| {
        format!(
            "[service.web]\ncommand = [\"/bin/true\"]\n[service.web.probe.readiness]\n\
             tcp = \"192.0.2.1:443\"\n{network}"
        )
    };
    let found = super::bad(&text("")).to_string();
    assert!(found.contains("beyond this machine"), "{found}");
    let config = good(&text("network = true\n")).config;
    let probes = config.settings.services[0].probes.as_ref().unwrap();
    assert!(probes.readiness.unwrap().network);
}

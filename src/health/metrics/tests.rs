//! The metrics of a report in which everything is known.

use super::super::exposition::Kind;
use super::*;
use crate::status::{
    CanaryStatus, CapStatus, ExpiryStatus, JobStatus, LastBootStatus, RepairStatus, StepStatus,
    ThrottleStatus, UplinkStatus, WantStatus,
};
use std::collections::BTreeSet;

/// A report as the daemon writes it, with everything that can be in it.
fn full() -> Status {
    let json = include_str!("full.json");
    let mut status: Status = serde_json::from_str(json).unwrap();
    status.services[1].job = Some(JobStatus {
        good_seconds: Some(Seconds(std::time::Duration::from_secs(3600))),
        verdict: "warn".to_owned(),
        ..JobStatus::default()
    });
    status.machine.throttle = Some(ThrottleStatus {
        flags: Some("0x0".to_owned()),
        episodes: Vec::new(),
    });
    let time = Some(Seconds(std::time::Duration::from_millis(12)));
    status.canaries = vec![CanaryStatus {
        directory: "/data".to_owned(),
        verdict: "ok".to_owned(),
        latest_seconds: time,
        median_seconds: time,
        p95_seconds: time,
        longest_seconds: time,
    }];
    status.caps = vec![CapStatus {
        name: "logs".to_owned(),
        verdict: "ok".to_owned(),
        size_bytes: Some(4096),
        max_bytes: 8192,
    }];
    status.machine.want = WantStatus {
        pressure_percent: Some(Percent(crate::units::Permille(12))),
        swap_read_kib: Some(1),
        swap_written_kib: Some(2),
        ..WantStatus::default()
    };
    let step = |step: &str, found: &str| StepStatus {
        step: step.to_owned(),
        found: found.to_owned(),
    };
    status.uplink = Some(UplinkStatus {
        verdict: "warn".to_owned(),
        steps: vec![
            step("link", "well"),
            step("name", "silent"),
            step("vpn", "unsure"),
        ],
        broken: Some("name".to_owned()),
        text: None,
        failures: 4,
        broken_seconds: time,
        handshake_seconds: time,
        seen_seconds: time,
        repairs: vec![RepairStatus {
            repair: "tunnel".to_owned(),
            tried: 1,
            most: Some(2),
        }],
    });
    status.expiries = vec![ExpiryStatus {
        name: "web".to_owned(),
        verdict: "critical".to_owned(),
        ends: None,
        left_seconds: Some(Seconds(std::time::Duration::ZERO)),
    }];
    status.last_boot = Some(LastBootStatus {
        end: "mains-cut".to_owned(),
        confidence: "likely".to_owned(),
        text: String::new(),
    });
    status
}

const OWN: Option<Own> = Some(Own {
    resident: 2_097_152,
    threads: 19,
});

/// Every metric of the table is told where everything is known, once, in its order, and no other one.
#[test]
fn every_metric_is_told() {
    let text = metrics(&full(), OWN, false);
    let told: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let wanted: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(told, wanted);
    // What is not known is left out, and nothing else is made of it.
    let text = metrics(&Status::default(), None, false);
    assert!(!text.contains("fieldwarden_external_power"), "{text}");
    assert!(!text.contains("NaN"), "{text}");
}

#[test]
fn values_are_those_of_the_report() {
    let text = metrics(&full(), OWN, false);
    for line in [
        "fieldwarden_build_info{version=\"0.1.0\"} 1",
        "fieldwarden_verdict_worst 2",
        "fieldwarden_verdict{subject=\"watchdog\"} 0",
        "fieldwarden_last_boot_info{end=\"mains-cut\",confidence=\"likely\"} 1",
        "fieldwarden_watchdog_pets_total 42",
        "fieldwarden_watchdog_last_pet_age_seconds 1.25",
        "fieldwarden_watchdog_timeout_seconds 15",
        "fieldwarden_service_up{service=\"web\"} 1",
        "fieldwarden_service_state{service=\"web\",state=\"backoff\"} 0",
        "fieldwarden_service_restarts_total{service=\"web\"} 3",
        "fieldwarden_service_info{service=\"web\",class=\"essential\",kept=\"service\"} 1",
        "fieldwarden_job_good_age_seconds{service=\"backup\"} 3600",
        "fieldwarden_soc_temperature_celsius 47.774",
        "fieldwarden_memory_available_ratio 0.625",
        "fieldwarden_clock_trust{trust=\"synced\"} 1",
        "fieldwarden_external_power 0",
        "fieldwarden_battery_charge_ratio 0.735",
        "fieldwarden_battery_voltage_volts 3.912",
        "fieldwarden_battery_current_amperes -0.42",
        "fieldwarden_power_source_age_seconds{source=\"gauge\"} 2.5",
        "fieldwarden_throttled{reason=\"under-voltage\"} 0",
        "fieldwarden_filesystem_free_ratio{mountpoint=\"/\"} 0.04",
        "fieldwarden_uplink_broken 1",
        "fieldwarden_uplink_failures 4",
        "fieldwarden_uplink_step_well{step=\"link\"} 1",
        "fieldwarden_uplink_step_well{step=\"name\"} 0",
        "fieldwarden_repairs_tried{repair=\"tunnel\"} 1",
        "fieldwarden_expiry_verdict{name=\"web\"} 3",
        "fieldwarden_expiry_left_seconds{name=\"web\"} 0",
        "fieldwarden_daemon_resident_memory_bytes 2097152",
    ] {
        assert!(text.lines().any(|told| told == line), "{line}\n{text}");
    }
}

/// Names say what a metric is, as Prometheus wants it.
#[test]
fn names_say_what_they_are() {
    let mut seen = BTreeSet::new();
    for metric in METRICS {
        let name = metric.name;
        assert!(seen.insert(name), "{name} twice");
        assert!(name.starts_with("fieldwarden_"), "{name}");
        assert_eq!(
            name.ends_with("_total"),
            metric.kind == Kind::Counter,
            "{name}"
        );
        assert_eq!(name.ends_with("_info"), metric.kind == Kind::Info, "{name}");
        let family = name.strip_suffix("_total").unwrap_or(name);
        assert!(
            metric.unit.is_empty() || family.ends_with(&format!("_{}", metric.unit)),
            "{name}"
        );
        assert!(
            !metric.help.ends_with('.') && !metric.help.contains('"'),
            "{name}"
        );
    }
}

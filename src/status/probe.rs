//! Probes of a service in a status report.

use super::ServiceStatus;
use crate::core::fact::{Health, ServiceId};
use crate::core::{Core, ProbeView, Readiness, State, View};
use crate::text;
use serde::{Deserialize, Serialize};

/// The probes of one kind of a service, while they are made.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ProbeStatus {
    /// What they are for: `startup`, `readiness`, `liveness` or `isolation`.
    pub probe: String,
    /// Failures in a row.
    pub failures: u32,
    /// As many in a row as count could not be made, or told nothing.
    pub unsure: bool,
    /// What was wrong with the latest one, for people; null if nothing was, or none was made yet.
    pub why: Option<String>,
    /// They depend on the network, because their owner says so.
    pub network: bool,
    /// They wait until there is a network.
    pub waits_for_network: bool,
}

/// How the probes of a service stand.
pub(super) fn probes(core: &Core, service: ServiceId) -> Vec<ProbeStatus> {
    let status = |view: ProbeView| ProbeStatus {
        probe: text::probe_kind_word(view.kind).to_owned(),
        failures: view.failures,
        unsure: view.unsure,
        why: view.ill.map(text::ill_sentence),
        network: view.network,
        waits_for_network: view.cut_off,
    };
    core.probes(service).map(status).collect()
}

/// Whether a service that is up can be used, where a probe tells.
pub(super) fn readiness(core: &Core, view: &View) -> Option<String> {
    let settings = core.settings().services.get(usize::from(view.service.0));
    let probed = settings.and_then(|s| s.probes.as_ref()?.readiness);
    let up = matches!(view.state, State::Up { .. });
    let word = match view.readiness {
        Readiness::Awaited => "awaited",
        Readiness::Ready => "ready",
        Readiness::Lost => "lost",
    };
    let told = probed.is_some() || view.health != Health::Untold;
    (told && up).then(|| word.to_owned())
}

/// It is up, and its probe has yet to say that it can be used, or says that it cannot.
pub(super) fn is_unready(service: &ServiceStatus) -> bool {
    service.readiness.as_deref().is_some_and(|r| r != "ready")
}

/// The same, and it is not only said by what lies beyond this machine.
pub(super) fn is_ill(service: &ServiceStatus) -> bool {
    let beyond = |probe: &ProbeStatus| probe.probe == "readiness" && probe.network;
    is_unready(service) && !service.probes.iter().any(beyond)
}

/// Probes of it tell nothing.
pub(super) fn is_unsure(service: &ServiceStatus) -> bool {
    let unsure = |probe: &ProbeStatus| probe.unsure && !probe.network;
    service.probes.iter().any(unsure)
}

/// Its network is not closed.
pub(super) fn is_open(service: &ServiceStatus) -> bool {
    let open = |probe: &ProbeStatus| probe.probe == "isolation" && probe.failures > 0;
    service.probes.iter().any(open)
}

/// What there is to add to the state of a service for the sake of its probes.
pub(super) fn notes(service: &ServiceStatus) -> Vec<String> {
    service
        .probes
        .iter()
        .filter_map(|p| note(service, p))
        .collect()
}

fn note(service: &ServiceStatus, probe: &ProbeStatus) -> Option<String> {
    let kind = &probe.probe;
    let why = probe
        .why
        .as_ref()
        .map_or(String::new(), |why| format!(": {why}"));
    if probe.waits_for_network {
        return Some(format!("its {kind} probe waits for the network"));
    }
    match kind.as_str() {
        "startup" => Some(format!("waits for its startup probe{why}")),
        "readiness" if is_unready(service) => Some(format!("not ready{why}")),
        "isolation" if probe.failures > 0 => Some(format!("its network is not closed{why}")),
        _ if probe.unsure => Some(format!("its {kind} probe tells nothing{why}")),
        _ => match probe.failures {
            0 => None,
            1 => Some(format!("its {kind} probe failed{why}")),
            n => Some(format!("its {kind} probe failed {n} times in a row{why}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(readiness: Option<&str>, probes: Vec<ProbeStatus>) -> ServiceStatus {
        ServiceStatus {
            readiness: readiness.map(str::to_owned),
            probes,
            ..ServiceStatus::default()
        }
    }

    fn probe(kind: &str, failures: u32, unsure: bool, why: Option<&str>) -> ProbeStatus {
        ProbeStatus {
            probe: kind.to_owned(),
            failures,
            unsure,
            why: why.map(str::to_owned),
            network: false,
            waits_for_network: false,
        }
    }

    /// What is well is not worth a word; what is not, with its cause.
    #[test]
    fn words_about_probes() {
        let well = of(
            Some("ready"),
            vec![
                probe("readiness", 0, false, None),
                probe("liveness", 0, false, None),
            ],
        );
        assert!(notes(&well).is_empty() && !is_unready(&well) && !is_unsure(&well));
        let why = Some("HTTP status 503");
        let lost = of(
            Some("lost"),
            vec![
                probe("readiness", 3, false, why),
                probe("liveness", 1, false, why),
            ],
        );
        assert_eq!(
            notes(&lost),
            [
                "not ready: HTTP status 503",
                "its liveness probe failed: HTTP status 503"
            ]
        );
        assert!(is_unready(&lost));
        let starting = of(None, vec![probe("startup", 0, false, None)]);
        assert_eq!(notes(&starting), ["waits for its startup probe"]);
        let busy = Some("the daemon was busy or held up");
        let unsure = of(None, vec![probe("liveness", 2, true, busy)]);
        assert_eq!(
            notes(&unsure),
            ["its liveness probe tells nothing: the daemon was busy or held up"]
        );
        assert!(is_unsure(&unsure));
        let reaches = Some("it reaches number 1 of `must_not_reach`");
        let open = of(None, vec![probe("isolation", 1, false, reaches)]);
        assert!(is_open(&open) && !is_open(&unsure));
        assert_eq!(
            notes(&open),
            ["its network is not closed: it reaches number 1 of `must_not_reach`"]
        );
        let cut_off = ProbeStatus {
            network: true,
            waits_for_network: true,
            ..probe("readiness", 2, false, why)
        };
        let cut_off = of(
            Some("lost"),
            vec![cut_off, probe("liveness", 2, false, why)],
        );
        assert!(is_unready(&cut_off) && !is_ill(&cut_off) && is_ill(&lost));
        assert_eq!(
            notes(&cut_off),
            [
                "its readiness probe waits for the network",
                "its liveness probe failed 2 times in a row: HTTP status 503"
            ]
        );
    }
}

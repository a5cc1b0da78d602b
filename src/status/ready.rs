//! Whether what is essential can be used: what `/readyz` goes by.

use super::probe;
use super::{ServiceStatus, Status};

impl Status {
    /// Names of services without which this machine is not ready: those that are essential, or all that
    /// are kept running where none is, and that are not up and ready although they should be, or have
    /// failed for good. Not those that only the network keeps from it.
    pub fn unready(&self) -> Vec<&str> {
        let kept = |s: &&ServiceStatus| s.job.is_none();
        let is_essential = |s: &ServiceStatus| s.class == "essential";
        let some_are = self.services.iter().filter(kept).any(is_essential);
        let wanted = |s: &ServiceStatus| s.wish == "run" || has_failed(s);
        let counts = |s: &&ServiceStatus| wanted(s) && (is_essential(s) || !some_are);
        let counted = self.services.iter().filter(kept).filter(counts);
        let missing = counted.filter(|s| !is_ready(s));
        let beyond = self.beyond();
        let missing = missing.map(|s| s.name.as_str());
        missing.filter(|name| !beyond.contains(name)).collect()
    }

    /// Services that wait for nothing but the network, themselves or for those that do.
    fn beyond(&self) -> Vec<&str> {
        let alone = |s: &&ServiceStatus| s.lacks.as_deref() == Some("network");
        let alone = self.services.iter().filter(alone);
        let mut beyond: Vec<&str> = alone.map(|s| s.name.as_str()).collect();
        // With each round another link of the longest chain; mostly there is none.
        loop {
            let behind = self.services.iter().filter(|s| {
                let waits = &s.waits_for;
                let all = waits.iter().all(|name| beyond.contains(&name.as_str()));
                !waits.is_empty() && all && !beyond.contains(&s.name.as_str())
            });
            let behind: Vec<&str> = behind.map(|s| s.name.as_str()).collect();
            if behind.is_empty() {
                return beyond;
            }
            beyond.extend(behind);
        }
    }
}

/// It is up, or rests to save power; and no probe on this machine says otherwise.
fn is_ready(service: &ServiceStatus) -> bool {
    matches!(service.state.as_str(), "up" | "held") && !probe::is_ill(service)
}

/// It has failed and is not tried again: it rests, and yet nobody has wished that.
fn has_failed(service: &ServiceStatus) -> bool {
    service.why.as_deref() == Some("failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, class: &str, state: &str) -> ServiceStatus {
        ServiceStatus {
            name: name.to_owned(),
            class: class.to_owned(),
            state: state.to_owned(),
            wish: "run".to_owned(),
            ..ServiceStatus::default()
        }
    }

    fn unready(services: &[ServiceStatus]) -> String {
        let status = Status {
            services: services.to_vec(),
            ..Status::default()
        };
        status.unready().join(" ")
    }

    /// Where something is essential the rest does not count; where nothing is, everything does.
    #[test]
    fn what_is_essential_counts_and_else_everything() {
        let mut services = vec![
            service("a", "essential", "up"),
            service("b", "normal", "backoff"),
            service("c", "optional", "gave-up"),
            service("d", "normal", "up"),
        ];
        assert_eq!(unready(&services), "");
        services[0].state = "starting".to_owned();
        assert_eq!(unready(&services), "a");
        services[0].class = "normal".to_owned();
        assert_eq!(unready(&services), "a b c");
        services[1].wish = "rest".to_owned();
        services[2].state = "held".to_owned();
        assert_eq!(unready(&services), "a");
        services[0].job = Some(super::super::JobStatus::default());
        assert_eq!(unready(&services), "");
        services[3].readiness = Some("lost".to_owned());
        assert_eq!(unready(&services), "d");
        assert_eq!(unready(&[]), "");
    }

    /// What has failed for good rests, and counts until somebody stops it.
    #[test]
    fn what_has_failed_for_good_counts() {
        let resting = |name: &str, why: &str| ServiceStatus {
            wish: "rest".to_owned(),
            why: Some(why.to_owned()),
            ..service(name, "essential", "down")
        };
        let mut services = vec![
            resting("a", "failed"),
            resting("b", "finished"),
            resting("c", "stopped"),
            resting("d", "not-started"),
            resting("e", "stopped-elsewhere"),
        ];
        assert_eq!(unready(&services), "a");
        services[0].why = Some("stopped".to_owned());
        assert_eq!(unready(&services), "");
    }

    /// What only the network keeps down, at once or through others, does not make a machine unready.
    #[test]
    fn the_network_does_not_count() {
        let waiting = |name: &str, waits: &[&str]| ServiceStatus {
            waits_for: waits.iter().map(|s| (*s).to_owned()).collect(),
            ..service(name, "normal", "down")
        };
        let mut services = vec![
            waiting("a", &["b"]),
            waiting("b", &["c"]),
            waiting("c", &[]),
            waiting("d", &["a", "e"]),
            waiting("e", &[]),
        ];
        services[2].lacks = Some("network".to_owned());
        assert_eq!(unready(&services), "d e");
        services[2].lacks = Some("clock".to_owned());
        assert_eq!(unready(&services), "a b c d e");
        let probed = ServiceStatus {
            readiness: Some("awaited".to_owned()),
            probes: vec![super::super::ProbeStatus {
                probe: "readiness".to_owned(),
                network: true,
                ..super::super::ProbeStatus::default()
            }],
            ..service("a", "normal", "up")
        };
        assert_eq!(unready(&[probed]), "");
    }
}

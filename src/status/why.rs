//! Why a service is as it is: the chain of causes, from the service to what lies behind it.
//!
//! ```text
//! web waits ──► api waits ──► db has failed ──► the events that led to it
//!                    └──► mains are gone
//! ```
//!
//! Only reads: whatever it names as a cause, a policy has decided by.

use super::clock::clock_line;
use super::dated::Dated;
use super::screen::{BAD, DOUBTFUL, QUIET, TITLE, event_line, mark, power, temperature};
use super::service_screen::{notes, style};
use super::table::{Cell, lines};
use super::{ServiceStatus, Status};
use crate::core::note::Severity;
use crate::journal::Record;
use crate::text::for_people;
use anstyle::Style;
use std::collections::BTreeSet;

/// Blanks that one step further back in the chain is set in.
const STEP: usize = 2;

/// Events of what is not a service, for each thing that a service may wait for.
const OF_MAINS: &[&str] = &[
    "mains-lost",
    "mains-back",
    "shedding",
    "recovering",
    "battery-low",
    "mains-doubted",
];
const OF_CLOCK: &[&str] = &["clock-synced", "clock-unsynced", "clock-trust"];
const OF_NETWORK: &[&str] = &["network-up", "network-down", "uplink-broken", "uplink-well"];
const OF_HEAT: &[&str] = &["heat-level", "heat-shedding"];
const OF_HOLDS: &[&str] = &[
    "hold-began",
    "hold-changed",
    "hold-taken-up",
    "hold-ended",
    "hold-over",
];
const OF_THE_END: &[&str] = &["ending", "leaving", "halting", "halt-taken-up"];

/// The chain of causes of one service.
pub struct Chain {
    /// Indent, mark, name, and what there is to say.
    rows: Vec<(usize, Style, String, String)>,
    services: BTreeSet<String>,
    /// Services that those which are up rest on: what went wrong with them may have stopped these.
    ground: BTreeSet<String>,
    groups: BTreeSet<String>,
    events: BTreeSet<&'static str>,
}

/// The chain of this service; `None` if there is none of that name.
pub fn why(status: &Status, name: &str) -> Option<Chain> {
    let asked = named(status, name)?;
    let mut chain = Chain {
        rows: Vec::new(),
        services: BTreeSet::new(),
        ground: BTreeSet::new(),
        groups: BTreeSet::new(),
        events: BTreeSet::new(),
    };
    // Not by recursion: a chain may be as long as there are services.
    let mut left = vec![(asked, 0)];
    while let Some((service, depth)) = left.pop() {
        if !chain.services.insert(service.name.clone()) {
            continue;
        }
        chain.add(depth, style(service), &service.name, sentence(service));
        let above = depth + 1;
        chain.add_machine(service, status, above);
        chain.add_ground(service, status);
        let causes = causes(service, status);
        left.extend(causes.into_iter().rev().map(|cause| (cause, above)));
    }
    Some(chain)
}

impl Chain {
    /// The event is one of those that led to this.
    pub fn tells(&self, event: &Record) -> bool {
        let of = |key: &str, names: &BTreeSet<String>| {
            let name = event.data.get(key).and_then(serde_json::Value::as_str);
            name.is_some_and(|name| names.contains(name))
        };
        self.events.contains(event.event.as_str())
            || of("service", &self.services)
            || of("group", &self.groups)
            || event.severity > Severity::Info && of("service", &self.ground)
    }

    /// What a person reads; `events` are those that led to it, the oldest first.
    pub fn screen(&self, events: &[Dated]) -> String {
        let mut out = String::new();
        for (depth, style, name, text) in &self.rows {
            let row = vec![mark(*style), Cell::plain(name), Cell::plain(text)];
            out.push_str(&lines(depth * STEP, &[row]));
        }
        out.push_str(&format!("\n{TITLE}events that led to it{TITLE:#}\n"));
        for event in events {
            out.push_str(&format!("  {}\n", event_line(event)));
        }
        if events.is_empty() {
            out.push_str(&format!("  {QUIET}none are known{QUIET:#}\n"));
        }
        out
    }

    fn add(&mut self, depth: usize, style: Style, name: &str, text: String) {
        self.rows.push((depth, style, name.to_owned(), text));
    }

    /// What the machine, the daemon or the group has to do with it.
    fn add_machine(&mut self, service: &ServiceStatus, status: &Status, depth: usize) {
        let machine = &status.machine;
        let mains = power(machine).unwrap_or_else(|| "it is not known what it runs on".to_owned());
        if let Some(group) = &service.with_group
            && self.groups.insert(group.clone())
        {
            let text = "its members go down and come up together".to_owned();
            self.add(depth, DOUBTFUL, &format!("group {group}"), text);
        }
        match service.lacks.as_deref() {
            Some("mains") => {
                self.events.extend(OF_MAINS);
                self.add(depth, DOUBTFUL, "power", mains);
            }
            Some("clock") => {
                self.events.extend(OF_CLOCK);
                let clock = clock_line(machine).unwrap_or_else(|| "nothing is known".to_owned());
                self.add(depth, DOUBTFUL, "clock", clock);
            }
            Some("network") => {
                self.events.extend(OF_NETWORK);
                let network = match machine.network.as_deref() {
                    Some("down") => "no default route over a link that is up",
                    Some(_) => "is up",
                    None => "it cannot be told whether it is up",
                };
                self.add(depth, DOUBTFUL, "network", network.to_owned());
            }
            Some(_) | None if service.state == "held" => self.add_shedding(status, depth),
            Some(_) | None => {}
        }
        let rests = service.wish == "run" && service.state != "up";
        if let (true, Some(hold)) = (rests || service.failures > 0, &status.hold) {
            self.events.extend(OF_HOLDS);
            self.add(depth, DOUBTFUL, "hold", hold.text());
        }
        if rests && status.phase != "running" {
            self.events.extend(OF_THE_END);
            let text = match &status.halt {
                Some(halt) => halt.text.clone(),
                None => "the daemon ends, and stops all services".to_owned(),
            };
            self.add(depth, BAD, "machine", text);
        }
        if let (true, Some(daemons)) = (rests, status.daemon.safe_after) {
            let text = format!("{daemons} daemons before this one broke off: it started safely");
            self.add(depth, BAD, "daemon", text);
        }
    }

    /// What a service rests on that is up.
    fn add_ground(&mut self, service: &ServiceStatus, status: &Status) {
        let mut left: Vec<&ServiceStatus> = vec![service];
        while let Some(service) = left.pop() {
            let up = service.state == "up";
            let required = service.requires.iter().filter(|_| up);
            let required = required.filter_map(|name| named(status, name));
            for required in required {
                if self.ground.insert(required.name.clone()) {
                    left.push(required);
                }
            }
        }
    }

    /// What services are held back for.
    fn add_shedding(&mut self, status: &Status, depth: usize) {
        let hot = (status.machine.heat.as_deref()).is_some_and(|heat| heat != "cool");
        let shed = status.power.as_ref().is_some_and(|p| p.shed != "nothing");
        if let (true, Some(text)) = (shed, power(&status.machine)) {
            self.events.extend(OF_MAINS);
            self.add(depth, DOUBTFUL, "power", text);
        }
        if let (true, Some(text)) = (hot, temperature(&status.machine)) {
            self.events.extend(OF_HEAT);
            self.add(depth, DOUBTFUL, "temperature", text);
        }
    }
}

fn named<'a>(status: &'a Status, name: &str) -> Option<&'a ServiceStatus> {
    status.services.iter().find(|s| s.name == name)
}

/// Services that it waits for, those of its group among them.
fn causes<'a>(service: &ServiceStatus, status: &'a Status) -> Vec<&'a ServiceStatus> {
    let waited_for = service.waits_for.iter();
    let mut causes: Vec<_> = waited_for.filter_map(|name| named(status, name)).collect();
    if let Some(group) = &service.with_group {
        let members = status.services.iter();
        causes.extend(members.filter(|s| s.group.as_ref() == Some(group) && s.state != "up"));
    }
    causes
}

/// Its state in words, and what there is to add.
fn sentence(service: &ServiceStatus) -> String {
    let since = service.since_seconds.map(|s| for_people(s.0));
    let since = since.filter(|_| !service.adopted);
    let state = match (service.state.as_str(), since) {
        ("up", Some(since)) => format!("is up, for {since}"),
        ("backoff", _) => "has failed, and waits".to_owned(),
        ("gave-up", _) => "has been given up for now".to_owned(),
        (state, _) => format!("is {state}"),
    };
    let restarts = match service.restarts {
        0 => None,
        1 => Some("restarted once since the daemon began".to_owned()),
        n => Some(format!("restarted {n} times since the daemon began")),
    };
    let rest = notes(service).into_iter().chain(restarts);
    let parts: Vec<String> = std::iter::once(state).chain(rest).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{HaltStatus, MachineStatus, Percent, PowerStatus, Seconds};
    use crate::units::{MilliCelsius, Permille};
    use std::time::Duration;

    fn service(name: &str, state: &str, why: Option<&str>) -> ServiceStatus {
        ServiceStatus {
            name: name.to_owned(),
            state: state.to_owned(),
            wish: "run".to_owned(),
            why: why.map(str::to_owned),
            ..ServiceStatus::default()
        }
    }

    fn waiting(name: &str, waits_for: &[&str]) -> ServiceStatus {
        ServiceStatus {
            waits_for: waits_for.iter().map(|s| (*s).to_owned()).collect(),
            ..service(name, "down", Some("waiting"))
        }
    }

    fn of(services: Vec<ServiceStatus>) -> Status {
        Status {
            phase: "running".to_owned(),
            services,
            ..Status::default()
        }
    }

    fn rows(status: &Status, name: &str) -> Vec<String> {
        let screen = why(status, name).unwrap().screen(&[]);
        let plain = anstream::adapter::strip_str(&screen).to_string();
        let chain = plain.split("\n\n").next().unwrap_or_default();
        chain.lines().map(str::to_owned).collect()
    }

    fn event(name: &str, severity: Severity, of: &str) -> Record {
        let line = format!(
            r#"{{"v":1,"seq":1,"boot":"b","mono":1.0,"wall":null,"trust":"unset","severity":"info",
                "event":"{name}","text":"","data":{{"service":"{of}"}}}}"#
        );
        Record {
            severity,
            ..serde_json::from_str(&line).unwrap()
        }
    }

    /// It goes back to what nobody else is to blame for; each is told once, whatever leads there.
    #[test]
    fn a_chain_goes_back_to_its_end() {
        let mut db = service("db", "backoff", None);
        (db.failures, db.retry_seconds) = (3, Some(Seconds(Duration::from_secs(9))));
        let status = of(vec![
            waiting("api", &["db", "cache"]),
            waiting("cache", &["db"]),
            db,
            waiting("web", &["api", "cache"]),
        ]);
        assert_eq!(
            rows(&status, "web"),
            [
                "●  web  is down, waits for api, cache",
                "  ●  api  is down, waits for db, cache",
                "    ●  db  has failed, and waits, next try in 9 s, 3 failures in a row",
                "    ●  cache  is down, waits for db",
            ]
        );
        assert!(why(&status, "wbe").is_none());
        // A daemon that talks nonsense keeps nobody going round.
        let round = of(vec![waiting("a", &["b"]), waiting("b", &["a", "gone"])]);
        assert_eq!(rows(&round, "a").len(), 2);
    }

    /// What the machine has to do with it stands below the service.
    #[test]
    fn causes_that_are_no_service() {
        let mut status = of(vec![
            ServiceStatus {
                lacks: Some("mains".to_owned()),
                lacks_because: Some("gone".to_owned()),
                ..waiting("upload", &[])
            },
            ServiceStatus {
                lacks: Some("clock".to_owned()),
                lacks_because: Some("floor".to_owned()),
                ..waiting("logger", &[])
            },
            ServiceStatus {
                lacks: Some("network".to_owned()),
                lacks_because: Some("down".to_owned()),
                ..waiting("mirror", &[])
            },
            service("screen", "held", Some("shed")),
            service("web", "stopping", Some("asked")),
        ]);
        status.machine = MachineStatus {
            power: Some("battery".to_owned()),
            on_battery_seconds: Some(Seconds(Duration::from_secs(90))),
            network: Some("down".to_owned()),
            clock_synced: Some(false),
            clock_trust: "floor".to_owned(),
            temperature_celsius: Some(crate::status::Celsius(MilliCelsius(84_000))),
            heat: Some("hot".to_owned()),
            ..MachineStatus::default()
        };
        let last = |status: &Status, name: &str| rows(status, name).pop().unwrap();
        let line = "  ●  power  on battery for 1 min 30 s";
        assert_eq!(last(&status, "upload"), line);
        let clock = "  ●  clock  floor: not synced, its time may be wrong";
        assert_eq!(last(&status, "logger"), clock);
        let network = "  ●  network  no default route over a link that is up";
        assert_eq!(last(&status, "mirror"), network);
        // Held back for heat, as long as power sheds nothing.
        let heat = "  ●  temperature  84.0C (hot)";
        assert_eq!(last(&status, "screen"), heat);
        status.machine.heat = None;
        assert_eq!(rows(&status, "screen").len(), 1);
        status.power = Some(PowerStatus {
            shed: "optional".to_owned(),
            low_charge_percent: Some(Percent(Permille(100))),
            ..PowerStatus::default()
        });
        assert_eq!(last(&status, "screen"), line);
        status.phase = "halting".to_owned();
        status.halt = Some(HaltStatus {
            text: "poweroff under way, because of something".to_owned(),
            ..HaltStatus::default()
        });
        let halt = "  ●  machine  poweroff under way, because of something";
        assert_eq!(last(&status, "web"), halt);
        status.halt = None;
        assert!(last(&status, "web").ends_with("the daemon ends, and stops all services"));
        status.daemon.safe_after = Some(3);
        assert!(last(&status, "web").contains("3 daemons before this one broke off"));
    }

    /// A member that waits for its group leads to the one that failed, and the group is named once.
    #[test]
    fn a_group_leads_to_its_members() {
        let member = |member: ServiceStatus| ServiceStatus {
            group: Some("shop".to_owned()),
            with_group: Some("shop".to_owned()),
            ..member
        };
        let status = of(vec![
            member(service("api", "gave-up", None)),
            service("other", "down", Some("failed")),
            member(waiting("web", &[])),
        ]);
        let rows = rows(&status, "web");
        assert_eq!(rows.len(), 3, "{rows:?}");
        assert!(rows[1].starts_with("  ●  group shop"), "{rows:?}");
        assert!(
            rows[2].starts_with("  ●  api  has been given up"),
            "{rows:?}"
        );
    }

    /// Events are those of the chain; of what a service rests on that is up, only what went wrong.
    #[test]
    fn events_of_the_chain() {
        let mut api = service("api", "up", None);
        api.requires = vec!["db".to_owned()];
        let mut web = service("web", "up", None);
        web.requires = vec!["api".to_owned(), "gone".to_owned()];
        let status = of(vec![api, service("db", "backoff", None), web]);
        let chain = why(&status, "web").unwrap();
        let tells = |name, severity, of| chain.tells(&event(name, severity, of));
        assert!(tells("service-up", Severity::Info, "web"));
        assert!(!tells("service-up", Severity::Info, "api"));
        assert!(tells("service-exited", Severity::Warning, "api"));
        assert!(tells("service-exited", Severity::Warning, "db"));
        assert!(!tells("service-exited", Severity::Warning, "other"));
        assert!(!tells("mains-lost", Severity::Warning, ""));
    }
}

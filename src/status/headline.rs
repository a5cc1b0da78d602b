//! The first line of a status report: one verdict, and the reasons for it, the worst first.

use super::network;
use super::probe;
use super::service_screen;
use super::{
    LedStatus, MountStatus, Percent, Seconds, ServiceStatus, StandInStatus, Status, clock, job,
};
use crate::text::for_people;

/// Services that are named in the first line. More are only counted, so that the line stays one.
const NAMED: usize = 3;

/// One line: `ok: 3 of 3 services up, watchdog armed`, `degraded: web is in backoff; space on /data
/// is low (4%)`.
pub(super) fn headline(status: &Status) -> String {
    let word = match status.verdict.as_str() {
        "warn" => "degraded",
        word => word,
    };
    let reasons = reasons(status);
    if reasons.is_empty() {
        return format!("{word}: {}", all_well(status));
    }
    format!("{word}: {}", reasons.join("; "))
}

fn all_well(status: &Status) -> String {
    let mut services = format!(
        "{} of {} services up",
        status.services_up, status.services_wanted
    );
    let stopped = |s: &&ServiceStatus| s.why.as_deref() == Some("stopped");
    match status.services.iter().filter(stopped).count() {
        0 => {}
        n => services.push_str(&format!(", {n} stopped by request")),
    }
    let watchdog = match status.watchdog.state.as_str() {
        "armed" => "watchdog armed",
        "elsewhere" => "systemd pets the watchdog",
        _ => return services,
    };
    format!("{services}, {watchdog}")
}

fn reasons(status: &Status) -> Vec<String> {
    let parts = [
        phase(status),
        watchdog(status),
        services(status),
        jobs(status),
        storage(status),
        network::troubles(status),
        machine(status),
        clock::reasons(status),
        led(status),
        daemon(status),
        threads(status),
        unknown(status),
    ];
    parts.into_iter().flatten().collect()
}

fn phase(status: &Status) -> Vec<String> {
    match status.phase.as_str() {
        "stopping" => vec!["all services are being stopped".to_owned()],
        "leaving" => vec!["the daemon is ending".to_owned()],
        _ => Vec::new(),
    }
}

fn watchdog(status: &Status) -> Vec<String> {
    let watchdog = &status.watchdog;
    let reason = match watchdog.state.as_str() {
        "withheld" if watchdog.owner == "systemd" => {
            let thread = watchdog.stuck_thread.as_deref().unwrap_or("?");
            format!("thread {thread} is stuck: no more pets to systemd")
        }
        "withheld" => {
            let thread = watchdog.stuck_thread.as_deref().unwrap_or("?");
            let timeout = watchdog
                .timeout_seconds
                .map_or_else(String::new, |t| format!(" within {}", for_people(t.0)));
            format!("thread {thread} is stuck: the watchdog resets the machine{timeout}")
        }
        "failed" => {
            let why = watchdog.why.as_deref().unwrap_or("unknown");
            format!("no hardware watchdog: {why}")
        }
        "off" if watchdog.owner == "systemd" => {
            let why = watchdog.why.as_deref().unwrap_or("unknown");
            format!("no hardware watchdog runs: {why}")
        }
        "elsewhere" if watchdog.why.is_some() => watchdog.why.clone().unwrap_or_default(),
        "off" if watchdog.owner == "nobody" => "no hardware watchdog is configured".to_owned(),
        _ => return Vec::new(),
    };
    vec![reason]
}

fn services(status: &Status) -> Vec<String> {
    if status.phase != "running" {
        return Vec::new();
    }
    let bad: Vec<&ServiceStatus> = status.services.iter().filter(|s| is_bad(s)).collect();
    if bad.len() > NAMED {
        let wanted = status
            .services
            .iter()
            .filter(|s| s.job.is_none() && s.wish == "run" || is_bad(s));
        return vec![format!(
            "{} of {} services not well",
            bad.len(),
            wanted.count()
        )];
    }
    bad.iter().map(|s| trouble(s)).collect()
}

/// Jobs that somebody should look at.
fn jobs(status: &Status) -> Vec<String> {
    let bad: Vec<String> = status.services.iter().filter_map(job::trouble).collect();
    match bad.len() {
        0..=NAMED => bad,
        n => vec![format!("{n} jobs not well")],
    }
}

fn is_bad(service: &ServiceStatus) -> bool {
    if service.job.is_some() {
        // What there is to say of it is said apart.
        return false;
    }
    let failed = service.why.as_deref() == Some("failed");
    let missing = !matches!(service.state.as_str(), "up" | "held");
    let doubtful = failing(service)
        || probe::is_ill(service)
        || probe::is_unsure(service)
        || probe::is_open(service);
    failed || service.wish == "run" && (missing || doubtful)
}

/// It is up, and failed several times in a row before.
fn failing(service: &ServiceStatus) -> bool {
    service.state == "up" && service.failures > 1
}

fn trouble(service: &ServiceStatus) -> String {
    let name = &service.name;
    let next = |s: Option<Seconds>| {
        s.map_or_else(String::new, |s| {
            format!(" (next try in {})", for_people(s.0))
        })
    };
    match (service.state.as_str(), service.why.as_deref()) {
        ("gave-up", _) => {
            let kept = service.machine_kept.as_ref();
            let kept = kept.map_or_else(String::new, |why| {
                format!(", and this machine is not restarted for it: {why}")
            });
            format!("{name} gave up{}{kept}", next(service.retry_seconds))
        }
        ("backoff", _) => format!("{name} keeps failing{}", next(service.retry_seconds)),
        ("up", _) if probe::is_ill(service) => format!("{name} is not ready"),
        ("up", _) if probe::is_open(service) => format!("the network of {name} is not closed"),
        ("up", _) if probe::is_unsure(service) => format!("{name} cannot be probed"),
        ("up", _) => {
            let since = service.since_seconds.map_or_else(String::new, |s| {
                format!(", up again for {}", for_people(s.0))
            });
            format!("{name} failed {} times in a row{since}", service.failures)
        }
        ("starting", _) => format!("{name} is starting"),
        ("stopping", Some("fault")) => format!("{name} hangs and is being stopped"),
        ("stopping", _) => format!("{name} is being stopped"),
        (_, Some("failed")) => format!("{name} failed and is not restarted"),
        (_, Some("waiting")) if service.with_group.is_some() => {
            let group = service.with_group.as_deref().unwrap_or("?");
            format!("{name} waits for its group {group}")
        }
        (_, Some("waiting")) if service.lacks.is_some() => {
            format!("{name} {}", service_screen::lacks(service))
        }
        (_, Some("waiting")) if service.waits_for.is_empty() => format!("{name} starts next"),
        (_, Some("waiting")) => format!("{name} waits for {}", service.waits_for.join(", ")),
        _ => format!("{name} is down"),
    }
}

fn storage(status: &Status) -> Vec<String> {
    let bad = status.mounts.iter().filter_map(|mount| {
        let path = &mount.path;
        Some(match mount.why.as_deref()? {
            "read-only" => format!("{path} has turned read-only"),
            "errors" => format!("{path} has recorded errors"),
            "worn" => format!("the medium of {path} is worn"),
            "inodes" => low("inodes", "are", path, mount.free_inodes_percent),
            _ => low("space", "is", path, mount.free_percent),
        })
    });
    bad.chain(super::guards::troubles(status)).collect()
}

fn low(what: &str, are: &str, path: &str, free: Option<Percent>) -> String {
    let free = free.map_or_else(String::new, |free| format!(" ({} free)", free.0));
    format!("{what} on {path} {are} low{free}")
}

fn machine(status: &Status) -> Vec<String> {
    let bad = |verdict: &str| matches!(verdict, "warn" | "critical");
    let machine = &status.machine;
    let mut reasons = Vec::new();
    if let Some(time) = machine.on_battery_seconds {
        reasons.push(format!("on battery for {}", for_people(time.0)));
    }
    match machine.temperature_celsius {
        _ if !bad(&status.verdicts.temperature) => {}
        Some(t) => reasons.push(format!("processor at {}", t.0)),
        None => reasons.push("processor was hot when it was read last".to_owned()),
    }
    if let Some(throttle) = &machine.throttle {
        reasons.extend(throttle.troubles());
    }
    if bad(&status.verdicts.memory) {
        let left = || match machine.memory_available_percent {
            Some(m) => format!("only {} of memory left", m.0),
            None => "memory was scarce when it was read last".to_owned(),
        };
        reasons.push(super::guards::memory_trouble(machine).unwrap_or_else(left));
    }
    if bad(&status.verdicts.load) {
        reasons.push(match machine.load_per_cpu {
            Some(l) => format!("load {} per processor", crate::text::hundredths(l.0)),
            None => "load was high when it was read last".to_owned(),
        });
    }
    reasons
}

fn led(status: &Status) -> Vec<String> {
    let led = status.led.as_ref();
    led.and_then(LedStatus::trouble).into_iter().collect()
}

fn daemon(status: &Status) -> Vec<String> {
    let journal = status.daemon.journal_why.as_ref();
    let journal = journal.map(|why| format!("events are kept in memory only: {why}"));
    let pool = status.daemon.pool_why.as_ref();
    let pool = pool.map(|why| format!("services end with the daemon, there is no pool: {why}"));
    let limits = status.daemon.unenforced.iter().filter(|u| u.asked);
    let limits: Vec<&str> = limits.map(|u| u.controller.as_str()).collect();
    let limits = (!limits.is_empty())
        .then(|| format!("limits of services are not enforced: {}", limits.join(", ")));
    let safe = status.daemon.safe_after;
    let safe = safe.map(|n| format!("safe start after {n} daemons that broke off"));
    let stand_in = status.daemon.stand_in.as_ref().map(stand_in);
    let health = status.daemon.health_why.as_ref();
    let health = health.map(|why| format!("the health endpoint cannot listen: {why}"));
    let missing = stand_in
        .into_iter()
        .chain(journal)
        .chain(pool)
        .chain(health);
    missing.chain(limits).chain(safe).collect()
}

fn stand_in(stand_in: &StandInStatus) -> String {
    let problem = &stand_in.problem;
    match &stand_in.taken {
        Some(taken) => format!(
            "a copy of {taken} stands in for the configuration, which cannot be used: {problem}"
        ),
        None if stand_in.is_elsewhere() => {
            format!("the runtime directory cannot be used: {problem}")
        }
        None => format!("in safe mode, because the configuration cannot be used: {problem}"),
    }
}

fn threads(status: &Status) -> Vec<String> {
    // Of an essential one is told with the pets that are withheld, where there are any.
    let withheld = status.watchdog.state == "withheld";
    let late = status
        .late_threads
        .iter()
        .filter(|t| !(t.essential && withheld));
    late.map(|t| {
        format!(
            "thread {} is late by {}",
            t.thread,
            for_people(t.late_seconds.0)
        )
    })
    .collect()
}

/// What nobody knows, whatever else there is to say: it may be worse than what is known.
fn unknown(status: &Status) -> Vec<String> {
    let v = &status.verdicts;
    let watchdog = match status.watchdog.owner.as_str() {
        "systemd" => "nobody can tell whether a watchdog runs",
        _ => "the watchdog has not answered yet",
    };
    let power = v.power.as_deref().unwrap_or("ok");
    let no_power = match status.machine.power.as_deref() {
        Some("mains") => "no reading of the battery",
        Some(_) | None => "no reading of mains",
    };
    let throttle = v.throttle.as_deref().unwrap_or("ok");
    let led = v.led.as_deref().unwrap_or("ok");
    let subjects = [
        (&*v.watchdog, watchdog),
        (&v.temperature, "no reading of the temperature"),
        (&v.memory, "no reading of memory or load"),
        (&v.clock, "nobody keeps the clock right"),
        (power, no_power),
        (throttle, "no reading of the throttle flags"),
        (led, "the LED has not answered yet"),
    ];
    let unknown = subjects
        .into_iter()
        .filter(|(verdict, _)| *verdict == "unknown");
    let subjects = unknown.map(|(_, text)| text.to_owned());
    subjects.chain(unseen_mounts(status)).collect()
}

/// File systems that cannot be looked at.
fn unseen_mounts(status: &Status) -> Option<String> {
    let unseen: Vec<&MountStatus> = status.mounts.iter().filter(|m| !m.readable).collect();
    match unseen[..] {
        [] => None,
        _ if unseen.len() == status.mounts.len() => {
            Some("no reading of the file systems".to_owned())
        }
        _ if unseen.len() > NAMED => Some(format!("no reading of {} file systems", unseen.len())),
        _ => {
            let paths: Vec<&str> = unseen.iter().map(|m| m.path.as_str()).collect();
            Some(format!("no reading of {}", paths.join(", ")))
        }
    }
}

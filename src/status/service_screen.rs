//! Services in a status report for people: a line for each.

use super::probe;
use super::quantity::Seconds;
use super::screen::{BAD, DOUBTFUL, GOOD, QUIET, mark};
use super::table::{Cell, lines};
use super::{JobStatus, KeeperStatus, ServiceStatus, Status};
use crate::text::for_people;
use anstyle::Style;

pub(super) fn services(status: &Status) -> String {
    if status.services.is_empty() {
        return format!("  {QUIET}none are configured{QUIET:#}\n");
    }
    let rows: Vec<Vec<Cell>> = status.services.iter().map(service).collect();
    lines(2, &rows)
}

fn service(service: &ServiceStatus) -> Vec<Cell> {
    let style = style(service);
    let pid = service
        .pid
        .map_or_else(String::new, |pid| format!("pid {pid}"));
    let since = service
        .since_seconds
        .filter(|_| !service.adopted)
        .map_or_else(String::new, |s| for_people(s.0));
    let restarts = match service.restarts {
        0 => String::new(),
        1 => "1 restart".to_owned(),
        n => format!("{n} restarts"),
    };
    vec![
        mark(style),
        Cell::plain(&service.name),
        Cell::new(&service.state, style),
        Cell::plain(&since),
        Cell::new(&pid, QUIET),
        Cell::plain(&restarts),
        Cell::plain(&notes(service).join(", ")),
    ]
}

/// The colour of its mark and of its state.
pub(super) fn style(service: &ServiceStatus) -> Style {
    if let Some(job) = &service.job {
        return match (job.verdict.as_str(), service.state.as_str()) {
            ("critical", _) => BAD,
            ("warn" | "unknown", _) => DOUBTFUL,
            (_, "up") => GOOD,
            (_, "down") if job.waits().is_none() => QUIET,
            _ => DOUBTFUL,
        };
    }
    let failed = service.why.as_deref() == Some("failed");
    let unseen = service.keeper.as_ref().is_some_and(KeeperStatus::is_unseen);
    match service.state.as_str() {
        "up" if unseen => DOUBTFUL,
        "up" if probe::is_unready(service) => DOUBTFUL,
        "up" if probe::is_unsure(service) || probe::is_open(service) => DOUBTFUL,
        "up" => GOOD,
        "gave-up" => BAD,
        "down" if failed => BAD,
        "down" if service.wish == "rest" => QUIET,
        _ => DOUBTFUL,
    }
}

/// What a service waits for that is no service.
pub(super) fn lacks(service: &ServiceStatus) -> String {
    let lacks = service.lacks.as_deref().unwrap_or("?");
    let standing = service.lacks_because.as_deref().unwrap_or("unknown");
    format!("waits for {lacks} (now: {standing})")
}

/// What there is to add to the state of a service.
pub(super) fn notes(service: &ServiceStatus) -> Vec<String> {
    let mut notes = Vec::new();
    let ago = |s: Option<Seconds>| s.map_or_else(String::new, |s| for_people(s.0));
    let why = service.why.as_deref();
    match service.state.as_str() {
        "down" => notes.push(down(service)),
        "starting" if service.pid.is_none() && service.keeper.is_some() => {
            notes.push("no process yet".into());
        }
        "starting" if service.pid.is_none() => notes.push("process is being made".into()),
        "starting" if service.probes.is_empty() => notes.push("not ready yet".into()),
        "stopping" => {
            let told = ago(service.stopping_seconds);
            notes.push(match (service.killed, why) {
                (true, _) => format!("killed {told} ago at the latest, not gone yet"),
                (false, Some("fault")) => format!("hangs; told to end {told} ago"),
                (false, Some("own")) => format!("said {told} ago that it ends"),
                (false, _) => format!("told to end {told} ago"),
            });
        }
        "backoff" => notes.push(format!("next try in {}", ago(service.retry_seconds))),
        "held" => notes.push("held back for want of power or memory, or for heat".into()),
        "gave-up" => {
            let next = ago(service.retry_seconds);
            notes.push(format!("too many failures; next try in {next}"));
            let kept = service.machine_kept.as_ref();
            notes.extend(kept.map(|why| format!("this machine is not restarted for it: {why}")));
        }
        _ => {}
    }
    notes.extend(probe::notes(service));
    if service.failures > 1 {
        notes.push(format!("{} failures in a row", service.failures));
    }
    if service.failures > 0 && service.excused > 0 {
        notes.push(format!(
            "{} put down to power, throttling or a hold",
            service.excused
        ));
    }
    notes.extend(taken_over(service));
    if service.wish == "rest" && service.state == "up" {
        notes.push("is to rest".into());
    }
    if let Some(keeper) = &service.keeper {
        notes.extend(keeper.text.clone().filter(|_| service.state != "down"));
        match keeper.health.as_deref() {
            Some("ill") => notes.push("unhealthy".to_owned()),
            Some("awaited") => notes.push("its health is not known yet".to_owned()),
            _ => {}
        }
        notes.push(format!("kept by {}: {}", keeper.by, keeper.name));
    }
    if let Some(job) = &service.job {
        notes.extend(job.next());
        notes.push(job.good());
    }
    notes.extend(own_words(service));
    notes
}

/// Who started it, where that was not this daemon.
fn taken_over(service: &ServiceStatus) -> Option<String> {
    let text = match service.since_seconds {
        _ if !service.adopted => return None,
        _ if service.keeper.is_some() => "was running already".to_owned(),
        Some(s) => format!("taken over from an earlier daemon {} ago", for_people(s.0)),
        None => "taken over from an earlier daemon".to_owned(),
    };
    Some(text)
}

/// Why it is down.
fn down(service: &ServiceStatus) -> String {
    let job = service.job.as_ref();
    let obstacle = service.keeper.as_ref().and_then(|k| k.text.clone());
    match service.why.as_deref() {
        Some("waiting") if job.is_some_and(|job| job.waits().is_some()) => {
            job.and_then(JobStatus::waits).unwrap_or_default()
        }
        Some("failed") if job.is_some() => "its latest run failed".to_owned(),
        Some("finished") if job.is_some() => "done".to_owned(),
        Some("not-started") if job.is_some() => "has not run yet".to_owned(),
        Some("waiting") => match &service.with_group {
            Some(group) => format!("waits for its group {group}"),
            None if service.lacks.is_some() => lacks(service),
            None if obstacle.is_some() => obstacle.unwrap_or_default(),
            None if service.waits_for.is_empty() => "starts next".to_owned(),
            None => format!("waits for {}", service.waits_for.join(", ")),
        },
        Some("stopped") => "stopped by request".to_owned(),
        Some("stopped-elsewhere") => match &service.keeper {
            Some(keeper) => format!("stopped by another, through {}: left alone", keeper.by),
            None => "stopped by another: left alone".to_owned(),
        },
        Some("finished") => "finished".to_owned(),
        Some("failed") => "failed, and is not restarted".to_owned(),
        Some("not-started") if service.wish == "rest" => "nobody has asked for it".to_owned(),
        _ => "not started".to_owned(),
    }
}

/// What a service has told of itself.
fn own_words(service: &ServiceStatus) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(since) = service.reloading_seconds {
        notes.push(format!("reloading for {}", for_people(since.0)));
    }
    match service.kept_descriptors {
        0 => {}
        1 => notes.push("1 descriptor kept".into()),
        n => notes.push(format!("{n} descriptors kept")),
    }
    if let Some(errno) = &service.errno {
        notes.push(format!("says that it failed: {errno}"));
    }
    if let Some(text) = &service.status_text {
        notes.push(format!("says: {text}"));
    }
    notes
}

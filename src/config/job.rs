//! Reads what makes a service a job.

use super::needs;
use super::problem::quote;
use super::report::Report;
use super::schema::{Kind, brief};
use super::table::{At, Table};
use super::value::{self, Node};
use super::zone;
use crate::core::settings::{
    Calendar, Hindrance, Job, Ready, Restart, Schedule, Service, When, Zone,
};
use std::time::Duration;

/// Keys that only a job has.
pub const OF_JOBS: [&str; 9] = [
    "every",
    "calendar",
    "zone",
    "any_clock",
    "jitter",
    "timeout",
    "exclusive",
    "not_while",
    "fresh_within",
];

/// What makes a service a job; the outer `None` if a value is wrong, and the report has it.
pub(super) fn job(table: &mut Table<'_, '_, '_>) -> Option<Option<Job>> {
    let service = table.choice("kind")?.value != "job";
    if service && !OF_JOBS.into_iter().any(|key| table.gives(key)) {
        return Some(None);
    }
    let every = table.duration("every");
    let calendar = table
        .gives("calendar")
        .then(|| table.other("calendar", calendar));
    let zoned = table.gives("calendar") || table.gives("zone");
    let zone = zoned.then(|| table.other("zone", zone)).flatten();
    let any_clock = table.flag("any_clock");
    let jitter = table.duration("jitter");
    let timeout = table.duration("timeout");
    let exclusive = table.other("exclusive", word);
    let not_while = table.other("not_while", hindrances);
    let fresh_within = table.duration("fresh_within");
    if service {
        return no_job(table);
    }
    let given = table.gives("every");
    let schedule = match (every, calendar) {
        (Some(every), None) => Schedule::Every(every.value),
        (None, None) if given => return None,
        (None, None) => {
            let what = "it is a job and has no times";
            let help = "add every = \"1h\" or calendar = \"03:30\"";
            return refuse(table, "kind", what, help);
        }
        (_, Some(_)) if given => {
            let what = "there is `calendar`, too";
            return refuse(table, "every", what, "remove one of the two");
        }
        (_, Some(calendar)) => {
            let (text, when) = calendar?.value;
            let zone = zone?.value;
            Schedule::Calendar {
                calendar: Calendar { text, when, zone },
                any_clock: any_clock?.value,
            }
        }
    };
    let jitter = jitter?;
    if let Schedule::Every(every) = schedule {
        fits(table, &jitter, every)?;
    }
    Some(Some(Job {
        schedule,
        jitter: jitter.value,
        timeout: timeout?.value,
        exclusive: exclusive.map(|word| word.value),
        not_while: not_while?.value,
        fresh_within: fresh_within.map(|within| within.value),
    }))
}

/// Reports keys that a service has no use for.
fn no_job<T>(table: &mut Table<'_, '_, '_>) -> Option<T> {
    for key in OF_JOBS {
        if table.gives(key) {
            let help = "add kind = \"job\", or remove it";
            refuse::<()>(table, key, "only a job has that", help);
        }
    }
    None
}

/// Reports what is wrong with a key.
fn refuse<T>(table: &mut Table<'_, '_, '_>, key: &str, what: &str, help: &str) -> Option<T> {
    let given = table.entries().find(|(name, _)| name.get_ref() == key);
    let span = given.map_or(table.header(), |(name, _)| name.span());
    let what = format!("`{}`: {what}", table.full(key));
    table.report().error(span, what, help.to_owned());
    None
}

fn fits(table: &mut Table<'_, '_, '_>, jitter: &At<Duration>, every: Duration) -> Option<()> {
    if jitter.value < every {
        return Some(());
    }
    let what = format!(
        "`{}` ({}) is not shorter than `every` ({})",
        table.full("jitter"),
        brief(jitter.value),
        brief(every)
    );
    let span = jitter.span.clone().unwrap_or(table.header());
    let help = "write a shorter one".to_owned();
    table.report().error(span, what, help);
    None
}

/// Reports what a job cannot be, and makes it what a job is by default.
pub(super) fn settle(
    table: &mut Table<'_, '_, '_>,
    mut service: Service,
    job: Option<Job>,
) -> Option<Service> {
    let Some(job) = job else {
        return Some(service);
    };
    if service.ready != Ready::Exec {
        let help = "remove it: a job is up while it runs";
        return refuse(table, "ready", "a job is never ready, it ends", help);
    }
    if table.gives("probe") {
        let help = "remove it: timeout ends a job that hangs, and its end says how it went";
        return refuse(table, "probe", "a job is not probed, it ends", help);
    }
    if table.gives("must_not_reach") {
        let help = "remove it, or let a service with the same network have it";
        let what = "a job may be over before it is tried";
        return refuse(table, "must_not_reach", what, help);
    }
    if service.escalates {
        let help = "remove it, and let fresh_within tell that the job fails";
        return refuse(
            table,
            "escalate",
            "the machine is not restarted for a job",
            help,
        );
    }
    if !table.gives("restart") {
        // Its next time is its next try.
        service.restart = Restart::Never;
    } else if service.restart == Restart::Always {
        let help = "write \"on-failure\" to have it tried again after its backoff, or remove it";
        return refuse(
            table,
            "restart",
            "a job that always restarts never ends",
            help,
        );
    }
    service.job = Some(Box::new(job));
    Some(service)
}

fn calendar(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    kind: Kind,
) -> Option<(Box<str>, When)> {
    let Some(text) = node.get_ref().as_str() else {
        let help = format!("write one of {}", When::FORMS);
        value::mistyped(report, path, node, &kind, help);
        return None;
    };
    let when = When::parse(text);
    if when.is_none() {
        let what = format!("`{path}`: {} is no time of a calendar", quote(text));
        report.error(node.span(), what, format!("write one of {}", When::FORMS));
    }
    Some((text.into(), when?))
}

fn zone(report: &mut Report<'_>, path: &str, node: &Node<'_>, kind: Kind) -> Option<Zone> {
    let Some(text) = node.get_ref().as_str() else {
        let help = "write \"UTC\" or the name of a time zone".to_owned();
        value::mistyped(report, path, node, &kind, help);
        return None;
    };
    let found = zone::find(text);
    found
        .map_err(|help| {
            let what = format!("`{path}`: {} is no time zone", quote(text));
            report.error(node.span(), what, help);
        })
        .ok()
}

fn word(report: &mut Report<'_>, path: &str, node: &Node<'_>, kind: Kind) -> Option<Box<str>> {
    let help = || "write a word of letters, digits and -, as in \"heavy\"".to_owned();
    let Some(text) = node.get_ref().as_str() else {
        value::mistyped(report, path, node, &kind, help());
        return None;
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if text.is_empty() || text.len() > 64 || !text.chars().all(plain) {
        let what = format!("`{path}`: {} is no such word", quote(text));
        report.error(node.span(), what, help());
        return None;
    }
    Some(text.into())
}

fn hindrances(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    kind: Kind,
) -> Option<Vec<Hindrance>> {
    let words = needs::words(report, path, node, kind, "[\"battery\"]")?;
    let hindrance = |word: &str| match word {
        "battery" => Some(Hindrance::Battery),
        "throttled" => Some(Hindrance::Throttled),
        "memory-low" => Some(Hindrance::MemoryLow),
        _ => None,
    };
    words.iter().map(|word| hindrance(word.value)).collect()
}

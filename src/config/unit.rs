//! Reads what makes a service a unit of systemd: `kind = "unit"`.

use super::job::OF_JOBS;
use super::problem::quote;
use super::schema::quoted;
use super::table::{At, Table};
use super::{Command, Way};
use crate::core::settings::{Keeper, Service};
use std::collections::BTreeMap;

/// Longest name of a unit that systemd takes.
const NAME_MAX: usize = 255;

/// Keys that say how a process of ours is run, and where the same is said of a unit.
const NOT_OURS: [(&[&str], &str); 5] = [
    (
        &["command"],
        "systemd runs what ExecStart= of the unit says",
    ),
    (
        &["ready", "heartbeat", "fd_store"],
        "a unit tells systemd when it is ready (Type=notify) and that it lives (WatchdogSec=)",
    ),
    (
        &[
            "stop_signal",
            "environment",
            "directory",
            "output",
            "log_file",
        ],
        "the unit says that itself (KillSignal=, Environment=, WorkingDirectory=, StandardOutput=)",
    ),
    (
        &["must_not_reach"],
        "the network of a unit is not looked at from within",
    ),
    (
        &[
            "user",
            "group",
            "groups",
            "capabilities",
            "no_new_privileges",
            "umask",
            "nice",
            "oom_score",
            "limits",
            "private_tmp",
            "read_only",
            "writable",
            "private_network",
            "secrets",
            "cpu_quota",
            "cpu_weight",
            "memory_high",
            "memory_max",
            "swap_max",
            "oom_group",
            "io_weight",
            "pids_max",
        ],
        "the unit says itself who it runs as and what it may do and take",
    ),
];

/// Units that would be kept by what runs in them.
pub(super) const OURS: [&str; 2] = ["fieldwarden.service", "fieldwarden-pool.service"];

/// The table is that of a unit. Whatever else is wrong with `kind` is told where that is read.
pub(super) fn is_unit(table: &Table<'_, '_, '_>) -> bool {
    let mut entries = table.entries();
    entries.any(|(name, node)| name.get_ref() == "kind" && node.get_ref().as_str() == Some("unit"))
}

/// Who keeps the service of this name; the outer `None` if anything is wrong, and the report has it.
pub(super) fn keeper(table: &mut Table<'_, '_, '_>, name: &str) -> Option<Option<Box<Keeper>>> {
    let given = table.gives("unit");
    let unit = table.text("unit");
    if !is_unit(table) {
        if given {
            let help = "add kind = \"unit\", or remove it";
            refuse(table, "unit", "only a unit of systemd has that", help);
            return None;
        }
        return Some(None);
    }
    let sound = refuse_others(table);
    let unit = match given {
        true => unit?,
        false => At {
            value: format!("{name}.service"),
            span: None,
        },
    };
    let unit = checked(table, unit)?;
    sound.then(|| {
        Some(Box::new(Keeper::Systemd {
            unit: unit.as_str().into(),
        }))
    })
}

/// Reports what only a process of ours has. False if there is anything.
fn refuse_others(table: &mut Table<'_, '_, '_>) -> bool {
    let mut sound = true;
    for (keys, why) in NOT_OURS {
        for key in keys
            .iter()
            .filter(|key| table.gives(key))
            .copied()
            .collect::<Vec<_>>()
        {
            refuse(
                table,
                key,
                why,
                "remove it; `systemctl edit` changes a unit",
            );
            sound = false;
        }
    }
    sound && !OF_JOBS.iter().any(|key| table.gives(key))
}

/// A name that systemd takes, and not one of our own units.
fn checked(table: &mut Table<'_, '_, '_>, unit: At<String>) -> Option<String> {
    let text = unit.value;
    let plain = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    let stem = text.strip_suffix(".service").unwrap_or_default();
    let (what, help) = if OURS.contains(&text.as_str()) {
        (
            format!("{} is our own", quote(&text)),
            "choose another unit".to_owned(),
        )
    } else if stem.len() > 1 && stem.ends_with('@') {
        (
            format!("{} is a template", quote(&text)),
            format!("name an instance of it, as in \"{stem}1.service\""),
        )
    } else if stem.is_empty()
        || stem.starts_with('@')
        || text.len() > NAME_MAX
        || !text.chars().all(plain)
    {
        (
            format!("{} is no name of a service unit", quote(&text)),
            "write it as `systemctl list-units --type=service` shows it, as in \"nginx.service\""
                .to_owned(),
        )
    } else {
        return Some(text);
    };
    let what = format!("`{}`: {what}", table.full("unit"));
    let span = unit.span.unwrap_or(table.header());
    table.report().error(span, what, help);
    None
}

/// Reports probes that would have to be run as the unit is. False if there are any.
pub(super) fn probes_fit(table: &mut Table<'_, '_, '_>, command: &Command) -> bool {
    let runs = |way: &Way| matches!(way, Way::Exec(_));
    let Some(plan) = command.probes.iter().find(|plan| runs(&plan.way)) else {
        return true;
    };
    let what = format!(
        "`{}.{}.exec`: a unit is not probed by a program, which would not run as the unit does",
        table.full("probe"),
        plan.word()
    );
    let help = format!("use {}", quoted(&["tcp", "http", "file"]));
    let span = place(table, "probe");
    table.report().error(span, what, help);
    false
}

/// Reports units that are named by two services.
pub(super) fn named_twice(top: &mut Table<'_, '_, '_>, services: &[(Service, Command)]) -> bool {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    let header = top.header();
    let mut twice = false;
    for (service, _) in services {
        let Some(Keeper::Systemd { unit }) = service.keeper.as_deref() else {
            continue;
        };
        if let Some(other) = seen.insert(unit, &service.name) {
            let what = format!("{other} and {} are the same unit {unit}", service.name);
            let help = "remove one of the two".to_owned();
            top.report().error(header.clone(), what, help);
            twice = true;
        }
    }
    twice
}

fn place(table: &Table<'_, '_, '_>, key: &str) -> std::ops::Range<usize> {
    let given = table.entries().find(|(name, _)| name.get_ref() == key);
    given.map_or(table.header(), |(name, _)| name.span())
}

fn refuse(table: &mut Table<'_, '_, '_>, key: &str, what: &str, help: &str) {
    let span = place(table, key);
    let what = format!("`{}`: {what}", table.full(key));
    table.report().error(span, what, help.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys;

    /// What a unit may have beside what is refused: a new key is one or the other.
    const KEPT: [&str; 17] = [
        "kind",
        "unit",
        "autostart",
        "class",
        "after",
        "requires",
        "wants",
        "needs",
        "stop_without",
        "start_timeout",
        "probe",
        "stop_timeout",
        "restart",
        "escalate",
        "success_on",
        "no_restart_on",
        "backoff",
    ];

    #[test]
    fn every_key_of_a_service_is_refused_or_not() {
        let refused: Vec<&str> = NOT_OURS
            .iter()
            .flat_map(|(keys, _)| *keys)
            .copied()
            .collect();
        for key in keys::SERVICE.keys {
            let of_jobs = OF_JOBS.contains(&key.name);
            let places = [
                refused.contains(&key.name),
                KEPT.contains(&key.name),
                of_jobs,
            ];
            let count = places.iter().filter(|place| **place).count();
            assert_eq!(count, 1, "{}", key.name);
        }
    }
}

//! Reads who keeps the process of a service, where that is somebody else: `kind = "unit"` and
//! `kind = "container"`.

use super::job::OF_JOBS;
use super::schema::quoted;
use super::table::Table;
use super::{Command, Way, container, unit, value};
use crate::core::settings::{Keeper, Service};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Keys that say how a process of ours is run, in groups that are refused for the same reason.
const NOT_OURS: [&[&str]; 5] = [
    &["command"],
    &["ready", "heartbeat", "fd_store"],
    &[
        "stop_signal",
        "environment",
        "directory",
        "output",
        "log_file",
    ],
    &["must_not_reach"],
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
];

/// Keys that only these kinds have, with their kind.
const OF_KINDS: [(&str, &str); 5] = [
    ("unit", "unit"),
    ("container", "container"),
    ("engine", "container"),
    ("socket", "container"),
    ("unhealthy", "container"),
];

/// A kind of service that somebody else keeps.
pub(super) struct KeptKind {
    /// Its word.
    pub word: &'static str,
    /// Why each group of keys of ours is refused.
    pub why: [&'static str; NOT_OURS.len()],
    /// What to do in place of that.
    pub help: &'static str,
    /// Why it has no probe by a program.
    pub unprobed: &'static str,
}

/// Which of these kinds the table is of, if any. Whatever else is wrong with `kind` is told where that
/// is read.
fn kind(table: &Table<'_, '_, '_>) -> Option<&'static KeptKind> {
    let mut entries = table.entries();
    let (_, node) = entries.find(|(name, _)| name.get_ref() == "kind")?;
    let word = node.get_ref().as_str()?;
    let kinds = [&unit::KIND, &container::KIND];
    kinds.into_iter().find(|kind| kind.word == word)
}

/// Somebody else keeps it.
pub(super) fn is_kept(table: &Table<'_, '_, '_>) -> bool {
    kind(table).is_some()
}

/// Who keeps the service of this name; the outer `None` if anything is wrong, and the report has it.
pub(super) fn keeper(table: &mut Table<'_, '_, '_>, name: &str) -> Option<Option<Box<Keeper>>> {
    let kind = kind(table);
    let word = kind.map(|kind| kind.word);
    let mut sound = true;
    for (key, of) in OF_KINDS {
        if Some(of) != word && table.gives(key) {
            let what = match of {
                "unit" => "only a unit of systemd has that",
                _ => "only a container has that",
            };
            let help = match kind {
                Some(_) => "remove it".to_owned(),
                None => format!("add kind = \"{of}\", or remove it"),
            };
            refuse(table, key, what, &help);
            sound = false;
        }
    }
    // Each is read, so that whatever is wrong with it is told.
    let unit = table.text("unit");
    let container = table.text("container");
    let engine = table.choice("engine");
    let socket = table.path("socket");
    let unhealthy = table.choice("unhealthy");
    let Some(kind) = kind else {
        return sound.then_some(None);
    };
    sound &= refuse_others(table, kind);
    let keeper = match kind.word {
        "unit" => unit::keeper(table, name, unit)?,
        _ => {
            let words = (engine?.value, unhealthy?.value);
            container::keeper(table, name, (container, socket), words)?
        }
    };
    sound.then(|| Some(Box::new(keeper)))
}

/// Reports what only a process of ours has. False if there is anything.
fn refuse_others(table: &mut Table<'_, '_, '_>, kind: &KeptKind) -> bool {
    let mut sound = true;
    for (keys, why) in NOT_OURS.iter().zip(kind.why) {
        for key in *keys {
            if table.gives(key) {
                refuse(table, key, why, kind.help);
                sound = false;
            }
        }
    }
    sound && !OF_JOBS.iter().any(|key| table.gives(key))
}

/// Reports probes that would have to be run as the service is. False if there are any.
pub(super) fn probes_fit(table: &mut Table<'_, '_, '_>, command: &Command) -> bool {
    let runs = |way: &Way| matches!(way, Way::Exec(_));
    let plan = command.probes.iter().find(|plan| runs(&plan.way));
    let (Some(plan), Some(kind)) = (plan, kind(table)) else {
        return true;
    };
    let what = format!(
        "`{}.{}.exec`: {}",
        table.full("probe"),
        plan.word(),
        kind.unprobed
    );
    let help = format!("use {}", quoted(&["tcp", "http", "file"]));
    let span = place(table, "probe");
    table.report().error(span, what, help);
    false
}

/// Reports what two services name.
pub(super) fn named_twice(top: &mut Table<'_, '_, '_>, services: &[(Service, Command)]) -> bool {
    let mut seen: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    let header = top.header();
    let mut twice = false;
    for (service, _) in services {
        let (where_, which, word) = match service.keeper.as_deref() {
            None => continue,
            Some(Keeper::Systemd { unit, .. }) => ("", &**unit, "unit"),
            Some(Keeper::Engine {
                socket, container, ..
            }) => (&**socket, &**container, "container"),
        };
        if let Some(other) = seen.insert((where_, which), &service.name) {
            let (one, two, which) = (value::key(other), value::key(&service.name), odd(which));
            let what = format!("{one} and {two} are the same {word} {which}");
            let help = "remove one of the two".to_owned();
            top.report().error(header.clone(), what, help);
            twice = true;
        }
    }
    twice
}

/// A name as it is, unless something in it would drive a terminal.
fn odd(name: &str) -> Cow<'_, str> {
    match name.chars().any(char::is_control) {
        true => value::key(name).into(),
        false => name.into(),
    }
}

/// Where a key is.
pub(super) fn place(table: &Table<'_, '_, '_>, key: &str) -> std::ops::Range<usize> {
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

    /// What such a service may have beside what is refused: a new key is one or the other.
    const KEPT: [&str; 21] = [
        "kind",
        "unit",
        "container",
        "engine",
        "socket",
        "unhealthy",
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
        let refused: Vec<&str> = NOT_OURS.iter().flat_map(|keys| *keys).copied().collect();
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

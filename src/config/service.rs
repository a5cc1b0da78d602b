//! Reads the `[service.NAME]` tables, each on its own.

use super::command::command;
use super::problem::quote;
use super::report::Report;
use super::schema::Kind;
use super::table::{At, Table};
use super::value::{self, Node};
use super::{Command, SERVICES_MAX, job, kept, keys, needs, probe, restart};
use crate::core::settings::{Class, Ready, Restart, Service};
use std::ops::Range;
use std::time::Duration;

/// Longest name, so that it fits into file names and into a column of a status table.
pub(super) const NAME_MAX: usize = 64;

/// Words of the command line, which would make `fieldwarden status NAME` and the like ambiguous.
const VERBS: &[&str] = &[
    "all",
    "boards",
    "bundle",
    "check",
    "config",
    "demo",
    "drill",
    "events",
    "explain",
    "export",
    "halt",
    "help",
    "hold",
    "led",
    "logs",
    "notify",
    "power",
    "preflight",
    "reload",
    "replay",
    "restart",
    "run",
    "start",
    "status",
    "stop",
    "tree",
    "why",
];

/// One service as it was read, before the others are looked at.
pub(super) struct Draft {
    /// Its name, which may be a wrong one; that is in the report then.
    pub(super) name: String,
    /// The name as messages show it.
    pub(super) shown: String,
    /// Where the name is.
    pub(super) header: Range<usize>,
    /// What it names as `after`.
    pub(super) after: Vec<At<String>>,
    /// What it names as `requires`.
    pub(super) requires: Vec<At<String>>,
    /// What it names as `wants`.
    pub(super) wants: Vec<At<String>>,
    /// `None` if it is wrong.
    pub(super) stop_timeout: Option<At<Duration>>,
    /// The service without the others that it names; `None` if anything is wrong.
    pub(super) rest: Option<(Service, Command)>,
}

/// Reads all services, sorted by name.
pub(super) fn drafts(top: &mut Table<'_, '_, '_>) -> Vec<Draft> {
    let mut services = top.group("service");
    let mut names: Vec<_> = services.entries().map(|(name, _)| name).collect();
    names.sort_by(|a, b| a.get_ref().cmp(b.get_ref()));
    if names.len() > SERVICES_MAX {
        let span = services.header();
        let what = format!("there are {} services", names.len());
        let help = format!("run at most {SERVICES_MAX}");
        services.report().error(span, what, help);
    }
    let mut drafts = Vec::new();
    for name in names {
        let text: &str = name.get_ref();
        check_name(services.report(), text, name.span());
        drafts.push(draft(services.below(text, keys::SERVICE.keys), text));
    }
    drafts
}

fn check_name(report: &mut Report<'_>, name: &str, span: Range<usize>) {
    let shown = quote(name);
    let (what, help) = if name.is_empty() || name.len() > NAME_MAX {
        (
            format!(
                "the name of a service has 1 to {NAME_MAX} characters, not {}",
                name.len()
            ),
            "write [service.NAME]",
        )
    } else if !name.chars().all(is_plain) {
        (
            format!("{shown} cannot be the name of a service"),
            "use letters, digits, -, _ and . only",
        )
    } else if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        (
            format!("{shown} cannot be the name of a service"),
            "begin it with a letter or a digit",
        )
    } else if VERBS.contains(&name) {
        (
            format!("{shown} cannot be the name of a service: it is a word of the command line"),
            "choose another name",
        )
    } else {
        return;
    };
    report.error(span, what, help.to_owned());
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// Whether a text can be the name of a file of its own, in any directory.
pub(super) fn is_file_name(text: &str) -> bool {
    let first = |c: char| c.is_ascii_alphanumeric();
    text.len() <= NAME_MAX && text.starts_with(first) && text.chars().all(is_plain)
}

fn draft(mut table: Table<'_, '_, '_>, name: &str) -> Draft {
    let command = command(&mut table);
    let probes = probe::probes(&mut table);
    let after = table.other("after", names);
    let requires = table.other("requires", names);
    let wants = table.other("wants", names);
    let stop_timeout = table.duration("stop_timeout");
    let service = service(&mut table, name, stop_timeout.as_ref());
    if let (Some(service), Some(command)) = (&service, &command) {
        check_descriptors(&mut table, service, command);
        check_log_file(&mut table, command);
    }
    Draft {
        name: name.to_owned(),
        shown: value::key(name),
        header: table.header(),
        after: after.map_or(Vec::new(), |names| names.value),
        requires: requires.map_or(Vec::new(), |names| names.value),
        wants: wants.map_or(Vec::new(), |names| names.value),
        stop_timeout,
        rest: with_probes(service.zip(command), probes).filter(|(service, command)| {
            service.keeper.is_none() || kept::probes_fit(&mut table, command)
        }),
    }
}

/// The same with its probes, if those can be used.
fn with_probes(
    read: Option<(Service, Command)>,
    probes: Option<probe::Read>,
) -> Option<(Service, Command)> {
    let ((mut service, mut command), (probes, plans)) = read.zip(probes)?;
    (service.probes, command.probes) = (probes, plans);
    Some((service, command))
}

/// The descriptor of a newline must not be one of those that are handed back.
fn check_descriptors(table: &mut Table<'_, '_, '_>, service: &Service, command: &Command) {
    let Ready::Newline { descriptor } = service.ready else {
        return;
    };
    let (number, kept) = (u32::from(descriptor), command.fd_store);
    if number < 3 + kept {
        let what = format!(
            "`{}` is \"fd:{number}\", which is one of the {kept} descriptors of `fd_store`",
            table.full("ready")
        );
        let help = match kept {
            0..=6 => format!("write \"fd:{}\" or a larger one", 3 + kept),
            _ => "leave `fd_store` out, or use ready = \"notify\"".to_owned(),
        };
        let span = table.header();
        table.report().error(span, what, help);
    }
}

/// Only what comes by way of the daemon can be kept by it.
fn check_log_file(table: &mut Table<'_, '_, '_>, command: &Command) {
    if command.log_file.is_none() || command.output == super::Output::Log {
        return;
    }
    let what = format!(
        "`{}` keeps nothing: `output` does not go through the daemon",
        table.full("log_file")
    );
    let help = "leave `log_file` out, or use output = \"log\"".to_owned();
    let span = table.header();
    table.report().error(span, what, help);
}

fn service(
    table: &mut Table<'_, '_, '_>,
    name: &str,
    stop_timeout: Option<&At<Duration>>,
) -> Option<Service> {
    let autostart = table.flag("autostart");
    let class = table.choice("class");
    let ready = table.choice("ready");
    let start_timeout = table.duration("start_timeout");
    let heartbeat = table.duration("heartbeat");
    let restart = table.choice("restart");
    let escalate = table.choice("escalate");
    let success_on = table.other("success_on", restart::codes);
    let no_restart_on = table.other("no_restart_on", restart::codes);
    let (needs, stop_without) = needs::needs(table);
    let backoff = restart::backoff(table.inner("backoff"));
    let job = job::job(table);
    let keeper = kept::keeper(table, name);
    let service = Service {
        name: name.into(),
        autostart: autostart?.value,
        class: match class?.value {
            "essential" => Class::Essential,
            "normal" => Class::Normal,
            "optional" => Class::Optional,
            _ => return None,
        },
        after: Vec::new(),
        requires: Vec::new(),
        wants: Vec::new(),
        needs: needs?,
        stop_without: stop_without?,
        ready: match ready?.value {
            "exec" => Ready::Exec,
            "notify" => Ready::Notify,
            word => Ready::Newline {
                descriptor: word.strip_prefix("fd:")?.parse().ok()?,
            },
        },
        start_timeout: start_timeout?.value,
        heartbeat: heartbeat.map(|heartbeat| heartbeat.value),
        probes: None,
        stop_timeout: stop_timeout?.value,
        restart: match restart?.value {
            "always" => Restart::Always,
            "on-failure" => Restart::OnFailure,
            "on-abnormal" => Restart::OnAbnormal,
            "never" => Restart::Never,
            _ => return None,
        },
        success_on: success_on?.value,
        no_restart_on: no_restart_on?.value,
        backoff: backoff?,
        escalates: escalate?.value == "machine",
        job: None,
        keeper: keeper?,
    };
    job::settle(table, service, job?)
}

/// Reads names of services.
pub(super) fn names(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    kind: Kind,
) -> Option<Vec<At<String>>> {
    let items = value::list(report, path, node, &kind, "[\"db\"]")?;
    let mut names: Vec<At<String>> = Vec::new();
    for item in items {
        let Some(text) = item.get_ref().as_str() else {
            let help = "write names of services in quotes, as in [\"db\"]".to_owned();
            report.error(
                item.span(),
                format!("an item of `{path}` must be a text"),
                help,
            );
            continue;
        };
        if names.iter().any(|name| name.value == text) {
            let what = format!("`{path}` names {} twice", quote(text));
            report.error(item.span(), what, "remove one of the two".to_owned());
            continue;
        }
        names.push(At {
            value: text.to_owned(),
            span: Some(item.span()),
        });
    }
    Some(names)
}

//! Reads how a service is run: its program, arguments, environment and signal.

use super::problem::quote;
use super::report::Report;
use super::schema::Kind;
use super::table::{At, Table};
use super::value::{self, Node};
use super::{Command, Output, StopSignal, kept, rights, sandbox, share};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::Range;

/// Variables that the daemon sets or keeps from a service; the same for all that begin with
/// `LISTEN_`.
const RESERVED: &[&str] = &[
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "JOURNAL_STREAM",
    "INVOCATION_ID",
    "CREDENTIALS_DIRECTORY",
];

/// Longest argument or variable with its name, in bytes: the kernel's `MAX_ARG_STRLEN` without
/// the NUL. A longer one makes every start fail with E2BIG.
const ARGUMENT_MAX: usize = 131_071;

/// Reads the keys of a service that the core need not know.
pub(super) fn command(table: &mut Table<'_, '_, '_>) -> Option<Command> {
    let argv = match kept::is_kept(table) {
        true => Some(At {
            value: Vec::new(),
            span: None,
        }),
        false => table.other("command", argv),
    };
    let environment = table.other("environment", environment);
    let directory = table.path("directory");
    let output = table.choice("output");
    let stop_signal = table.other("stop_signal", signal);
    let rights = rights::rights(table);
    let bounds = rights::bounds(table);
    let fd_store = table.count("fd_store");
    let log_file = table.word_or_size("log_file");
    let share = share::share(table);
    let sandbox = sandbox::sandbox(table);
    Some(Command {
        argv: argv?.value,
        environment: environment?.value,
        directory: directory?.value,
        output: match output?.value {
            "log" => Output::Log,
            "null" => Output::Null,
            "inherit" => Output::Inherit,
            _ => return None,
        },
        stop_signal: stop_signal?.value,
        rights: rights?,
        bounds: bounds?,
        sandbox: sandbox?,
        fd_store: fd_store?.value,
        log_file: log_file?
            .value
            .and_then(|size| u32::try_from(size).ok())
            .and_then(NonZeroU32::new),
        share: share?,
        probes: Box::default(),
    })
}

/// Reads `command`, or the program of a probe.
pub(super) fn argv(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    kind: Kind,
) -> Option<Vec<String>> {
    if let Some(text) = node.get_ref().as_str() {
        let words: Vec<String> = text
            .split_whitespace()
            .map(|word| format!("{word:?}"))
            .collect();
        let help = if text.len() <= 200 && !text.contains(['"', '\'', '\\', '$', '|', '&', ';']) {
            format!("write [{}]", words.join(", "))
        } else {
            "write [\"/bin/sh\", \"-c\", \"...\"] if a shell should read it".to_owned()
        };
        let what = format!("`{path}` must be a list, not one text: no shell splits it");
        report.error(node.span(), what, help);
        return None;
    }
    let items = value::list(
        report,
        path,
        node,
        &kind,
        "[\"/usr/bin/web\", \"--port\", \"80\"]",
    )?;
    let Some((program, arguments)) = items.split_first() else {
        let help = "write [\"/usr/bin/web\", \"--port\", \"80\"]".to_owned();
        report.error(node.span(), format!("`{path}` names no program"), help);
        return None;
    };
    let mut argv = vec![
        value::path(report, path, program, &Kind::Path)?
            .to_str()?
            .to_owned(),
    ];
    for item in arguments {
        if let Some(text) = argument(report, path, item) {
            argv.push(text.to_owned());
        }
    }
    // It is kept for as long as the daemon runs.
    argv.shrink_to_fit();
    Some(argv)
}

/// Reads one argument.
fn argument<'n>(report: &mut Report<'_>, path: &str, node: &'n Node<'_>) -> Option<&'n str> {
    let Some(text) = node.get_ref().as_str() else {
        let help = "write every argument in quotes, numbers too, as in \"80\"".to_owned();
        report.error(
            node.span(),
            format!("an argument in `{path}` must be a text"),
            help,
        );
        return None;
    };
    let text = value::free_of_nul(report, path, node, text)?;
    fits(report, path, node.span(), text.len()).then_some(text)
}

/// Reports an argument or variable that the kernel would refuse.
fn fits(report: &mut Report<'_>, path: &str, span: Range<usize>, length: usize) -> bool {
    let fits = length <= ARGUMENT_MAX;
    if !fits {
        let what = format!("`{path}` holds a text of {length} bytes");
        let help = format!("the kernel takes at most {ARGUMENT_MAX} in one piece; use a file");
        report.error(span, what, help);
    }
    fits
}

/// Reads `stop_signal`, with or without SIG before it.
fn signal(report: &mut Report<'_>, path: &str, node: &Node<'_>, kind: Kind) -> Option<StopSignal> {
    let Kind::Choice(words) = kind else {
        return None;
    };
    let text = value::string(report, path, node, &kind)?;
    let plain = text.strip_prefix("SIG").unwrap_or(text);
    match plain {
        "TERM" => Some(StopSignal::Term),
        "INT" => Some(StopSignal::Int),
        "QUIT" => Some(StopSignal::Quit),
        "HUP" => Some(StopSignal::Hup),
        "USR1" => Some(StopSignal::Usr1),
        "USR2" => Some(StopSignal::Usr2),
        _ => {
            let allowed = format!("{kind}, with or without SIG");
            let near = plain.to_ascii_uppercase();
            let near = near.strip_prefix("SIG").unwrap_or(&near);
            value::unlisted(report, path, node, near, words, &allowed);
            None
        }
    }
}

/// Reads `environment`.
fn environment(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    kind: Kind,
) -> Option<BTreeMap<String, String>> {
    let Some(table) = node.get_ref().as_table() else {
        let help = "write it as { KEY = \"value\" }".to_owned();
        value::mistyped(report, path, node, &kind, help);
        return None;
    };
    let mut environment = BTreeMap::new();
    for (name, node) in table {
        let known = variable(report, name.get_ref(), name.span());
        let path = format!("{path}.{}", value::key(name.get_ref()));
        let Some(text) = node.get_ref().as_str() else {
            let help = "write it in quotes, numbers too, as in \"80\"".to_owned();
            report.error(node.span(), format!("`{path}` must be a text"), help);
            continue;
        };
        let text = value::free_of_nul(report, &path, node, text);
        let length = name.get_ref().len() + 1 + text.map_or(0, str::len);
        if known && fits(report, &path, node.span(), length) {
            environment.insert(name.get_ref().to_string(), text.unwrap_or("").to_owned());
        }
    }
    Some(environment)
}

/// Reports a name of a variable that cannot be used.
fn variable(report: &mut Report<'_>, name: &str, span: Range<usize>) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let form = name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit());
    let shown = quote(name);
    if !form {
        let what = format!("{shown} cannot be the name of a variable");
        let help = "use letters, digits and _, and begin with no digit".to_owned();
        report.error(span, what, help);
    } else if RESERVED.contains(&name) || name.starts_with("LISTEN_") {
        let what = format!("{shown} belongs to the daemon and cannot be set");
        let help = "remove it; what a service needs to know of it is set at its start".to_owned();
        report.error(span, what, help);
    } else {
        return true;
    }
    false
}

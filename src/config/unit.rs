//! Reads what makes a service a unit of systemd: `kind = "unit"`.

use super::kept::KeptKind;
use super::problem::quote;
use super::table::{At, Table};
use crate::core::settings::Keeper;

/// Longest name of a unit that systemd takes.
const NAME_MAX: usize = 255;

pub(super) const KIND: KeptKind = KeptKind {
    word: "unit",
    why: [
        "systemd runs what ExecStart= of the unit says",
        "a unit tells systemd when it is ready (Type=notify) and that it lives (WatchdogSec=)",
        "the unit says that itself (KillSignal=, Environment=, WorkingDirectory=, StandardOutput=)",
        "the network of a unit is not looked at from within",
        "the unit says itself who it runs as and what it may do and take",
    ],
    help: "remove it; `systemctl edit` changes a unit",
    unprobed: "a unit is not probed by a program, which would not run as the unit does",
};

/// Units that would be kept by what runs in them.
pub(super) const OURS: [&str; 2] = ["fieldwarden.service", "fieldwarden-pool.service"];

/// The unit of the service of this name; `None` if its name is wrong, and the report has it.
pub(super) fn keeper(
    table: &mut Table<'_, '_, '_>,
    name: &str,
    unit: Option<At<String>>,
) -> Option<Keeper> {
    let unit = match table.gives("unit") {
        true => unit?,
        false => At {
            value: format!("{name}.service"),
            span: None,
        },
    };
    let unit = checked(table, unit)?;
    Some(Keeper::Systemd {
        unit: unit.as_str().into(),
        own_start: !table.gives("start_timeout"),
        own_stop: !table.gives("stop_timeout"),
    })
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

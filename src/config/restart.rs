//! Reads when a service is started again, how long that waits, and which exit codes mean more than
//! success and failure.

use super::report::Report;
use super::schema::Kind;
use super::table::Table;
use super::value::{self, Node};
use crate::core::settings::{Backoff, Reboots};

/// Reads exit codes: 0 to 255, none of them twice.
pub(super) fn codes(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    kind: Kind,
) -> Option<Box<[u8]>> {
    let items = value::list(report, path, node, &kind, "[2, 78]")?;
    let mut codes: Vec<u8> = Vec::new();
    let mut good = true;
    for item in items {
        let number = item.get_ref().as_integer();
        let code = number.and_then(|n| u8::from_str_radix(n.as_str(), n.radix()).ok());
        let Some(code) = code else {
            let noun = match kind {
                Kind::Bytes => "a byte",
                _ => "an exit code",
            };
            let what = format!("an item of `{path}` must be {noun}");
            let help = "write whole numbers from 0 to 255, as in [2, 78]".to_owned();
            report.error(item.span(), what, help);
            good = false;
            continue;
        };
        if codes.contains(&code) {
            let what = format!("`{path}` names {code} twice");
            report.error(item.span(), what, "remove one of the two".to_owned());
            good = false;
        }
        codes.push(code);
    }
    good.then(|| codes.into())
}

pub(super) fn backoff(mut table: Table<'_, '_, '_>) -> Option<Backoff> {
    let immediate = table.count("immediate");
    let first = table.duration("first");
    let cap = table.duration("cap");
    let stable = table.duration("stable");
    let restarts = table.count("restarts");
    let window = table.duration("window");
    let cooldown = table.duration("cooldown");
    let (first, cap) = (first?, cap?);
    if first.value > cap.value {
        let span = first.span.clone().or(cap.span.clone());
        let what = format!(
            "`{}` ({}{}) is longer than `cap` ({}{})",
            table.full("first"),
            super::schema::brief(first.value),
            first.origin(),
            super::schema::brief(cap.value),
            cap.origin(),
        );
        let span = span.unwrap_or(table.header());
        let help = "write a first that is at most cap".to_owned();
        table.report().error(span, what, help);
    }
    Some(Backoff {
        immediate: immediate?.value,
        first: first.value,
        cap: cap.value,
        stable: stable?.value,
        restarts: restarts?.value,
        window: window?.value,
        cooldown: cooldown?.value,
    })
}

pub(super) fn reboots(mut table: Table<'_, '_, '_>) -> Option<Reboots> {
    let most = table.count("most");
    let window = table.duration("window");
    let uptime = table.duration("uptime");
    Some(Reboots {
        most: most?.value,
        window: window?.value,
        uptime: uptime?.value,
    })
}

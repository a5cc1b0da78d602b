//! Reads the `[repair.NAME]` tables, and which of them are tried in which order.

use super::keys;
use super::needs::words;
use super::network::Way;
use super::problem::quote;
use super::report::Report;
use super::schema::Kind;
use super::table::{At, Table};
use super::value::Node;
use crate::core::fact::{ServiceId, Step};
use crate::core::settings::{Remedy, Rung, Service};
use std::collections::BTreeMap;
use std::time::Duration;

/// Most of them. The ladder is to be climbed within a day.
const MOST: usize = 16;

/// A repair whose service is not looked for yet.
#[derive(Clone)]
pub(super) struct Draft {
    name: String,
    remedy: Wanted,
    steps: Vec<Step>,
    settle: Duration,
    most: u32,
    window: Duration,
}

/// What is done.
#[derive(Clone)]
enum Wanted {
    Restart(String),
    Start(String),
    Machine,
}

/// The repairs that `repairs` of `[network]` names, in its order; `None` if anything is wrong.
pub(super) fn drafts(top: &mut Table<'_, '_, '_>) -> Option<Vec<At<Draft>>> {
    let written = written(top);
    let mut network = top.below("network", keys::NETWORK.keys);
    if !network.gives("repairs") {
        return written.values().all(Option::is_some).then(Vec::new);
    }
    let At { value, span } = network.texts("repairs")?;
    let span = span.unwrap_or(network.header());
    let mut good = written.values().all(Option::is_some);
    let mut order: Vec<At<Draft>> = Vec::new();
    for name in &value {
        let twice = order.iter().any(|known| known.value.name == *name);
        let (what, help) = match written.get(name) {
            Some(Some(_)) if twice => (" twice", "name it once"),
            Some(Some(draft)) => {
                order.push(draft.clone());
                continue;
            }
            // What is wrong with it has been reported.
            Some(None) => continue,
            None => (
                ", which is no repair",
                "add a section [repair.NAME] for it, or leave it out",
            ),
        };
        good = false;
        let what = format!("`network.repairs` names {}{what}", quote(name));
        network.report().error(span.clone(), what, help.to_owned());
    }
    if order.len() > MOST {
        let what = format!("`network.repairs` names {}", order.len());
        let help = format!("name at most {MOST}");
        network.report().error(span, what, help);
        return None;
    }
    good.then_some(order)
}

/// All repairs by their names; `None` for one that is wrong.
fn written(top: &mut Table<'_, '_, '_>) -> BTreeMap<String, Option<At<Draft>>> {
    let mut tables = top.group("repair");
    let headers: Vec<_> = tables.entries().map(|(name, _)| name).collect();
    let mut all = BTreeMap::new();
    for header in headers {
        let name: &str = header.get_ref();
        let draft = draft(tables.below(name, keys::REPAIR.keys), name);
        let draft = draft.map(|value| At {
            value,
            span: Some(header.span()),
        });
        all.insert(name.to_owned(), draft);
    }
    all
}

fn draft(mut table: Table<'_, '_, '_>, name: &str) -> Option<Draft> {
    let given = [table.gives("restart"), table.gives("start")];
    let (restart, start) = (table.text("restart"), table.text("start"));
    let machine = table.flag("machine");
    let steps = table.other("steps", steps);
    let (settle, most, window) = (
        table.duration("settle"),
        table.count("most"),
        table.duration("window"),
    );
    let machine = machine?;
    let given = given.into_iter().chain([machine.value]);
    if given.filter(|given| *given).count() != 1 {
        let span = table.header();
        let what = "one of `restart`, `start` and `machine` must be given".to_owned();
        let help = "write one of them, such as restart = \"tunnel\"".to_owned();
        table.report().error(span, what, help);
        return None;
    }
    let remedy = match (restart, start, machine.value) {
        (Some(service), ..) => Wanted::Restart(service.value),
        (None, Some(service), _) => Wanted::Start(service.value),
        (None, None, true) => Wanted::Machine,
        // What is wrong was reported.
        (None, None, false) => return None,
    };
    Some(Draft {
        name: name.to_owned(),
        remedy,
        steps: steps?.value,
        settle: settle?.value,
        most: most?.value,
        window: window?.value,
    })
}

fn steps(report: &mut Report<'_>, path: &str, node: &Node<'_>, kind: Kind) -> Option<Vec<Step>> {
    let words = words(report, path, node, kind, "[\"vpn\"]")?;
    let step = |word: &At<&'static str>| {
        let at = keys::STEPS.iter().position(|known| *known == word.value)?;
        Step::ALL.get(at).copied()
    };
    words.iter().map(step).collect()
}

/// The way out with its repairs, now that the services are known, sorted by name.
pub(super) fn resolved(
    top: &mut Table<'_, '_, '_>,
    mut way: Way,
    services: &[Service],
) -> Option<Way> {
    let mut rungs = Vec::new();
    let mut good = true;
    for At { value: draft, span } in std::mem::take(&mut way.repairs) {
        let span = span.unwrap_or(top.header());
        let found = |name: &str| {
            let at = services.iter().position(|s| &*s.name == name)?;
            u16::try_from(at).ok().map(ServiceId)
        };
        let missing = |name: &str| {
            let what = format!("there is no service {}", quote(name));
            (what, "name one that has a section [service.NAME]")
        };
        let remedy = match &draft.remedy {
            Wanted::Machine => Ok(Remedy::Machine),
            Wanted::Restart(name) => found(name).map(Remedy::Restart).ok_or(missing(name)),
            Wanted::Start(name) => match found(name) {
                None => Err(missing(name)),
                Some(id) if runs_by_itself(services, id) => Err((
                    format!(
                        "{} runs by itself, so that a start does nothing",
                        quote(name)
                    ),
                    "write restart instead of start, or give that service autostart = false",
                )),
                Some(id) => Ok(Remedy::Start(id)),
            },
        };
        match remedy {
            Ok(remedy) => rungs.push(Rung {
                name: draft.name.into(),
                remedy,
                steps: draft.steps,
                settle: draft.settle,
                most: draft.most,
                window: draft.window,
            }),
            Err((what, help)) => {
                good = false;
                top.report().error(span, what, help.to_owned());
            }
        }
    }
    match &mut way.network {
        Some(network) => network.rungs = rungs,
        None if rungs.is_empty() => {}
        None => {
            let what = "`network.repairs` is given, and nothing is looked at".to_owned();
            let help = "add what shows that the way out is whole, such as name = \"example.org\"";
            let span = top.header();
            top.report().error(span, what, help.to_owned());
            return None;
        }
    }
    good.then_some(way)
}

fn runs_by_itself(services: &[Service], id: ServiceId) -> bool {
    let service = services.get(usize::from(id.0));
    service.is_some_and(|service| service.autostart && service.job.is_none())
}

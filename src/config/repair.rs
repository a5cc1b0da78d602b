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
use crate::core::settings::{Budget, Remedy, Restart, Rung, Service};
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
    budget: Option<Budget>,
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
    let bounded = table.gives("most") || table.gives("window");
    if machine.value && bounded {
        let span = most.as_ref().and_then(|most| most.span.clone());
        let span = span.or(window.as_ref().and_then(|window| window.span.clone()));
        let (span, what) = (
            span.unwrap_or(table.header()),
            "`most` and `window` do not bound restarts of the machine: each begins a new count"
                .to_owned(),
        );
        let help =
            "remove both, and set `most` and `window` of [reboots], which outlive it".to_owned();
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
        budget: (!machine.value).then_some(Budget {
            most: most?.value,
            window: window?.value,
        }),
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
        let remedy = remedy(&draft.remedy, services);
        if let Ok(Remedy::Restart(id)) = remedy
            && let Some(name) = only_by_hand(services, id)
        {
            let what = format!(
                "{} is restarted only while somebody has started it",
                quote(name)
            );
            let help = "remove its autostart = false, if this repair is to be made in any case";
            top.report().warning(span.clone(), what, help.to_owned());
        }
        match remedy {
            Ok(remedy) => rungs.push(Rung {
                name: draft.name.into(),
                remedy,
                steps: draft.steps,
                settle: draft.settle,
                budget: draft.budget,
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

/// What is wrong, and what to do.
type Wrong = (String, &'static str);

fn remedy(wanted: &Wanted, services: &[Service]) -> Result<Remedy, Wrong> {
    let found = |name: &str| {
        let at = services.iter().position(|s| &*s.name == name);
        let id = at.and_then(|at| u16::try_from(at).ok().map(ServiceId));
        let what = || format!("there is no service {}", quote(name));
        id.ok_or_else(|| (what(), "name one that has a section [service.NAME]"))
    };
    match wanted {
        Wanted::Machine => Ok(Remedy::Machine),
        Wanted::Restart(name) => {
            let id = found(name)?;
            restarted(services, id).map(|()| Remedy::Restart(id))
        }
        Wanted::Start(name) => {
            let id = found(name)?;
            started(services, id).map(|()| Remedy::Start(id))
        }
    }
}

/// What speaks against a repair that restarts this service.
fn restarted(services: &[Service], id: ServiceId) -> Result<(), Wrong> {
    let job = services.get(usize::from(id.0)).filter(|s| s.job.is_some());
    job.map_or(Ok(()), |job| {
        let what = format!("{} is a job, which mostly rests", quote(&job.name));
        Err((what, "write start instead of restart"))
    })
}

/// The name of a service that nothing starts by itself.
fn only_by_hand(services: &[Service], id: ServiceId) -> Option<&str> {
    let service = services.get(usize::from(id.0))?;
    let starts = |s: &Service| s.wants.contains(&id) || s.requires.contains(&id);
    (!service.autostart && !services.iter().any(starts)).then_some(&*service.name)
}

/// What speaks against a repair that starts it.
fn started(services: &[Service], id: ServiceId) -> Result<(), Wrong> {
    let Some(service) = services.get(usize::from(id.0)) else {
        return Ok(());
    };
    let name = quote(&service.name);
    if service.autostart && service.job.is_none() {
        let what = format!("{name} runs by itself, so that a start does nothing");
        let help = "write restart instead of start, or give that service autostart = false";
        return Err((what, help));
    }
    if service.restart != Restart::Never {
        let what = format!("{name} is started again when it ends, whatever the repair's budget is");
        return Err((what, "give that service restart = \"never\""));
    }
    Ok(())
}

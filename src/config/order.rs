//! Looks at the services together: whom they start after, and how long stopping them takes.

use super::Command;
use super::cross::Outage;
use super::outlast;
use super::problem::quote;
use super::report::Report;
use super::schema::brief;
use super::service::Draft;
use super::table::{At, Table};
use super::value;
use crate::core::fact::ServiceId;
use crate::core::settings::Service;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

/// Puts the services together. `None` if anything is wrong; the report has it.
pub(super) fn services(
    top: &mut Table<'_, '_, '_>,
    drafts: Vec<Draft>,
    (budget, outage): (&Option<At<Duration>>, &Option<Outage>),
) -> Option<Vec<(Service, Command)>> {
    let sound = top.sound();
    let header = top.header();
    let report = top.report();
    // A name that is missing may only be hidden by an error of the file's structure.
    let links = Links::of(report, &drafts, sound);
    let after = links.before();
    let order = sort(report, &drafts, &after);
    if let Some(budget) = budget {
        let span = budget.span.clone().unwrap_or(header);
        let slow = too_slow(report, &drafts, budget, &span);
        if let (false, Some(order)) = (slow, &order) {
            deep(report, &drafts, &after, order, budget, &span);
            if let Some(outage) = outage {
                outlast::check(report, &drafts, (&after, order), budget.value, outage);
            }
        }
    }
    let named = links.requires.into_iter().zip(links.wants);
    drafts
        .into_iter()
        .zip(after)
        .zip(named)
        .map(|((draft, after), (requires, wants))| {
            let (mut service, command) = draft.rest?;
            service.after = ids(&after)?;
            service.requires = ids(&requires)?;
            service.wants = ids(&wants)?;
            Some((service, command))
        })
        .collect()
}

fn ids(indices: &[usize]) -> Option<Vec<ServiceId>> {
    let ids = indices.iter().map(|at| u16::try_from(*at).ok());
    ids.map(|id| id.map(ServiceId)).collect()
}

/// Whom each service names, as indices.
struct Links {
    after: Vec<Vec<usize>>,
    requires: Vec<Vec<usize>>,
    wants: Vec<Vec<usize>>,
}

impl Links {
    fn of(report: &mut Report<'_>, drafts: &[Draft], sound: bool) -> Links {
        for draft in drafts {
            let own = draft.wants.iter().find(|name| name.value == draft.name);
            if let Some(own) = own {
                let what = format!("service {} names itself in its `wants`", draft.shown);
                let span = own.span.clone().unwrap_or(draft.header.clone());
                report.error(span, what, "remove that name".to_owned());
            }
        }
        leans_on_jobs(report, drafts);
        Links {
            after: links(report, drafts, sound, |draft| &draft.after),
            requires: links(report, drafts, sound, |draft| &draft.requires),
            wants: links(report, drafts, sound, |draft| &draft.wants),
        }
    }

    /// Whom each service comes after: what is required comes before, too.
    fn before(&self) -> Vec<Vec<usize>> {
        let both = self.after.iter().zip(&self.requires);
        both.map(|(after, requires)| {
            let more = requires.iter().filter(|at| !after.contains(at));
            after.iter().chain(more).copied().collect()
        })
        .collect()
    }
}

/// Reports whoever requires or wants a job, which runs at times of its own: it would be stopped, or
/// have the job run, at times of nobody's choice.
fn leans_on_jobs(report: &mut Report<'_>, drafts: &[Draft]) {
    let is_job = |draft: &Draft| draft.rest.as_ref().is_some_and(|(s, _)| s.job.is_some());
    let jobs: Vec<&str> = drafts
        .iter()
        .filter(|d| is_job(d))
        .map(|d| d.name.as_str())
        .collect();
    for draft in drafts {
        for name in draft.requires.iter().chain(&draft.wants) {
            if jobs.contains(&name.value.as_str()) {
                let shown = value::key(&name.value);
                let what = format!("{shown} is a job, which nothing can require or want");
                let help =
                    "remove it here; `fresh_within` of a job tells how old its last good run is";
                let span = name.span.clone().unwrap_or(draft.header.clone());
                report.error(span, what, help.to_owned());
            }
        }
    }
}

/// For each service, the indices of those that it names in one way, in the order of the file.
fn links(
    report: &mut Report<'_>,
    drafts: &[Draft],
    sound: bool,
    named: impl Fn(&Draft) -> &[At<String>],
) -> Vec<Vec<usize>> {
    let by_name: BTreeMap<&str, usize> = drafts
        .iter()
        .enumerate()
        .map(|(at, draft)| (draft.name.as_str(), at))
        .collect();
    let mut all = Vec::new();
    for draft in drafts {
        let mut after = Vec::new();
        for name in named(draft) {
            match by_name.get(name.value.as_str()) {
                Some(at) => after.push(*at),
                None if sound => unknown(report, &by_name, draft, name),
                None => {}
            }
        }
        all.push(after);
    }
    all
}

fn unknown(
    report: &mut Report<'_>,
    by_name: &BTreeMap<&str, usize>,
    draft: &Draft,
    name: &At<String>,
) {
    let others = || by_name.keys().copied().filter(|other| *other != draft.name);
    let help = match value::nearest(&name.value, others()) {
        Some(near) => format!("did you mean {}?", quote(near)),
        None => format!("remove it, or add [service.{}]", value::key(&name.value)),
    };
    let what = format!("there is no service {}", quote(&name.value));
    report.error(
        name.span.clone().unwrap_or(draft.header.clone()),
        what,
        help,
    );
}

/// Sorts the services so that each comes after those it names. `None` if there are cycles, which
/// are reported: one for every knot of services that name each other.
fn sort(report: &mut Report<'_>, drafts: &[Draft], after: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut left: Vec<usize> = after.iter().map(Vec::len).collect();
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); after.len()];
    for (at, names) in after.iter().enumerate() {
        for name in names {
            before[*name].push(at);
        }
    }
    let mut ready: Vec<usize> = (0..after.len()).filter(|at| left[*at] == 0).collect();
    let mut order = Vec::new();
    let mut good = true;
    loop {
        while let Some(at) = ready.pop() {
            order.push(at);
            for next in &before[at] {
                if left[*next] > 0 {
                    left[*next] -= 1;
                    if left[*next] == 0 {
                        ready.push(*next);
                    }
                }
            }
        }
        let Some(start) = left.iter().position(|n| *n > 0) else {
            return good.then_some(order);
        };
        good = false;
        let cycle = cycle(after, &left, start);
        report_cycle(report, drafts, &cycle);
        // Taken out, so that the search goes on with what does not hang on this cycle.
        for at in cycle {
            left[at] = 0;
            ready.push(at);
        }
    }
}

/// Follows, from a service that never became ready, the first link to another such one, until one
/// is met again. Each has such a link, or it would have become ready.
fn cycle(after: &[Vec<usize>], left: &[usize], start: usize) -> Vec<usize> {
    let mut path = vec![start];
    loop {
        let here = path[path.len() - 1];
        let Some(next) = after[here].iter().find(|at| left[**at] > 0) else {
            return path;
        };
        if let Some(first) = path.iter().position(|at| at == next) {
            return path.split_off(first);
        }
        path.push(*next);
    }
}

fn report_cycle(report: &mut Report<'_>, drafts: &[Draft], cycle: &[usize]) {
    /// Names of a cycle that are shown; a cycle of a thousand helps nobody.
    const SHOWN: usize = 12;
    // Begins with the first by name, so that the same cycle always reads the same.
    let first = cycle
        .iter()
        .enumerate()
        .min_by_key(|(_, at)| **at)
        .map_or(0, |(n, _)| n);
    let turned: Vec<usize> = cycle[first..]
        .iter()
        .chain(&cycle[..first])
        .copied()
        .collect();
    let mut names: Vec<&str> = turned.iter().map(|at| drafts[*at].shown.as_str()).collect();
    if names.len() > SHOWN {
        names.truncate(SHOWN);
        names.push("...");
    }
    let head = &drafts[turned[0]];
    let next = &drafts[turned.get(1).copied().unwrap_or(turned[0])].name;
    let by = |names: &[At<String>]| names.iter().any(|name| &name.value == next);
    let key = match by(&head.after) {
        true => "`after`",
        false => "`requires`",
    };
    let mut names_of_head = head.after.iter().chain(&head.requires);
    let link = names_of_head.find(|name| &name.value == next);
    let span = link
        .and_then(|name| name.span.clone())
        .unwrap_or(head.header.clone());
    let what = if turned.len() == 1 {
        format!("service {} names itself in its {key}", head.shown)
    } else {
        format!(
            "services wait for each other: {} -> {}",
            names.join(" -> "),
            head.shown
        )
    };
    report.error(
        span,
        what,
        "remove one of these names from its `after` or `requires`".to_owned(),
    );
}

/// Reports services whose stop alone may take longer than the stop of all may. True if there are
/// any.
fn too_slow(
    report: &mut Report<'_>,
    drafts: &[Draft],
    budget: &At<Duration>,
    span: &Range<usize>,
) -> bool {
    let mut by_default = Vec::new();
    let mut any = false;
    for draft in drafts {
        let Some(timeout) = &draft.stop_timeout else {
            continue;
        };
        if timeout.value <= budget.value {
            continue;
        }
        any = true;
        match &timeout.span {
            Some(own) => {
                let what = format!(
                    "`service.{}.stop_timeout` ({}) is longer than `stop.budget` ({}{})",
                    draft.shown,
                    brief(timeout.value),
                    brief(budget.value),
                    budget.origin(),
                );
                let help = "shorten it, or raise stop.budget".to_owned();
                report.error(own.clone(), what, help);
            }
            None => by_default.push((draft.shown.as_str(), timeout.value)),
        }
    }
    if let Some((_, timeout)) = by_default.first() {
        let what = format!(
            "`stop.budget` ({}) is shorter than the default `stop_timeout` ({}) of {}",
            brief(budget.value),
            brief(*timeout),
            list(by_default.iter().map(|(name, _)| *name)),
        );
        let help = "raise it, or give these services a shorter stop_timeout".to_owned();
        report.error(span.clone(), what, help);
    }
    any
}

/// Warns if the services that must stop one after another may take longer than the budget.
fn deep(
    report: &mut Report<'_>,
    drafts: &[Draft],
    after: &[Vec<usize>],
    order: &[usize],
    budget: &At<Duration>,
    span: &Range<usize>,
) {
    // For each service: the time to stop the longest chain that ends with it, and the next link.
    let mut chains: Vec<(Duration, Option<usize>)> = vec![(Duration::ZERO, None); drafts.len()];
    for at in order {
        let longest = after[*at]
            .iter()
            .copied()
            .max_by_key(|other| chains[*other].0);
        let rest = longest.map_or(Duration::ZERO, |other| chains[other].0);
        let own = drafts[*at]
            .stop_timeout
            .as_ref()
            .map_or(Duration::ZERO, |t| t.value);
        chains[*at] = (rest.saturating_add(own), longest);
    }
    let Some(worst) = (0..chains.len()).max_by_key(|at| chains[*at].0) else {
        return;
    };
    if chains[worst].0 <= budget.value {
        return;
    }
    let mut names = Vec::new();
    let mut next = Some(worst);
    while let Some(at) = next {
        names.push(drafts[at].shown.as_str());
        next = chains[at].1;
    }
    let what = format!(
        "stopping {} one after another may take {}, longer than `stop.budget` ({}{})",
        list(names.into_iter()),
        brief(chains[worst].0),
        brief(budget.value),
        budget.origin(),
    );
    let span = match budget.span {
        Some(_) => span.clone(),
        None => drafts[worst].header.clone(),
    };
    let help =
        "raise stop.budget, or shorten their stop_timeout; what is left is killed".to_owned();
    report.warning(span, what, help);
}

/// Names in a row, not too many.
pub(super) fn list<'n>(names: impl ExactSizeIterator<Item = &'n str>) -> String {
    /// Names that are shown.
    const SHOWN: usize = 8;
    let total = names.len();
    let mut shown: Vec<&str> = names.take(SHOWN).collect();
    let more = format!("{} more", total.saturating_sub(SHOWN));
    if total > SHOWN {
        shown.push(&more);
    }
    match shown.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

//! Reads what a service needs of the machine.

use super::problem::quote;
use super::report::Report;
use super::schema::Kind;
use super::table::{At, Table};
use super::value::{self, Node};
use crate::core::settings::Need;

/// Reads `needs` and `stop_without`. Whatever is in the second must be in the first: without it, a
/// service would be started again the moment it was stopped.
pub(super) fn needs(table: &mut Table<'_, '_, '_>) -> (Option<Vec<Need>>, Option<Vec<Need>>) {
    let needs = table.other("needs", clock);
    let stop_without = table.other("stop_without", clock);
    if let (Some(needs), Some(stop)) = (&needs, &stop_without) {
        let named = |word: &str| needs.value.iter().any(|need| need.value == word);
        for word in stop.value.iter().filter(|word| !named(word.value)) {
            let what = format!(
                "`{}` names {}, which `needs` does not",
                table.full("stop_without"),
                quote(word.value)
            );
            let span = word.span.clone().unwrap_or(table.header());
            let help = "add it to needs, or the service would be started again at once".to_owned();
            table.report().error(span, what, help);
        }
    }
    let read = |words: At<Vec<At<&'static str>>>| {
        let needs = words.value.iter().map(|word| need(word.value));
        needs.collect::<Option<Vec<Need>>>()
    };
    (needs.and_then(read), stop_without.and_then(read))
}

fn need(word: &str) -> Option<Need> {
    match word {
        "clock" => Some(Need::Clock),
        "mains" => Some(Need::Mains),
        "network" => Some(Need::Network),
        _ => None,
    }
}

fn clock(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    kind: Kind,
) -> Option<Vec<At<&'static str>>> {
    words(report, path, node, kind, "[\"clock\"]")
}

/// Reads words of a list, none of them twice.
pub(super) fn words(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    kind: Kind,
    example: &str,
) -> Option<Vec<At<&'static str>>> {
    let Kind::Words(allowed) = kind else {
        return None;
    };
    let items = value::list(report, path, node, &kind, example)?;
    let mut words: Vec<At<&'static str>> = Vec::new();
    let mut good = true;
    for item in items {
        let Some(word) = value::choice(report, path, item, allowed) else {
            good = false;
            continue;
        };
        if words.iter().any(|other| other.value == word) {
            let what = format!("`{path}` names {} twice", quote(word));
            report.error(item.span(), what, "remove one of the two".to_owned());
            good = false;
        }
        words.push(At {
            value: word,
            span: Some(item.span()),
        });
    }
    good.then_some(words)
}

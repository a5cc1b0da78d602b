//! The page on the health endpoint: its metrics, pages and bounds are those of the program.

use super::page::page;
use fieldwarden::edge::health::{CONNECTIONS_MAX, HEAD_MAX, Page};
use fieldwarden::health::METRICS;

/// Every metric has its row, in the order in which it is told, and in the words of the program.
#[test]
fn every_metric_is_listed() {
    let rows = page("docs/health.md").rows();
    let listed: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(_, cells)| cells)
        .filter(|cells| cells[0].starts_with("`fieldwarden_"))
        .collect();
    let code = |word: &str| format!("`{word}`");
    let wanted = METRICS.iter().map(|metric| {
        let labels: Vec<String> = metric.labels.iter().map(|l| code(l)).collect();
        let kind = format!("{:?}", metric.kind).to_lowercase();
        vec![
            code(metric.name),
            kind,
            labels.join(", "),
            metric.help.to_owned(),
        ]
    });
    assert_eq!(listed, wanted.collect::<Vec<_>>());
}

/// Every page is there, and the numbers are right.
#[test]
fn pages_and_bounds_are_right() {
    let text = page("docs/health.md").text;
    for (path, _) in Page::ALL {
        assert!(text.contains(&format!("| `{path}` |")), "{path}");
    }
    assert!(text.contains(&format!("{HEAD_MAX} bytes")));
    assert_eq!(CONNECTIONS_MAX, 8, "the page says eight");
}

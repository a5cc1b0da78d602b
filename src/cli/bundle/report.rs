//! What `check` finds, without what it quotes.

use super::redact::sentence;
use crate::cli::check;
use crate::config::{self, Problem};
use crate::edge::{engine::look_once, watchdog_look};
use std::collections::BTreeSet;
use std::path::Path;

/// The report on this machine.
pub fn of_here(path: &Path) -> String {
    match config::load(path) {
        Err(problems) => {
            let text = of_problems(problems.iter(), &BTreeSet::new());
            format!("{text}it cannot be used\n")
        }
        Ok(loaded) => {
            let config = &loaded.config;
            let mut warnings = loaded.warnings.clone();
            let found = config::check_machine(config, watchdog_look::runs(Path::new("/")));
            warnings.extend(found);
            warnings.extend(config::check_containers(config, look_once));
            let services = config.settings.services.iter();
            let names = services.map(|s| s.name.to_string()).collect();
            let mut text = of_problems(warnings.iter(), &names);
            text.push_str("it can be used\n");
            // It only keeps what it prints; the rest of it says nothing of what files quote.
            text.push_str(&check::about(config).unwrap_or_default());
            text
        }
    }
}

/// Problems in the order of the file, a line each.
pub fn of_problems<'p>(
    problems: impl Iterator<Item = &'p Problem>,
    names: &BTreeSet<String>,
) -> String {
    let line = |problem: &Problem| {
        let brief = sentence(&problem.brief(), names);
        format!("{}: {brief}\n", problem.severity())
    };
    problems.map(line).collect()
}

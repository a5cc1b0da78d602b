//! Commands, exit codes, configurations, events, places and layers that pages name are those of the
//! program.

use super::page::{Page, all, page, root};
use fieldwarden::{cli, config, error::EXIT_CODES};
use std::collections::BTreeSet;
use std::fs;

fn none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Commands of a page, each with its line.
fn commands(page: &Page) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = page.spans();
    for block in page.blocks() {
        let session = block.text.lines().any(|l| l.starts_with("$ "));
        for (line, text) in (block.line..).zip(block.text.lines()) {
            match text.strip_prefix("$ ") {
                Some(text) => found.push((line, text.to_owned())),
                None if !session && block.language != "text" => found.push((line, text.to_owned())),
                None => {}
            }
        }
    }
    found
}

/// The words of a command of ours, up to whatever the shell does with its output.
fn ours<'a>(text: &'a str, program: &str) -> Option<Vec<&'a str>> {
    let text = text.trim().strip_prefix("sudo ").unwrap_or(text.trim());
    let rest = text.strip_prefix(program)?.strip_prefix(' ')?;
    // What stands between two quotes is one word.
    let parts = rest.split('"').enumerate();
    let words = parts.flat_map(|(at, part)| match at % 2 {
        0 => part.split_whitespace().collect::<Vec<_>>(),
        _ => vec![part],
    });
    let words = words.take_while(|w| !w.starts_with(['#', '|', '>', '&', '<']) && *w != "2>");
    let words: Vec<&str> = words.map(|w| w.trim_end_matches(';')).collect();
    // "fieldwarden 0.1.0, pid 812" is no command.
    let first = words.first()?;
    let verb = first
        .chars()
        .all(|c| c.is_ascii_lowercase() || c == '-' || c == '_');
    verb.then_some(words)
}

/// Every command of ours that a page shows is understood.
#[test]
fn commands_are_understood() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for page in all() {
        for (line, text) in commands(&page) {
            let program = ["fieldwarden", "cargo run --release --"];
            let Some(words) = program.iter().find_map(|p| ours(&text, p)) else {
                continue;
            };
            seen.insert(words[0].to_owned());
            let given = std::iter::once("fieldwarden").chain(words);
            if let Err(e) = cli::command().try_get_matches_from(given) {
                use clap::error::ErrorKind::{
                    DisplayHelp, DisplayVersion, MissingRequiredArgument,
                };
                let harmless = [DisplayHelp, DisplayVersion, MissingRequiredArgument];
                if !harmless.contains(&e.kind()) {
                    wrong.push(format!("{}:{line}: `{text}`\n{e}", page.name));
                }
            }
        }
    }
    none(wrong);
    assert!(seen.len() >= 9, "commands are not found: {seen:?}");
}

/// Every command that people may use is in the operator's page.
#[test]
fn every_command_is_documented() {
    let text = page("docs/operations.md").text;
    let mut wrong = Vec::new();
    for command in cli::command().get_subcommands() {
        let name = command.get_name();
        if !command.is_hide_set() && !text.contains(&format!("`fieldwarden {name}")) {
            wrong.push(format!("docs/operations.md does not tell of `{name}`"));
        }
    }
    none(wrong);
}

/// Help text and page give the same exit codes as the program.
#[test]
fn exit_codes_are_documented() {
    let help = cli::command().render_help().to_string().replace('\n', " ");
    let rows = page("docs/operations.md").rows();
    for (code, meaning) in EXIT_CODES {
        assert!(help.contains(&format!("{code} {meaning}")), "{help}");
        let number = format!("{code}");
        let row = rows.iter().find(|(_, cells)| cells[0] == number);
        let (_, cells) = row.unwrap_or_else(|| panic!("exit code {code} is not documented"));
        assert!(cells[1].starts_with(meaning), "{code}: {}", cells[1]);
    }
    let is_code = |cells: &[String]| cells[0].parse::<u8>().is_ok();
    let codes = rows.iter().filter(|(_, cells)| is_code(cells)).count();
    assert_eq!(codes, EXIT_CODES.len(), "codes that do not exist");
}

/// Every configuration that a page shows can be used as it stands.
#[test]
fn configurations_are_good() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for page in all() {
        for block in page.blocks().iter().filter(|b| b.language == "toml") {
            seen += 1;
            let name = format!("{}:{}", page.name, block.line);
            match config::parse(&name, &block.text) {
                Ok(loaded) => wrong.extend(loaded.warnings.iter().map(|w| w.to_string())),
                Err(problems) => wrong.push(problems.to_string()),
            }
        }
    }
    none(wrong);
    assert!(seen >= 4, "{seen} configurations");
}

/// Events that the table of faults names are in the table of events, which is held to the code.
#[test]
fn events_exist() {
    let formats = page("docs/formats.md").text;
    let table = formats.split("<!-- table: events -->").nth(1);
    let table: Vec<&str> = table
        .expect("the table of events")
        .trim_start()
        .lines()
        .take_while(|l| l.starts_with('|'))
        .collect();
    let names: BTreeSet<&str> = table.iter().filter_map(|l| l.split('`').nth(1)).collect();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for name in ["docs/failure-modes.md", "docs/operations.md"] {
        for (line, text) in page(name).prose() {
            // Each is written as `event NAME`.
            for event in text.split('`').filter_map(|s| s.strip_prefix("event ")) {
                seen += 1;
                if !names.contains(event) {
                    wrong.push(format!("{name}:{line}: no event `{event}`"));
                }
            }
        }
    }
    none(wrong);
    assert!(seen > 15, "{seen} events are named");
}

/// Links lead to files that exist, and to headings that do.
#[test]
fn links_lead_somewhere() {
    let mut wrong = Vec::new();
    for page in all() {
        let folder = root().join(&page.name);
        let folder = folder.parent().expect("a file has a folder");
        for (line, text) in page.prose() {
            for target in text.split("](").skip(1).filter_map(|t| t.split(')').next()) {
                if target.contains("://") || target.starts_with("mailto:") {
                    continue;
                }
                let (path, heading) = target.split_once('#').unwrap_or((target, ""));
                let file = match path {
                    "" => root().join(&page.name),
                    path => folder.join(path),
                };
                if !file.exists() {
                    wrong.push(format!("{}:{line}: no {target}", page.name));
                } else if !heading.is_empty() && !anchors(&file).contains(heading) {
                    wrong.push(format!("{}:{line}: no heading {target}", page.name));
                }
            }
        }
    }
    none(wrong);
}

fn anchors(file: &std::path::Path) -> BTreeSet<String> {
    let text = fs::read_to_string(file).expect("readable");
    let titles = text.lines().filter(|l| l.starts_with('#'));
    titles
        .map(|t| {
            let small = t.trim_start_matches('#').trim().to_lowercase();
            let kept = small
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.collect::<String>().replace(' ', "-")
        })
        .collect()
}

/// Files of the sources that are named by their path exist.
#[test]
fn named_files_exist() {
    let mut wrong = Vec::new();
    for page in all() {
        for (line, span) in page.spans() {
            let ours = ["src/", "tests/", "docs/", "xtask/", "systemd/", "config/"];
            let plain = |c: char| c.is_alphanumeric() || "/-_.".contains(c);
            let named = ours.iter().any(|o| span.starts_with(o)) && span.chars().all(plain);
            // A place in the folder of the virtual machine's sources, or a name with a variable part.
            if named && !span.contains("NNN") && !root().join(&span).exists() {
                wrong.push(format!("{}:{line}: no {span}", page.name));
            }
        }
    }
    none(wrong);
}

/// Commands and layers of `cargo xtask` exist.
#[test]
fn project_commands_exist() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect("readable");
    let (main, layers) = (read("xtask/src/main.rs"), read("xtask/src/suite/layers.rs"));
    let starts = layers.split(" layer(").skip(1);
    let layers: BTreeSet<&str> = starts.filter_map(|l| l.split('"').nth(1)).collect();
    assert!(layers.len() > 8, "{layers:?}");
    let mut wrong = Vec::new();
    for page in all() {
        for (line, text) in commands(&page) {
            let Some(words) = ours(&text, "cargo xtask") else {
                continue;
            };
            let mut variant = words[0].to_owned();
            variant[..1].make_ascii_uppercase();
            if !main.contains(&format!("Command::{variant}")) {
                wrong.push(format!(
                    "{}:{line}: no `cargo xtask {}`",
                    page.name, words[0]
                ));
            }
            let named = words.get(1).filter(|_| words[0] == "test");
            let placeholder = |w: &str| w.starts_with('-') || w.chars().all(char::is_uppercase);
            if let Some(layer) = named.filter(|w| !placeholder(w) && !layers.contains(**w)) {
                wrong.push(format!("{}:{line}: no layer {layer}", page.name));
            }
        }
    }
    none(wrong);
}

/// Lines are short; tables, links and what programs print are as wide as they are.
#[test]
fn lines_are_short() {
    let mut wrong = Vec::new();
    for page in all() {
        for (line, text) in page.prose() {
            let wide = text.chars().count() > 104;
            if wide
                && !text.trim_start().starts_with('|')
                && !text.contains("://")
                && !text.starts_with("    ")
            {
                wrong.push(format!("{}:{line}: longer than 100", page.name));
            }
        }
    }
    none(wrong);
}

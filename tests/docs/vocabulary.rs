//! Keys of the configuration and words of the control socket: what pages name exists, and what exists
//! is told of.

use super::page::{Page, all, page, root};
use fieldwarden::cli;
use fieldwarden::config::board::keys as board;
use fieldwarden::config::keys::SECTIONS;
use fieldwarden::config::schema::{Key, Section};
use std::collections::BTreeSet;
use std::fs;

fn none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// All keys of these sections, with those inside of others.
fn names(sections: &[Section]) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    let mut add = |keys: &'static [Key]| found.extend(keys.iter().map(|key| key.name));
    for section in sections {
        add(section.keys);
        for key in section.keys {
            add(key.inside());
            add(key.deeper());
        }
    }
    found
}

/// First words of headers.
fn headers(sections: &[Section]) -> BTreeSet<&'static str> {
    let headers = sections.iter().map(|section| section.header);
    headers
        .filter_map(|header| header.split('.').next())
        .collect()
}

/// What is written as a key is one: `key = value`.
fn key_of(span: &str) -> Option<&str> {
    let (key, _) = span.split_once(" = ")?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.".contains(c);
    let key = key.rsplit('.').next()?;
    (!key.is_empty() && key.chars().all(plain)).then_some(key)
}

/// What is written as a header is one: `[header]`.
fn header_of(span: &str) -> Option<&str> {
    let inner = span.strip_prefix('[')?.strip_suffix(']')?;
    let first = inner.split('.').next()?;
    let plain = |c: char| c.is_ascii_lowercase() || c == '_';
    (!first.is_empty() && first.chars().all(plain)).then_some(first)
}

/// What the kernel shows in the same form.
const OF_THE_KERNEL: [&str; 1] = ["pattern"];

/// Pages that people read beside the manual.
fn pages() -> impl Iterator<Item = Page> {
    all().into_iter().filter(|page| page.name != "CHANGELOG.md")
}

/// No page names a key or a header that there is none of.
#[test]
fn keys_that_pages_name_exist() {
    let mut known = names(SECTIONS);
    known.extend(names(board::SECTIONS));
    let mut tables = headers(SECTIONS);
    tables.extend(headers(board::SECTIONS));
    tables.extend(OF_THE_KERNEL);
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for page in pages() {
        for (line, span) in page.spans() {
            if let Some(key) = key_of(&span) {
                seen += 1;
                if !known.contains(key) {
                    wrong.push(format!("{}:{line}: no key in `{span}`", page.name));
                }
            }
            if let Some(header) = header_of(&span) {
                seen += 1;
                if !tables.contains(header) {
                    wrong.push(format!("{}:{line}: no header `{span}`", page.name));
                }
            }
        }
    }
    none(wrong);
    assert!(seen > 100, "{seen} are named");
}

/// Every key is told of on some page, beside the manual, which is made from the list of keys.
#[test]
fn every_key_is_told_of() {
    let mut told = BTreeSet::new();
    for page in pages().filter(|page| page.name.starts_with("docs/")) {
        let word = |c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let spans = page.spans().into_iter().map(|(_, span)| span);
        let blocks = page.blocks().into_iter().map(|block| block.text);
        for text in spans.chain(blocks) {
            told.extend(text.split(word).map(str::to_owned));
        }
    }
    let untold = names(SECTIONS)
        .into_iter()
        .filter(|key| !told.contains(*key));
    none(
        untold
            .map(|key| format!("no page tells of `{key}`"))
            .collect(),
    );
}

/// The arms of the one match over requests, as its source has them.
fn requests() -> BTreeSet<String> {
    let source = root().join("src/edge/control/request.rs");
    let text = fs::read_to_string(source).expect("readable");
    let arms = text
        .split("match verb.as_str() {")
        .nth(1)
        .expect("the match");
    let arms = arms.split("other =>").next().expect("its end");
    let found = arms
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"')?.split_once("\" =>"));
    found.map(|(verb, _)| verb.to_owned()).collect()
}

/// Requests of the control socket: those of the page are those of the program.
#[test]
fn requests_are_those_of_the_program() {
    let rows = page("docs/control.md").rows();
    let request = |cell: &str| {
        let rest = cell.split("\"request\":\"").nth(1)?;
        Some(rest.split('"').next()?.to_owned())
    };
    let listed: BTreeSet<String> = rows.iter().filter_map(|(_, c)| request(&c[0])).collect();
    assert!(listed.len() > 8, "{listed:?}");
    assert_eq!(listed, requests());
}

/// Reasons of a refusal: those of the page are those of the program.
#[test]
fn refusals_are_those_of_the_program() {
    let source = root().join("src/edge/control/answer.rs");
    let text = fs::read_to_string(source).expect("readable");
    let body = text.split("pub enum Code {").nth(1).expect("the codes");
    let body = body.split("\n}").next().expect("their end");
    let variants = body.lines().map(str::trim).filter(|l| l.ends_with(','));
    let kebab = |name: &str| {
        let mut word = String::new();
        for c in name.trim_end_matches(',').chars() {
            if c.is_ascii_uppercase() && !word.is_empty() {
                word.push('-');
            }
            word.push(c.to_ascii_lowercase());
        }
        word
    };
    let wanted: BTreeSet<String> = variants.map(kebab).collect();
    let page = page("docs/control.md");
    let table = page
        .text
        .split("| `code` | Meaning |")
        .nth(1)
        .expect("the table");
    let rows = table
        .trim_start()
        .lines()
        .skip(1)
        .take_while(|l| l.starts_with('|'));
    let listed = rows
        .filter_map(|row| row.split('`').nth(1))
        .map(str::to_owned);
    assert_eq!(listed.collect::<BTreeSet<_>>(), wanted);
}

/// Every command, and every one below another, has its manual page, and there is no other page.
#[test]
fn every_command_has_its_manual_page() {
    let mut wanted: BTreeSet<String> = ["fieldwarden.1", "fieldwarden.toml.5"]
        .map(str::to_owned)
        .into();
    for command in cli::command()
        .get_subcommands()
        .filter(|c| !c.is_hide_set())
    {
        let name = command.get_name();
        if name == "help" {
            continue;
        }
        wanted.insert(format!("fieldwarden-{name}.1"));
        let below = command.get_subcommands().filter(|c| c.get_name() != "help");
        wanted.extend(below.map(|c| format!("fieldwarden-{name}-{}.1", c.get_name())));
    }
    let folder = fs::read_dir(root().join("docs/man")).expect("a folder");
    let there = folder.map(|entry| entry.expect("an entry").file_name());
    let there: BTreeSet<String> = there.map(|n| n.to_string_lossy().into_owned()).collect();
    assert_eq!(there, wanted);
}

/// The checks above see what is wrong.
#[test]
fn what_is_no_key_is_noticed() {
    assert_eq!(key_of("service.web.restart = \"never\""), Some("restart"));
    assert_eq!(key_of("DTOVERLAY = x"), None);
    assert_eq!(key_of("restart"), None);
    assert_eq!(header_of("[service.web]"), Some("service"));
    assert_eq!(header_of("[Unit]"), None);
    assert!(!names(SECTIONS).contains("comand") && names(SECTIONS).contains("command"));
    assert!(names(SECTIONS).contains("http"), "keys of probes");
}

//! Shows a configuration as one TOML text, each value with where it comes from.

use super::Config;
use super::forest;
use super::job::OF_JOBS;
use super::keys::SECTIONS;
use super::render;
use super::report::Report;
use super::schema::{Absent, Key};
use super::value::{self, Node};
use toml::de::{DeTable, DeValue};

/// Column in which it stands where a value comes from, if there is room.
const COLUMN: usize = 44;

/// The table whose values may be secrets.
const ENVIRONMENT: &str = "environment";

/// What stands in the place of one.
const HIDDEN: &str = "\"(hidden)\"";

/// Keys that only services of one kind have, beside those of jobs: no default holds elsewhere.
const OF_KEEPERS: [&str; 5] = ["unit", "container", "engine", "socket", "unhealthy"];

/// Keys of an LED on a line, which mean nothing without one.
const OF_LINES: [&str; 2] = ["gpio", "active_low"];

/// The configuration as its files give it, each value with its file and line; with `defaults`, what
/// holds without being given, too. The text says the same as the files.
pub fn effective(config: &Config, defaults: bool) -> String {
    shown(config, defaults, false)
}

/// The same without values of environment variables, as any of them may be a secret. What stands in
/// `command` is none, as everybody sees it in the list of processes; an address in a probe may have one
/// in it, so this is for who may act on the machine.
pub fn effective_without_secrets(config: &Config, defaults: bool) -> String {
    shown(config, defaults, true)
}

fn shown(config: &Config, defaults: bool, hide: bool) -> String {
    let mut page = Page {
        report: Report::of(&config.source),
        defaults,
        hide,
        text: String::new(),
    };
    for file in config.source.files() {
        page.text.push_str(&format!("# {}\n", file.name));
    }
    let tree = forest::grown(&config.source);
    for section in SECTIONS {
        match section.header.split_once(".NAME") {
            None if section.header.is_empty() => page.section("", section.keys, &tree),
            None => page.section(section.header, section.keys, inner(&tree, section.header)),
            Some((header, _)) => {
                for (name, node) in inner(&tree, header) {
                    let header = format!("{header}.{}", value::key(name.get_ref()));
                    if let DeValue::Table(table) = node.get_ref() {
                        page.section(&header, section.keys, table);
                    }
                }
            }
        }
    }
    page.text
}

fn inner<'t, 'i>(tree: &'t DeTable<'i>, name: &str) -> &'t DeTable<'i> {
    static NONE: std::sync::LazyLock<DeTable<'static>> = std::sync::LazyLock::new(DeTable::new);
    match tree.get(name).map(Node::get_ref) {
        Some(DeValue::Table(table)) => table,
        Some(_) | None => &NONE,
    }
}

struct Page<'t> {
    report: Report<'t>,
    defaults: bool,
    hide: bool,
    text: String,
}

impl Page<'_> {
    fn section(&mut self, header: &str, keys: &[Key], table: &DeTable<'_>) {
        let before = self.text.len();
        match header {
            "" => {}
            header => self.text.push_str(&format!("\n[{header}]\n")),
        }
        let begun = self.text.len();
        let plain = !table.contains_key("kind");
        for key in keys {
            let apart = match header {
                "led" => OF_LINES.contains(&key.name) && !table.contains_key("line"),
                _ if !header.starts_with("service.") => false,
                _ => OF_JOBS.contains(&key.name) || OF_KEEPERS.contains(&key.name),
            };
            let defaults = self.defaults && plain && !apart;
            self.key(key.name, key, table.get(key.name), defaults);
        }
        // A service or group is there even if it says nothing.
        if self.text.len() == begun && !header.contains('.') {
            self.text.truncate(before);
        }
    }

    /// A key of this full name inside its section.
    fn key(&mut self, path: &str, key: &Key, given: Option<&Node<'_>>, defaults: bool) {
        match (given, key.absent) {
            (Some(node), _) => match (node.get_ref(), key.inside()) {
                (DeValue::Table(table), []) if !table.is_empty() => {
                    for (name, node) in table {
                        let path = format!("{path}.{}", value::key(name.get_ref()));
                        self.given(&path, node);
                    }
                }
                (DeValue::Table(table), inside @ [_, ..]) => {
                    for inner in inside {
                        let path = format!("{path}.{}", inner.name);
                        self.key(&path, inner, table.get(inner.name), defaults);
                    }
                }
                _ => self.given(path, node),
            },
            (None, Absent::Default(text)) if defaults => self.line(path, text, "default"),
            (None, Absent::Inside) if defaults => {
                for inner in key.inside() {
                    self.key(&format!("{path}.{}", inner.name), inner, None, defaults);
                }
            }
            (None, _) => {}
        }
    }

    fn given(&mut self, path: &str, node: &Node<'_>) {
        let (file, line) = self.report.file_and_line(node.span().start);
        let origin = format!("{file}:{line}");
        let secret = path.split('.').any(|part| part == ENVIRONMENT);
        match self.hide && secret {
            true => self.line(path, HIDDEN, &origin),
            false => self.line(path, &render::value(node.get_ref()), &origin),
        }
    }

    fn line(&mut self, path: &str, value: &str, origin: &str) {
        let line = format!("{path} = {value}");
        self.text.push_str(&format!("{line:<COLUMN$} # {origin}\n"));
    }
}

//! Shows a configuration to somebody else: without what is nobody else's business.
//!
//! Only what is known to be harmless is shown: keys of the schema, of a kind that cannot hold a secret.
//! Everything else is removed, and that it was there is all that is told of it. In a configuration that
//! cannot be used, a text may stand anywhere by mistake; of that only quantities, flags and this
//! program's own words are shown.
//!
//! Never shows a comment, a name that no file may have, or a key that this program does not know.

use super::board::Shelf;
use super::forest;
use super::keys::SECTIONS;
use super::render;
use super::schema::{Key, Kind};
use super::source::Source;
use super::value::{self, Node};
use std::fmt::Write;
use toml::de::{DeTable, DeValue};

/// In the place of a value.
pub const REMOVED: &str = "(removed)";

/// Keys whose value is a text of its author's, and shown all the same: what they name is no secret.
/// Each with its section, because a name may stand for other things elsewhere.
const NAMES: [&str; 8] = [
    "health.listen",
    "led.gpio",
    "led.name",
    "service.NAME.calendar",
    "service.NAME.container",
    "service.NAME.exclusive",
    "service.NAME.unit",
    "service.NAME.zone",
];

/// Keys that are not shown although their kind is: where a secret lies is of use to whoever wants it.
const HIDDEN: [&str; 1] = ["health.token_file"];

/// Units of quantities, as they are written in a configuration.
const UNITS: [&str; 16] = [
    "", "ms", "s", "m", "min", "h", "d", "C", "%", "V", "mV", "A", "mA", "KiB", "MiB", "GiB",
];

/// The configuration as its files give it, redacted, a line for each key; every value that was removed
/// stands as a comment. `usable`: it was checked and found to be in order.
pub fn redacted(source: &Source, usable: bool) -> String {
    let tree = forest::grown(source);
    let mut page = Page {
        usable,
        section: "",
        text: String::new(),
    };
    let mut unknown = 0;
    for (name, node) in &tree {
        unknown += usize::from(!is_known(name.get_ref(), node));
    }
    for section in SECTIONS {
        page.section = section.header;
        match section.header.split_once(".NAME") {
            None if section.header.is_empty() => page.keys("", section.keys, &tree, true),
            None => {
                if let Some(table) = inner(&tree, section.header) {
                    page.header(section.header);
                    page.keys("", section.keys, table, false);
                }
            }
            Some((header, _)) => {
                for (name, node) in inner(&tree, header).into_iter().flatten() {
                    let DeValue::Table(table) = node.get_ref() else {
                        unknown += 1;
                        continue;
                    };
                    let name = match is_name(name.get_ref()) {
                        true => name.get_ref(),
                        false => REMOVED,
                    };
                    page.header(&format!("{header}.{}", value::key(name)));
                    page.keys("", section.keys, table, false);
                }
            }
        }
    }
    page.unknown(unknown);
    page.text
}

fn inner<'t, 'i>(tree: &'t DeTable<'i>, name: &str) -> Option<&'t DeTable<'i>> {
    match tree.get(name).map(Node::get_ref) {
        Some(DeValue::Table(table)) => Some(table),
        Some(_) | None => None,
    }
}

/// A key above all headers, or a header.
fn is_known(name: &str, node: &Node<'_>) -> bool {
    let table = matches!(node.get_ref(), DeValue::Table(_));
    SECTIONS.iter().any(|section| match section.header {
        "" => section.keys.iter().any(|key| key.name == name),
        header => header.split('.').next() == Some(name) && table,
    })
}

/// A name that a service, a group or a cap can have.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    !name.is_empty() && name.len() <= 64 && name.chars().all(plain)
}

struct Page {
    usable: bool,
    /// The header of the schema that the keys stand below.
    section: &'static str,
    text: String,
}

impl Page {
    fn header(&mut self, name: &str) {
        self.line(&format!("\n[{name}]"));
    }

    fn line(&mut self, line: &str) {
        // Writing into memory cannot fail.
        let _ = writeln!(self.text, "{line}");
    }

    fn unknown(&mut self, count: usize) {
        if count > 0 {
            self.line(&format!("# {count} unknown {REMOVED}"));
        }
    }

    /// The keys of a table; `path` leads to it. The top of a file holds the other tables, too.
    fn keys(&mut self, path: &str, keys: &[Key], table: &DeTable<'_>, top: bool) {
        for key in keys {
            let Some(node) = table.get(key.name) else {
                continue;
            };
            let name = format!("{path}{}", key.name);
            match (node.get_ref(), key.inside()) {
                (DeValue::Table(table), inside @ [_, ..]) => {
                    self.keys(&format!("{name}."), inside, table, false);
                }
                (value, _) => self.key(&name, key, value),
            }
        }
        let known = |name: &str| keys.iter().any(|key| key.name == name);
        let unknown = table.iter().filter(|(name, _)| !known(name.get_ref()));
        if !top {
            self.unknown(unknown.count());
        }
    }

    fn key(&mut self, name: &str, key: &Key, value: &DeValue<'_>) {
        let line = match self.shown(&full(self.section, name), key, value) {
            Some((shown, None)) => format!("{name} = {shown}"),
            Some((shown, Some(rest))) => format!("{name} = {shown} # {rest}"),
            None => format!("# {name}: {}{REMOVED}", amount(value)),
        };
        self.line(&line);
    }

    /// What of a value is shown, and what is said of the rest; `path` is its key with its section.
    fn shown(
        &self,
        path: &str,
        key: &Key,
        value: &DeValue<'_>,
    ) -> Option<(String, Option<String>)> {
        if HIDDEN.contains(&path) {
            return None;
        }
        let whole = || Some((render::value(value), None));
        match value {
            DeValue::Boolean(_) | DeValue::Integer(_) => return whole(),
            DeValue::String(text) if is_quantity(text) && !is_free(key.kind) => return whole(),
            DeValue::String(text) if !self.usable => {
                return ours(key.kind, text).then(whole).flatten();
            }
            _ if !self.usable => return None,
            _ => {}
        }
        match key.kind {
            Kind::Command => program(value),
            Kind::Text | Kind::Texts => NAMES.contains(&path).then(whole).flatten(),
            Kind::Environment | Kind::Secrets | Kind::Table(_) => None,
            _ => whole(),
        }
    }
}

/// A key with its section, as in `service.NAME.probe.liveness.tcp`.
fn full(section: &str, name: &str) -> String {
    match section.is_empty() {
        true => name.to_owned(),
        false => format!("{section}.{name}"),
    }
}

/// A word that this program has for such a value.
fn ours(kind: Kind, text: &str) -> bool {
    match kind {
        Kind::Choice(words) | Kind::WordOrPath(words) => words.contains(&text),
        Kind::WordOrDuration(words, _, _) | Kind::WordOrCount(words, _, _) => words.contains(&text),
        Kind::WordOrSize(words, _, _) | Kind::Amount(words, _, _) => words.contains(&text),
        Kind::Board => Shelf::built_in().names().iter().any(|name| name == text),
        _ => false,
    }
}

/// Whatever its author likes may stand in a value of this kind.
fn is_free(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Text | Kind::Texts | Kind::Command | Kind::Environment | Kind::Secrets
    )
}

/// A number with a unit that a configuration may have.
fn is_quantity(text: &str) -> bool {
    let number = |c: char| c.is_ascii_digit() || c == '.';
    let unit = text.trim_start_matches(number);
    let digits = text.len() - unit.len();
    (1..=12).contains(&digits) && UNITS.contains(&unit.trim_start())
}

/// The program of a command; its arguments may hold anything.
fn program(value: &DeValue<'_>) -> Option<(String, Option<String>)> {
    let DeValue::Array(words) = value else {
        return None;
    };
    let first = words.iter().next()?.get_ref();
    let shown = format!("[{}]", render::value(first));
    let rest = words.len() - 1;
    Some((shown, (rest > 0).then(|| format!("{rest} more {REMOVED}"))))
}

/// How much was removed.
fn amount(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Table(table) => format!("{} ", table.len()),
        DeValue::Array(items) => format!("{} ", items.len()),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, usable: bool) -> String {
        redacted(&Source::one("it.toml", text), usable)
    }

    const WEB: &str = "board = \"x728\" # hunter2\nunknown_hunter2 = \"hunter2\"\n\n[service.web]\n\
        command = [\"/usr/bin/web\", \"--token\", \"hunter2\"]\nuser = \"web\"\nstop_timeout = \"20s\"\n\
        environment = { HUNTER2 = \"hunter2\", B = \"hunter2\" }\nsecrets = { hunter2 = \"/etc/hunter2\" }\n\
        probe.readiness = { http = \"http://hunter2@localhost/\", timeout = \"1s\", hunter2 = 1 }\n\
        [hunter2]\nx = 1\n";

    /// What may hold a secret is gone, and what helps to understand the machine is there.
    #[test]
    fn nothing_secret_is_left() {
        let text = shown(WEB, true);
        assert!(!text.to_lowercase().contains("hunter2"), "{text}");
        let expected =
            "board = \"x728\"\n\n[service.web]\ncommand = [\"/usr/bin/web\"] # 2 more (removed)\n";
        assert!(text.starts_with(expected), "{text}");
        for line in [
            "user = \"web\"\n",
            "stop_timeout = \"20s\"\n",
            "# environment: 2 (removed)\n",
            "# secrets: 1 (removed)\n",
            "# probe.readiness.http: (removed)\n",
            "probe.readiness.timeout = \"1s\"\n",
            "# 1 unknown (removed)\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
        assert!(text.ends_with("# 2 unknown (removed)\n"), "{text}");
    }

    /// In a file that cannot be used, a secret may stand where no text belongs.
    #[test]
    fn a_broken_one_shows_no_text() {
        let text = "board = \"hunter2\"\nruntime_dir = \"/hunter2\"\n[watchdog]\ntimeout = \"hunter2\"\nowner = hunter2\n\
            [service.\"hunter2 x\"]\nstop_timeout = \"20s\"\nuser = \"hunter2\"\nstart = true\n\
            command = \"hunter2\"\nclass = \"optional\"\nhunter2\n";
        let text = shown(text, false);
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("stop_timeout = \"20s\"\n"), "{text}");
        assert!(text.contains("[service.\"(removed)\"]\n"), "{text}");
        assert!(text.contains("class = \"optional\"\n"), "{text}");
        for rubbish in [
            "",
            "\u{0}",
            "[[[",
            "a = {",
            "service = 7\ngroup = [1]\n",
            "power = 1",
        ] {
            shown(rubbish, false);
        }
    }

    /// Every key of the schema, by its section and its place there: a text that its author chose is not
    /// shown, but where that was decided.
    #[test]
    fn free_texts_are_shown_by_decision_only() {
        fn walk(above: &str, keys: &'static [Key], found: &mut Vec<String>) {
            for key in keys {
                let path = full(above, key.name);
                walk(&path, key.inside(), found);
                if HIDDEN.contains(&&*path) {
                    found.push(path.clone());
                }
                if !is_free(key.kind) {
                    continue;
                }
                let page = Page {
                    usable: true,
                    section: "",
                    text: String::new(),
                };
                let value = DeValue::String("secret".into());
                let shown = page.shown(&path, key, &value).is_some();
                assert_eq!(shown, NAMES.contains(&&*path), "{path}");
                if shown {
                    found.push(path);
                }
            }
        }
        let mut found = Vec::new();
        SECTIONS
            .iter()
            .for_each(|s| walk(s.header, s.keys, &mut found));
        found.sort_unstable();
        let mut decided = [&NAMES[..], &HIDDEN[..]].concat();
        decided.sort_unstable();
        assert_eq!(found, decided, "no path in the lists without a key");
    }

    /// A key is shown by where it stands: the name of an LED is no secret, and one that is looked up
    /// may be.
    #[test]
    fn names_are_shown_by_their_place() {
        let text = "[led]\nname = \"ACT\"\n[network]\nname = \"hunter2.example\"\nvpn = \"hunter2\"\n\
            interfaces = [\"hunter2\"]\npeer = \"hunter2:1\"\nssh = \"hunter2:2\"\ntimeout = \"5s\"\n\
            [expiry.key]\ndate = \"2027-03-01\"\n[health]\nlisten = [\"127.0.0.1:1\"]\n\
            token_file = \"/hunter2\"\n[service.web]\nunit = \"web.service\"\n";
        let text = shown(text, true);
        assert!(!text.contains("hunter2"), "{text}");
        for line in [
            "name = \"ACT\"\n",
            "# name: (removed)\n",
            "# interfaces: 1 (removed)\n",
            "timeout = \"5s\"\n",
            "[expiry.key]\n# date: (removed)\n",
            "listen = [\"127.0.0.1:1\"]\n# token_file: (removed)\n",
            "unit = \"web.service\"\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }
}

//! How two configurations differ, key by key. What becomes of that is for others to find out.

use super::Config;
use super::explain;
use super::forest;
use super::render;
use super::value::{self, Node};
use std::collections::{BTreeMap, BTreeSet};
use toml::de::{DeTable, DeValue};

/// Sections with a table for each name.
const NAMED: [&str; 2] = ["service", "group"];

/// How they differ.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Difference {
    /// Services that differ, by name.
    pub services: BTreeMap<String, Changed>,
    /// The same of groups.
    pub groups: BTreeMap<String, Changed>,
    /// Keys of the machine itself, by their full names.
    pub machine: Vec<OtherKey>,
    /// The board has the same name, and its file says something else.
    pub board_file: bool,
}

/// How a service or a group differs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Changed {
    /// It is in the second one alone.
    New,
    /// It is in the first one alone.
    Gone,
    /// These keys are given otherwise.
    Keys(Vec<String>),
}

/// A key that is given otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OtherKey {
    /// Its full name, such as `watchdog.timeout`.
    pub name: String,
    /// What holds by the first one, as it is written; `None` for nothing.
    pub was: Option<String>,
    /// What holds by the second one.
    pub is: Option<String>,
}

/// How the second configuration differs from the first one.
pub fn difference(old: &Config, new: &Config) -> Difference {
    let (before, after) = (forest::grown(&old.source), forest::grown(&new.source));
    let (board, other) = (&old.wiring.board, &new.wiring.board);
    Difference {
        services: named(&before, &after, "service"),
        groups: named(&before, &after, "group"),
        machine: machine(&before, &after),
        board_file: board.name == other.name && board.source != other.source,
    }
}

fn named(before: &DeTable<'_>, after: &DeTable<'_>, section: &str) -> BTreeMap<String, Changed> {
    let of = |tree| Some(inside(tree, section)?.keys().map(|key| &**key.get_ref()));
    let names: BTreeSet<&str> = [of(before), of(after)]
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    let (old, new) = (inside(before, section), inside(after, section));
    let change = |name: &str| match (
        old.and_then(|t| inside(t, name)),
        new.and_then(|t| inside(t, name)),
    ) {
        (None, _) => Some(Changed::New),
        (_, None) => Some(Changed::Gone),
        (Some(old), Some(new)) => {
            let keys = keys(old, new);
            (!keys.is_empty()).then_some(Changed::Keys(keys))
        }
    };
    let changes = names
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), change(name)?)));
    changes.collect()
}

fn inside<'t, 'i>(tree: &'t DeTable<'i>, name: &str) -> Option<&'t DeTable<'i>> {
    match tree.get(name)?.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

/// Keys that are given otherwise.
fn keys(old: &DeTable<'_>, new: &DeTable<'_>) -> Vec<String> {
    let names = old.keys().chain(new.keys());
    let names: BTreeSet<&str> = names.map(|key| &**key.get_ref()).collect();
    let value = |table: &DeTable<'_>, name: &str| {
        let node = table.get(name)?;
        Some(render::value(node.get_ref()))
    };
    let other = |name: &&str| value(old, name) != value(new, name);
    names.into_iter().filter(other).map(str::to_owned).collect()
}

/// Everything but services and groups. What is given as it holds by default is no other value.
fn machine(before: &DeTable<'_>, after: &DeTable<'_>) -> Vec<OtherKey> {
    let (old, new) = (flat(before), flat(after));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let value = |of: &BTreeMap<String, String>, name: &String| {
        let given = of.get(name).cloned();
        given.or_else(|| explain::default_of(name).map(str::to_owned))
    };
    let key = |name: &String| OtherKey {
        name: name.clone(),
        was: value(&old, name),
        is: value(&new, name),
    };
    let keys = names.into_iter().map(key);
    keys.filter(|key| key.was != key.is).collect()
}

fn flat(tree: &DeTable<'_>) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for (key, node) in tree {
        let name: &str = key.get_ref();
        if !NAMED.contains(&name) && name != "version" {
            flatten(value::key(name), node, &mut values);
        }
    }
    values
}

fn flatten(path: String, node: &Node<'_>, values: &mut BTreeMap<String, String>) {
    match node.get_ref() {
        DeValue::Table(table) if !table.is_empty() => {
            for (key, node) in table {
                flatten(
                    format!("{path}.{}", value::key(key.get_ref())),
                    node,
                    values,
                );
            }
        }
        other => {
            values.insert(path, render::value(other));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn differ(old: &str, new: &str) -> Difference {
        let of = |text| parse("test", text).unwrap().config;
        difference(&of(old), &of(new))
    }

    /// Each service and group is told with its keys; one that is written otherwise and says the same
    /// is none.
    #[test]
    fn services_and_groups_are_compared_by_their_keys() {
        let service = |name: &str, keys: &str| {
            format!("[service.{name}]\ncommand = [\"/bin/{name}\"]\n{keys}\n")
        };
        let group = |rest: &str| format!("[group.g]\nmembers = [\"db\", \"same\"]\n{rest}");
        let old = [
            service("db", ""),
            service("same", "nice = 0x5"),
            service("gone", ""),
            group(""),
        ];
        let new = [
            service("db", "nice = 5\nstop_timeout = \"5s\""),
            service("same", "nice = 5"),
            service("more", ""),
            group("strategy = \"one-for-all\"\n"),
        ];
        let found = differ(&old.concat(), &new.concat());
        let words = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        let wanted = [
            ("db", Changed::Keys(words(&["nice", "stop_timeout"]))),
            ("gone", Changed::Gone),
            ("more", Changed::New),
        ];
        let wanted = wanted.map(|(name, changed)| (name.to_owned(), changed));
        assert_eq!(found.services, wanted.into());
        let wanted = [("g".to_owned(), Changed::Keys(words(&["strategy"])))];
        assert_eq!(found.groups, wanted.into());
        assert!(found.machine.is_empty() && !found.board_file);
    }

    /// Keys of the machine are told with what holds before and after, by default or not.
    #[test]
    fn keys_of_the_machine_are_told_with_their_values() {
        let old = "state_dir = \"/data\"\n[watchdog]\ntimeout = \"10s\"\n[hold]\nmost = \"1h\"\n";
        let new = "version = 1\nboard = \"x728\"\nstate_dir = \"/var/lib/fieldwarden\"\n[hold]\nmost = \"1h\"\n";
        let found = differ(old, new);
        let told = found.machine.iter().map(|key| {
            let value = |value: &Option<String>| value.clone().unwrap_or("nothing".to_owned());
            format!("{} {} {}", key.name, value(&key.was), value(&key.is))
        });
        let told: Vec<String> = told.collect();
        let timeout = explain::default_of("watchdog.timeout").unwrap();
        let wanted = [
            "board \"none\" \"x728\"".to_owned(),
            "state_dir \"/data\" \"/var/lib/fieldwarden\"".to_owned(),
            format!("watchdog.timeout \"10s\" {timeout}"),
        ];
        assert_eq!(told, wanted);
        let default = format!("[watchdog]\ntimeout = {timeout}\n");
        assert_eq!(differ("", &default), Difference::default());
    }
}

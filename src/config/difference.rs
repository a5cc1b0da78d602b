//! What a reload would do: how two configurations differ for the services.

use super::fingerprint::Fingerprint;
use super::forest;
use super::render;
use super::value::Node;
use super::{Command, Config};
use crate::core::settings::Service;
use std::collections::{BTreeMap, BTreeSet};
use toml::de::{DeTable, DeValue};

/// What becomes of one service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It is not in the other configuration: it is started, if it starts by itself.
    New,
    /// It is not in this configuration any more: it is ended.
    Gone,
    /// Only a new process can take up what has changed in these keys: it is started anew.
    Anew(Vec<String>),
    /// It is stopped and started with this one, which it requires.
    With(String),
    /// What has changed in these keys is in force at once; its process runs on.
    AtOnce(Vec<String>),
}

/// What becomes of the services that something becomes of, by name, and how many are left as they are.
pub fn difference(old: &Config, new: &Config) -> (BTreeMap<String, Fate>, usize) {
    let (was, is) = (services(old), services(new));
    let (before, after) = (forest::grown(&old.source), forest::grown(&new.source));
    let mut fates = BTreeMap::new();
    for name in was.keys().filter(|name| !is.contains_key(*name)) {
        fates.insert((*name).to_owned(), Fate::Gone);
    }
    for (name, (service, command)) in &is {
        let Some((old_service, old_command)) = was.get(name) else {
            fates.insert((*name).to_owned(), Fate::New);
            continue;
        };
        let keys = changed(table(&before, name), table(&after, name));
        let prints = [
            Fingerprint::of(old_service, old_command),
            Fingerprint::of(service, command),
        ];
        if prints[0] != prints[1] && service.keeper.is_none() {
            fates.insert((*name).to_owned(), Fate::Anew(keys));
        } else if !keys.is_empty() {
            fates.insert((*name).to_owned(), Fate::AtOnce(keys));
        }
    }
    with_those_required(new, &mut fates);
    let same = is.keys().filter(|name| !fates.contains_key(**name)).count();
    (fates, same)
}

fn services(config: &Config) -> BTreeMap<&str, (&Service, &Command)> {
    let both = config.settings.services.iter().zip(&config.wiring.commands);
    both.map(|(service, command)| (&*service.name, (service, command)))
        .collect()
}

/// Whoever requires one that is started anew goes with it, and so on.
fn with_those_required(new: &Config, fates: &mut BTreeMap<String, Fate>) {
    let services = &new.settings.services;
    loop {
        let moves = |name: &str| matches!(fates.get(name), Some(Fate::Anew(_) | Fate::With(_)));
        let next = services.iter().filter(|s| !moves(&s.name));
        let next: Vec<(String, String)> = next
            .filter(|s| !matches!(fates.get(&*s.name), Some(Fate::New)))
            .filter_map(|s| {
                let mut required = s.requires.iter().map(|id| new.settings.name(*id));
                let cause = required.find(|name| moves(name))?;
                Some((s.name.to_string(), cause.to_owned()))
            })
            .collect();
        if next.is_empty() {
            return;
        }
        for (name, cause) in next {
            fates.insert(name, Fate::With(cause));
        }
    }
}

fn table<'t, 'i>(tree: &'t DeTable<'i>, name: &str) -> Option<&'t DeTable<'i>> {
    let inside = |node: &'t Node<'i>| match node.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    };
    inside(inside(tree.get("service")?)?.get(name)?)
}

/// Keys that are given otherwise.
fn changed(old: Option<&DeTable<'_>>, new: Option<&DeTable<'_>>) -> Vec<String> {
    let names = [old, new].into_iter().flatten().flat_map(DeTable::keys);
    let names: BTreeSet<&str> = names.map(|key| &**key.get_ref()).collect();
    let value = |table: Option<&DeTable<'_>>, name: &str| {
        let node = table.and_then(|table| table.get(name))?;
        Some(render::value(node.get_ref()))
    };
    let other = |name: &&str| value(old, name) != value(new, name);
    names.into_iter().filter(other).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    /// Each service meets the fate that a reload has for it.
    #[test]
    fn fates_are_told() {
        let service = |name: &str, keys: &str| {
            format!("[service.{name}]\ncommand = [\"/bin/{name}\"]\n{keys}\n")
        };
        let of = |texts: &[String]| parse("test", &texts.concat()).unwrap().config;
        let api = service("api", "requires = [\"db\"]");
        let web = service("web", "requires = [\"api\"]");
        let old = of(&[
            service("db", ""),
            api.clone(),
            web.clone(),
            service("same", ""),
            service("slow", ""),
            service("gone", ""),
        ]);
        let new = of(&[
            service("db", "nice = 5\nstop_timeout = \"5s\""),
            api,
            web,
            service("same", ""),
            service("slow", "stop_timeout = \"5s\""),
            service("more", "requires = [\"db\"]"),
        ]);
        let (fates, same) = difference(&old, &new);
        let words = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        let wanted = [
            ("api", Fate::With("db".to_owned())),
            ("db", Fate::Anew(words(&["nice", "stop_timeout"]))),
            ("gone", Fate::Gone),
            ("more", Fate::New),
            ("slow", Fate::AtOnce(words(&["stop_timeout"]))),
            ("web", Fate::With("api".to_owned())),
        ];
        let wanted = wanted.map(|(name, fate)| (name.to_owned(), fate));
        assert_eq!((fates, same), (wanted.into(), 1));
        assert_eq!(difference(&new, &new), (BTreeMap::new(), 6));
    }
}

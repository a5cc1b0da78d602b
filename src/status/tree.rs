//! Who depends on whom: services as trees, each with its state.
//!
//! Terms: a service *leans on* those that it starts after, requires or wants. A tree begins with a
//! service that nobody leans on, or, upside down, with one that leans on nobody.
//!
//! A service that is leant on from several sides is told whole the first time, and named after that:
//! so no tree is longer than all links together, whatever they are.

use super::screen::mark;
use super::service_screen::{notes, style};
use super::table::{Cell, lines};
use super::{ServiceStatus, Status};
use std::collections::{BTreeMap, BTreeSet};

/// What the branches are drawn with, and what a terminal gets that knows only ASCII. They are the only
/// such characters of a tree, apart from [`super::MARK`] and names.
pub const BRANCHES: [(&str, &str); 3] = [("├─", "|-"), ("└─", "`-"), ("│", "|")];

/// Which way a tree grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Below a service stand those that it leans on.
    Down,
    /// Below a service stand those that lean on it.
    Up,
}

/// The trees that begin with these services, or all trees if none is named. Names that no service has
/// are left out.
pub fn tree(status: &Status, roots: &[String], direction: Direction) -> String {
    let wood = Wood::of(status, direction);
    let mut rows = Vec::new();
    let mut seen = BTreeSet::new();
    for root in roots {
        wood.grow(root, &mut seen, &mut rows);
    }
    if roots.is_empty() {
        for root in wood.roots() {
            wood.grow(root, &mut seen, &mut rows);
        }
    }
    lines(0, &rows)
}

struct Wood<'a> {
    services: BTreeMap<&'a str, &'a ServiceStatus>,
    /// For each service, those below it, and what they are to it.
    below: BTreeMap<&'a str, BTreeMap<&'a str, &'static str>>,
}

impl<'a> Wood<'a> {
    fn of(status: &'a Status, direction: Direction) -> Wood<'a> {
        let services = status.services.iter();
        let services: BTreeMap<&str, &ServiceStatus> =
            services.map(|s| (s.name.as_str(), s)).collect();
        let mut below: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
        let mut link = |from: &'a str, to: &'a str, words: [&'static str; 2]| {
            let (above, under, word) = match direction {
                Direction::Down => (from, to, words[0]),
                Direction::Up => (to, from, words[1]),
            };
            // The strongest word comes last.
            below.entry(above).or_default().insert(under, word);
        };
        for service in &status.services {
            let name = service.name.as_str();
            let known = |other: &&'a String| services.contains_key(other.as_str());
            for other in service.after.iter().filter(known) {
                link(name, other, ["starts before it", "starts after it"]);
            }
            for other in service.wants.iter().filter(known) {
                link(name, other, ["wanted", "wants it"]);
            }
            for other in service.requires.iter().filter(known) {
                link(name, other, ["required", "requires it"]);
            }
        }
        Wood { services, below }
    }

    /// Those that stand below nobody.
    fn roots(&self) -> impl Iterator<Item = &'a str> {
        let below: BTreeSet<&str> = self
            .below
            .values()
            .flat_map(|b| b.keys().copied())
            .collect();
        let names = self.services.keys().copied();
        names.filter(move |name| !below.contains(name))
    }

    /// Adds the tree that begins with this service, row by row.
    fn grow(&self, root: &str, seen: &mut BTreeSet<&'a str>, rows: &mut Vec<Vec<Cell>>) {
        // Not by recursion: a chain may be as long as there are services.
        let mut left = vec![(root, "", String::new(), String::new())];
        while let Some((name, word, branch, trunk)) = left.pop() {
            let Some((name, service)) = self.services.get_key_value(name) else {
                continue;
            };
            let below = self.below.get(name);
            let again = !seen.insert(name) && below.is_some();
            rows.push(row(service, &branch, word, again));
            let below = below.filter(|_| !again).into_iter().flatten();
            for (at, (under, word)) in below.rev().enumerate() {
                let [(tee, _), (corner, _), (bar, _)] = BRANCHES;
                let (turn, on) = match at {
                    0 => (corner, " "),
                    _ => (tee, bar),
                };
                let (branch, trunk) = (format!("{trunk}{turn} "), format!("{trunk}{on}  "));
                left.push((under, word, branch, trunk));
            }
        }
    }
}

fn row(service: &ServiceStatus, branch: &str, word: &str, again: bool) -> Vec<Cell> {
    let style = style(service);
    let mut notes = notes(service);
    if again {
        notes = vec!["its own are above".to_owned()];
    }
    vec![
        Cell::plain(&format!("{branch}{}", service.name)),
        mark(style),
        Cell::new(&service.state, style),
        Cell::plain(word),
        Cell::plain(&notes.join(", ")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|n| (*n).to_owned()).collect()
    }

    fn service(name: &str, after: &[&str], requires: &[&str], wants: &[&str]) -> ServiceStatus {
        ServiceStatus {
            name: name.to_owned(),
            state: "up".to_owned(),
            wish: "run".to_owned(),
            after: names(after),
            requires: names(requires),
            wants: names(wants),
            ..ServiceStatus::default()
        }
    }

    fn drawn(services: &[ServiceStatus], roots: &[&str], direction: Direction) -> String {
        let status = Status {
            services: services.to_vec(),
            ..Status::default()
        };
        let text = tree(&status, &names(roots), direction);
        anstream::adapter::strip_str(&text).to_string()
    }

    /// The strongest link is named; what stands in several places is told whole once.
    #[test]
    fn both_ways() {
        let services = [
            service("alone", &[], &[], &[]),
            service("api", &["db"], &["db"], &["cache", "gone"]),
            service("cache", &["db"], &[], &[]),
            service("db", &[], &[], &[]),
            service("web", &["api", "cache"], &["api"], &["cache"]),
        ];
        let down = "\
alone        ●  up
web          ●  up
├─ api       ●  up  required
│  ├─ cache  ●  up  wanted
│  │  └─ db  ●  up  starts before it
│  └─ db     ●  up  required
└─ cache     ●  up  wanted            its own are above
";
        assert_eq!(drawn(&services, &[], Direction::Down), down);
        let up = "\
db         ●  up
├─ api     ●  up  requires it
│  └─ web  ●  up  requires it
└─ cache   ●  up  starts after it
   ├─ api  ●  up  wants it         its own are above
   └─ web  ●  up  wants it
";
        assert_eq!(drawn(&services, &["db"], Direction::Up), up);
        assert_eq!(drawn(&services, &["wbe"], Direction::Up), "");
    }

    /// Whatever the links are, a tree ends, and has a row for each link at most.
    #[test]
    fn it_ends() {
        let round = [
            service("a", &["b"], &[], &[]),
            service("b", &["a"], &[], &[]),
        ];
        assert_eq!(drawn(&round, &[], Direction::Down), "");
        assert_eq!(drawn(&round, &["a"], Direction::Down).lines().count(), 3);
        // Ladders whose rungs are all tied to the next ones have 2^n ways down.
        let name = |at: usize| format!("s{at:03}");
        let ladder: Vec<ServiceStatus> = (0..1000)
            .map(|at| {
                let next = [name(at + 1), name(at + 2)];
                service(&name(at), &[&next[0], &next[1]], &[], &[])
            })
            .collect();
        let rows = drawn(&ladder, &[], Direction::Down).lines().count();
        assert_eq!(rows, 1 + 999 + 998);
    }
}

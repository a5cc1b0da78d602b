//! Reads the keys of one table: unknown ones are errors, absent ones take their defaults.
//!
//! A method returns `None` when the value is wrong, which is then in the report, or when there is
//! none. It never decides how values relate to each other.

mod at;

pub(in crate::config) use at::At;

use super::Amount;
use super::keys;
use super::quantity;
use super::report::Report;
use super::schema::{self, Absent, Key, Kind, Section};
use super::size;
use super::value::{self, Node};
use crate::units::{MilliCelsius, Milliamps, Millivolts, Permille};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeString, DeTable};

/// One table while it is read.
pub(super) struct Table<'r, 't, 'i> {
    report: &'r mut Report<'i>,
    keys: &'static [Key],
    /// All sections of the file, for keys that stand in the wrong one.
    sections: &'static [Section],
    /// Full name of the table; empty for the top of the file.
    path: String,
    /// Where to show that something is missing.
    header: Range<usize>,
    entries: Option<&'t DeTable<'i>>,
    /// The structure of the file is known to be what its author meant.
    sound: bool,
    /// Keys that an unknown one was probably meant to be; they are not missing as well.
    meant: Vec<&'static str>,
}

impl<'r, 't, 'i> Table<'r, 't, 'i> {
    /// The top of the file.
    pub(super) fn top(
        report: &'r mut Report<'i>,
        sections: &'static [Section],
        entries: &'t DeTable<'i>,
        sound: bool,
    ) -> Table<'r, 't, 'i> {
        let top = sections.iter().find(|section| section.header.is_empty());
        Table {
            report,
            keys: top.map_or(&[], |section| section.keys),
            sections,
            path: String::new(),
            header: 0..0,
            entries: Some(entries),
            sound,
            meant: Vec::new(),
        }
    }

    /// A table below this one; an empty one if it is not given or is no table.
    pub(super) fn below<'s>(&'s mut self, name: &str, keys: &'static [Key]) -> Table<'s, 't, 'i> {
        let mut table = self.open(name, keys);
        table.refuse_unknown(&[]);
        table
    }

    /// A table below this one whose keys are names that the author of the file chose.
    pub(super) fn group<'s>(&'s mut self, name: &str) -> Table<'s, 't, 'i> {
        self.open(name, &[])
    }

    fn open<'s>(&'s mut self, name: &str, keys: &'static [Key]) -> Table<'s, 't, 'i> {
        let path = self.full(name);
        let given = self.entries.and_then(|entries| entries.get_key_value(name));
        let header = given.map_or(self.header.clone(), |(key, _)| key.span());
        let mut sound = self.sound;
        let entries = given.and_then(|(_, node)| {
            let table = node.get_ref().as_table();
            if table.is_none() {
                // What it lacks is no news.
                sound = false;
                let help = table_help(&self.path, name, keys);
                value::mistyped(self.report, &path, node, &Kind::Table(keys), help);
            }
            table
        });
        Table {
            report: &mut *self.report,
            keys,
            sections: self.sections,
            path,
            header,
            entries,
            sound,
            meant: Vec::new(),
        }
    }

    /// The table that is the value of a [`Kind::Table`].
    pub(super) fn inner<'s>(&'s mut self, name: &str) -> Table<'s, 't, 'i> {
        let key = self.keys.iter().find(|key| key.name == name);
        self.below(name, key.map_or(&[], Key::inside))
    }

    /// Full name of a key of this table.
    pub(super) fn full(&self, name: &str) -> String {
        let name = value::key(name);
        if self.path.is_empty() {
            name
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// The report, for problems that concern several values.
    pub(super) fn report(&mut self) -> &mut Report<'i> {
        self.report
    }

    /// Where to show a problem of the table as a whole.
    pub(super) fn header(&self) -> Range<usize> {
        self.header.clone()
    }

    /// Is the structure of the file known to be what its author meant?
    pub(super) fn sound(&self) -> bool {
        self.sound
    }

    /// Does anything stand under this name?
    pub(super) fn gives(&self, name: &str) -> bool {
        self.entries
            .is_some_and(|entries| entries.get(name).is_some())
    }

    /// What stands in the table, under its keys.
    pub(super) fn entries(
        &self,
    ) -> impl Iterator<Item = (&'t Spanned<DeString<'i>>, &'t Node<'i>)> + use<'t, 'i> {
        self.entries.into_iter().flatten()
    }

    /// Reports every key that is none, apart from tables that the caller reads in another way.
    pub(super) fn refuse_unknown(&mut self, tables: &[&'static str]) {
        if !self.sound {
            return;
        }
        for (name, _) in self.entries() {
            let text: &str = name.get_ref();
            if self.keys.iter().any(|key| key.name == text) || tables.contains(&text) {
                continue;
            }
            let shown = value::key(text);
            let place = match self.path.as_str() {
                "" => "at the top of the file".to_owned(),
                path => format!("in [{path}]"),
            };
            let allowed = || {
                self.keys
                    .iter()
                    .map(|key| key.name)
                    .chain(tables.iter().copied())
            };
            let near = value::nearest(text, allowed());
            let list: Vec<&str> = allowed().collect();
            let help = unknown_help(text, (self.sections, &self.path), near, &list.join(", "));
            self.meant.extend(near);
            self.report
                .error(name.span(), format!("unknown key `{shown}` {place}"), help);
        }
    }

    /// Reads a key, or its default, with `read`.
    fn read<T>(
        &mut self,
        name: &str,
        mut read: impl FnMut(&mut Report<'_>, &str, &Node<'_>, Kind) -> Option<T>,
    ) -> Option<At<T>> {
        // A name that is not in the list is a mistake in this program: nothing at all loads then.
        let key = self.keys.iter().find(|key| key.name == name)?;
        if let Some(node) = self.entries.and_then(|entries| entries.get(name)) {
            let path = self.full(name);
            let value = read(self.report, &path, node, key.kind)?;
            return Some(At {
                value,
                span: Some(node.span()),
            });
        }
        match key.absent {
            Absent::Default(text) => {
                // Nearly all keys of a thousand services are at their defaults. Those are right, so
                // their full names are in no message; and each is parsed once.
                let node = self.report.default_value(text)?;
                let value = read(self.report, name, &node, key.kind);
                self.report.keep_default(text, node);
                value.map(|value| At { value, span: None })
            }
            Absent::Required(example) => {
                let path = self.full(name);
                self.missing(&path, name, example);
                None
            }
            Absent::Inside | Absent::Nothing(_) => None,
        }
    }

    fn missing(&mut self, path: &str, name: &str, example: &str) {
        if self.sound && !self.meant.contains(&name) {
            self.report.error(
                self.header(),
                format!("`{path}` is missing"),
                format!("add a line such as {name} = {example}"),
            );
        }
    }

    /// The value of a [`Kind::Flag`].
    pub(super) fn flag(&mut self, name: &str) -> Option<At<bool>> {
        self.read(name, |report, path, node, _| {
            value::flag(report, path, node)
        })
    }

    /// The value of a [`Kind::Count`].
    pub(super) fn count(&mut self, name: &str) -> Option<At<u32>> {
        self.read(name, |report, path, node, kind| {
            let Kind::Count(min, max) = kind else {
                return None;
            };
            quantity::count(report, path, node, (min, max))
        })
    }

    /// The value of a [`Kind::Signed`].
    pub(super) fn signed(&mut self, name: &str) -> Option<At<i32>> {
        self.read(name, |report, path, node, kind| {
            let Kind::Signed(min, max) = kind else {
                return None;
            };
            size::signed(report, path, node, (min, max))
        })
    }

    /// The value of a [`Kind::WordOrCount`]; `None` inside is one of its words.
    pub(super) fn word_or_count(&mut self, name: &str) -> Option<At<Option<u32>>> {
        self.read(name, |report, path, node, kind| {
            let Kind::WordOrCount(words, min, max) = kind else {
                return None;
            };
            size::word_or_count(report, path, node, words, (min, max))
        })
    }

    /// The value of a [`Kind::WordOrSize`], in bytes; `None` inside is one of its words.
    pub(super) fn word_or_size(&mut self, name: &str) -> Option<At<Option<u64>>> {
        self.read(name, |report, path, node, kind| {
            let Kind::WordOrSize(words, min, max) = kind else {
                return None;
            };
            size::word_or_size(report, path, node, words, (min, max))
        })
    }

    /// The value of a [`Kind::Amount`].
    pub(super) fn amount(&mut self, name: &str) -> Option<At<Amount>> {
        self.read(name, |report, path, node, kind| {
            let Kind::Amount(words, min, max) = kind else {
                return None;
            };
            size::amount(report, path, node, words, (min, max))
        })
    }

    /// The value of a [`Kind::Duration`].
    pub(super) fn duration(&mut self, name: &str) -> Option<At<Duration>> {
        self.read(name, |report, path, node, kind| {
            let Kind::Duration(min, max) = kind else {
                return None;
            };
            quantity::duration(report, path, node, (min, max))
        })
    }

    /// The value of a [`Kind::WordOrDuration`]; `None` inside is one of its words.
    pub(super) fn word_or_duration(&mut self, name: &str) -> Option<At<Option<Duration>>> {
        self.read(name, |report, path, node, kind| {
            let Kind::WordOrDuration(words, min, max) = kind else {
                return None;
            };
            match node.get_ref().as_str() {
                Some(text) if words.contains(&text) => Some(None),
                Some(_) | None => {
                    quantity::duration_as(report, path, node, (min, max), &kind).map(Some)
                }
            }
        })
    }

    /// The value of a [`Kind::Temperature`].
    pub(super) fn temperature(&mut self, name: &str) -> Option<At<MilliCelsius>> {
        self.read(name, |report, path, node, kind| {
            let Kind::Temperature(min, max) = kind else {
                return None;
            };
            quantity::temperature(report, path, node, (min, max))
        })
    }

    /// The value of a [`Kind::Share`].
    pub(super) fn share(&mut self, name: &str) -> Option<At<Permille>> {
        self.read(name, |report, path, node, _| {
            quantity::share(report, path, node)
        })
    }

    /// The value of a [`Kind::Load`], in percent.
    pub(super) fn load(&mut self, name: &str) -> Option<At<u32>> {
        self.read(name, |report, path, node, kind| {
            let Kind::Load(min, max) = kind else {
                return None;
            };
            quantity::load(report, path, node, (min, max))
        })
    }

    /// The value of a [`Kind::Choice`].
    pub(super) fn choice(&mut self, name: &str) -> Option<At<&'static str>> {
        self.read(name, |report, path, node, kind| {
            let Kind::Choice(words) = kind else {
                return None;
            };
            value::choice(report, path, node, words)
        })
    }

    /// The value of a [`Kind::Voltage`].
    pub(super) fn voltage(&mut self, name: &str) -> Option<At<Millivolts>> {
        self.physical(name, |kind| match kind {
            Kind::Voltage(min, max) => Some((quantity::VOLTS, (min, max))),
            _ => None,
        })
        .map(|at| at.map(Millivolts))
    }

    /// The value of a [`Kind::Current`].
    pub(super) fn current(&mut self, name: &str) -> Option<At<Milliamps>> {
        self.physical(name, |kind| match kind {
            Kind::Current(min, max) => Some((quantity::AMPERES, (min, max))),
            _ => None,
        })
        .map(|at| at.map(|n| Milliamps(n.cast_signed())))
    }

    /// The value of a [`Kind::Resistance`], in millionths of an ohm.
    pub(super) fn resistance(&mut self, name: &str) -> Option<At<u32>> {
        self.physical(name, |kind| match kind {
            Kind::Resistance(min, max) => Some((quantity::OHMS, (min, max))),
            _ => None,
        })
    }

    fn physical(
        &mut self,
        name: &str,
        form: impl Fn(Kind) -> Option<(quantity::Units, (u32, u32))>,
    ) -> Option<At<u32>> {
        self.read(name, |report, path, node, kind| {
            let (units, bounds) = form(kind)?;
            quantity::physical(report, path, node, &kind, (units, bounds))
        })
    }

    /// The value of a [`Kind::Address`].
    pub(super) fn address(&mut self, name: &str) -> Option<At<u8>> {
        self.read(name, |report, path, node, _| {
            quantity::address(report, path, node)
        })
    }

    /// The value of a [`Kind::Text`] or [`Kind::Board`].
    pub(super) fn text(&mut self, name: &str) -> Option<At<String>> {
        self.read(name, |report, path, node, kind| {
            value::string(report, path, node, &kind).map(str::to_owned)
        })
    }

    /// The value of a [`Kind::Texts`].
    pub(super) fn texts(&mut self, name: &str) -> Option<At<Vec<String>>> {
        self.read(name, |report, path, node, kind| {
            let items = value::list(report, path, node, &kind, "[\"text\"]")?;
            let text = |item| value::string(report, path, item, &Kind::Text).map(str::to_owned);
            items.iter().map(text).collect()
        })
    }

    /// The value of a [`Kind::Path`].
    pub(super) fn path(&mut self, name: &str) -> Option<At<PathBuf>> {
        self.read(name, |report, path, node, kind| {
            value::path(report, path, node, &kind)
        })
    }

    /// The value of a [`Kind::WordOrPath`]: the word, or the path as it is written.
    pub(super) fn word_or_path(&mut self, name: &str) -> Option<At<String>> {
        self.read(name, |report, path, node, kind| {
            let Kind::WordOrPath(words) = kind else {
                return None;
            };
            match node.get_ref().as_str() {
                Some(text) if words.contains(&text) => Some(text.to_owned()),
                Some(text) if !text.starts_with('/') => {
                    value::unlisted(report, path, node, text, words, &kind.to_string());
                    None
                }
                Some(_) | None => {
                    let path = value::path(report, path, node, &kind)?;
                    path.to_str().map(str::to_owned)
                }
            }
        })
    }

    /// The value of any other kind, by a function of the caller.
    pub(super) fn other<T>(
        &mut self,
        name: &str,
        read: impl FnMut(&mut Report<'_>, &str, &Node<'_>, Kind) -> Option<T>,
    ) -> Option<At<T>> {
        self.read(name, read)
    }
}

/// What to write where a table should be.
fn table_help(above: &str, name: &str, keys: &[Key]) -> String {
    let service = keys::SERVICE.keys;
    if above == "service" && service.iter().any(|key| key.name == name) {
        return format!("give the service a name: write `{name}` below [service.NAME]");
    }
    match (above, name, keys.first()) {
        ("", "service", _) => "write [service.NAME] above the keys of each service".to_owned(),
        ("" | "service", _, Some(first)) => {
            let header = if above.is_empty() {
                value::key(name)
            } else {
                format!("service.{}", value::key(name))
            };
            format!(
                "write [{header}] and below it keys such as {} = {}",
                first.name,
                first.shown()
            )
        }
        // Of these only one may be given.
        (_, _, Some(first)) if first.name == "exec" => {
            "write it as { tcp = \"127.0.0.1:80\" }".to_owned()
        }
        (_, _, _) => format!("write it as {}", schema::inline(keys)),
    }
}

/// What to write instead of an unknown key. `list` has all keys that are allowed.
fn unknown_help(
    name: &str,
    (sections, path): (&[Section], &str),
    near: Option<&str>,
    list: &str,
) -> String {
    if let Some(word) = near {
        return format!("did you mean `{word}`? allowed here: {list}");
    }
    let has = |section: &&Section| section.keys.iter().any(|key| key.name == name);
    let mut others = sections.iter().filter(|section| section.header != path);
    match others.find(has).map(|section| section.header) {
        Some("") => format!("`{name}` belongs above the first [header]; allowed here: {list}"),
        Some(header) => format!("`{name}` belongs in [{header}]; allowed here: {list}"),
        None => format!("allowed here: {list}"),
    }
}

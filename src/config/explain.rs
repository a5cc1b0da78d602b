//! Explains keys, from the list of them that everything else about keys comes from.

use super::keys::SECTIONS;
use super::schema::{Absent, Key};
use super::value;

/// Names that stand for any name in the headers of sections, and in what is asked for.
const ANY: &str = "NAME";

/// One key with where it stands.
struct Entry {
    /// Its table, such as `service.NAME.backoff`; empty for the top of the file.
    table: String,
    key: &'static Key,
}

impl Entry {
    fn path(&self) -> String {
        match self.table.as_str() {
            "" => self.key.name.to_owned(),
            table => format!("{table}.{}", self.key.name),
        }
    }

    fn text(&self) -> String {
        let Entry { key, table } = self;
        let kind = match key.inside().is_empty() {
            true => format!("  What may be written: {}.\n", key.kind),
            false => {
                let names: Vec<&str> = key.inside().iter().map(|key| key.name).collect();
                format!("  A table with the keys {}.\n", names.join(", "))
            }
        };
        let absent = match key.absent {
            Absent::Default(text) => format!("  By default {text}.\n"),
            Absent::Inside => "  By default as its keys are.\n".to_owned(),
            Absent::Nothing(_) => "  By default there is none.\n".to_owned(),
            Absent::Required(_) => "  It has no default.\n".to_owned(),
        };
        let place = match table.as_str() {
            "" => "at the top of the file".to_owned(),
            table => format!("below [{table}]"),
        };
        let (path, meaning, name) = (self.path(), key.meaning, key.name);
        let shown = key.shown();
        format!("{path}\n  {meaning}.\n{kind}{absent}  Example, {place}: {name} = {shown}\n")
    }
}

/// What holds where this key, by its full name, is not given; `None` where that is nothing.
pub(super) fn default_of(path: &str) -> Option<&'static str> {
    let path: Vec<&str> = path.split('.').collect();
    let entry = entries().into_iter().find(|e| same(&e.path(), &path))?;
    match entry.key.absent {
        Absent::Default(text) => Some(text),
        Absent::Inside | Absent::Nothing(_) | Absent::Required(_) => None,
    }
}

/// What these keys are for, what may be written, and what holds without them: all keys whose full name
/// ends so, such as `timeout`, `watchdog.timeout` or `service.web.backoff.cap`.
///
/// # Errors
/// That there is none, and which one may have been meant.
pub fn explain(asked: &str) -> Result<String, String> {
    let entries = entries();
    let asked: Vec<&str> = asked.trim_matches(['[', ']']).split('.').collect();
    let wanted = |entry: &&Entry| ends_so(&entry.path(), &asked);
    let texts: Vec<String> = entries.iter().filter(wanted).map(Entry::text).collect();
    if !texts.is_empty() {
        return Ok(texts.join("\n"));
    }
    // A section by its header.
    let inside: Vec<&Entry> = entries
        .iter()
        .filter(|entry| same(&entry.table, &asked))
        .collect();
    if !inside.is_empty() {
        let texts: Vec<String> = inside.into_iter().map(Entry::text).collect();
        return Ok(texts.join("\n"));
    }
    let asked = asked.join(".");
    let last = asked.rsplit('.').next().unwrap_or_default();
    let paths: Vec<String> = entries.iter().map(Entry::path).collect();
    let names = entries.iter().map(|entry| entry.key.name);
    let near = value::nearest(&asked, paths.iter().map(String::as_str));
    let near = near.or_else(|| value::nearest(last, names));
    Err(match near {
        Some(near) => format!("there is no key {asked}; did you mean {near}?"),
        None => format!("there is no key {asked}; `fieldwarden config sample` shows all"),
    })
}

fn entries() -> Vec<Entry> {
    let mut entries = Vec::new();
    for section in SECTIONS {
        collect(section.header, section.keys, &mut entries);
    }
    entries
}

fn collect(table: &str, keys: &'static [Key], entries: &mut Vec<Entry>) {
    for key in keys {
        let entry = Entry {
            table: table.to_owned(),
            key,
        };
        let path = entry.path();
        entries.push(entry);
        collect(&path, key.inside(), entries);
    }
}

/// A full name ends with these parts. Whatever stands where a name is free is taken for it.
fn ends_so(path: &str, asked: &[&str]) -> bool {
    let parts: Vec<&str> = path.split('.').collect();
    let Some(from) = parts.len().checked_sub(asked.len()) else {
        return false;
    };
    // A name of somebody's own has its section before it.
    let free = |at: usize| parts[at] == ANY && at > from;
    (from..parts.len()).all(|at| free(at) || parts[at] == asked[at - from])
}

fn same(table: &str, asked: &[&str]) -> bool {
    !table.is_empty() && table.split('.').count() == asked.len() && ends_so(table, asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key is found by its full name, with whatever name where one is free, and by its end.
    #[test]
    fn keys_are_found() {
        let one = explain("watchdog.timeout").unwrap();
        assert!(
            one.starts_with("watchdog.timeout\n") && !one.contains("\n\n"),
            "{one}"
        );
        assert!(one.contains("a duration from 1s to 10m") && one.contains("By default \"15s\""));
        assert!(
            explain("service.web.backoff.cap")
                .unwrap()
                .contains("NAME.backoff.cap")
        );
        assert!(
            explain("service.web.probe.liveness.tcp")
                .unwrap()
                .contains("liveness.tcp")
        );
        let many = explain("timeout").unwrap();
        assert!(many.contains("watchdog.timeout") && many.contains("service.NAME.timeout"));
        assert!(explain("[hold]").unwrap().starts_with("hold.most\n"));
        assert!(
            explain("group.shop")
                .unwrap()
                .contains("group.NAME.members")
        );
    }

    /// Every key has an explanation; what is none leads to one that is near.
    #[test]
    fn every_key_is_explained() {
        for entry in entries() {
            let path = entry.path();
            assert!(
                explain(&path).unwrap().contains(&format!("{path}\n")),
                "{path}"
            );
        }
        let wrong = explain("watchdog.timeuot").unwrap_err();
        assert!(wrong.contains("did you mean watchdog.timeout?"), "{wrong}");
        assert!(explain("..").is_err() && explain("").is_err());
    }
}

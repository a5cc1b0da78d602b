//! What is known of files before they are read in earnest, and of drop-ins that are left out because
//! daemons before this one may have broken off of them.
//!
//! It is a look at lines that no content can upset. Of a drop-in it sees too much rather than too
//! little: a service that is taken for one of a drop-in is not started for a while, one that is not is
//! run without what the drop-in says of it, such as its user or its sandbox.

use super::bundle::Bundle;
use super::files;
use super::forest;
use super::report::Report;
use super::source::{Source, SourceFile};
use super::syntax;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// Drop-ins that are left out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LeftOut {
    texts: Vec<String>,
    /// Those that could not be read: each may say anything.
    unread: Vec<String>,
    /// It could not even be found out which there are.
    unlisted: bool,
}

impl LeftOut {
    /// Those of this file. Of one that cannot be read the first copy tells what it said when it was in
    /// force; in whose time it was not there, or could not be read either, it said nothing.
    pub fn of(path: &Path, copies: &[Bundle]) -> LeftOut {
        let (source, unread) = files::read(path, true);
        let drop_ins = source.files().iter().skip(1);
        let without = drop_ins.filter(|f| f.text.is_empty());
        let without: Vec<String> = without.map(|f| f.name.clone()).collect();
        let of_main = source.files().first();
        let of_main = of_main.map_or(0, |f| usize::from(f.text.is_empty()));
        // A file that could not be read has no text, and one problem.
        let unlisted = unread.len() > of_main + without.len();
        let mut left_out = LeftOut {
            texts: Vec::new(),
            unread: without,
            unlisted,
        };
        left_out.add(source.files());
        if let Some(copy) = copies.first().filter(|_| left_out.may_say_anything()) {
            left_out.add_copy(copy);
            (left_out.unread, left_out.unlisted) = (Vec::new(), false);
        }
        left_out
    }

    /// Adds those of a copy that stands in.
    pub fn add_copy(&mut self, copy: &Bundle) {
        self.add(copy.files());
    }

    fn add(&mut self, files: &[SourceFile]) {
        for SourceFile { text, .. } in files.iter().skip(1) {
            if text.contains('\\') {
                self.texts.push(unescaped(text));
            }
            self.texts.push(text.clone());
        }
    }

    /// Services that this file names, does not have, and of which a drop-in may say something.
    pub(super) fn only_there(&self, source: &Source) -> Vec<String> {
        let tree = forest::grown(source);
        let mut names = Vec::new();
        let (services, groups) = (tables(&tree, "service"), tables(&tree, "group"));
        for table in services.values().chain(groups.values()) {
            for key in NAMING {
                let list = table.get(key).and_then(|node| node.get_ref().as_array());
                let named = list.into_iter().flatten();
                names.extend(named.filter_map(|n| n.get_ref().as_str().map(str::to_owned)));
            }
        }
        names.sort();
        names.dedup();
        names.retain(|name| !services.contains_key(name.as_str()) && self.mention(name));
        names
    }

    fn may_say_anything(&self) -> bool {
        self.unlisted || !self.unread.is_empty()
    }

    /// Whether one of them may say something of this service.
    pub fn mention(&self, service: &str) -> bool {
        self.may_say_anything() || self.texts.iter().any(|text| mentions(text, service))
    }
}

/// Keys whose lists name services.
const NAMING: [&str; 4] = ["after", "requires", "wants", "members"];

fn tables<'t, 'i>(tree: &'t DeTable<'i>, section: &str) -> BTreeMap<&'t str, &'t DeTable<'i>> {
    let all = tree.get(section).and_then(|node| node.get_ref().as_table());
    let named = all.into_iter().flat_map(DeTable::iter);
    let named =
        named.filter_map(|(key, node)| Some((&**key.get_ref(), node.get_ref().as_table()?)));
    named.collect()
}

/// The same text with every character that is written by its number as itself. What is no such
/// number is left as it is.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let digits = match after.as_bytes().first() {
            Some(b'u') => 4,
            Some(b'U') => 8,
            Some(b'x') => 2,
            Some(_) | None => 0,
        };
        let number = after.get(1..=digits).filter(|_| digits > 0);
        let number = number.and_then(|number| u32::from_str_radix(number, 16).ok());
        match number.and_then(char::from_u32) {
            // A line that ended there would hide what comes before it.
            Some(c) if !c.is_control() => {
                plain.push(c);
                rest = &after[digits + 1..];
            }
            Some(_) | None => {
                plain.push('\\');
                rest = after;
            }
        }
    }
    plain + rest
}

/// The runtime directory that these files most likely name; `None` if none does.
pub fn foreseen_dir(path: &Path) -> Option<PathBuf> {
    let (source, _) = files::read(path, true);
    let (main, drop_ins) = source.files().split_first()?;
    let later = drop_ins.iter().rev().find_map(|file| named_dir(&file.text));
    later.or_else(|| {
        let tree = syntax::tree(&main.text, &mut Report::new(&main.name, &main.text));
        let value = tree.table.get_ref().get("runtime_dir");
        let value = value.and_then(|node| node.get_ref().as_str());
        value.map(PathBuf::from).or_else(|| named_dir(&main.text))
    })
}

/// The same by a look at the lines before the first table.
fn named_dir(text: &str) -> Option<PathBuf> {
    let value = |line: &str| {
        let line = line.trim_start_matches(['"', '\'']);
        let rest = line.strip_prefix("runtime_dir")?;
        let rest = rest.trim_start_matches(['"', '\'']).trim_start();
        let value = rest.strip_prefix('=')?.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (path, _) = value.get(1..)?.split_once(quote)?;
        Some(PathBuf::from(path))
    };
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    lines
        .take_while(|line| !line.starts_with('['))
        .find_map(value)
}

/// Whether this name stands where a key may: in a header, or before a dot or an equals sign.
fn mentions(text: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let in_line = |line: &str| {
        let ends: &[char] = match line.starts_with('[') {
            true => &['.', '=', ']'],
            false => &['.', '='],
        };
        line.match_indices(name).any(|(at, found)| {
            let (before, after) = (&line[..at], &line[at + found.len()..]);
            let rest = after.trim_start_matches(['"', '\'']).trim_start();
            !before.ends_with(part) && !after.starts_with(part) && rest.starts_with(ends)
        })
    };
    // What looks like a comment may be within a text of several lines, and so it counts.
    let mut lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    lines.any(in_line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A drop-in says something of a service wherever its name is a key, however that is written.
    #[test]
    fn what_drop_ins_mention_is_seen() {
        for text in [
            "[service.web]\nuser = \"www\"\n",
            " [ service . \"web\" ] # x\nuser = \"www\"\n",
            "[service.web.environment]\nA = \"1\"\n",
            "service.web.autostart = false",
            "service.'web'.autostart = false",
            "[service]\nweb = { user = \"www\" }\n",
            "[service]\nweb.user = \"www\"\n",
            "service = { db = { user = \"db\" }, \"web\" = { user = \"www\" } }",
        ] {
            assert!(mentions(text, "web"), "{text}");
        }
        for text in [
            "[service.web2]\nuser = \"www\"\n",
            "[service.my-web]\nafter = [\"web\"]\n",
            "# [service.web]\n[service.db]\ncommand = [\"/bin/web\"]\nwants = [\n\"web\",\n]\n",
        ] {
            assert!(!mentions(text, "web"), "{text}");
        }
    }

    /// One that cannot be read may say anything; a main file that cannot says nothing of drop-ins.
    #[test]
    fn what_cannot_be_read_may_say_anything() {
        let dir = tempfile::tempdir().unwrap();
        let main = dir.path().join("fieldwarden.toml");
        let folder = dir.path().join("conf.d");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("1.toml"), "service.web.nice = 1\n").unwrap();
        let left_out = LeftOut::of(&main, &[]);
        assert!(left_out.mention("web") && !left_out.mention("db"));
        fs::write(&main, "version = 1\n").unwrap();
        assert_eq!(LeftOut::of(&main, &[]), left_out);
        fs::write(
            folder.join("2.toml"),
            "[service.api]\ncommand = [\"/bin/api\"]\n",
        )
        .unwrap();
        let config = crate::config::load(&main);
        assert!(config.is_err(), "web has no command");
        fs::write(folder.join("1.toml"), "[hold]\nmost = \"1h\"\n").unwrap();
        let config = crate::config::load(&main).unwrap().config;
        let copy = Bundle::of(&config, crate::units::Wall::MAX);
        fs::write(folder.join("2.toml"), [0xFF]).unwrap();
        assert!(LeftOut::of(&main, &[]).mention("db"));
        let left_out = LeftOut::of(&main, &[copy]);
        assert!(left_out.mention("api") && !left_out.mention("db"));
    }

    /// A name is seen however its characters are written, and nothing that is no number is one.
    #[test]
    fn escaped_names_are_seen() {
        let dir = tempfile::tempdir().unwrap();
        let main = dir.path().join("fieldwarden.toml");
        fs::write(&main, "version = 1\n").unwrap();
        fs::create_dir(dir.path().join("conf.d")).unwrap();
        for name in [
            "w\\u0065b",
            "w\\U00000065b",
            "w\\x65b",
            "\\u0077\\u0065\\u0062",
        ] {
            let text = format!("[service.\"{name}\"]\nnice = 1\n");
            fs::write(dir.path().join("conf.d/1.toml"), text).unwrap();
            assert!(LeftOut::of(&main, &[]).mention("web"), "{name}");
        }
        for text in [
            "service = { x = { command = [\"/bin/sh\", \"-c\", \"\"\"\n# a\"\"\"] }, \
             web = { user = \"www\" } }\n",
            "service = { x = { command = [\"/bin/echo\", \"\\u000a#\"] }, \
             \"w\\u0065b\" = { user = \"www\" } }\n",
        ] {
            fs::write(dir.path().join("conf.d/1.toml"), text).unwrap();
            assert!(LeftOut::of(&main, &[]).mention("web"), "{text}");
        }
        let marked = "\u{feff}[service.web]\nnice = 1\n";
        fs::write(dir.path().join("conf.d/1.toml"), marked).unwrap();
        assert!(
            LeftOut::of(&main, &[]).mention("web"),
            "behind a byte order mark"
        );
        for odd in [
            "",
            "\\",
            "\\u",
            "\\u00",
            "\\uD800",
            "\\xé",
            "\\U00110000",
            "\\+\\u+065",
            "é\\",
        ] {
            unescaped(odd);
        }
        assert_eq!(unescaped("a\\u0041\\n\\u00"), "aA\\n\\u00");
    }

    /// The directory is found however it is written, and only where it is that of the daemon. A later
    /// file goes before an earlier one.
    #[test]
    fn the_directory_is_foreseen() {
        let dir = tempfile::tempdir().unwrap();
        let main = dir.path().join("fieldwarden.toml");
        let wanted = Some(PathBuf::from("/run/x"));
        for text in [
            "runtime_dir = \"/run/x\"",
            "\"runtime_dir\"='/run/x' # y",
            "\"runtime\\u005fdir\" = \"/run/x\"",
            "board = \"none\nruntime_dir = '/run/x'\n",
        ] {
            fs::write(&main, text).unwrap();
            assert_eq!(foreseen_dir(&main), wanted, "{text}");
        }
        for text in ["", "[service.a.environment]\nruntime_dir = \"/run/y\"\n"] {
            fs::write(&main, text).unwrap();
            assert_eq!(foreseen_dir(&main), None, "{text}");
        }
        fs::write(&main, "runtime_dir = \"/run/y\"").unwrap();
        fs::create_dir(dir.path().join("conf.d")).unwrap();
        let drop_in = |name: &str, text: &str| {
            fs::write(dir.path().join("conf.d").join(name), text).unwrap();
        };
        drop_in("1.toml", "runtime_dir = '/run/z'\n");
        drop_in("2.toml", "\n'runtime_dir' = '/run/x'\n[led]\n");
        drop_in("3.toml", "[x]\nruntime_dir = \"/run/y\"\n");
        assert_eq!(foreseen_dir(&main), wanted);
    }
}

//! What a daemon goes by when neither its configuration nor a copy of one can be used, and how it knows
//! services that run and that are in no file that it reads.
//!
//! The machine is to be guarded as its owner wanted it, as far as that can be read: each table that is
//! right by itself holds, but for services. Those that run are known by name only: they are taken over
//! as they are, and none is started.

use super::files;
use super::render;
use super::report::Report;
use super::source::{Source, SourceFile};
use super::syntax;
use super::value;
use super::{Config, Loaded, Shelf, parse_files, parse_with};
use std::path::Path;
use toml::de::DeTable;

/// What the text is called.
const NAME: &str = "safe mode";

/// Tables that start something, and what is of no use without them.
const LEFT_OUT: [&str; 4] = ["version", "service", "group", "reboots"];

/// What is tried when the tables do not go together: where things are, and who guards the machine.
const LEAST: [&str; 4] = ["runtime_dir", "state_dir", "cgroup", "watchdog"];

/// In the place of a program that nobody knows.
const NO_PROGRAM: &str = "/nonexistent/no-program-is-known-in-safe-mode";

/// All that can be used of these files, which cannot be used as a whole, without any service.
pub fn salvage(path: &Path) -> Option<Config> {
    let (source, _) = files::read(path, true);
    let loaded = good(&tables(&source, |_| true))
        .or_else(|| good(&tables(&source, |name| LEAST.contains(&name))))
        .or_else(|| good(""));
    loaded.map(|loaded| loaded.config)
}

/// The same configuration with these services, which run, as far as it does not have them. They end
/// with the machine, and are not started again: nobody knows how.
pub fn with_running(config: Config, running: &[String]) -> Config {
    let known = |name: &str| config.settings.services.iter().any(|s| &*s.name == name);
    let mut text = String::new();
    for name in running.iter().filter(|name| !known(name)) {
        let name = value::key(name);
        let service = format!(
            "service.{name}.command = [{}]\nservice.{name}.restart = \"never\"\n\
             service.{name}.autostart = false\n",
            render::quoted(NO_PROGRAM),
        );
        // A name that is none any more is nobody's.
        if good(&service).is_some() {
            text.push_str(&service);
        }
    }
    if text.is_empty() {
        return config;
    }
    let name = "what runs".to_owned();
    let files = [config.source.files(), &[SourceFile { name, text }]].concat();
    let board = &config.wiring.board;
    let shelf = match board.source.is_empty() {
        true => Shelf::installed(),
        false => Shelf::recorded(board.source.clone()),
    };
    match parse_files(Source::of(files), Vec::new(), &shelf) {
        Ok(loaded) => loaded.config,
        Err(_) => config,
    }
}

fn good(text: &str) -> Option<Loaded> {
    parse_with(NAME, text, &Shelf::installed()).ok()
}

/// The tables that are right by themselves, one after another. Files are looked at one by one, and
/// later ones go before earlier ones.
fn tables(source: &Source, wanted: impl Fn(&str) -> bool) -> String {
    let mut known: Vec<String> = Vec::new();
    let mut text = String::new();
    for SourceFile { name, text: file } in source.files().iter().rev() {
        let tree = syntax::tree(file, &mut Report::new(name, file));
        for (key, node) in tree.table.get_ref() {
            let name: &str = key.get_ref();
            if LEFT_OUT.contains(&name) || !wanted(name) || known.iter().any(|k| k == name) {
                continue;
            }
            let mut alone = DeTable::new();
            alone.insert(key.clone(), node.clone());
            let alone = render::table(&alone);
            if good(&alone).is_some() {
                known.push(name.to_owned());
                text.push_str(&alone);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::settings::WatchdogOwner;
    use std::fs;

    fn salvaged(text: &str) -> Config {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.toml");
        fs::write(&path, text).unwrap();
        salvage(&path).unwrap()
    }

    /// A mistake in one table costs that table, and services; the guard is as it was wanted.
    #[test]
    fn what_is_right_by_itself_holds() {
        let config = salvaged(
            "state_dir = \"/data\"\ncolour = 1\n[watchdog]\nowner = \"systemd\"\n[vitals]\nevery = 1\n\
             [hold]\nmost = \"1h\"\n[service.web]\ncommand = [\"/bin/web\"]\n",
        );
        assert_eq!(config.settings.watchdog.owner, WatchdogOwner::Systemd);
        assert_eq!(config.wiring.state_dir, Path::new("/data"));
        assert_eq!(config.settings.hold_most.as_secs(), 3600);
        assert_eq!(config.wiring.vitals_every.as_secs(), 15);
        assert!(config.settings.services.is_empty());
    }

    /// Nothing, nonsense and a file that breaks off leave what they have, or what holds by default.
    #[test]
    fn nonsense_leaves_the_defaults() {
        let bare = good("").unwrap().config;
        for text in [
            "",
            "\0\0\0\0",
            "]]]",
            "board = \"none",
            "[watchdog]\nowner = \"cat\"\n",
        ] {
            let config = salvaged(text);
            assert_eq!(config.settings, bare.settings, "{text:?}");
            assert_eq!(config.wiring, bare.wiring, "{text:?}");
        }
        let config = salvaged("[watchdog]\nowner = \"nobody\"\n[service.web]\ncomm");
        assert_eq!(config.settings.watchdog.owner, WatchdogOwner::Nobody);
        assert_eq!(
            salvage(Path::new("/nonexistent/f.toml")).unwrap().wiring,
            bare.wiring
        );
    }

    /// What runs is known, is not started by itself, and is not started again.
    #[test]
    fn what_runs_is_known() {
        let names = ["web".to_owned(), "d b".to_owned()];
        let config = with_running(salvaged("[hold]\nmost = \"2h\"\n"), &names);
        let services = &config.settings.services;
        let known: Vec<&str> = services.iter().map(|s| &*s.name).collect();
        assert_eq!(
            known,
            ["web"],
            "a name that is none is left out with the rest"
        );
    }
}

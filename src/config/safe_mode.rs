//! What a daemon goes by when neither its configuration nor a copy of one can be used, and how it knows
//! services that run and that are in no file that it reads.
//!
//! The machine is to be guarded as its owner wanted it, as far as that can be read: each table that is
//! right by itself holds, but for services. Those that run are known by name only: they are taken over
//! as they are, and none is started.
//!
//! Tables of several files are merged, as ever. What a later file says of a table and is wrong does not
//! cost what an earlier one says of it. Of `[watchdog]` each key that is right holds: with its owner
//! lost, two would pet one device. Other tables hold as a whole or not at all, so that half of one does
//! not open what the other half would close.

use super::files;
use super::forest;
use super::keys;
use super::render;
use super::report::Report;
use super::source::{Source, SourceFile};
use super::syntax;
use super::value::{self, Node};
use super::{Bundle, Config, Loaded, Shelf, parse_files, parse_with};
use std::path::Path;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// What the text is called.
const NAME: &str = "safe mode";

/// Tables that start something, and what is of no use without them.
const LEFT_OUT: [&str; 4] = ["version", "service", "group", "reboots"];

/// What is tried when the tables do not go together: where things are, and who guards the machine.
const LEAST: [&str; 4] = ["runtime_dir", "state_dir", "cgroup", "watchdog"];

/// What drop-ins say of the machine itself that holds where they are left out.
const MACHINE: [&str; 5] = ["runtime_dir", "state_dir", "cgroup", "watchdog", "board"];

/// Tables of which each key holds by itself.
const KEY_BY_KEY: [&str; 1] = ["watchdog"];

/// In the place of a program that nobody knows.
const NO_PROGRAM: &str = "/nonexistent/no-program-is-known-in-safe-mode";

/// How much of drop-ins is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DropIns {
    /// All of them.
    All,
    /// What they say of the machine itself.
    OfMachine,
    /// Nothing of them as they are; what they said of the machine itself when this copy was in force: a
    /// daemon has read that before and did not break off of reading it. Of the board only that it is a
    /// simulated one.
    OfCopy(Box<Bundle>),
    /// Nothing.
    None,
}

/// All that can be used of these files, which cannot be used as a whole, without any service.
pub fn salvage(path: &Path, drop_ins: &DropIns) -> Option<Config> {
    let (source, _) = files::read(path, *drop_ins == DropIns::All);
    let machine = of_machine(path, drop_ins);
    let files = source.files().iter().cloned().chain(machine).collect();
    salvage_of(&Source::of(files))
}

/// The same of files that were read elsewhere.
pub fn salvage_of(source: &Source) -> Option<Config> {
    let loaded = good(&tables(source, |_| true))
        .or_else(|| good(&tables(source, |name| LEAST.contains(&name))))
        .or_else(|| good(""));
    loaded.map(|loaded| loaded.config)
}

/// The same configuration, in which nothing is known of these services but their names. If they cannot
/// be known so, no service is.
pub fn by_name_only(config: Config, names: &[String]) -> Config {
    if names.is_empty() {
        return config;
    }
    let mut tree = forest::grown(&config.source);
    if let Some(DeValue::Table(services)) = tree.get_mut("service").map(Spanned::get_mut) {
        for name in names {
            services.remove(name.as_str());
        }
    }
    let known = SourceFile {
        name: config.source.name().to_owned(),
        text: render::table(&tree),
    };
    let changed = with_unknown(&config, &[known], names);
    let changed = changed.or_else(|| salvage_of(&config.source));
    changed.unwrap_or(config)
}

/// Nothing but its name is known of this service.
pub fn is_by_name(config: &Config, name: &str) -> bool {
    let services = config.settings.services.iter().zip(&config.wiring.commands);
    let mut named = services.filter(|(service, _)| &*service.name == name);
    named.any(|(_, command)| command.argv == [NO_PROGRAM])
}

/// The same configuration with these services, which run, as far as it does not have them. They end
/// with the machine, and are not started again: nobody knows how.
pub fn with_running(config: Config, running: &[String]) -> Config {
    let known = |name: &str| config.settings.services.iter().any(|s| &*s.name == name);
    // A name that is none any more is nobody's.
    let is_name = |name: &&String| good(&unknown(name, None)).is_some();
    let unknown = running.iter().filter(|name| !known(name));
    let names: Vec<String> = unknown.filter(is_name).cloned().collect();
    match names.is_empty() {
        true => config,
        false => with_unknown(&config, config.source.files(), &names).unwrap_or(config),
    }
}

/// These files of a configuration, and services of which nothing is known but their names. They may
/// take no longer to stop than all services together.
fn with_unknown(config: &Config, files: &[SourceFile], names: &[String]) -> Option<Config> {
    let with = |stop: Option<Duration>| {
        let unknown = SourceFile {
            name: "known by name".to_owned(),
            text: names.iter().map(|name| unknown(name, stop)).collect(),
        };
        let source = Source::of([files, &[unknown]].concat());
        parse_files(source, Vec::new(), &shelf(config)).ok()
    };
    let loaded = with(None).or_else(|| with(Some(config.settings.stop_budget)));
    loaded.map(|loaded| loaded.config)
}

/// What the drop-ins of this file say of the machine itself, as far as it is right and not read with
/// all the rest; `None` for nothing.
pub(super) fn of_machine(path: &Path, drop_ins: &DropIns) -> Option<SourceFile> {
    let text = match drop_ins {
        DropIns::All | DropIns::None => return None,
        DropIns::OfMachine => {
            let (source, _) = files::read(path, true);
            machine_of(&source, &MACHINE)
        }
        DropIns::OfCopy(copy) => {
            let all = machine_of(copy.source(), &MACHINE);
            let loaded = parse_with(NAME, &all, &copy.shelf()).ok();
            match loaded.is_some_and(|loaded| loaded.config.wiring.board.simulated) {
                true => all,
                false => machine_of(copy.source(), &LEAST),
            }
        }
    };
    let name = "drop-ins, what they say of the machine".to_owned();
    (!text.is_empty()).then_some(SourceFile { name, text })
}

/// What the drop-ins among these files say in these tables, as far as it is right.
fn machine_of(source: &Source, wanted: &[&str]) -> String {
    let drop_ins = source.files().iter().skip(1).cloned().collect();
    tables(&Source::of(drop_ins), |name| wanted.contains(&name))
}

/// Files with services of these names, of which no more is known: to be tried one after another,
/// as they may take too long to stop. None for no names.
pub(super) fn unknown_files(names: &[String]) -> Vec<Option<SourceFile>> {
    let tries = [None, Some(Duration::from_secs(1))].into_iter();
    let file = |stop: Option<Duration>| SourceFile {
        name: "known by name".to_owned(),
        text: names.iter().map(|name| unknown(name, stop)).collect(),
    };
    let tries = tries.filter(|_| !names.is_empty());
    tries.map(|stop| Some(file(stop))).collect()
}

/// A service that is not started by itself, and not again when it has ended.
fn unknown(name: &str, stop: Option<Duration>) -> String {
    let name = value::key(name);
    let program = render::quoted(NO_PROGRAM);
    let mut text = format!(
        "service.{name}.command = [{program}]\nservice.{name}.restart = \"never\"\n\
         service.{name}.autostart = false\n"
    );
    if let Some(stop) = stop {
        text.push_str(&format!(
            "service.{name}.stop_timeout = \"{}ms\"\n",
            stop.as_millis()
        ));
    }
    text
}

/// A shelf with the board of this configuration.
fn shelf(config: &Config) -> Shelf {
    let board = &config.wiring.board;
    match board.source.is_empty() {
        true => Shelf::installed(),
        false => Shelf::recorded(board.source.clone()),
    }
}

fn good(text: &str) -> Option<Loaded> {
    parse_with(NAME, text, &Shelf::installed()).ok()
}

/// The tables that are right by themselves, file after file.
fn tables(source: &Source, wanted: impl Fn(&str) -> bool) -> String {
    let mut kept = DeTable::new();
    for SourceFile { name, text } in source.files() {
        let tree = syntax::tree(text, &mut Report::new(name, text));
        for (key, node) in tree.table.into_inner() {
            let name: &str = key.get_ref();
            if is_known(name) && !LEFT_OUT.contains(&name) && wanted(name) {
                add_table(&mut kept, key, node);
            }
        }
    }
    render::table(&kept)
}

/// The name of a section, or of a key above the first header. What is neither is wrong anyway, and a
/// file of senseless keys must not be tried key by key: the machine is not guarded meanwhile.
fn is_known(name: &str) -> bool {
    keys::SECTIONS.iter().any(|section| match section.header {
        "" => section.keys.iter().any(|key| key.name == name),
        header => header.split('.').next() == Some(name),
    })
}

/// Adds what a file says of one table: all of it, or the keys that are right if that is allowed.
fn add_table<'i>(kept: &mut DeTable<'i>, key: Spanned<DeString<'i>>, node: Node<'i>) {
    if add(kept, single(key.clone(), node.clone())) || !KEY_BY_KEY.contains(&&**key.get_ref()) {
        return;
    }
    let span = node.span();
    let DeValue::Table(inner) = node.into_inner() else {
        return;
    };
    let keys = keys::WATCHDOG.keys;
    let known = inner
        .into_iter()
        .filter(|(key, _)| keys.iter().any(|k| k.name == &**key.get_ref()));
    for (inner_key, value) in known {
        let inner = DeValue::Table(single(inner_key, value));
        add(kept, single(key.clone(), Spanned::new(span.clone(), inner)));
    }
}

/// Adds a table of one key to what holds, if it is right with what holds of that; tells whether it is.
fn add<'i>(kept: &mut DeTable<'i>, more: DeTable<'i>) -> bool {
    let mut tried: DeTable<'i> = (more.iter())
        .filter_map(|(key, _)| kept.get_key_value(key))
        .map(|(key, node)| (key.clone(), node.clone()))
        .collect();
    forest::merge(
        &mut tried,
        more,
        &mut Vec::new(),
        &mut Report::new(NAME, ""),
    );
    let right = good(&render::table(&tried)).is_some();
    if right {
        kept.extend(tried);
    }
    right
}

fn single<'i>(key: Spanned<DeString<'i>>, node: Node<'i>) -> DeTable<'i> {
    std::iter::once((key, node)).collect()
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
        salvage(&path, &DropIns::All).unwrap()
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

    fn salvaged_of(main: &str, drop_in: &str, drop_ins: DropIns) -> Config {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.toml");
        fs::write(&path, main).unwrap();
        fs::create_dir(dir.path().join("conf.d")).unwrap();
        fs::write(dir.path().join("conf.d/x.toml"), drop_in).unwrap();
        salvage(&path, &drop_ins).unwrap()
    }

    /// A drop-in changes of a table what it gives, as ever; a mistake in it costs nothing of the file,
    /// and one in `[watchdog]` no other key of that. Where drop-ins are left out, they are not read.
    #[test]
    fn tables_are_merged_and_judged_then() {
        let main = "x = 1\n[watchdog]\nowner = \"nobody\"\n[hold]\nmost = \"1h\"\n[stop]\nbudget = \"60s\"\n";
        let drop_in =
            "[watchdog]\ntimeout = \"10s\"\n[hold]\nmost = 7\n[stop]\nunmount = \"1min\"\n";
        let config = salvaged_of(main, drop_in, DropIns::All);
        let watchdog = config.settings.watchdog;
        assert_eq!(watchdog.owner, WatchdogOwner::Nobody);
        assert_eq!(watchdog.timeout.as_secs(), 10);
        assert_eq!(config.settings.hold_most.as_secs(), 3600);
        let of_machine = salvaged_of(main, drop_in, DropIns::OfMachine).settings;
        assert_eq!(of_machine.watchdog, watchdog);
        let alone = salvaged_of(main, drop_in, DropIns::None).settings.watchdog;
        assert_eq!(alone.owner, WatchdogOwner::Nobody);
        assert_eq!(
            alone.timeout,
            good("").unwrap().config.settings.watchdog.timeout
        );
        let mistakes = "[watchdog]\ncolour = 1\nowner = \"cat\"\ntimeout = \"12s\"\n";
        let config = salvaged_of(main, mistakes, DropIns::All);
        assert_eq!(config.settings.watchdog.owner, WatchdogOwner::Nobody);
        assert_eq!(config.settings.watchdog.timeout.as_secs(), 12);
        let typo = "[watchdog]\nowner = \"systemd\"\ntimeuot = \"12s\"\n";
        let owner = salvaged(typo).settings.watchdog.owner;
        assert_eq!(owner, WatchdogOwner::Systemd);
    }

    /// The last of safe starts goes by what drop-ins said of the machine when they were in force, and
    /// not by what they say now. That a board is simulated holds as well; any other one may be what
    /// daemons break off of.
    #[test]
    fn the_last_safe_start_goes_by_a_copy() {
        use crate::config::{LeftOut, load, load_alone};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.toml");
        fs::write(&path, "version = 1\n").unwrap();
        fs::create_dir(dir.path().join("conf.d")).unwrap();
        let drop_in = dir.path().join("conf.d/x.toml");
        for (board, simulated) in [("sim", true), ("x728", false)] {
            let text = format!(
                "board = \"{board}\"\n[watchdog]\nowner = \"nobody\"\n[hold]\nmost = \"1h\"\n"
            );
            fs::write(&drop_in, text).unwrap();
            let copy = Bundle::of(&load(&path).unwrap().config, crate::units::Wall::MAX);
            fs::write(&drop_in, "[watchdog]\nowner = \"systemd\"\n").unwrap();
            let of_copy = DropIns::OfCopy(Box::new(copy));
            let loaded = load_alone(&path, &LeftOut::default(), &of_copy).unwrap();
            for config in [loaded.config, salvage(&path, &of_copy).unwrap()] {
                assert_eq!(config.settings.watchdog.owner, WatchdogOwner::Nobody);
                assert_eq!(config.wiring.board.simulated, simulated);
                assert_ne!(config.wiring.board.name, "x728");
                assert_ne!(config.settings.hold_most.as_secs(), 3600);
            }
        }
    }

    /// Of services that are known by name only nothing else holds; what others are is as it was, as far
    /// as it goes without.
    #[test]
    fn nothing_but_names_is_known() {
        let text = "[service.web]\ncommand = [\"/bin/web\"]\nuser = \"www\"\nheartbeat = \"9s\"\n\
                    [service.db]\ncommand = [\"/bin/db\"]\nrequires = [\"web\"]\n\
                    [group.g]\nmembers = [\"web\", \"db\"]\nstrategy = \"one-for-all\"\n";
        let config = good(text).unwrap().config;
        let changed = by_name_only(config.clone(), &["web".to_owned()]);
        let known = good(&unknown("web", None)).unwrap().config;
        let at = |config: &Config, name: &str| {
            let services = config.settings.services.iter();
            let at = services.clone().position(|s| &*s.name == name).unwrap();
            (
                config.settings.services[at].clone(),
                config.wiring.commands[at].clone(),
            )
        };
        assert_eq!(at(&changed, "web"), at(&known, "web"));
        assert!(!at(&changed, "web").0.autostart);
        assert_eq!(at(&changed, "db").1, at(&config, "db").1);
        assert_eq!(by_name_only(config.clone(), &[]), config);
        // What holds by default takes longer to stop than there is time for in all.
        let text = "[stop]\nbudget = \"5s\"\n[service.web]\ncommand = [\"/bin/web\"]\nstop_timeout = \"1s\"\n\
                    [service.db]\ncommand = [\"/bin/db\"]\nrequires = [\"web\"]\nstop_timeout = \"2s\"\n";
        let config = good(text).unwrap().config;
        let changed = by_name_only(config.clone(), &["web".to_owned()]);
        assert_eq!(at(&changed, "web").1, at(&known, "web").1);
        assert_eq!(at(&changed, "web").0.stop_timeout.as_secs(), 5);
        assert_eq!(at(&changed, "db").1, at(&config, "db").1);
        let none = by_name_only(config, &["no name".to_owned()]);
        assert!(none.settings.services.is_empty());
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
            salvage(Path::new("/nonexistent/f.toml"), &DropIns::All)
                .unwrap()
                .wiring,
            bare.wiring
        );
    }

    /// A file as long as any, of nothing but senseless keys, at the top and where each key is tried:
    /// what is right between them holds, and it takes no longer than to read it.
    #[test]
    // How long it takes on a real clock is what is promised.
    #[allow(clippy::disallowed_methods)]
    fn senseless_keys_take_no_time() {
        let keys = |most: usize| {
            let lines = (0..).map(|n| format!("k{n} = 1\n"));
            let mut length = 0;
            lines
                .take_while(|line| {
                    length += line.len();
                    length < most
                })
                .collect::<String>()
        };
        let half = crate::config::FILE_MAX / 2 - 200;
        let text = format!(
            "state_dir = \"/data\"\n{}[hold]\nmost = \"2h\"\n[watchdog]\nowner = \"nobody\"\n{}",
            keys(half),
            keys(half)
        );
        let begin = std::time::Instant::now();
        let config = salvaged(&text);
        assert_eq!(config.settings.watchdog.owner, WatchdogOwner::Nobody);
        assert_eq!(config.wiring.state_dir, Path::new("/data"));
        assert_eq!(config.settings.hold_most.as_secs(), 7200);
        // Key by key it took minutes.
        assert!(
            begin.elapsed() < Duration::from_secs(20),
            "{:?}",
            begin.elapsed()
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
        let config = with_running(salvaged("[stop]\nbudget = \"5s\"\n"), &names);
        assert_eq!(
            config.settings.services.len(),
            1,
            "with little time to stop"
        );
    }
}

//! `reload --dry-run`: what a reload would do.
//!
//! What becomes of services is found out by the functions that a successor itself goes by
//! ([`rehearsal`]); what the daemon that runs goes by it is asked itself, be that a copy or what is
//! left in safe mode.

use super::printer::{Printer, tell, tell_line};
use super::remote::Daemon;
use crate::app::rehearsal::{self, Deed};
use crate::config::{self, Changed, Config, Difference, OtherKey};
use crate::core::settings::{Keeper, Service};
use crate::edge::control::TakenUp;
use crate::error::Error;
use crate::text::need_word;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Tells what it would do, and does nothing.
///
/// # Errors
/// When there is no daemon to ask, and when the files as they are would be refused.
pub fn plan(daemon: &Daemon, out: &mut Printer) -> Result<(), Error> {
    let (about, bundle) = daemon.running()?;
    let stand_in = daemon.status()?.daemon.stand_in;
    let old = bundle.load()?.config;
    let dir = PathBuf::from(&about.runtime_dir);
    let new = match new(&about, &old) {
        Ok(new) => new,
        Err(problems) => {
            tell(&problems.to_string());
            tell_line("a reload would be refused, and change nothing");
            return Err(Error::SaidConfig);
        }
    };
    if let Some(stand_in) = stand_in.filter(|s| !s.is_elsewhere()) {
        let by = match &stand_in.taken {
            Some(taken) => format!("a copy of {taken}"),
            None => "what is left in safe mode".to_owned(),
        };
        let problem = &stand_in.problem;
        out.line(&format!(
            "compared with {by}, which is in force because of {problem}"
        ))?;
    }
    let lines = Plan::of(&old, &new, &dir).lines();
    for line in lines {
        out.line(&line)?;
    }
    Ok(())
}

/// The configuration that would be taken up.
fn new(about: &TakenUp, old: &Config) -> Result<Config, config::Problems> {
    let new = config::load(Path::new(&about.config))?.config;
    let moved = match about.decides_directory {
        true => config::check_moved(&new, &old.wiring.runtime_dir),
        false => None,
    };
    moved.map_or(Ok(new), Err)
}

/// When one is started of which the plan cannot know whether its needs are met.
fn when_met(service: &Service) -> String {
    let needs: Vec<&str> = service.needs.iter().map(|need| need_word(*need)).collect();
    format!(
        "as soon as its needs are known to be met ({})",
        needs.join(", ")
    )
}

/// What a reload would do.
struct Plan<'a> {
    old: &'a Config,
    new: &'a Config,
    difference: Difference,
    deeds: BTreeMap<&'a str, Deed>,
    ended: BTreeSet<String>,
}

impl<'a> Plan<'a> {
    /// `dir`: the runtime directory of the daemon that runs.
    fn of(old: &'a Config, new: &'a Config, dir: &Path) -> Plan<'a> {
        let rehearsal = rehearsal::rehearse(new, dir);
        let names = new.settings.services.iter().map(|s| &*s.name);
        Plan {
            old,
            new,
            difference: config::difference(old, new),
            deeds: names.zip(rehearsal.deeds).collect(),
            ended: rehearsal.ended.into_iter().collect(),
        }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.difference.machine.iter().map(machine).collect();
        if self.difference.board_file {
            let name = &self.new.wiring.board.name;
            lines.push(format!("board {name}: its file says something else"));
        }
        let groups = self.difference.groups.iter();
        lines.extend(groups.map(|(name, changed)| group(name, changed)));
        let gone = self.old.settings.services.iter().map(|s| &*s.name);
        let gone: BTreeSet<&str> = gone.filter(|name| !self.deeds.contains_key(name)).collect();
        let unknown = self.ended.iter().map(String::as_str);
        let unknown = unknown.filter(|name| !self.deeds.contains_key(name));
        let gone: BTreeSet<&str> = gone.into_iter().chain(unknown).collect();
        lines.extend(gone.into_iter().map(|name| self.gone(name)));
        let mut same = 0;
        for (name, deed) in &self.deeds {
            match self.fate(name, deed) {
                Some(fate) => lines.push(format!("{name}: {fate}")),
                None => same += 1,
            }
        }
        lines.push(match same {
            1 => "1 service would stay as it is".to_owned(),
            n => format!("{n} services would stay as they are"),
        });
        lines
    }

    fn gone(&self, name: &str) -> String {
        let keeper = service(self.old, name).and_then(|s| s.keeper.as_deref());
        let rest = match (keeper, self.ended.contains(name)) {
            (_, true) => ", would be ended".to_owned(),
            (Some(keeper), false) => format!("; {} would be left as it is", kept(keeper)),
            (None, false) => String::new(),
        };
        format!("{name}: not configured any more{rest}")
    }

    /// What becomes of a service that is configured; `None` if it stays as it is.
    fn fate(&self, name: &str, deed: &Deed) -> Option<String> {
        let (Some(old), Some(new)) = (service(self.old, name), service(self.new, name)) else {
            return Some(format!("new{}", self.beginning(name, deed)));
        };
        if old.keeper != new.keeper {
            return Some(self.other_keeper(name, (old, new), deed));
        }
        let keys = match self.difference.services.get(name) {
            Some(Changed::Keys(keys)) => keys.join(", "),
            Some(Changed::New | Changed::Gone) | None => String::new(),
        };
        let cause = match (deed.redefined, keys.is_empty()) {
            (true, false) => format!(", for {keys}"),
            (true, true) => ", as it was begun otherwise than it is configured".to_owned(),
            (false, _) => self.with(new),
        };
        Some(match (deed.lives, deed.stops, deed.starts) {
            (true, true, true) if deed.redefined => format!("would be started anew{cause}"),
            (true, true, true) => format!("would be stopped and started{cause}"),
            (true, true, false) if !new.needs.is_empty() => {
                format!("would be stopped{cause}, and started {}", when_met(new))
            }
            (true, true, false) => format!("would be stopped{cause}"),
            (false, _, true) => format!("would be started{cause}"),
            _ if config::is_by_name(self.old, name) => "known again, runs on".to_owned(),
            _ if keys.is_empty() => return None,
            (true, ..) => format!("runs on, with another {keys}"),
            (false, ..) if new.keeper.is_some() => format!("stays as it is, with another {keys}"),
            (false, ..) => format!("does not run, with another {keys}"),
        })
    }

    /// How one begins that is new here.
    fn beginning(&self, name: &str, deed: &Deed) -> String {
        let new = service(self.new, name);
        let keeper = new.and_then(|s| s.keeper.as_deref());
        let needs = new.filter(|s| s.autostart && !s.needs.is_empty());
        match (keeper, deed.lives, deed.starts) {
            (Some(keeper), ..) => format!(": {}", kept(keeper)),
            (None, true, _) => ", and taken over as it runs".to_owned(),
            (None, false, true) => ", would be started".to_owned(),
            (None, false, false) if needs.is_some() => {
                format!(
                    ", would be started {}",
                    needs.map(when_met).unwrap_or_default()
                )
            }
            (None, false, false) => ", would not be started by itself now".to_owned(),
        }
    }

    /// It was somebody else's, or is to be.
    fn other_keeper(&self, name: &str, (old, new): (&Service, &Service), deed: &Deed) -> String {
        let before = match (old.keeper.as_deref(), self.ended.contains(name)) {
            (Some(keeper), _) => format!("{} would be left as it is", kept(keeper)),
            (None, true) => "its process would be ended".to_owned(),
            (None, false) => "no process of it runs".to_owned(),
        };
        let after = match (new.keeper.as_deref(), deed.starts) {
            (Some(keeper), _) => format!("it would be {} from then on", kept(keeper)),
            (None, true) => "a process of its own would be started".to_owned(),
            (None, false) => "no process of its own would be started by itself now".to_owned(),
        };
        format!("{before}, and {after}")
    }

    /// Why it goes with others.
    fn with(&self, service: &Service) -> String {
        let stops = |name: &&str| self.deeds.get(name).is_some_and(|deed| deed.stops);
        let settings = &self.new.settings;
        let mut required = service.requires.iter().map(|id| settings.name(*id));
        if let Some(other) = required.clone().find(stops) {
            return format!(" with {other}, which it requires");
        }
        match required.next() {
            Some(other) if !service.requires.is_empty() => {
                format!(", as it requires {other}, which does not run")
            }
            Some(_) | None => String::new(),
        }
    }
}

fn service<'a>(config: &'a Config, name: &str) -> Option<&'a Service> {
    config.settings.services.iter().find(|s| &*s.name == name)
}

fn kept(keeper: &Keeper) -> String {
    match keeper {
        Keeper::Systemd { unit, .. } => format!("{unit} of systemd"),
        Keeper::Engine { container, .. } => format!("the container {container}"),
    }
}

fn machine(key: &OtherKey) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    let (was, is) = (value(&key.was), value(&key.is));
    format!("{}: {is} instead of {was}", key.name)
}

fn group(name: &str, changed: &Changed) -> String {
    match changed {
        Changed::New => format!("group {name}: new"),
        Changed::Gone => format!("group {name}: not configured any more"),
        Changed::Keys(keys) => {
            let keys = keys.join(", ");
            format!("group {name}: another {keys}, for the next failure of a member")
        }
    }
}

//! `check`: all that is wrong with a configuration, and all that this machine lacks for it.

use super::printer::{Printer, tell, tell_line};
use super::remote::Daemon;
use super::taking_up;
use crate::config::board::Cut;
use crate::config::{self, CgroupChoice, Config, Loaded, Problem, Problems, controllers};
use crate::core::fact::Controller;
use crate::core::settings::WatchdogOwner;
use crate::edge::caps;
use crate::edge::engine::look_once;
use crate::edge::marker_file;
use crate::edge::successor;
use crate::edge::watchdog_look;
use crate::error::Error;
use crate::status::ProvenStatus;
use crate::text;
use std::path::{Path, PathBuf};

/// Who asks.
enum Asker {
    /// A daemon that is to reload, and knows what it goes by.
    Daemon,
    /// Somebody who wants to know, and where the daemon's directory is if that was said.
    Person(Option<PathBuf>),
}

/// Checks the file that is named, as a daemon asks for it or as a person does, or explains a key.
pub fn asked(
    (config, named, explain): (PathBuf, Option<PathBuf>, Option<String>),
    runtime_dir: Option<PathBuf>,
    out: &mut Printer,
) -> Result<(), Error> {
    let person = Asker::Person(super::chosen_dir(runtime_dir));
    match (explain, named) {
        (Some(key), _) => super::config::explain(&key, out),
        (None, Some(config)) => check(&config, &Asker::Daemon, out),
        (None, None) => check(&config, &person, out),
    }
}

/// Shows every problem on standard error and a summary on standard output.
///
/// # Errors
/// When the configuration cannot be used. Warnings are no errors.
fn check(path: &Path, asker: &Asker, out: &mut Printer) -> Result<(), Error> {
    let loaded = match load(path, asker) {
        Ok(loaded) => loaded,
        Err(problems) => {
            tell(&problems.to_string());
            if let Asker::Person(dir) = asker
                && let Some((copy, taken)) = taking_up::prospect(path, dir.as_deref())
            {
                tell_line(&format!(
                    "a daemon that starts with it goes by {copy}, a copy of {taken}"
                ));
            }
            return Err(Error::SaidConfig);
        }
    };
    let mut warnings = loaded.warnings;
    warnings.extend(config::check_machine(
        &loaded.config,
        watchdog_look::runs(Path::new("/")),
    ));
    // An engine that does not answer must not hold up a reload; nobody reads a warning there anyway.
    if let Asker::Person(_) = asker {
        warnings.extend(config::check_containers(&loaded.config, look_once));
    }
    show(&warnings);
    let services = counted(loaded.config.settings.services.len(), "service");
    let found = match warnings.len() {
        0 => "no problems".to_owned(),
        n => counted(n, "warning"),
    };
    out.line(&format!(
        "{}: can be used; {services}, {found}",
        path.display()
    ))?;
    limits(&loaded.config, out)?;
    board(&loaded.config, out)?;
    caps(&loaded.config, out)?;
    proven(&loaded.config, out)?;
    match asker {
        Asker::Person(dir) => in_force(&loaded.config, dir.as_deref(), out),
        Asker::Daemon => Ok(()),
    }
}

/// A daemon that is to reload does not move to another directory.
fn load(path: &Path, asker: &Asker) -> Result<Loaded, Problems> {
    let loaded = config::load(path)?;
    let from = match asker {
        Asker::Daemon => std::env::var_os(successor::DIRECTORY),
        Asker::Person(_) => None,
    };
    let moved = from.and_then(|from| config::check_moved(&loaded.config, Path::new(&from)));
    moved.map_or(Ok(loaded), Err)
}

/// What is to be known of a configuration that can be used, and names no file that a cap would delete.
///
/// # Errors
/// None that is known of: nothing is printed.
pub fn about(config: &Config) -> Result<String, Error> {
    let mut out = Printer::keeping();
    limits(config, &mut out)?;
    board(config, &mut out)?;
    proven(config, &mut out)?;
    Ok(out.into_text())
}

/// Whether the daemon that runs still goes by something else.
fn in_force(config: &Config, dir: Option<&Path>, out: &mut Printer) -> Result<(), Error> {
    let dir = dir.unwrap_or(&config.wiring.runtime_dir);
    let status = Daemon::new(dir.to_owned()).status().ok();
    let Some(stand_in) = status.and_then(|status| status.daemon.stand_in) else {
        return Ok(());
    };
    if stand_in.is_elsewhere() {
        out.line(&format!(
            "the daemon that runs cannot use its runtime directory: {}",
            stand_in.problem
        ))?;
        return Ok(());
    }
    let by = match stand_in.taken {
        Some(taken) => format!("goes by a copy of {taken}"),
        None => "is in safe mode".to_owned(),
    };
    out.line(&format!(
        "the daemon that runs {by}, because of {}; `fieldwarden reload` takes this up",
        stand_in.problem
    ))?;
    Ok(())
}

/// Services for which only the default limits hold, and what of these the kernel does not enforce.
fn limits(config: &Config, out: &mut Printer) -> Result<(), Error> {
    let services = config.settings.services.iter().zip(&config.wiring.commands);
    // What somebody else keeps has the limits that it has there.
    let ours = services.filter(|(service, _)| service.keeper.is_none());
    let without = ours.filter(|(_, command)| !command.share.is_own());
    let names: Vec<&str> = without.map(|(service, _)| &*service.name).collect();
    if names.is_empty() {
        return Ok(());
    }
    out.line(&format!(
        "without limits of their own, so that the defaults hold (memory_max, pids_max): {}",
        names.join(", ")
    ))?;
    if config.wiring.cgroup == CgroupChoice::None {
        return Ok(());
    }
    for controller in [Controller::Cpu, Controller::Memory, Controller::Pids] {
        if let Some(lack) = controllers::lack(Path::new("/"), None, controller) {
            out.line(&format!("  {}", text::unenforced(controller, lack)))?;
        }
    }
    Ok(())
}

/// Which board it is, where its file was found, what no program can do for its owner, and what becomes
/// of the machine after an outage.
fn board(config: &Config, out: &mut Printer) -> Result<(), Error> {
    let board = &config.wiring.board;
    if board.name == "none" || board.simulated {
        return Ok(());
    }
    out.line(&format!("board: {}, from {}", board.title, board.origin))?;
    for advice in &board.about.advice {
        out.line(&format!("  {advice}"))?;
    }
    let wait = config.settings.power.ride_through;
    if let (Some(wait), Cut::None, true) = (wait, &board.cut, board.battery.is_some()) {
        out.line(&format!(
            "  it cuts no power: if mains come back after an outage of {} and before its battery is \
             empty, this machine stays off until somebody starts it; with ride_through = \"never\" it \
             is turned off only when the battery is low",
            text::for_people(wait)
        ))?;
    }
    Ok(())
}

/// What each cap would delete now.
fn caps(config: &Config, out: &mut Printer) -> Result<(), Error> {
    for cap in &config.settings.caps {
        let name = &cap.name;
        let (size, files) = match caps::surplus(cap) {
            Ok(found) => found,
            Err(error) => {
                out.line(&format!("cap {name}: {}: {error}", cap.dir))?;
                continue;
            }
        };
        let gone: Vec<_> = files
            .iter()
            .map(|f| String::from_utf8_lossy(&f.name))
            .collect();
        let would = match gone.is_empty() {
            true => "nothing would be deleted now".to_owned(),
            false => format!("would be deleted now: {}", gone.join(", ")),
        };
        let (size, most) = (size / 1024, cap.max / 1024);
        out.line(&format!("cap {name}: {size} KiB of {most} KiB; {would}"))?;
    }
    Ok(())
}

/// When the watchdog was last seen to bite. A machine of which nothing can be read is told nothing.
fn proven(config: &Config, out: &mut Printer) -> Result<(), Error> {
    let ours = config.settings.watchdog.owner == WatchdogOwner::Fieldwarden;
    if !ours || config.wiring.board.simulated {
        return Ok(());
    }
    let Ok(left) = marker_file::read(&config.wiring.state_dir.join("marker")) else {
        return Ok(());
    };
    out.line(&match left.marker.proof.map(ProvenStatus::of) {
        Some(proven) => format!("watchdog: {}", proven.text()),
        None => {
            "watchdog: never seen to bite; try it out once with `fieldwarden drill watchdog`".into()
        }
    })?;
    Ok(())
}

fn show(warnings: &[Problem]) {
    for warning in warnings {
        tell_line(&warning.to_string());
    }
}

fn counted(n: usize, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {what}{plural}")
}

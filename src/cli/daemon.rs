//! `run` and `demo`: become the daemon.

use super::taking_up::{self, Taken, Whose};
use crate::app::{self, AppError, Devices, Plan};
use crate::config::Config;
use crate::core::fact::StandIn;
use crate::demo;
use crate::edge::control::InForce;
use crate::edge::luggage;
use crate::edge::successor::{self, Successor};
use crate::edge::systemd::Environment;
use crate::edge::{logging, process, signals};
use crate::error::{Error, RUNTIME_DIR};
use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Where the machine's own daemon goes where its runtime directory cannot be used: where commands look,
/// and the other file system in memory.
pub(super) const REFUGES: [&str; 2] = [RUNTIME_DIR, "/dev/shm/fieldwarden"];

/// Runs the daemon until it is asked to end. `runtime_dir` goes before what the configuration says.
pub fn run(path: &Path, runtime_dir: Option<PathBuf>) -> Result<ExitCode, Error> {
    let environment = Environment::of_this_process();
    process::use_one_heap();
    // Only the thread that is there for them takes any: so none is lost between two programs.
    process::leave_signals();
    let stream = environment.get("JOURNAL_STREAM").and_then(|s| s.to_str());
    let _log = logging::begin(stream).map_err(AppError::kernel("log thread"))?;
    successor::take_up(&environment);
    let whose = whose(path, &environment);
    let Taken {
        config,
        stand_in,
        bundle,
        by_name,
        aborted,
        alone,
    } = taking_up::take(path, runtime_dir.clone(), whose)?;
    // In safe mode it may be none of that which the configuration names.
    let named = runtime_dir.is_none() && !matches!(stand_in, Some((StandIn::SafeMode, _)));
    let directory = named.then(|| config.wiring.runtime_dir.clone());
    let successor = Successor::of_this_process(&environment, path, directory).map(Arc::new);
    let refuges = REFUGES.iter().filter(|_| whose == Whose::Machines);
    let refuges = refuges.map(PathBuf::from).collect();
    let text = bundle.and_then(|text| luggage::keep_text(&text));
    let own = text.as_ref().filter(|_| stand_in.is_none());
    let running = running(path, &config, text.as_ref(), named);
    let copy = own.and_then(|text| text.try_clone().ok()).map(File::from);
    let devices = Devices::of(&config.wiring.board);
    let ended = app::run(Plan {
        config,
        stand_in,
        refuges,
        known_by_name: by_name,
        aborted,
        alone,
        copy,
        running,
        devices,
        environment,
        own_process: true,
        successor: successor.clone(),
        log: true,
        observer: None,
        requests: None,
    })?;
    if let (true, Some(successor)) = (ended.handed_over, successor) {
        if let Some(text) = text {
            taking_up::pass_on(text);
        }
        for signal in signals::kept() {
            process::raise_again(signal);
        }
        logging::flush();
        let refused = successor.take_over();
        return Err(AppError::kernel("hand-over")(refused).into());
    }
    Ok(ExitCode::SUCCESS)
}

/// The text of what is taken up, for who asks, and the file that it is of.
fn running(
    path: &Path,
    config: &Config,
    text: Option<&OwnedFd>,
    decides_directory: bool,
) -> Option<InForce> {
    let text = match text {
        Some(text) => text.try_clone().ok(),
        None => taking_up::text_of(config).and_then(|text| luggage::keep_text(&text)),
    };
    let named = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Some(InForce {
        text: text?.into(),
        config: named.display().to_string(),
        decides_directory,
    })
}

/// Nobody is there where init starts a daemon, or a container; somebody who starts one at a terminal
/// can mend its configuration at once.
fn whose(path: &Path, environment: &Environment) -> Whose {
    let machines = environment.by_init() || std::process::id() == 1;
    if !machines && io::stderr().is_terminal() {
        return Whose::Watched;
    }
    match machines || path == Path::new(super::CONFIG) {
        true => Whose::Machines,
        false => Whose::Somebodys,
    }
}

/// Shows the demo.
pub fn demo(speed: u32, interactive: bool) -> Result<ExitCode, Error> {
    process::use_one_heap();
    Ok(demo::run(demo::Options { speed, interactive })?)
}

//! `run` and `demo`: become the daemon.

use crate::app::{self, AppError, Devices, Plan};
use crate::config::{self, Config};
use crate::demo;
use crate::edge::systemd::Environment;
use crate::edge::{logging, process};
use crate::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Runs the daemon until it is asked to end. `runtime_dir` goes before what the configuration says.
pub fn run(path: &Path, runtime_dir: Option<PathBuf>) -> Result<ExitCode, Error> {
    let environment = Environment::of_this_process();
    process::use_one_heap();
    let stream = environment.get("JOURNAL_STREAM").and_then(|s| s.to_str());
    let _log = logging::begin(stream).map_err(AppError::kernel("log thread"))?;
    let config = load(path, runtime_dir)?;
    let devices = Devices::of(&config.wiring.board);
    app::run(Plan {
        config,
        devices,
        environment,
        own_process: true,
        log: true,
        observer: None,
        requests: None,
    })?;
    Ok(ExitCode::SUCCESS)
}

fn load(path: &Path, runtime_dir: Option<PathBuf>) -> Result<Config, Error> {
    let loaded = config::load(path)?;
    for warning in &loaded.warnings {
        match warning.place() {
            Some(place) => log::warn!("{}:{}: {}", path.display(), place.line, warning.what()),
            None => log::warn!("{}: {}", path.display(), warning.what()),
        }
    }
    let mut config = loaded.config;
    if let Some(dir) = runtime_dir {
        config.wiring.runtime_dir = dir;
    }
    Ok(config)
}

/// Shows the demo.
pub fn demo(speed: u32, interactive: bool) -> Result<ExitCode, Error> {
    process::use_one_heap();
    Ok(demo::run(demo::Options { speed, interactive })?)
}

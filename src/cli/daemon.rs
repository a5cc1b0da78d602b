//! `run` and `demo`: become the daemon.

use crate::app::{self, AppError, Devices, Plan};
use crate::config::{self, Config, Loaded};
use crate::demo;
use crate::edge::luggage;
use crate::edge::successor::{self, Successor};
use crate::edge::systemd::Environment;
use crate::edge::{logging, process, signals};
use crate::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// The text of the configuration that is in force, in the luggage.
const CONFIG: &str = "configuration";

/// Time between telling init's journal of the mistakes in a configuration and the end. Init starts us
/// again at once, and a file does not mend itself: without it, the whole report would go to the card
/// twice a second until somebody comes.
const SECOND_THOUGHTS: Duration = Duration::from_secs(10);

/// Runs the daemon until it is asked to end. `runtime_dir` goes before what the configuration says.
pub fn run(path: &Path, runtime_dir: Option<PathBuf>) -> Result<ExitCode, Error> {
    let environment = Environment::of_this_process();
    process::use_one_heap();
    // Only the thread that is there for them takes any: so none is lost between two programs.
    process::leave_signals();
    let stream = environment.get("JOURNAL_STREAM").and_then(|s| s.to_str());
    let _log = logging::begin(stream).map_err(AppError::kernel("log thread"))?;
    successor::take_up(&environment);
    let successor = Successor::of_this_process(&environment, path).map(Arc::new);
    let config = match load_or_go_on(path, runtime_dir) {
        Err(Error::Config(problems)) if environment.by_init() => {
            // Whoever collects our errors may be gone, and the exit code says it too.
            let _ = write!(io::stderr(), "{problems}");
            process::take_signals();
            std::thread::sleep(SECOND_THOUGHTS);
            return Err(Error::SaidConfig);
        }
        outcome => outcome?,
    };
    let text = luggage::keep_text(&config.source);
    let devices = Devices::of(&config.wiring.board);
    let ended = app::run(Plan {
        config,
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
            luggage::put(CONFIG.to_owned(), text);
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

/// Reads the configuration. One that has become unusable after it was checked for a reload must not
/// leave the machine without a daemon: then what was in force before goes on to be.
fn load_or_go_on(path: &Path, runtime_dir: Option<PathBuf>) -> Result<Config, Error> {
    let before = luggage::take_text(CONFIG);
    match (config::load(path), before) {
        (Err(problems), Some(text)) => {
            log::error!("{problems}");
            log::error!(
                "{} cannot be used any more: going on with what was in force before the reload",
                path.display()
            );
            take(config::load_text(path, &text)?, path, runtime_dir)
        }
        (loaded, _) => take(loaded?, path, runtime_dir),
    }
}

fn take(loaded: Loaded, path: &Path, runtime_dir: Option<PathBuf>) -> Result<Config, Error> {
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

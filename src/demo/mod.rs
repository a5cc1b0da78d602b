//! The demo: shows what fieldwarden does, on a simulated board, in about a minute.
//!
//! ```text
//!   script ──► director ──cues──► board, cast, daemon      (what is done)
//!                 ▲                      │
//!               ledger ◄──tape── the daemon's core loop    (what is seen)
//!                 │
//!              narrator ──lines──► teller, screen          (what is told)
//! ```
//!
//! Terms: the *cast* is the bundled service programs; the *ledger* is what was seen so far; the
//! *theatre* is all that runs. The daemon is the real one, with its threads, its sockets and real
//! child processes; only the devices are simulated, and their time may run faster.
//!
//! Never touches a device, a clock or another process of this machine, needs no rights, and leaves
//! nothing behind.

pub mod cast;
pub mod director;
pub mod ledger;
pub mod narrator;
pub mod screen;
pub mod script;
pub mod services;
pub mod setting;
pub mod stage;
pub mod story;
pub mod summary;
pub mod teller;
pub mod theatre;

#[cfg(test)]
mod tests;

use crate::app::AppError;
use crate::config::Problems;
use stage::{FASTEST, Pace};
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use teller::{Symbols, Teller};
use theatre::Theatre;

/// Exit code after the demo was interrupted: that of a shell's command which INT ended.
pub const INTERRUPTED: u8 = 130;

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many times as fast as the machine's the board's time runs: 1 to [`FASTEST`].
    pub speed: u32,
    /// A screen with keys in place of the story.
    pub interactive: bool,
}

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The speed is out of range.
    #[error("--speed {0} is out of range: give a number from 1 to {FASTEST}")]
    Speed(u32),
    /// The screen needs a terminal.
    #[error(
        "--interactive needs a terminal for its screen and its keys; without it the demo tells \
         its story line by line, to whatever its output is"
    )]
    NoTerminal,
    /// There is no place for its files.
    #[error("no place for the demo's files: {0}; set TMPDIR to a directory that can be written")]
    Place(io::Error),
    /// It cannot find its own program file, which is to be its services.
    #[error("the demo cannot find its own program file: {0}")]
    Program(io::Error),
    /// The kernel gives no thread.
    #[error("no thread for the demo: {0}")]
    Thread(io::Error),
    /// Signals cannot be caught.
    #[error("signals cannot be caught: {0}")]
    Signals(io::Error),
    /// The demo's configuration is wrong.
    #[error("{0}")]
    Setting(#[from] Problems),
    /// The daemon did not start.
    #[error(transparent)]
    App(#[from] AppError),
    /// The core panicked; the panic's own message came before this one.
    #[error("the daemon of the demo ended by a bug in it: please report what you see above")]
    Panicked,
    /// Nobody reads what the demo tells.
    #[error("the demo was ended because its output cannot be written: {0}")]
    Output(io::Error),
}

/// Shows the demo. The exit code is 0 if all went as the story says.
///
/// # Errors
/// What kept it from being shown to its end.
pub fn run(options: Options) -> Result<ExitCode, DemoError> {
    if !(1..=FASTEST).contains(&options.speed) {
        return Err(DemoError::Speed(options.speed));
    }
    let terminal = io::stdout().is_terminal();
    if options.interactive && !(terminal && io::stdin().is_terminal()) {
        return Err(DemoError::NoTerminal);
    }
    let stop = stop_signals().map_err(DemoError::Signals)?;
    let theatre = Theatre::open(Pace::new(options.speed))?;
    let symbols = Symbols::of_locale(|name| std::env::var(name).ok());
    let columns = terminal
        .then(|| crossterm::terminal::size().ok())
        .flatten()
        .map(|(columns, _)| columns);
    if options.interactive {
        return screen::show(theatre, symbols, anstream::stdout(), &stop);
    }
    let teller = Teller::new(anstream::stdout().lock(), symbols, columns);
    story::tell(theatre, teller, &stop)
}

/// A flag that the signals raise which ask a program to end. The second one ends it at once, for a
/// demo that cannot get on because its terminal takes nothing; its services then end by themselves.
fn stop_signals() -> io::Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        let code = i32::from(INTERRUPTED);
        signal_hook::flag::register_conditional_shutdown(signal, code, stop.clone())?;
        signal_hook::flag::register(signal, stop.clone())?;
    }
    Ok(stop)
}

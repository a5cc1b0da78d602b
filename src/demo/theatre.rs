//! The running demo: a real daemon on a simulated board, in a directory of its own.
//!
//! Never leaves the directory behind, nor the daemon, nor a service: whoever drops the theatre has
//! ended them before, or ends with them.

use super::cast::Cast;
use super::script::{BUSY, Cue, IDLE, SUN, THIEF};
use super::services::Mischief;
use super::stage::{Pace, Tape, tape};
use super::{DemoError, setting};
use crate::app::{self, AppError, Devices, Ended, Plan};
use crate::config;
use crate::core::fact::Request;
use crate::core::settings::Settings;
use crate::edge::clock;
use crate::edge::sim_board::SimBoard;
use crate::edge::systemd::Environment;
use crate::units::{MilliCelsius, Mono};
use crossbeam_channel::{Sender, bounded};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::thread::{Builder, JoinHandle};

/// Requests that may wait for the daemon: it takes them at once.
const REQUESTS: usize = 16;

/// Seed of the board's small deviations; any number will do.
const SEED: u64 = 1;

/// Longest path of a directory for temporary files that is used: the sockets below it must stay
/// within the 108 bytes that the kernel allows.
const LONGEST_PLACE: usize = 50;

/// A directory that is removed in the end.
struct Place(PathBuf);

impl Place {
    fn make() -> io::Result<Place> {
        let usual = std::env::temp_dir();
        let short = usual.as_os_str().len() <= LONGEST_PLACE;
        let parent = if short { usual } else { PathBuf::from("/tmp") };
        let name = format!("fieldwarden-demo-{}", std::process::id());
        let path = parent.join(name);
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
        Ok(Place(path))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed is in a directory for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The running demo.
pub struct Theatre {
    /// How fast the board's time runs.
    pub pace: Pace,
    /// What the daemon was told at its start.
    pub settings: Settings,
    /// What it does.
    pub tape: Tape,
    /// When it was started.
    pub origin: Mono,
    board: SimBoard,
    cast: Cast,
    requests: Sender<Request>,
    daemon: JoinHandle<Result<Ended, AppError>>,
    place: Place,
}

impl Theatre {
    /// Starts a daemon with the demo's configuration.
    ///
    /// # Errors
    /// What kept it from starting.
    pub fn open(pace: Pace) -> Result<Theatre, DemoError> {
        pace.set();
        let place = Place::make().map_err(DemoError::Place)?;
        let program = std::env::current_exe().map_err(DemoError::Program)?;
        let text = setting::text(&place.0, &program, pace);
        let loaded = config::parse("the demo's configuration", &text)?;
        let settings = loaded.config.settings.clone();
        let cast = Cast::open(&setting::door(&place.0)).map_err(DemoError::Place)?;
        let (recorder, tape) = tape();
        let (requests, asked) = bounded(REQUESTS);
        let origin = clock::now();
        let board = SimBoard::new(SEED, origin);
        let plan = Plan {
            successor: None,
            config: loaded.config,
            stand_in: None,
            known_by_name: Vec::new(),
            aborted: Some(0),
            alone: false,
            copy: None,
            running: None,
            devices: Devices::Simulated(board.clone()),
            // Whatever init means for this process is not for a demo.
            environment: Environment::default(),
            refuges: Vec::new(),
            own_process: false,
            log: false,
            observer: Some(Box::new(recorder)),
            requests: Some(asked),
        };
        let daemon = Builder::new()
            .name("core".to_owned())
            .spawn(move || app::run(plan))
            .map_err(DemoError::Thread)?;
        Ok(Theatre {
            pace,
            settings,
            tape,
            origin,
            board,
            cast,
            requests,
            daemon,
            place,
        })
    }

    /// The command that asks this demo's daemon how it is.
    pub fn status_command(&self) -> String {
        let run = setting::runtime_dir(&self.place.0);
        format!("fieldwarden status --runtime-dir {}", run.display())
    }

    /// Does what a cue says. `false` if that was not possible now.
    pub fn perform(&self, cue: Cue) -> bool {
        match cue {
            Cue::Crash(name) => return self.cast.tell(name, Mischief::Crash),
            Cue::Hang(name) => return self.cast.tell(name, Mischief::Hang),
            Cue::Burn(name, time) => {
                if !self.cast.tell(name, Mischief::Burn(time)) {
                    return false;
                }
                self.board.set_load(BUSY);
                self.board.set_heat(SUN);
            }
            Cue::Cool => {
                self.board.set_load(IDLE);
                self.board.set_heat(MilliCelsius(0));
            }
            Cue::Memory(share) => self.board.set_memory(share),
            Cue::Synced(synced) => self.board.set_synced(synced),
            Cue::Mains(present) => self.board.set_mains(present),
            Cue::StealWatchdog => {
                self.board.vanish();
                self.board.come_back();
                self.board.take_watchdog(THIEF);
            }
            Cue::ReturnWatchdog => self.board.free_watchdog(),
            Cue::StickWatchdog => self.board.set_stuck(true),
            Cue::FreeWatchdog => self.board.set_stuck(false),
            Cue::Exit => return self.ask(Request::Exit),
        }
        true
    }

    /// Tells a service what to do. `false` if it is not there.
    pub fn tell(&self, name: &str, order: Mischief) -> bool {
        self.cast.tell(name, order)
    }

    /// The board, with its knobs.
    pub fn board(&self) -> &SimBoard {
        &self.board
    }

    /// Hands a request to the daemon. `false` if it does not take it now.
    pub fn ask(&self, request: Request) -> bool {
        self.requests.try_send(request).is_ok()
    }

    /// The watchdog has reset the simulated board since the last call. The board is switched on
    /// again at once; the services, which are real, have not noticed.
    pub fn bitten(&self) -> bool {
        let now = clock::now();
        let bitten = self.board.advance(now).is_some();
        if bitten {
            self.board.boot(now);
        }
        bitten
    }

    /// Waits for the daemon, which has to have been asked to end.
    ///
    /// # Errors
    /// What kept it from starting, or from working.
    pub fn close(self) -> Result<Ended, DemoError> {
        self.board.set_stuck(false);
        match self.daemon.join() {
            Ok(outcome) => Ok(outcome?),
            Err(_) => Err(DemoError::Panicked),
        }
    }
}

//! Turns the text of a configuration into checked settings, or into all that is wrong with it.
//!
//! ```text
//! texts -> tree with spans (forest) -> keys and values (table, value) -> relations (build, order)
//!                     \______________________\_____________________________\__> Problems
//! ```
//!
//! What may be written, with its bounds and defaults, is listed in [`keys`] and nowhere else.
//! [`parse`] looks at nothing but its arguments; [`load`] reads one file; [`check_machine`] looks
//! at this machine. Nothing here changes anything or writes a file.

pub mod accounts;
pub mod board;
mod build;
mod bundle;
pub mod capability;
mod caps;
mod command;
mod container;
pub mod controllers;
mod cross;
mod difference;
mod effective;
pub mod elf;
mod explain;
mod files;
mod fingerprint;
mod forest;
mod groups;
mod health;
pub mod job;
mod json_schema;
mod kept;
pub mod keys;
mod led;
mod left_out;
mod limits;
mod machine;
mod needs;
mod network;
mod order;
mod outlast;
mod probe;
mod problem;
mod quantity;
pub mod reach;
mod redacted;
mod render;
mod repair;
mod report;
mod restart;
mod rights;
mod safe_mode;
mod sample;
mod sandbox;
pub mod schema;
mod service;
mod share;
mod size;
mod source;
mod syntax;
mod table;
mod target;
mod unit;
mod value;
mod zone;

pub use board::{Board, Shelf};
pub use build::SOCKET_EXTRA;
pub(crate) use bundle::alike;
pub use bundle::{Bundle, BundleError};
pub use difference::{Changed, Difference, OtherKey, difference};
pub use effective::{effective, effective_without_secrets};
pub use explain::explain;
pub use files::{DROP_INS, main_file, open};
pub use fingerprint::Fingerprint;
pub use health::{HealthPlan, Listen};
pub use json_schema::{board_schema, json_schema};
pub use led::LedPlan;
pub use left_out::{LeftOut, foreseen_dir};
pub use machine::{ContainerFound, check_containers, check_machine, check_moved};
pub use network::{Ends, UplinkPlan};
pub use probe::{ProbePlan, Way};
pub use problem::{Place, Problem, Problems, Severity};
pub use redacted::{REMOVED, redacted};
pub use rights::{Bounds, Resource, Rights};
pub use safe_mode::{DropIns, by_name_only, is_by_name, salvage, salvage_of, with_running};
pub use sample::sample;
pub use sandbox::Sandbox;
pub use share::{Amount, Pids, Share};
pub use source::{Source, SourceFile};
pub use target::{Target, Url};

use crate::core::settings::{Ready, Service, Settings};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest file in bytes. A thousand services need less than half; more is the wrong file.
pub const FILE_MAX: usize = 1024 * 1024;

/// Most services in one file. Each costs a process and several descriptors; a Pi runs out of
/// memory long before.
pub const SERVICES_MAX: usize = 1024;

/// A configuration that has been checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// What the core is told. `mounts` is empty unless the file names some.
    pub settings: Settings,
    /// What the edges need.
    pub wiring: Wiring,
    /// The files as they were read.
    pub source: Source,
}

/// A configuration that can be used, and what is probably not meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Warnings, in the order of the file.
    pub warnings: Vec<Problem>,
}

/// What the edges need to know and the core does not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wiring {
    /// The board below the computer.
    pub board: Board,
    /// The status LED, if one is to be driven.
    pub led: Option<LedPlan>,
    /// Directory for what a reboot may wipe out; absolute.
    pub runtime_dir: PathBuf,
    /// Directory for what outlives a reboot; absolute.
    pub state_dir: PathBuf,
    /// Where services run.
    pub cgroup: CgroupChoice,
    /// Device of the hardware watchdog; absolute.
    pub watchdog_device: PathBuf,
    /// Time between two readings of temperature, memory and load. 1 s to 10 min.
    pub vitals_every: Duration,
    /// Least time between two looks at the battery-backed clock, 1 s to 1 h; `None` if it is not to
    /// be looked at.
    pub rtc_every: Option<Duration>,
    /// Time between two tries of the canaries.
    pub canary_every: Duration,
    /// There is a DS3231, which is to be read over its bus while no driver has it.
    pub rtc_chip: bool,
    /// Time between two looks at the file systems. 5 s to 1 h.
    pub disk_every: Duration,
    /// Mount points to watch; `None` for every writable local file system.
    pub mounts: Option<Vec<PathBuf>>,
    /// How the way out is looked at; `None` where nobody cares.
    pub uplink: Option<UplinkPlan>,
    /// Where it stands when something expires; indexed like [`Settings::expiries`].
    pub expiries: Vec<Ends>,
    /// The health endpoint, if there is to be one.
    pub health: Option<HealthPlan>,
    /// Users who may act over the control socket, beside root and our own: names or numbers.
    pub operators: Vec<String>,
    /// How to run each service; indexed like [`Settings::services`].
    pub commands: Vec<Command>,
}

/// Where services run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CgroupChoice {
    /// In the control group of the pool unit if it exists.
    Auto,
    /// In that of the daemon.
    None,
    /// In groups below this directory; absolute.
    At(PathBuf),
}

/// How to run one service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command {
    /// The program by its absolute path, then its arguments, free of NUL. Empty only for a service that
    /// somebody else keeps; whatever else stands here counts for nothing then, but for the probes.
    pub argv: Vec<String>,
    /// Variables to set, beside those that the daemon sets. Free of NUL.
    pub environment: BTreeMap<String, String>,
    /// Working directory; absolute.
    pub directory: PathBuf,
    /// Where standard output and standard error go.
    pub output: Output,
    /// Signal that asks it to end.
    pub stop_signal: StopSignal,
    /// Who it runs as, and what it may do.
    pub rights: Rights,
    /// What bounds each of its processes.
    pub bounds: Bounds,
    /// What it sees of the machine; `None` for all of it.
    pub sandbox: Option<Box<Sandbox>>,
    /// Descriptors that it may leave with the daemon, 0 to 64.
    pub fd_store: u32,
    /// The most that is kept of its output on the card, in bytes; `None` for nothing.
    pub log_file: Option<NonZeroU32>,
    /// What all of them together may take.
    pub share: Share,
    /// How its probes are made.
    pub probes: Box<[ProbePlan]>,
}

impl Command {
    /// A service that has something to tell gets a socket to tell it on.
    pub fn listens(&self, service: &Service) -> bool {
        service.ready == Ready::Notify || service.heartbeat.is_some() || self.fd_store > 0
    }
}

/// Where the output of a service goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output {
    /// To the daemon's log.
    Log,
    /// Nowhere.
    Null,
    /// Where the daemon's own output goes.
    Inherit,
}

/// A signal that asks a service to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StopSignal {
    /// `SIGTERM`
    Term,
    /// `SIGINT`
    Int,
    /// `SIGQUIT`
    Quit,
    /// `SIGHUP`
    Hup,
    /// `SIGUSR1`
    Usr1,
    /// `SIGUSR2`
    Usr2,
}

impl StopSignal {
    /// Its number, which is the same on every machine that we support.
    pub fn number(self) -> i32 {
        match self {
            StopSignal::Hup => 1,
            StopSignal::Int => 2,
            StopSignal::Quit => 3,
            StopSignal::Usr1 => 10,
            StopSignal::Usr2 => 12,
            StopSignal::Term => 15,
        }
    }
}

/// Reads and checks a file and its drop-ins: `*.toml` in [`DROP_INS`] beside it, in the order of their
/// names. A directory stands for the `fieldwarden.toml` in it. Board files are looked for in their
/// places on this machine.
///
/// # Errors
/// Everything that makes the files unusable, together with its warnings; a file that cannot be
/// read, is longer than [`FILE_MAX`], is empty or is not UTF-8 is one problem.
pub fn load(path: &Path) -> Result<Loaded, Problems> {
    let (source, unread) = files::read(path, true);
    parse_files(source, unread, &Shelf::installed())
}

/// The same without its drop-ins, or with what they say of the machine itself. Services that this
/// file names and only drop-ins have are known by their names.
///
/// # Errors
/// As [`load`], without all that.
pub fn load_alone(path: &Path, left_out: &LeftOut, drop_ins: &DropIns) -> Result<Loaded, Problems> {
    let (source, unread) = files::read(path, false);
    if unread.is_empty() {
        let machine = safe_mode::of_machine(path, drop_ins);
        let missing = left_out.only_there(&source);
        let unknown = safe_mode::unknown_files(&missing);
        let machines = [machine, None];
        for machine in machines.iter().skip(usize::from(machines[0].is_none())) {
            for unknown in std::iter::once(&None).chain(&unknown) {
                let more = machine.iter().chain(unknown).cloned();
                let files = source.files().iter().cloned().chain(more).collect();
                let loaded = parse_files(Source::of(files), Vec::new(), &Shelf::installed());
                if loaded.is_ok() {
                    return loaded;
                }
            }
        }
    }
    parse_files(source, unread, &Shelf::installed())
}

/// Checks a text. `name` is what messages call it. No file is touched.
///
/// # Errors
/// Everything that makes the text unusable, together with its warnings.
pub fn parse(name: &str, text: &str) -> Result<Loaded, Problems> {
    parse_with(name, text, &Shelf::built_in())
}

/// The same, with board files from a shelf.
///
/// # Errors
/// Everything that makes the text or the board file that it names unusable.
pub fn parse_with(name: &str, text: &str, shelf: &Shelf) -> Result<Loaded, Problems> {
    if text.len() > FILE_MAX {
        return Err(syntax::too_long(name).into());
    }
    parse_files(Source::one(name, text), Vec::new(), shelf)
}

/// Checks files that were read elsewhere, with board files from a shelf.
///
/// # Errors
/// Everything that makes them unusable, together with warnings.
pub fn parse_source(source: Source, shelf: &Shelf) -> Result<Loaded, Problems> {
    parse_files(source, Vec::new(), shelf)
}

/// Checks files together. `unread`: what is wrong with those that could not be read.
fn parse_files(source: Source, unread: Vec<Problem>, shelf: &Shelf) -> Result<Loaded, Problems> {
    let mut report = report::Report::of(&source);
    let mut of_board = None;
    let mut boards = |report: &mut report::Report<'_>, path: &str, node: &value::Node<'_>| {
        named_board(report, path, node, shelf, &mut of_board)
    };
    let tree = forest::tree(&source, &mut report);
    let parts = tree.as_ref().and_then(|tree| {
        // What stands in a file that was not read may be missing in the others.
        let sound = tree.sound && unread.is_empty();
        build::config(&mut report, tree.table.get_ref(), sound, &mut boards)
    });
    let failed = report.failed() || !unread.is_empty();
    let mut problems = Problems::from(unread);
    problems.append(report.finish());
    if let Some(of_board) = of_board {
        problems.append(of_board);
    }
    match parts {
        Some((settings, wiring)) if !failed => Ok(Loaded {
            warnings: problems.iter().cloned().collect(),
            config: Config {
                settings,
                wiring,
                source,
            },
        }),
        Some(_) | None => Err(problems),
    }
}

/// The board that the configuration names. What is wrong with its own file goes to `of_board`.
fn named_board(
    report: &mut report::Report<'_>,
    path: &str,
    node: &value::Node<'_>,
    shelf: &Shelf,
    of_board: &mut Option<Problems>,
) -> Option<Board> {
    let name = value::string(report, path, node, &schema::Kind::Board)?;
    let Some(board) = shelf.board(name) else {
        let names = shelf.names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        value::unlisted(report, path, node, name, &names, &schema::quoted(&names));
        return None;
    };
    match board {
        Ok(board) => {
            for doubt in &board.doubts {
                let what = format!("the file of board {name} has what is hardly meant: {doubt}");
                let help = "mend that file by the documents of the board".to_owned();
                report.warning(node.span(), what, help);
            }
            Some(board)
        }
        Err(problems) => {
            let what = format!("the file of board {name} cannot be used");
            let help = "its mistakes are shown below".to_owned();
            report.error(node.span(), what, help);
            *of_board = Some(problems);
            None
        }
    }
}

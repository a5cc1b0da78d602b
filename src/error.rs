//! What a command can fail of, and the exit code that says so.
//!
//! The codes are those of `sysexits.h` where it has one; [`EXIT_CODES`] lists them.
//! A message says what, on what, why, and what to do about it.

use crate::app::AppError;
use crate::config::Problems;
use crate::demo::{DemoError, INTERRUPTED};
use crate::edge::control::{Answer, Code};
use crate::text::nearest;
use crate::trace::TraceError;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Where the daemon's runtime directory is unless somebody says otherwise.
pub const RUNTIME_DIR: &str = "/run/fieldwarden";

/// Something that was asked for did not come about.
const FAILED: u8 = 1;
/// The command was not used as it should be.
const WRONG_USE: u8 = 2;
/// `EX_UNAVAILABLE`.
const NOT_RUNNING: u8 = 69;
/// `EX_NOPERM`.
const NOT_PERMITTED: u8 = 77;
/// `EX_CONFIG`.
const WRONG_CONFIG: u8 = 78;

/// Every exit code and what it means, as the help text and the manual say it.
pub const EXIT_CODES: [(u8, &str); 7] = [
    (0, "done"),
    (FAILED, "failed"),
    (WRONG_USE, "wrong use"),
    (NOT_RUNNING, "the daemon is not running"),
    (NOT_PERMITTED, "not permitted"),
    (WRONG_CONFIG, "the configuration is wrong"),
    (INTERRUPTED, "the demo was interrupted"),
];

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens on the control socket.
    #[error(
        "no fieldwarden answers in {}: it is not running\n\
         help: {}",
        .dir.display(), how_to_reach(.dir)
    )]
    NotRunning {
        /// The runtime directory.
        dir: PathBuf,
    },
    /// The control socket is not for this user.
    #[error(
        "you may not ask the fieldwarden in {}\n\
         help: use sudo, or let an administrator add you to the group fieldwarden \
         (`usermod -aG fieldwarden NAME`, then log in again)",
        .dir.display()
    )]
    NotAllowed {
        /// The runtime directory.
        dir: PathBuf,
    },
    /// The connection broke.
    #[error(
        "the fieldwarden in {} did not answer: {source}\n\
         help: try again; if that does not help, look into its log with \
         `journalctl -u fieldwarden`",
        .dir.display()
    )]
    Broken {
        /// The runtime directory.
        dir: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The daemon answered something that this program does not understand.
    #[error(
        "the answer of the daemon cannot be read: {0}\n\
         help: this program and the daemon are of different versions; restart the daemon after an \
         upgrade"
    )]
    Strange(String),
    /// The daemon refused.
    #[error("{error}{}", help_line(.help.as_deref()))]
    Refused {
        /// Why, for programs.
        code: Option<Code>,
        /// Why.
        error: String,
        /// What to do about it.
        help: Option<String>,
    },
    /// What was asked for did not come about. All of it has been said.
    #[error("")]
    Said,
    /// The configuration is wrong. All of it has been said.
    #[error("")]
    SaidConfig,
    /// The configuration is wrong.
    #[error("{0}")]
    Config(Box<Problems>),
    /// A file cannot be read.
    #[error("cannot read {}: {source}{}", .path.display(), reading_help(source))]
    File {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// `notify` was given nothing to say.
    #[error("there is nothing to say\nhelp: write what, for example `fieldwarden notify --ready`")]
    NothingToSay,
    /// This process is no part of a service that may speak.
    #[error(
        "NOTIFY_SOCKET is not set: nobody listens\n\
         help: run this within a service that has `ready = \"notify\"` or a `heartbeat`"
    )]
    NobodyListens,
    /// What a service has to say was not heard.
    #[error(
        "not heard on {socket}: {why}\n\
         help: the daemon may be starting; say it again, and look with `fieldwarden status`"
    )]
    NotHeard {
        /// Where it was said.
        socket: String,
        /// Why.
        why: String,
    },
    /// There is no journal.
    #[error(
        "there is no journal in {}\n\
         help: name the directory `journal` below `state_dir` of the configuration",
        .dir.display()
    )]
    NoJournal {
        /// The directory that was looked for.
        dir: PathBuf,
    },
    /// No boot has written down how the one before it ended.
    #[error(
        "{}: no verdict on a boot is in this journal\n\
         help: the daemon writes one when it begins in a new boot; `fieldwarden status` knows it too",
        .journal.display()
    )]
    NoVerdict {
        /// The journal that was read.
        journal: PathBuf,
    },
    /// What services wrote cannot be read.
    #[error("cannot read what services wrote: {source}{}", reading_help(source))]
    Log {
        /// What the kernel said, with the path.
        source: io::Error,
    },
    /// Nothing is known of a service with this name.
    #[error("there is no service {name:?}\nhelp: {}", names_help(name, known))]
    NoSuchService {
        /// What was asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A trace cannot be replayed.
    #[error("{0}\nhelp: a trace is {RUNTIME_DIR}/trace or trace.1, or a copy of one")]
    Trace(Box<TraceError>),
    /// A trace does not fit the settings of another file.
    #[error(
        "{error}\n\
         help: the configuration is {}, as --settings says; it must have every service and mount \
         point of the trace, or leave --settings out",
        .settings.display()
    )]
    TraceAgainst {
        /// Where they part.
        error: Box<TraceError>,
        /// The file of the settings.
        settings: PathBuf,
    },
    /// The daemon did not start.
    #[error(transparent)]
    App(#[from] AppError),
    /// The demo did not start, or not end.
    #[error(transparent)]
    Demo(#[from] DemoError),
    /// Nothing can be printed.
    #[error("cannot print: {0}")]
    Output(#[from] io::Error),
}

/// What to do where nobody answers in this directory.
fn how_to_reach(dir: &Path) -> &'static str {
    match dir == Path::new(RUNTIME_DIR) {
        true => {
            "start it with `systemctl start fieldwarden`, or name the directory of another one with \
             --runtime-dir"
        }
        false => "it has ended, or runs with another directory: name that with --runtime-dir",
    }
}

/// What to do about a file that cannot be read.
fn reading_help(why: &io::Error) -> &'static str {
    match why.kind() {
        io::ErrorKind::PermissionDenied => "\nhelp: use sudo",
        _ => "",
    }
}

/// What to do about a service that is not there.
fn names_help(name: &str, known: &[String]) -> String {
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near}?"),
        None => "fieldwarden status lists the services".to_owned(),
    }
}

fn help_line(help: Option<&str>) -> String {
    help.map_or_else(String::new, |help| format!("\nhelp: {help}"))
}

impl From<Problems> for Error {
    fn from(problems: Problems) -> Error {
        Error::Config(Box::new(problems))
    }
}

impl From<TraceError> for Error {
    fn from(error: TraceError) -> Error {
        Error::Trace(Box::new(error))
    }
}

impl Error {
    /// A daemon's answer that says no.
    pub fn refused(answer: Answer) -> Error {
        Error::Refused {
            code: answer.code,
            error: answer.error.unwrap_or_else(|| "refused".to_owned()),
            help: answer.help,
        }
    }

    /// The exit code for it.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Error::NotRunning { .. } => NOT_RUNNING,
            Error::NotAllowed { .. } => NOT_PERMITTED,
            Error::Refused {
                code: Some(Code::NotPermitted),
                ..
            } => NOT_PERMITTED,
            Error::Config(_)
            | Error::SaidConfig
            | Error::Refused {
                code: Some(Code::BadConfiguration),
                ..
            } => WRONG_CONFIG,
            Error::NothingToSay | Error::Demo(DemoError::Speed(_) | DemoError::NoTerminal) => {
                WRONG_USE
            }
            Error::Broken { .. }
            | Error::Strange(_)
            | Error::Refused { .. }
            | Error::Said
            | Error::File { .. }
            | Error::NobodyListens
            | Error::NotHeard { .. }
            | Error::NoJournal { .. }
            | Error::NoVerdict { .. }
            | Error::Log { .. }
            | Error::NoSuchService { .. }
            | Error::Trace(_)
            | Error::TraceAgainst { .. }
            | Error::App(_)
            | Error::Demo(_)
            | Error::Output(_) => FAILED,
        })
    }
}

//! What the harness has to know of a supervisor: how to configure, start and stop it.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;

/// What one session of a contestant runs.
pub struct Setup {
    /// A directory of its own, empty.
    pub directory: PathBuf,
    /// The program of every service.
    pub child: PathBuf,
    /// Its single argument, one for each service.
    pub arguments: Vec<String>,
}

/// How to end a session in an orderly way.
pub struct Stop {
    /// First the root process gets this signal.
    pub signal: Signal,
    /// Then, where that does not end the services, this is run.
    pub command: Option<fn(&Setup) -> Vec<OsString>>,
}

/// A supervisor.
pub struct Contestant {
    /// Name in the table.
    pub name: &'static str,
    /// The program, which stays in the foreground.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: fn(&Setup) -> Vec<OsString>,
    /// Variables of its environment, beside a plain PATH.
    pub environment: Vec<(OsString, OsString)>,
    /// Writes its configuration.
    pub configure: fn(&Setup) -> Result<()>,
    /// How it is stopped.
    pub stop: Stop,
    /// It waits before it restarts a service that keeps failing; one that does not would only
    /// burn the processor in a crash loop.
    pub paces_crash_loops: bool,
}

/// The measure of all.
pub fn floor(program: &Path) -> Contestant {
    Contestant {
        name: "floor",
        program: program.to_owned(),
        arguments: |setup| {
            let fifo = setup.directory.join("fifo");
            let count = setup.arguments.len().to_string();
            vec![count.into(), setup.child.clone().into(), fifo.into()]
        },
        environment: Vec::new(),
        configure: |_| Ok(()),
        stop: Stop {
            signal: Signal::SIGTERM,
            command: None,
        },
        paces_crash_loops: false,
    }
}

/// What the shipped unit starts it with, and what it holds.
const AS_THE_UNIT: [&str; 2] = ["GLIBC_TUNABLES", "glibc.malloc.tcache_count=0"];

/// Ours, with its shipped defaults but for where it keeps things and its simulated devices.
pub fn fieldwarden(name: &'static str, program: &Path) -> Contestant {
    Contestant {
        name,
        program: program.to_owned(),
        arguments: |setup| {
            let config = setup.directory.join("fieldwarden.toml");
            vec!["run".into(), "--config".into(), config.into()]
        },
        environment: vec![AS_THE_UNIT.map(Into::into).into()],
        configure: |setup| {
            let directory = setup.directory.display();
            let mut text = format!(
                "board = \"sim\"\nruntime_dir = \"{directory}/run\"\n\
                 state_dir = \"{directory}/state\"\ncgroup = \"none\"\n"
            );
            for (i, argument) in setup.arguments.iter().enumerate() {
                let child = setup.child.display();
                write!(
                    text,
                    "[service.c{i}]\ncommand = [\"{child}\", \"{argument}\"]\n"
                )?;
            }
            for part in ["run", "state"] {
                fs::create_dir(setup.directory.join(part)).context("making its directories")?;
            }
            let config = setup.directory.join("fieldwarden.toml");
            fs::write(&config, text).with_context(|| format!("writing {}", config.display()))
        },
        stop: Stop {
            signal: Signal::SIGTERM,
            command: None,
        },
        paces_crash_loops: true,
    }
}

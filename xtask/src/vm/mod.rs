//! The VM lab: runs the project in Debian with systemd and a real watchdog device, inside QEMU.
//!
//! `prepare` makes what a machine needs and keeps it; `machine` is one running machine, made of
//! `options` (what it is to be), `qemu` and `disk` (its hardware), `launch` (its life), `qmp` (its
//! events) and `channel` (its guest's agent, wire form in `proto`); `pi` is the other kind of
//! machine; `replay` makes power cuts of a recorded disk; `case`, `cases` and `runner` are the suite,
//! and `programs` are tests of the package that run in a guest. Nothing here touches the host's own
//! watchdog, systemd, clock or control groups.

mod case;
mod cases;
mod channel;
mod disk;
mod launch;
mod machine;
mod measure;
mod options;
mod pi;
mod prepare;
pub mod programs;
mod proto;
mod qemu;
mod qmp;
mod replay;
mod runner;

pub use cases::MORE_CUTS;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use case::{Cargo, Case, Modules};
use options::Board;
use prepare::Wanted;

/// Runs the VM suite, or parts of it.
#[derive(Debug, Args)]
pub struct VmArgs {
    /// Cases to run; a name ending in `*` stands for all that start so (default: all)
    #[arg(value_name = "CASE")]
    cases: Vec<String>,
    /// Print the cases and what each shows, run nothing
    #[arg(long)]
    list: bool,
    /// Make the parts a machine needs, run nothing
    #[arg(long)]
    prepare: bool,
    /// Measure what starting, rebooting and filling a machine costs, N times each
    #[arg(long, value_name = "N")]
    measure: Option<u32>,
    /// Run a shell script in a fresh guest, print what it says, keep nothing
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// With --script: give the guest what the device cases have
    #[arg(long, requires = "script")]
    devices: bool,
    /// With --script: give the guest container engines
    #[arg(long, requires = "script")]
    engines: bool,
    /// Machines at the same time
    #[arg(long, value_name = "N", default_value_t = JOBS)]
    jobs: usize,
}

/// Machines at the same time; see docs/decisions/0003-vm-fixed-costs.md for the measurement.
const JOBS: usize = 2;

/// Carries out `cargo xtask vm`.
pub fn run(arguments: &VmArgs) -> Result<()> {
    if arguments.list {
        for case in [cases::all(), cases::by_name()].concat() {
            println!("{:28} {}", case.name, case.purpose);
        }
        return Ok(());
    }
    let chosen = choose(&arguments.cases)?;
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("repository root")?;
    let running = arguments.measure.is_none() && arguments.script.is_none();
    let asked = |case: fn(&Case) -> bool| running && chosen.iter().any(case);
    let wanted = Wanted {
        devices: arguments.devices || asked(|case| case.modules == Modules::Devices),
        engines: arguments.engines || asked(|case| case.modules == Modules::Engines),
        pi: asked(|case| case.board == Board::Pi),
        pi_programs: asked(|case| case.board == Board::Pi && case.cargo == Cargo::Programs),
    };
    let lab = prepare::prepare(repository, wanted)?;
    if arguments.prepare {
        return Ok(());
    }
    if let Some(rounds) = arguments.measure {
        return measure::measure(&lab, rounds);
    }
    if let Some(script) = &arguments.script {
        return runner::run_script(&lab, script);
    }
    if arguments.cases.is_empty() {
        cases::tell_left_out();
    }
    runner::run_all(repository, &lab, &chosen, arguments.jobs)
}

fn choose(names: &[String]) -> Result<Vec<Case>> {
    let all = cases::all();
    if names.is_empty() {
        return Ok(all);
    }
    let all = [all, cases::by_name()].concat();
    let mut chosen = Vec::new();
    for name in names {
        let fits = |case: &&Case| match name.strip_suffix('*') {
            Some(start) => case.name.starts_with(start),
            None => case.name == name,
        };
        let before = chosen.len();
        chosen.extend(all.iter().filter(fits));
        if chosen.len() == before {
            bail!("no case {name}; `cargo xtask vm --list` shows them");
        }
    }
    Ok(chosen)
}

//! `cargo xtask bench`: the daemon beside the floor, and beside other supervisors, in one run.
//!
//! The *floor* (`benches/floor.c`) is the least that any supervisor has to do. On a shared machine
//! times say little, so contestants run at the same time, are measured in turn, in random order,
//! and what counts is the ratio of medians. Terms: a *contestant* is a supervisor, a *session* one
//! run of it with N services, a *round* one pass over all contestants.
//!
//! Never signals a process that it did not start, directly or through a contestant.
#![allow(
    clippy::disallowed_methods,
    reason = "a measurement starts programs and reads the clock; the ban is for the daemon"
)]

mod build;
mod contestant;
mod peers;
mod processes;
mod report;
mod rounds;
mod session;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use contestant::Contestant;
use rounds::Plan;

/// Compare the daemon with the floor: restart, start, stop, crash loop, memory and wake-ups
#[derive(Args, Debug)]
pub struct BenchArgs {
    /// One round with short windows, two to three minutes less
    #[arg(long)]
    quick: bool,
    /// Also measure runit, s6 and daemontools, where installed
    #[arg(long)]
    peers: bool,
    /// Look for the peers below DIR (unpacked packages) instead of /
    #[arg(long, value_name = "DIR", requires = "peers")]
    peers_root: Option<PathBuf>,
    /// Write all samples to FILE
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure this binary instead of building target/release/fieldwarden
    #[arg(long, value_name = "FILE")]
    daemon: Option<PathBuf>,
    /// Also measure this binary, an older build of the daemon
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    /// Measure the floor and peers only
    #[arg(long, conflicts_with = "daemon")]
    no_daemon: bool,
    /// Only the measurements whose name contains TEXT
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Rounds of every measurement
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// Give everything real-time priority (SCHED_RR 1, needs root and `chrt`): less spread on a
    /// busy machine; but the daemon takes it away from its services, which the others do not
    #[arg(long)]
    realtime: bool,
}

/// Runs the measurements and prints the table.
pub fn run(args: &BenchArgs) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, stop.clone()).context("catching SIGINT and SIGTERM")?;
    }
    let built = build::helpers()?;
    let contestants = contestants(args, &built)?;
    let stage = session::Stage::new(built.child, stop)?;
    if args.realtime {
        processes::use_realtime_priority()?;
    }
    let names: Vec<&str> = contestants.iter().map(|c| c.name).collect();
    eprintln!("bench: {}", names.join(", "));
    let results = rounds::run(&plan(args), &contestants, &stage, args.only.as_deref());
    // Before the results are looked at: an error must not leave processes behind.
    let left = stage.clear();
    let results = results?;
    print!("{}", report::table(&results));
    if let Some(file) = &args.json {
        let text = report::json(&results)?;
        std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
    }
    match left {
        0 => Ok(()),
        left => bail!("{left} processes outlived their supervisor and had to be killed"),
    }
}

fn contestants(args: &BenchArgs, built: &build::Helpers) -> Result<Vec<Contestant>> {
    let mut all = vec![contestant::floor(&built.floor)];
    if !args.no_daemon {
        let daemon = match &args.daemon {
            Some(given) => binary(given, "--daemon")?,
            None => build::daemon()?,
        };
        all.push(contestant::fieldwarden("fieldwarden", &daemon));
    }
    if let Some(given) = &args.before {
        all.push(contestant::fieldwarden(
            "before",
            &binary(given, "--before")?,
        ));
    }
    if args.peers {
        let root = args.peers_root.clone().unwrap_or_else(|| "/".into());
        let found = peers::found(&root);
        if found.is_empty() {
            bail!(
                "none of runit, s6 and daemontools is below {}; install one",
                root.display()
            );
        }
        all.extend(found);
    }
    Ok(all)
}

fn binary(given: &Path, option: &str) -> Result<PathBuf> {
    let absolute = given.canonicalize();
    absolute.with_context(|| format!("the daemon {} ({option})", given.display()))
}

fn plan(args: &BenchArgs) -> Plan {
    let (rounds, starts, crash, idle): (_, &[usize], _, _) = if args.quick {
        (1, &[1, 10, 36], 5, 6)
    } else {
        (5, &[1, 10, 36, 200, 1000], 10, 30)
    };
    let crowds: &[usize] = if args.quick { &[] } else { &[200, 1000] };
    Plan {
        rounds: args.rounds.unwrap_or(rounds),
        starts: starts.to_vec(),
        crash: Duration::from_secs(crash),
        idle: Duration::from_secs(idle),
        crowds: crowds.to_vec(),
    }
}

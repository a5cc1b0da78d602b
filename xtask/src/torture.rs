//! `cargo xtask torture`: the simulator with very many seeds, in an optimised build, and cuts of the
//! power after very many writes.
//!
//! Both worlds follow one another, each with a line of progress and, at its end, a table of what
//! occurred in it. The first seed that fails ends it, with what replays it.

use crate::suite::tools;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::process::Stdio;

/// How much to try.
#[derive(Debug, Args)]
pub struct TortureArgs {
    /// Seeds of each of the two worlds: the whole machine, and outages
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    count: u64,
    /// Number of the first one
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,
    /// Seeds that are played at the same time, each on a processor of its own
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: u64,
    /// The whole machine only
    #[arg(long, conflicts_with = "outages")]
    machines: bool,
    /// Outages only: mains, batteries and gauges
    #[arg(long)]
    outages: bool,
    /// Cuts of a recorded disk that the journal and the marker have to survive; 0: none
    #[arg(long, value_name = "N", default_value_t = 2000, conflicts_with_all = ["machines", "outages"])]
    cuts: u64,
    /// Go on after a seed that fails, and tell all of them
    #[arg(long)]
    go_on: bool,
}

/// The two worlds, each by the test that plays it and the variable that says how many.
const MACHINES: (&str, &str) = ("seeds", "SIM_SEEDS");
const OUTAGES: (&str, &str) = ("outage::outages", "SIM_OUTAGES");

/// Plays the seeds.
///
/// # Errors
/// When one fails; what it was has been printed then.
pub fn run(args: &TortureArgs) -> Result<()> {
    args.from.checked_add(args.count).context(
        "so many seeds do not exist: --from and --count add up to more than a number holds",
    )?;
    let worlds = match (args.machines, args.outages) {
        (true, _) => vec![MACHINES],
        (false, true) => vec![OUTAGES],
        (false, false) => vec![MACHINES, OUTAGES],
    };
    let mut failed = Vec::new();
    for (test, variable) in worlds {
        if let Err(e) = play(test, variable, args) {
            if !args.go_on {
                return Err(e);
            }
            failed.push(format!("{e:#}"));
        }
    }
    if !args.machines
        && !args.outages
        && args.cuts > 0
        && let Err(e) = cut(args.cuts)
    {
        failed.push(format!("{e:#}"));
    }
    let (count, from) = (args.count, args.from);
    match failed.is_empty() {
        true => {
            println!("torture: all held, {count} seeds of each world from {from} on");
            Ok(())
        }
        false => bail!(failed.join("; ")),
    }
}

/// Cuts the power of a disk in a virtual machine, after so many of its writes.
fn cut(count: u64) -> Result<()> {
    let status = tools::command("cargo")
        .args(["xtask", "vm", "journal-survives-cuts"])
        .env(crate::vm::MORE_CUTS, count.to_string())
        .stdin(Stdio::null())
        .status()
        .context("cannot run cargo")?;
    match status.success() {
        true => Ok(()),
        false => bail!("`cargo xtask vm journal-survives-cuts` failed; it has named the cut"),
    }
}

fn play(test: &str, variable: &str, args: &TortureArgs) -> Result<()> {
    let status = tools::command("cargo")
        .args(["test", "--profile", "torture", "--quiet", "--test", "sim"])
        .args([test, "--", "--exact", "--nocapture"])
        .env("SIM_FIRST", args.from.to_string())
        .env(variable, args.count.to_string())
        .env("SIM_JOBS", args.jobs.to_string())
        .env("SIM_PROGRESS", "1")
        .env("SIM_GO_ON", u8::from(args.go_on).to_string())
        .stdin(Stdio::null())
        .status()
        .context("cannot run cargo")?;
    match status.success() {
        true => Ok(()),
        false => bail!("`{test}` failed; the lines above name the seed and what replays it"),
    }
}

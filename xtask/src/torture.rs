//! `cargo xtask torture`: the simulator with very many seeds, in an optimised build.
//!
//! Slices of seeds follow one another, so that a run of hours tells how far it is and can be ended at
//! any time. The first seed that fails ends it; the simulator itself prints the line that replays it.

use crate::suite::tools;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::process::Stdio;

/// Seeds between two lines of progress.
const SLICE: u64 = 5_000;

/// How much to try.
#[derive(Debug, Args)]
pub struct TortureArgs {
    /// Seeds of each of the two worlds: the whole machine, and outages
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    seeds: u64,
    /// Number of the first one
    #[arg(long, value_name = "N", default_value_t = 0)]
    first: u64,
    /// Outages only: mains, batteries and gauges
    #[arg(long)]
    outages: bool,
}

/// Plays the seeds.
///
/// # Errors
/// When one fails; what it was has been printed then.
pub fn run(args: &TortureArgs) -> Result<()> {
    let end = args
        .first
        .checked_add(args.seeds)
        .context("so many seeds do not exist")?;
    let mut first = args.first;
    while first < end {
        let seeds = SLICE.min(end - first);
        play(first, seeds, args.outages)?;
        first += seeds;
        println!(
            "torture: {} of {} seeds held",
            first - args.first,
            args.seeds
        );
    }
    Ok(())
}

fn play(first: u64, seeds: u64, outages: bool) -> Result<()> {
    let mut cargo = tools::command("cargo");
    cargo.args(["test", "--profile", "torture", "--quiet", "--test", "sim"]);
    if outages {
        cargo.arg("outages");
    }
    let status = cargo
        .args(["--", "--nocapture"])
        .env("SIM_FIRST", first.to_string())
        .env("SIM_SEEDS", seeds.to_string())
        .env("SIM_OUTAGES", seeds.to_string())
        .stdin(Stdio::null())
        .status()
        .context("cannot run cargo")?;
    match status.success() {
        true => Ok(()),
        false => bail!("a seed from {first} on failed; the line above replays it"),
    }
}

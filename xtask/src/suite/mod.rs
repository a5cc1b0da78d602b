//! `cargo xtask test`: every layer of tests, one after the other, closed by one table.
//!
//! A *layer* is a command and a way to count what it tried. Nothing is skipped in silence: a layer
//! that cannot run has failed, and says what to install.

mod count;
mod layers;
pub mod tools;

use anyhow::{Context, Result, bail};
use clap::Args;
use count::Count;
use layers::{Layer, Step};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// What to test.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Layers to run, by name (default: all)
    layers: Vec<String>,
    /// Show the layers and stop
    #[arg(long)]
    list: bool,
}

/// How one layer ended.
struct Outcome {
    name: &'static str,
    count: Count,
    time: Duration,
    failure: Option<String>,
}

/// Runs the layers.
///
/// # Errors
/// When a layer failed, or is not known.
pub fn run(args: &TestArgs) -> Result<()> {
    let all = layers::all();
    if args.list {
        for layer in &all {
            println!("{:10} {}", layer.name, layer.purpose);
        }
        return Ok(());
    }
    let known: Vec<&str> = all.iter().map(|l| l.name).collect();
    if let Some(stranger) = args.layers.iter().find(|n| !known.contains(&n.as_str())) {
        bail!("no layer `{stranger}`; there are: {}", known.join(", "));
    }
    let wanted = |l: &&Layer| args.layers.is_empty() || args.layers.iter().any(|n| n == l.name);
    let outcomes: Vec<Outcome> = all.iter().filter(wanted).map(run_layer).collect();
    report(&outcomes)
}

fn run_layer(layer: &Layer) -> Outcome {
    println!("\n== {}: {}", layer.name, layer.purpose);
    let begin = now();
    let mut count = Count::default();
    let mut failure = None;
    for step in &layer.steps {
        if let Err(e) = run_step(step, &mut count) {
            println!("{e:#}");
            failure.get_or_insert_with(|| format!("{e:#}"));
        }
    }
    if failure.is_none() && count.passed == 0 {
        failure = Some("nothing was tried".into());
    }
    Outcome {
        name: layer.name,
        count,
        time: begin.elapsed(),
        failure,
    }
}

fn run_step(step: &Step, count: &mut Count) -> Result<()> {
    match step {
        Step::Tool(tool) => tools::ensure(tool),
        Step::Command { words, counts } => run_command(words, *counts, count),
        Step::Native(check) => {
            let found = check()?;
            count.passed += found;
            Ok(())
        }
    }
}

/// Runs a command, shows what it prints, and counts in it.
fn run_command(words: &[&str], counts: count::Reader, count: &mut Count) -> Result<()> {
    let line = words.join(" ");
    println!("$ {line}");
    let (program, rest) = words.split_first().context("an empty command")?;
    let mut child = tools::command(program)
        .args(rest)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{line}`"))?;
    let output = child.stdout.take().context("no output to read")?;
    let mut found = Count::default();
    for line in BufReader::new(output).lines() {
        let line = line.context("output is not text")?;
        counts(&line, &mut found);
        println!("{line}");
    }
    let status = child.wait()?;
    if status.success() && found == Count::default() {
        // A command that checks one thing and prints nothing of counts.
        found.passed = 1;
    }
    if !status.success() && found.failed == 0 {
        found.failed = 1;
    }
    count.add(found);
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    if found.ignored > 0 {
        bail!("`{line}` left out {} tests", found.ignored);
    }
    Ok(())
}

fn report(outcomes: &[Outcome]) -> Result<()> {
    println!(
        "\n{:<12}{:>8}{:>10}{:>10}",
        "layer", "cases", "time", "failures"
    );
    let mut total = Count::default();
    let mut time = Duration::ZERO;
    for o in outcomes {
        let (cases, failed) = (o.count.passed + o.count.failed, o.count.failed);
        println!("{:<12}{cases:>8}{:>10}{failed:>10}", o.name, clock(o.time));
        total.add(o.count);
        time += o.time;
    }
    println!(
        "{:<12}{:>8}{:>10}{:>10}",
        "all",
        total.passed + total.failed,
        clock(time),
        total.failed
    );
    let bad: Vec<&Outcome> = outcomes.iter().filter(|o| o.failure.is_some()).collect();
    for o in &bad {
        println!("{}: {}", o.name, o.failure.as_deref().unwrap_or_default());
    }
    let failed = total.failed.max(bad.len() as u64);
    println!("\n{} passed, {failed} failed", total.passed);
    match bad.is_empty() {
        true => Ok(()),
        false => bail!("{} of {} layers failed", bad.len(), outcomes.len()),
    }
}

fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[allow(clippy::disallowed_methods, reason = "the suite times real commands")]
fn now() -> Instant {
    Instant::now()
}

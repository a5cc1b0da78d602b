//! `cargo xtask test`: every layer of tests, one after the other, closed by one table.
//!
//! A *layer* is a command and a way to count what it tried. Nothing is skipped in silence: a layer
//! that cannot run has failed, and says what to install. Layers that go by no clock run beside the
//! virtual machines, which wait most of their time.

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
    /// What its commands said of each test that failed.
    told: Vec<String>,
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
    let begin = now();
    let wanted = |l: &&Layer| args.layers.is_empty() || args.layers.iter().any(|n| n == l.name);
    let (last, rest): (Vec<&Layer>, Vec<&Layer>) = all
        .iter()
        .filter(wanted)
        .partition(|l| l.name == layers::WAITS);
    // Without the one that waits, none can run beside it.
    let (beside, first): (Vec<&Layer>, Vec<&Layer>) = rest
        .into_iter()
        .partition(|l| !last.is_empty() && layers::BESIDE.contains(&l.name));
    let mut outcomes: Vec<Outcome> = first
        .into_iter()
        .map(|l| run_layer(l, &mut Voice::Aloud))
        .collect();
    outcomes.extend(run_beside(&beside, &last));
    report(&outcomes, begin.elapsed())
}

/// Runs layers at the lowest priority while others run that mostly wait: virtual machines wait for
/// watchdogs, deadlines and boots. What the former print is shown when the latter are done.
fn run_beside(beside: &[&Layer], last: &[&Layer]) -> Vec<Outcome> {
    if !beside.is_empty() {
        let names: Vec<&str> = beside.iter().map(|l| l.name).collect();
        println!("\n{} run beside what follows", names.join(" and "));
    }
    // Two that install something at a time would be in each other's way.
    let missing = beside
        .iter()
        .flat_map(|l| &l.steps)
        .find_map(|step| match step {
            Step::Tool(tool) => tools::ensure(tool).err(),
            Step::Command { .. } | Step::Native(_) => None,
        });
    if let Some(e) = missing {
        println!("{e:#}");
    }
    std::thread::scope(|scope| {
        let quiet = scope.spawn(|| {
            let run = |layer: &&Layer| {
                let mut voice = Voice::Later(Vec::new());
                (run_layer(layer, &mut voice), voice)
            };
            beside.iter().map(run).collect::<Vec<_>>()
        });
        let loud: Vec<Outcome> = last
            .iter()
            .map(|l| run_layer(l, &mut Voice::Aloud))
            .collect();
        let quiet = quiet.join().expect("a layer does not panic");
        let mut outcomes = Vec::new();
        for (outcome, voice) in quiet {
            voice.speak();
            outcomes.push(outcome);
        }
        outcomes.extend(loud);
        outcomes
    })
}

/// Where a layer's words go.
enum Voice {
    /// Printed at once.
    Aloud,
    /// Kept until the layer is done; its commands have the lowest priority.
    Later(Vec<String>),
}

impl Voice {
    fn say(&mut self, line: String) {
        match self {
            Voice::Aloud => println!("{line}"),
            Voice::Later(lines) => lines.push(line),
        }
    }

    fn speak(self) {
        match self {
            Voice::Aloud => {}
            Voice::Later(lines) => lines.iter().for_each(|line| println!("{line}")),
        }
    }

    /// The command that runs this program.
    fn command(&self, program: &str) -> std::process::Command {
        match self {
            Voice::Aloud => tools::command(program),
            Voice::Later(_) => {
                let mut command = tools::command("nice");
                command.args(["-n", "19", program]);
                command
            }
        }
    }
}

fn run_layer(layer: &Layer, voice: &mut Voice) -> Outcome {
    voice.say(format!("\n== {}: {}", layer.name, layer.purpose));
    let begin = now();
    let mut count = Count::default();
    let mut failure = None;
    let mut told = Vec::new();
    for step in &layer.steps {
        if let Err(e) = run_step(step, &mut count, &mut told, voice) {
            voice.say(format!("{e:#}"));
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
        told,
    }
}

fn run_step(
    step: &Step,
    count: &mut Count,
    told: &mut Vec<String>,
    voice: &mut Voice,
) -> Result<()> {
    match step {
        Step::Tool(tool) => tools::ensure(tool),
        Step::Command { words, counts } => run_command(words, *counts, count, told, voice),
        Step::Native(check) => {
            let found = check()?;
            count.passed += found;
            Ok(())
        }
    }
}

/// Runs a command, shows what it prints, and counts in it.
fn run_command(
    words: &[&str],
    counts: count::Reader,
    count: &mut Count,
    told: &mut Vec<String>,
    voice: &mut Voice,
) -> Result<()> {
    let line = words.join(" ");
    voice.say(format!("$ {line}"));
    let (program, rest) = words.split_first().context("an empty command")?;
    let mut child = voice
        .command(program)
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
        if count::names_a_failure(&line) {
            told.push(line.trim().to_owned());
        }
        voice.say(line);
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

fn report(outcomes: &[Outcome], time: Duration) -> Result<()> {
    println!(
        "\n{:<12}{:>8}{:>10}{:>10}",
        "layer", "cases", "time", "failures"
    );
    let mut total = Count::default();
    for o in outcomes {
        let (cases, failed) = (o.count.passed + o.count.failed, o.count.failed);
        println!("{:<12}{cases:>8}{:>10}{failed:>10}", o.name, clock(o.time));
        total.add(o.count);
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
        // Once more, as the end of a long output is what is read, and sometimes all that is kept.
        o.told.iter().for_each(|line| println!("    {line}"));
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

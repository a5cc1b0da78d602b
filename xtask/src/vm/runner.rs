//! Runs cases, each in a machine of its own, and keeps what a failed one leaves behind.
//!
//! A failed case is a failed case, but for one that has shown nothing: the guest's clock has
//! demonstrably run away, or the machine did not come up before anything of ours was in it. Such a
//! case is told, and run once more.

// The runner measures real time and builds the daemon with cargo.
#![allow(clippy::disallowed_methods)]

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::case::{Cargo, Case, Modules, Payload, USUAL_LIMIT};
use super::disk::Disk;
use super::machine::{Machine, Options, Start};
use super::options::Board;
use super::prepare::{Lab, run, tool};

/// A guest whose clock is ahead by this much has lived in another time than its watchdog and its
/// host; on a busy host, asking for it takes a second or two.
const CLOCK_AHEAD: Duration = Duration::from_secs(15);

/// Puts what the second disk has of engines to its places.
const ENGINES: &str = "mkdir -p /srv/engines && mount -o ro /dev/vdb /srv/engines && \
    cp -rsn /srv/engines/. / && ldconfig";

/// What kept a machine from coming up may pass.
const BREATH: Duration = Duration::from_secs(5);

/// The guest's clock ran away: the fault of the host or of QEMU, not of what is tested.
#[derive(Debug)]
struct ClockJumped(Duration);

impl std::fmt::Display for ClockJumped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ahead = self.0.as_secs();
        write!(
            f,
            "the guest's clock jumped {ahead} s ahead, so nothing was shown"
        )
    }
}

/// The machine did not come up, with nothing in it but Debian and the lab's agent.
#[derive(Debug)]
struct NeverUp;

impl std::fmt::Display for NeverUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the machine did not come up, so nothing was shown")
    }
}

/// Whether the case failed without having shown anything.
fn shown_nothing(failure: &anyhow::Error) -> bool {
    failure.is::<ClockJumped>() || failure.is::<NeverUp>()
}

/// How a case ended.
struct Outcome {
    name: &'static str,
    time: Duration,
    result: Result<()>,
}

/// Runs the cases, `jobs` at a time, and then those that need the host for themselves; an error if one
/// of them failed.
pub fn run_all(repository: &Path, lab: &Lab, cases: &[Case], jobs: usize) -> Result<()> {
    let loads = Loads::build(repository, cases)?;
    let started = Instant::now();
    let (alone, beside): (Vec<Case>, Vec<Case>) = cases.iter().partition(|case| case.alone);
    let run = |case: &Case| run_one(repository, lab, &loads, case);
    let mut outcomes = run_beside(&beside, jobs, &run);
    outcomes.extend(run_beside(&alone, 1, &run));
    report(&outcomes, cases.len(), started.elapsed())
}

/// Runs these, so many at a time.
fn run_beside(
    cases: &[Case],
    jobs: usize,
    run: &(dyn Fn(&Case) -> Outcome + Sync),
) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::new());
    // The machine dies with the thread that started it, so a worker lives as long as its cases.
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = run(case);
                    if let Ok(mut outcomes) = outcomes.lock() {
                        outcomes.push(outcome);
                    }
                }
            });
        }
    });
    outcomes
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Runs a script of the host in a resumed guest and shows its output; for looking around.
pub fn run_script(lab: &Lab, script: &Path) -> Result<()> {
    let start = match lab.engines {
        Some(_) => Start::Cold,
        None => Start::Resumed,
    };
    let options = Options {
        disk: lab.engines.is_some().then_some(Disk::Plain),
        content: lab.engines.clone(),
        ..Options::plain(start, USUAL_LIMIT)
    };
    let machine = Machine::start(lab, &options)?;
    if let Some(archive) = &lab.devices {
        machine.unpack(archive)?;
    }
    if lab.engines.is_some() {
        machine.ok(ENGINES)?;
    }
    machine.put(script, "/root/script", 0o755)?;
    let output = machine.sh_within("sh /root/script 2>&1", USUAL_LIMIT)?;
    print!("{}", output.stdout);
    println!("vm: script ended with {}", output.code);
    Ok(())
}

/// What some case of a run needs in its guest.
struct Loads {
    daemon: Option<Payload>,
    programs: Option<Payload>,
}

impl Loads {
    fn build(repository: &Path, cases: &[Case]) -> Result<Loads> {
        // The emulated Pi boots with what it needs.
        let needed = |cargo| {
            let mut on_pc = cases.iter().filter(|case| case.board == Board::Pc);
            on_pc.any(|case| case.cargo == cargo)
        };
        let daemon = needed(Cargo::Daemon).then(|| build_payload(repository));
        let programs = needed(Cargo::Programs).then(|| Payload::programs(repository));
        Ok(Loads {
            daemon: daemon.transpose()?,
            programs: programs.transpose()?,
        })
    }

    fn daemon(&self) -> Result<&Payload> {
        self.daemon.as_ref().context("the daemon was not built")
    }

    fn programs(&self) -> Result<&Payload> {
        let programs = self.programs.as_ref();
        programs.context("the test programs were not built")
    }
}

fn build_payload(repository: &Path) -> Result<Payload> {
    println!("vm: building the daemon");
    let mut cargo = tool(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(repository)
        .args(["build", "--release", "--bin", "fieldwarden"]);
    run(cargo.env("CARGO_TARGET_DIR", repository.join("target")))?;
    Payload::collect(repository)
}

fn run_one(repository: &Path, lab: &Lab, loads: &Loads, case: &Case) -> Outcome {
    let started = Instant::now();
    let kept = repository.join("target/vm").join(case.name);
    // What an earlier run left there says nothing about this one.
    let _ = fs::remove_dir_all(&kept);
    let mut result = in_machine(lab, loads, case, &kept);
    if let Err(error) = &result
        && shown_nothing(error)
    {
        println!("vm: AGAIN   {}: {error:#}", case.name);
        thread::sleep(BREATH);
        result = in_machine(lab, loads, case, &kept);
    }
    let time = started.elapsed();
    match &result {
        Ok(()) => println!("vm: ok      {} ({:.1} s)", case.name, time.as_secs_f32()),
        Err(error) => {
            println!("vm: FAILED  {} ({:.1} s)", case.name, time.as_secs_f32());
            println!("    {error:#}\n    logs: {}", kept.display());
        }
    }
    Outcome {
        name: case.name,
        time,
        result,
    }
}

fn in_machine(lab: &Lab, loads: &Loads, case: &Case, kept: &Path) -> Result<()> {
    let options = Options {
        board: case.board,
        disk: case.disk,
        content: lab
            .engines
            .clone()
            .filter(|_| case.modules == Modules::Engines),
        append: case.append.to_owned(),
        ..Options::plain(case.start, case.limit)
    };
    let mut machine = Machine::start(lab, &options).context(NeverUp)?;
    match case.modules {
        Modules::Usual => Ok(()),
        Modules::Devices => machine.unpack(lab.devices.as_ref().context("the lab has no devices")?),
        Modules::Engines => machine.ok(ENGINES).map(drop),
    }
    .context("give the guest its devices or engines")?;
    let installed = match case.cargo {
        _ if case.board == Board::Pi => Ok(()),
        Cargo::Daemon => loads.daemon()?.install(&machine),
        Cargo::Programs => loads.programs()?.put(&machine),
        Cargo::Nothing => Ok(()),
    }
    .context("install what the case needs");
    let Err(failure) = installed.and_then(|()| (case.run)(&mut machine)) else {
        return Ok(());
    };
    let ahead = machine.clock_ahead();
    if let Err(error) = keep_logs(&mut machine, case.board, kept) {
        println!("vm: {}: logs incomplete: {error:#}", case.name);
    }
    Err(match ahead.filter(|ahead| *ahead >= CLOCK_AHEAD) {
        Some(ahead) => failure.context(ClockJumped(ahead)),
        None => failure,
    })
}

/// Saves the console, the machine's events, and the journal of all its boots.
fn keep_logs(machine: &mut Machine, board: Board, kept: &Path) -> Result<()> {
    fs::create_dir_all(kept)?;
    fs::copy(machine.serial_file(), kept.join("serial.log")).context("serial log")?;
    let events = machine.events_since(Default::default());
    let lines: Vec<String> = events
        .iter()
        .map(|e| format!("{} {}", e.name, e.data))
        .collect();
    fs::write(kept.join("events.log"), lines.join("\n") + "\n")?;
    if board == Board::Pi {
        let report = "fieldwarden status; cat /run/log /run/fieldwarden/trace* 2>&1";
        fs::write(kept.join("daemon.log"), machine.sh(report)?.stdout)?;
        return Ok(());
    }
    let read = "journalctl --sync; journalctl --no-pager -o short-precise > /tmp/journal.log";
    if machine.ok(read).is_err() {
        // A guest that does not answer is booted again; its journal is on its disk.
        machine.power_on()?;
        machine
            .wait_boot()
            .context("boot the guest again to read its journal")?;
        machine.ok(read)?;
    }
    fs::write(kept.join("journal.log"), machine.get("/tmp/journal.log")?)?;
    Ok(())
}

fn report(outcomes: &[Outcome], cases: usize, time: Duration) -> Result<()> {
    let width = outcomes
        .iter()
        .map(|outcome| outcome.name.len())
        .max()
        .unwrap_or(0);
    println!("\n{:width$}  {:>7}  result", "case", "seconds");
    for Outcome { name, time, result } in outcomes {
        let word = match result {
            Ok(()) => "ok".to_owned(),
            Err(error) => format!("FAILED: {}", short(&format!("{error:#}"))),
        };
        println!("{name:width$}  {:>7.1}  {word}", time.as_secs_f32());
    }
    let failed = outcomes
        .iter()
        .filter(|outcome| outcome.result.is_err())
        .count();
    println!(
        "{cases} cases, {failed} failed, {:.1} s",
        time.as_secs_f32()
    );
    if failed > 0 || outcomes.len() != cases {
        bail!("VM suite: {failed} of {cases} cases failed; logs in target/vm");
    }
    Ok(())
}

/// The beginning of what a failure says, on one line: the rest stands where it happened.
fn short(failure: &str) -> String {
    failure
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(200)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only what has shown nothing earns a case another try, and the failure stays readable.
    #[test]
    fn a_jump_is_told_from_a_failure() {
        let failure = || anyhow::anyhow!("not done in time");
        let jumped = failure().context(ClockJumped(Duration::from_secs(340)));
        assert!(shown_nothing(&jumped));
        assert!(shown_nothing(&failure().context(NeverUp)));
        assert!(!shown_nothing(&failure()));
        assert!(!shown_nothing(&failure().context("waiting")));
        let told = format!("{jumped:#}");
        assert!(
            told.contains("340 s") && told.ends_with("not done in time"),
            "{told}"
        );
    }
}

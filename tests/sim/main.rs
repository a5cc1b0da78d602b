//! Seeded simulator: the shipped core against a machine in which things go wrong.
//!
//! One seed decides everything: the configuration, the faults, and every instant at which they
//! strike. First faults and safety: the invariants of `checks.rs`, `clocks.rs`, `hardware.rs`,
//! `mains.rs` and `process.rs` hold at every step. Then the faults stop and liveness is required:
//! everything that should be up is up again within a bounded time.
//!
//! Outages have a world of their own, in `outage/`.
//!
//! `cargo test --test sim` runs 1,000 seeds; `SIM_SEEDS=n` runs n; `SIM_SEED=n` replays one and
//! prints all of it. The journal of a run that fails becomes a scenario file in `target/sim/`.

mod any_fact;
mod anything;
mod bars;
mod battery;
mod board;
mod board_file;
mod budget;
mod by_current;
mod checks;
mod chips;
mod clocks;
mod daemon;
mod ends;
mod faults;
mod groups;
mod guards;
mod halting;
mod hands;
mod hardware;
mod heat;
mod heritage;
mod hold;
mod jobs;
mod keeper;
mod ladder;
mod lamp;
mod mains;
mod outage;
mod plan;
mod probes;
mod process;
mod reboots;
mod reloads;
mod repairs;
mod rng;
mod series;
mod shipped;
mod silence;
mod story;
mod strain;
mod strikes;
mod tally;
mod throttle;
mod truth;
mod uplink;
mod verdict;
mod world;

use chips::Ails;
use faults::Kind;
use fieldwarden::core::picture::Rung;
use plan::Plan;
use series::{Outcome, Series};
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use story::Book;
use tally::Tally;
use world::World;

/// Seeds of a usual run.
const SEEDS: u64 = 1_000;

/// All rungs of a halt.
const RUNGS: [Rung; 10] = [
    Rung::Looking,
    Rung::Stopping,
    Rung::Killing,
    Rung::Recording,
    Rung::Syncing,
    Rung::Cutting,
    Rung::Asked,
    Rung::Rescuing,
    Rung::Forced,
    Rung::WatchdogReset,
];

/// Runs one seed. `Err` tells what went wrong.
fn play(seed: u64, book: &Book) -> Result<Tally, String> {
    let drawn = catch_unwind(|| Plan::of(seed));
    let plan = drawn.map_err(|_| "panic, see above".to_owned())?;
    play_plan(plan, book)
}

/// Runs what a seed has decided.
fn play_plan(plan: Plan, book: &Book) -> Result<Tally, String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(plan, book.clone());
        let outcome = world.run();
        world.tally.lives = u64::from(world.lives);
        outcome.map(|()| world.tally)
    }));
    outcome.unwrap_or_else(|_| Err("panic, see above".to_owned()))
}

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number")),
    )
}

/// Plays a seed once more with its journal, and tells all about it.
fn tell(seed: u64, why: &str) -> String {
    let plan = Plan::of(seed);
    let book = Book::of(plan.settings.clone());
    let again = play(seed, &book).err();
    let written = save_seed(seed, &book, &plan);
    let same = again.as_deref() == Some(why);
    let journal = match written {
        Ok(file) => format!("{} (the last life, as a scenario)", file.display()),
        Err(e) => format!("could not be written: {e}"),
    };
    let differs = match same {
        true => "",
        false => "  THE REPLAY DIFFERS: something is not decided by the seed\n",
    };
    format!(
        "seed {seed} fails {why}\n  commit  {}\n  replay  SIM_SEED={seed} cargo test --test sim -- \
         --nocapture\n  journal {journal}\n{differs}",
        commit(),
    )
}

/// Writes the last life of a run as a scenario file.
fn save_seed(seed: u64, book: &Book, plan: &Plan) -> io::Result<PathBuf> {
    let scenario = book.scenario(&format!("seed {seed}"), &plan.toml, plan.file.as_deref());
    save(&format!("seed-{seed}.txt"), &scenario)
}

/// Writes a scenario file.
fn save(name: &str, scenario: &str) -> io::Result<PathBuf> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("sim");
    let file = directory.join(name);
    fs::create_dir_all(&directory)?;
    fs::write(&file, scenario)?;
    Ok(file)
}

#[allow(clippy::disallowed_methods, reason = "a test asks git for the commit")]
fn commit() -> String {
    let git = Command::new("git")
        .args(["rev-parse", "--short", "HEAD"])
        .output();
    match git {
        Ok(out) if out.status.success() => String::from_utf8_lossy(&out.stdout).trim().to_owned(),
        Ok(_) | Err(_) => "unknown".to_owned(),
    }
}

/// One seed, with everything that was heard and answered.
fn replay(seed: u64) {
    let plan = Plan::of(seed);
    let book = Book::of(plan.settings.clone());
    let outcome = play(seed, &book);
    save_seed(seed, &book, &plan).unwrap_or_else(|e| panic!("{e}"));
    println!("seed {seed}\nfaults {:?}\n{}", plan.faults, plan.toml);
    println!("{}", book.text());
    match outcome {
        Ok(tally) => print!("{tally}"),
        Err(why) => panic!("{}", tell(seed, &why)),
    }
}

/// What occurred, and how many seeds broke which promise.
fn print_table(all: &Tally, series: &Series, outcome: &Outcome) {
    print!("{all}");
    println!("{} seeds in {:.1} s", series.count, outcome.seconds);
    print_failures(&outcome.failed);
}

fn print_failures(failed: &[(u64, String)]) {
    let of = |what: &str| failed.iter().filter(|(_, why)| why.contains(what)).count();
    println!(
        "spurious halts: {}, missed halts: {}, seeds that failed: {}",
        of("zero spurious"),
        of("zero missed"),
        failed.len()
    );
}

/// Every invariant holds for every seed, and every kind of fault occurred.
#[test]
fn seeds() {
    if let Some(seed) = variable("SIM_SEED") {
        return replay(seed);
    }
    let series = Series::of("seed", "SIM_SEEDS", SEEDS);
    let mut all = Tally::default();
    let outcome = series.run(|seed| play(seed, &Book::default()), |tally| all.add(&tally));
    print_table(&all, &series, &outcome);
    fail(&outcome, tell);
    let missing: Vec<_> = Kind::ALL
        .iter()
        .filter(|k| !all.faults.contains_key(k))
        .collect();
    let ails = Ails::ALL.iter();
    let sound: Vec<_> = ails.filter(|a| !all.power.ails.contains_key(a)).collect();
    assert!(
        series.count < SEEDS || missing.is_empty() && sound.is_empty(),
        "never occurred: {missing:?} {sound:?}"
    );
    // V1 says nothing of ends that never come.
    for end in [
        "Hang",
        "Withheld",
        "MainsCut",
        "CutOnBattery",
        "CutOrHang",
        "Halted",
        "InHalt",
    ] {
        let judged = all.verdicts.get(end).copied().unwrap_or(0);
        assert!(series.count < SEEDS || judged >= 20, "{end}: {judged}");
    }
    // Whatever a rung promises was put to the test only where something happened on it.
    let power = &all.power;
    for (what, rungs) in [
        ("reached", &power.rungs),
        ("daemon killed on", &power.killed),
        ("machine reset on", &power.reset),
    ] {
        // A reset in the few moments in which a board is told came with none of these seeds; a daemon
        // that is killed on that rung is followed as well.
        let rare = |rung: &Rung| what == "machine reset on" && *rung == Rung::Cutting;
        let missing: Vec<_> = RUNGS
            .iter()
            .filter(|r| !rungs.contains_key(r) && !rare(r))
            .collect();
        assert!(
            series.count < SEEDS || missing.is_empty(),
            "never {what}: {missing:?}"
        );
    }
    // E1 says nothing about a machine that is never restarted, or always.
    // And O1 nothing about holds that nobody has.
    for note in [
        "MachineRestarting",
        "MachineKept",
        "DrillRefused",
        "HoldBegan",
        "HoldChanged",
        "HoldTakenUp",
        "HoldOver",
        "HoldEnded",
    ] {
        assert!(
            series.count < SEEDS || all.note(note) >= 20,
            "{note}: {}",
            all.note(note)
        );
    }
}

/// Ends a test whose series had seeds that failed, and tells all about the first of them.
fn fail(outcome: &Outcome, tell: fn(u64, &str) -> String) {
    let Some((seed, why)) = outcome.failed.first() else {
        return;
    };
    for (seed, why) in outcome.failed.iter().skip(1) {
        println!("seed {seed} fails {why}");
    }
    panic!("{}", tell(*seed, why));
}

/// A core of its own with this configuration, in the first daemon of a boot.
fn core_of(text: &str, seed: u64) -> fieldwarden::core::Core {
    let loaded = fieldwarden::config::parse("small.toml", text);
    let settings = loaded.unwrap_or_else(|p| panic!("{p}")).config.settings;
    let boot = fieldwarden::core::BootFacts {
        seed,
        init_watchdog: None,
        first: true,
    };
    fieldwarden::core::Core::new(settings, boot)
}

//! `cargo xtask fuzz`: plays the readers of foreign bytes with inputs that look for new ways through.
//!
//! The targets and their seeds are laid out as cargo-fuzz wants them, and can be run with it. This
//! needs no nightly compiler: what watches the ways is built into the stable one, and the readers are
//! safe Rust, so that no sanitizer is needed to see them fail.

use crate::suite::tools;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::thread;

/// What to play, and for how long.
#[derive(Debug, Args)]
pub struct FuzzArgs {
    /// Targets, by name (default: all)
    targets: Vec<String>,
    /// Show the targets and stop
    #[arg(long)]
    list: bool,
    /// Seconds for each target
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// Targets that are played at the same time
    #[arg(long, value_name = "N", default_value_t = 2)]
    jobs: usize,
    /// Build quicker, and try less in the same time
    #[arg(long)]
    quick: bool,
    /// Number that decides what is tried; 0: another one each time
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// Longest input in bytes: more than any reader takes at once, and short enough to try many.
const LONGEST: u32 = 16 * 1024;

/// An input that takes so many seconds hangs its reader.
const HANGS: u32 = 20;

/// A reader that takes so many mebibytes has no bounds.
const MEMORY: u32 = 1024;

/// What has the compiler watch the ways through the program, as cargo-fuzz has it do.
const WATCHED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";

/// Plays the targets.
///
/// # Errors
/// When one fails; what it fell over, and what shows that again, has been printed then.
pub fn run(args: &FuzzArgs) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("repository root")?;
    let all = targets(root)?;
    if args.list {
        all.iter().for_each(|name| println!("{name}"));
        return Ok(());
    }
    if let Some(stranger) = args.targets.iter().find(|name| !all.contains(name)) {
        bail!("no target `{stranger}`; there are: {}", all.join(", "));
    }
    let chosen = match args.targets.is_empty() {
        true => all,
        false => args.targets.clone(),
    };
    let programs = build(root, args.quick)?;
    println!("{:<12}{:>12}{:>12}  result", "target", "tries", "ways");
    let (waiting, failures) = (Mutex::new(VecDeque::from(chosen.clone())), Mutex::new(0));
    thread::scope(|scope| {
        for _ in 0..args.jobs.max(1) {
            scope.spawn(|| {
                while let Some(name) = waiting.lock().ok().and_then(|mut w| w.pop_front()) {
                    if let Err(why) = play(root, &programs, &name, args) {
                        println!("{why:#}");
                        failures.lock().map(|mut count| *count += 1).ok();
                    }
                }
            });
        }
    });
    let failed = failures.into_inner().unwrap_or(chosen.len());
    println!("{} cases, {failed} failed", chosen.len());
    if failed > 0 {
        bail!("{failed} of {} targets failed", chosen.len());
    }
    Ok(())
}

/// Names of the targets: those of their folders of seeds.
fn targets(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("fuzz/seeds");
    let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Builds all of them, and tells where they are.
fn build(root: &Path, quick: bool) -> Result<PathBuf> {
    let host = host()?;
    let (profile, folder) = match quick {
        true => ("dev", "debug"),
        false => ("release", "release"),
    };
    println!("fuzz: building the targets");
    let status = tools::command("cargo")
        .current_dir(root)
        .args([
            "build",
            "--locked",
            "--quiet",
            "--profile",
            profile,
            "--manifest-path",
        ])
        .args([
            "fuzz/Cargo.toml",
            "--target-dir",
            "target/fuzz",
            "--target",
            &host,
        ])
        .env("RUSTFLAGS", WATCHED)
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .stdin(Stdio::null())
        .status()
        .context("cargo")?;
    if !status.success() {
        bail!("the targets cannot be built; they need a C++ compiler (apt-get install g++)");
    }
    Ok(root.join("target/fuzz").join(host).join(folder))
}

fn host() -> Result<String> {
    let out = tools::command("rustc")
        .arg("-vV")
        .output()
        .context("rustc")?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .context("rustc does not name its host")
}

/// Folders with inputs that the project has anyway.
fn shared(target: &str) -> Vec<&'static str> {
    let lines = include_str!("../../fuzz/shared").lines();
    let line = lines
        .filter_map(|line| line.split_once(' '))
        .find(|(name, _)| *name == target);
    let folders = line.map_or("", |(_, folders)| folders).split(' ');
    folders.filter(|folder| !folder.is_empty()).collect()
}

fn play(root: &Path, programs: &Path, name: &str, args: &FuzzArgs) -> Result<()> {
    let (corpus, found) = (
        root.join("target/fuzz/corpus").join(name),
        root.join("target/fuzz/found"),
    );
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&found)?;
    let out = tools::command(&programs.join(name).to_string_lossy())
        .current_dir(root)
        .arg(&corpus)
        .arg(format!("fuzz/seeds/{name}"))
        .args(shared(name))
        .arg(format!("-max_total_time={}", args.seconds))
        .arg(format!("-max_len={LONGEST}"))
        .arg(format!("-timeout={HANGS}"))
        .arg(format!("-rss_limit_mb={MEMORY}"))
        .arg(format!("-seed={}", args.seed))
        .arg(format!("-artifact_prefix={}/{name}-", found.display()))
        .arg("-print_final_stats=1")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {name}"))?;
    let said = String::from_utf8_lossy(&out.stderr);
    let tries = said
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))
        .unwrap_or("?");
    let ways = said.lines().rev().find_map(|line| {
        let mut words = line.split_whitespace().skip_while(|word| *word != "cov:");
        words.nth(1)
    });
    let result = if out.status.success() { "ok" } else { "FAILED" };
    println!(
        "{name:<12}{:>12}{:>12}  {result}",
        tries.trim(),
        ways.unwrap_or("?")
    );
    if out.status.success() {
        return Ok(());
    }
    let lines: Vec<&str> = said.lines().collect();
    let tail = lines[lines.len().saturating_sub(25)..].join("\n  ");
    bail!(
        "  {tail}\nfuzz: what {name} fell over is in {}; {} FILE shows it again; keep it in fuzz/seeds/{name}",
        found.display(),
        programs.join(name).display()
    )
}

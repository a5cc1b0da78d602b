//! The layers, from the quickest answer to the slowest.

use super::count::{Reader, cargo, machines, nothing};
use super::tools::Tool;
use crate::vm::programs::PROGRAMS;
use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A part of a layer.
pub enum Step {
    /// A program that has to be there.
    Tool(Tool),
    /// A command that has to succeed.
    Command {
        words: Vec<&'static str>,
        counts: Reader,
    },
    /// A check in this program; gives the number of things that it looked at.
    Native(fn() -> Result<u64>),
}

/// One layer of tests.
pub struct Layer {
    pub name: &'static str,
    pub purpose: &'static str,
    pub steps: Vec<Step>,
}

fn step(line: &'static str, counts: Reader) -> Step {
    Step::Command {
        words: line.split(' ').collect(),
        counts,
    }
}

/// The layer that waits most of its time, and comes last.
pub const WAITS: &str = "machines";

/// Layers that run beside it, at the lowest priority: nothing in them goes by the clock.
pub const BESIDE: &[&str] = &["simulator", "fuzz"];

/// All layers, in the order in which they run, but for those that run beside the last one.
pub fn all() -> Vec<Layer> {
    let layer = |name, purpose, steps| Layer {
        name,
        purpose,
        steps,
    };
    vec![
        layer(
            "format",
            "the code is formatted",
            vec![
                step("cargo fmt --all --check", nothing),
                step("cargo fmt --manifest-path fuzz/Cargo.toml --check", nothing),
            ],
        ),
        layer(
            "lint",
            "clippy finds nothing",
            vec![
                step(
                    "cargo clippy --workspace --all-targets -- -D warnings",
                    nothing,
                ),
                // No target of `cargo test`, and so none of `--all-targets`.
                step(
                    "cargo clippy --test spawn_in_cgroup --test spawn_in_sandbox -- -D warnings",
                    nothing,
                ),
            ],
        ),
        layer(
            "supply",
            "licences, bans and sources of dependencies; the stated Rust version is enough for them",
            vec![
                Step::Tool(Tool::CargoDeny),
                step("cargo deny --locked check bans licenses sources", nothing),
                step(
                    "cargo deny --locked --manifest-path fuzz/Cargo.toml check bans licenses sources",
                    nothing,
                ),
                Step::Native(rust_versions),
            ],
        ),
        layer(
            "targets",
            "the code fits the processors of every Pi: 64-bit and 32-bit ARM, the latter run as well",
            vec![
                Step::Tool(Tool::Targets),
                Step::Tool(Tool::Arm32),
                step(
                    "cargo check --locked --all-targets --target aarch64-unknown-linux-gnu",
                    nothing,
                ),
                step(
                    "cargo test --locked --no-fail-fast --config xtask/arm32.toml --test scenarios --test spawn",
                    cargo,
                ),
            ],
        ),
        layer(
            "unit",
            "units, properties and tables inside the code",
            vec![
                step("cargo test --no-fail-fast --lib", cargo),
                step("cargo test --no-fail-fast --package xtask --bins", cargo),
            ],
        ),
        layer(
            "tidy",
            "the shape of the code: who may touch what, who owns which action",
            vec![
                step("cargo test --no-fail-fast --test tidy", cargo),
                Step::Native(every_target_runs),
            ],
        ),
        layer(
            "scenarios",
            "every policy, as scripts with recorded answers",
            vec![step(
                "cargo test --no-fail-fast --test scenarios -- --nocapture",
                cargo,
            )],
        ),
        layer(
            "simulator",
            "a thousand seeds of faults against the invariants",
            vec![step(
                "cargo test --no-fail-fast --test sim -- --nocapture",
                cargo,
            )],
        ),
        layer(
            "fuzz",
            "what reads foreign bytes, fed with inputs that look for new ways through it",
            vec![
                Step::Tool(Tool::Cxx),
                step("cargo xtask fuzz --quick --seconds 5 --seed 1", machines),
            ],
        ),
        layer(
            "edges",
            "devices, sockets, configuration and spawning against real files and processes",
            vec![
                Step::Tool(Tool::Python),
                Step::Tool(Tool::JsonSchema),
                Step::Tool(Tool::SystemdNotify),
                Step::Tool(Tool::Metrics),
                step(
                    "cargo test --no-fail-fast --test devices --test config --test control",
                    cargo,
                ),
                step(
                    "cargo test --no-fail-fast --test spawn --test children --test daemon --test power_cut",
                    cargo,
                ),
                step("cargo test --no-fail-fast --test examples", cargo),
            ],
        ),
        layer(
            "commands",
            "the binary's commands, their text and exit codes; the demo from end to end",
            vec![step(
                "cargo test --no-fail-fast --test cli --test demo",
                cargo,
            )],
        ),
        layer(
            "documents",
            "commands, codes, keys, events and evidence that the documents name; manual pages",
            vec![step("cargo test --no-fail-fast --test docs", cargo)],
        ),
        layer(
            "machines",
            "the shipped unit and binary on a real kernel with systemd, in virtual machines; all \
             cases but two, which are run by name",
            vec![step("cargo xtask vm", machines)],
        ),
    ]
}

/// Every test program of the package is run by some layer.
fn every_target_runs() -> Result<u64> {
    let data = metadata()?;
    let packages = data["packages"]
        .as_array()
        .context("no packages in cargo metadata")?;
    let ours = packages
        .iter()
        .find(|p| p["name"] == "fieldwarden")
        .context("no fieldwarden")?;
    let targets = ours["targets"].as_array().context("no targets")?;
    let layers = all();
    let run: Vec<&str> = layers
        .iter()
        .flat_map(|layer| &layer.steps)
        .filter_map(|step| match step {
            Step::Command { words, .. } => Some(words),
            Step::Tool(_) | Step::Native(_) => None,
        })
        .flat_map(|words| words.windows(2).filter(|w| w[0] == "--test").map(|w| w[1]))
        .collect();
    let mut looked_at = 0;
    for target in targets.iter().filter(|t| t["kind"][0] == "test") {
        looked_at += 1;
        let name = target["name"].as_str().unwrap_or_default();
        let in_guest = PROGRAMS
            .iter()
            .any(|(program, only)| *only && *program == name);
        if !run.contains(&name) && !in_guest {
            bail!("no layer runs tests/{name}: add it to xtask/src/suite/layers.rs");
        }
    }
    Ok(looked_at)
}

fn metadata() -> Result<Value> {
    let out = super::tools::command("cargo")
        .args(["metadata", "--format-version", "1", "--locked"])
        .output()
        .context("cargo metadata")?;
    serde_json::from_slice(&out.stdout).context("cargo metadata")
}

/// No dependency needs a newer compiler than the one that we promise to be enough.
fn rust_versions() -> Result<u64> {
    let data = metadata()?;
    let packages = data["packages"]
        .as_array()
        .context("no packages in cargo metadata")?;
    let ours = packages
        .iter()
        .find(|p| p["name"] == "fieldwarden")
        .and_then(|p| version(&p["rust_version"]))
        .context("Cargo.toml states no rust-version")?;
    let mut looked_at = 0;
    for package in packages {
        looked_at += 1;
        if let Some(theirs) = version(&package["rust_version"]).filter(|v| *v > ours) {
            bail!(
                "{} needs Rust {theirs:?}, Cargo.toml promises {ours:?}",
                package["name"]
            );
        }
    }
    println!("rust-version {ours:?} is enough for {looked_at} packages");
    Ok(looked_at)
}

fn version(value: &Value) -> Option<(u32, u32)> {
    let mut parts = value.as_str()?.split('.').map(|p| p.parse().ok());
    Some((parts.next()??, parts.next().unwrap_or(Some(0))?))
}

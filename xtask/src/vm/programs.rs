//! Test programs of the package that run in a guest: what they do to control groups, or need root for,
//! is for a machine of its own.

// Cargo is a program that the tools start.
#![allow(clippy::disallowed_methods)]

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::prepare::{run, tool};

/// Test targets that the suite puts into a guest, and whether `cargo test` leaves them out.
pub const PROGRAMS: [(&str, bool); 2] = [("spawn", false), ("spawn_in_cgroup", true)];

/// Where they are in the guest.
pub const PLACE: &str = "/usr/local/lib/fieldwarden-tests";

/// Builds them, without what only a debugger reads: name and file of each.
pub fn build(repository: &Path) -> Result<Vec<(String, PathBuf)>> {
    println!("vm: building test programs");
    let mut cargo = tool(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(repository)
        .args(["test", "--no-run", "--message-format", "json"]);
    for (name, _) in PROGRAMS {
        cargo.args(["--test", name]);
    }
    cargo.env("CARGO_TARGET_DIR", repository.join("target"));
    let told = cargo.output().context("cargo test --no-run")?;
    if !told.status.success() {
        bail!(
            "the test programs cannot be built: {}",
            String::from_utf8_lossy(&told.stderr)
        );
    }
    let messages = String::from_utf8(told.stdout).context("cargo's messages")?;
    let folder = repository.join("target/vm-programs");
    std::fs::create_dir_all(&folder)?;
    let mut found = Vec::new();
    for message in messages.lines() {
        let message: Value = serde_json::from_str(message).context("cargo's messages")?;
        let name = message["target"]["name"].as_str().unwrap_or_default();
        let (Some(file), true) = (
            message["executable"].as_str(),
            PROGRAMS.iter().any(|(program, _)| *program == name),
        ) else {
            continue;
        };
        let small = folder.join(name);
        run(tool("strip").arg("-o").arg(&small).arg(file))?;
        found.push((name.to_owned(), small));
    }
    match found.len() == PROGRAMS.len() {
        true => Ok(found),
        false => bail!("cargo built {found:?} instead of {PROGRAMS:?}"),
    }
}

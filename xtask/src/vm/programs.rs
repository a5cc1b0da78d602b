//! Test programs of the package that run in a guest: what they do to control groups, or need root for,
//! is for a machine of its own.

// Cargo is a program that the tools start.
#![allow(clippy::disallowed_methods)]

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::prepare::{run, tool};

/// Test targets that the suite puts into a guest, and whether `cargo test` leaves them out.
pub const PROGRAMS: [(&str, bool); 3] = [
    ("spawn", false),
    ("spawn_in_cgroup", true),
    ("spawn_in_sandbox", true),
];

/// One more, which the host runs as well: it writes in a guest what the host reads after a cut.
pub const POWER_CUT: &str = "power_cut";

/// Where they are in the guest.
pub const PLACE: &str = "/usr/local/lib/fieldwarden-tests";

/// Where they are on the host, below the repository.
const FOLDER: &str = "target/vm-programs";

/// One of them on the host, once they are built.
pub fn local(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(FOLDER)
        .join(name)
}

/// Builds them, without what only a debugger reads: name and file of each.
pub fn build(repository: &Path) -> Result<Vec<(String, PathBuf)>> {
    println!("vm: building test programs");
    let mut cargo = tool(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(repository)
        .args(["test", "--no-run", "--message-format", "json"]);
    let all = PROGRAMS.map(|(name, _)| name);
    let all: Vec<&str> = all.into_iter().chain([POWER_CUT]).collect();
    for name in &all {
        cargo.args(["--test", name]);
    }
    cargo.env("CARGO_TARGET_DIR", repository.join("target"));
    let messages = messages(&mut cargo)?;
    let folder = repository.join(FOLDER);
    std::fs::create_dir_all(&folder)?;
    let mut found = Vec::new();
    for (name, file) in executables(&messages)? {
        if all.contains(&&*name) {
            let small = folder.join(&name);
            run(tool("strip").arg("-o").arg(&small).arg(file))?;
            found.push((name, small));
        }
    }
    match found.len() == all.len() {
        true => Ok(found),
        false => bail!("cargo built {found:?} instead of {all:?}"),
    }
}

/// The program of a target, built by `cargo` with `--message-format json`.
pub fn executable(cargo: &mut Command, name: &str) -> Result<PathBuf> {
    let found = executables(&messages(cargo)?)?;
    let program = found.into_iter().find(|(target, _)| target == name);
    let (_, file) = program.with_context(|| format!("cargo built no {name}"))?;
    Ok(file)
}

/// What cargo says about what it builds, one value a line.
fn messages(cargo: &mut Command) -> Result<String> {
    let told = cargo.output().context("cargo test --no-run")?;
    if !told.status.success() {
        bail!(
            "the test programs cannot be built: {}",
            String::from_utf8_lossy(&told.stderr)
        );
    }
    String::from_utf8(told.stdout).context("cargo's messages")
}

/// Name and file of each program in these messages.
fn executables(messages: &str) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for message in messages.lines() {
        let message: Value = serde_json::from_str(message).context("cargo's messages")?;
        if let (Some(name), Some(file)) = (
            message["target"]["name"].as_str(),
            message["executable"].as_str(),
        ) {
            found.push((name.to_owned(), PathBuf::from(file)));
        }
    }
    Ok(found)
}

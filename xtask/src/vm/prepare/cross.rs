//! Builds for the 64-bit Pi on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::command::{run, tool};
use super::packages::Program;
use crate::suite::tools::{Tool, ensure};

/// The processor and its C library.
pub const TARGET: &str = "aarch64-unknown-linux-gnu";

/// The linker, and the C library that it links against.
pub const PROGRAMS: &[Program] = &[
    ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
    ("/usr/aarch64-linux-gnu/lib/crt1.o", "libc6-dev-arm64-cross"),
];

/// Name under which cargo looks for the linker of [`TARGET`].
const LINKER: &str = "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER";

/// Lets cargo build for the Pi.
pub fn aim(cargo: &mut Command) -> Result<()> {
    ensure(&Tool::Targets)?;
    cargo.args(["--target", TARGET]).env(LINKER, PROGRAMS[0].0);
    Ok(())
}

/// The daemon as it is shipped for the Pi.
pub fn daemon(repository: &Path) -> Result<PathBuf> {
    println!("vm: building the daemon for the Pi");
    let mut cargo = tool(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let target = repository.join("target");
    cargo
        .current_dir(repository)
        .args(["build", "--locked", "--release", "--bin", "fieldwarden"]);
    cargo.env("CARGO_TARGET_DIR", &target);
    aim(&mut cargo)?;
    run(&mut cargo).context("build for the Pi")?;
    Ok(target.join(TARGET).join("release/fieldwarden"))
}

//! Builds for the 64-bit Pi on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::command::{run, tool};
use super::packages::Program;
use crate::suite::tools::{Tool, ensure};
use crate::vm::programs;

/// The processor and its C library.
pub const TARGET: &str = "aarch64-unknown-linux-gnu";

/// The linker, and the C library that it links against.
pub const PROGRAMS: &[Program] = &[
    ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
    ("/usr/aarch64-linux-gnu/lib/crt1.o", "libc6-dev-arm64-cross"),
];

/// Comes with the compiler.
const STRIP: &str = "aarch64-linux-gnu-strip";

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
    let mut cargo = cargo(repository)?;
    cargo.args(["build", "--locked", "--release", "--bin", "fieldwarden"]);
    aim(&mut cargo)?;
    run(&mut cargo).context("build for the Pi")?;
    Ok(folder(repository).join("fieldwarden"))
}

/// A test program of the package. Unoptimised, and without what only a debugger reads: building it
/// is what takes time.
pub fn test(repository: &Path, name: &str) -> Result<PathBuf> {
    println!("vm: building test program {name} for the Pi");
    let mut cargo = cargo(repository)?;
    cargo.args(["test", "--locked", "--no-run"]);
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "0");
    cargo.args(["--test", name, "--message-format", "json"]);
    aim(&mut cargo)?;
    let file = programs::executable(&mut cargo, name)?;
    let small = folder(repository).join(format!("{name}-test"));
    run(tool(STRIP).arg("-o").arg(&small).arg(file))?;
    Ok(small)
}

fn cargo(repository: &Path) -> Result<Command> {
    let mut cargo = tool(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(repository);
    cargo.env("CARGO_TARGET_DIR", repository.join("target"));
    Ok(cargo)
}

fn folder(repository: &Path) -> PathBuf {
    repository.join("target").join(TARGET).join("release")
}

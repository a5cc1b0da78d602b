//! Programs that layers need: found, or installed where that is allowed, or named.

use anyhow::{Result, bail};
use std::process::{Command, Stdio};

/// A program that a layer needs.
#[derive(Clone, Copy)]
pub enum Tool {
    /// cargo-deny.
    CargoDeny,
    /// A C++ compiler, for the fuzzer.
    Cxx,
    /// A Python interpreter: services in that language are part of what is tested.
    Python,
    /// A validator of JSON schemas that is not ours.
    JsonSchema,
    /// The standard library for the processors of [`TARGETS`].
    Targets,
    /// The linker for 32-bit ARM, its C library, and what runs its programs on another processor:
    /// what `xtask/arm32.toml` names.
    Arm32,
    /// `systemd-notify`: what a service in shell speaks with.
    SystemdNotify,
    /// What judges and reads metrics: `promtool`, a reader of OpenMetrics, and curl.
    Metrics,
}

/// Version of cargo-deny; its configuration changes with it.
const CARGO_DENY: &str = "0.20.2";

/// The processors of every Pi: 64-bit and 32-bit ARM. `rustup target list` has their names.
const TARGETS: [&str; 2] = ["aarch64-unknown-linux-gnu", "armv7-unknown-linux-gnueabihf"];

/// There when the C library for 32-bit ARM is.
const ARM32_C_LIBRARY: &str = "/usr/arm-linux-gnueabihf/lib/crt1.o";

/// Sees to it that the program is there.
///
/// # Errors
/// When it is not and cannot be installed; the text is the line that would.
pub fn ensure(tool: &Tool) -> Result<()> {
    match tool {
        Tool::CargoDeny => {
            if runs("cargo", &["deny", "--version"]) {
                return Ok(());
            }
            install(
                "cargo",
                &["install", "--locked", "cargo-deny", "--version", CARGO_DENY],
            )
        }
        Tool::Targets if TARGETS.iter().all(|target| has_library(target)) => Ok(()),
        Tool::Targets => install("rustup", &["target", "add", TARGETS[0], TARGETS[1]]),
        Tool::Arm32 => {
            ensure_package("arm-linux-gnueabihf-gcc", "gcc-arm-linux-gnueabihf")?;
            ensure_package("qemu-arm-static", "qemu-user-static")?;
            if std::path::Path::new(ARM32_C_LIBRARY).exists() {
                return Ok(());
            }
            install_package("libc6-dev-armhf-cross")
        }
        Tool::Cxx => ensure_package("c++", "g++"),
        Tool::Python => ensure_package("python3", "python3-minimal"),
        Tool::JsonSchema => {
            let has = |python: &str| runs(python, &["-c", "import jsonschema"]);
            if has("python3") || has("/usr/bin/python3") {
                return Ok(());
            }
            install_package("python3-jsonschema")
        }
        Tool::Metrics => {
            ensure_package("curl", "curl")?;
            ensure_package("promtool", "prometheus")?;
            if runs(
                "/usr/bin/python3",
                &["-c", "import prometheus_client.openmetrics.parser"],
            ) {
                return Ok(());
            }
            install_package("python3-prometheus-client")
        }
        Tool::SystemdNotify => ensure_package("systemd-notify", "systemd"),
    }
}

/// A program that comes in a Debian package.
fn ensure_package(program: &str, package: &str) -> Result<()> {
    if runs(program, &["--version"]) {
        return Ok(());
    }
    install_package(package)
}

fn install_package(package: &str) -> Result<()> {
    let arguments = ["install", "-y", "--no-install-recommends", package];
    install("apt-get", &arguments)
}

/// Whether the compiler, from wherever it is, has a standard library for these processors.
fn has_library(target: &str) -> bool {
    let asked = command("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .output();
    asked.is_ok_and(|answer| {
        let path = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
        answer.status.success() && std::path::Path::new(&path).is_dir()
    })
}

fn install(program: &str, arguments: &[&str]) -> Result<()> {
    let line = format!("{program} {}", arguments.join(" "));
    println!("$ {line}");
    let status = command(program).args(arguments).status();
    if !status.is_ok_and(|status| status.success()) {
        bail!("this has to be installed first: {line}");
    }
    Ok(())
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    let quiet = command(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok_and(|status| status.success())
}

/// A command of the host.
#[allow(
    clippy::disallowed_methods,
    reason = "the suite runs cargo and apt, not services"
)]
pub fn command(program: &str) -> Command {
    Command::new(program)
}

//! Builds the guest's own programs, linked static so that they run in any guest.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::cache::{Cache, Inputs};
use super::command::{run, text, tool};
use super::cross;

/// Programs that are made together.
#[derive(Debug, Clone, Copy)]
pub struct Programs {
    /// Name of their layer.
    kind: &'static str,
    /// The bin targets of this package.
    pub names: &'static [&'static str],
    /// Their sources, below `xtask/src`.
    sources: &'static [&'static str],
    /// They run on the emulated Pi.
    for_pi: bool,
}

/// What is in every guest's image.
pub const USUAL: Programs = Programs {
    kind: "tools",
    names: &["lab-agent", "hold-thread"],
    sources: &["bin/lab-agent.rs", "bin/hold-thread.rs", "vm/proto.rs"],
    for_pi: false,
};

/// What is on the emulated Pi.
pub const PI: Programs = Programs {
    kind: "pitools",
    names: &["lab-agent"],
    sources: &["bin/lab-agent.rs", "vm/proto.rs"],
    for_pi: true,
};

/// What only the device cases need.
pub const DEVICES: Programs = Programs {
    kind: "cusedevice",
    names: &["cuse-device"],
    sources: &["bin/cuse-device"],
    for_pi: false,
};

/// The layer with the finished programs.
pub fn layer(cache: &Cache, repository: &Path, programs: Programs) -> Result<PathBuf> {
    let mut inputs = Inputs::new("static release build, 1");
    for source in programs.sources {
        inputs = inputs.with_path(&repository.join("xtask/src").join(source))?;
    }
    cache.layer(programs.kind, &inputs, |dir| {
        build(repository, programs, dir)
    })
}

fn build(repository: &Path, programs: Programs, dir: &Path) -> Result<()> {
    let about = text(tool("rustc").arg("-vV").current_dir(repository))?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("rustc -vV names no host")?;
    let target = repository.join("target/vm-tools");
    let mut cargo = tool(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(repository)
        .args(["build", "--release", "--package", "xtask"]);
    // Naming the target keeps the static flag away from build scripts and macros.
    let triple = match programs.for_pi {
        true => {
            cross::aim(&mut cargo)?;
            cross::TARGET
        }
        false => {
            cargo.args(["--target", host]);
            host
        }
    };
    cargo.env("CARGO_TARGET_DIR", &target);
    cargo.env("RUSTFLAGS", "-C target-feature=+crt-static");
    // The daemon's release profile is tuned for size and takes its time; a test tool needs not.
    cargo
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    for name in programs.names {
        cargo.args(["--bin", name]);
    }
    run(&mut cargo)?;
    for name in programs.names {
        let made = target.join(triple).join("release").join(name);
        fs::copy(&made, dir.join(name)).with_context(|| format!("copy {}", made.display()))?;
    }
    Ok(())
}

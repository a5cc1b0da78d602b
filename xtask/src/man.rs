//! `cargo xtask man`: writes the manual pages anew, or checks that they are current.
//!
//! The pages are made by `tests/docs/man.rs`, which can see the command line and the keys of the
//! configuration without being a part of either program.

use anyhow::{Context, Result, bail};
use clap::Args;
use std::process::Command;

/// What to do with the manual pages.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Only compare them with what would be written
    #[arg(long)]
    check: bool,
}

/// Writes or checks the pages.
///
/// # Errors
/// When they are not current, or cannot be written.
pub fn run(args: &ManArgs) -> Result<()> {
    #[allow(clippy::disallowed_methods, reason = "a project command runs cargo")]
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["test", "--quiet", "--package", "fieldwarden"]);
    cargo.args(["--test", "docs", "man::"]);
    if !args.check {
        cargo.env("REWRITE", "1");
    }
    match cargo.status().context("cargo test")?.success() {
        true => Ok(()),
        false => bail!("the manual pages in docs/man are not current"),
    }
}

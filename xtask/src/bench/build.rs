//! Builds what is measured and what measures: the C helpers with `cc`, the daemon with cargo.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// The C programs, built.
pub struct Helpers {
    /// `benches/floor.c`
    pub floor: PathBuf,
    /// `benches/child.c`
    pub child: PathBuf,
}

fn project() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(manifest
        .parent()
        .context("xtask lies inside the project")?
        .to_owned())
}

fn target(project: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| project.join("target"), PathBuf::from)
}

/// Builds both C programs into `target/bench`. Static: their start is the shortest there is, so
/// the least of it hides what the supervisor costs.
pub fn helpers() -> Result<Helpers> {
    let project = project()?;
    let directory = target(&project).join("bench");
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("making {}", directory.display()))?;
    let build = |name: &str| -> Result<PathBuf> {
        let (source, program) = (format!("benches/{name}.c"), directory.join(name));
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-Wall", "-Wextra", "-Werror", "-static", "-s", "-o"]);
        run(cc.arg(&program).arg(project.join(source)))?;
        Ok(program)
    };
    Ok(Helpers {
        floor: build("floor")?,
        child: build("child")?,
    })
}

/// Builds the daemon as it is shipped.
pub fn daemon() -> Result<PathBuf> {
    let project = project()?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "fieldwarden",
        "--bin",
    ]);
    run(cargo.arg("fieldwarden").current_dir(&project))?;
    let program = target(&project).join("release/fieldwarden");
    program
        .canonicalize()
        .with_context(|| format!("the daemon {}", program.display()))
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().display().to_string();
    let status = command
        .status()
        .with_context(|| format!("running {program}; is it installed?"))?;
    if !status.success() {
        bail!("{program} failed ({status}), see above");
    }
    Ok(())
}

//! The host's programs the lab needs: found, or installed with apt when we are root.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use nix::unistd::geteuid;

use super::apt::{self, Apt};
use super::command::{find, run, text, tool};

/// A program, or another file by its absolute path, with the Debian package that has it.
pub type Program = (&'static str, &'static str);

/// What every machine needs.
pub const USUAL: &[Program] = &[
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("qemu-img", "qemu-utils"),
    ("mmdebstrap", "mmdebstrap"),
    ("depmod", "kmod"),
    ("mke2fs", "e2fsprogs"),
    ("xz", "xz-utils"),
    ("zstd", "zstd"),
    ("setpriv", "util-linux"),
];

/// What building kernel modules needs; which compiler it must be, the kernel's headers say.
pub const COMPILING: &[Program] = &[
    ("gcc-12", "gcc-12"),
    ("strip", "binutils"),
    ("make", "make"),
];

/// What the emulated Pi needs, beside what building for it does.
pub const PI: &[Program] = &[("qemu-system-aarch64", "qemu-system-arm")];

/// Oldest QEMU that will do: the Pi's I2C controller came with 9.0.
const QEMU: u32 = 9;

/// Makes sure that these programs are there. `scratch` is a place for apt's private state.
pub fn ensure(programs: &[Program], scratch: &Path) -> Result<()> {
    let missing = missing(programs);
    if missing.is_empty() {
        return Ok(());
    }
    // All of QEMU has to be of one version: what is there already is named with what is not.
    let any_qemu = missing.iter().any(|package| is_qemu(package));
    let wanted = programs.iter().map(|(_, package)| *package);
    let (qemu, others): (Vec<&str>, Vec<&str>) = wanted
        .filter(|package| missing.contains(package) || any_qemu && is_qemu(package))
        .partition(|package| is_qemu(package));
    let backports = apt::host_release()? == apt::GUEST;
    if !geteuid().is_root() {
        let suite = match backports && any_qemu {
            true => format!(" (QEMU from {}-backports)", apt::GUEST),
            false => String::new(),
        };
        let names = [others, qemu].concat().join(" ");
        bail!("the VM lab needs more packages{suite}; run as root: apt-get {USUAL_WAY} {names}");
    }
    if !others.is_empty() {
        install(&mut tool("apt-get"), &others)?;
    }
    if !qemu.is_empty() {
        // The older Debian's own QEMU is too old, and would drive out parts of a newer one.
        match backports {
            true => {
                let mut command = Apt::set_up(scratch)?.command("apt-get");
                command.args(["-t", &format!("{}-backports", apt::GUEST)]);
                install(&mut command, &qemu)?;
            }
            false => install(&mut tool("apt-get"), &qemu)?,
        }
    }
    let still = self::missing(programs);
    if !still.is_empty() {
        bail!(
            "apt-get succeeded, but the programs of {} cannot be found, or are too old",
            still.join(", ")
        );
    }
    Ok(())
}

/// How packages are installed: nothing that somebody has may go because of it.
const USUAL_WAY: &str = "install -y --no-install-recommends --no-remove";

fn is_qemu(package: &str) -> bool {
    package.starts_with("qemu-")
}

fn missing(programs: &[Program]) -> Vec<&'static str> {
    let absent = programs.iter().filter(|(program, package)| {
        find(program).is_none() || is_qemu(package) && version(program).is_none_or(|v| v < QEMU)
    });
    absent.map(|(_, package)| *package).collect()
}

/// First number of the version that a program of QEMU tells.
fn version(program: &str) -> Option<u32> {
    let said = text(tool(find(program)?).arg("--version")).ok()?;
    let (_, version) = said.split_once(" version ")?;
    version.split('.').next()?.parse().ok()
}

/// Installs packages with this apt, after a look for new lists with the same one.
fn install(apt_get: &mut Command, packages: &[&str]) -> Result<()> {
    let line = format!("apt-get {USUAL_WAY} {}", packages.join(" "));
    println!("vm: {line}");
    // A private apt has fetched its lists already; doing so again costs a second.
    let mut update = Command::new(apt_get.get_program());
    update.args(apt_get.get_args()).arg("update");
    run(&mut update)?;
    run(apt_get.args(USUAL_WAY.split(' ')).args(packages))?;
    Ok(())
}

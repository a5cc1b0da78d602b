//! The host's programs the lab needs: found, or installed with apt when we are root.

use std::path::Path;

use anyhow::{Result, bail};
use nix::unistd::geteuid;

use super::apt::{self, Apt};
use super::command::{find, run, tool};

/// A program with the Debian package that has it.
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

/// Makes sure that these programs are there. `scratch` is a place for apt's private state.
pub fn ensure(programs: &[Program], scratch: &Path) -> Result<()> {
    let missing = missing(programs);
    if missing.is_empty() {
        return Ok(());
    }
    let line = format!(
        "apt-get install --no-install-recommends {}",
        missing.join(" ")
    );
    if !geteuid().is_root() {
        bail!("the VM lab needs more packages; run as root: {line}");
    }
    println!("vm: {line}");
    if let Err(first) = install(&missing) {
        // Where one of a family of packages came from backports already, the release's own
        // version of another may refuse to be installed beside it.
        if apt::host_release()? != apt::GUEST {
            return Err(first);
        }
        println!("vm: not to be had from the host's own release, trying backports");
        let apt = Apt::set_up(scratch)?;
        let mut command = apt.command("apt-get");
        command.args(["-t", &format!("{}-backports", apt::GUEST), "install", "-y"]);
        run(command.arg("--no-install-recommends").args(&missing))?;
    }
    let still = self::missing(programs);
    if !still.is_empty() {
        bail!(
            "apt-get succeeded, but the programs of {} cannot be found",
            still.join(", ")
        );
    }
    Ok(())
}

fn missing(programs: &[Program]) -> Vec<&'static str> {
    let absent = programs
        .iter()
        .filter(|(program, _)| find(program).is_none());
    absent.map(|(_, package)| *package).collect()
}

fn install(packages: &[&str]) -> Result<()> {
    run(tool("apt-get").arg("update"))?;
    let mut command = tool("apt-get");
    run(command
        .args(["install", "-y", "--no-install-recommends"])
        .args(packages))?;
    Ok(())
}

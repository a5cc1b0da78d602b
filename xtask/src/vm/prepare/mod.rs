//! Makes everything a VM needs, once: host programs, kernel, root file system, tools, snapshot.
//!
//! Each piece is a layer of the cache (see `cache`); what exists is used. Nothing is installed on
//! the host but Debian packages of the tools, and only when we are root.

// Shows how long making a layer took, and tells old layers from new.
#![allow(clippy::disallowed_methods)]

mod apt;
mod cache;
mod command;
mod cross;
mod devices;
mod engines;
mod external;
mod initramfs;
mod kernel;
mod packages;
mod pi;
mod rootfs;
mod snapshot;
mod tools;

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};

use self::apt::Apt;
use self::cache::Cache;
pub use self::command::{run, tool};
pub use self::pi::initrd_with;

/// A prepared lab: where its parts lie.
#[derive(Debug, Clone)]
pub struct Lab {
    /// ELF kernel, or a compressed one where the ELF could not be taken out.
    pub kernel: PathBuf,
    /// The initramfs.
    pub initrd: PathBuf,
    /// Raw root disk that nobody may write; machines use overlays.
    pub image: PathBuf,
    /// Booted machine: `state` and `disk.qcow2`. Absent only while it is being made.
    pub snapshot: Option<PathBuf>,
    /// Archive with what the device cases need, if one of them is to be run.
    pub devices: Option<PathBuf>,
    /// Image of a disk with container engines, if a case with containers is to be run.
    pub engines: Option<PathBuf>,
    /// What the emulated Pi boots, if one of its cases is to be run.
    pub pi: Option<PiParts>,
}

/// Place of the daemon in the initramfs of the emulated Pi.
const DAEMON: &str = "usr/bin/fieldwarden";

/// Place of the tests of starting processes there.
pub const PI_SPAWN: &str = "usr/bin/fieldwarden-test-spawn";

/// What the emulated Pi boots.
#[derive(Debug, Clone)]
pub struct PiParts {
    /// The kernel.
    pub kernel: PathBuf,
    /// Its device tree.
    pub tree: PathBuf,
    /// The initramfs, without the project's programs.
    pub initrd: PathBuf,
    /// Those, each with its place.
    pub programs: Vec<(String, PathBuf)>,
}

/// Which parts of the lab are wanted beside the usual ones.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// Those of the device cases.
    pub devices: bool,
    /// Container engines.
    pub engines: bool,
    /// Those of the emulated Pi.
    pub pi: bool,
    /// Test programs for it.
    pub pi_programs: bool,
}

/// Makes or finds all parts. `repository` is the project's root directory.
pub fn prepare(repository: &Path, wanted: Wanted) -> Result<Lab> {
    let started = Instant::now();
    let guest = repository.join("tests/vm/guest");
    let cache = Cache::open()?;
    let scratch = cache.scratch()?;
    packages::ensure(packages::USUAL, &scratch.path().join("install"))?;
    // The lists are downloaded only if a layer needs them, and then once.
    let lists = OnceCell::new();
    let apt = || -> Result<Apt> {
        let dir = scratch.path().join("apt");
        if lists.get().is_none() {
            let _ = lists.set(Apt::set_up(&dir)?);
        }
        lists.get().cloned().context("the package lists vanished")
    };
    let programs = tools::layer(&cache, repository, tools::USUAL)?;
    let kernel = kernel::layer(&cache, &guest, &apt)?;
    let base = rootfs::base_layer(&cache, &guest, &apt)?;
    let image = rootfs::image_layer(&cache, &guest, &base, &kernel, &programs)?;
    let elf = kernel.join("vmlinux");
    let mut lab = Lab {
        kernel: if elf.exists() {
            elf
        } else {
            kernel.join("vmlinuz")
        },
        initrd: kernel.join("initrd"),
        image: image.join("root.img"),
        snapshot: None,
        devices: None,
        engines: None,
        pi: None,
    };
    lab.snapshot = Some(snapshot::layer(&cache, &lab, &image)?);
    if wanted.devices {
        packages::ensure(packages::COMPILING, &scratch.path().join("install"))?;
        let programs = tools::layer(&cache, repository, tools::DEVICES)?;
        let parts = devices::Parts {
            guest: &guest,
            kernel: &kernel,
            programs: &programs,
        };
        lab.devices = Some(devices::layer(&cache, parts, &apt)?.join(devices::ARCHIVE));
    }
    let engines = wanted.engines.then(|| engines::image(&cache, &guest, &apt));
    lab.engines = engines.transpose()?;
    if wanted.pi {
        lab.pi = Some(prepare_pi(
            repository,
            &cache,
            &scratch.path().join("install"),
            wanted.pi_programs,
        )?);
    }
    println!(
        "vm: lab ready after {:.1} s",
        started.elapsed().as_secs_f32()
    );
    Ok(lab)
}

/// Makes or finds what the emulated Pi boots. `install` is a place for apt's private state; `tests`:
/// with test programs.
fn prepare_pi(repository: &Path, cache: &Cache, install: &Path, tests: bool) -> Result<PiParts> {
    packages::ensure(packages::PI, install)?;
    packages::ensure(cross::PROGRAMS, install)?;
    let agent = tools::layer(cache, repository, tools::PI)?;
    let layer = pi::layer(cache, &repository.join("tests/vm/guest"), &agent)?;
    let mut programs = vec![(DAEMON.to_owned(), cross::daemon(repository)?)];
    if tests {
        programs.push((PI_SPAWN.to_owned(), cross::test(repository, "spawn")?));
    }
    Ok(PiParts {
        kernel: layer.join(pi::KERNEL),
        tree: layer.join(pi::TREE),
        initrd: layer.join(pi::INITRD),
        programs,
    })
}

/// Words of a list file: one per line, `#` starts a remark.
fn words_of(path: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or("").trim());
    Ok(lines
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect())
}

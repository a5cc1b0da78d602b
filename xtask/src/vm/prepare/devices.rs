//! What a guest needs for the device cases, as one archive that is unpacked over a running guest.
//!
//! A layer of its own, made only when such a case is run, so that the other cases wait for none of
//! it. It holds modules (Debian's and those of `external`) with a fresh `modules.dep` for all of
//! the guest's modules, the tools of `packages.devices`, and `cuse-device`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::apt::Apt;
use super::cache::{Cache, Inputs};
use super::command::{run, tool};
use super::external::{self, Version};
use super::kernel::Modules;
use super::words_of;

/// The archive's name in its layer.
pub const ARCHIVE: &str = "devices.tar";

/// Where the guest's `modprobe` looks.
const MODULES: &str = "lib/modules";

/// The parts the archive is made of.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// The folder `tests/vm/guest`.
    pub guest: &'a Path,
    /// Layer of the kernel that the guest runs.
    pub kernel: &'a Path,
    /// Layer of our own programs for these cases.
    pub programs: &'a Path,
}

/// The layer with the archive.
pub fn layer(cache: &Cache, parts: Parts<'_>, apt: &dyn Fn() -> Result<Apt>) -> Result<PathBuf> {
    let modules = modules_layer(cache, parts, apt)?;
    let tools = tools_layer(cache, parts.guest, apt)?;
    let inputs = Inputs::new("tar over /, 1")
        .with_layer(&modules)
        .with_layer(&tools)
        .with_layer(parts.programs);
    cache.layer("devices", &inputs, |dir| {
        let mut tar = tool("tar");
        tar.arg("-cf").arg(dir.join(ARCHIVE));
        // Modes and times of the host's cache are nobody's business in the guest.
        tar.args([
            "--owner=0",
            "--group=0",
            "--exclude=./used",
            "--mode=go=rX,u+rw",
        ]);
        // The guest's /lib is a link; the archive names the directory behind it.
        tar.arg("--transform=s,^\\./lib/,./usr/lib/,");
        tar.arg("--transform=s,^\\./cuse-device$,./usr/local/bin/cuse-device,");
        for layer in [&modules, &tools, parts.programs] {
            tar.arg("-C").arg(layer).arg(".");
        }
        run(&mut tar)?;
        Ok(())
    })
}

/// Layer with `lib/modules/VERSION`: only what the kernel's own layer lacks, and all lists.
fn modules_layer(
    cache: &Cache,
    parts: Parts<'_>,
    apt: &dyn Fn() -> Result<Apt>,
) -> Result<PathBuf> {
    let inputs = Inputs::new("in-tree and external modules, 1")
        .with_layer(parts.kernel)
        .with_path(&parts.guest.join("modules.devices"))?;
    cache.layer("modules", &inputs, |dir| {
        let scratch = cache.scratch()?;
        let wanted = words_of(&parts.guest.join("modules.devices"))?;
        collect_modules(&apt()?, parts.kernel, &wanted, scratch.path(), dir)
    })
}

fn collect_modules(
    apt: &Apt,
    kernel: &Path,
    wanted: &[String],
    scratch: &Path,
    dir: &Path,
) -> Result<()> {
    let name = version_of(kernel)?;
    let (package, backports) = apt.kernel_package()?;
    if package != format!("linux-image-{name}") {
        bail!(
            "the guest's kernel is {name}, but the archive now has {package} and nothing to build \
             modules for the older one; remove {} to have the lab take the newer kernel",
            kernel.display()
        );
    }
    let version = Version {
        full: &name,
        backports,
    };
    apt.unpack(&package, backports, scratch)?;
    run(tool("depmod").arg("-b").arg(scratch).arg(&name))?;
    // The lists are made over everything the guest will have, its present modules included.
    let inside = Path::new(MODULES);
    run(tool("cp").arg("-r").arg(kernel.join("lib")).arg(dir))?;
    let debian = Modules {
        root: scratch,
        version: &name,
    };
    debian.install(debian.with_dependencies(wanted)?.iter(), dir)?;
    let extra = dir.join(inside).join(&name).join("extra");
    fs::create_dir_all(&extra)?;
    for module in external::build(apt, version, scratch)? {
        fs::copy(&module, extra.join(module.file_name().unwrap_or_default()))?;
    }
    run(tool("depmod").arg("-b").arg(dir).arg(&name))?;
    remove_known(
        &kernel.join(inside).join(&name).join("kernel"),
        &dir.join(inside).join(&name).join("kernel"),
    )
}

/// Version of the one kernel in a layer.
fn version_of(kernel: &Path) -> Result<String> {
    let mut found = fs::read_dir(kernel.join(MODULES)).context("the kernel's modules")?;
    let entry = found
        .next()
        .context("the kernel's layer has no modules")??;
    Ok(entry.file_name().to_string_lossy().into_owned())
}

/// Removes below `ours` each file that is also below `theirs`: the guest has it already.
fn remove_known(theirs: &Path, ours: &Path) -> Result<()> {
    for entry in fs::read_dir(theirs).with_context(|| theirs.display().to_string())? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        if path.is_dir() {
            remove_known(&path, &ours.join(name))?;
        } else {
            fs::remove_file(ours.join(name))?;
        }
    }
    Ok(())
}

/// Layer with the programs and libraries of Debian packages, without their documentation.
fn tools_layer(cache: &Cache, guest: &Path, apt: &dyn Fn() -> Result<Apt>) -> Result<PathBuf> {
    let list = guest.join("packages.devices");
    let inputs = Inputs::new("programs of packages, 2").with_path(&list)?;
    cache.layer("devicetools", &inputs, |dir| {
        let (apt, scratch) = (apt()?, cache.scratch()?);
        for package in words_of(&list)? {
            apt.unpack(&package, false, scratch.path())?;
        }
        fs::create_dir_all(dir.join("usr"))?;
        // Some libraries still lie where /lib was a directory.
        if scratch.path().join("lib").is_dir() {
            let (from, to) = (scratch.path().join("lib/."), scratch.path().join("usr/lib"));
            run(tool("cp").arg("-a").arg(from).arg(to))?;
        }
        for folder in ["usr/bin", "usr/sbin", "usr/lib"] {
            let from = scratch.path().join(folder);
            if from.is_dir() {
                fs::rename(&from, dir.join(folder))?;
            }
        }
        Ok(())
    })
}

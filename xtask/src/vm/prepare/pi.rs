//! What the emulated Pi boots: Debian's stock arm64 kernel, its device tree for the Pi 3, and an
//! initramfs with busybox, a few tools and our agent. No disk, no systemd.
//!
//! Everything is unpacked and nothing is installed, so the host need not know the architecture. The
//! daemon is not part of the layer: it changes with every build and goes into an archive behind it,
//! which the kernel unpacks over the first.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::apt::{Apt, PI};
use super::cache::{Cache, Inputs};
use super::command::{run, tool};
use super::initramfs::Archive;
use super::kernel::Modules;
use super::words_of;

/// Names of the layer's files.
pub const KERNEL: &str = "vmlinuz";
pub const TREE: &str = "pi3.dtb";
pub const INITRD: &str = "initrd";

/// The board that QEMU's `raspi3b` is, in the kernel package.
const BOARD: &str = "broadcom/bcm2837-rpi-3-b.dtb";

/// What of the packages is of no use here.
const LEFT_OUT: [&str; 6] = [
    "usr/share",
    "usr/include",
    "usr/lib/aarch64-linux-gnu/gconv",
    "etc",
    "boot",
    "lib/modules",
];

/// The layer. `guest` is the folder `tests/vm/guest`, `agent` the layer with our agent for the Pi.
pub fn layer(cache: &Cache, guest: &Path, agent: &Path) -> Result<PathBuf> {
    let guest = guest.join("pi");
    let mut inputs = Inputs::new("stock arm64 kernel, tools of bookworm, 1").with_layer(agent);
    for file in ["init", "modules", "packages"] {
        inputs = inputs.with_path(&guest.join(file))?;
    }
    cache.layer("pi", &inputs, |dir| {
        let scratch = cache.scratch()?;
        let apt = Apt::set_up_for(&scratch.path().join("apt"), PI)?;
        build(&apt, &guest, agent, scratch.path(), dir)
    })
}

fn build(apt: &Apt, guest: &Path, agent: &Path, scratch: &Path, dir: &Path) -> Result<()> {
    let (package, backports) = apt.kernel_package()?;
    println!("vm: kernel: {package}");
    let version = package.strip_prefix("linux-image-").unwrap_or(&package);
    let kernel = scratch.join("kernel");
    fs::create_dir_all(&kernel)?;
    apt.unpack(&package, backports, &kernel)?;
    fs::copy(
        kernel.join("boot").join(format!("vmlinuz-{version}")),
        dir.join(KERNEL),
    )
    .context("copy the kernel")?;
    let tree = kernel.join("usr/lib").join(&package).join(BOARD);
    fs::copy(&tree, dir.join(TREE)).with_context(|| tree.display().to_string())?;

    let root = scratch.join("root");
    fs::create_dir_all(&root)?;
    for name in words_of(&guest.join("packages"))? {
        apt.unpack(&name, false, &root)?;
    }
    for unused in LEFT_OUT {
        let _ = fs::remove_dir_all(root.join(unused));
    }
    modules(&kernel, version, guest, &root)?;
    place(&guest.join("init"), &root, "init")?;
    place(&agent.join("lab-agent"), &root, "usr/bin/lab-agent")?;
    for name in ["proc", "sys", "dev", "run", "tmp", "root", "var"] {
        fs::create_dir_all(root.join(name))?;
    }
    let mut archive = Archive::new();
    archive.tree(&root)?;
    fs::write(dir.join(INITRD), archive.finish())?;
    Ok(())
}

/// The modules, and the list from which they are inserted.
fn modules(kernel: &Path, version: &str, guest: &Path, root: &Path) -> Result<()> {
    run(tool("depmod").arg("-b").arg(kernel).arg(version))?;
    let names = words_of(&guest.join("modules"))?;
    let modules = Modules {
        root: kernel,
        version,
    };
    let files = modules.with_dependencies(&names)?;
    if files.is_empty() {
        bail!("the kernel {version} has none of the modules {names:?}");
    }
    modules.install(files.iter(), root)?;
    fs::create_dir_all(root.join("etc"))?;
    fs::write(root.join("etc/modules"), names.join("\n") + "\n")?;
    Ok(())
}

/// Copies a program into the tree.
fn place(file: &Path, root: &Path, name: &str) -> Result<()> {
    let target = root.join(name);
    fs::create_dir_all(target.parent().unwrap_or(root))?;
    fs::copy(file, &target).with_context(|| format!("copy {}", file.display()))?;
    fs::set_permissions(&target, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// The initramfs of one run: that of the layer, and behind it programs with their places.
pub fn initrd_with(base: &Path, programs: &[(String, PathBuf)]) -> Result<Vec<u8>> {
    let mut archive = Archive::new();
    for (place, file) in programs {
        let bytes = fs::read(file).with_context(|| format!("read {}", file.display()))?;
        archive.file(place, 0o755, &bytes);
    }
    let mut whole = fs::read(base).with_context(|| format!("read {}", base.display()))?;
    whole.extend(archive.finish());
    Ok(whole)
}

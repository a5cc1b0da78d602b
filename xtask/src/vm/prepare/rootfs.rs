//! The guest's root file system: Debian bookworm made by mmdebstrap, put into an ext4 image.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::unistd::geteuid;

use super::apt::{self, Apt};
use super::cache::{Cache, Inputs};
use super::command::{run, tool};
use super::{tools, words_of};

/// Size of the disk; sparse, so that only what is used takes room on the host.
const DISK: &str = "1G";

/// One name for all guests, so that journals of a resumed and of a booted guest look the same.
const MACHINE_ID: &str = "f1e1d0a4de0000000000000000000001";

/// Documentation nobody reads in a VM.
const LEFT_OUT: [&str; 3] = ["doc", "man", "locale"];

/// Layer with the unpacked-from tar of Debian packages only.
pub fn base_layer(cache: &Cache, guest: &Path, apt: &dyn Fn() -> Result<Apt>) -> Result<PathBuf> {
    let inputs = Inputs::new("mmdebstrap minbase, 1").with_path(&guest.join("packages"))?;
    cache.layer("base", &inputs, |dir| {
        if !geteuid().is_root() {
            bail!("making the guest's root file system needs root, once; run it as root");
        }
        let apt = apt()?;
        let mut command = tool("mmdebstrap");
        command.args(["--mode=root", "--variant=minbase", "--quiet"]);
        command.arg(format!(
            "--include={}",
            words_of(&guest.join("packages"))?.join(",")
        ));
        for folder in LEFT_OUT {
            command.arg(format!("--dpkgopt=path-exclude=/usr/share/{folder}/*"));
        }
        for option in apt::transport_options()? {
            command.arg(format!("--aptopt={option}"));
        }
        run(command
            .arg(apt::GUEST)
            .arg(dir.join("base.tar"))
            .args(apt.release_sources()))?;
        Ok(())
    })
}

/// Layer with the disk image `root.img`, made of the other layers and `tests/vm/guest`.
pub fn image_layer(
    cache: &Cache,
    guest: &Path,
    base: &Path,
    kernel: &Path,
    programs: &Path,
) -> Result<PathBuf> {
    let inputs = Inputs::new("ext4 image, 1")
        .with_layer(base)
        .with_layer(kernel)
        .with_layer(programs)
        .with_path(&guest.join("root"))?
        .with_path(&guest.join("masked-units"))?;
    cache.layer("image", &inputs, |dir| {
        let scratch = cache.scratch()?;
        let root = scratch.path();
        // mke2fs copies the mode of the top directory, and a private one is not what / has.
        fs::set_permissions(root, fs::Permissions::from_mode(0o755))?;
        run(tool("tar")
            .arg("-xf")
            .arg(base.join("base.tar"))
            .arg("-C")
            .arg(root))?;
        run(tool("cp").arg("-rT").arg(guest.join("root")).arg(root))?;
        run(tool("cp")
            .arg("-r")
            .arg(kernel.join("lib/modules"))
            .arg(root.join("lib")))?;
        install_programs(root, kernel, programs)?;
        settle_system(root, &words_of(&guest.join("masked-units"))?)?;
        let image = dir.join("root.img");
        let mut command = tool("mke2fs");
        command.args([
            "-q",
            "-t",
            "ext4",
            "-E",
            "lazy_itable_init=1",
            "-L",
            "root",
            "-d",
        ]);
        run(command.arg(root).arg(&image).arg(DISK))?;
        Ok(())
    })
}

fn install_programs(root: &Path, kernel: &Path, programs: &Path) -> Result<()> {
    let place = root.join("usr/local/bin");
    fs::create_dir_all(&place)?;
    let install = |from: &Path, name: &str| -> Result<()> {
        let to = place.join(name);
        fs::copy(from, &to).with_context(|| format!("copy {}", from.display()))?;
        fs::set_permissions(&to, fs::Permissions::from_mode(0o755))?;
        Ok(())
    };
    for name in tools::USUAL.names {
        install(&programs.join(name), name)?;
    }
    install(&kernel.join("busybox"), "busybox")
}

/// What a first boot or an administrator would do: name, id, units off and on, journal on disk.
fn settle_system(root: &Path, masked: &[String]) -> Result<()> {
    fs::write(root.join("etc/hostname"), "lab\n")?;
    fs::write(root.join("etc/machine-id"), format!("{MACHINE_ID}\n"))?;
    fs::write(root.join("etc/fstab"), "")?;
    fs::create_dir_all(root.join("var/log/journal").join(MACHINE_ID))?;
    let units = root.join("etc/systemd/system");
    for unit in masked {
        let link = units.join(unit);
        // The packages' own links (getty@tty1 and the like) give way.
        let _ = fs::remove_file(&link);
        symlink("/dev/null", &link).with_context(|| format!("mask {unit}"))?;
    }
    for (target, unit) in [("sysinit", "lab-agent"), ("multi-user", "lab-ready")] {
        let wants = units.join(format!("{target}.target.wants"));
        fs::create_dir_all(&wants)?;
        symlink(
            format!("../{unit}.service"),
            wants.join(format!("{unit}.service")),
        )?;
    }
    Ok(())
}

//! Debian's stock kernel, unpacked and never installed, with an initramfs that inserts few modules.
//!
//! The layer holds `vmlinux` (or `vmlinuz` where it cannot be unpacked), `initrd`, `busybox` and
//! `lib/modules/VERSION` with the modules the guest may load. What only the device cases need is in
//! another layer, see `devices`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result};

use super::apt::Apt;
use super::cache::{Cache, Inputs};
use super::command::{run, text, tool};
use super::{initramfs, words_of};

/// The layer with kernel, initramfs and modules. `guest` is the folder `tests/vm/guest`.
pub fn layer(cache: &Cache, guest: &Path, apt: &dyn Fn() -> Result<Apt>) -> Result<PathBuf> {
    let mut inputs = Inputs::new("stock kernel, unpacked ELF, newc initramfs, 1");
    for file in ["init", "modules.boot", "modules.guest"] {
        inputs = inputs.with_path(&guest.join(file))?;
    }
    cache.layer("kernel", &inputs, |dir| {
        let scratch = cache.scratch()?;
        build(&apt()?, guest, scratch.path(), dir)
    })
}

fn build(apt: &Apt, guest: &Path, scratch: &Path, dir: &Path) -> Result<()> {
    let (package, backports) = apt.kernel_package()?;
    println!("vm: kernel: {package}");
    apt.unpack(&package, backports, scratch)?;
    apt.unpack("busybox-static", false, scratch)?;
    let version = package.strip_prefix("linux-image-").unwrap_or(&package);
    fs::copy(scratch.join("bin/busybox"), dir.join("busybox")).context("copy busybox")?;
    unpack_image(
        &scratch.join("boot").join(format!("vmlinuz-{version}")),
        dir,
    )?;
    run(tool("depmod").arg("-b").arg(scratch).arg(version))?;
    let modules = Modules {
        root: scratch,
        version,
    };
    let boot = modules.with_dependencies(&words_of(&guest.join("modules.boot"))?)?;
    let later = modules.with_dependencies(&words_of(&guest.join("modules.guest"))?)?;
    let installed = modules.install(boot.iter().chain(&later), dir)?;
    let mut archive = initramfs::Archive::new();
    for name in ["bin", "dev", "root", "modules"] {
        archive.directory(name);
    }
    archive.file("init", 0o755, &fs::read(guest.join("init"))?);
    archive.file("bin/busybox", 0o755, &fs::read(dir.join("busybox"))?);
    for (number, module) in installed.iter().take(boot.len()).enumerate() {
        let name = module.file_name().unwrap_or_default().to_string_lossy();
        archive.file(
            &format!("modules/{number:02}-{name}"),
            0o644,
            &fs::read(module)?,
        );
    }
    fs::write(dir.join("initrd"), archive.finish())?;
    Ok(())
}

/// Takes the ELF kernel out of the compressed image: QEMU starts it directly through its PVH
/// entry, which saves the emulated processor the decompression at each boot (0.7 s of 4).
fn unpack_image(image: &Path, dir: &Path) -> Result<()> {
    let bytes = fs::read(image).with_context(|| format!("read {}", image.display()))?;
    let packers: [(&[u8], &str); 2] = [(b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ\x00", "xz")];
    for (magic, program) in packers {
        let starts = bytes.windows(magic.len()).enumerate();
        for (start, _) in starts.filter(|(_, window)| *window == magic).take(4) {
            let packed = dir.join("packed");
            fs::write(&packed, &bytes[start..])?;
            // The image goes on behind the packed part, so the packer complains about its end.
            let unpacked = tool(program)
                .arg("-dc")
                .arg(&packed)
                .stderr(Stdio::null())
                .output()?;
            fs::remove_file(&packed)?;
            if unpacked.stdout.starts_with(b"\x7fELF") {
                fs::write(dir.join("vmlinux"), unpacked.stdout)?;
                return Ok(());
            }
        }
    }
    println!(
        "vm: kernel: no ELF found in {}, booting it as it is",
        image.display()
    );
    fs::write(dir.join("vmlinuz"), bytes)?;
    Ok(())
}

/// The modules of an unpacked kernel package.
pub(super) struct Modules<'a> {
    /// Root of the unpacked package, with its `modules.dep` made.
    pub(super) root: &'a Path,
    /// Version of the kernel, as its folder is called.
    pub(super) version: &'a str,
}

impl Modules<'_> {
    /// Files of the named modules, each after those it needs, none twice.
    pub(super) fn with_dependencies(&self, names: &[String]) -> Result<Vec<PathBuf>> {
        let mut files: Vec<PathBuf> = Vec::new();
        for name in names {
            let mut ask = tool("modprobe");
            ask.arg("-d")
                .arg(self.root)
                .args(["-S", self.version, "--show-depends", name]);
            for line in text(&mut ask)?.lines() {
                // Others say `builtin NAME`: nothing to insert. Behind the file there may be options of
                // the host's own configuration.
                let file = line.strip_prefix("insmod ");
                let Some(file) = file.and_then(|file| file.split_whitespace().next()) else {
                    continue;
                };
                let file = PathBuf::from(file);
                if !files.contains(&file) {
                    files.push(file);
                }
            }
        }
        Ok(files)
    }

    /// Copies modules, unpacked, below `dir/lib/modules`; returns their places there in order.
    pub(super) fn install<'f>(
        &self,
        files: impl Iterator<Item = &'f PathBuf>,
        dir: &Path,
    ) -> Result<Vec<PathBuf>> {
        let mut installed = Vec::new();
        for file in files {
            let inside = file.strip_prefix(self.root).unwrap_or(file);
            let target = dir.join(inside);
            fs::create_dir_all(target.parent().unwrap_or(dir))?;
            if file.extension().is_some_and(|end| end == "xz") {
                let plain = target.with_extension("");
                fs::write(&plain, run(tool("xz").arg("-dc").arg(file))?.stdout)?;
                installed.push(plain);
            } else {
                fs::copy(file, &target)?;
                installed.push(target);
            }
        }
        let folder = Path::new("lib/modules").join(self.version);
        for list in [
            "modules.builtin",
            "modules.builtin.modinfo",
            "modules.order",
        ] {
            let list = folder.join(list);
            fs::copy(self.root.join(&list), dir.join(&list))?;
        }
        run(tool("depmod").arg("-b").arg(dir).arg(self.version))?;
        Ok(installed)
    }
}

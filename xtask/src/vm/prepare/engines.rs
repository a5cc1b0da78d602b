//! Debian's container engines, as the image of a second disk, whose files a guest links to.
//!
//! A layer of its own, made only when such a case is run: it is as large as the guest's own system, and
//! would take a minute to be carried into one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::apt::Apt;
use super::cache::{Cache, Inputs};
use super::command::{run, tool};
use super::words_of;

/// The image's name in its layer.
const IMAGE: &str = "engines.img";

/// Its size; what is not used takes no room on the host.
const SIZE: &str = "320M";

/// What no case needs: half of all that there is.
const LEFT_OUT: [&str; 14] = [
    // Nothing starts by itself but what a case starts.
    "etc/init.d",
    "usr/lib/systemd",
    "usr/bin/containerd-shim",
    "usr/bin/containerd-shim-runc-v1",
    "usr/bin/containerd-stress",
    "usr/bin/ctr",
    "usr/bin/docker",
    "usr/bin/dnet",
    "usr/bin/ovrouter",
    "usr/sbin/dnet",
    "usr/share/bash-completion",
    "usr/share/doc",
    "usr/share/locale",
    "usr/share/man",
];

/// The image. `guest` is the folder `tests/vm/guest`.
pub fn image(cache: &Cache, guest: &Path, apt: &dyn Fn() -> Result<Apt>) -> Result<PathBuf> {
    let list = guest.join("packages.engines");
    let inputs = Inputs::new("image of packages, 1").with_path(&list)?;
    let layer = cache.layer("engines", &inputs, |dir| {
        let (apt, scratch) = (apt()?, cache.scratch()?);
        let root = scratch.path();
        for package in words_of(&list)? {
            apt.unpack(&package, false, root)?;
        }
        // Some packages still use what is a link to its like below /usr in the guest.
        for folder in ["bin", "sbin", "lib"] {
            let old = root.join(folder);
            if old.is_dir() {
                let new = root.join("usr").join(folder);
                fs::create_dir_all(&new)?;
                run(tool("cp").arg("-a").arg(old.join(".")).arg(new))?;
                fs::remove_dir_all(old)?;
            }
        }
        for path in LEFT_OUT {
            let path = root.join(path);
            match path.is_dir() {
                true => fs::remove_dir_all(path)?,
                false => fs::remove_file(path).or_else(known_gone)?,
            }
        }
        let mut mke2fs = tool("mke2fs");
        mke2fs.args([
            "-q",
            "-t",
            "ext4",
            "-O",
            "^has_journal",
            "-L",
            "engines",
            "-d",
        ]);
        run(mke2fs.arg(root).arg(dir.join(IMAGE)).arg(SIZE))?;
        Ok(())
    })?;
    Ok(layer.join(IMAGE))
}

/// A file that another release of its package has not.
fn known_gone(error: std::io::Error) -> std::io::Result<()> {
    match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }
}

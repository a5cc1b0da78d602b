//! A machine's second disk, `/dev/vdb` in its guest: an ext4 file system with a margin behind it.
//!
//! It can be recorded: then each write and each flush is kept in its order, and `replay` makes of
//! them the disk as a power cut would have left it. Term: the *margin* is room behind the file
//! system where a guest writes, past every file system's buffers, what it regards as done; in a
//! recording this stands at its place among the other writes.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};

use super::prepare::{run, tool};
use super::qemu::{Places, show};

/// Size of the file system in bytes: small, because each cut of a replay copies it.
const FILES: u64 = 64 << 20;

/// Size of the margin in bytes.
const MARGIN: u64 = 1 << 20;

/// First sector of 512 bytes of the margin.
pub const MARGIN_SECTOR: u64 = FILES / 512;

/// What QEMU calls the device of it.
pub const DEVICE: &str = "second-disk";

/// What a machine's second disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// A disk.
    Plain,
    /// A disk whose writes are recorded.
    Recorded,
}

/// Makes the disk's files; it starts as a copy of `content`, or empty.
pub fn make(disk: Disk, content: Option<&Path>, places: &Places) -> Result<()> {
    let data = places.second_disk();
    match content {
        Some(image) => {
            fs::copy(image, &data).with_context(|| format!("copy {}", image.display()))?;
        }
        None => {
            File::create(&data)?.set_len(FILES + MARGIN)?;
            let mut mke2fs = tool("mke2fs");
            mke2fs.args(["-q", "-t", "ext4", "-E", "nodiscard", "-L", "data"]);
            run(mke2fs.arg(&data).arg(format!("{}k", FILES >> 10)))?;
        }
    }
    if disk == Disk::Recorded {
        fs::copy(&data, places.recording_base()).context("keep the disk's first state")?;
        File::create(places.recording())?;
    }
    Ok(())
}

/// QEMU's arguments for it. The files below are not flushed: that would only make it slow, for a
/// recording knows the guest's flushes, and a killed QEMU takes a plain disk with it.
pub fn arguments(disk: Disk, places: &Places) -> Vec<String> {
    let file = |name: &str, path: &Path| {
        let path = show(path);
        format!("driver=file,node-name={name},cache.no-flush=on,filename={path}")
    };
    let mut arguments = vec![
        "-blockdev".to_owned(),
        file("second", &places.second_disk()),
    ];
    let node = match disk {
        Disk::Plain => "second",
        Disk::Recorded => {
            let logged = "driver=blklogwrites,node-name=logged,file=second,log=recording";
            for option in [&file("recording", &places.recording()), logged] {
                arguments.extend(["-blockdev".to_owned(), option.to_owned()]);
            }
            "logged"
        }
    };
    let device = format!("virtio-blk-pci,id={DEVICE},drive={node},write-cache=on");
    arguments.extend(["-device".to_owned(), device]);
    arguments
}

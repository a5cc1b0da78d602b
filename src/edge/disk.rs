//! Looks at file systems: free space, free inodes, and whether they can still be written.
//!
//! Asking a file system may take as long as its card is silent, minutes or for ever, so this runs
//! in a thread of its own, and every answer can be passed on before the next question
//! ([`Disk::sample_each`]). Never writes anything.
//!
//! What is known of a file system that an error made read-only depends on the kernel: up to Linux
//! 6.11 ext4 then shows `ro`, from 6.15 on `emergency_ro`, and both are seen here. **From 6.12 to
//! 6.14 it shows nothing**: every write fails while mounts and `statvfs` still tell of a writable
//! file system. What every kernel shows is how many errors ext4 has recorded (kernel:
//! fs/ext4/sysfs.c, `errors_count`), and that is read too.

use super::mountinfo::{self, Mount, mounted_at};
use crate::core::fact::{Errno, Fact, Fault, MountId, Reading, Source};
use crate::units::Permille;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{fs, io};

pub use super::mountinfo::discover;

/// What a file system says about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Space {
    /// All blocks.
    pub blocks: u64,
    /// Blocks that are free for others than root.
    pub available: u64,
    /// All inodes; 0 where there is no such limit.
    pub files: u64,
    /// Inodes that are free for others than root.
    pub files_available: u64,
    /// Mounted read-only.
    pub read_only: bool,
}

/// Asks a file system; `statvfs` unless a test says otherwise. May hang.
pub type AskSpace = Box<dyn FnMut(&Path) -> Result<Space, Errno> + Send>;

/// The file systems of one machine.
pub struct Disk {
    root: PathBuf,
    ask: AskSpace,
}

impl Disk {
    /// The file systems below `root`: `/`, or a tree that stands for it.
    pub fn new(root: PathBuf) -> Disk {
        Disk::asking(root, Box::new(statvfs))
    }

    /// The same with another way of asking.
    pub fn asking(root: PathBuf, ask: AskSpace) -> Disk {
        Disk { root, ask }
    }

    /// Looks at these mount points, which [`MountId`] counts, and tells of each as soon as it has
    /// answered: a reading, or its loss. Nothing mounted there any more is [`Fault::Absent`].
    pub fn sample_each<P: AsRef<Path>>(&mut self, points: &[P], mut tell: impl FnMut(Fact)) {
        let table = mountinfo::table(&self.root);
        for (number, point) in (0_u16..).zip(points) {
            let mount = MountId(number);
            tell(match self.look(table.as_deref(), mount, point.as_ref()) {
                Ok(reading) => Fact::Seen(reading),
                Err(why) => Fact::Lost {
                    source: Source::Mount(mount),
                    why,
                },
            });
        }
    }

    /// Looks at all of these mount points before it tells of any.
    pub fn sample<P: AsRef<Path>>(&mut self, points: &[P]) -> Vec<Fact> {
        let mut facts = Vec::with_capacity(points.len());
        self.sample_each(points, |fact| facts.push(fact));
        facts
    }

    fn look(
        &mut self,
        table: Result<&[Mount], &io::Error>,
        mount: MountId,
        point: &Path,
    ) -> Result<Reading, Fault> {
        let table = table
            .map_err(|error| Fault::Errno(Errno(error.raw_os_error().unwrap_or(libc::EIO))))?;
        let mounted = mounted_at(table, point).ok_or(Fault::Absent)?;
        let space = (self.ask)(&below(&self.root, point)).map_err(fault_of)?;
        if space.blocks == 0 {
            return Err(Fault::Implausible);
        }
        let inodes = (space.files > 0).then(|| Permille::of(space.files_available, space.files));
        Ok(Reading::Mount {
            mount,
            space: Permille::of(space.available, space.blocks),
            inodes,
            errors: mounted
                .counts_errors()
                .map_or(0, |device| errors(&self.root, device)),
            read_only: space.read_only || mounted.read_only_here || mounted.unwritable,
        })
    }
}

/// Errors that ext4 has recorded on this device; 0 if it does not say.
fn errors(root: &Path, (major, minor): (u32, u32)) -> u32 {
    let device = root.join(format!("sys/dev/block/{major}:{minor}"));
    let Some(name) = fs::read_link(device)
        .ok()
        .as_deref()
        .and_then(Path::file_name)
        .map(OsStr::to_owned)
    else {
        return 0;
    };
    let count = root.join("sys/fs/ext4").join(name).join("errors_count");
    let text = fs::read_to_string(count).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

/// The path of a mount point in the tree that stands for `/`.
fn below(root: &Path, point: &Path) -> PathBuf {
    root.join(point.strip_prefix("/").unwrap_or(point))
}

/// A mount point that is not there was unmounted since the table was read.
fn fault_of(errno: Errno) -> Fault {
    match errno.0 {
        libc::ENOENT => Fault::Absent,
        _ => Fault::Errno(errno),
    }
}

/// Asks the kernel.
fn statvfs(path: &Path) -> Result<Space, Errno> {
    let told = rustix::fs::statvfs(path).map_err(|errno| Errno(errno.raw_os_error()))?;
    Ok(Space {
        blocks: told.f_blocks,
        available: told.f_bavail,
        files: told.f_files,
        files_available: told.f_favail,
        read_only: told.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
    })
}

//! Writes, syncs and reads back small files, so that a card that only pretends is found out.
//!
//! What is read back has to come from the medium: the cache of the file is dropped after the sync, and
//! the read goes around it where the file system allows that (`O_DIRECT`). May hang for as long as the
//! card does, so this has a thread of its own.
//!
//! Writes 4 KiB in place, so that a card is not worn by it: an hour between two makes 96 KiB a day.

use super::clock;
use super::power_supply::fault_of;
use crate::core::fact::{CanaryId, Fact, Fault, Reading, Source};
use nix::fcntl::OFlag;
use rustix::fs::{Advice, fadvise};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The name of its file.
pub const NAME: &str = ".fieldwarden-canary";

/// What is written: a page, which is the least that a card takes at once.
const SIZE: usize = 4096;

/// The canaries of one machine.
pub struct Canaries {
    directories: Vec<PathBuf>,
    /// Counted up, so that no two are alike.
    songs: u64,
}

impl Canaries {
    /// One in each of these directories, which [`CanaryId`] counts.
    pub fn new(directories: Vec<PathBuf>) -> Canaries {
        // Not what an earlier daemon wrote.
        let songs = clock::now().0 << 16;
        Canaries { directories, songs }
    }

    /// Tries all of them, and tells of each as soon as it has ended.
    pub fn sample_each(&mut self, mut tell: impl FnMut(Fact)) {
        for (number, directory) in (0_u16..).zip(&self.directories) {
            self.songs += 1;
            let canary = CanaryId(number);
            let began = clock::now();
            tell(match sing(directory, self.songs) {
                Ok(()) => {
                    let took = clock::now().since(began);
                    Fact::Seen(Reading::Canary { canary, took })
                }
                Err(why) => Fact::Lost {
                    source: Source::Canary(canary),
                    why,
                },
            });
        }
    }
}

/// # Errors
/// What the kernel said; [`Fault::Implausible`] if something else is read back.
fn sing(directory: &Path, song: u64) -> Result<(), Fault> {
    let path = directory.join(NAME);
    let written = page(song);
    let file = write(&path, &written).map_err(|e| fault_of(&e))?;
    let mut back = vec![0; 2 * SIZE];
    let at = back.as_ptr().align_offset(SIZE).min(SIZE);
    let room = &mut back[at..at + SIZE];
    match read_direct(&path, room) {
        Ok(()) => {}
        // Some file systems have no such way.
        Err(e) if e.raw_os_error() == Some(libc::EINVAL) => {
            file.read_exact_at(room, 0).map_err(|e| fault_of(&e))?;
        }
        Err(e) => return Err(fault_of(&e)),
    }
    match room == written {
        true => Ok(()),
        false => Err(Fault::Implausible),
    }
}

/// Numbers that are the same nowhere in the page, and in no other one.
fn page(song: u64) -> Vec<u8> {
    let words = (0..SIZE as u64 / 8).map(|at| (song << 9) ^ at);
    words.flat_map(u64::to_le_bytes).collect()
}

/// Never through a link: what it would name is somebody else's.
fn write(path: &Path, page: &[u8]) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600);
    let flags = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file = options.custom_flags(flags.bits()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::from_raw_os_error(libc::ENXIO));
    }
    file.write_all_at(page, 0)?;
    file.sync_data()?;
    fadvise(&file, 0, None, Advice::DontNeed)?;
    Ok(file)
}

fn read_direct(path: &Path, room: &mut [u8]) -> io::Result<()> {
    let flags = OFlag::O_DIRECT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(flags.bits()).open(path)?;
    file.read_exact_at(room, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::Errno;
    use std::os::unix::fs::symlink;

    fn sample(directory: &Path) -> Fact {
        let mut facts = Vec::new();
        Canaries::new(vec![directory.to_owned()]).sample_each(|fact| facts.push(fact));
        assert_eq!(facts.len(), 1);
        facts.remove(0)
    }

    /// It is written in place, again and again, and takes up one page.
    #[test]
    fn well() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..3 {
            let fact = sample(dir.path());
            assert!(
                matches!(fact, Fact::Seen(Reading::Canary { .. })),
                "{fact:?}"
            );
        }
        let size = std::fs::metadata(dir.path().join(NAME)).unwrap().len();
        assert_eq!(size, SIZE as u64);
    }

    /// A directory that is gone, and one in which somebody has put a link or a device in its place.
    #[test]
    fn failures_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let lost = |why| Fact::Lost {
            source: Source::Canary(CanaryId(0)),
            why,
        };
        assert_eq!(sample(&dir.path().join("none")), lost(Fault::Absent));
        let precious = dir.path().join("precious");
        std::fs::write(&precious, "data").unwrap();
        symlink(&precious, dir.path().join(NAME)).unwrap();
        assert_eq!(sample(dir.path()), lost(Fault::Errno(Errno(libc::ELOOP))));
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "data");
        std::fs::remove_file(dir.path().join(NAME)).unwrap();
        symlink("/dev/null", dir.path().join(NAME)).unwrap();
        assert_eq!(sample(dir.path()), lost(Fault::Errno(Errno(libc::ELOOP))));
    }

    #[test]
    fn no_two_pages_are_alike() {
        let (one, other) = (page(1), page(2));
        assert_eq!(one.len(), SIZE);
        let words = |p: &[u8]| {
            p.chunks(8)
                .map(<[u8]>::to_vec)
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(words(&one).len(), SIZE / 8);
        assert!(words(&one).is_disjoint(&words(&other)));
    }
}

//! Looks at the files of caps, and deletes those that the settings choose.
//!
//! Everything goes through a descriptor of the directory, which is opened without following a link, so
//! that nobody can put another one in its place meanwhile. Only regular files that lie in it are looked
//! at: no link is followed, no other file system is entered, nothing is gone down into.

use super::clock;
use super::power_supply::fault_of;
use crate::core::fact::{CapId, Fact, Fault, Freed, Reading, Source};
use crate::core::settings::{Cap, CapFile, Settings};
use crate::units::{Mono, Wall};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, open, statat, unlinkat};
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

/// Most files that are looked at, so that a directory that somebody has filled costs no more than some
/// memory for a moment.
const FILES_MAX: usize = 100_000;

/// Most files that are deleted in one go; the rest in the next. Whoever waits for the same thread, such
/// as a halt, is not held up for long.
const GO: usize = 256;

/// Least time between two looks: they read whole directories.
const EVERY: Duration = Duration::from_secs(300);

/// The caps of one machine.
pub struct Caps {
    settings: Arc<Settings>,
    due: Mono,
}

impl Caps {
    /// Those of these settings. Nothing is looked at yet.
    pub fn new(settings: Arc<Settings>) -> Caps {
        let due = Mono(0);
        Caps { settings, due }
    }

    /// Looks at them if it is time to, and tells of each.
    pub fn sample_each(&mut self, mut tell: impl FnMut(Fact)) {
        let now = clock::now();
        if now < self.due {
            return;
        }
        self.due = now.after(EVERY);
        for (number, cap) in (0_u16..).zip(&self.settings.caps) {
            let id = CapId(number);
            tell(match files(cap) {
                Ok((_, files)) => seen(id, size(&files), None),
                Err(error) => Fact::Lost {
                    source: Source::Cap(id),
                    why: fault_of(&error),
                },
            });
        }
    }
}

/// Deletes what is to be deleted for this cap.
///
/// # Errors
/// [`Fault::Absent`] for a number that is no cap; what the kernel said.
pub fn trim(settings: &Settings, id: CapId) -> Result<Fact, Fault> {
    let cap = settings.caps.get(usize::from(id.0)).ok_or(Fault::Absent)?;
    let (directory, files) = files(cap).map_err(|e| fault_of(&e))?;
    let mut left = size(&files);
    let mut freed = Freed { files: 0, bytes: 0 };
    let mut failed = None;
    for file in cap.surplus(files).into_iter().take(GO) {
        match unlinkat(&directory, &*file.name, AtFlags::empty()) {
            Ok(()) => {
                freed.files += 1;
                freed.bytes = freed.bytes.saturating_add(file.size);
                left = left.saturating_sub(file.size);
            }
            // Whoever rotates it was faster.
            Err(Errno::NOENT) => left = left.saturating_sub(file.size),
            Err(errno) => failed = Some(fault_of(&errno.into())),
        }
    }
    match failed {
        Some(why) if freed.files == 0 => Err(why),
        Some(_) | None => Ok(seen(id, left, Some(freed))),
    }
}

/// What [`trim`] would delete.
///
/// # Errors
/// What the kernel said.
pub fn surplus(cap: &Cap) -> io::Result<(u64, Vec<CapFile>)> {
    let (_, files) = files(cap)?;
    Ok((size(&files), cap.surplus(files)))
}

fn seen(cap: CapId, size: u64, freed: Option<Freed>) -> Fact {
    Fact::Seen(Reading::Cap { cap, size, freed })
}

fn size(files: &[CapFile]) -> u64 {
    files.iter().map(|f| f.size).fold(0, u64::saturating_add)
}

/// The directory, and the files in it that the cap is about.
fn files(cap: &Cap) -> io::Result<(OwnedFd, Vec<CapFile>)> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    let directory = open(&*cap.dir, flags, Mode::empty())?;
    let mut files = Vec::new();
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let maybe = matches!(entry.file_type(), FileType::RegularFile | FileType::Unknown);
        if !maybe || !cap.is_about(name.to_bytes()) || files.len() >= FILES_MAX {
            continue;
        }
        let stat = match statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => continue,
            Err(errno) => return Err(errno.into()),
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            continue;
        }
        // What it takes up: a file with holes is longer.
        let blocks = u64::try_from(stat.st_blocks).unwrap_or(0);
        files.push(CapFile {
            name: name.to_bytes().into(),
            size: blocks.saturating_mul(512),
            changed: Wall::new(stat.st_mtime.max(0)).unwrap_or(Wall::MAX),
        });
    }
    Ok((directory, files))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::time::SystemTime;

    fn settings(dir: &Path, max: u64) -> Settings {
        let cap = Cap {
            name: "logs".into(),
            dir: dir.to_string_lossy().into(),
            max,
            only: vec!["*.log.*".into()],
            keep: 1,
        };
        Settings {
            caps: vec![cap],
            ..Settings::nothing()
        }
    }

    /// A file of 8 KiB that was written so many hours ago.
    fn write(path: &Path, hours: u64) {
        fs::write(path, [7; 8192]).unwrap();
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 - hours * 3600);
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(at)
            .unwrap();
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<String> = entries
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// What has no such name, is a link or a directory, or lies deeper, is never touched; of the rest
    /// the oldest go.
    #[test]
    fn nothing_is_deleted_that_was_not_named() {
        let (dir, away) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let dir = dir.path();
        for (name, hours) in [
            ("app.log", 90),
            ("app.log.1", 1),
            ("app.log.2", 2),
            ("app.log.3", 3),
        ] {
            write(&dir.join(name), hours);
        }
        let precious = away.path().join("precious.log.9");
        write(&precious, 900);
        symlink(&precious, dir.join("link.log.9")).unwrap();
        fs::create_dir(dir.join("deep.log.9")).unwrap();
        write(&dir.join("deep.log.9/x.log.1"), 99);
        let settings = settings(dir, 16_384);
        let (size, would) = surplus(&settings.caps[0]).unwrap();
        assert_eq!((size, would.len()), (3 * 8192, 1));
        assert_eq!(&*would[0].name, b"app.log.3");
        let freed = Some(Freed {
            files: 1,
            bytes: 8192,
        });
        assert_eq!(trim(&settings, CapId(0)), Ok(seen(CapId(0), 16_384, freed)));
        let left = [
            "app.log",
            "app.log.1",
            "app.log.2",
            "deep.log.9",
            "link.log.9",
        ];
        assert_eq!(names(dir), left);
        assert!(precious.exists() && dir.join("deep.log.9/x.log.1").exists());
        let none = Some(Freed { files: 0, bytes: 0 });
        assert_eq!(trim(&settings, CapId(0)), Ok(seen(CapId(0), 16_384, none)));
    }

    /// A link in the place of the directory is refused: what it leads to was not named.
    #[test]
    fn a_link_is_no_directory() {
        let (dir, away) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(&away.path().join("a.log.1"), 1);
        write(&away.path().join("b.log.1"), 1);
        let link = dir.path().join("logs");
        symlink(away.path(), &link).unwrap();
        let settings = settings(&link, 0);
        assert!(trim(&settings, CapId(0)).is_err());
        assert_eq!(names(away.path()), ["a.log.1", "b.log.1"]);
        let mut facts = Vec::new();
        Caps::new(Arc::new(settings)).sample_each(|fact| facts.push(fact));
        assert!(matches!(&facts[..], [Fact::Lost { .. }]), "{facts:?}");
    }

    /// Seldom, and one after the other.
    #[test]
    fn looked_at_now_and_then() {
        let dir = tempfile::tempdir().unwrap();
        let mut caps = Caps::new(Arc::new(settings(dir.path(), 0)));
        let mut count = 0;
        for _ in 0..3 {
            caps.sample_each(|_| count += 1);
        }
        assert_eq!(count, 1);
    }
}

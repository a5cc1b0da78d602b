//! Reads files below a directory, and none that a link would lead to elsewhere.
//!
//! Terms: a *place* is a directory below which is read. Links in it are followed as long as they stay
//! below it, as those of sysfs do. Whoever can write to a place could otherwise have anything of this
//! machine packed for others to read.
//!
//! Never waits for a pipe, and never reads what is no regular file.

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, ResolveFlags, fstat, openat, openat2, statat};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

/// Entries of a directory that are looked at. More: a directory that runs over holds up what follows.
const ENTRIES: usize = 512;

/// A place.
#[derive(Debug)]
pub struct Beneath(OwnedFd);

/// The beginning of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    /// What was read.
    pub bytes: Vec<u8>,
    /// There is more.
    pub more: bool,
}

/// An entry of a directory, which is not opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Bytes, as the file system has them.
    pub size: u64,
    /// When it was written last, in seconds since 1970.
    pub written: i64,
}

/// Why something could not be read, for people.
pub fn why(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EXDEV) => "a link leads out of its place".to_owned(),
        Some(libc::ELOOP) => "links lead nowhere".to_owned(),
        Some(libc::ENOSYS) => "this kernel cannot keep links in their place".to_owned(),
        Some(_) | None => error.to_string(),
    }
}

impl Beneath {
    /// The root of a machine: `/`, or where the card of another one is mounted.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn root(path: &Path) -> io::Result<Beneath> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Beneath(openat(CWD, path, flags, Mode::empty())?))
    }

    /// A place on the machine with this root. Links to it are followed, and absolute ones begin at that
    /// root, as they do on that machine.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn place(&self, path: &Path) -> io::Result<Beneath> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        Ok(Beneath(openat2(
            &self.0,
            path,
            flags,
            Mode::empty(),
            inside,
        )?))
    }

    fn open(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        // The kernel refuses to be told how to read what is not opened to be read.
        let more = match flags.contains(OFlags::PATH) {
            true => OFlags::CLOEXEC,
            false => OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY,
        };
        let flags = flags | more;
        let below = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        Ok(openat2(&self.0, path, flags, Mode::empty(), below)?)
    }

    /// At most the first `limit` bytes of a file.
    ///
    /// # Errors
    /// What the kernel said; that it is no regular file.
    pub fn read(&self, path: &str, limit: usize) -> io::Result<Piece> {
        // First without opening it: that alone does things to some devices.
        let found = fstat(self.open(path, OFlags::PATH)?)?;
        if rustix::fs::FileType::from_raw_mode(found.st_mode) != rustix::fs::FileType::RegularFile {
            return Err(io::Error::new(
                ErrorKind::InvalidInput,
                "it is no regular file",
            ));
        }
        let file = File::from(self.open(path, OFlags::RDONLY)?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(
                ErrorKind::InvalidInput,
                "it is no regular file",
            ));
        }
        let mut bytes = Vec::new();
        let wanted = limit as u64 + 1;
        file.take(wanted).read_to_end(&mut bytes)?;
        let more = bytes.len() > limit;
        bytes.truncate(limit);
        Ok(Piece { bytes, more })
    }

    /// What is in a directory, by name. At most 512 entries.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn list(&self, path: &str) -> io::Result<Vec<Entry>> {
        let directory = self.open(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut entries = Vec::new();
        for entry in Dir::read_from(&directory)?.take(ENTRIES) {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            // One that has just gone is no failure.
            let Ok(found) = statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            // Of 32 bits on some machines.
            #[allow(clippy::unnecessary_cast)]
            let written = found.st_mtime as i64;
            entries.push(Entry {
                name: name.to_string_lossy().into_owned(),
                size: u64::try_from(found.st_size).unwrap_or(0),
                written,
            });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// A link that stays below its place is followed, and one that leaves it is not, however it does.
    #[test]
    fn links_stay_in_their_place() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("var/state/inner")).unwrap();
        fs::write(at("secret"), "hunter2").unwrap();
        fs::write(at("var/state/inner/file"), "fine").unwrap();
        symlink("inner/file", at("var/state/near")).unwrap();
        symlink("../../secret", at("var/state/out")).unwrap();
        symlink(at("secret"), at("var/state/absolute")).unwrap();
        symlink("../..", at("var/state/up")).unwrap();
        symlink("loop", at("var/state/loop")).unwrap();
        // To a place there may be links, and absolute ones are those of that machine.
        symlink("/var/state", at("data")).unwrap();
        let root = Beneath::root(dir.path()).unwrap();
        let place = root.place(Path::new("/data")).unwrap();
        let read = |path: &str| place.read(path, 100).map(|piece| piece.bytes);
        assert_eq!(read("near").unwrap(), b"fine");
        for path in [
            "out",
            "absolute",
            "up/secret",
            "../../secret",
            "/var/state/near",
        ] {
            let error = read(path).unwrap_err();
            assert_eq!(why(&error), "a link leads out of its place", "{path}");
        }
        assert_eq!(why(&read("loop").unwrap_err()), "links lead nowhere");
        assert!(root.place(Path::new("/nowhere")).is_err());
    }

    /// What is no file is not waited for, a long one is cut, and a listing opens nothing.
    #[test]
    fn only_the_beginning_of_regular_files() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        rustix::fs::mknodat(
            CWD,
            &fifo,
            rustix::fs::FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        fs::write(dir.path().join("long"), "0123456789").unwrap();
        let root = Beneath::root(dir.path()).unwrap();
        let kind = |path: &str| root.read(path, 4).map_err(|e| e.kind());
        assert_eq!(kind("fifo"), Err(ErrorKind::InvalidInput));
        assert_eq!(kind("."), Err(ErrorKind::InvalidInput));
        assert_eq!(kind("missing"), Err(ErrorKind::NotFound));
        let piece = kind("long").unwrap();
        assert_eq!((&piece.bytes[..], piece.more), (&b"0123"[..], true));
        assert!(!root.read("long", 10).unwrap().more);
        let names: Vec<_> = root.list(".").unwrap();
        let names: Vec<_> = names.iter().map(|e| (&*e.name, e.size)).collect();
        assert_eq!(names, [("fifo", 0), ("long", 10)]);
    }
}

//! Where the archive is written: where it should be, else to memory.

use super::gather::in_time;
use crate::cli::printer::tell_line;
use crate::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Standard output.
const STDOUT: &str = "-";

/// Where there is room if the card has none: memory, which is gone after a boot.
const REFUGES: [&str; 2] = ["/run", "/dev/shm"];

/// Archives with one name: another one of the same second.
const ALIKE: u32 = 9;

/// Writes the archive to a file, or into a directory; says where, or where and why not.
type Writing = Arc<dyn Fn(&Path) -> Result<PathBuf, String> + Send + Sync>;

/// Looks whether it can be sent there at all, before anything is read.
///
/// # Errors
/// That bytes would go to a terminal.
pub fn may_go(to: &Path) -> Result<(), Error> {
    match to == Path::new(STDOUT) && io::stdout().is_terminal() {
        false => Ok(()),
        true => {
            tell_line(
                "fieldwarden: an archive is nothing for a terminal\n\
                 help: send it on, as in `fieldwarden bundle --output - > pi.tar.gz`",
            );
            Err(Error::Said)
        }
    }
}

/// Writes it; tells where, unless that is standard output. Where it cannot be written, or not in time,
/// memory will do. Who reads standard output may take as long as they like.
///
/// # Errors
/// That nothing takes it, all of which has been said.
pub fn write(
    to: &Path,
    name: &str,
    archive: Vec<u8>,
    patience: Duration,
) -> Result<Option<PathBuf>, Error> {
    if to == Path::new(STDOUT) {
        let mut stdout = io::stdout().lock();
        stdout.write_all(&archive)?;
        stdout.flush()?;
        return Ok(None);
    }
    let refuges = REFUGES.map(|place| Path::new(place).join(name));
    first(to, &refuges, patience, &writing(name, archive))
        .ok_or(Error::Said)
        .map(Some)
}

/// How this archive, of this name, is written.
fn writing(name: &str, archive: Vec<u8>) -> Writing {
    let name = name.to_owned();
    Arc::new(move |to| {
        // To look whether it is a directory may hang as well.
        let path = match to.is_dir() {
            true => to.join(&name),
            false => to.to_owned(),
        };
        create(&path, &archive).map_err(|e| format!("{}: {e}", path.display()))
    })
}

/// The first of these places where it can be written in time.
fn first(
    wanted: &Path,
    refuges: &[PathBuf],
    patience: Duration,
    write: &Writing,
) -> Option<PathBuf> {
    let refuges = refuges.iter().map(|path| (path.as_path(), true));
    for (path, refuge) in std::iter::once((wanted, false)).chain(refuges) {
        let (to, write) = (path.to_owned(), Arc::clone(write));
        match in_time(patience, move || write(&to)) {
            Some(Ok(path)) if !refuge => return Some(path),
            Some(Ok(path)) => {
                tell_line(&format!(
                    "fieldwarden: it is in {} instead, in memory: copy it before the machine is \
                     restarted",
                    path.display()
                ));
                return Some(path);
            }
            Some(Err(why)) => tell_line(&format!("fieldwarden: cannot write {why}")),
            None => tell_line(&format!(
                "fieldwarden: cannot write {}: not through after {} s; what is there is not whole",
                path.display(),
                patience.as_secs()
            )),
        }
    }
    tell_line(
        "help: name a place that takes it with --output, or send it away, as in \
         `fieldwarden bundle --output - > pi.tar.gz` by ssh",
    );
    None
}

/// Makes a file that was not there, for its owner only. What could not be written whole is removed.
fn create(path: &Path, archive: &[u8]) -> io::Result<PathBuf> {
    let (mut file, path) = new_file(path)?;
    let written = file.write_all(archive).and_then(|()| file.sync_all());
    if let Err(e) = written {
        // It takes up room that is wanted, and is no archive.
        let _ = fs::remove_file(&path);
        return Err(e);
    }
    Ok(path)
}

/// Never one that is there already: it may be a link, or somebody's archive.
fn new_file(path: &Path) -> io::Result<(File, PathBuf)> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let text = path.to_string_lossy().into_owned();
    for n in 1..=ALIKE {
        let path = match (n, text.strip_suffix(".tar.gz")) {
            (1, _) => path.to_owned(),
            (n, Some(stem)) => PathBuf::from(format!("{stem}-{n}.tar.gz")),
            (_, None) => break,
        };
        match options.open(&path) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            opened => return Ok((opened?, path)),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, symlink};
    use std::sync::{Mutex, mpsc};

    /// For its owner only, never over a file that is there, never through a link.
    #[test]
    fn a_new_file_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tar.gz");
        assert_eq!(create(&path, b"1").unwrap(), path);
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        let other = dir.path().join("a-2.tar.gz");
        assert_eq!(create(&path, b"2").unwrap(), other);
        assert_eq!(fs::read(&path).unwrap(), b"1");
        let link = dir.path().join("link");
        symlink(dir.path().join("elsewhere"), &link).unwrap();
        let failed = create(&link, b"3").unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::AlreadyExists);
        assert!(!dir.path().join("elsewhere").exists());
    }

    /// A disk that takes nothing costs the place, not the archive.
    #[test]
    fn a_place_that_takes_nothing_is_got_round() {
        let dir = tempfile::tempdir().unwrap();
        let refuge = dir.path().join("b.tar.gz");
        let refuges = std::slice::from_ref(&refuge);
        let missing = dir.path().join("missing/a.tar.gz");
        let first = |to: &Path, refuges: &[PathBuf], text: &str| {
            let write = writing("c.tar.gz", text.into());
            super::first(to, refuges, Duration::from_secs(60), &write)
        };
        assert_eq!(first(&missing, refuges, "x").as_deref(), Some(&*refuge));
        let again = first(&missing, refuges, "y").unwrap();
        assert_eq!(again, dir.path().join("b-2.tar.gz"));
        assert_eq!(fs::read(again).unwrap(), b"y");
        assert_eq!(first(&missing, &[], "z"), None);
        let inside = first(dir.path(), &[], "z").unwrap();
        assert_eq!(inside, dir.path().join("c.tar.gz"));
    }

    /// One that neither takes it nor refuses is left to itself, and so is every refuge that hangs.
    #[test]
    fn a_place_that_hangs_is_got_round() {
        let dir = tempfile::tempdir().unwrap();
        let refuges = ["hung.tar.gz", "b.tar.gz"].map(|name| dir.path().join(name));
        let well = writing("c.tar.gz", b"x".into());
        let (hold, held) = mpsc::channel::<()>();
        let held = Mutex::new(held);
        let write: Writing = Arc::new(move |to| {
            if to.ends_with("hung.tar.gz") {
                // Until the test is over.
                let _ = held.lock().unwrap().recv();
                return Err("late".to_owned());
            }
            well(to)
        });
        let hung = dir.path().join("card/hung.tar.gz");
        let found = first(&hung, &refuges, Duration::from_millis(100), &write);
        assert_eq!(found.as_deref(), Some(&*refuges[1]));
        assert_eq!(fs::read(&refuges[1]).unwrap(), b"x");
        drop(hold);
    }
}

//! Reads the files of a configuration: the one that is named, and its drop-ins.

use super::FILE_MAX;
use super::problem::{Problem, Problems, Severity};
use super::source::{Source, SourceFile};
use super::syntax;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The directory of drop-ins, beside the file that they belong to.
pub const DROP_INS: &str = "conf.d";

/// The file that a directory stands for.
const MAIN: &str = "fieldwarden.toml";

/// Most drop-ins: one for each of many services.
const DROP_INS_MAX: usize = 256;

/// The file that a path stands for: the path itself, or the file in that directory.
pub fn main_file(path: &Path) -> PathBuf {
    match path.is_dir() {
        true => path.join(MAIN),
        false => path.to_owned(),
    }
}

/// Reads a file, and its drop-ins if they are wanted. Tells what could not be read.
pub(super) fn read(path: &Path, drop_ins: bool) -> (Source, Vec<Problem>) {
    let path = &main_file(path);
    let (mut files, mut unread) = (Vec::new(), Vec::new());
    let mut paths = vec![path.to_owned()];
    match self::drop_ins(path) {
        Ok(more) if drop_ins => paths.extend(more),
        Ok(_) => {}
        Err(problems) if drop_ins => unread.extend(problems.list),
        Err(_) => {}
    }
    let mut room = FILE_MAX;
    for path in paths {
        let name = path.display().to_string();
        match text(&path, &name, room) {
            Ok(text) => {
                room = room.saturating_sub(text.len());
                files.push(SourceFile { name, text });
            }
            Err(problems) => {
                // What is wrong with it is told with its name; others are told of, too.
                files.push(SourceFile {
                    name,
                    text: String::new(),
                });
                unread.extend(problems);
            }
        }
    }
    (Source::of(files), unread)
}

/// The drop-ins of a file, in the order of their names.
fn drop_ins(path: &Path) -> Result<Vec<PathBuf>, Problems> {
    let directory = path.parent().unwrap_or(Path::new("")).join(DROP_INS);
    let name = directory.display().to_string();
    // A link that leads nowhere, such as to a disk that is not mounted, is no directory without files.
    let missing = directory.symlink_metadata().is_err_and(|e| {
        let kind = e.kind();
        kind == io::ErrorKind::NotFound || kind == io::ErrorKind::NotADirectory
    });
    if missing {
        return Ok(Vec::new());
    }
    let entries = directory.read_dir();
    let entries = entries.and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|e| syntax::unreadable(&name, &e))?;
    let mut paths: Vec<PathBuf> = entries.iter().map(|entry| entry.path()).collect();
    paths.retain(|path| is_drop_in(path));
    if paths.len() > DROP_INS_MAX {
        let what = format!("has {} files", paths.len());
        let help = format!("at most {DROP_INS_MAX} are read; put several services into one");
        return Err(Problem::of_file(Severity::Error, &name, what, &help).into());
    }
    paths.sort();
    Ok(paths)
}

/// Editors and package managers leave other files, and hidden ones.
fn is_drop_in(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_bytes();
    name.ends_with(b".toml") && !name.starts_with(b".")
}

/// Opens a file to be read. Only a regular one: whoever waits for a pipe that nobody writes to guards
/// nothing.
///
/// # Errors
/// What the kernel said; that it is none.
pub fn open(path: &Path) -> io::Result<File> {
    match path.metadata()?.is_file() {
        true => File::open(path),
        false => Err(io::Error::other("it is no regular file")),
    }
}

fn text(path: &Path, name: &str, room: usize) -> Result<String, Vec<Problem>> {
    let mut bytes = Vec::new();
    let limit = room as u64 + 1;
    let read = open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    if let Err(error) = read {
        return Err(vec![syntax::unreadable(name, &error)]);
    }
    if bytes.len() > room {
        return Err(vec![syntax::too_long(name)]);
    }
    let text =
        String::from_utf8(bytes).map_err(|error| syntax::not_utf8(name, error.as_bytes()).list)?;
    match text.trim().is_empty() {
        true => Err(vec![empty(name)]),
        false => Ok(text),
    }
}

/// A file without anything in it. Nobody writes one, but a power cut may leave one behind, and a
/// machine that takes it for a configuration runs none of its services and calls that well.
fn empty(name: &str) -> Problem {
    Problem::of_file(
        Severity::Error,
        name,
        "is empty".to_owned(),
        "a power cut may leave such a file: write it anew, then sync; where all is to be as by default, \
         write version = 1",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn names(path: &Path) -> Vec<String> {
        let (source, _) = read(path, true);
        let name = |file: &SourceFile| {
            let name = Path::new(&file.name).file_name();
            name.unwrap().to_string_lossy().into_owned()
        };
        source.files().iter().map(name).collect()
    }

    /// A pipe that nobody writes to, and a directory of drop-ins that is not where a link says, are
    /// mistakes: neither is waited for, and neither counts as nothing.
    #[test]
    fn what_is_not_there_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let main = dir.path().join("fieldwarden.toml");
        fs::write(&main, "version = 1\n").unwrap();
        let drop_ins = dir.path().join("conf.d");
        std::os::unix::fs::symlink(dir.path().join("gone"), &drop_ins).unwrap();
        assert_eq!(read(&main, true).1.len(), 1);
        fs::remove_file(&drop_ins).unwrap();
        assert_eq!(read(&main, true).1.len(), 0);
        fs::write(&drop_ins, "").unwrap();
        assert_eq!(read(&main, true).1.len(), 1);
        fs::remove_file(&main).unwrap();
        nix::unistd::mkfifo(&main, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let why = open(&main).unwrap_err();
        assert_eq!(why.to_string(), "it is no regular file");
    }

    /// Drop-ins come behind the file in the order of their names; what is none is not read.
    #[test]
    fn drop_ins_are_found_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let main = dir.path().join("fieldwarden.toml");
        fs::write(&main, "version = 1\n").unwrap();
        assert_eq!(names(&main), ["fieldwarden.toml"]);
        fs::create_dir(dir.path().join("conf.d")).unwrap();
        for name in [
            "20-b.toml",
            "10-a.toml",
            "9.toml",
            ".x.toml",
            "a.toml.bak",
            "a.conf",
        ] {
            fs::write(dir.path().join("conf.d").join(name), "version = 1\n").unwrap();
        }
        let wanted = ["fieldwarden.toml", "10-a.toml", "20-b.toml", "9.toml"];
        assert_eq!(names(&main), wanted);
        assert_eq!(names(dir.path()), wanted);
        let (alone, unread) = read(&main, false);
        assert_eq!((alone.files().len(), unread.len()), (1, 0));
    }

    /// Each file that cannot be read is told by its name, and none hides another.
    #[test]
    fn what_cannot_be_read_is_told_of_each() {
        let dir = tempfile::tempdir().unwrap();
        let main = dir.path().join("fieldwarden.toml");
        let folder = dir.path().join("conf.d");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("1.toml"), " \n").unwrap();
        fs::write(folder.join("2.toml"), [b'a', 0xFF]).unwrap();
        fs::create_dir(folder.join("3.toml")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.join("4.toml")).unwrap();
        fs::write(folder.join("5.toml"), vec![b'#'; FILE_MAX + 1]).unwrap();
        let (_, unread) = read(&main, true);
        let told: Vec<String> = unread.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 6, "{told:#?}");
        for (problem, (file, what)) in told.iter().zip([
            ("fieldwarden.toml", "cannot be read"),
            ("1.toml", "is empty"),
            ("2.toml", "not UTF-8"),
            ("3.toml", "cannot be read"),
            ("4.toml", "cannot be read"),
            ("5.toml", "is longer than"),
        ]) {
            assert!(
                problem.contains(file) && problem.contains(what),
                "{problem}"
            );
        }
        for number in 0..=DROP_INS_MAX {
            fs::write(folder.join(format!("x{number}.toml")), "version = 1\n").unwrap();
        }
        let (_, unread) = read(&main, true);
        assert!(
            unread[0].to_string().contains("at most 256"),
            "{}",
            unread[0]
        );
    }
}

//! Where segments are kept: a directory, or a model of one in tests.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A place for files that only grow. Each method is durable when it returns `Ok`.
pub trait Store {
    /// Makes the place itself, where only that is missing.
    fn prepare(&mut self) -> io::Result<()>;
    /// Names of all files.
    fn names(&mut self) -> io::Result<Vec<String>>;
    /// The content of a file.
    fn read(&mut self, name: &str) -> io::Result<Vec<u8>>;
    /// Makes an empty file, which must not exist yet.
    fn create(&mut self, name: &str) -> io::Result<()>;
    /// Appends to a file that exists. After an error, any part of `bytes` may stand there.
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Cuts a file to this length.
    fn cut(&mut self, name: &str, length: u64) -> io::Result<()>;
    /// Removes a file.
    fn remove(&mut self, name: &str) -> io::Result<()>;
    /// What to call this place in a message.
    fn place(&self) -> String;
}

/// A directory of a file system.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    open: Option<(String, File)>,
}

impl Directory {
    /// The directory at `path`. Its parent must exist by the time it is used.
    pub fn new(path: &Path) -> Directory {
        Directory {
            path: path.to_owned(),
            open: None,
        }
    }

    /// Makes a creation or removal of a name in the directory at `path` durable.
    fn sync(path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    /// The file for appending, opened once and then kept.
    fn appender(&mut self, name: &str) -> io::Result<&mut File> {
        let open = match self.open.take() {
            // A file without a name would take bytes that nobody will ever read.
            Some((at, file)) if at == name && file.metadata()?.nlink() > 0 => (at, file),
            Some(_) | None => {
                let file = OpenOptions::new().append(true).open(self.path.join(name))?;
                (name.to_owned(), file)
            }
        };
        Ok(&mut self.open.insert(open).1)
    }
}

impl Store for Directory {
    fn prepare(&mut self) -> io::Result<()> {
        match DirBuilder::new().mode(0o750).create(&self.path) {
            Ok(()) => Directory::sync(self.path.parent().unwrap_or(Path::new("/"))),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn names(&mut self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.path)?;
        entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn read(&mut self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path.join(name))
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        let path = self.path.join(name);
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o640)
            .open(path)?;
        self.open = Some((name.to_owned(), file));
        Directory::sync(&self.path)
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let file = self.appender(name)?;
        file.write_all(bytes)?;
        file.sync_data()
    }

    fn cut(&mut self, name: &str, length: u64) -> io::Result<()> {
        let path = self.path.join(name);
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(length)?;
        file.sync_all()
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))?;
        Directory::sync(&self.path)
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }
}

//! The copies of a configuration: what a daemon goes by when it finds its configuration unusable.
//!
//! One lies in the runtime directory, of what is in force in this boot, from the start on. The other
//! lies with the state and outlives the boot: it is of the latest configuration that a daemon has lived
//! with for a minute, so none that daemons break off of takes its place.
//!
//! Both may hold what the configuration holds, so nobody but root reads them.
//!
//! Never replaces a copy by half of another one. Never waits for the card but in a thread of its own.

use super::luggage;
use super::newer;
use super::places::Places;
use crate::config::{self, Bundle, alike};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A daemon that has lived so long with its configuration does not break off of it.
pub const PROVEN: Duration = Duration::from_secs(60);

/// Longest copy in bytes: a configuration, a board file, and their names.
const LENGTH_MAX: u64 = 4 << 20;

/// Name of the copy in its directory.
const NAME: &str = "configuration";

/// Where the state is unless a configuration says otherwise. A file that is gone says nothing of it, so
/// a copy of the machine's own configuration lies here as well.
pub const USUAL_STATE: &str = "/var/lib/fieldwarden";

/// The copies of one daemon, and what is to stand in them.
pub struct ConfigCopies {
    here: PathBuf,
    lasting: PathBuf,
    usual: Option<PathBuf>,
    /// In memory that is not this process's: it is needed once more, after a minute.
    text: File,
}

/// The copy of this boot.
pub fn here(places: &Places) -> PathBuf {
    places.root().join(NAME)
}

/// The copy that outlives a boot.
pub fn lasting(state_dir: &Path) -> PathBuf {
    state_dir.join(NAME)
}

/// Reads a copy.
///
/// # Errors
/// What the kernel said; that it is too long, or no text.
pub fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let length = config::open(path)?
        .take(LENGTH_MAX + 1)
        .read_to_string(&mut text)?;
    match length as u64 > LENGTH_MAX {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(text),
    }
}

impl ConfigCopies {
    /// Copies of this text, which lies in a file. `usual`: where it is to be found by who does not know
    /// the state directory.
    pub fn new(
        places: &Places,
        state_dir: &Path,
        usual: Option<&Path>,
        text: File,
    ) -> ConfigCopies {
        let usual = usual.filter(|usual| *usual != state_dir);
        ConfigCopies {
            here: here(places),
            lasting: lasting(state_dir),
            usual: usual.map(lasting),
            text,
        }
    }

    /// Keeps what is in force for a daemon that follows in this boot. The directory is memory: if that
    /// fails, there is the other copy.
    pub fn keep_here(&self) {
        if let Err(e) = self.text().and_then(|text| replace(&self.here, &text)) {
            log::warn!(
                "{}: {e}; no copy of the configuration for this boot",
                self.here.display()
            );
        }
    }

    /// Keeps it for the next boot, too.
    pub fn keep_lasting(&self) {
        if let Some(parent) = self.usual.as_deref().and_then(Path::parent) {
            // Not the other one: a disk that is not mounted must not be written below.
            let _ = fs::create_dir_all(parent);
        }
        for path in std::iter::once(&self.lasting).chain(&self.usual) {
            if let Err(e) = self.keep_at(path) {
                log::warn!(
                    "{}: {e}; no copy of the configuration outlives this boot there",
                    path.display()
                );
            }
        }
    }

    fn keep_at(&self, path: &Path) -> io::Result<()> {
        let text = self.text()?;
        let whole = |old: &String| Bundle::parse(old).is_ok();
        // Nothing is written to a card that says nothing new.
        if read(path).is_ok_and(|old| whole(&old) && alike(&old, &text)) {
            return Ok(());
        }
        // That of the state directory was set aside at the start; the other one is nobody's but ours.
        newer::set_one_aside(path);
        replace(path, &text)
    }

    fn text(&self) -> io::Result<String> {
        luggage::read_text(&self.text)
    }
}

/// Replaces a file so that a power cut at any instant leaves the old or the new one. What could not be
/// written as a whole is removed, so that it takes no room on a full disk.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    let written = write_new(&new, text).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written?;
    let directory = path.parent().unwrap_or(Path::new("/"));
    File::open(directory)?.sync_all()
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    fn copies(dir: &Path, text: &str) -> ConfigCopies {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let usual = dir.join("usual");
        ConfigCopies::new(&Places::new(dir), &dir.join("state"), Some(&usual), file)
    }

    fn bundle(text: &str, taken: i64) -> String {
        let config = config::parse("c.toml", text).unwrap().config;
        let taken = crate::units::Wall::new(2_000_000_000 + taken).unwrap();
        Bundle::of(&config, taken).to_text().unwrap()
    }

    /// A copy is there as it was kept, for root alone; it is written again only if it says something
    /// else than the one before.
    #[test]
    fn a_copy_is_kept_once() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        fs::create_dir(&state).unwrap();
        let path = lasting(&state);
        // What another program has left in its way.
        fs::write(path.with_extension("new"), "x").unwrap();
        let [earlier, later] = [1, 2].map(|taken| bundle("version = 1\n", taken));
        copies(dir.path(), &earlier).keep_lasting();
        assert_eq!(read(&path).unwrap(), earlier);
        let usual = lasting(&dir.path().join("usual"));
        assert_eq!(read(&usual).unwrap(), earlier);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let inode = || fs::metadata(&path).unwrap().ino();
        let first = inode();
        copies(dir.path(), &later).keep_lasting();
        assert_eq!((read(&path).unwrap(), inode()), (earlier, first));
        // One that is damaged where it does not say what it is of is no copy of anything.
        fs::write(&path, later.replacen("fieldwarden", "fieldwardem", 1)).unwrap();
        copies(dir.path(), &later).keep_lasting();
        assert_eq!(read(&path).unwrap(), later);
        copies(dir.path(), "head 3\nother").keep_lasting();
        assert_eq!(read(&path).unwrap(), "head 3\nother");
        copies(dir.path(), "head 4\nother").keep_here();
        assert_eq!(
            read(&here(&Places::new(dir.path()))).unwrap(),
            "head 4\nother"
        );
        assert!(!path.with_extension("new").exists());
    }

    /// One that a later version has left in the usual place is set aside, whole.
    #[test]
    fn one_of_a_later_version_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("usual")).unwrap();
        let path = lasting(&dir.path().join("usual"));
        let newer = "fieldwarden-configuration 2 1 0\nmore\n";
        fs::write(&path, newer).unwrap();
        copies(dir.path(), "head\nbody").keep_lasting();
        assert_eq!(read(&path).unwrap(), "head\nbody");
        let aside = path.with_extension("v2");
        assert_eq!(fs::read_to_string(aside).unwrap(), newer);
    }

    /// Where nothing can be written, nothing is, and the old copy stays.
    #[test]
    fn what_cannot_be_written_leaves_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let copies = copies(dir.path(), "head\nbody");
        copies.keep_lasting();
        assert!(!dir.path().join("state").exists());
        assert!(lasting(&dir.path().join("usual")).exists());
        let place = dir.path().join("place");
        fs::create_dir(&place).unwrap();
        let path = place.join("c");
        replace(&path, "old").unwrap();
        // A directory in its way stands for a disk that takes nothing.
        fs::create_dir(path.with_extension("new")).unwrap();
        assert!(replace(&path, "new").is_err());
        assert_eq!(read(&path).unwrap(), "old");
        assert!(read(&place).is_err() && read(Path::new("/nonexistent")).is_err());
    }
}

//! The memo about a service, for a successor of this daemon: how far it had come, in one line.
//!
//! The line is that of a trace. As with a [run record](super::run_record), a new one overwrites the
//! old one in a single write of always the same length: it is there as a whole or not at all when the
//! daemon dies, and needs no room that may be wanting.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

/// Bytes of a memo, the line feed included: the longest name, and the most restarts.
pub const LENGTH: usize = 1024;

/// Writes it, whole or not at all.
///
/// # Errors
/// What the kernel said; or that the line is too long, which none of ours is.
pub fn store(path: &Path, line: &str) -> io::Result<()> {
    let mut record = [b' '; LENGTH];
    record[LENGTH - 1] = b'\n';
    let room = record[..LENGTH - 1].get_mut(..line.len());
    room.ok_or(io::ErrorKind::InvalidInput)?
        .copy_from_slice(line.as_bytes());
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    file.write_all(&record)
}

/// Reads it; `None` if there is none.
pub fn load(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.strip_suffix('\n')?.trim_end_matches(' ');
    (text.len() == LENGTH).then(|| line.to_owned())
}

/// Removes it: nobody configures this service any more.
pub fn remove(path: &Path) {
    // What is left is about a service that does not exist.
    let _ = std::fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was written last is read, whole; what is torn is not.
    #[test]
    fn the_next_takes_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("memo");
        assert_eq!(load(&path), None);
        for line in ["a longer one", "short"] {
            store(&path, line).unwrap();
            assert_eq!(load(&path).as_deref(), Some(line));
        }
        assert!(store(&path, &"x".repeat(LENGTH)).is_err());
        assert_eq!(load(&path).as_deref(), Some("short"));
        std::fs::write(&path, "short\n").unwrap();
        assert_eq!(load(&path), None);
    }
}

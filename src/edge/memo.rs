//! The memo about a service, for a successor of this daemon: how far it had come, in one line.
//!
//! The line is that of a trace, in the [table](super::run_table) of runs, always of the same length.

use std::io;
use std::path::Path;

/// Bytes of a memo, the line feed included: the longest name, and the most restarts.
pub const LENGTH: usize = 1024;

/// The line with what fills it up.
///
/// # Errors
/// It is too long, which none of ours is.
pub fn padded(line: &str) -> io::Result<[u8; LENGTH]> {
    let mut memo = [b' '; LENGTH];
    memo[LENGTH - 1] = b'\n';
    let room = memo[..LENGTH - 1].get_mut(..line.len());
    room.ok_or(io::ErrorKind::InvalidInput)?
        .copy_from_slice(line.as_bytes());
    Ok(memo)
}

/// The line that was filled up so; `None` if it was not.
pub fn of(memo: &[u8]) -> Option<String> {
    let line = memo.strip_suffix(b"\n")?.trim_ascii_end();
    let text = std::str::from_utf8(line).ok()?;
    (memo.len() == LENGTH && !text.is_empty()).then(|| text.to_owned())
}

/// Reads the file in which an earlier version kept it; `None` if there is none.
pub fn load(path: &Path) -> Option<String> {
    of(&std::fs::read(path).ok()?)
}

/// Removes that file.
pub fn remove(path: &Path) {
    // What is left is not looked at again.
    let _ = std::fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was filled up is read, whole; what is torn, too long or nothing is not.
    #[test]
    fn whole_or_not_at_all() {
        let memo = padded("a line").unwrap();
        assert_eq!(of(&memo).as_deref(), Some("a line"));
        assert_eq!(of(&memo[1..]), None);
        assert_eq!(of(&memo[..LENGTH - 1]), None);
        assert_eq!(of(&padded("").unwrap()), None);
        assert_eq!(of(&[0; LENGTH]), None);
        assert!(padded(&"x".repeat(LENGTH - 1)).is_ok());
        assert!(padded(&"x".repeat(LENGTH)).is_err());
    }
}

//! Starts that broke off: how many daemons of the last minute did not end in good order, and how
//! often the machine was left to its watchdog for that.
//!
//! Two small files. The one in the runtime directory names the starts of this boot, one a line, until a
//! daemon ends in good order. The one with the state outlives a reset: it bounds the resets that we
//! bring about by this.
//!
//! Never waits for the card except on the way to a reset.

use crate::units::Mono;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

/// Starts that lie back longer do not count.
const WINDOW: Duration = Duration::from_secs(60);

/// Starts that are remembered: more than ever count.
const MOST: usize = 16;

/// Resets that we bring about in a row. A board that is reset for ever is of less use than one whose
/// services run without a supervisor that works.
pub const RESETS: u32 = 3;

/// A daemon that has lived so long proves that the resets before it have helped.
pub const STABLE: Duration = Duration::from_secs(600);

/// Writes down that a daemon starts now, and tells how many of the last minute broke off.
///
/// # Errors
/// What the kernel said.
pub fn enter(path: &Path, now: Mono) -> io::Result<u32> {
    let text = match fs::read_to_string(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        outcome => outcome?,
    };
    let recent = |at: &u64| *at <= now.0 && now.since(Mono(*at)) < WINDOW;
    let mut starts: Vec<u64> = text.lines().filter_map(|line| line.parse().ok()).collect();
    starts.retain(recent);
    let aborted = u32::try_from(starts.len()).unwrap_or(u32::MAX);
    starts.push(now.0);
    let excess = starts.len().saturating_sub(MOST);
    let lines = starts.iter().skip(excess).map(|at| format!("{at}\n"));
    fs::write(path, lines.collect::<String>())?;
    Ok(aborted)
}

/// Takes back the latest start: it was another directory's.
pub fn take_back(path: &Path) {
    // What is left here makes a later start look worse than it is, for a minute.
    let text = fs::read_to_string(path).unwrap_or_default();
    let _ = match text.trim_end().rsplit_once('\n') {
        Some((earlier, _)) => fs::write(path, format!("{earlier}\n")),
        None => fs::remove_file(path),
    };
}

/// The daemon ends in good order.
pub fn leave(path: &Path) {
    // What is left makes the next start look worse than it is, for a minute.
    let _ = fs::remove_file(path);
}

/// Takes one of the resets that may still be brought about; returns whether there was one.
///
/// # Errors
/// What the kernel said; nothing was taken then.
pub fn take_reset(path: &Path) -> io::Result<bool> {
    let used = match fs::read_to_string(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
        outcome => outcome?.trim().parse().unwrap_or(RESETS),
    };
    if used >= RESETS {
        return Ok(false);
    }
    let mut file = fs::File::create(path)?;
    writeln!(file, "{}", used + 1)?;
    file.sync_all()?;
    Ok(true)
}

/// All resets may be brought about again.
pub fn forget_resets(path: &Path) {
    // Without that there are fewer, which is the harmless direction.
    let _ = fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each start that is not followed by an end in good order counts, for a minute.
    #[test]
    fn starts_count_until_one_ends_well() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("starts");
        let enter = |seconds: u64| enter(&path, Mono(seconds * 1000)).unwrap();
        assert_eq!([enter(100), enter(101), enter(102)], [0, 1, 2]);
        assert_eq!(enter(161), 1);
        take_back(&path);
        assert_eq!(enter(161), 1);
        leave(&path);
        assert_eq!(enter(162), 0);
        take_back(&path);
        assert!(!path.exists());
        fs::write(&path, "161000\nnonsense\n999999999\n").unwrap();
        assert_eq!(enter(163), 1);
        for _ in 0..2 * MOST {
            enter(164);
        }
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), MOST);
    }

    /// Resets are counted over boots, and what makes no sense allows none.
    #[test]
    fn resets_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("resets");
        for _ in 0..RESETS {
            assert!(take_reset(&path).unwrap());
        }
        assert!(!take_reset(&path).unwrap());
        forget_resets(&path);
        assert!(take_reset(&path).unwrap());
        fs::write(&path, "?").unwrap();
        assert!(!take_reset(&path).unwrap());
        assert!(take_reset(&dir.path().join("none/resets")).is_err());
    }
}

//! Locks on files, by which one daemon keeps another out.

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::time::Duration;

/// For so long a lock that is held is tried for. A child that a daemon was about to start when it was
/// killed has the daemon's descriptors, and with them its locks, until its exec: some milliseconds, or
/// more where the card is slow. Longer: whoever starts a second daemon by mistake waits to hear of it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Time between two tries.
const AGAIN: Duration = Duration::from_millis(10);

/// Locks this file for the calling process alone.
///
/// # Errors
/// `WOULDBLOCK` if somebody else has it and keeps it; what else the kernel says.
pub fn lock(file: impl AsFd) -> Result<(), Errno> {
    let mut waited = Duration::ZERO;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) if waited < PATIENCE => {
                std::thread::sleep(AGAIN);
                waited += AGAIN;
            }
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    /// A lock that somebody is about to let go of is had; one that is kept is not.
    #[test]
    fn a_lock_is_tried_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = File::create(&path).unwrap();
        lock(&first).unwrap();
        let second = File::open(&path).unwrap();
        assert_eq!(lock(&second), Err(Errno::WOULDBLOCK));
        let going = std::thread::spawn(move || {
            std::thread::sleep(5 * AGAIN);
            drop(first);
        });
        assert_eq!(lock(&second), Ok(()));
        going.join().unwrap();
    }
}

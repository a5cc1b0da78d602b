//! The latest events, for those who follow them.

use super::answer::lost_line;
use rustix::event::{EventfdFlags, eventfd};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Events that are kept. Enough to see what led to what; more would be the journal's business.
pub(super) const KEPT: usize = 256;

/// Longest event in bytes. The longest that can be has about 500; what is longer is a bug, and
/// must not become a leak.
const LINE_MAX: usize = 4096;

/// The latest 256 events as lines of JSON. The recorder puts them in and never waits; followers
/// read them at their own pace and are told how many they were too slow for.
pub struct EventRing {
    lines: Mutex<Lines>,
    bell: OwnedFd,
    /// Somebody wants to be woken.
    followed: AtomicBool,
}

struct Lines {
    kept: VecDeque<Arc<str>>,
    /// Number of the next event: of all that there ever were.
    next: u64,
}

impl EventRing {
    /// An empty ring.
    ///
    /// # Errors
    /// When the kernel gives no eventfd.
    pub fn new() -> io::Result<EventRing> {
        Ok(EventRing {
            lines: Mutex::new(Lines {
                kept: VecDeque::with_capacity(KEPT),
                next: 0,
            }),
            bell: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            followed: AtomicBool::new(false),
        })
    }

    /// Adds an event: one JSON object in one line, with or without its line feed. Pushes the oldest
    /// one out where the ring is full. One of more than 4 KiB is replaced by a count of one lost.
    pub fn push(&self, line: &str) {
        let line = line.trim_end_matches('\n');
        let lost = lost_line(1);
        let fits = line.len() <= LINE_MAX && !line.contains('\n');
        let line = if fits { line } else { lost.trim_end() };
        {
            let mut lines = self.lines();
            if lines.kept.len() == KEPT {
                lines.kept.pop_front();
            }
            lines.kept.push_back(line.into());
            lines.next += 1;
        }
        if self.followed.load(SeqCst) {
            // It can only fail when the counter is full, and then the bell rings already.
            let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        // Nothing in this file can panic while it holds the lock.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of the next event.
    pub(super) fn next(&self) -> u64 {
        self.lines().next
    }

    /// Appends events from number `from` up to before number `upto` to `out`, until it holds `size`
    /// bytes or more; returns the number to go on with. What is not kept any more is counted in a
    /// line of its own.
    pub(super) fn read(&self, from: u64, upto: u64, size: usize, out: &mut Vec<u8>) -> u64 {
        let lines = self.lines();
        let oldest = lines.next - lines.kept.len() as u64;
        let mut at = from;
        if at < oldest.min(upto) {
            let reached = oldest.min(upto);
            out.extend_from_slice(lost_line(reached - at).as_bytes());
            at = reached;
        }
        let skip = usize::try_from(at - oldest.min(at)).unwrap_or(usize::MAX);
        for line in lines.kept.iter().skip(skip) {
            if at >= upto || out.len() >= size {
                break;
            }
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
            at += 1;
        }
        at
    }

    /// Rings for every event from now on, or for none.
    pub(super) fn wake(&self, wanted: bool) {
        self.followed.store(wanted, SeqCst);
    }

    /// Readable after an event, while somebody wants to be woken.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// Empties the bell.
    pub(super) fn silence(&self) {
        let _ = rustix::io::read(&self.bell, &mut [0u8; 8]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(ring: &EventRing, from: u64, upto: u64, size: usize) -> (String, u64) {
        let mut out = Vec::new();
        let next = ring.read(from, upto, size, &mut out);
        (String::from_utf8(out).unwrap(), next)
    }

    /// Events come in order, in pieces, and those that were pushed out are counted.
    #[test]
    fn reads_in_order_and_counts_the_lost() {
        let ring = EventRing::new().unwrap();
        assert_eq!(text(&ring, 0, u64::MAX, 100), (String::new(), 0));
        for n in 0..300 {
            ring.push(&format!("{{\"n\":{n}}}\n"));
        }
        let (first, next) = text(&ring, 0, u64::MAX, 30);
        assert_eq!(first, "{\"v\":1,\"lost\":44}\n{\"n\":44}\n{\"n\":45}\n");
        assert_eq!(next, 46);
        assert_eq!(
            text(&ring, 298, u64::MAX, 9999).0,
            "{\"n\":298}\n{\"n\":299}\n"
        );
        assert_eq!(
            text(&ring, 298, 299, 9999),
            ("{\"n\":298}\n".to_owned(), 299)
        );
        assert_eq!(text(&ring, 300, u64::MAX, 9999), (String::new(), 300));
        assert_eq!(
            text(&ring, 3, 7, 9999),
            ("{\"v\":1,\"lost\":4}\n".to_owned(), 7)
        );
    }

    /// What is no single short line is not kept.
    #[test]
    fn keeps_lines_only() {
        let ring = EventRing::new().unwrap();
        ring.push(&"x".repeat(LINE_MAX + 1));
        ring.push("{}\n{}");
        let lost = "{\"v\":1,\"lost\":1}\n";
        assert_eq!(text(&ring, 0, u64::MAX, 9999).0, lost.repeat(2));
    }

    /// The bell is silent while nobody follows: an idle daemon must not be woken.
    #[test]
    fn rings_only_for_followers() {
        let ring = EventRing::new().unwrap();
        let rings = |ring: &EventRing| rustix::io::read(ring.bell(), &mut [0u8; 8]).is_ok();
        ring.push("{}");
        assert!(!rings(&ring));
        ring.wake(true);
        ring.push("{}");
        assert!(rings(&ring));
        assert!(!rings(&ring));
    }
}

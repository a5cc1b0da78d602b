//! The sockets that init has passed to this process (`LISTEN_FDS`).

use crate::edge::luggage;
use crate::edge::systemd::Environment;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use rustix::net::sockopt::socket_acceptconn;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// The first of them: those before it are standard input, output and errors.
const FIRST: RawFd = 3;

/// More than this are not taken. A daemon needs one.
const MOST: RawFd = 16;

/// They were taken already: each can be owned once.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Takes the listening sockets that init has passed. None for a successor in the same process: its
/// predecessor has taken them, and what has their numbers now is something else.
pub fn passed(environment: &Environment) -> Vec<OwnedFd> {
    let number = |name: &str| environment.get(name)?.to_str()?.parse::<u32>().ok();
    let (pid, count) = (number("LISTEN_PID"), number("LISTEN_FDS"));
    if pid != Some(std::process::id()) || luggage::came() || TAKEN.swap(true, SeqCst) {
        return Vec::new();
    }
    let count = RawFd::try_from(count.unwrap_or(0))
        .unwrap_or(MOST)
        .min(MOST);
    (FIRST..FIRST + count).filter_map(take).collect()
}

fn take(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: it is only asked whether there is such a descriptor.
    let there = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl_getfd(there).ok()?;
    fcntl_setfd(there, FdFlags::CLOEXEC).ok()?;
    if !socket_acceptconn(there.as_fd()).unwrap_or(false) {
        return None;
    }
    let flags = fcntl_getfl(there).ok()?;
    fcntl_setfl(there, flags | OFlags::NONBLOCK).ok()?;
    // SAFETY: it is open, init has passed it to this process by this number, and it is taken once: so
    // nobody else in it owns it.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}

//! What the daemon asks of the kernel for its own process: that it is not paged out, that it may have
//! many descriptors, and that it is small.

use super::spawn::Limit;
use nix::sys::signal::{SigSet, Signal};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use std::sync::Mutex;

/// Descriptors that the daemon may open. Each service takes up to four of them (its process, its
/// control group, its notify socket, its output), and there may be 1,024 services.
const DESCRIPTORS: u64 = 8192;

/// The limit of descriptors that was in force before we raised it.
static GIVEN: Mutex<Option<Rlimit>> = Mutex::new(None);

/// Signals to the daemon.
const SIGNALS: [Signal; 4] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGHUP,
];

/// Has the calling thread, and those that it starts, leave signals to the daemon to others. One that
/// nobody takes waits, also for a successor in this process.
pub fn leave_signals() {
    // It only fails for sets that make no sense.
    let _ = SIGNALS.into_iter().collect::<SigSet>().thread_block();
}

/// The calling thread takes them.
pub fn take_signals() {
    let _ = SIGNALS.into_iter().collect::<SigSet>().thread_unblock();
}

/// Sends this process a signal again, for whoever takes it next.
pub fn raise_again(number: i32) {
    if let Ok(signal) = Signal::try_from(number) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), signal);
    }
}

/// Gives a successor in this process what we were given.
pub fn close_down() {
    let given = GIVEN.lock().map_or(None, |given| *given);
    if let Some(limit) = given {
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// Lets this process open more descriptors than the 1,024 that are usual. Returns the limit that
/// was in force if it was changed: children must be given that one, because programs that use
/// `select` cannot work with more.
pub fn open_more() -> Option<Limit> {
    let before = getrlimit(Resource::Nofile);
    let most = before.maximum.unwrap_or(DESCRIPTORS).min(DESCRIPTORS);
    let soft = before.current.filter(|soft| *soft < most)?;
    let more = Rlimit {
        current: Some(most),
        maximum: before.maximum,
    };
    // Where it is refused, fewer services fit in, and each that does not is told of.
    setrlimit(Resource::Nofile, more).ok()?;
    if let Ok(mut given) = GIVEN.lock() {
        given.get_or_insert(before);
    }
    Some(Limit {
        resource: RLIMIT_NOFILE,
        soft,
        hard: before.maximum.unwrap_or(u64::MAX),
    })
}

/// In the type of [`Limit`]: libc's differs from one C library to the next.
#[allow(clippy::unnecessary_cast, reason = "not the same type everywhere")]
const RLIMIT_NOFILE: u32 = libc::RLIMIT_NOFILE as u32;

/// Keeps one heap for all threads, and gives freed memory back early. By default glibc makes a heap
/// per thread, each with its own waste.
pub fn use_one_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: `mallopt` only sets parameters of the allocator; it is called before any other thread
    // exists.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Gives freed memory back to the kernel. Once memory is locked that is refused, but for the end of the
/// heap; so this comes before.
pub fn give_back_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the call takes no pointers, and moves nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Locks every page that the daemon touches from now on, so that a card that hangs, or a machine
/// that swaps, cannot stop it between two pets. Pages that are never touched cost nothing.
///
/// # Errors
/// `ENOMEM` or `EPERM` where the limit of locked memory is too low (`LimitMEMLOCK=`).
pub fn lock_memory() -> io::Result<()> {
    let flags = libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT;
    // SAFETY: `mlockall` changes no memory contents and takes no pointers.
    match unsafe { libc::mlockall(flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Raised once, to what many services need; what was in force before is told.
    #[test]
    fn more_descriptors_than_usual() {
        let before = getrlimit(Resource::Nofile);
        let few = Rlimit {
            current: Some(256),
            maximum: before.maximum,
        };
        setrlimit(Resource::Nofile, few).unwrap();
        let told = open_more().unwrap();
        assert_eq!(told.soft, 256);
        assert_eq!(told.hard, before.maximum.unwrap_or(u64::MAX));
        let most = before.maximum.unwrap_or(DESCRIPTORS).min(DESCRIPTORS);
        assert_eq!(getrlimit(Resource::Nofile).current, Some(most));
        assert_eq!(open_more(), None);
    }
}

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

/// Memory of this process that is in RAM, in bytes, and its threads.
pub fn own_use() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let field = |name: &str| {
        let mut words = text
            .lines()
            .find_map(|l| l.strip_prefix(name))?
            .split_whitespace();
        words.next()?.parse::<u64>().ok()
    };
    Some((field("VmRSS:")? * 1024, field("Threads:")?))
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

/// Bytes of a page: 4 KiB, and 16 KiB on a Pi 5 with its usual kernel.
pub fn page_size() -> usize {
    // SAFETY: the call asks for a number, which there always is.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(page).unwrap_or(4096)
}

/// Stack below the caller that may be in use while the memory under it is given back.
const STACK_KEPT: usize = 8 * 1024;

/// Gives back what the calling thread has used of its stack up to here and uses no more: reading a
/// configuration takes ten times as much as all that comes after it.
pub fn give_back_stack() {
    let local = 0u8;
    let here = std::ptr::from_ref(std::hint::black_box(&local)).addr();
    let Some(lowest) = end_of_stack() else {
        return;
    };
    let page = page_size();
    let end = here.saturating_sub(STACK_KEPT) & !(page - 1);
    if lowest >= end {
        return;
    }
    // SAFETY: these pages are of this thread's own stack and below everything that lives on it now;
    // whatever is called from here on finds zeros there, and expects nothing.
    unsafe {
        libc::madvise(
            lowest as *mut libc::c_void,
            end - lowest,
            libc::MADV_DONTNEED,
        );
    }
}

/// The lowest address of the calling thread's stack, down to which it may grow.
fn end_of_stack() -> Option<usize> {
    let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: the calls fill in what they are given, and what was made is destroyed.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let mut attributes = attributes.assume_init();
        let (mut lowest, mut size) = (std::ptr::null_mut(), 0);
        let known =
            libc::pthread_attr_getstack(&raw const attributes, &raw mut lowest, &raw mut size);
        libc::pthread_attr_destroy(&raw mut attributes);
        (known == 0).then(|| lowest.addr())
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

    /// What lies deeper than the caller is zeros afterwards, and the caller's own is not.
    #[test]
    fn a_stack_that_was_used_is_given_back() {
        #[inline(never)]
        fn fill(depth: usize) -> usize {
            let room = std::hint::black_box([0xAAu8; 4096]);
            match depth {
                0 => room.as_ptr().addr(),
                _ => fill(depth - 1).min(room.as_ptr().addr()),
            }
        }
        let own = std::hint::black_box([0x55u8; 1024]);
        let deep = fill(20);
        give_back_stack();
        assert!(own.iter().all(|byte| *byte == 0x55));
        let page = page_size();
        let probe = (deep & !(page - 1)) as *const u8;
        // SAFETY: the page is of this thread's stack, which has been that deep.
        let byte = unsafe { probe.read_volatile() };
        assert_eq!(byte, 0, "deep below the caller");
    }

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

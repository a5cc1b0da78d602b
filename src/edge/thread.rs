//! Threads: named, with a small stack, and nothing else in common.

use crate::core::fact::{Errno, Fault};
use crossbeam_channel::bounded;
use std::io;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Stack of an edge thread. None of them recurses or keeps buffers on it; glibc alone needs about
/// 20 KiB for a formatted print. Locked memory makes each page that was touched count.
const STACK: usize = 192 * 1024;

/// Starts a thread. The name is cut at 15 bytes by the kernel.
///
/// # Errors
/// When the kernel gives no thread.
pub fn start<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new()
        .name(name.to_owned())
        .stack_size(STACK)
        .spawn(body)
}

/// Does something on another thread, which is left alone when the time is over: whoever ends a machine
/// must not hang with a bus.
///
/// # Errors
/// What came of it; `ETIMEDOUT` if nothing did in time; when the kernel gives no thread.
pub fn within<T: Send + 'static>(
    time: Duration,
    deed: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let (tell, told) = bounded(1);
    let started = start("last-words", move || {
        // Nobody may be waiting any more.
        let _ = tell.send(deed());
    });
    if let Err(e) = started {
        return Err(Fault::Errno(Errno(
            e.raw_os_error().unwrap_or(libc::EAGAIN),
        )));
    }
    told.recv_timeout(time)
        .unwrap_or(Err(Fault::Errno(Errno(libc::ETIMEDOUT))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was done is told; what never ends is left alone in time.
    #[test]
    fn what_hangs_is_not_waited_for() {
        const LONG: Duration = Duration::from_secs(60);
        assert_eq!(within(LONG, || Ok(7)), Ok(7));
        let refused = || Err::<(), _>(Fault::Absent);
        assert_eq!(within(LONG, refused), Err(Fault::Absent));
        let (hold, held) = bounded::<()>(0);
        let hangs = move || held.recv().map_err(|_| Fault::Busy);
        let late = Err(Fault::Errno(Errno(libc::ETIMEDOUT)));
        assert_eq!(within(Duration::from_millis(20), hangs), late);
        drop(hold);
    }
}

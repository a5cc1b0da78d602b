//! Threads: named, with a small stack, and nothing else in common.

use std::io;
use std::thread::{Builder, JoinHandle};

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

//! The program's own code in memory: what a running daemon needs is kept there, the rest is not.
//!
//! Locked memory protects the daemon from a card that hangs, and code is on that card. But half of
//! the program is only for its start and for commands: parsers, command line, screens, demo. The
//! linker puts what a daemon needs together (`link/daemon.ld`), and when the start is over, that part
//! is brought into memory as a whole, and everything else is let go. So the code of its rarely used
//! paths, such as the halt, is in memory before it is needed, whether it ran before or not. Constants
//! and the C library come back when they are touched.

use super::process::{self, page_size};
use std::ffi::{c_int, c_void};

// Defined in `link/daemon.ld`: first and last of the code that is kept.
unsafe extern "C" {
    static fieldwarden_code: u8;
    static fieldwarden_code_end: u8;
}

/// Brings pages into memory: Linux 5.14. Kernel: `include/uapi/asm-generic/mman-common.h`.
const POPULATE_READ: c_int = 22;

/// Lets go of pages, also of those that are locked: Linux 5.18. The same file.
const DONTNEED_LOCKED: c_int = 24;

/// Memory of the process that is ours stays where it is, but for what was needed once: by the start, or
/// by what is done seldom. An old kernel lets go only of what is not locked yet.
pub fn settle() {
    let_go();
    process::give_back_heap();
    if let Err(e) = process::lock_memory() {
        log::warn!("memory is not locked: {e}; raise LimitMEMLOCK= of the unit");
    }
    keep();
}

/// Lets go of the program's code and constants, but for what is kept. What is touched comes back from
/// the page cache. Old kernels may refuse, and then memory stays as it is.
fn let_go() {
    let (first, last) = code();
    let around = |(start, end): (usize, usize)| [(start, end.min(first)), (start.max(last), end)];
    for (start, end) in unwritable_parts().into_iter().flat_map(around) {
        if start >= end {
            continue;
        }
        for advice in [DONTNEED_LOCKED, libc::MADV_DONTNEED] {
            // SAFETY: these pages are a private mapping of the program's file that nobody can write to,
            // so what comes back when they are touched is what was there.
            if unsafe { advise(start, end, advice) } == 0 {
                break;
            }
        }
    }
}

/// Brings what a daemon needs of the code into memory, to stay if memory is locked. An old kernel
/// refuses, and then it comes when it is needed.
fn keep() {
    let (start, end) = code();
    // SAFETY: this changes no contents of memory.
    let _ = unsafe { advise(start, end, POPULATE_READ) };
}

/// Addresses of the code that is kept.
fn code() -> (usize, usize) {
    // Only their addresses mean anything.
    let (start, end) = (&raw const fieldwarden_code, &raw const fieldwarden_code_end);
    (start.addr(), end.addr())
}

/// Applies advice to all pages from one address to another.
///
/// # Safety
/// The advice must not change what is there.
unsafe fn advise(start: usize, end: usize, advice: c_int) -> c_int {
    let start = start - start % page_size();
    // SAFETY: the caller has seen to it that nothing changes that anybody could see.
    unsafe { libc::madvise(start as *mut c_void, end - start, advice) }
}

/// Address ranges of the program that were loaded from its file and cannot be written to.
fn unwritable_parts() -> Vec<(usize, usize)> {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    // SAFETY: the function has the type that is asked for, and the pointer is to what it expects.
    unsafe { libc::dl_iterate_phdr(Some(note_parts), (&raw mut parts).cast()) };
    parts
}

/// Called for each object in memory. The first is the program, and with it this ends.
///
/// # Safety
/// `object` is the C library's description of an object, `parts` a list as in [`unwritable_parts`].
unsafe extern "C" fn note_parts(
    object: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    parts: *mut c_void,
) -> c_int {
    // SAFETY: both live for this call, and nobody else has the list.
    let (object, parts) = unsafe { (&*object, &mut *parts.cast::<Vec<(usize, usize)>>()) };
    // SAFETY: the table has this many entries, and lives as long as the program.
    let table = unsafe { std::slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into()) };
    for part in table {
        if part.p_type == libc::PT_LOAD && part.p_flags & libc::PF_W == 0 {
            // Addresses of this machine, in a type that is wider on some.
            let start = object.dlpi_addr as usize + part.p_vaddr as usize;
            parts.push((start, start + part.p_memsz as usize));
        }
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a daemon calls all the time is kept, of the standard library too: else it brings along
    /// 64 KiB that nobody needs. What only commands need is not.
    #[test]
    fn what_runs_all_the_time_is_kept() {
        use std::borrow::Borrow;
        use std::fs::File;
        use std::os::unix::fs::FileExt;
        use std::os::unix::net::UnixDatagram;
        use std::sync::Arc;
        type Shared = Arc<crate::core::settings::Settings>;
        let settings = <Shared as Borrow<crate::core::settings::Settings>>::borrow;
        let kept = [
            <File as FileExt>::write_all_at as fn(&File, &[u8], u64) -> _ as usize,
            UnixDatagram::unbound as fn() -> _ as usize,
            settings as fn(&Shared) -> &crate::core::settings::Settings as usize,
            crate::edge::clock::now as fn() -> _ as usize,
            crate::edge::process::give_back_heap as fn() as usize,
        ];
        let (start, end) = code();
        for (at, function) in kept.into_iter().enumerate() {
            assert!((start..end).contains(&function), "{at}");
        }
        let command = crate::config::parse as fn(&str, &str) -> _ as usize;
        // Named like the core, and for programmers only.
        let words = <crate::core::settings::Settings as std::fmt::Debug>::fmt
            as fn(&crate::core::settings::Settings, &mut std::fmt::Formatter<'_>) -> _
            as usize;
        for rare in [command, words] {
            assert!(!(start..end).contains(&rare), "{rare:x}");
        }
    }

    /// The first page of what is kept brings no page of anything else: it begins where a window of
    /// 64 KiB does, in the file and in memory.
    #[test]
    fn what_is_kept_begins_a_window() {
        const WINDOW: usize = 64 * 1024;
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let (start, _) = code();
        let number = |text: &str| usize::from_str_radix(text, 16).unwrap();
        let in_file = maps.lines().find_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (from, to) = words[0].split_once('-')?;
            let part = number(from)..number(to);
            part.contains(&start)
                .then(|| number(words[2]) + start - part.start)
        });
        assert_eq!(in_file.map(|at| at % WINDOW), Some(0));
        assert_eq!(start % WINDOW, 0);
    }

    /// What is let go and what is kept are parts of this program, and it goes on with them.
    #[test]
    fn code_is_let_go_and_comes_back() {
        let (start, end) = code();
        let parts = unwritable_parts();
        assert!(parts.iter().any(|(from, to)| *from <= start && end <= *to));
        let kept = keep as fn() as usize;
        assert!((start..end).contains(&kept), "{start:x} {kept:x} {end:x}");
        let_go();
        keep();
        assert_eq!(code(), (start, end));
    }
}

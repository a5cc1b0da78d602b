//! System calls for the child between `clone` and `execve`, and the call that creates it.
//!
//! The only unsafe code of spawning. Its one argument, to which every `SAFETY` comment refers:
//!
//! **The child shares our memory.** With `CLONE_VM | CLONE_VFORK` the child runs in our address
//! space until it executes its program or exits, and the calling thread is suspended for exactly
//! that time. Sound, because:
//!
//! 1. *Own stack.* The child runs on [`Stack`], which belongs to the spawner, is used by one child
//!    at a time (`&mut`) and ends in a guard page. It never touches the frames of the suspended
//!    thread, and it never returns: [`enter`] diverges.
//! 2. *Nothing of libc.* The child shares the thread pointer, hence `errno` and all thread-local
//!    state, with the suspended thread, while other threads may hold any lock (malloc, log). So it
//!    executes only [`child::run`](super::child::run): safe code that neither allocates, panics,
//!    locks nor unwinds, built from the wrappers below, which are bare system call instructions.
//!    This also keeps out glibc's `setuid` family, which would signal *our* threads.
//! 3. *No signal handlers.* Every signal, the two that glibc keeps for itself included, is blocked
//!    before the call and until no disposition of the child is a handler: `clone3` takes them all
//!    away (`CLONE_CLEAR_SIGHAND`), and after a `clone` the child does. So no handler of ours can run
//!    in the child. The dispositions are the child's own (no `CLONE_SIGHAND`).
//! 4. *Written memory.* The child writes to its stack and to the atomic report in [`Order`]; it
//!    reads the order and what that borrows, all of which outlive the suspension.
//! 5. *Descriptors.* With `CLONE_FILES` the child begins with *our* table of descriptors, which
//!    other threads use meanwhile. Its first call makes a table of its own of the lowest ones;
//!    until that has succeeded it opens, closes and copies none, and if it fails, it exits.
//! 6. *If it is a fork after all* (a user-mode emulator that ignores `CLONE_VM`), all of this holds
//!    trivially on the copy; the report then needs the pipe of `Method::Emulated`.

pub(super) mod mounts;

use std::ffi::{CStr, CString, c_char, c_void};
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU8, Ordering};

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

use super::arch::{self, numbers};
use super::child::{self, Order};
use super::program::Limit;

/// An error number as the kernel gives it, positive.
pub(super) type Code = i32;

/// Room for the child's frames: a few KiB in a debug build. Only touched pages take memory.
const STACK: usize = 64 * 1024;

/// The guard below the stack. 64 KiB is a multiple of every page size that Linux has on our
/// targets (4, 16 and 64 KiB).
const GUARD: usize = 64 * 1024;

/// The stack of the child, with a guard below. Made once, reused by every spawn.
pub(super) struct Stack(NonNull<c_void>);

// SAFETY: the mapping is owned, has no tie to the thread that made it, and is used through `&mut`.
unsafe impl Send for Stack {}

impl Stack {
    pub(super) fn new() -> io::Result<Stack> {
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_STACK | MapFlags::MAP_NORESERVE;
        let size = NonZeroUsize::MIN.saturating_add(GUARD + STACK - 1);
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice.
        let base = unsafe { mmap_anonymous(None, size, ProtFlags::PROT_NONE, flags) }?;
        let stack = Stack(base);
        // SAFETY: the upper part of the mapping just made; nothing refers to it yet.
        unsafe {
            let usable = stack.0.byte_add(GUARD);
            mprotect(usable, STACK, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE)?;
        }
        Ok(stack)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: our own mapping; no child is on it, because a child's life on the stack is
        // inside one call of `start`, which borrows it mutably.
        let unmapped = unsafe { munmap(self.0, GUARD + STACK) };
        debug_assert!(unmapped.is_ok(), "unmapping the child's stack");
    }
}

/// A list of strings in the form that `execve` takes: an array of pointers ending in null.
pub(super) struct Strings {
    owned: Vec<CString>,
    /// One more: what stands before the number of the process, room for that, and a NUL.
    pid: Option<Box<[AtomicU8]>>,
    pointers: Vec<*const c_char>,
}

/// What stands before the number of a process.
const PID: &[u8] = b"LISTEN_PID=";

/// Digits of the largest number of a process, and more.
const DIGITS: usize = 10;

// SAFETY: the pointers lead to heap memory owned by `owned` and `pid`. The first is never changed after
// `new`, the second only by atomic stores.
unsafe impl Send for Strings {}
// SAFETY: as above; shared use only reads.
unsafe impl Sync for Strings {}

impl Strings {
    pub(super) fn new(owned: Vec<CString>) -> Strings {
        let pointers = owned
            .iter()
            .map(|s| s.as_ptr())
            .chain([ptr::null()])
            .collect();
        Strings {
            owned,
            pid: None,
            pointers,
        }
    }

    /// With one more, which [`write_own_pid`] completes.
    pub(super) fn with_pid(owned: Vec<CString>) -> Strings {
        let room = PID.iter().copied().chain([0; DIGITS + 1]);
        let pid: Box<[AtomicU8]> = room.map(AtomicU8::new).collect();
        let mut strings = Strings::new(owned);
        let _null = strings.pointers.pop();
        strings.pointers.push(pid.as_ptr().cast());
        strings.pointers.push(ptr::null());
        strings.pid = Some(pid);
        strings
    }

    pub(super) fn as_slice(&self) -> &[CString] {
        &self.owned
    }
}

/// How to create the child.
#[derive(Clone, Copy)]
pub(super) struct Call {
    /// `clone3`, else `clone`.
    pub clone3: bool,
    /// Ask for a pidfd in the same call.
    pub pidfd: bool,
    /// Share the table of descriptors; the order must tell the child to cut itself off.
    pub files: bool,
    /// Directory of the cgroup that the child is born into; `clone3` only.
    pub cgroup: Option<RawFd>,
}

impl Call {
    fn flags(self) -> i32 {
        let chosen = [
            (self.pidfd, libc::CLONE_PIDFD),
            (self.files, libc::CLONE_FILES),
        ];
        let chosen = chosen.into_iter().filter(|(wanted, _)| *wanted);
        chosen.fold(libc::CLONE_VM | libc::CLONE_VFORK, |all, (_, flag)| {
            all | flag
        })
    }
}

/// Creates a child that carries out `order`, and returns once it has executed its program or
/// exited: its pid, and its pidfd if `call` asks for one.
pub(super) fn start(
    stack: &mut Stack,
    call: Call,
    order: &Order<'_>,
) -> Result<(i32, Option<OwnedFd>), Code> {
    let base = stack.0.as_ptr() as usize + GUARD;
    let mut pidfd: RawFd = -1;
    let pidfd_at = &raw mut pidfd as usize;
    let flags = call.flags();
    let blocked = Blocked::all();
    let into = call.cgroup.map_or(0, |_| CLONE_INTO_CGROUP);
    let arguments = CloneArguments {
        flags: u64::from(flags.cast_unsigned()) | CLONE_CLEAR_SIGHAND | into,
        pidfd: pidfd_at as u64,
        exit_signal: u64::from(libc::SIGCHLD.cast_unsigned()),
        stack: base as u64,
        stack_size: STACK as u64,
        cgroup: u64::try_from(call.cgroup.unwrap_or(0)).unwrap_or(0),
        ..CloneArguments::default()
    };
    let (number, with) = if call.clone3 {
        let at = &raw const arguments as usize;
        (libc::SYS_clone3, [at, size_of::<CloneArguments>(), 0])
    } else {
        let flags = (flags | libc::SIGCHLD).cast_unsigned() as usize;
        (libc::SYS_clone, [flags, base + STACK, pidfd_at])
    };
    let order = ptr::from_ref(order).cast();
    // SAFETY: module doc; the arguments describe `stack`, and what `order` refers to outlives the
    // call.
    let result = unsafe { arch::create(number as usize, with, enter, order) };
    drop(blocked);
    let pid = i32::try_from(check(result)?).map_err(|_| libc::EOVERFLOW)?;
    // SAFETY: the kernel made this descriptor for us in the call above; nobody else has it.
    let pidfd = call.pidfd.then(|| unsafe { OwnedFd::from_raw_fd(pidfd) });
    Ok((pid, pidfd))
}

/// `CLONE_CLEAR_SIGHAND`, since Linux 5.5; libc has it in a type that does not fit.
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;

/// `CLONE_INTO_CGROUP`; libc has it in a type that does not fit.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// `struct clone_args` of the kernel as of Linux 5.7, 88 bytes.
#[repr(C, align(8))]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// First function of the child, on its own stack.
extern "C" fn enter(order: *const c_void) -> ! {
    // SAFETY: `start` passed a reference that is valid while its thread is suspended.
    child::run(unsafe { &*order.cast::<Order<'_>>() })
}

/// All signals blocked for the calling thread; dropping it restores the mask as it was.
struct Blocked {
    before: u64,
}

impl Blocked {
    fn all() -> Blocked {
        let mut before = 0_u64;
        set_mask(u64::MAX, &mut before);
        Blocked { before }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        set_mask(self.before, &mut 0);
    }
}

/// Sets the calling thread's mask, glibc's own two signals included. Cannot fail: the pointers
/// are good, the operation and the size (8 bytes, 64 signals) are right.
fn set_mask(mask: u64, before: &mut u64) {
    let (mask, before) = (&raw const mask as usize, ptr::from_mut(before) as usize);
    // SAFETY: reads and writes 8 bytes each, both live.
    unsafe {
        arch::call(
            libc::SYS_rt_sigprocmask as usize,
            [
                libc::SIG_SETMASK.cast_unsigned() as usize,
                mask,
                before,
                8,
                0,
            ],
        )
    };
}

/// The result of a system call: a value, or an error number in the last page of the range.
fn check(result: isize) -> Result<usize, Code> {
    if (-4095..0).contains(&result) {
        Err(result.unsigned_abs() as Code)
    } else {
        Ok(result.cast_unsigned())
    }
}

/// A call whose arguments are numbers, or addresses of memory that is live and large enough.
fn call(number: libc::c_long, arguments: [usize; 5]) -> Result<usize, Code> {
    // SAFETY: private to this file; each wrapper below passes what its system call expects.
    check(unsafe { arch::call(number as usize, arguments) })
}

/// A signed argument in the form that the register takes.
fn signed(value: i32) -> usize {
    (value as isize).cast_unsigned()
}

/// Lets no signal through any more be held back: the mask that a program expects to start with.
pub(super) fn unblock_all() {
    set_mask(0, &mut 0);
}

/// Sets one signal to its default; KILL and STOP, which have no other, give `EINVAL`.
pub(super) fn default_action(signal: i32) -> Result<(), Code> {
    // All zero is the default action in the kernel's `struct sigaction` on every target; the
    // longest one has 32 bytes.
    let action = [0_u64; 4];
    let at = &raw const action as usize;
    call(libc::SYS_rt_sigaction, [signed(signal), at, 0, 8, 0]).map(drop)
}

pub(super) fn new_session() -> Result<(), Code> {
    call(libc::SYS_setsid, [0; 5]).map(drop)
}

/// Opens a file for writing; `directory` counts for relative paths only.
pub(super) fn open_for_writing(directory: RawFd, path: &CStr) -> Result<RawFd, Code> {
    let flags = (libc::O_WRONLY | libc::O_CLOEXEC).cast_unsigned() as usize;
    let with = [signed(directory), path.as_ptr() as usize, flags, 0, 0];
    call(libc::SYS_openat, with).map(|fd| fd as RawFd)
}

/// Opens a file for reading and writing, as the only end of a FIFO that nobody waits for.
pub(super) fn open_both_ways(path: &CStr) -> Result<RawFd, Code> {
    let flags = (libc::O_RDWR | libc::O_CLOEXEC | libc::O_NOCTTY).cast_unsigned() as usize;
    let with = [signed(libc::AT_FDCWD), path.as_ptr() as usize, flags, 0, 0];
    call(libc::SYS_openat, with).map(|fd| fd as RawFd)
}

/// One write; a short one counts as done (the callers write a few bytes).
pub(super) fn write(fd: RawFd, bytes: &[u8]) -> Result<(), Code> {
    let with = [signed(fd), bytes.as_ptr() as usize, bytes.len(), 0, 0];
    call(libc::SYS_write, with).map(drop)
}

/// A copy of the descriptor with a number of at least 3, closed by exec.
pub(super) fn copy_above_standard(fd: RawFd) -> Result<RawFd, Code> {
    copy_from(fd, 3)
}

/// A copy of the descriptor with a number of at least `least`, closed by exec.
pub(super) fn copy_from(fd: RawFd, least: RawFd) -> Result<RawFd, Code> {
    let command = libc::F_DUPFD_CLOEXEC.cast_unsigned() as usize;
    call(numbers::FCNTL, [signed(fd), command, signed(least), 0, 0]).map(|fd| fd as RawFd)
}

/// Makes `to`, a different number, a copy of `from` that survives exec.
pub(super) fn copy_to(from: RawFd, to: RawFd) -> Result<(), Code> {
    call(libc::SYS_dup3, [signed(from), signed(to), 0, 0, 0]).map(drop)
}

pub(super) fn close(fd: RawFd) -> Result<(), Code> {
    call(libc::SYS_close, [signed(fd), 0, 0, 0, 0]).map(drop)
}

/// Closes every descriptor of the child from 3 on, but these, which are larger than 2 and in order.
pub(super) fn close_rest(but: impl Iterator<Item = RawFd>) -> Result<(), Code> {
    let mut next = 3;
    for kept in but {
        if kept > next {
            close_range(next, kept - 1)?;
        }
        next = kept.saturating_add(1);
    }
    close_range(next, RawFd::MAX)
}

/// Completes what [`Strings::with_pid`] has begun, with the number of the calling process.
pub(super) fn write_own_pid(strings: &Strings) {
    let (Some(text), Ok(mut number)) = (&strings.pid, call(libc::SYS_getpid, [0; 5])) else {
        return;
    };
    let mut digits = 1;
    let mut most = number;
    while most >= 10 {
        most /= 10;
        digits += 1;
    }
    // From its last digit to its first; a number that has more of them than there is room is none.
    for place in text.iter().skip(PID.len()) {
        place.store(0, Ordering::Relaxed);
    }
    let room = text.iter().skip(PID.len()).take(digits.min(DIGITS));
    for place in room.rev() {
        place.store(b'0' + (number % 10) as u8, Ordering::Relaxed);
        number /= 10;
    }
}

/// From now on the child has descriptors of its own, copies of those below `first`; what it shared
/// before is not touched.
pub(super) fn take_own_descriptors(first: RawFd) -> Result<(), Code> {
    // The kernel copies what the range leaves only where the range has no end.
    let with = [
        signed(first),
        u32::MAX as usize,
        libc::CLOSE_RANGE_UNSHARE as usize,
        0,
        0,
    ];
    call(libc::SYS_close_range, with).map(drop)
}

fn close_range(first: RawFd, last: RawFd) -> Result<(), Code> {
    let with = [signed(first), signed(last), 0, 0, 0];
    call(libc::SYS_close_range, with).map(drop)
}

pub(super) fn set_umask(mask: u32) {
    // Cannot fail; the result is the mask before.
    let _before = call(libc::SYS_umask, [mask as usize, 0, 0, 0, 0]);
}

pub(super) fn set_nice(nice: i32) -> Result<(), Code> {
    let process = 0; // PRIO_PROCESS
    call(libc::SYS_setpriority, [process, 0, signed(nice), 0, 0]).map(drop)
}

/// Whether the scheduler is the ordinary one, without any flag.
pub(super) fn has_ordinary_scheduler() -> bool {
    let ordinary = libc::SCHED_OTHER.cast_unsigned() as usize;
    call(libc::SYS_sched_getscheduler, [0; 5]) == Ok(ordinary)
}

/// Back to the ordinary time-sharing scheduler.
pub(super) fn set_ordinary_scheduler() -> Result<(), Code> {
    let priority = 0_i32;
    let with = [
        0,
        signed(libc::SCHED_OTHER),
        &raw const priority as usize,
        0,
        0,
    ];
    call(libc::SYS_sched_setscheduler, with).map(drop)
}

pub(super) fn set_limit(limit: Limit) -> Result<(), Code> {
    let pair = [limit.soft, limit.hard];
    let with = [0, limit.resource as usize, &raw const pair as usize, 0, 0];
    call(libc::SYS_prlimit64, with).map(drop)
}

pub(super) fn set_groups(groups: &[u32]) -> Result<(), Code> {
    let with = [groups.len(), groups.as_ptr() as usize, 0, 0, 0];
    call(numbers::SETGROUPS, with).map(drop)
}

/// Real, effective and saved group.
pub(super) fn set_group(group: u32) -> Result<(), Code> {
    let group = group as usize;
    call(numbers::SETRESGID, [group, group, group, 0, 0]).map(drop)
}

/// Real, effective and saved user.
pub(super) fn set_user(user: u32) -> Result<(), Code> {
    let user = user as usize;
    call(numbers::SETRESUID, [user, user, user, 0, 0]).map(drop)
}

pub(super) fn forbid_new_privileges() -> Result<(), Code> {
    let option = libc::PR_SET_NO_NEW_PRIVS.cast_unsigned() as usize;
    call(libc::SYS_prctl, [option, 1, 0, 0, 0]).map(drop)
}

/// Takes a capability out of the bounding set; `EINVAL` if the kernel has none of that number.
pub(super) fn drop_capability(number: u32) -> Result<(), Code> {
    let option = libc::PR_CAPBSET_DROP.cast_unsigned() as usize;
    call(libc::SYS_prctl, [option, number as usize, 0, 0, 0]).map(drop)
}

/// Permitted capabilities outlive a change of the user that gives up root; cleared by exec.
pub(super) fn keep_capabilities() -> Result<(), Code> {
    let option = libc::PR_SET_KEEPCAPS.cast_unsigned() as usize;
    call(libc::SYS_prctl, [option, 1, 0, 0, 0]).map(drop)
}

/// Effective, permitted and inheritable capabilities: exactly these.
pub(super) fn set_capabilities(set: u64) -> Result<(), Code> {
    // `_LINUX_CAPABILITY_VERSION_3`, and the calling thread.
    let header = [0x2008_0522_u32, 0];
    let (low, high) = (set as u32, (set >> 32) as u32);
    let data = [low, low, low, high, high, high];
    let with = [
        &raw const header as usize,
        &raw const data as usize,
        0,
        0,
        0,
    ];
    call(libc::SYS_capset, with).map(drop)
}

/// Has the programs that are executed inherit a capability that is permitted and inheritable.
pub(super) fn raise_ambient(number: u32) -> Result<(), Code> {
    let option = libc::PR_CAP_AMBIENT.cast_unsigned() as usize;
    let raise = libc::PR_CAP_AMBIENT_RAISE.cast_unsigned() as usize;
    call(libc::SYS_prctl, [option, raise, number as usize, 0, 0]).map(drop)
}

pub(super) fn change_directory(path: &CStr) -> Result<(), Code> {
    call(libc::SYS_chdir, [path.as_ptr() as usize, 0, 0, 0, 0]).map(drop)
}

/// Executes the program; returns only to say why not.
pub(super) fn execute(path: &CStr, arguments: &Strings, environment: &Strings) -> Code {
    let (argv, envp) = (arguments.pointers.as_ptr(), environment.pointers.as_ptr());
    let with = [path.as_ptr() as usize, argv as usize, envp as usize, 0, 0];
    call(libc::SYS_execve, with).err().unwrap_or(0)
}

/// Ends the child.
pub(super) fn exit(status: i32) -> ! {
    loop {
        let _never = call(libc::SYS_exit_group, [signed(status), 0, 0, 0, 0]);
    }
}

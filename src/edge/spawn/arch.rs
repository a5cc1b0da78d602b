//! The two instruction sequences of spawning that Rust cannot express, one pair per architecture.
//!
//! `call` is a bare system call of up to five arguments. `create` is `clone` or `clone3` with a
//! new stack: the parent gets the result, the child goes to `enter` and never comes back to the
//! code around the call, whose frame belongs to the parent. Neither touches `errno`.
//!
//! # Safety, for all of them
//! Each argument is what the kernel expects for that number: in particular, addresses are those
//! of live memory that is large enough. For `create`, also the argument in [`super::raw`]; of the
//! arguments after the third, all of which are unused by the flags that we pass, zero is given.

use std::arch::asm;
use std::ffi::c_void;

/// What the child starts with.
type Enter = extern "C" fn(*const c_void) -> !;

#[cfg(target_arch = "x86_64")]
pub(super) unsafe fn call(number: usize, a: [usize; 5]) -> isize {
    let result;
    // SAFETY: the caller's, see above; the kernel changes rax, rcx and r11 only.
    unsafe {
        asm!("syscall",
            inlateout("rax") number => result,
            in("rdi") a[0], in("rsi") a[1], in("rdx") a[2], in("r10") a[3], in("r8") a[4],
            lateout("rcx") _, lateout("r11") _,
            options(nostack));
    }
    result
}

#[cfg(target_arch = "x86_64")]
pub(super) unsafe fn create(
    number: usize,
    a: [usize; 3],
    enter: Enter,
    with: *const c_void,
) -> isize {
    let result;
    // SAFETY: the caller's, see above; the child, on a 16-byte aligned stack, diverges.
    unsafe {
        asm!("syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") number => result,
            in("rdi") a[0], in("rsi") a[1], in("rdx") a[2], in("r10") 0_usize, in("r8") 0_usize,
            in("r12") with, in("r13") enter,
            lateout("rcx") _, lateout("r11") _);
    }
    result
}

#[cfg(target_arch = "aarch64")]
pub(super) unsafe fn call(number: usize, a: [usize; 5]) -> isize {
    let result;
    // SAFETY: the caller's, see above; the kernel changes x0 only.
    unsafe {
        asm!("svc 0",
            in("x8") number,
            inlateout("x0") a[0] => result,
            in("x1") a[1], in("x2") a[2], in("x3") a[3], in("x4") a[4],
            options(nostack));
    }
    result
}

#[cfg(target_arch = "aarch64")]
pub(super) unsafe fn create(
    number: usize,
    a: [usize; 3],
    enter: Enter,
    with: *const c_void,
) -> isize {
    let result;
    // SAFETY: the caller's, see above; the child, on a 16-byte aligned stack, diverges.
    unsafe {
        asm!("svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x30, xzr",
            "mov x0, x20",
            "blr x21",
            "brk #1",
            "2:",
            in("x8") number,
            inlateout("x0") a[0] => result,
            in("x1") a[1], in("x2") a[2], in("x3") 0_usize, in("x4") 0_usize,
            in("x20") with, in("x21") enter);
    }
    result
}

// r7 takes the number of the call, but it is the frame pointer of Thumb code, which an operand may
// not name; so it is saved in another register around the call.
#[cfg(target_arch = "arm")]
pub(super) unsafe fn call(number: usize, a: [usize; 5]) -> isize {
    let result;
    // SAFETY: the caller's, see above; the kernel changes r0 only, and r7 is put back.
    unsafe {
        asm!("mov {saved}, r7",
            "mov r7, {number}",
            "svc 0",
            "mov r7, {saved}",
            number = in(reg) number,
            saved = out(reg) _,
            inlateout("r0") a[0] => result,
            in("r1") a[1], in("r2") a[2], in("r3") a[3], in("r4") a[4],
            options(nostack));
    }
    result
}

#[cfg(target_arch = "arm")]
pub(super) unsafe fn create(
    number: usize,
    a: [usize; 3],
    enter: Enter,
    with: *const c_void,
) -> isize {
    let result;
    // SAFETY: the caller's, see above; the child, on an 8-byte aligned stack, diverges. Both sides
    // put r7 back, which matters to the parent only.
    unsafe {
        asm!("mov {saved}, r7",
            "mov r7, {number}",
            "svc 0",
            "mov r7, {saved}",
            "cmp r0, #0",
            "bne 2f",
            "mov r11, #0",
            "mov lr, #0",
            "mov r0, r5",
            "blx r8",
            "udf #0",
            "2:",
            number = in(reg) number,
            saved = out(reg) _,
            inlateout("r0") a[0] => result,
            in("r1") a[1], in("r2") a[2], in("r3") 0_usize, in("r4") 0_usize,
            in("r5") with, in("r8") enter);
    }
    result
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm")))]
compile_error!("spawning knows x86-64, aarch64 and 32-bit ARM; add the two sequences for yours");

/// Numbers that differ: on 32-bit ARM the plain names take 16-bit ids and 32-bit offsets.
#[cfg(not(target_arch = "arm"))]
pub(super) mod numbers {
    pub(crate) const FCNTL: libc::c_long = libc::SYS_fcntl;
    pub(crate) const SETGROUPS: libc::c_long = libc::SYS_setgroups;
    pub(crate) const SETRESGID: libc::c_long = libc::SYS_setresgid;
    pub(crate) const SETRESUID: libc::c_long = libc::SYS_setresuid;
}
#[cfg(target_arch = "arm")]
pub(super) mod numbers {
    pub(crate) const FCNTL: libc::c_long = libc::SYS_fcntl64;
    pub(crate) const SETGROUPS: libc::c_long = libc::SYS_setgroups32;
    pub(crate) const SETRESGID: libc::c_long = libc::SYS_setresgid32;
    pub(crate) const SETRESUID: libc::c_long = libc::SYS_setresuid32;
}

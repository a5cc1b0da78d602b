//! System calls by which the child gets a view of its own of file systems and network.
//!
//! Safe for the reasons at the head of [`super`]: each passes numbers, and addresses of what it
//! borrows.

use std::ffi::CStr;
use std::os::fd::RawFd;
use std::ptr;

use super::{Code, call, close, signed};

/// Flags of what is mounted for a child: no devices and no set-user-id programs there.
pub(in super::super) const PLAIN: libc::c_ulong = libc::MS_NOSUID | libc::MS_NODEV;

/// Leaves the name spaces of these kinds for new ones.
pub(in super::super) fn unshare(kinds: i32) -> Result<(), Code> {
    call(libc::SYS_unshare, [signed(kinds), 0, 0, 0, 0]).map(drop)
}

/// Takes part in the name space behind this descriptor, which must be one of this kind.
pub(in super::super) fn join(space: RawFd, kind: i32) -> Result<(), Code> {
    call(libc::SYS_setns, [signed(space), signed(kind), 0, 0, 0]).map(drop)
}

fn mount_call(
    (what, at): (Option<&CStr>, &CStr),
    kind: Option<&CStr>,
    options: Option<&CStr>,
    flags: libc::c_ulong,
) -> Result<(), Code> {
    let address = |text: Option<&CStr>| text.map_or(ptr::null(), CStr::as_ptr) as usize;
    let flags = flags as usize;
    let with = [
        address(what),
        address(Some(at)),
        address(kind),
        flags,
        address(options),
    ];
    call(libc::SYS_mount, with).map(drop)
}

/// What is mounted elsewhere from now on is mounted here too, and not the other way round.
pub(in super::super) fn follow_only() -> Result<(), Code> {
    let flags = libc::MS_REC | libc::MS_SLAVE;
    mount_call((None, c"/"), None, None, flags)
}

/// Mounts a new file system that needs no device.
pub(in super::super) fn mount(
    kind: &CStr,
    at: &CStr,
    options: &CStr,
    flags: libc::c_ulong,
) -> Result<(), Code> {
    mount_call((Some(kind), at), Some(kind), Some(options), flags)
}

/// Lets nothing be changed in a mount that was mounted with these flags.
pub(in super::super) fn make_mount_read_only(at: &CStr, flags: libc::c_ulong) -> Result<(), Code> {
    let flags = flags | libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY;
    mount_call((None, at), None, None, flags)
}

/// Takes a copy of what is at a path, with all that is mounted below; it is mounted nowhere yet.
pub(in super::super) fn take_tree(path: &CStr) -> Result<RawFd, Code> {
    let flags = OPEN_TREE_CLONE | libc::O_CLOEXEC | libc::AT_RECURSIVE;
    let with = [
        signed(libc::AT_FDCWD),
        path.as_ptr() as usize,
        signed(flags),
        0,
        0,
    ];
    call(libc::SYS_open_tree, with).map(|fd| fd as RawFd)
}

/// Mounts what was taken.
pub(in super::super) fn put_tree(tree: RawFd, path: &CStr) -> Result<(), Code> {
    let with = [
        signed(tree),
        c"".as_ptr() as usize,
        signed(libc::AT_FDCWD),
        path.as_ptr() as usize,
        MOVE_MOUNT_F_EMPTY_PATH,
    ];
    call(libc::SYS_move_mount, with).map(drop)
}

/// Lets nothing be changed in a tree of mounts: what was taken, with an empty path, or what is at a
/// path.
pub(in super::super) fn make_tree_read_only(tree: RawFd, path: &CStr) -> Result<(), Code> {
    // `struct mount_attr` of the kernel as of Linux 5.12: what to set, to clear, propagation, user
    // name space.
    let attributes = [MOUNT_ATTR_RDONLY, 0, 0, 0];
    let flags = libc::AT_RECURSIVE | libc::AT_EMPTY_PATH;
    let with = [
        signed(tree),
        path.as_ptr() as usize,
        signed(flags),
        &raw const attributes as usize,
        size_of_val(&attributes),
    ];
    call(libc::SYS_mount_setattr, with).map(drop)
}

/// `OPEN_TREE_CLONE` and `MOVE_MOUNT_F_EMPTY_PATH` of `<linux/mount.h>`, Linux 5.2;
/// `MOUNT_ATTR_RDONLY`, Linux 5.12.
const OPEN_TREE_CLONE: i32 = 1;
const MOVE_MOUNT_F_EMPTY_PATH: usize = 4;
const MOUNT_ATTR_RDONLY: u64 = 1;

/// Opens a file for reading, and waits for nobody.
pub(in super::super) fn open_source(path: &CStr) -> Result<RawFd, Code> {
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
    open(path, flags, 0)
}

/// Creates a file that its owner may read.
pub(in super::super) fn create(path: &CStr) -> Result<RawFd, Code> {
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC;
    open(path, flags, 0o400)
}

fn open(path: &CStr, flags: i32, mode: usize) -> Result<RawFd, Code> {
    let with = [
        signed(libc::AT_FDCWD),
        path.as_ptr() as usize,
        signed(flags),
        mode,
        0,
    ];
    call(libc::SYS_openat, with).map(|fd| fd as RawFd)
}

/// Has the kernel copy up to so many bytes from a file to another; how many, 0 at the end.
pub(in super::super) fn send(to: RawFd, from: RawFd, most: usize) -> Result<usize, Code> {
    call(libc::SYS_sendfile, [signed(to), signed(from), 0, most, 0])
}

pub(in super::super) fn change_mode(path: &CStr, mode: usize) -> Result<(), Code> {
    let with = [signed(libc::AT_FDCWD), path.as_ptr() as usize, mode, 0, 0];
    call(libc::SYS_fchmodat, with).map(drop)
}

pub(in super::super) fn change_owner(path: &CStr, user: u32, group: u32) -> Result<(), Code> {
    let with = [
        signed(libc::AT_FDCWD),
        path.as_ptr() as usize,
        user as usize,
        group as usize,
        0,
    ];
    call(libc::SYS_fchownat, with).map(drop)
}

/// Sets the loopback interface of this network name space up, which gives it its addresses.
pub(in super::super) fn loopback_up() -> Result<(), Code> {
    // Any socket does; this kind is there even without IP.
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    let with = [signed(libc::AF_UNIX), signed(kind), 0, 0, 0];
    let socket = call(libc::SYS_socket, with)? as RawFd;
    let request = Interface {
        name: *b"lo\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        flags: libc::IFF_UP as i16,
        rest: [0; 22],
    };
    let with = [
        signed(socket),
        libc::SIOCSIFFLAGS as usize,
        &raw const request as usize,
        0,
        0,
    ];
    let set = call(libc::SYS_ioctl, with).map(drop);
    set.and(close(socket))
}

/// `struct ifreq` of the kernel with flags: 40 bytes, of which a 32-bit one reads 32.
#[repr(C)]
struct Interface {
    name: [u8; 16],
    flags: i16,
    rest: [u8; 22],
}

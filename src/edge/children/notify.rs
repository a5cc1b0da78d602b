//! Receives what services say on their notify sockets (the protocol of `sd_notify(3)`).
//!
//! A message is looked at where it lies: to receive descriptors that come along, or to throw them away,
//! is for threads that may hang (`customs.rs`). Closing the one of a `BARRIER=1` is the answer to it.
//!
//! Never believes what a message says about its sender: the kernel's credentials count.

use super::message::Message;
use crate::core::fact::{Pid, Refusal};
use crate::edge::luggage;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, bind, setsockopt, socket, sockopt,
};
use rustix::net::{RecvFlags, recv};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// Longest message that is read, as with systemd. Nothing of a longer one counts.
const LONGEST: usize = 4096;

/// Who sent a message, as the kernel tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sender {
    /// Its number; `None` where ours has none for it.
    pub pid: Option<Pid>,
    /// Its user; one that nobody is, if the kernel does not tell.
    pub uid: u32,
}

/// The next message in a socket, which is still in there.
#[derive(Debug)]
pub struct Head {
    /// What it says, or why nothing of it counts.
    pub message: Result<Message, Refusal>,
    /// By whom.
    pub sender: Sender,
    /// Descriptors come along. Whoever receives them has to close them, and may hang with it.
    pub brings: bool,
}

/// Makes the notify socket of a service, in place of one that an earlier daemon left.
///
/// # Errors
/// What the kernel said, with the path.
pub fn listen(path: &Path) -> io::Result<OwnedFd> {
    if let Some(socket) = handed(path) {
        return Ok(socket);
    }
    let place = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Unix, SockType::Datagram, flags, None)?;
    // Before the first service starts, so that no message comes without credentials.
    setsockopt(&fd, sockopt::PassCred, &true)?;
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(place(e)),
        Ok(()) | Err(_) => {}
    }
    bind(fd.as_raw_fd(), &UnixAddr::new(path)?).map_err(|e| place(e.into()))?;
    // Services may run as any user; who wrote is checked message by message.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).map_err(place)?;
    Ok(fd)
}

/// Leaves the notify socket of a service to a successor in this process, with what is in it.
pub fn leave(socket: &OwnedFd) {
    let Ok(socket) = socket.try_clone().map(UnixDatagram::from) else {
        return;
    };
    let address = socket.local_addr().ok();
    if let Some(path) = address.as_ref().and_then(|address| address.as_pathname()) {
        luggage::put(name(path), socket.into());
    }
}

/// What a predecessor in this process has left, if it is still where services find it.
fn handed(path: &Path) -> Option<OwnedFd> {
    let socket = UnixDatagram::from(luggage::take(&name(path))?);
    let address = socket.local_addr().ok()?;
    (address.as_pathname() == Some(path) && path.exists()).then(|| socket.into())
}

fn name(path: &Path) -> String {
    format!("notify {}", path.display())
}

/// Room for what the kernel tells of the sender, and for nothing else.
const ROOM: usize = {
    // SAFETY: the macro of old only adds numbers.
    let room = unsafe { libc::CMSG_SPACE(size_of::<libc::ucred>() as u32) };
    room as usize
};

/// Looks at the next message, if there is one, and leaves it where it is.
pub fn look(socket: BorrowedFd<'_>) -> Option<Head> {
    let mut bytes = [0u8; LONGEST];
    let mut control = [0u64; ROOM.div_ceil(size_of::<u64>())];
    let mut part = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: LONGEST,
    };
    // SAFETY: numbers and pointers, which may all be zero.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    (header.msg_iov, header.msg_iovlen) = (&raw mut part, 1);
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = ROOM as _;
    let flags = libc::MSG_DONTWAIT | libc::MSG_PEEK;
    // SAFETY: the header leads to a buffer for the text and to one for the rest, each as long as it
    // says, and both outlive the call.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, flags) };
    // What cannot be read is not waited for: there will be an event again.
    let length = usize::try_from(length).ok()?;
    let mut sender = Sender {
        pid: None,
        uid: u32::MAX,
    };
    // SAFETY: the kernel has filled in the header; where it is of the kind that is asked for, what
    // comes after it is a `ucred`, which is read wherever it lies.
    unsafe {
        let first = libc::CMSG_FIRSTHDR(&raw const header);
        let tells = |first: &libc::cmsghdr| {
            first.cmsg_level == libc::SOL_SOCKET && first.cmsg_type == libc::SCM_CREDENTIALS
        };
        if first.as_ref().is_some_and(tells) {
            let who = libc::CMSG_DATA(first)
                .cast::<libc::ucred>()
                .read_unaligned();
            sender.pid = u32::try_from(who.pid).ok().and_then(Pid::new);
            sender.uid = who.uid;
        }
    }
    let message = match header.msg_flags & libc::MSG_TRUNC {
        0 => Message::parse(&bytes[..length.min(LONGEST)]),
        _ => Err(Refusal::TooLong),
    };
    // There is room for no descriptor, so that none was made; a copy was let go of, and the message
    // still has them.
    let brings = header.msg_flags & libc::MSG_CTRUNC != 0;
    Some(Head {
        message,
        sender,
        brings,
    })
}

/// Throws away the next message, which brings no descriptors.
pub fn skip(socket: BorrowedFd<'_>) {
    let _read = recv(socket, &mut [0u8; 1][..], RecvFlags::DONTWAIT);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    /// The kernel tells who wrote; of a message that was cut nothing counts.
    #[test]
    fn knows_the_sender() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = listen(&path).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        client.send_to(b"READY=1", &path).unwrap();
        let long = [b"READY=1\nSTATUS=".as_slice(), &[b'x'; LONGEST]].concat();
        client.send_to(&long, &path).unwrap();
        let got = look(socket.as_fd()).unwrap();
        assert!(!got.brings);
        skip(socket.as_fd());
        let sender = Sender {
            pid: Pid::new(std::process::id()),
            uid: nix::unistd::geteuid().as_raw(),
        };
        assert_eq!(got.sender, sender);
        assert!(got.message.unwrap().ready);
        let got = look(socket.as_fd()).unwrap();
        assert_eq!(got.message, Err(Refusal::TooLong));
        skip(socket.as_fd());
        assert!(look(socket.as_fd()).is_none());
    }
}

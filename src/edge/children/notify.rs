//! Receives what services say on their notify sockets (the protocol of `sd_notify(3)`).
//!
//! Descriptors that come along are ours from then on: whoever gets a [`Datagram`] closes them by
//! letting go of it. Closing the one of a `BARRIER=1` is the answer to it.
//!
//! Never believes what a message says about its sender: the kernel's credentials count.

use super::message::Message;
use crate::core::fact::{Pid, Refusal};
use crate::edge::luggage;
use nix::cmsg_space;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, UnixCredentials,
    bind, recvmsg, setsockopt, socket, sockopt,
};
use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// Longest message that is read, as with systemd. Nothing of a longer one counts.
const LONGEST: usize = 4096;

/// Descriptors that one message can bring (`SCM_MAX_FD`, include/net/scm.h).
const MOST_DESCRIPTORS: usize = 253;

/// Who sent a message, as the kernel tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sender {
    /// Its number; `None` where ours has none for it.
    pub pid: Option<Pid>,
    /// Its user; one that nobody is, if the kernel does not tell.
    pub uid: u32,
}

/// What came at once.
#[derive(Debug)]
pub struct Datagram {
    /// What was said, or why nothing of it counts.
    pub message: Result<Message, Refusal>,
    /// By whom.
    pub sender: Sender,
    /// What came along.
    pub descriptors: Vec<OwnedFd>,
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
pub fn leave(socket: OwnedFd) {
    let socket = UnixDatagram::from(socket);
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

/// Reads the next message, if there is one.
pub fn receive(socket: BorrowedFd<'_>) -> Option<Datagram> {
    // What cannot be read is not waited for: there will be an event again.
    receive_one(socket).ok()
}

fn receive_one(socket: BorrowedFd<'_>) -> nix::Result<Datagram> {
    let mut bytes = [0u8; LONGEST];
    let mut control = cmsg_space!(UnixCredentials, [RawFd; MOST_DESCRIPTORS]);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let received = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
    let mut sender = Sender {
        pid: None,
        uid: u32::MAX,
    };
    let mut descriptors = Vec::new();
    for message in received.cmsgs()? {
        match message {
            ControlMessageOwned::ScmCredentials(c) => {
                sender.pid = u32::try_from(c.pid()).ok().and_then(Pid::new);
                sender.uid = c.uid();
            }
            ControlMessageOwned::ScmRights(fds) => {
                // SAFETY: the kernel has just made these descriptors for us, in answer to our
                // `recvmsg`, and nobody else knows their numbers.
                descriptors.extend(fds.iter().map(|fd| unsafe { OwnedFd::from_raw_fd(*fd) }));
            }
            _ => {}
        }
    }
    let (length, cut) = (received.bytes, received.flags.contains(MsgFlags::MSG_TRUNC));
    let message = match cut {
        true => Err(Refusal::TooLong),
        false => Message::parse(&bytes[..length.min(LONGEST)]),
    };
    Ok(Datagram {
        message,
        sender,
        descriptors,
    })
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
        let got = receive(socket.as_fd()).unwrap();
        let sender = Sender {
            pid: Pid::new(std::process::id()),
            uid: nix::unistd::geteuid().as_raw(),
        };
        assert_eq!(got.sender, sender);
        assert!(got.message.unwrap().ready);
        let got = receive(socket.as_fd()).unwrap();
        assert_eq!(got.message, Err(Refusal::TooLong));
        assert!(receive(socket.as_fd()).is_none());
    }
}

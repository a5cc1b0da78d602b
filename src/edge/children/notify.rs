//! Receives what services say on their notify sockets (the protocol of `sd_notify(3)`).
//!
//! Keys that mean something to us: `READY=1`, `WATCHDOG=1`. Every other key is somebody else's and
//! is ignored, as the protocol wants it. Descriptors that come along are closed at once: keeping
//! them would let a service use up ours, and closing them is the answer to `BARRIER=1`.
//!
//! Never believes what a message says about its sender: the kernel's credentials count.

use crate::core::fact::Pid;
use nix::cmsg_space;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, UnixCredentials,
    bind, recvmsg, setsockopt, socket, sockopt,
};
use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Longest message that is read; systemd's own limit is 4,096 bytes. A longer one is cut, and its
/// last line is then not complete and not believed.
const LONGEST: usize = 4096;

/// Descriptors that one message can bring (`SCM_MAX_FD` of the kernel).
const MOST_DESCRIPTORS: usize = 253;

/// Messages read from one socket before the others get their turn.
pub(super) const BATCH: usize = 32;

/// What one message says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Message {
    /// `READY=1`
    pub ready: bool,
    /// `WATCHDOG=1`
    pub heartbeat: bool,
}

/// Who sent a message, as the kernel tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sender {
    /// Its number; `None` where ours has none for it.
    pub pid: Option<Pid>,
    /// Its user; one that nobody is, if the kernel does not tell.
    pub uid: u32,
}

/// A message and who sent it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heard {
    /// What was said.
    pub message: Message,
    /// By whom.
    pub sender: Sender,
}

impl Message {
    /// Reads the lines of a message. Anything is allowed in it.
    pub fn parse(bytes: &[u8], cut: bool) -> Message {
        let mut lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
        if cut {
            lines.pop();
        }
        Message {
            ready: lines.contains(&b"READY=1".as_slice()),
            heartbeat: lines.contains(&b"WATCHDOG=1".as_slice()),
        }
    }

    /// What two messages say together.
    pub fn and(self, later: Message) -> Message {
        Message {
            ready: self.ready || later.ready,
            heartbeat: self.heartbeat || later.heartbeat,
        }
    }
}

/// Makes the notify socket of a service, in place of one that an earlier daemon left.
///
/// # Errors
/// What the kernel said, with the path.
pub fn listen(path: &Path) -> io::Result<OwnedFd> {
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

/// Reads the messages that are there, up to a batch.
pub fn receive(socket: BorrowedFd<'_>) -> Vec<Heard> {
    let mut messages = Vec::new();
    for _ in 0..BATCH {
        match receive_one(socket) {
            Ok(heard) => messages.push(heard),
            Err(_) => break,
        }
    }
    messages
}

fn receive_one(socket: BorrowedFd<'_>) -> nix::Result<Heard> {
    let mut bytes = [0u8; LONGEST];
    let mut control = cmsg_space!(UnixCredentials, [RawFd; MOST_DESCRIPTORS]);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let received = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
    let mut sender = Sender {
        pid: None,
        uid: u32::MAX,
    };
    for message in received.cmsgs()? {
        match message {
            ControlMessageOwned::ScmCredentials(c) => {
                sender.pid = u32::try_from(c.pid()).ok().and_then(Pid::new);
                sender.uid = c.uid();
            }
            ControlMessageOwned::ScmRights(fds) => close_all(&fds),
            _ => {}
        }
    }
    let (length, cut) = (received.bytes, received.flags.contains(MsgFlags::MSG_TRUNC));
    let message = Message::parse(&bytes[..length.min(LONGEST)], cut);
    Ok(Heard { message, sender })
}

fn close_all(fds: &[RawFd]) {
    for fd in fds {
        // SAFETY: the kernel has just made this descriptor for us, in answer to our `recvmsg`, and
        // nobody else knows its number.
        drop(unsafe { OwnedFd::from_raw_fd(*fd) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    /// Whole lines count, in any company; near misses and cut lines do not.
    #[test]
    fn reads_the_lines_that_matter() {
        let both = Message {
            ready: true,
            heartbeat: true,
        };
        assert_eq!(
            Message::parse(b"STATUS=x\nREADY=1\nWATCHDOG=1", false),
            both
        );
        for miss in [
            &b"READY=11"[..],
            b" READY=1",
            b"READY=1 ",
            b"X_READY=1",
            b"\xff\0",
            b"",
        ] {
            assert_eq!(Message::parse(miss, false), Message::default());
        }
        assert!(!Message::parse(b"STATUS=long\nREADY=1", true).ready);
    }

    /// What a service has said stays said, whatever it says next.
    #[test]
    fn messages_add_up() {
        let ready = Message::parse(b"READY=1", false);
        let beat = Message::parse(b"WATCHDOG=1", false);
        let both = Message::parse(b"READY=1\nWATCHDOG=1", false);
        assert_eq!(ready.and(beat), both);
        assert_eq!(beat.and(ready), both);
        assert_eq!(beat.and(Message::default()), beat);
    }

    /// The kernel tells who wrote, and descriptors that come along do not stay.
    #[test]
    fn knows_the_sender() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = listen(&path).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        client.send_to(b"READY=1", &path).unwrap();
        let got = receive(socket.as_fd());
        let message = Message {
            ready: true,
            heartbeat: false,
        };
        let sender = Sender {
            pid: Pid::new(std::process::id()),
            uid: nix::unistd::geteuid().as_raw(),
        };
        assert_eq!(got, vec![Heard { message, sender }]);
        assert!(receive(socket.as_fd()).is_empty());
    }
}

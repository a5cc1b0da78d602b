//! The service's end of a notify socket: what `fieldwarden notify` sends, and waits for.
//!
//! It is no part of the daemon. Whoever listens may be fieldwarden or systemd.

use super::systemd::{SocketError, address};
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use std::ffi::OsStr;
use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// Longest time for the listener to take a message, and to let go of a barrier: systemd-notify's.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// The process that has started this one; 0 if it is out of sight.
pub fn parent() -> u32 {
    rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs())
}

/// The way to whoever listens.
pub struct Notifier(UnixDatagram);

impl Notifier {
    /// The way to the socket of this name, as `NOTIFY_SOCKET` has it.
    ///
    /// # Errors
    /// It is no name of a socket, or nobody listens there.
    pub fn to(name: &OsStr) -> io::Result<Notifier> {
        let listener = address(name).map_err(|e| match e {
            SocketError::Form(_) => {
                io::Error::other("this is neither an absolute path nor an abstract name (@NAME)")
            }
            SocketError::Address(_, e) | SocketError::Socket(e) => e,
        })?;
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.connect_addr(&listener)?;
        Ok(Notifier(socket))
    }

    /// Sends one datagram; waits while the listener's queue is full.
    ///
    /// # Errors
    /// What the kernel said: `WouldBlock` if the listener has read nothing for [`PATIENCE`].
    pub fn say(&self, text: &str) -> io::Result<()> {
        self.0.send(text.as_bytes()).map(drop)
    }

    /// Waits until all that was said has taken effect; returns whether that was within [`PATIENCE`].
    ///
    /// # Errors
    /// What the kernel said.
    pub fn wait(&self) -> io::Result<bool> {
        let (reading, writing) = pipe_with(PipeFlags::CLOEXEC)?;
        let fds = [writing.as_raw_fd()];
        let with = [ControlMessage::ScmRights(&fds)];
        let parts = [IoSlice::new(b"BARRIER=1")];
        sendmsg::<UnixAddr>(self.0.as_raw_fd(), &parts, &with, MsgFlags::empty(), None)?;
        // The copy that travels is the last one: closing it is the answer.
        drop(writing);
        let mut fds = [PollFd::new(&reading, PollFlags::IN)];
        let wait = Timespec::try_from(PATIENCE).map_err(io::Error::other)?;
        Ok(poll(&mut fds, Some(&wait))? > 0)
    }
}

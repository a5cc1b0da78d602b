//! The configuration that the daemon has taken up, for who asks on the control socket.
//!
//! It may be a mebibyte, and is asked for once in a month: so its text lies in a sealed file in memory
//! that is not the daemon's, and a client is handed that file. Nobody writes to it.

use super::answer::configuration_line;
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// What goes along with its text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TakenUp {
    /// The file that the daemon was told to read, or its directory.
    pub config: String,
    /// The directory that it goes by for what a reboot may wipe out.
    pub runtime_dir: String,
    /// The configuration decides that: another one there is refused by a reload.
    pub decides_directory: bool,
    /// Where the file of the board was found; empty where none is named.
    pub board_from: String,
}

/// The configuration that is in force, for who asks for it.
pub struct InForce {
    /// Its files as one text, sealed.
    pub text: File,
    /// What the daemon was told to read.
    pub config: String,
    /// It decides which runtime directory the daemon has; otherwise the command line does, or nothing
    /// that it says.
    pub decides_directory: bool,
}

/// What a daemon has taken up.
#[derive(Debug)]
pub struct Running {
    text: File,
    line: Vec<u8>,
}

impl Running {
    /// `text`: the files as one text, see `docs/formats.md`. It must be sealed.
    pub fn new(text: File, about: &TakenUp) -> Running {
        let line = configuration_line(about);
        Running { text, line }
    }

    /// Answers with it. All that the answer has is some hundred bytes, which a connection that has
    /// taken nothing yet always has room for.
    pub(super) fn hand_to(&self, client: BorrowedFd<'_>) -> io::Result<()> {
        let (fds, parts) = ([self.text.as_raw_fd()], [IoSlice::new(&self.line)]);
        let with = [ControlMessage::ScmRights(&fds)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        sendmsg::<UnixAddr>(client.as_raw_fd(), &parts, &with, flags, None)?;
        Ok(())
    }
}

/// Longest answer in bytes: two paths and a name.
const ANSWER_MAX: usize = 32 * 1024;

/// Takes the answer to such a request, as a client: its line, and the text if it came along.
///
/// # Errors
/// What the kernel said; that the answer is none of ours.
pub fn take(stream: &UnixStream) -> io::Result<(String, Option<File>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut with = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = vec![0; ANSWER_MAX];
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(stream, &mut parts, &mut with, flags)?;
    let fds = with.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let text = fds.flatten().next().map(File::from);
    bytes.truncate(received.bytes);
    match String::from_utf8(bytes) {
        Ok(line) if line.ends_with('\n') => Ok((line, text)),
        Ok(_) | Err(_) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

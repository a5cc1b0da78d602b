//! One connection to an engine: one question, and its answer as far as it has come.
//!
//! Never waits: each step goes as far as the kernel lets it.

use super::http::{Answer, Bad};
use crate::core::fact::{Errno, Fault};
use rustix::event::PollFlags;
use rustix::io::Errno as Raw;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, socket_with,
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Most that is read in one go, so that whoever sends without an end holds up nobody.
const GULP: usize = 64 << 10;

/// How far it has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// It waits for its descriptor.
    Waits,
    /// All of the answer is there.
    Over,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Talk {
    socket: OwnedFd,
    question: Vec<u8>,
    sent: usize,
    /// What has come.
    pub answer: Answer,
}

/// A question without a body. `what`: path and query, plain letters only.
pub(super) fn question(method: &str, what: &str) -> Vec<u8> {
    format!(
        "{method} {what} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: fieldwarden/{}\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n",
        env!("CARGO_PKG_VERSION")
    )
    .into_bytes()
}

impl Talk {
    /// Connects, and asks.
    ///
    /// # Errors
    /// Why nobody can be asked there.
    pub fn begin(engine: &Path, question: Vec<u8>) -> Result<Talk, Fault> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None);
        let socket = socket.map_err(fault)?;
        let address = SocketAddrUnix::new(engine).map_err(fault)?;
        // That of a Unix socket is done at once, or fails: EAGAIN if too many wait to be taken.
        connect(&socket, &address).map_err(fault)?;
        Ok(Talk {
            socket,
            question,
            sent: 0,
            answer: Answer::new(),
        })
    }

    /// What it waits for.
    pub fn waits_for(&self) -> (BorrowedFd<'_>, PollFlags) {
        let flags = match self.sent < self.question.len() {
            true => PollFlags::OUT,
            false => PollFlags::IN,
        };
        (self.socket.as_fd(), flags)
    }

    /// Goes as far as it can.
    ///
    /// # Errors
    /// Why there is no answer to be had.
    pub fn go_on(&mut self) -> Result<Step, Fault> {
        while let Some(rest) = self
            .question
            .get(self.sent..)
            .filter(|rest| !rest.is_empty())
        {
            match send(&self.socket, rest, SendFlags::NOSIGNAL) {
                Ok(count) => self.sent += count,
                Err(Raw::INTR) => {}
                Err(Raw::AGAIN) => return Ok(Step::Waits),
                Err(e) => return Err(fault(e)),
            }
        }
        let mut heard = 0;
        while heard < GULP && !self.answer.is_whole() {
            let mut buffer = [0u8; 4096];
            match recv(&self.socket, &mut buffer, RecvFlags::empty()) {
                Ok((0, _)) => self.answer.end().map_err(bad)?,
                Ok((count, _)) => {
                    heard += count;
                    let piece = buffer.get(..count).unwrap_or_default();
                    self.answer.hear(piece).map_err(bad)?;
                }
                Err(Raw::INTR) => {}
                Err(Raw::AGAIN) => return Ok(Step::Waits),
                Err(e) => return Err(fault(e)),
            }
        }
        Ok(match self.answer.is_whole() {
            true => Step::Over,
            false => Step::Waits,
        })
    }
}

fn fault(e: Raw) -> Fault {
    Fault::Errno(Errno(e.raw_os_error()))
}

fn bad(bad: Bad) -> Fault {
    match bad {
        Bad::Nonsense => Fault::Implausible,
        Bad::Cut => Fault::Errno(Errno(libc::ECONNRESET)),
    }
}

//! One connection of a probe: to see whether somebody takes it, or to ask something by HTTP.
//!
//! ```text
//! connect ─► taken ─► (no question: over) ─► question sent ─► first line of the answer: over
//! ```
//!
//! Never waits: each step goes as far as the kernel lets it. Never reads more than [`HEAD_MAX`], and no
//! further than the status; whoever sends more, slower, or nonsense costs nothing but the time that the
//! probe has anyway.

use crate::config::{Target, Url};
use crate::core::fact::{Errno, Ill, Probed};
use rustix::event::PollFlags;
use rustix::io::Errno as Raw;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect,
    getpeername, getsockname, recv, send, socket_with, sockopt,
};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Most of an answer that is read. Larger: memory for whoever sends nonsense. Smaller: an answer with
/// many interim ones before it is taken for nonsense.
pub(super) const HEAD_MAX: usize = 4096;

/// Most headers of an interim answer.
const HEADERS_MAX: usize = 32;

/// How far a probe has come.
pub(super) enum Step {
    /// It waits for its descriptor.
    Waits,
    /// It is over.
    Over(Probed),
}

enum Phase {
    /// Not known to be taken yet.
    Connecting,
    /// So much of the question is sent.
    Asking(usize),
    /// This much of the answer has come.
    Listening(Vec<u8>),
}

/// One connection.
pub(super) struct Talk {
    socket: OwnedFd,
    phase: Phase,
    question: Option<Vec<u8>>,
}

/// The question for a URL.
pub(super) fn request(url: &Url) -> Vec<u8> {
    format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: fieldwarden/{}\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n",
        url.path,
        url.host,
        env!("CARGO_PKG_VERSION")
    )
    .into_bytes()
}

impl Talk {
    /// Begins to connect.
    ///
    /// # Errors
    /// What there is to say of the service if that fails at once.
    pub fn connect(target: &Target, question: Option<Vec<u8>>) -> Result<Talk, Probed> {
        let family = match target {
            Target::Inet(SocketAddr::V4(_)) => AddressFamily::INET,
            Target::Inet(SocketAddr::V6(_)) => AddressFamily::INET6,
            Target::Unix(_) => AddressFamily::UNIX,
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // Whatever is missing here is missing to us.
        let unsure = |e: Raw| Probed::Unsure(Ill::Errno(Errno(e.raw_os_error())));
        let socket = socket_with(family, SocketType::STREAM, flags, None).map_err(unsure)?;
        let begun = match target {
            Target::Inet(address) => connect(&socket, address),
            Target::Unix(path) => {
                let address = SocketAddrUnix::new(path).map_err(unsure)?;
                connect(&socket, &address)
            }
        };
        match begun {
            Ok(()) | Err(Raw::INPROGRESS | Raw::INTR) => Ok(Talk {
                socket,
                phase: Phase::Connecting,
                question,
            }),
            Err(e) => Err(of(e)),
        }
    }

    /// What it waits for.
    pub fn waits_for(&self) -> (BorrowedFd<'_>, PollFlags) {
        let flags = match self.phase {
            Phase::Connecting | Phase::Asking(_) => PollFlags::OUT,
            Phase::Listening(_) => PollFlags::IN,
        };
        (self.socket.as_fd(), flags)
    }

    /// Goes as far as it can.
    pub fn go_on(&mut self) -> Step {
        loop {
            let step = match &mut self.phase {
                Phase::Connecting => is_taken(&self.socket),
                Phase::Asking(sent) => ask(&self.socket, self.question.as_deref(), sent),
                Phase::Listening(heard) => listen(&self.socket, heard),
            };
            match step {
                Ok(true) => {}
                Ok(false) => return Step::Waits,
                Err(probed) => return Step::Over(probed),
            }
            self.phase = match (&self.phase, &self.question) {
                (Phase::Connecting, None) => return Step::Over(Probed::Good),
                (Phase::Connecting, Some(_)) => Phase::Asking(0),
                (Phase::Asking(_) | Phase::Listening(_), _) => Phase::Listening(Vec::new()),
            };
        }
    }
}

/// Whether the connection is taken.
pub(super) fn is_taken(socket: &OwnedFd) -> Result<bool, Probed> {
    match sockopt::socket_error(socket) {
        Ok(Ok(())) => {}
        Ok(Err(e)) | Err(e) => return Err(of(e)),
    }
    let peer = match getpeername(socket) {
        Ok(peer) => peer,
        Err(Raw::NOTCONN) => return Ok(false),
        Err(e) => return Err(of(e)),
    };
    // A port that nobody listens to may be given to us as our own, and then we have reached ourselves;
    // to stay would keep the service from having it.
    let named = peer.as_ref().is_some_and(|peer| !is_unix(peer));
    if named && getsockname(socket).ok() == peer {
        return Err(Probed::Bad(Ill::Errno(Errno(libc::ECONNREFUSED))));
    }
    Ok(true)
}

fn is_unix(address: &rustix::net::SocketAddrAny) -> bool {
    address.address_family() == AddressFamily::UNIX
}

/// Sends what is left of the question; whether that was all.
fn ask(socket: &OwnedFd, question: Option<&[u8]>, sent: &mut usize) -> Result<bool, Probed> {
    let question = question.unwrap_or_default();
    while let Some(rest) = question.get(*sent..).filter(|rest| !rest.is_empty()) {
        match send(socket, rest, SendFlags::NOSIGNAL) {
            Ok(count) => *sent += count,
            Err(Raw::INTR) => {}
            Err(Raw::AGAIN) => return Ok(false),
            Err(e) => return Err(of(e)),
        }
    }
    Ok(true)
}

/// Hears what has come of the answer; it never ends but with an answer.
fn listen(socket: &OwnedFd, heard: &mut Vec<u8>) -> Result<bool, Probed> {
    loop {
        let mut buffer = [0u8; 512];
        let room = buffer.len().min(HEAD_MAX - heard.len());
        match recv(socket, &mut buffer[..room], RecvFlags::empty()) {
            Ok((0, _)) => return Err(Probed::Bad(Ill::Closed)),
            Ok((count, _)) => heard.extend_from_slice(&buffer[..count.min(room)]),
            Err(Raw::INTR) => continue,
            Err(Raw::AGAIN) => return Ok(false),
            Err(e) => return Err(of(e)),
        }
        if let Some(probed) = understand(heard) {
            return Err(probed);
        }
        if heard.len() >= HEAD_MAX {
            return Err(Probed::Bad(Ill::NotHttp));
        }
    }
}

/// What the answer says, as soon as its status is there. Interim answers are passed over.
pub(super) fn understand(mut heard: &[u8]) -> Option<Probed> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut answer = httparse::Response::new(&mut headers);
        let parsed = answer.parse(heard);
        let status = answer.code;
        match (status, parsed) {
            (Some(status @ 100..=199), Ok(httparse::Status::Complete(length))) if status != 101 => {
                heard = heard.get(length..)?;
            }
            (Some(100 | 102..=199) | None, Ok(httparse::Status::Partial)) => return None,
            (Some(200..=399), _) => return Some(Probed::Good),
            (Some(100 | 102..=199) | None, _) => return Some(Probed::Bad(Ill::NotHttp)),
            (Some(status), _) => return Some(Probed::Bad(Ill::Status(status))),
        }
    }
}

/// What an error of a connection tells: nothing of the service, where it is our own or the machine's.
fn of(e: Raw) -> Probed {
    let ill = Ill::Errno(Errno(e.raw_os_error()));
    match e {
        Raw::NOBUFS
        | Raw::NOMEM
        | Raw::MFILE
        | Raw::NFILE
        | Raw::NETUNREACH
        | Raw::HOSTUNREACH
        | Raw::NETDOWN
        | Raw::ADDRNOTAVAIL
        | Raw::AFNOSUPPORT
        | Raw::PERM => Probed::Unsure(ill),
        _ => Probed::Bad(ill),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Option<Probed> = Some(Probed::Good);
    const NO_HTTP: Option<Probed> = Some(Probed::Bad(Ill::NotHttp));

    fn bad(status: u16) -> Option<Probed> {
        Some(Probed::Bad(Ill::Status(status)))
    }

    /// The status decides, as soon as it is there; interim answers do not.
    #[test]
    fn answers_are_judged_by_their_status() {
        for (answer, judged) in [
            ("HTTP/1.1 200 OK\r\n", GOOD),
            ("HTTP/1.0 204 \r\n", GOOD),
            (
                "HTTP/1.1 301 Moved\r\nLocation: http://elsewhere/\r\n\r\n",
                GOOD,
            ),
            ("HTTP/1.1 399 x\r\n", GOOD),
            ("HTTP/1.1 400 x\r\n", bad(400)),
            ("HTTP/1.1 503 Service Unavailable\r\n", bad(503)),
            ("HTTP/1.1 101 Switching\r\n", bad(101)),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", GOOD),
            (
                "HTTP/1.1 103 x\r\nLink: y\r\n\r\nHTTP/1.1 500 x\r\n",
                bad(500),
            ),
            ("HTTP/1.1 100 Continue\r\n\r\n", None),
            ("HTTP/1.1 100 Continue\r\n", None),
            ("", None),
            ("HTTP/1.1 2", None),
            ("SSH-2.0-OpenSSH_9.2\r\n", NO_HTTP),
            ("220 mail ESMTP\r\n", NO_HTTP),
            ("HTTP/1.1 abc\r\n", NO_HTTP),
            ("\u{0}\u{0}\u{0}\u{0}", NO_HTTP),
        ] {
            assert_eq!(understand(answer.as_bytes()), judged, "{answer:?}");
        }
    }

    /// However an answer is cut into pieces, it is not judged wrongly before it is all there.
    #[test]
    fn a_piece_of_an_answer_is_none_or_the_whole() {
        let answer =
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 503 x\r\nA: b\r\n\r\nbody";
        for end in 0..=answer.len() {
            let judged = understand(&answer[..end]);
            assert!(judged.is_none() || judged == bad(503), "{end}: {judged:?}");
        }
        assert_eq!(understand(answer), bad(503));
    }
}

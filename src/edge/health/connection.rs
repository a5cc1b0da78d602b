//! One connection: what it has sent, what it still gets, and how long it may take.
//!
//! ```text
//! Asking ──head──► Waiting ──report──► Taking ──all taken──► Leaving ──► over
//!    └──────refused──────────────────────►┘
//! ```

use super::head::{Judged, Refusal, Trust, judge};
use super::token::Token;
use super::{ASK_WITHIN, CORE_WITHIN, HEAD_MAX, LEAVE_WITHIN, Sheet, TAKE_WITHIN, Wanted};
use crate::edge::foreign::Caller;
use crate::units::Mono;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{Shutdown, shutdown};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// What is thrown away of what a client sends after its request. Who sends more is cut off.
const REST_MAX: usize = 64 * 1024;

/// Bytes that are read at a time.
const PIECE: usize = 1024;

/// A client that has not sent its request after so long may be sent away in favour of a new one: what
/// it has to say fits into one packet.
const IDLE: Duration = Duration::from_millis(250);

/// The same for one that takes its answer.
const SLOW: Duration = Duration::from_secs(2);

/// One connection.
pub(super) struct Connection {
    socket: Caller,
    trust: Trust,
    stage: Stage,
    /// When it began its stage.
    since: Mono,
}

/// How far it has come.
enum Stage {
    /// Its head is not complete.
    Asking(Vec<u8>),
    /// It waits for a report.
    Waiting { wanted: Wanted, bare: bool },
    /// It is given its answer.
    Taking { answer: Vec<u8>, sent: usize },
    /// It has all; so many bytes that came after its request were thrown away.
    Leaving { thrown: usize },
}

impl Connection {
    pub fn new(socket: OwnedFd, trust: Trust, now: Mono) -> Connection {
        Connection {
            socket: Caller::new(socket),
            trust,
            stage: Stage::Asking(Vec::new()),
            since: now,
        }
    }

    /// Its socket, and what to wait for.
    pub fn waits_for(&self) -> (BorrowedFd<'_>, PollFlags) {
        let flags = match self.stage {
            Stage::Asking(_) | Stage::Leaving { .. } => PollFlags::IN,
            // That it is gone is told anyway.
            Stage::Waiting { .. } => PollFlags::empty(),
            Stage::Taking { .. } => PollFlags::OUT,
        };
        (self.socket.as_fd(), flags)
    }

    /// When its time is over.
    pub fn deadline(&self) -> Mono {
        self.since.after(match self.stage {
            Stage::Asking(_) => ASK_WITHIN,
            Stage::Waiting { .. } => CORE_WITHIN,
            Stage::Taking { .. } => TAKE_WITHIN,
            Stage::Leaving { .. } => LEAVE_WITHIN,
        })
    }

    /// What it waits for, if it waits for a report.
    pub fn wants(&self) -> Option<Wanted> {
        match self.stage {
            Stage::Waiting { wanted, .. } => Some(wanted),
            Stage::Asking(_) | Stage::Taking { .. } | Stage::Leaving { .. } => None,
        }
    }

    /// Since when it could be sent away in favour of another one; those that have their answer first.
    pub fn idle_since(&self, now: Mono) -> Option<(bool, Mono)> {
        let (owed, grace) = match self.stage {
            Stage::Leaving { .. } => (false, Duration::ZERO),
            Stage::Asking(_) => (true, IDLE),
            Stage::Taking { .. } => (true, SLOW),
            Stage::Waiting { .. } => return None,
        };
        (now.since(self.since) >= grace).then_some((owed, self.since))
    }

    /// Goes as far as it can. False when it is over.
    pub fn go_on(&mut self, token: Option<&Token>, gone: bool, now: Mono) -> bool {
        match &mut self.stage {
            Stage::Asking(_) => self.read(token, now),
            Stage::Waiting { .. } => !gone,
            Stage::Taking { .. } => self.write(now),
            Stage::Leaving { thrown } => throw_away(&self.socket, thrown),
        }
    }

    fn read(&mut self, token: Option<&Token>, now: Mono) -> bool {
        let Stage::Asking(head) = &mut self.stage else {
            return true;
        };
        let mut piece = [0u8; PIECE];
        let mut more = true;
        while more {
            let room = PIECE.min(HEAD_MAX - head.len());
            match self.socket.read(&mut piece[..room]) {
                Ok(0) => return false,
                Ok(count) => {
                    head.extend_from_slice(&piece[..count]);
                    more = count == room && head.len() < HEAD_MAX;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => more = false,
                Err(_) => return false,
            }
        }
        match judge(head, self.trust, token) {
            Judged::More => true,
            Judged::Asks { wanted, bare } => {
                (self.stage, self.since) = (Stage::Waiting { wanted, bare }, now);
                true
            }
            Judged::Refused { refusal, bare } => self.refuse(&refusal, bare, now),
        }
    }

    /// Tells it why not. False when it is over.
    pub fn refuse(&mut self, refusal: &Refusal, bare: bool, now: Mono) -> bool {
        let Refusal {
            code,
            headers,
            text,
        } = refusal;
        self.answer((*code, headers), (TEXT, text), bare, now)
    }

    /// Its time to ask is over, or the core's to answer. False when that was all.
    pub fn expire(&mut self, now: Mono) -> bool {
        match self.stage {
            Stage::Asking(_) => {
                let late = Refusal::new(408, "the request did not come in time");
                self.refuse(&late, false, now)
            }
            Stage::Waiting { bare, .. } => self.refuse(&silent(), bare, now),
            Stage::Taking { .. } | Stage::Leaving { .. } => false,
        }
    }

    /// Gives it the page that it waits for. False when it is over.
    pub fn give(&mut self, sheet: &Sheet, now: Mono) -> bool {
        let Stage::Waiting { bare, .. } = self.stage else {
            return true;
        };
        let code = if sheet.good { 200 } else { 503 };
        self.answer((code, ""), (sheet.kind, &sheet.text), bare, now)
    }

    fn answer(
        &mut self,
        (code, headers): (u16, &str),
        (kind, text): (&str, &str),
        bare: bool,
        now: Mono,
    ) -> bool {
        let answer = written((code, headers), (kind, text), bare);
        (self.stage, self.since) = (Stage::Taking { answer, sent: 0 }, now);
        self.write(now)
    }

    fn write(&mut self, now: Mono) -> bool {
        let Stage::Taking { answer, sent } = &mut self.stage else {
            return true;
        };
        while *sent < answer.len() {
            match self.socket.write(&answer[*sent..]) {
                Ok(count) => *sent += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return true,
                Err(_) => return false,
            }
        }
        // To close now would have the kernel throw away what was not taken yet, if anything comes in.
        (self.stage, self.since) = (Stage::Leaving { thrown: 0 }, now);
        shutdown(&self.socket, Shutdown::Write).is_ok()
    }
}

/// Reads what comes after the request. False when the client has closed, or sends too much.
fn throw_away(socket: &Caller, thrown: &mut usize) -> bool {
    let mut piece = [0u8; PIECE];
    while *thrown < REST_MAX {
        match socket.read(&mut piece) {
            Ok(0) => return false,
            Ok(count) => *thrown += count,
            Err(Errno::INTR) => {}
            Err(e) => return e == Errno::AGAIN,
        }
    }
    false
}

/// The type of what is for people.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// The core is silent.
fn silent() -> Refusal {
    Refusal::new(503, "the core has not answered: it hangs, or is very late")
}

/// No room now.
pub(super) fn busy() -> Vec<u8> {
    let text = "too many connections; try again in a moment\n";
    written((503, "Retry-After: 1\r\n"), (TEXT, text), false)
}

/// An answer as it is sent.
fn written((code, headers): (u16, &str), (kind, text): (&str, &str), bare: bool) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {code} {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{headers}\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        reason(code),
        text.len()
    );
    let mut answer = head.into_bytes();
    if !bare {
        answer.extend_from_slice(text.as_bytes());
    }
    answer
}

fn reason(code: u16) -> &'static str {
    match code {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        421 => "Misdirected Request",
        431 => "Request Header Fields Too Large",
        _ => "Service Unavailable",
    }
}

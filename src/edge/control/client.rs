//! One connection: what it has sent, what it still gets, and how long it may take.
//!
//! ```text
//! Asking ──line──► Waiting ──answer──► Taking ──all taken──► over
//!    └──events──► Following ──(to the end, or for ever)──────►┘
//! ```

use super::ring::EventRing;
use super::{ASK_WITHIN, REQUEST_MAX, TAKE_WITHIN};
use crate::edge::foreign::Caller;
use crate::units::Mono;
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Bytes of events that are fetched for a follower at a time. It bounds what a follower who does
/// not read can hold; larger saves nothing, because the socket itself takes some 200 KiB.
const PIECE: usize = 16 * 1024;

/// Pieces that one follower is given in a row, before others get their turn.
const TURN: usize = 4;

/// A client that has taken nothing for this long may be sent away in favour of a new one.
const IDLE: Duration = Duration::from_secs(1);

/// One connection.
pub(super) struct Client {
    stream: Caller,
    /// User who connected.
    pub uid: u32,
    stage: Stage,
    /// When it began its stage; in `Following`, when it last took something.
    since: Mono,
    /// What epoll is to tell, as it was last told.
    pub interest: EventFlags,
}

/// How far it has come.
enum Stage {
    /// Its line is not complete.
    Asking(Vec<u8>),
    /// The core has its request, and so much time for it.
    Waiting(Duration),
    /// It is given its answer.
    Taking(Rest),
    /// It is given events.
    Following {
        rest: Rest,
        next: u64,
        upto: Option<u64>,
    },
}

/// Bytes on their way out.
struct Rest {
    bytes: Vec<u8>,
    sent: usize,
}

/// What came of letting a client move.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Moved {
    /// Nothing to do for now.
    Rests,
    /// Its request is here, without the line feed.
    Asked(Vec<u8>),
    /// Its request will never be right.
    TooLong,
    /// It said no more before the end of its line.
    CutShort,
    /// It is gone, or has got all that it asked for.
    Over,
}

impl Client {
    pub fn new(stream: Caller, uid: u32, now: Mono) -> Client {
        Client {
            stream,
            uid,
            stage: Stage::Asking(Vec::new()),
            since: now,
            interest: EventFlags::IN,
        }
    }

    /// Its socket.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// What epoll has to tell at this stage. Errors and hang-ups are told anyway.
    pub fn wanted_interest(&self) -> EventFlags {
        match &self.stage {
            Stage::Asking(_) => EventFlags::IN,
            Stage::Waiting(_) => EventFlags::empty(),
            Stage::Taking(_) => EventFlags::OUT,
            Stage::Following { rest, .. } if rest.is_empty() => EventFlags::empty(),
            Stage::Following { .. } => EventFlags::OUT,
        }
    }

    /// When its time is over.
    pub fn deadline(&self) -> Option<Mono> {
        match &self.stage {
            Stage::Asking(_) => Some(self.since.after(ASK_WITHIN)),
            Stage::Waiting(time) => Some(self.since.after(*time)),
            Stage::Taking(_) | Stage::Following { upto: Some(_), .. } => {
                Some(self.since.after(TAKE_WITHIN))
            }
            Stage::Following { upto: None, .. } => None,
        }
    }

    /// It has not sent its request yet.
    pub fn asking(&self) -> bool {
        matches!(self.stage, Stage::Asking(_))
    }

    /// The core has its request.
    pub fn waiting(&self) -> bool {
        matches!(self.stage, Stage::Waiting(_))
    }

    /// It is given events as they come.
    pub fn following(&self) -> bool {
        matches!(self.stage, Stage::Following { upto: None, .. })
    }

    /// Since when it could be sent away in favour of another one: it owes us its request, or does
    /// not take what it asked for. `None` for one that we owe something, and for one that took
    /// something a moment ago.
    pub fn idle_since(&self, now: Mono) -> Option<Mono> {
        let idle = match &self.stage {
            // It had all it needs to speak before we even saw it.
            Stage::Asking(_) => true,
            Stage::Waiting(_) => false,
            Stage::Taking(_) => now.since(self.since) >= IDLE,
            Stage::Following { rest, .. } => !rest.is_empty() && now.since(self.since) >= IDLE,
        };
        idle.then_some(self.since)
    }

    /// Reads what has come.
    pub fn read(&mut self) -> Moved {
        let Stage::Asking(line) = &mut self.stage else {
            return Moved::Rests;
        };
        let mut piece = [0u8; REQUEST_MAX];
        loop {
            let room = REQUEST_MAX - line.len();
            let count = match self.stream.read(&mut piece[..room]) {
                Ok(0) if line.is_empty() => return Moved::Over,
                Ok(0) => return Moved::CutShort,
                Ok(count) => count,
                Err(Errno::AGAIN) => return Moved::Rests,
                Err(Errno::INTR) => continue,
                Err(_) => return Moved::Over,
            };
            let got = &piece[..count];
            if let Some(end) = got.iter().position(|b| *b == b'\n') {
                line.extend_from_slice(&got[..end]);
                return Moved::Asked(std::mem::take(line));
            }
            line.extend_from_slice(got);
            if line.len() == REQUEST_MAX {
                return Moved::TooLong;
            }
        }
    }

    /// The core has its request from now on, and so much time to answer.
    pub fn wait(&mut self, time: Duration, now: Mono) {
        self.stage = Stage::Waiting(time);
        self.since = now;
    }

    /// It is given this answer from now on.
    pub fn answer(&mut self, bytes: Vec<u8>, now: Mono) {
        self.stage = Stage::Taking(Rest { bytes, sent: 0 });
        self.since = now;
    }

    /// It is given a first line and then events from this number on; up to before that one, or for
    /// ever.
    pub fn follow(&mut self, first: Vec<u8>, next: u64, upto: Option<u64>, now: Mono) {
        let rest = Rest {
            bytes: first,
            sent: 0,
        };
        self.stage = Stage::Following { rest, next, upto };
        self.since = now;
    }

    /// Writes what it takes.
    pub fn write(&mut self, events: &EventRing, now: Mono) -> Moved {
        match &mut self.stage {
            Stage::Asking(_) | Stage::Waiting(_) => Moved::Rests,
            Stage::Taking(rest) => match rest.send(&self.stream) {
                Sent::All | Sent::Gone => Moved::Over,
                Sent::Part { .. } => Moved::Rests,
            },
            Stage::Following { .. } => self.write_events(events, now),
        }
    }

    fn write_events(&mut self, events: &EventRing, now: Mono) -> Moved {
        let Stage::Following { rest, next, upto } = &mut self.stage else {
            return Moved::Rests;
        };
        // One round more than there are turns: what is fetched last waits for the next turn, so
        // that an empty hand always means that there are no more events.
        for turn in 0..=TURN {
            if rest.is_empty() {
                rest.clear();
                let end = upto.unwrap_or(u64::MAX);
                *next = events.read(*next, end, PIECE, &mut rest.bytes);
            }
            match (rest.is_empty(), *upto) {
                (true, Some(_)) => return Moved::Over,
                (true, None) => return Moved::Rests,
                (false, _) if turn == TURN => return Moved::Rests,
                (false, _) => {}
            }
            let sent = rest.send(&self.stream);
            // One who only asked for the past has one time for all of it.
            if upto.is_none() && !matches!(sent, Sent::Part { bytes: 0 }) {
                self.since = now;
            }
            match sent {
                Sent::All => {}
                Sent::Part { .. } => return Moved::Rests,
                Sent::Gone => return Moved::Over,
            }
        }
        Moved::Rests
    }

    /// Tells it why it is sent away, as far as it takes that at once.
    pub fn dismiss(self, line: &[u8]) {
        let begun = match &self.stage {
            Stage::Asking(_) | Stage::Waiting(_) => false,
            // Anything now would land in the middle of something.
            Stage::Taking(_) | Stage::Following { .. } => true,
        };
        if !begun {
            let _ = self.stream.write(line);
        }
    }
}

/// What came of sending.
enum Sent {
    /// Everything.
    All,
    /// The socket is full.
    Part { bytes: usize },
    /// The client is gone.
    Gone,
}

impl Rest {
    fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.sent = 0;
    }

    fn send(&mut self, stream: &Caller) -> Sent {
        let before = self.sent;
        while !self.is_empty() {
            match stream.write(&self.bytes[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(Errno::AGAIN) => {
                    let bytes = self.sent - before;
                    return Sent::Part { bytes };
                }
                Err(Errno::INTR) => {}
                Err(_) => return Sent::Gone,
            }
        }
        Sent::All
    }
}

//! The doors: sockets at which clients knock, opened as soon as they can be.
//!
//! An address may be taken, or not be there yet: that is told, and it is tried again, ever more seldom.
//! It is never a reason for the daemon to end. Safe direction: a door for strangers stays shut as long
//! as there is no token to know them by.

use super::head::Trust;
use super::name;
use super::token::Token;
use crate::config::{HealthPlan, Listen};
use crate::core::fact::{Errno, Fact, Fault, Reading, Source};
use crate::edge::control::listen_unix;
use crate::edge::inbox::Inbox;
use crate::edge::luggage;
use crate::text::fault_sentence;
use crate::units::Mono;
use rustix::io::Errno as Raw;
use rustix::net::{SocketAddrUnix, SocketFlags, accept_with, getsockname};
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time before a door that could not be opened is tried again for the first time.
const FIRST: Duration = Duration::from_secs(1);

/// The longest time between two tries. Each costs a wake-up.
const SELDOM: Duration = Duration::from_secs(60);

/// What the luggage calls a door, before its name.
pub(super) const IN_LUGGAGE: &str = "health ";

/// One door.
struct Door {
    listen: Listen,
    /// Init's socket, which is not ours to open or to take away.
    given: bool,
    open: Option<(OwnedFd, Trust)>,
    /// Init's socket while it is shut. There is no other, so it is kept until it can be opened; who
    /// knocks meanwhile waits.
    kept: Option<OwnedFd>,
    /// When it is tried again, while it is shut.
    retry: Option<Mono>,
    wait: Duration,
}

/// All of them, and the token.
pub(super) struct Doors {
    doors: Vec<Door>,
    token_file: Option<PathBuf>,
    token: Option<Token>,
    /// Why one of them is shut, as the core was told.
    told: Option<Fault>,
    lack: Option<Fault>,
}

impl Doors {
    /// The doors of a plan; `passed` are sockets that init has passed. None is tried yet.
    pub fn new(plan: &HealthPlan, passed: Vec<OwnedFd>) -> Doors {
        let mut doors = Vec::new();
        let mut lack = None;
        for listen in &plan.listen {
            if *listen != Listen::Systemd {
                doors.push(Door::of(listen, None));
                continue;
            }
            // Those that a predecessor in this process has left, or else init.
            let mut left = Vec::new();
            while let Some(socket) = luggage::take(&in_luggage(listen)) {
                left.push(socket);
            }
            let none = left.is_empty() && passed.is_empty();
            lack = none.then_some(Fault::Absent).or(lack);
            let given = left.into_iter().chain(passed.iter().filter_map(copy));
            doors.extend(given.map(|socket| Door::of(listen, Some(socket))));
        }
        Doors {
            doors,
            token_file: plan.token_file.clone(),
            token: None,
            told: None,
            lack,
        }
    }

    /// The token, once it could be read.
    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// Opens what is shut and due; tells the core when one cannot be opened, and when all are open.
    pub fn open(&mut self, now: Mono, inbox: &Inbox) {
        let due = |door: &Door| door.retry.is_some_and(|at| at <= now);
        if self.doors.iter().any(due) {
            // It is read when it is needed: what is shut for its sake is opened with it.
            let token = self.token_file.as_deref().map(Token::read).transpose();
            let (token, no_token) = match token {
                Ok(token) => (token, None),
                Err(why) => (None, Some(why)),
            };
            self.token = token.or(self.token.take());
            let no_token = no_token.filter(|_| self.token.is_none());
            let mut why = None;
            for door in self.doors.iter_mut().filter(|door| due(door)) {
                let by_token = self.token_file.is_some();
                let fault = door.open((by_token, no_token.as_ref()), now).err();
                why = why.or(fault);
            }
            let shut = self.doors.iter().any(|door| door.open.is_none());
            let never = self.lack.clone().filter(|_| !shut);
            self.tell(why.or(never), shut, inbox);
            luggage::discard(&[IN_LUGGAGE]);
        } else if self.doors.is_empty() && self.told.is_none() {
            self.tell(self.lack.clone(), true, inbox);
        }
    }

    fn tell(&mut self, why: Option<Fault>, shut: bool, inbox: &Inbox) {
        let fact = match (why, &self.told) {
            (Some(why), told) if told.as_ref() != Some(&why) => {
                self.told = Some(why.clone());
                let source = Source::Health;
                Fact::Lost { source, why }
            }
            (None, Some(_)) if !shut => {
                self.told = None;
                Fact::Seen(Reading::Health)
            }
            _ => return,
        };
        // If the core hangs, nobody wants to know.
        inbox.offer(fact);
    }

    /// When the next door is to be tried.
    pub fn next_try(&self) -> Option<Mono> {
        self.doors.iter().filter_map(|door| door.retry).min()
    }

    /// Those that are open, each with its number.
    pub fn listening(&self) -> impl Iterator<Item = (usize, BorrowedFd<'_>)> {
        let doors = self.doors.iter().enumerate();
        doors.filter_map(|(number, door)| Some((number, door.open.as_ref()?.0.as_fd())))
    }

    /// The next who knocks there.
    pub fn accept(&self, door: usize) -> Result<OwnedFd, Raw> {
        let open = self.doors.get(door).and_then(|door| door.open.as_ref());
        let (socket, _) = open.ok_or(Raw::AGAIN)?;
        accept_with(socket, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
    }

    /// Whom a door is for.
    pub fn trust(&self, door: usize) -> Option<Trust> {
        let open = self.doors.get(door)?.open.as_ref();
        open.map(|(_, trust)| *trust)
    }

    /// Takes the doors away, or leaves them to a successor in this process: so nobody who knocks
    /// meanwhile is sent away.
    pub fn leave(self) {
        for door in self.doors {
            let Some(socket) = door.open.map(|(socket, _)| socket).or(door.kept) else {
                continue;
            };
            if luggage::is_open() {
                luggage::put(in_luggage(&door.listen), socket);
            } else if let (Listen::Unix(path), false) = (&door.listen, door.given) {
                // One that is gone already is as good.
                let _ = fs::remove_file(path);
            }
        }
    }
}

impl Door {
    fn of(listen: &Listen, socket: Option<OwnedFd>) -> Door {
        Door {
            listen: listen.clone(),
            given: socket.is_some(),
            open: None,
            kept: socket,
            retry: Some(Mono(0)),
            wait: FIRST,
        }
    }

    /// Opens it. One that stays shut is tried again.
    fn open(
        &mut self,
        (by_token, no_token): (bool, Option<&Fault>),
        now: Mono,
    ) -> Result<(), Fault> {
        let socket = match self.kept.take() {
            Some(given) => Ok(given),
            None => self.socket().map_err(fault),
        };
        let opened = socket.and_then(|socket| {
            let trust = trust(&socket, by_token).map_err(fault);
            let trust = trust.and_then(|trust| match (trust, no_token) {
                (Trust::Holders, Some(why)) => Err(why.clone()),
                (Trust::Holders, None) if !by_token => Err(Fault::Errno(Errno(libc::EACCES))),
                _ => Ok(trust),
            });
            match trust {
                Ok(trust) => Ok((socket, trust)),
                Err(why) => {
                    self.kept = self.given.then_some(socket);
                    Err(why)
                }
            }
        });
        match opened {
            Ok(open) => {
                (self.open, self.retry, self.wait) = (Some(open), None, FIRST);
                Ok(())
            }
            Err(why) => {
                if self.wait == FIRST {
                    let (name, why) = (name(&self.listen), fault_sentence(&why));
                    log::warn!("the health endpoint cannot listen at {name}: {why}");
                }
                self.retry = Some(now.after(self.wait));
                self.wait = SELDOM.min(self.wait * 2);
                Err(why)
            }
        }
    }

    fn socket(&self) -> io::Result<OwnedFd> {
        if let Some(left) = luggage::take(&in_luggage(&self.listen)) {
            return Ok(left);
        }
        match &self.listen {
            Listen::Inet(address) => {
                let listener = TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                Ok(listener.into())
            }
            Listen::Unix(path) => {
                clear(path)?;
                Ok(listen_unix(path)?.into())
            }
            Listen::Systemd => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// Removes what a dead daemon has left. A file that is no socket, and a socket at which somebody
/// listens, are not ours.
fn clear(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
        Ok(there) if !there.file_type().is_socket() => {
            return Err(io::Error::from_raw_os_error(libc::EEXIST));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Err(e) if e.raw_os_error() == Some(libc::ECONNREFUSED) => fs::remove_file(path),
        Err(e) => Err(e),
        Ok(_) => Err(io::Error::from_raw_os_error(libc::EADDRINUSE)),
    }
}

/// Whom a socket is for. Only a file keeps others out by itself, and only an address of this machine
/// all but its programs; whatever else init may pass, such as a socket of a virtual machine or one
/// with an abstract name, is for those who have the token.
fn trust(socket: &OwnedFd, by_token: bool) -> io::Result<Trust> {
    let address = getsockname(socket)?;
    if let Ok(address) = SocketAddr::try_from(address.clone()) {
        return Ok(match by_token || !is_here(&address) {
            true => Trust::Holders,
            false => Trust::Local,
        });
    }
    let unix = SocketAddrUnix::try_from(address);
    let has_file = unix.is_ok_and(|address| address.path().is_some());
    Ok(match has_file {
        true => Trust::Anybody,
        false => Trust::Holders,
    })
}

/// An address that only this machine reaches.
fn is_here(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn copy(socket: &OwnedFd) -> Option<OwnedFd> {
    socket.try_clone().ok()
}

fn in_luggage(listen: &Listen) -> String {
    format!("{IN_LUGGAGE}{}", name(listen))
}

fn fault(e: io::Error) -> Fault {
    Fault::Errno(Errno(e.raw_os_error().unwrap_or(libc::EIO)))
}

#[cfg(test)]
mod tests;

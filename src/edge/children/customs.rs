//! Takes in messages that bring descriptors, each on a thread of its own that may hang.
//!
//! ```text
//! hear ── has descriptors ──► thread: receives, looks at each ──► link ──► hear goes on
//!                                     closes all that are not for us ─────► link ──► thread is over
//! ```
//!
//! To receive a descriptor, and be it to throw it away, means to close it, and that may take as long as
//! its sender likes. So this thread only looks at the head of a socket, which costs nothing; what has
//! descriptors is received where nobody waits, into a table of descriptors of its own: what lies in
//! ours would be closed by every program that is started, and hold up all starts.
//!
//! What a run leaves for the next one is passed on over the *link*, if it is of a kind that can be
//! closed by an exec and watched without asking anybody.
//!
//! Safe direction: with as many threads stuck as there may be, a socket is not read further. Is that
//! the deed of strangers, the service counts as alive meanwhile: nobody is to be ended for what others
//! do.

use super::Children;
use super::message::Message;
use super::notify::{self, Head};
use crate::core::fact::{Change, Refusal};
use crate::edge::fd_store::name_of;
use crate::edge::foreign::{self, Foreign, is_socket};
use crate::edge::{clock, thread};
use crate::units::Mono;
use nix::cmsg_space;
use nix::sys::socket::{
    CmsgIterator, ControlMessage, ControlMessageOwned, MsgFlags, UnixAddr, UnixCredentials,
    recvmsg, sendmsg,
};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::fcntl_get_seals;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair, sockopt};
use rustix::pipe::fcntl_getpipe_size;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

/// Messages of one run, or of all strangers together, that are taken in at a time. More than one, so
/// that one that hangs is not the last.
const MOST: usize = 2;

/// How long a socket is left alone whose next message cannot be taken in.
pub(super) const DEAF: Duration = Duration::from_millis(250);

/// What is waited for of a run that has ended. Longer: a pet waits behind it. Shorter: on a busy
/// machine what it left last does not reach the next run.
const LAST: Duration = Duration::from_millis(100);

/// Descriptors that one message can bring (`SCM_MAX_FD`, include/net/scm.h).
const MOST_DESCRIPTORS: usize = 253;

/// Bytes of a message on the link: a number, what has come of it, and how many were refused.
const LINK: usize = 8;

/// The message is out of the socket.
const TAKEN: u16 = 0;
/// The thread is over.
pub(super) const OVER: u16 = 1;
/// It is over, and the message is still in the socket.
pub(super) const FAILED: u16 = 2;

/// Messages that are read at most of a run that has ended. The kernel keeps 10 for a socket, systemd
/// raises that to 512: all of them fit.
const LAST_WORDS: usize = 512;

/// What came of listening.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    /// A message was read.
    One,
    /// There is none.
    Nothing,
    /// One was read, and no more is to be read of this run for now.
    TooMuch,
    /// The next one cannot be read now.
    Later,
}

/// A message that is being taken in.
struct Errand {
    number: u32,
    at: u16,
    stranger: bool,
    taken: bool,
    /// The name under which a run leaves what came along, and whether it is waited for.
    left: Option<(Box<str>, bool)>,
}

/// What is being taken in.
pub(super) struct Customs {
    /// What the threads have to say.
    link: OwnedFd,
    /// Their end of it.
    theirs: Arc<OwnedFd>,
    errands: Vec<Errand>,
    last: u32,
    /// There are no threads any more.
    #[cfg(test)]
    pub(super) starved: bool,
}

impl Customs {
    /// Nothing yet.
    pub fn new() -> rustix::io::Result<Customs> {
        let (link, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok(Customs {
            link,
            theirs: Arc::new(theirs),
            errands: Vec::new(),
            last: 0,
            #[cfg(test)]
            starved: false,
        })
    }

    /// What wakes the thread.
    pub fn link(&self) -> &OwnedFd {
        &self.link
    }

    /// As many threads hang as may.
    #[cfg(test)]
    pub fn feign_hanging(&mut self, at: u16, stranger: bool) {
        for _ in 0..MOST {
            self.feign_stuck(at);
        }
        for errand in &mut self.errands {
            (errand.taken, errand.stranger) = (true, stranger);
        }
    }

    /// All those are through.
    #[cfg(test)]
    pub fn end_feigned(&mut self) {
        for errand in &self.errands {
            tell_link(&self.theirs, errand.number, OVER, 0, &[]).unwrap();
        }
    }

    /// There is no thread.
    #[cfg(test)]
    pub fn is_idle(&self) -> bool {
        self.errands.is_empty()
    }

    /// A thread of this service that says no more than this.
    #[cfg(test)]
    pub fn feign(&mut self, at: u16, what: u16) {
        let number = self.feign_stuck(at);
        tell_link(&self.theirs, number, what, 0, &[]).unwrap();
    }

    /// A thread of this service that says nothing.
    #[cfg(test)]
    pub fn feign_stuck(&mut self, at: u16) -> u32 {
        self.last = self.last.wrapping_add(1);
        let (number, left) = (self.last, Some(("x".into(), true)));
        self.errands.push(Errand {
            number,
            at,
            stranger: false,
            taken: false,
            left,
        });
        number
    }

    /// What is being taken in for this service is not kept any more.
    pub(super) fn keep_nothing(&mut self, at: u16) {
        for errand in self.errands.iter_mut().filter(|e| e.at == at) {
            errand.left = None;
        }
    }

    /// A thread is about to receive from the socket of this service, and nobody else may.
    fn has(&self, at: u16) -> bool {
        self.errands.iter().any(|e| e.at == at && !e.taken)
    }

    /// There is a thread for one more.
    fn has_room(&self, at: u16, stranger: bool) -> bool {
        let alike = |e: &&Errand| e.stranger == stranger && (stranger || e.at == at);
        self.errands.iter().filter(alike).count() < MOST
    }

    /// Has a thread receive the message at the head of a socket. Without memory there is none.
    fn begin(
        &mut self,
        at: u16,
        socket: &Arc<OwnedFd>,
        stranger: bool,
        left: Option<(Box<str>, bool)>,
    ) -> bool {
        self.last = self.last.wrapping_add(1);
        let (number, keep) = (self.last, left.is_some());
        let (socket, link) = (Arc::clone(socket), Arc::clone(&self.theirs));
        let body = move || take_in(&socket, &link, number, keep);
        #[cfg(test)]
        if self.starved {
            return false;
        }
        if thread::start("customs", body).is_err() {
            return false;
        }
        self.errands.push(Errand {
            number,
            at,
            stranger,
            taken: false,
            left,
        });
        true
    }
}

impl Children {
    /// A thread is at the socket of this service.
    pub(super) fn is_taken_in(&self, at: u16) -> bool {
        self.customs.has(at)
    }

    /// Whether a message with descriptors can be taken in; if not, the socket is left alone for a
    /// while.
    pub(super) fn can_take_in(&mut self, at: u16, stranger: bool) -> bool {
        if self.customs.has_room(at, stranger) {
            return true;
        }
        self.turn_deaf(at, stranger);
        false
    }

    fn turn_deaf(&mut self, at: u16, stranger: bool) {
        self.rest_ears(at, clock::now().after(DEAF));
        if stranger && self.beat_is_news(at) {
            self.tell_of_run(at, Change::Heartbeat);
        }
    }

    /// Has the message at the head of the socket taken in, which brings descriptors. Returns whether it
    /// will be: if not it is still there, and nothing of it has been heard.
    pub(super) fn take_in(&mut self, at: u16, head: &Head, stranger: bool) -> bool {
        let slot = &self.slots[usize::from(at)];
        let Some(socket) = slot.child.notify.clone() else {
            return false;
        };
        let message = head.message.as_ref().ok().filter(|_| !stranger);
        let wanted = |m: &&Message| m.store && !m.remove && !m.barrier && !foreign::is_full();
        let left = message.filter(wanted);
        let left = left.map(|m| (name_of(m.name.as_deref()).into(), !m.unpolled));
        let begun = self.customs.begin(at, &socket, stranger, left);
        match begun {
            true => self.close_ears(at),
            false => self.turn_deaf(at, stranger),
        }
        begun
    }

    /// What the threads have to say.
    pub(super) fn hear_customs(&mut self) {
        while let Some((number, what, refused, fds)) = hear_link(&self.customs.link) {
            let errands = &mut self.customs.errands;
            let Some(place) = errands.iter().position(|e| e.number == number) else {
                continue;
            };
            let errand = &mut errands[place];
            let (at, was_taken) = (errand.at, std::mem::replace(&mut errand.taken, true));
            let left = errand.left.take();
            if what != TAKEN {
                errands.swap_remove(place);
            }
            if was_taken {
                continue;
            }
            if what == FAILED {
                // It will be heard once more, and whoever has no memory now is not asked at once.
                self.rest_ears(at, clock::now().after(DEAF));
                continue;
            }
            if let Some((name, polled)) = left {
                self.keep(at, (&name, polled), fds, refused);
            }
            let rests = self.closed.iter().any(|closed| closed.is_of(at));
            if self.slots[usize::from(at)].run.is_some() && !rests {
                self.open_ears(at);
            }
        }
    }

    /// Waits for the threads that are at a socket, for a moment: who takes over from us does not hear
    /// them.
    pub(super) fn finish_customs(&mut self) {
        let until = clock::now().after(LAST);
        self.wait_for_customs(until, |e| !e.taken);
    }

    /// Waits until there are no such threads, or until then.
    fn wait_for_customs(&mut self, until: Mono, such: impl Fn(&Errand) -> bool) {
        while self.customs.errands.iter().any(&such) {
            let left = until.since(clock::now());
            let mut link = [PollFd::new(&self.customs.link, PollFlags::IN)];
            let patience = rustix::event::Timespec::try_from(left).ok();
            match poll(&mut link, patience.as_ref()) {
                Ok(0) if left.is_zero() => return,
                Ok(_) | Err(Errno::INTR) => self.hear_customs(),
                Err(_) => return,
            }
        }
    }

    /// Reads what a run has said before it ended: the next run has not said it.
    pub(super) fn hear_last_words(&mut self, at: u16) {
        let until = clock::now().after(LAST);
        let mut too_much = false;
        for _ in 0..LAST_WORDS {
            self.wait_for_customs(until, |e| e.at == at && !e.taken);
            let heard = match too_much {
                false => self.hear_one(at),
                true => self.throw_one_away(at),
            };
            match heard {
                Heard::One => {}
                Heard::TooMuch => too_much = true,
                // It is waited for, as long as there is time.
                Heard::Later if self.customs.has(at) && clock::now() < until => {}
                Heard::Later | Heard::Nothing => return,
            }
        }
    }

    fn throw_one_away(&mut self, at: u16) -> Heard {
        let slot = self.slots.get(usize::from(at));
        let socket = slot.and_then(|slot| slot.child.notify.clone());
        let Some(socket) = socket.filter(|_| !self.customs.has(at)) else {
            return Heard::Later;
        };
        match notify::look(socket.as_fd()) {
            None => Heard::Nothing,
            Some(head) if head.brings => {
                if self.customs.has_room(at, true) {
                    self.customs.begin(at, &socket, true, None);
                }
                Heard::Later
            }
            Some(_) => {
                notify::skip(socket.as_fd());
                Heard::One
            }
        }
    }

    /// Puts in what a run has left.
    fn keep(&mut self, at: u16, (name, polled): (&str, bool), fds: Vec<Foreign>, refused: u16) {
        let slot = &self.slots[usize::from(at)];
        let (store, most) = (slot.child.store.clone(), slot.child.store_most);
        let before = store.count();
        for fd in fds {
            match store.put(most, name, fd, polled) {
                Ok(None) => {}
                Ok(Some(polled)) => super::store::watch_one(&self.epoll, at, &store, &polled),
                Err(_closed) => self.refuse(at, Refusal::Store),
            }
        }
        for _ in 0..refused {
            self.refuse(at, Refusal::Store);
        }
        self.tell_store(at, before);
    }
}

/// The thread.
pub(super) fn take_in(socket: &OwnedFd, link: &OwnedFd, number: u32, keep: bool) {
    // Without one it does with ours: starts may then wait for what hangs, but services are heard.
    let is_own = foreign::have_own_table(socket.as_raw_fd(), link.as_raw_fd());
    let Ok(all) = receive_descriptors(socket) else {
        let _nobody = tell_link(link, number, FAILED, 0, &[]);
        return;
    };
    let (good, bad): (Vec<_>, Vec<_>) = all.into_iter().partition(|fd| keep && is_plain(fd));
    let refused = u16::try_from(bad.len()).unwrap_or(u16::MAX);
    tell_taken(link, number, refused, &good);
    let (sockets, others): (Vec<_>, Vec<_>) = good.into_iter().chain(bad).partition(is_socket);
    // They may hang: as long as one does the thread counts, and there are no more than there may be.
    drop(others);
    for socket in sockets {
        match is_own {
            // The end of this thread closes it, and does not linger.
            true => std::mem::forget(socket),
            false => foreign::close_unlingering(socket),
        }
    }
    let _nobody = tell_link(link, number, OVER, 0, &[]);
}

/// Says what came along. Cannot it be sent on, as there are too many under way or there is no memory,
/// all of it is refused.
pub(super) fn tell_taken(link: &OwnedFd, number: u32, refused: u16, good: &[OwnedFd]) {
    if tell_link(link, number, TAKEN, refused, good).is_err() {
        let more = u16::try_from(good.len()).unwrap_or(u16::MAX);
        let _nobody = tell_link(link, number, TAKEN, refused.saturating_add(more), &[]);
    }
}

/// Receives a message; what it says is known already.
fn receive_descriptors(socket: &OwnedFd) -> nix::Result<Vec<OwnedFd>> {
    let mut byte = [0u8; 1];
    let mut parts = [IoSliceMut::new(&mut byte)];
    let mut control = cmsg_space!(UnixCredentials, [RawFd; MOST_DESCRIPTORS]);
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let got = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
    // It is out of the socket, whatever can be made of it.
    Ok(got.cmsgs().map(descriptors).unwrap_or_default())
}

fn descriptors(messages: CmsgIterator<'_>) -> Vec<OwnedFd> {
    let mut all = Vec::new();
    for message in messages {
        if let ControlMessageOwned::ScmRights(fds) = message {
            // SAFETY: the kernel has just made these descriptors for us, in answer to our `recvmsg`,
            // and nobody else knows their numbers.
            all.extend(fds.iter().map(|fd| unsafe { OwnedFd::from_raw_fd(*fd) }));
        }
    }
    all
}

/// To be watched, and closed by an exec, it asks nobody: a socket, a pipe, memory, or what the kernel
/// alone keeps. A file on a disk may belong to a program.
fn is_plain(descriptor: &OwnedFd) -> bool {
    const SOCKETS: [AddressFamily; 4] = [
        AddressFamily::UNIX,
        AddressFamily::INET,
        AddressFamily::INET6,
        AddressFamily::NETLINK,
    ];
    const KEPT: [&str; 5] = [
        "anon_inode:[eventfd]",
        "anon_inode:[timerfd]",
        "anon_inode:[signalfd]",
        "anon_inode:[pidfd]",
        "anon_inode:inotify",
    ];
    if let Ok(family) = sockopt::socket_domain(descriptor) {
        return SOCKETS.contains(&family);
    }
    let is_memory = fcntl_get_seals(descriptor).is_ok();
    is_memory || fcntl_getpipe_size(descriptor).is_ok() || {
        // No path begins like that.
        let link = format!("/proc/thread-self/fd/{}", descriptor.as_raw_fd());
        let name = std::fs::read_link(link).unwrap_or_default();
        KEPT.iter().any(|kept| name.as_os_str() == *kept)
    }
}

/// Fails when nobody listens any more, or when what is good cannot be sent.
fn tell_link(
    link: &OwnedFd,
    number: u32,
    what: u16,
    refused: u16,
    good: &[OwnedFd],
) -> nix::Result<usize> {
    let [a, b, c, d] = number.to_ne_bytes();
    let ([e, f], [g, h]) = (what.to_ne_bytes(), refused.to_ne_bytes());
    let bytes = [a, b, c, d, e, f, g, h];
    let fds: Vec<RawFd> = good.iter().map(AsRawFd::as_raw_fd).collect();
    let with = [ControlMessage::ScmRights(&fds)];
    let with: &[_] = if fds.is_empty() { &[] } else { &with };
    let (parts, flags) = ([IoSlice::new(&bytes)], MsgFlags::MSG_NOSIGNAL);
    sendmsg::<UnixAddr>(link.as_raw_fd(), &parts, with, flags, None)
}

/// The next thing that a thread has to say: its number, what it is, what was refused, what is kept.
pub(super) fn hear_link(link: &OwnedFd) -> Option<(u32, u16, u16, Vec<Foreign>)> {
    let mut bytes = [0u8; LINK];
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let mut control = cmsg_space!([RawFd; MOST_DESCRIPTORS]);
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let got = recvmsg::<()>(link.as_raw_fd(), &mut parts, Some(&mut control), flags).ok()?;
    let whole = got.bytes == LINK;
    let fds = got.cmsgs().map(descriptors).unwrap_or_default();
    // What is not kept is not closed here: it may linger.
    let fds = fds.into_iter().map(Foreign::new).collect();
    let [a, b, c, d, e, f, g, h] = bytes;
    let number = u32::from_ne_bytes([a, b, c, d]);
    let (what, refused) = (u16::from_ne_bytes([e, f]), u16::from_ne_bytes([g, h]));
    whole.then_some((number, what, refused, fds))
}

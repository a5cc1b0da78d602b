//! Descriptors that others have sent, and sockets on which they may have: how to let go of them.
//!
//! To close one can take as long as its sender likes: a socket may linger for hours over what its peer
//! does not read, a file may lie in a file system that is a program, and a socket may have others in
//! its queue. So whoever must not wait lets a thread do it that does nothing else, is there only while
//! there is something to close, and may hang.
//!
//! Safe direction: with all of them stuck, what is to be closed stays open, and nobody waits for it.

use super::{luggage, thread};
use crossbeam_channel::bounded;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvFlags, ReturnFlags, SendFlags, Shutdown, recv, recvmsg,
    send, shutdown, sockopt,
};
use std::io::IoSliceMut;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Threads that may be at it. They are stuck only if somebody wants them to be.
const MOST: usize = 4;

/// Descriptors that may wait, beside those that are kept already: a small part of those that we may
/// have.
const FULL: usize = 128;

/// What the luggage calls what could not be closed before the process was handed over.
const LEFT: &str = "foreign";

static DOOMED: Mutex<Doomed> = Mutex::new(Doomed {
    waiting: Vec::new(),
    threads: 0,
});

struct Doomed {
    /// Also whether a caller has left it.
    waiting: Vec<(OwnedFd, bool)>,
    threads: usize,
}

impl Doomed {
    fn is_full_of_callers(&self) -> bool {
        self.waiting.iter().filter(|(_, is_of)| *is_of).count() >= FULL
    }
}

fn doomed() -> MutexGuard<'static, Doomed> {
    // Whoever broke off has left it as it was between two calls.
    DOOMED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has a descriptor closed, and does not wait for it.
pub fn close(descriptor: OwnedFd) {
    have_closed(descriptor, false);
}

fn have_closed(descriptor: OwnedFd, is_of_caller: bool) {
    let mut doomed = doomed();
    doomed.waiting.push((descriptor, is_of_caller));
    if doomed.threads < MOST && thread::start("closer", close_all).is_ok() {
        doomed.threads += 1;
    }
}

/// So much waits to be closed that nothing more is to be kept.
pub fn is_full() -> bool {
    doomed().waiting.len() >= FULL
}

/// So much of it was left by callers that no more of them are to come in. What others leave counts for
/// nothing here: a service is not to keep away those who ask and act.
pub fn is_full_of_callers() -> bool {
    doomed().is_full_of_callers()
}

fn close_all() {
    loop {
        let mut doomed = doomed();
        let Some((next, _)) = doomed.waiting.pop() else {
            doomed.threads -= 1;
            return;
        };
        drop(doomed);
        close_here(next);
    }
}

/// Closes a descriptor on a thread that may hang. Sockets do not keep it: what a thread has for itself
/// is closed at its end, and whoever ends does not linger.
fn close_here(descriptor: OwnedFd) {
    if !is_socket(&descriptor) {
        return drop(descriptor);
    }
    let number = descriptor.as_raw_fd();
    let (tell, told) = bounded(1);
    let (end, until) = bounded::<()>(0);
    let helper = thread::start("closer-end", move || {
        // With all that is below it: to close that here may mean to close the last one, and to linger.
        let _gone = tell.send(leave_table(number));
        let _ended = until.recv();
    });
    match helper {
        Ok(helper) if told.recv() == Ok(true) => {
            // Not the last one.
            drop(descriptor);
            drop(end);
            let _ended = helper.join();
        }
        _ => close_unlingering(descriptor),
    }
}

/// Whether that is a socket.
pub fn is_socket(descriptor: &OwnedFd) -> bool {
    sockopt::socket_type(descriptor).is_ok()
}

/// Closes a socket here. It does not linger, but what is in its queue may.
pub fn close_unlingering(descriptor: OwnedFd) {
    // At 0 it does not, and resets the connection, which may be meant.
    let lingers = sockopt::socket_linger(&descriptor).ok().flatten();
    if lingers.is_some_and(|time| !time.is_zero()) {
        let _gone = sockopt::set_socket_linger(&descriptor, None);
    }
    drop(descriptor);
}

/// Gives this thread descriptors of its own, and of those there are only these two. Returns whether it
/// has.
pub fn have_own_table(one: RawFd, other: RawFd) -> bool {
    let (low, high) = (one.min(other), one.max(other));
    let is_own = leave_table(high);
    if is_own {
        for (first, last) in [(0, low - 1), (low + 1, high - 1)] {
            let _none = first > last || close_range(first, last, 0);
        }
    }
    is_own
}

/// Gives this thread a copy of our table of descriptors, up to this one. Returns whether it has.
fn leave_table(last: RawFd) -> bool {
    // Not `unshare`, which engines of containers refuse to all who may not do what else it does.
    close_range(last + 1, RawFd::MAX, libc::CLOSE_RANGE_UNSHARE)
}

fn close_range(first: RawFd, last: RawFd, flags: libc::c_uint) -> bool {
    // SAFETY: it changes no memory, and no table but one that this thread has for itself from then on.
    // What is closed there is nothing that the thread has or borrows.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) == 0 }
}

/// Leaves what is not closed yet to a successor in this process: an exec would close it, and wait.
pub fn leave() {
    for (descriptor, _) in std::mem::take(&mut doomed().waiting) {
        luggage::put(LEFT.to_owned(), descriptor);
    }
}

/// One that is kept: whoever has it last has it closed by somebody else.
#[derive(Clone, Debug)]
pub struct Foreign(ManuallyDrop<Arc<OwnedFd>>);

impl Foreign {
    /// It is foreign from now on.
    pub fn new(descriptor: OwnedFd) -> Foreign {
        Foreign(ManuallyDrop::new(Arc::new(descriptor)))
    }

    /// Itself, for whoever may hang with it.
    pub fn shared(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.0)
    }

    /// Both are one and the same.
    pub fn is(&self, other: &Foreign) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl AsFd for Foreign {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // SAFETY: this is the only place that takes it out, and nothing uses it afterwards.
        let own = unsafe { ManuallyDrop::take(&mut self.0) };
        if let Some(descriptor) = Arc::into_inner(own) {
            close(descriptor);
        }
    }
}

/// A connection of somebody who may send descriptors along, which are not for us.
///
/// None of them is ever received. A message that has any stays in the socket, and what is in there when
/// it is closed is closed with it: elsewhere.
#[derive(Debug)]
pub struct Caller(Option<OwnedFd>);

impl Caller {
    /// Takes over a connection.
    pub fn new(socket: OwnedFd) -> Caller {
        if sockopt::socket_domain(&socket) == Ok(AddressFamily::UNIX) {
            // Else a look passes over a byte out of band, and a read closes what it brings.
            let _inline = sockopt::set_socket_oobinline(&socket, true);
        }
        Caller(Some(socket))
    }

    /// Reads what has come, without waiting. Returns the number of bytes; 0 at the end.
    ///
    /// # Errors
    /// What the kernel said; `EBADMSG` when descriptors came along.
    pub fn read(&self, bytes: &mut [u8]) -> Result<usize, Errno> {
        let mut parts = [IoSliceMut::new(bytes)];
        let mut none = RecvAncillaryBuffer::default();
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let there = recvmsg(self, &mut parts, &mut none, flags)?;
        if there.flags.contains(ReturnFlags::CTRUNC) {
            return Err(Errno::BADMSG);
        }
        if there.bytes == 0 {
            return Ok(0);
        }
        // Of what was seen just now, and has none with it.
        let seen = &mut bytes[..there.bytes];
        let (count, _) = recv(self, seen, RecvFlags::DONTWAIT)?;
        Ok(count)
    }

    /// Writes what it takes now.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        send(self, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)
    }
}

impl AsFd for Caller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Some(socket) => socket.as_fd(),
            None => unreachable!("it is there until it is dropped"),
        }
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let Some(socket) = self.0.take() else { return };
        if sockopt::socket_domain(&socket) == Ok(AddressFamily::UNIX) && !is_empty(&socket) {
            have_closed(socket, true);
        }
    }
}

/// Nothing is in this socket, nor ever will be.
fn is_empty(socket: &OwnedFd) -> bool {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    let _gone = shutdown(socket, Shutdown::Both);
    matches!(recv(socket, &mut [0u8; 1][..], flags), Ok((0, _)))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::edge::clock;
    use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    /// Who does not read. Without him the other end has nothing to linger for.
    pub(crate) struct Lingering(#[expect(dead_code, reason = "only its end counts")] TcpStream);

    /// A socket that takes an hour to close, unless whoever does not read is gone.
    pub(crate) fn lingering() -> (OwnedFd, Lingering) {
        let door = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut ours = TcpStream::connect(door.local_addr().unwrap()).unwrap();
        let (theirs, _) = door.accept().unwrap();
        ours.set_nonblocking(true).unwrap();
        let bytes = vec![0; 1 << 20];
        while ours.write(&bytes).is_ok() {}
        let ours = OwnedFd::from(ours);
        let hour = Duration::from_secs(3_600);
        sockopt::set_socket_linger(&ours, Some(hour)).unwrap();
        (ours, Lingering(theirs))
    }

    /// A socket that has such a one in its queue, where nobody can do anything about it.
    pub(crate) fn nested() -> (OwnedFd, Lingering) {
        let (inner, peer) = lingering();
        let (one, other) = UnixStream::pair().unwrap();
        send_with(&one, b"x", &inner, MsgFlags::empty()).unwrap();
        (other.into(), peer)
    }

    /// Sends a descriptor along.
    fn send_with(
        to: &impl AsRawFd,
        bytes: &[u8],
        along: &OwnedFd,
        flags: MsgFlags,
    ) -> nix::Result<usize> {
        let fds = [along.as_raw_fd()];
        let with = [ControlMessage::ScmRights(&fds)];
        let parts = [std::io::IoSlice::new(bytes)];
        sendmsg::<UnixAddr>(to.as_raw_fd(), &parts, &with, flags, None)
    }

    fn promptly<T>(what: impl FnOnce() -> T) -> T {
        let begun = clock::now();
        let done = what();
        let took = clock::now().since(begun);
        assert!(took < Duration::from_secs(5), "{took:?}");
        done
    }

    /// What comes along on a connection is never received, and nobody waits for its end; what is said
    /// without is read as ever.
    #[test]
    fn a_caller_who_brings_something_holds_up_nobody() {
        let (caller, ours) = UnixStream::pair().unwrap();
        let ours = Caller::new(ours.into());
        let mut bytes = [0; 64];
        assert_eq!(ours.read(&mut bytes), Err(Errno::AGAIN));
        (&caller).write_all(b"plain").unwrap();
        assert_eq!(ours.read(&mut bytes), Ok(5));
        assert_eq!(&bytes[..5], b"plain");
        let (fd, peer) = nested();
        send_with(&caller, b"with", &fd, MsgFlags::empty()).unwrap();
        drop(fd);
        promptly(|| {
            assert_eq!(ours.read(&mut bytes), Err(Errno::BADMSG));
            drop(ours);
        });
        drop(peer);
        let (caller, ours) = UnixStream::pair().unwrap();
        drop(caller);
        assert_eq!(Caller::new(ours.into()).read(&mut bytes), Ok(0));
    }

    /// Nor does it with a byte out of band, which others let pass when they look.
    #[test]
    fn what_comes_out_of_band_holds_up_nobody() {
        for (plain, is_read) in [("", true), ("plain", true), ("", false), ("plain", false)] {
            let (caller, ours) = UnixStream::pair().unwrap();
            (&caller).write_all(plain.as_bytes()).unwrap();
            let (fd, peer) = nested();
            match send_with(&caller, b"x", &fd, MsgFlags::MSG_OOB) {
                // There is no such thing in older kernels.
                Err(nix::errno::Errno::EOPNOTSUPP) => return,
                sent => assert_eq!(sent, Ok(1)),
            }
            drop(fd);
            promptly(|| {
                let ours = Caller::new(ours.into());
                let mut bytes = [0; 64];
                let mut read = || ours.read(&mut bytes);
                if is_read {
                    let first = read();
                    let is_plain = !plain.is_empty() && first == Ok(plain.len());
                    let brings = if is_plain { read() } else { first };
                    assert_eq!(brings, Err(Errno::BADMSG));
                }
                drop(ours);
            });
            drop(peer);
        }
    }

    /// Whoever closes a socket with something in it that lingers is not kept by it, and it is closed.
    #[test]
    fn what_lingers_does_not_keep_who_closes_it() {
        let (inner, peer) = lingering();
        let (mut one, other) = UnixStream::pair().unwrap();
        send_with(&one, b"x", &inner, MsgFlags::empty()).unwrap();
        drop(inner);
        promptly(|| close_here(other.into()));
        one.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let end = std::io::Read::read(&mut one, &mut [0; 1]);
        let is_reset = |e: &std::io::Error| e.kind() == std::io::ErrorKind::ConnectionReset;
        assert!(
            end.as_ref().is_ok_and(|n| *n == 0) || end.as_ref().is_err_and(is_reset),
            "{end:?}"
        );
        drop(peer);
    }

    /// What services leave keeps away nobody who asks.
    #[test]
    fn only_callers_keep_away_callers() {
        let one = OwnedFd::from(UnixStream::pair().unwrap().0);
        let some = |is_of| (0..FULL).map(move |_| is_of);
        let full_of = |is_of: bool| Doomed {
            waiting: some(is_of)
                .map(|is_of| (one.try_clone().unwrap(), is_of))
                .collect(),
            threads: 0,
        };
        assert!(!full_of(false).is_full_of_callers());
        assert!(full_of(true).is_full_of_callers());
    }

    /// The last one that is kept is closed by somebody else.
    #[test]
    fn what_was_kept_is_closed_elsewhere() {
        let (fd, peer) = nested();
        let kept = Foreign::new(fd);
        let again = kept.clone();
        assert!(kept.is(&again));
        promptly(|| drop((kept, again)));
        drop(peer);
        let (fd, other) = UnixStream::pair().unwrap();
        drop(Foreign::new(fd.into()));
        assert_eq!(std::io::Read::read(&mut &other, &mut [0; 1]).unwrap(), 0);
    }
}

//! The signal thread: signals sent to the daemon become requests.
//!
//! TERM and INT: stop the services in order and end. QUIT: end and leave the services running; as the
//! first process of a container, like TERM. HUP:
//! told to be of no effect in this version, instead of ending the daemon as it would by default.

use super::clock;
use super::inbox::Inbox;
use super::orders::Work;
use crate::core::fact::{Asker, Fact, Request, Ticket};
use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use std::io;
use std::os::unix::net::UnixStream;

/// Ticket of every request by signal: nobody waits for the answer.
pub const TICKET: Ticket = Ticket(0);

/// The one thing that the thread can be told: show that you still take orders.
pub struct RollCall;

/// The signals that are caught, on their way to the thread.
pub struct Caught(SignalDelivery<UnixStream, SignalOnly>);

/// The signals that are caught from now on.
///
/// # Errors
/// When a handler cannot be set.
pub fn caught() -> io::Result<Caught> {
    let (read, write) = UnixStream::pair()?;
    let signals = [SIGTERM, SIGINT, SIGQUIT, SIGHUP];
    SignalDelivery::with_pipe(read, write, SignalOnly, signals).map(Caught)
}

/// Turns signals into requests until the process ends.
///
/// # Errors
/// When the kernel does not let it wait for them.
pub fn run(Caught(mut caught): Caught, work: &Work<RollCall>, inbox: &Inbox) -> io::Result<()> {
    loop {
        let mut waits = vec![PollFd::new(caught.get_read(), PollFlags::IN)];
        let bell = work.bell();
        waits.extend(bell.iter().map(|bell| PollFd::new(bell, PollFlags::IN)));
        match poll(&mut waits, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        drop(waits);
        work.silence();
        while let Some(RollCall) = work.take() {
            work.finish(clock::now());
        }
        for signal in caught.pending() {
            pass_on(signal, inbox);
        }
    }
}

fn pass_on(signal: i32, inbox: &Inbox) {
    let request = match signal {
        SIGTERM | SIGINT => Request::Exit,
        // The kernel kills what is left of a container whose first process ends: there is nobody to
        // leave services to.
        SIGQUIT if std::process::id() == 1 => Request::Exit,
        SIGQUIT => Request::Leave,
        _ => {
            log::warn!(
                "SIGHUP: this version does not reload its configuration; \
                 `systemctl restart fieldwarden` does, and leaves the services running"
            );
            return;
        }
    };
    let by = Asker::Signal(u8::try_from(signal).unwrap_or(0));
    inbox.send(Fact::Asked {
        ticket: TICKET,
        by,
        request,
    });
}

//! The signal thread: signals sent to the daemon become requests.
//!
//! TERM and INT: stop the services in order and end. QUIT: end and leave the services running; as the
//! first process of a container, like TERM. HUP: reload.
//!
//! It is the only thread that takes them. What comes after it has ended waits in the kernel; what it
//! took too late for the core is kept for a successor in this process.

use super::clock;
use super::inbox::Inbox;
use super::luggage;
use super::orders::Work;
use super::process;
use crate::core::fact::{Asker, Fact, Request, Ticket};
use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

/// Ticket of every request by signal: nobody waits for the answer.
pub const TICKET: Ticket = Ticket(0);

/// What the thread can be told.
pub enum SignalOrder {
    /// Show that you still take orders.
    RollCall,
    /// Take no more signals, and end.
    Quit,
}

/// Signals that came too late for the core, a bit for each number.
static LATE: AtomicU32 = AtomicU32::new(0);

/// Keeps a signal for a successor in this process.
pub fn keep(signal: i32) {
    LATE.fetch_or(1u32.checked_shl(signal.unsigned_abs()).unwrap_or(0), SeqCst);
}

/// The signals that were kept.
pub fn kept() -> Vec<i32> {
    let late = LATE.swap(0, SeqCst);
    (1..32).filter(|number| late & (1 << number) != 0).collect()
}

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

/// Turns signals into requests until it is told to quit.
///
/// # Errors
/// When the kernel does not let it wait for them.
pub fn run(Caught(mut caught): Caught, work: &Work<SignalOrder>, inbox: &Inbox) -> io::Result<()> {
    process::take_signals();
    let mut goes_on = true;
    while goes_on {
        let mut waits = vec![PollFd::new(caught.get_read(), PollFlags::IN)];
        let bell = work.bell();
        waits.extend(bell.iter().map(|bell| PollFd::new(bell, PollFlags::IN)));
        match poll(&mut waits, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        drop(waits);
        work.silence();
        while let Some(order) = work.take() {
            match order {
                SignalOrder::RollCall => {}
                SignalOrder::Quit => {
                    // From here on they wait in the kernel.
                    process::leave_signals();
                    goes_on = false;
                }
            }
            work.finish(clock::now());
        }
        for signal in caught.pending() {
            pass_on(signal, inbox);
        }
    }
    Ok(())
}

fn pass_on(signal: i32, inbox: &Inbox) {
    if luggage::is_open() {
        return keep(signal);
    }
    let request = match signal {
        SIGTERM | SIGINT => Request::Exit,
        // The kernel kills what is left of a container whose first process ends: there is nobody to
        // leave services to.
        SIGQUIT if std::process::id() == 1 => Request::Exit,
        SIGQUIT => Request::Leave,
        _ => Request::Reload,
    };
    let by = Asker::Signal(u8::try_from(signal).unwrap_or(0));
    inbox.send(Fact::Asked {
        ticket: TICKET,
        by,
        request,
    });
}

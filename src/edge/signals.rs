//! The signal thread: signals sent to the daemon become requests.
//!
//! TERM and INT: stop the services in order and end. QUIT: end and leave the services running. HUP:
//! told to be of no effect in this version, instead of ending the daemon as it would by default.

use super::inbox::Inbox;
use crate::core::fact::{Asker, Fact, Request, Ticket};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;

/// Ticket of every request by signal: nobody waits for the answer.
pub const TICKET: Ticket = Ticket(0);

/// The signals that are caught from now on.
///
/// # Errors
/// When a handler cannot be set.
pub fn caught() -> io::Result<Signals> {
    Signals::new([SIGTERM, SIGINT, SIGQUIT, SIGHUP])
}

/// Turns signals into requests until the process ends.
pub fn run(mut signals: Signals, inbox: &Inbox) {
    for signal in signals.forever() {
        let request = match signal {
            SIGTERM | SIGINT => Request::Exit,
            SIGQUIT => Request::Leave,
            _ => {
                log::warn!(
                    "SIGHUP: this version does not reload its configuration; \
                     `systemctl restart fieldwarden` does, and leaves the services running"
                );
                continue;
            }
        };
        let by = Asker::Signal(u8::try_from(signal).unwrap_or(0));
        inbox.send(Fact::Asked {
            ticket: TICKET,
            by,
            request,
        });
    }
}

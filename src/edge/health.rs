//! The health endpoint: tells monitoring programs by HTTP how everything stands.
//!
//! ```text
//! client ── GET /readyz ──► head ──► server ──► inbox ──► core
//!        ◄── one answer ── pages ◄── server ◄── orders ◄──┘
//! ```
//!
//! Terms: a *door* is a socket at which clients knock; a *report* is how everything stood at one
//! moment, and what all pages are made of; a *page* is one of the things that can be asked for.
//!
//! Invariant: nothing that a client does, or leaves undone, takes more memory or time than the bounds
//! below. The core is asked at most once in [`FRESH`], however many ask us.
//! Nothing can be changed from here: there are only pages to be read.

mod connection;
mod doors;
mod head;
mod passed;
mod server;
mod token;

pub use passed::passed;

use super::inbox::Inbox;
use super::luggage;
use super::orders::Work;
use crate::config::{HealthPlan, Listen};
use crate::core::fact::Ticket;
use doors::{Doors, IN_LUGGAGE};
use std::fmt::Debug;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Reads whatever a client may have sent: only what is plainly a request for a page is answered.
#[cfg(any(test, fuzzing))]
pub(super) fn hostile(bytes: &[u8]) {
    use head::{Judged, Trust};
    let bytes = &bytes[..bytes.len().min(HEAD_MAX)];
    for trust in [Trust::Anybody, Trust::Local, Trust::Holders] {
        if let Judged::Asks { bare, .. } = head::judge(bytes, trust, None) {
            let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
            let first = text.trim_ascii_start();
            assert!(
                first.starts_with(if bare { "head /" } else { "get /" }),
                "{text}"
            );
            // What comes behind the head is not looked at: one request for each connection.
            let lines = first.lines().take_while(|line| !line.is_empty());
            let body = |line: &str| line.starts_with("transfer-encoding:");
            assert!(!lines.into_iter().any(body), "{text}");
            assert_ne!(trust, Trust::Holders, "there is no token: {text}");
        }
    }
}

/// The ticket of what this thread asks the core. Those of the control socket count up from 1, and do
/// not get this far.
pub const TICKET: Ticket = Ticket(u64::MAX);

/// Connections at a time. Monitoring has one or two; each may hold a page of a thousand services (some
/// 500 KiB), so more would cost memory that a small board does not have.
pub const CONNECTIONS_MAX: usize = 8;

/// Longest head of a request in bytes. Browsers and proxies send less than half of it.
pub const HEAD_MAX: usize = 4096;

/// Time for a client to send its request, from the moment it is let in.
pub const ASK_WITHIN: Duration = Duration::from_secs(5);

/// Time for the core to answer. It needs milliseconds; after this it hangs, and that is what a client
/// is told.
pub const CORE_WITHIN: Duration = Duration::from_secs(2);

/// Time for a client to take its answer.
pub const TAKE_WITHIN: Duration = Duration::from_secs(10);

/// Time for a client to close, after it was told everything: what it sends meanwhile is thrown away,
/// so that its answer is not.
pub const LEAVE_WITHIN: Duration = Duration::from_secs(1);

/// A report is good for everybody who asks in this time.
pub const FRESH: Duration = Duration::from_millis(250);

/// Orders that may wait: one report is under way at a time, and there is one end.
pub const ROOM: usize = 4;

/// What can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Page {
    /// Whether the core's loop turns.
    Livez,
    /// Whether what is essential is up.
    Readyz,
    /// Whether anything is critical.
    Healthz,
    /// The whole report, in JSON.
    Status,
    /// The same in numbers, for Prometheus.
    Metrics,
}

impl Page {
    /// All of them, with the paths under which they are found.
    pub const ALL: [(&'static str, Page); 5] = [
        ("/livez", Page::Livez),
        ("/readyz", Page::Readyz),
        ("/healthz", Page::Healthz),
        ("/status.json", Page::Status),
        ("/metrics", Page::Metrics),
    ];
}

/// A page, and how it is to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Which.
    pub page: Page,
    /// With a line for each verdict (`?verbose`).
    pub verbose: bool,
    /// In the form of OpenMetrics; else in that of Prometheus, which is older.
    pub open_metrics: bool,
}

/// A page as it is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sheet {
    /// Things are as the page asks for: 200, else 503.
    pub good: bool,
    /// Its `Content-Type`.
    pub kind: &'static str,
    /// Its text.
    pub text: String,
}

/// How everything stood at one moment.
pub trait Report: Debug + Send {
    /// Writes a page.
    fn sheet(&self, wanted: Wanted) -> Sheet;
}

/// What the health thread is asked to do.
#[derive(Debug)]
pub enum HealthOrder {
    /// Tell whoever waits for it.
    Report(Box<dyn Report>),
    /// End, and take the doors away or leave them to a successor in this process.
    Quit,
}

/// What the health thread works with.
pub struct Health {
    /// Where it listens, and for whom.
    pub plan: HealthPlan,
    /// The sockets that init has passed.
    pub passed: Vec<OwnedFd>,
    /// Where questions go.
    pub inbox: Inbox,
    /// Where reports come from; made by [`with_bell`](super::orders::with_bell) with [`ROOM`].
    pub work: Work<HealthOrder>,
}

impl Health {
    /// Serves until it is told to end. A door that cannot be opened is tried again; that one is shut is
    /// told to the core.
    ///
    /// # Errors
    /// When `work` has no bell, or the kernel cannot wait.
    pub fn run(self) -> io::Result<()> {
        let doors = Doors::new(&self.plan, self.passed);
        server::Server::new(doors, self.inbox, self.work).serve()
    }
}

/// Shuts the doors that a predecessor in this process has left: there is no endpoint any more.
pub fn shut_what_was_left() {
    luggage::discard(&[IN_LUGGAGE]);
}

/// What messages and the luggage call it.
fn name(listen: &Listen) -> String {
    match listen {
        Listen::Inet(address) => address.to_string(),
        Listen::Unix(path) => format!("unix:{}", path.display()),
        Listen::Systemd => "systemd".to_owned(),
    }
}

//! The control socket: takes requests of operators to the core and answers back to them.
//!
//! ```text
//! client ── one JSON line ──► request ──► inbox ──► core
//!        ◄─ one JSON line ─── answer  ◄── orders ◄──┘
//!        ◄─ many JSON lines ─ ring    ◄── recorder
//! ```
//!
//! Terms: a *client* is one connection and asks one thing; an *answer* is one line that says
//! `"ok"`; a *follower* is a client that gets events as they come. The forms are laid down in
//! `docs/control.md`.
//!
//! Invariant: nothing that a client does, or leaves undone, takes more memory or time than the
//! bounds below, and no client waits for another one.
//! Never decides anything; it only keeps out those who may not ask.

mod answer;
mod client;
mod door;
#[cfg(any(test, fuzzing))]
mod hostile;
mod request;
mod ring;
mod running;
mod server;

pub use answer::{Answer, Code};
pub use door::{Door, DoorError, is_served, listen_unix, looking_group};
pub use ring::EventRing;
pub use running::{InForce, Running, TakenUp, take as take_running};

#[cfg(any(test, fuzzing))]
pub(crate) use hostile::hostile;

use super::inbox::Inbox;
use super::orders::Work;
use crate::core::action;
use crate::core::fact::{OrderId, Ticket};
use crate::core::settings::Settings;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Version of the forms. A request of another version is refused, because half understood is worse.
pub const VERSION: u32 = 1;

/// Name of the socket in the runtime directory.
pub const SOCKET: &str = "control.sock";

/// Name of the file in the runtime directory that a daemon holds locked while it lives.
pub const LOCK: &str = "lock";

/// Group whose members may ask how things stand.
pub const GROUP: &str = "fieldwarden";

/// Clients at a time. Far more than people and scripts need; each may hold the status of a thousand
/// services (about 300 KiB), so more would cost memory that a small board does not have.
pub const CLIENTS_MAX: usize = 32;

/// Clients of these that may follow events. The rest remains for questions, which end by
/// themselves.
pub const FOLLOWERS_MAX: usize = 16;

/// Longest request in bytes, with its line feed. The longest one that makes sense has about 150.
pub const REQUEST_MAX: usize = 4096;

/// Time for a client to send its request, from the moment it connects.
pub const ASK_WITHIN: Duration = Duration::from_secs(5);

/// Time for the core to answer. It needs microseconds; after this it hangs, and the hardware
/// watchdog is about to act.
pub const CORE_WITHIN: Duration = Duration::from_secs(5);

/// Time for the core to answer whether it reloads: the program that is to come checks the
/// configuration first, and starts come to their end.
pub const RELOAD_WITHIN: Duration = Duration::from_secs(60);

/// Time for a client to take its answer.
pub const TAKE_WITHIN: Duration = Duration::from_secs(10);

/// What the control thread is asked to do.
#[derive(Debug)]
pub enum ControlOrder {
    /// Pass on what the core answered. The number of the order is for whoever reports its outcome.
    Reply {
        /// Number of the order.
        order: OrderId,
        /// Which request is answered; one that nobody waits for any more is forgotten.
        ticket: Ticket,
        /// What to tell.
        reply: Reply,
    },
    /// Show that orders are still taken.
    RollCall {
        /// Number of the order.
        order: OrderId,
    },
    /// Remove the socket and end.
    Close,
}

/// What the core answered, as the control thread passes it on.
#[derive(Debug)]
pub enum Reply {
    /// The status report as one line of JSON: an object without a line feed.
    Status(String),
    /// Anything else.
    Told(action::Answer),
}

/// What the control thread works with.
pub struct Control {
    /// The socket.
    pub door: Door,
    /// Names of services.
    pub settings: Arc<Settings>,
    /// Where requests go.
    pub inbox: Inbox,
    /// Where answers come from; made by [`with_bell`](super::orders::with_bell). A capacity of
    /// [`CLIENTS_MAX`] holds one for every request that can be under way.
    pub work: Work<ControlOrder>,
    /// Latest events.
    pub events: Arc<EventRing>,
    /// Users who may act beside root and the daemon's own, by name or number.
    pub operators: Vec<String>,
    /// The configuration that the daemon has taken up; `None` where it could not be kept.
    pub running: Option<Running>,
}

impl Control {
    /// What serves, in a thread of its own that ends with [`ControlOrder::Close`].
    ///
    /// Its tickets begin with 1; `Ticket(0)` is free for requests that nobody waits for.
    ///
    /// # Errors
    /// When the kernel gives no epoll, or when `work` has no bell.
    pub fn server(self) -> io::Result<impl FnOnce() + Send + 'static> {
        let server = server::Server::new(self)?;
        Ok(move || server.serve())
    }
}

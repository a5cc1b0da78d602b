//! The network: is there a way out of this machine?
//!
//! Terms: the network is *up* while there is a default route over a link that is up. Whether anybody
//! answers at the other end is not known here.
//!
//! Looked at only where a service needs it, and never a reason for a verdict: a dead network is not ill
//! health, and nothing on this machine gets better by being stopped for it, unless its owner says so.

use super::fact::{Fact, Pulse, Reading, Source, Thread};
use super::note::{GuardNote, Note};
use super::sense::Last;
use super::{Pass, Policy};
use crate::units::Mono;

/// State of the policy.
#[derive(Default)]
pub(crate) struct Network {
    up: Last<bool>,
    /// What was told last.
    told: Option<bool>,
}

impl Network {
    /// Whether it is up; `None` where nobody looks, and while it cannot be told.
    pub fn up(&self) -> Option<bool> {
        self.up.value()
    }

    fn see(&mut self, up: bool, pass: &mut Pass) {
        self.up.see(up, Source::Network, pass);
        // That it is there from the beginning is no news.
        match (self.told.replace(up), up) {
            (Some(false), true) => pass.out.note(Note::Guard(GuardNote::NetworkUp)),
            (Some(true) | None, false) => pass.out.note(Note::Guard(GuardNote::NetworkDown)),
            (Some(true) | None, true) | (Some(false), false) => {}
        }
    }
}

impl Policy for Network {
    fn step(&mut self, pass: &mut Pass) {
        match pass.fact {
            Fact::Seen(Reading::Network { up }) => self.see(*up, pass),
            Fact::Lost {
                source: Source::Network,
                why,
            } => self.up.lose(Source::Network, why, pass),
            Fact::Thread {
                thread: Thread::Vitals,
                pulse: Pulse::Late { .. },
            } => self.up.distrust(),
            Fact::Tick | Fact::Seen(_) | Fact::Lost { .. } | Fact::Thread { .. } => return,
            Fact::Child { .. } | Fact::Kept { .. } | Fact::Asked { .. } | Fact::Done { .. } => {
                return;
            }
        }
        pass.picture.network = self.up.value();
    }

    fn deadline(&self) -> Option<Mono> {
        None
    }
}

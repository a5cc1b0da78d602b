//! The network: is there a way out of this machine, and what of it is broken?
//!
//! Terms: the network is *up* while there is a default route over a link that is up. Whether anybody
//! answers at the other end is told by the *steps* of the way out, where its owner has named some.
//!
//! Looked at only where a service or the owner needs it, and never a reason for a verdict on the
//! machine as a whole: a dead network is not ill health, and nothing on this machine gets better by
//! being stopped for it, unless its owner says so. What expires is ill health: it can be renewed.

mod expiry;
mod repair;
mod uplink;

use super::fact::{ExpiryId, Fact, Fault, Pulse, Reading, Source, Thread};
use super::note::{GuardNote, Note};
use super::sense::Last;
use super::settings::Settings;
use super::{Pass, Policy};
use crate::units::{Mono, Wall};
use expiry::Expiry;
pub use expiry::ExpiryView;
pub use repair::RungView;
pub use uplink::UplinkView;
use uplink::Watch;

/// State of the policy.
#[derive(Default)]
pub(crate) struct Network {
    up: Last<bool>,
    /// What was told last.
    told: Option<bool>,
    watch: Watch,
    expiries: Vec<Expiry>,
}

impl Network {
    pub fn new(settings: &Settings) -> Network {
        let expiries = settings.expiries.iter().map(|_| Expiry::default());
        Network {
            expiries: expiries.collect(),
            watch: Watch::new(settings.network.as_ref().map_or(0, |n| n.rungs.len())),
            ..Network::default()
        }
    }

    /// Whether it is up; `None` where nobody looks, and while it cannot be told.
    pub fn up(&self) -> Option<bool> {
        self.up.value()
    }

    /// How the steps of the way out stand.
    pub fn uplink(&self) -> UplinkView {
        self.watch.view()
    }

    /// How the rungs of repair stand.
    pub fn rungs(&self, settings: &Settings, now: Mono) -> Vec<RungView> {
        self.watch.rungs(settings, now)
    }

    /// How everything stands that expires.
    pub fn expiries(&self) -> impl Iterator<Item = ExpiryView> + '_ {
        let all = (0u16..).zip(&self.expiries);
        all.map(|(at, expiry)| expiry.view(ExpiryId(at)))
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

    fn see_expiry(&mut self, id: ExpiryId, ends: Result<Wall, &Fault>, pass: &mut Pass) {
        match (self.expiries.get_mut(usize::from(id.0)), ends) {
            (Some(known), Ok(ends)) => known.see(id, ends, pass),
            (Some(known), Err(why)) => known.lose(id, why, pass),
            (None, _) => {}
        }
    }

    /// What expires is judged by the time that it is now, if somebody vouches for that.
    fn judge_expiries(&mut self, pass: &mut Pass) {
        let trusted = pass.picture.time == Some(true);
        let Some(shown) = pass.picture.shown.filter(|_| trusted) else {
            return;
        };
        let now = shown.time.later(pass.now.since(shown.at));
        let settings = &pass.settings.expiries;
        for (at, (expiry, settings)) in (0u16..).zip(self.expiries.iter_mut().zip(settings)) {
            expiry.judge(ExpiryId(at), settings, now, pass);
        }
    }

    /// A thread is stuck: what it saw no longer stands.
    fn distrust(&mut self, thread: Thread) {
        // When something expires does not change by itself.
        if thread == Thread::Vitals {
            self.up.distrust();
        } else if thread == Thread::Uplink {
            self.watch.distrust();
        }
    }
}

impl Policy for Network {
    fn step(&mut self, pass: &mut Pass) {
        if let Some(repair) = pass.picture.repair.take() {
            self.watch.undone(repair);
        }
        match pass.fact {
            Fact::Seen(Reading::Network { up }) => self.see(*up, pass),
            Fact::Lost {
                source: Source::Network,
                why,
            } => self.up.lose(Source::Network, why, pass),
            Fact::Seen(Reading::Uplink(uplink)) => self.watch.see(uplink, pass),
            Fact::Lost {
                source: Source::Uplink,
                why,
            } => self.watch.lose(why, pass),
            Fact::Seen(Reading::Expiry { expiry, ends }) => {
                self.see_expiry(*expiry, Ok(*ends), pass);
            }
            Fact::Lost {
                source: Source::Expiry(expiry),
                why,
            } => self.see_expiry(*expiry, Err(why), pass),
            // Time has gone on.
            Fact::Seen(Reading::Clock { .. }) | Fact::Tick => {}
            Fact::Thread {
                thread,
                pulse: Pulse::Late { .. },
            } => self.distrust(*thread),
            Fact::Seen(_) | Fact::Lost { .. } | Fact::Thread { .. } => return,
            Fact::Child { .. } | Fact::Kept { .. } | Fact::Asked { .. } | Fact::Done { .. } => {
                return;
            }
        }
        if !self.expiries.is_empty() {
            self.judge_expiries(pass);
            let verdicts = self.expiries.iter().map(Expiry::verdict);
            pass.picture.expiry = verdicts.max();
        }
        pass.picture.network = self.up.value();
    }

    fn deadline(&self) -> Option<Mono> {
        None
    }
}

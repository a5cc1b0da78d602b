//! What is seen of the network, from inside outwards.

use std::time::Duration;

/// Index of what expires in [`Settings::expiries`](super::super::settings::Settings).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct ExpiryId(pub u16);

/// A step of the way out. Each is of use only with those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Step {
    /// One of the links is up.
    Link,
    /// One of them has an address that is good beyond it.
    Address,
    /// A default route leads over one of them.
    Route,
    /// The next machine on that route answers on its link. Nobody is asked: the kernel knows it.
    Gateway,
    /// A name is looked up by the machine's own resolver.
    Name,
    /// The VPN's interface is up, and its latest handshake is not too old.
    Vpn,
    /// Somebody in the VPN answers through it.
    Peer,
    /// An SSH server greets, at an address of the VPN or beyond it.
    Ssh,
}

impl Step {
    /// How many there are.
    pub const COUNT: usize = 8;

    /// All of them, from inside outwards.
    pub const ALL: [Step; Step::COUNT] = [
        Step::Link,
        Step::Address,
        Step::Route,
        Step::Gateway,
        Step::Name,
        Step::Vpn,
        Step::Peer,
        Step::Ssh,
    ];
}

/// What came of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// It is as it should be.
    Well,
    /// What it is about is not there: no such link, no address, no route.
    Missing,
    /// It is there, and down.
    Down,
    /// Nobody answered in time.
    Silent,
    /// Somebody answered, and said no.
    Refused,
    /// Somebody else answered.
    Wrong,
    /// It could not be looked at.
    Unsure,
}

impl Found {
    /// All of them.
    pub const ALL: [Found; 7] = [
        Found::Well,
        Found::Missing,
        Found::Down,
        Found::Silent,
        Found::Refused,
        Found::Wrong,
        Found::Unsure,
    ];
}

/// One look at all steps that somebody cares about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Uplink {
    /// By [`Step::ALL`]; `None`: nobody cares, or an earlier step is broken and it was left out.
    pub steps: [Option<Found>; Step::COUNT],
    /// Time since the VPN's latest handshake, where it tells.
    pub handshake: Option<Duration>,
    /// The SSH server that was asked is beyond this machine.
    pub beyond: bool,
}

impl Uplink {
    /// What was seen, from inside outwards.
    pub fn found(&self) -> impl Iterator<Item = (Step, Found)> {
        let all = Step::ALL.into_iter().zip(self.steps);
        all.filter_map(|(step, found)| Some((step, found?)))
    }

    /// Whether somebody beyond this machine has answered, the peer or an SSH server there; `None` if
    /// nobody was asked, or it cannot be told.
    pub fn answered(&self) -> Option<bool> {
        let beyond = |step| step == Step::Peer || step == Step::Ssh && self.beyond;
        let asked = self.found().filter(|(step, _)| beyond(*step));
        let told = asked.filter(|(_, found)| *found != Found::Unsure);
        told.map(|(_, found)| found == Found::Well).max()
    }

    /// Puts in what came of a step.
    pub fn put(&mut self, step: Step, found: Found) {
        for (known, place) in Step::ALL.into_iter().zip(&mut self.steps) {
            if known == step {
                *place = Some(found);
            }
        }
    }
}

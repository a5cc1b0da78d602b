//! What is thought of the way out, and what is done about it.

use crate::core::fact::{Found, ServiceId, Step, Uplink};
use std::time::Duration;

/// How the way out is judged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Network {
    /// So many looks in a row must find it broken before that is told. 1 to 100.
    pub failures: u32,
    /// The latest handshake of the VPN may be so old. 3 min to 24 h.
    pub handshake: Duration,
    /// What is done while it is broken, in this order.
    pub rungs: Vec<Rung>,
}

/// One thing that is done while the way out is broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rung {
    /// Its name.
    pub name: Box<str>,
    /// What is done.
    pub remedy: Remedy,
    /// The steps that it is of use for; none for all of them.
    pub steps: Vec<Step>,
    /// Time that it is given before anything else is done. 10 s to 1 h.
    pub settle: Duration,
    /// How often it is done within `window`. 1 to 20.
    pub most: u32,
    /// The window of `most`. 10 min to 7 d.
    pub window: Duration,
}

impl Rung {
    /// It is of use while this step is the first that is broken.
    pub fn is_for(&self, step: Step) -> bool {
        self.steps.is_empty() || self.steps.contains(&step)
    }
}

/// What is done for the way out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remedy {
    /// This service is restarted, if it is to run.
    Restart(ServiceId),
    /// This service is started, and ends when it has done its work.
    Start(ServiceId),
    /// The machine is restarted, within the budget for that.
    Machine,
}

/// Something that is good until a day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expiry {
    /// Its name.
    pub name: Box<str>,
    /// From so long before its end on, somebody should look.
    pub warn: Duration,
    /// From so long before it on, it is urgent. Not longer than `warn`.
    pub critical: Duration,
}

/// What one look comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Judged {
    /// All steps are as they should be.
    Well,
    /// This one is the first that is not.
    Broken(Step, Found),
    /// It cannot be told: what was seen is well, and something was not seen.
    Unsure,
}

impl Network {
    /// What a look comes to: the first step that is broken counts, since those behind it can be no
    /// better.
    pub fn judge(&self, uplink: &Uplink) -> Judged {
        let old = uplink.handshake.is_some_and(|age| age > self.handshake);
        let mut judged = Judged::Unsure;
        let mut unsure = false;
        for (step, found) in uplink.found() {
            match found {
                Found::Well if step == Step::Vpn && old => {
                    return Judged::Broken(step, Found::Silent);
                }
                Found::Well => judged = Judged::Well,
                Found::Unsure => unsure = true,
                Found::Missing | Found::Down | Found::Silent | Found::Refused | Found::Wrong => {
                    return Judged::Broken(step, found);
                }
            }
        }
        if unsure { Judged::Unsure } else { judged }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Network = Network {
        failures: 3,
        handshake: Duration::from_secs(300),
        rungs: Vec::new(),
    };

    fn uplink(found: &[(Step, Found)], handshake: Option<u64>) -> Uplink {
        let mut uplink = Uplink {
            handshake: handshake.map(Duration::from_secs),
            ..Uplink::default()
        };
        for (step, found) in found {
            uplink.put(*step, *found);
        }
        uplink
    }

    /// The first that is broken is named, whatever comes behind it or before it.
    #[test]
    fn the_first_broken_step_counts() {
        use Found::{Missing, Refused, Silent, Unsure, Well};
        let judged = |found: &[_], handshake| S.judge(&uplink(found, handshake));
        assert_eq!(judged(&[], None), Judged::Unsure);
        assert_eq!(judged(&[(Step::Link, Well)], None), Judged::Well);
        let two = [
            (Step::Ssh, Refused),
            (Step::Name, Silent),
            (Step::Link, Well),
        ];
        assert_eq!(judged(&two, None), Judged::Broken(Step::Name, Silent));
        let behind = [(Step::Link, Unsure), (Step::Route, Missing)];
        assert_eq!(judged(&behind, None), Judged::Broken(Step::Route, Missing));
        let half = [
            (Step::Link, Well),
            (Step::Gateway, Unsure),
            (Step::Ssh, Well),
        ];
        assert_eq!(judged(&half, None), Judged::Unsure);
    }

    /// A VPN that is up and has not heard of its peer for long is broken.
    #[test]
    fn an_old_handshake_is_silence() {
        let up = [(Step::Vpn, Found::Well)];
        assert_eq!(S.judge(&uplink(&up, Some(300))), Judged::Well);
        let broken = Judged::Broken(Step::Vpn, Found::Silent);
        assert_eq!(S.judge(&uplink(&up, Some(301))), broken);
    }
}

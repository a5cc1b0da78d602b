//! What is thought of the way out, and what is done about it.

use crate::core::fact::{Found, ServiceId, Step, Uplink};
use std::time::Duration;

/// How the way out is judged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Network {
    /// Time between two looks while all is well. 10 s to 1 h.
    pub every: Duration,
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
    /// How often it is done; none for the machine, whose restarts have a budget of their own.
    pub budget: Option<Budget>,
}

/// How often something is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// So often within `window`. 1 to 20.
    pub most: u32,
    /// 10 min to 7 d.
    pub window: Duration,
}

impl Rung {
    /// It is of use while this step is the first that is broken. While the way out is `proven` to
    /// lead out all the same, only if it names that step: it may cut the only way that works.
    pub fn is_for(&self, step: Step, proven: bool) -> bool {
        match self.steps.is_empty() {
            true => !proven,
            false => self.steps.contains(&step),
        }
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
    /// better. What somebody beyond this machine has answered over is whole, whatever is thought of a
    /// part of it: a way may lead out without a default route, and past a gateway that is dead.
    pub fn judge(&self, uplink: &Uplink) -> Judged {
        let old = uplink.handshake.is_some_and(|age| age > self.handshake);
        let (answered, proven) = (uplink.answered() == Some(true), self.proves(uplink));
        let mut judged = Judged::Unsure;
        let mut unsure = false;
        for (step, found) in uplink.found() {
            let found = match found {
                Found::Well if step == Step::Vpn && old => Found::Silent,
                found => found,
            };
            let told_better = match step {
                Step::Route | Step::Gateway => proven,
                Step::Vpn => answered,
                Step::Link | Step::Address | Step::Name | Step::Peer | Step::Ssh => false,
            };
            match found {
                Found::Well => judged = Judged::Well,
                Found::Unsure => unsure |= !told_better,
                Found::Missing | Found::Down | Found::Silent | Found::Refused | Found::Wrong => {
                    if !told_better {
                        return Judged::Broken(step, found);
                    }
                }
            }
        }
        if unsure { Judged::Unsure } else { judged }
    }

    /// A way out of this machine leads out: somebody beyond it has answered; or, if nobody was asked,
    /// the VPN has heard of its peer of late.
    pub fn proves(&self, uplink: &Uplink) -> bool {
        let young = uplink.handshake.is_some_and(|age| age <= self.handshake);
        let up = uplink.found().any(|at| at == (Step::Vpn, Found::Well));
        uplink.answered().unwrap_or(young && up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Network = Network {
        every: Duration::from_secs(300),
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

    /// Whoever answers from beyond shows that the way is whole: without a default route, past a gateway
    /// that is dead, and through a VPN that tells nothing of its handshake, or of an old one.
    #[test]
    fn an_answer_from_beyond_settles_it() {
        use Found::{Missing, Silent, Unsure, Well};
        let judged = |found: &[_], handshake, beyond| {
            let mut uplink = uplink(found, handshake);
            uplink.beyond = beyond;
            (S.judge(&uplink), S.proves(&uplink))
        };
        for (step, found) in [
            (Step::Route, Missing),
            (Step::Gateway, Silent),
            (Step::Vpn, Unsure),
        ] {
            let bad = [(Step::Link, Well), (step, found)];
            let with = |more: &[(Step, Found)]| [&bad[..], more].concat();
            let alone = match found {
                Unsure => Judged::Unsure,
                found => Judged::Broken(step, found),
            };
            assert_eq!(judged(&bad, None, false), (alone, false));
            let (peer, ssh) = (with(&[(Step::Peer, Well)]), with(&[(Step::Ssh, Well)]));
            assert_eq!(judged(&peer, None, false), (Judged::Well, true));
            assert_eq!(judged(&ssh, None, true), (Judged::Well, true));
            // This machine greets itself, or nobody answers: that shows nothing.
            assert_eq!(judged(&ssh, None, false), (alone, false));
            let unsure = with(&[(Step::Peer, Unsure)]);
            let untold = match alone {
                Judged::Broken(..) => alone,
                Judged::Well | Judged::Unsure => Judged::Unsure,
            };
            assert_eq!(judged(&unsure, None, false), (untold, false));
        }
        let old = [(Step::Vpn, Well), (Step::Peer, Well)];
        assert_eq!(judged(&old, Some(301), false), (Judged::Well, true));
    }

    /// A young handshake does the same for route and gateway, as long as nobody who is asked is silent.
    #[test]
    fn a_young_handshake_settles_the_way_to_it() {
        use Found::{Missing, Silent, Well};
        let route = [(Step::Route, Missing), (Step::Vpn, Well)];
        assert_eq!(S.judge(&uplink(&route, Some(300))), Judged::Well);
        let broken = Judged::Broken(Step::Route, Missing);
        assert_eq!(S.judge(&uplink(&route, Some(301))), broken);
        assert_eq!(S.judge(&uplink(&route, None)), broken);
        let silent = [route[0], route[1], (Step::Peer, Silent)];
        assert_eq!(S.judge(&uplink(&silent, Some(9))), broken);
    }

    /// A rung that names no step is for all of them, but for a way that leads out.
    #[test]
    fn rungs_and_their_steps() {
        let rung = |steps: &[Step]| Rung {
            name: "x".into(),
            remedy: Remedy::Machine,
            steps: steps.to_vec(),
            settle: Duration::ZERO,
            budget: None,
        };
        for (steps, proven, climbed) in [
            (&[][..], false, true),
            (&[], true, false),
            (&[Step::Name], false, true),
            (&[Step::Name], true, true),
            (&[Step::Vpn], false, false),
            (&[Step::Vpn], true, false),
        ] {
            assert_eq!(rung(steps).is_for(Step::Name, proven), climbed, "{steps:?}");
        }
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

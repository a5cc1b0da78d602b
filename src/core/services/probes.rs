//! Probes: when each service is to be probed next; and what the network means for services.
//!
//! A service is probed only while everything is kept as everybody wishes, and it is not to be stopped
//! itself. Costs nothing where there are no probes, and no look at any service that has none.

use super::{Course, Services};
use crate::core::Pass;
use crate::core::action::Answer;
use crate::core::fact::{ProbeKind, Request, ServiceId};
use crate::core::note::{NetworkNote, Note};
use crate::core::picture::Repair;
use crate::core::service::{Service, Wish};
use crate::core::settings::{Remedy, Service as Settings, Settings as All};
use crate::sorted::{Map, Set};
use crate::units::Mono;

/// When services are to be probed.
pub(super) struct Probes {
    timers: Set<(Mono, ServiceId)>,
    registered: Map<ServiceId, Mono>,
    /// Services with a probe that depends on the network.
    networked: Vec<ServiceId>,
    /// The network is gone, as far as it was known last.
    cut_off: bool,
}

impl Probes {
    pub fn of(settings: &[Settings]) -> Probes {
        let ids = (0u16..).map(ServiceId).zip(settings);
        let networked = ids.filter(|(_, s)| is_networked(s)).map(|(id, _)| id);
        Probes {
            timers: Set::new(),
            registered: Map::new(),
            networked: networked.collect(),
            cut_off: false,
        }
    }

    /// When the next one is due.
    pub fn due(&self) -> Option<Mono> {
        self.timers.first().map(|(due, _)| *due)
    }

    fn register(&mut self, id: ServiceId, due: Option<Mono>) {
        let before = match due {
            Some(due) => self.registered.insert(id, due),
            None => self.registered.remove(&id),
        };
        if before != due {
            if let Some(before) = before {
                self.timers.remove(&(before, id));
            }
            if let Some(due) = due {
                self.timers.insert((due, id));
            }
        }
    }
}

fn is_networked(s: &Settings) -> bool {
    let probes = s.probes.as_ref();
    let networked = |kind| probes.and_then(|p| p.get(kind)).is_some_and(|p| p.network);
    ProbeKind::ALL.into_iter().any(networked)
}

/// A service, which rests as a job does if it is started for the way out.
pub(super) fn made(id: ServiceId, s: &Settings, settings: &All) -> Service {
    let mut service = Service::of(id, s);
    let mut rungs = settings.network.iter().flat_map(|network| &network.rungs);
    service.job |= rungs.any(|rung| rung.remedy == Remedy::Start(id));
    service
}

impl Services {
    /// Brings the timer of a service up to date.
    pub(super) fn time_probes(&mut self, id: ServiceId) {
        let service = &self.services[usize::from(id.0)];
        let probed = self.course == Course::Kept && !service.must_stop();
        let due = probed.then(|| service.probe_due()).flatten();
        self.probes.register(id, due);
    }

    /// What the network means for services: what is to be done for it, and which probes are of use.
    pub(super) fn look_at_network(&mut self, pass: &mut Pass) {
        self.repair(pass);
        self.cut_off_probes(pass);
    }

    /// Does what a repair of the way out asks for, if that makes any difference.
    fn repair(&mut self, pass: &mut Pass) {
        let Some(Repair {
            rung, step, remedy, ..
        }) = pass.picture.repair
        else {
            return;
        };
        let done = match remedy {
            Remedy::Restart(id) => self.restart_for_repair(id),
            Remedy::Start(id) if self.hangs(id) => self.restart_for_repair(id),
            // As if somebody had asked for it.
            Remedy::Start(id) => self.request(&Request::Start(id), pass) == Some(Answer::Accepted),
            Remedy::Machine => return,
        };
        if done {
            pass.picture.repair = None;
            let note = NetworkNote::Repairing { rung, step };
            pass.out.note(Note::Network(note));
        }
    }

    /// One that does its work for the way out is at it still, though it had its time. A job has a time
    /// of its own.
    fn hangs(&self, id: ServiceId) -> bool {
        let service = self.services.get(usize::from(id.0));
        service.is_some_and(Service::alive) && !self.jobs.has(id)
    }

    /// Returns whether that makes a difference. A service that its owner has stopped stays so, be it
    /// this one or one that it wants or requires.
    fn restart_for_repair(&mut self, id: ServiceId) -> bool {
        let service = self.services.get_mut(usize::from(id.0));
        let Some(service) = service.filter(|service| service.wish == Wish::Run) else {
            return false;
        };
        let before = service.course();
        if self.course == Course::Kept {
            service.want_restart();
        }
        let moved = service.course() != before;
        if moved {
            self.groups.forgive(id);
            self.touch(id);
            self.moved.push_back(id);
        }
        moved
    }

    /// What depends on a network that is gone is not probed, and not judged by that, until the network
    /// is known to be there again: that it can no longer be told does not bring it back.
    fn cut_off_probes(&mut self, pass: &mut Pass) {
        let cut_off = !pass.picture.network.unwrap_or(!self.probes.cut_off);
        if self.probes.cut_off == cut_off {
            return;
        }
        self.probes.cut_off = cut_off;
        for id in self.probes.networked.clone() {
            let at = usize::from(id.0);
            self.services[at].cut_off(cut_off, pass.now);
            self.touch(id);
        }
    }

    /// Has the probes made that are due.
    pub(super) fn probe(&mut self, pass: &mut Pass) {
        if !self.begun {
            return;
        }
        while let Some(&(due, id)) = self.probes.timers.first() {
            if due > pass.now {
                return;
            }
            let at = usize::from(id.0);
            self.services[at].probe(pass.now, pass.out);
            self.touch(id);
        }
    }
}

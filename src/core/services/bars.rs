//! What a service cannot run without: other services, and what the machine must have.
//!
//! Terms: a service is *barred* while one that it requires is not up, or while a need of it is not met.
//! One that is barred keeps its wish: it is started when that is over, and that is no restart of its
//! own. A need is *met*, *not met*, or nobody can tell: that neither lets a service start nor stops one
//! that runs.

use super::Services;
use crate::core::Pass;
use crate::core::fact::{Obstacle, ServiceId};
use crate::core::note::Note;
use crate::core::picture::Picture;
use crate::core::service::{Bar, Wish};
use crate::core::settings::{Need, Service as Settings, Settings as All};
use crate::units::Mono;
use std::time::Duration;

/// How long a need must not have been met before a service is stopped for that. Shorter: what comes and
/// goes makes services come and go; longer: they run on without it.
pub(super) const GONE_FOR: Duration = Duration::from_secs(10);

/// How the needs stand.
pub(super) struct Needs {
    /// Services that have any.
    services: Vec<ServiceId>,
    met: [Option<bool>; Need::ALL.len()],
    /// Since when each is known not to be met.
    gone: [Option<Mono>; Need::ALL.len()],
    /// When one of them will have been so for long enough.
    due: Option<Mono>,
}

impl Needs {
    pub fn of(settings: &[Settings]) -> Needs {
        let ids = (0u16..).map(ServiceId).zip(settings);
        Needs {
            services: ids
                .filter(|(_, s)| !s.needs.is_empty())
                .map(|(id, _)| id)
                .collect(),
            met: Default::default(),
            gone: Default::default(),
            due: None,
        }
    }

    pub fn due(&self) -> Option<Mono> {
        self.due
    }

    /// Takes in how they are. Returns whether that can make a difference.
    fn look(&mut self, picture: &Picture, now: Mono) -> bool {
        if self.services.is_empty() {
            return false;
        }
        let met = Need::ALL.map(|need| picture.met(need));
        let mut changed = met != self.met;
        self.met = met;
        for (gone, met) in self.gone.iter_mut().zip(met) {
            *gone = (met == Some(false)).then(|| gone.unwrap_or(now));
        }
        if self.due.is_some_and(|due| due <= now) {
            changed = true;
        }
        let until = self
            .gone
            .iter()
            .flatten()
            .map(|since| since.after(GONE_FOR));
        self.due = until.filter(|due| *due > now).min();
        changed
    }

    fn is_met(&self, need: Need) -> bool {
        self.met[need as usize] == Some(true)
    }

    fn is_gone(&self, need: Need, now: Mono) -> bool {
        self.gone[need as usize].is_some_and(|since| since.after(GONE_FOR) <= now)
    }

    /// The first of its needs that keeps a service from running.
    fn lacking(&self, s: &Settings, alive: bool, now: Mono) -> Option<Need> {
        let lacks = |need: &&Need| match alive {
            true => s.stop_without.contains(need) && self.is_gone(**need, now),
            false => !self.is_met(**need),
        };
        s.needs.iter().find(lacks).copied()
    }
}

impl Services {
    /// Looks at the needs; services that have any are looked at if something has changed.
    pub(super) fn look_at_needs(&mut self, pass: &mut Pass) {
        if !self.needs.look(pass.picture, pass.now) || !self.begun {
            return;
        }
        // First all, then one after another: none may move before its neighbours know.
        for id in self.needs.services.clone() {
            self.bar(id, pass);
            self.moved.push_back(id);
        }
    }

    /// Finds out whether a service is barred. Does not stop it.
    pub(super) fn bar(&mut self, id: ServiceId, pass: &mut Pass) {
        let at = usize::from(id.0);
        let s = &pass.settings.services[at];
        let job = s.job.is_some();
        let kept = s.keeper.is_some();
        if s.requires.is_empty() && s.needs.is_empty() && !self.has_group(id) && !job && !kept {
            return;
        }
        let before = self.services[at].bar;
        let alive = self.services[at].alive();
        // One that is to stop for want of something does not wait for its turn in a group that is taken
        // down.
        let lacks = alive.then(|| self.needs.lacking(s, alive, pass.now));
        let bar = (lacks.flatten().map(Bar::Need))
            .or_else(|| self.services[at].keeper_bar())
            .or_else(|| self.barred_by_group(id, pass.settings))
            .or_else(|| self.barred(s, alive, pass.now));
        // A job that rests lacks nothing, and one that runs is let run.
        let bar = match (job, alive) {
            (true, false) if !self.services[at].called_for() => None,
            (true, false) => bar.or_else(|| self.barred_as_job(id, s, &pass.settings.services)),
            (true, true) | (false, _) => bar,
        };
        if bar == before {
            return;
        }
        self.services[at].bar = bar;
        if let Some(bar) = bar
            && self.is_news(id, bar, before)
        {
            pass.out.note(Note::ServiceBarred {
                service: id,
                bar,
                stopped: self.services[at].alive(),
            });
        }
        self.touch(id);
        self.moved.push_back(id);
        self.move_others(id);
    }

    /// The same for those that come after a service.
    pub(super) fn bar_followers(&mut self, id: ServiceId, pass: &mut Pass) {
        for follower in self.followers[usize::from(id.0)].clone() {
            self.bar(follower, pass);
        }
    }

    fn barred(&self, s: &Settings, alive: bool, now: Mono) -> Option<Bar> {
        let part = |r: &ServiceId| self.parts[usize::from(r.0)];
        let bears = |r: &ServiceId| match alive {
            true => part(r).bears_others,
            false => part(r).admits_others,
        };
        let missing = s.requires.iter().find(|r| !bears(r));
        let requirement = missing.map(|r| Bar::Requirement {
            service: *r,
            coming: part(r).holds_up_others,
        });
        requirement.or_else(|| self.needs.lacking(s, alive, now).map(Bar::Need))
    }

    /// A service that runs is stopped for it, or one that is to run waits for what nobody knows when it
    /// will be there. That it waits for others to come up is the order of things.
    fn is_news(&self, id: ServiceId, bar: Bar, before: Option<Bar>) -> bool {
        let service = &self.services[usize::from(id.0)];
        service.called_for()
            && match bar {
                Bar::Requirement { .. } | Bar::Group { .. } => service.alive() && before.is_none(),
                Bar::Need(_) => !matches!(before, Some(Bar::Need(_))),
                Bar::Hindered(_) => !matches!(before, Some(Bar::Hindered(_))),
                Bar::Taken { .. } => !matches!(before, Some(Bar::Taken { .. })),
                // That it is not known yet passes, and that its keeper is silent is told by itself.
                Bar::Keeper(Obstacle::Unseen | Obstacle::Silent | Obstacle::Ending) => false,
                Bar::Keeper(_) => Some(bar) != before,
            }
    }

    /// Has everything started that a service starts too. Returns whether there was anything.
    pub(super) fn call(&mut self, id: ServiceId, settings: &All) -> bool {
        let mut called = false;
        let mut seen = vec![false; self.services.len()];
        let mut left = vec![id];
        while let Some(id) = left.pop() {
            if std::mem::replace(&mut seen[usize::from(id.0)], true) {
                continue;
            }
            let s = &settings.services[usize::from(id.0)];
            for other in s.requires.iter().chain(&s.wants) {
                let service = &mut self.services[usize::from(other.0)];
                if service.can_be_called() {
                    service.want_run();
                    called = true;
                    self.touch(*other);
                }
                left.push(*other);
            }
        }
        called
    }

    /// The same for all that are to run from the start on. What an earlier daemon has left is as it was
    /// left.
    pub(super) fn call_first(&mut self, settings: &All) {
        let mut left: Vec<ServiceId> = self.ids().collect();
        while let Some(id) = left.pop() {
            if self.services[usize::from(id.0)].wish == Wish::Rest {
                continue;
            }
            let s = &settings.services[usize::from(id.0)];
            for other in s.requires.iter().chain(&s.wants) {
                let service = &mut self.services[usize::from(other.0)];
                if service.is_new() && service.wish == Wish::Rest {
                    service.want_run();
                    self.touch(*other);
                    left.push(*other);
                }
            }
        }
    }
}

//! Groups: services that are restarted together, in the terms of OTP.
//!
//! ```text
//!             a member fails, budget left             all of them down, nobody waits
//!   (quiet) ─────────────────────────────► recovering ───────────────────────────────► (quiet)
//!      │  budget used up                        ▲
//!      └──► the member is given up ─────────────┘ with one-for-all, rest-for-one: they wait for it
//! ```
//!
//! Terms: a group *recovers* while members of it are taken down, and until the one that failed may be
//! started again; those that are concerned are barred meanwhile. Each recovery is a *restart of the
//! group* and counts against its own budget, unless the failure is put down to the machine.
//!
//! Nobody but a failure that leads to a restart moves a group: not who asks for one member, nor a member
//! that has done its work. A recovery that a daemon does not live to see the end of is forgotten.

use super::Services;
use crate::core::Pass;
use crate::core::fact::{GroupId, ServiceId};
use crate::core::note::Note;
use crate::core::service::{Bar, State};
use crate::core::settings::{Escalate, Group as Setting, Settings, Strategy};
use crate::units::Mono;
use std::collections::VecDeque;

/// How all groups stand.
pub(super) struct Groups {
    /// For each service: its group, and its place in it.
    places: Vec<Option<(GroupId, usize)>>,
    groups: Vec<Group>,
}

#[derive(Clone, Default)]
struct Group {
    restarts: VecDeque<Mono>,
    /// It recovers: members from this place on.
    from: Option<usize>,
}

impl Group {
    fn forget_old(&mut self, s: &Setting, now: Mono) {
        let old = |t: &&Mono| now.since(**t) >= s.window;
        while self.restarts.front().filter(old).is_some() {
            self.restarts.pop_front();
        }
    }
}

impl Groups {
    pub fn of(settings: &Settings) -> Groups {
        let mut places = vec![None; settings.services.len()];
        for (id, group) in (0u16..).map(GroupId).zip(&settings.groups) {
            for (place, member) in group.members.iter().enumerate() {
                if let Some(of) = places.get_mut(usize::from(member.0)) {
                    *of = Some((id, place));
                }
            }
        }
        Groups {
            places,
            groups: vec![Group::default(); settings.groups.len()],
        }
    }

    /// The group of a service, if it recovers and that one is concerned.
    fn recovering(&self, id: ServiceId) -> Option<(GroupId, usize)> {
        let (group, place) = self.places[usize::from(id.0)]?;
        let from = self.groups[usize::from(group.0)].from?;
        (place >= from).then_some((group, from))
    }
}

impl Services {
    /// It is in a group.
    pub(super) fn has_group(&self, id: ServiceId) -> bool {
        self.groups.places[usize::from(id.0)].is_some()
    }

    /// A service may have failed: tells its group.
    pub(super) fn tell_group(&mut self, id: ServiceId, pass: &mut Pass) {
        let at = usize::from(id.0);
        if !std::mem::take(&mut self.services[at].fell) {
            return;
        }
        if let Some((group, place)) = self.groups.places[at] {
            self.member_failed(id, group, place, pass);
        }
    }

    fn member_failed(&mut self, id: ServiceId, group: GroupId, place: usize, pass: &mut Pass) {
        let s = &pass.settings.groups[usize::from(group.0)];
        let service = &self.services[usize::from(id.0)];
        let gave_up = matches!(service.state, State::GaveUp { .. });
        let escalates = gave_up && s.escalate == Escalate::Group;
        let from = match s.strategy {
            Strategy::OneForAll => Some(0),
            Strategy::RestForOne => Some(place),
            Strategy::OneForOne => None,
        };
        let from = if escalates { Some(0) } else { from };
        let Some(from) = from else { return };
        // One that was given up with nothing to follow takes the others down with it; that is all.
        if !gave_up || escalates {
            self.restart_group(id, group, escalates, pass);
        }
        let state = &mut self.groups.groups[usize::from(group.0)];
        let given_up = matches!(self.services[usize::from(id.0)].state, State::GaveUp { .. });
        if s.strategy == Strategy::OneForOne && given_up {
            return;
        }
        state.from = Some(state.from.map_or(from, |before| before.min(from)));
        for member in &s.members[from..] {
            self.bar(*member, pass);
            self.touch(*member);
            self.moved.push_back(*member);
        }
    }

    /// Restarts a group, or gives the member up that failed if there were too many such restarts.
    fn restart_group(&mut self, id: ServiceId, group: GroupId, all: bool, pass: &mut Pass) {
        let s = &pass.settings.groups[usize::from(group.0)];
        let state = &mut self.groups.groups[usize::from(group.0)];
        state.forget_old(s, pass.now);
        let restarts = u32::try_from(state.restarts.len()).unwrap_or(u32::MAX);
        let excused = self.services[usize::from(id.0)].is_excused();
        if restarts >= s.restarts && !excused {
            let first = state.restarts.front().copied().unwrap_or(pass.now);
            let until = first.after(s.window).max(pass.now);
            self.services[usize::from(id.0)].give_up(until);
            pass.out.note(Note::GroupGaveUp {
                group,
                service: id,
                restarts,
                window: s.window,
                retry: until.since(pass.now),
            });
            return;
        }
        if !excused {
            state.restarts.push_back(pass.now);
        }
        pass.out.note(Note::GroupRestarting {
            group,
            service: id,
            counted: !excused,
        });
        if all {
            for member in &s.members {
                self.services[usize::from(member.0)].rise_with_group();
                self.touch(*member);
            }
        }
    }

    /// Why the group of a service keeps it from running.
    pub(super) fn barred_by_group(&self, id: ServiceId, settings: &Settings) -> Option<Bar> {
        let (group, from) = self.groups.recovering(id)?;
        let members = &settings.groups[usize::from(group.0)].members[from..];
        let given_up = |id: &ServiceId| {
            let state = self.services[usize::from(id.0)].state;
            matches!(state, State::GaveUp { .. })
        };
        let coming = !members.iter().any(given_up);
        Some(Bar::Group { group, coming })
    }

    /// Ends the recovery of the group of a service, if all of it is down and nobody waits.
    pub(super) fn recover(&mut self, id: ServiceId, pass: &mut Pass) {
        let Some((group, from)) = self.groups.recovering(id) else {
            return;
        };
        let members = &pass.settings.groups[usize::from(group.0)].members;
        let busy = members[from..].iter().any(|member| {
            let service = &self.services[usize::from(member.0)];
            let waits = matches!(service.state, State::Backoff { .. } | State::GaveUp { .. });
            service.alive() || waits
        });
        if busy {
            return;
        }
        self.groups.groups[usize::from(group.0)].from = None;
        for member in members {
            self.bar(*member, pass);
        }
    }
}

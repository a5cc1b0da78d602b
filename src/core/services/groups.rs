//! Groups: services that are restarted together, in the terms of OTP.
//!
//! Terms: a group *recovers* while members of it are taken down, and until those that failed may be
//! started again; those that go together are barred meanwhile. Each recovery is one *restart of the
//! group* and counts against its own budget, unless the failure is put down to the machine.
//!
//! Nobody but a failure that leads to a restart moves a group: not who asks for one member, nor a
//! member that has done its work. One that an earlier daemon has seen, or that happened between two
//! daemons, moves it as well: whoever goes with the failed one must not run on without it.
//!
//! Who is started and stopped before whom is decided elsewhere: a group only bars.

use super::Services;
use super::group::{Group, Sequel};
use crate::core::Pass;
use crate::core::fact::{GroupId, ServiceId};
use crate::core::note::{GroupNote, Note};
use crate::core::service::{Bar, Service, State};
use crate::core::settings::{Escalate, Settings, Strategy};
use crate::units::Mono;

/// How all groups stand.
pub(super) struct Groups {
    /// For each service: its group, and its place in it. Empty if there is no group at all.
    places: Vec<Option<(GroupId, u16)>>,
    groups: Vec<Group>,
}

impl Groups {
    pub fn of(settings: &Settings) -> Groups {
        let mut places = Vec::new();
        if !settings.groups.is_empty() {
            places = vec![None; settings.services.len()];
        }
        for (id, group) in (0u16..).map(GroupId).zip(&settings.groups) {
            for (place, member) in (0u16..).zip(&group.members) {
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

    /// The group of a service, and its place in it.
    fn place(&self, id: ServiceId) -> Option<(GroupId, usize)> {
        let (group, place) = (*self.places.get(usize::from(id.0))?)?;
        Some((group, usize::from(place)))
    }

    fn group(&mut self, id: GroupId) -> &mut Group {
        &mut self.groups[usize::from(id.0)]
    }

    /// It turns out that the machine was strained already from `since` on.
    pub fn excuse(&mut self, since: Mono, now: Mono) {
        for group in &mut self.groups {
            group.excuse(since, now);
        }
    }

    /// Whatever has been counted is forgotten.
    pub fn forgive_all(&mut self) {
        for group in &mut self.groups {
            group.forgive();
        }
    }

    /// Somebody has a service started by hand.
    pub fn forgive(&mut self, id: ServiceId) {
        if let Some((group, _)) = self.place(id) {
            self.group(group).forgive();
        }
    }
}

fn waits(service: &Service) -> bool {
    matches!(service.state, State::Backoff { .. } | State::GaveUp { .. })
}

impl Services {
    /// It is in a group.
    pub(super) fn has_group(&self, id: ServiceId) -> bool {
        self.groups.place(id).is_some()
    }

    /// What members had failed when an earlier daemon was there, or while none was.
    pub(super) fn recall_groups(&mut self, pass: &mut Pass) {
        for (group, s) in (0u16..).map(GroupId).zip(&pass.settings.groups) {
            // Each of these restarts was one of a member that failed.
            if s.strategy != Strategy::OneForOne {
                let of =
                    |m: &ServiceId| self.services[usize::from(m.0)].backoff.latest_restarts(32);
                let restarts = s.members.iter().flat_map(of).collect();
                self.groups.group(group).recall(s, restarts, pass.now);
            }
            for member in &s.members {
                self.tell_group(*member, pass);
            }
        }
    }

    /// A service may have failed: tells its group, once all is known that was left.
    pub(super) fn tell_group(&mut self, id: ServiceId, pass: &mut Pass) {
        if !self.begun {
            return;
        }
        let service = &mut self.services[usize::from(id.0)];
        let Some(mut fall) = service.fell.take() else {
            return;
        };
        // Also one that an earlier daemon has seen.
        fall.excused |= self.hold;
        let Some((group, place)) = self.groups.place(id) else {
            let new = fall.gave_up && !fall.earlier;
            if new && pass.settings.services[usize::from(id.0)].escalates {
                pass.picture.escalated.get_or_insert(id);
            }
            return;
        };
        let s = &pass.settings.groups[usize::from(group.0)];
        let note = match self.groups.group(group).fail(s, place, fall, pass.now) {
            Sequel::Alone => return,
            Sequel::Joined => None,
            Sequel::Restarted { afresh, counted } => {
                if afresh {
                    for member in &s.members {
                        self.services[usize::from(member.0)].rise_with_group();
                        self.touch(*member);
                    }
                }
                Some(GroupNote::GroupRestarting { counted })
            }
            Sequel::GaveUp { until } => {
                let until = service.give_up(until);
                self.touch(id);
                if s.escalate == Escalate::Machine && !fall.earlier {
                    pass.picture.escalated.get_or_insert(id);
                }
                Some(GroupNote::GroupGaveUp {
                    restarts: s.restarts,
                    window: s.window,
                    retry: until.since(pass.now),
                })
            }
        };
        pass.out
            .notes
            .extend(note.map(|note| Note::Group(group, id, note)));
        self.bar_members(group, pass);
    }

    /// Finds out anew who of a group is barred.
    fn bar_members(&mut self, group: GroupId, pass: &mut Pass) {
        for member in &pass.settings.groups[usize::from(group.0)].members {
            self.bar(*member, pass);
        }
    }

    /// Why the group of a service keeps it from running.
    pub(super) fn barred_by_group(&self, id: ServiceId, settings: &Settings) -> Option<Bar> {
        let (group, place) = self.groups.place(id)?;
        let (s, state) = (
            &settings.groups[usize::from(group.0)],
            &self.groups.groups[usize::from(group.0)],
        );
        if !state.recovering(s).contains(&place) {
            return None;
        }
        let given_up = |id: &ServiceId| {
            let state = self.services[usize::from(id.0)].state;
            matches!(state, State::GaveUp { .. })
        };
        let coming = !s.members[state.leans_on(s, place)].iter().any(given_up);
        Some(Bar::Group { group, coming })
    }

    /// Lets the group of a service go on, if those that go together are down.
    pub(super) fn recover(&mut self, id: ServiceId, pass: &mut Pass) {
        let Some((group, place)) = self.groups.place(id) else {
            return;
        };
        let s = &pass.settings.groups[usize::from(group.0)];
        let places = self.groups.group(group).recovering(s);
        if !places.contains(&place) {
            return;
        }
        let member = |place: &usize| &self.services[usize::from(s.members[*place].0)];
        let alive = places.clone().any(|place| member(&place).alive());
        let first = places.clone().find(|place| waits(member(place)));
        self.groups.group(group).proceed(s, alive, first);
        self.bar_members(group, pass);
    }
}

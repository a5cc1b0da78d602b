//! Services that are restarted together: the invariants G1 to G3.

use crate::checks::View;
use fieldwarden::core::action::Action;
use fieldwarden::core::fact::ServiceId;
use fieldwarden::core::note::Note;
use fieldwarden::core::settings::{Group, Settings, Strategy};
use std::collections::{BTreeSet, VecDeque};

/// What is remembered of one group.
#[derive(Clone, Default)]
struct Seen {
    restarts: VecDeque<u64>,
    /// Members that have to be down before one of them is started.
    down_first: BTreeSet<ServiceId>,
}

/// What is remembered of all groups in one life of the daemon.
#[derive(Default)]
pub struct Groups {
    seen: Vec<Seen>,
}

impl Groups {
    /// G1: no more restarts of a group within its window than it may have; G2: those that go together
    /// are all down before the first of them is started again; G3: no failure of a member is passed
    /// over.
    pub fn groups_go_together(&mut self, v: &View, settings: &Settings) -> Result<(), String> {
        self.seen.resize(settings.groups.len(), Seen::default());
        let ends = v.stops || v.core.picture().halting.is_some();
        for (seen, group) in self.seen.iter_mut().zip(&settings.groups) {
            if ends {
                seen.down_first.clear();
            }
            seen.start(v, settings, group)?;
        }
        for note in v.notes {
            match note {
                Note::GroupRestarting {
                    group,
                    service,
                    counted,
                } => {
                    let at = usize::from(group.0);
                    let (seen, s) = (&mut self.seen[at], &settings.groups[at]);
                    if *counted {
                        seen.restart(v.now, s)?;
                    }
                    seen.down_first = together(v, s, *service);
                }
                Note::GroupGaveUp { group, service, .. } => {
                    let at = usize::from(group.0);
                    let s = &settings.groups[at];
                    if s.strategy != Strategy::OneForOne {
                        self.seen[at].down_first = together(v, s, *service);
                    }
                }
                Note::ServiceBackoff { service, .. } => told(v, settings, *service)?,
                _ => {}
            }
        }
        Ok(())
    }
}

impl Seen {
    fn restart(&mut self, now: u64, s: &Group) -> Result<(), String> {
        let window = u64::try_from(s.window.as_millis()).unwrap_or(u64::MAX);
        self.restarts.push_back(now);
        while self.restarts.front().is_some_and(|t| now - t >= window) {
            self.restarts.pop_front();
        }
        let n = self.restarts.len() as u64;
        match n > u64::from(s.restarts) {
            true => Err(format!("G1: {n} restarts of the group {}", s.name)),
            false => Ok(()),
        }
    }

    fn start(&mut self, v: &View, settings: &Settings, group: &Group) -> Result<(), String> {
        let mut starts = v.orders.iter().filter_map(|order| match order.action {
            Action::Start { service, .. } => Some(service),
            _ => None,
        });
        let Some(first) = starts.find(|service| self.down_first.contains(service)) else {
            return Ok(());
        };
        let there = |id: &&ServiceId| {
            let at = usize::from(id.0);
            v.alive[at] > 0 || v.starting[at] > 0
        };
        let down_first = std::mem::take(&mut self.down_first);
        match down_first.iter().find(there) {
            Some(there) => Err(format!(
                "G2: {} is started while {} of {} is alive",
                settings.name(first),
                settings.name(*there),
                group.name
            )),
            None => Ok(()),
        }
    }
}

/// Those that go with a member that failed.
fn together(v: &View, s: &Group, failed: ServiceId) -> BTreeSet<ServiceId> {
    let gave_up = v.notes.iter().any(|note| match note {
        Note::ServiceGaveUp { service, .. } => *service == failed,
        _ => false,
    });
    let place = s.members.iter().position(|m| *m == failed).unwrap_or(0);
    let from = match s.strategy {
        Strategy::RestForOne if !gave_up => place,
        Strategy::RestForOne | Strategy::OneForAll | Strategy::OneForOne => 0,
    };
    s.members[from..].iter().copied().collect()
}

/// A failure of a member whose neighbours go with it moves the group.
fn told(v: &View, settings: &Settings, failed: ServiceId) -> Result<(), String> {
    let of = |g: &&Group| g.members.contains(&failed) && g.strategy != Strategy::OneForOne;
    let Some(group) = settings.groups.iter().find(of) else {
        return Ok(());
    };
    let moved = v.notes.iter().any(|note| match note {
        Note::GroupRestarting { service, .. } | Note::GroupGaveUp { service, .. } => {
            *service == failed
        }
        // What nobody saw moves no group, nor what was excused afterwards.
        Note::Began { .. } | Note::RestartsExcused { .. } => true,
        _ => false,
    });
    match moved {
        true => Ok(()),
        false => Err(format!("G3: a failure moves nothing in {}", group.name)),
    }
}

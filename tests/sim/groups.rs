//! Services that are restarted together: the invariants G1 to G3.

use crate::checks::View;
use crate::hold::is_over;
use crate::strain::MARGIN;
use fieldwarden::core::action::{Action, Answer};
use fieldwarden::core::fact::{Fact, Request, ServiceId};
use fieldwarden::core::memo::Left;
use fieldwarden::core::note::{GroupNote, Note};
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
    strained: bool,
}

impl Groups {
    /// G1: no more restarts of a group within its window than it may have; G2: those that go together
    /// are all down before the first of them is started again; G3: no failure of a member is passed
    /// over. `asked`: the next start of a service is somebody's wish.
    pub fn groups_go_together(
        &mut self,
        v: &View,
        settings: &Settings,
        asked: impl Fn(ServiceId) -> bool,
    ) -> Result<(), String> {
        self.seen.resize(settings.groups.len(), Seen::default());
        let strained = v.core.picture().strain().is_some();
        let begins = strained && !std::mem::replace(&mut self.strained, strained);
        self.strained = strained;
        let halting = v.core.picture().halting.is_some();
        for (seen, group) in self.seen.iter_mut().zip(&settings.groups) {
            if begins {
                seen.restarts.retain(|at| *at + MARGIN < v.now);
            }
            if asked_by_hand(v, group) || is_over(v) {
                seen.restarts.clear();
            }
            // A start that the daemon's own queue refused is no failure of a member.
            let refused = matches!(v.fact, Fact::Done { .. });
            if !refused {
                seen.hear(v, group, settings)?;
            }
            // A halt may be taken back, and what was on its way down is so still.
            if v.stops && !halting {
                seen.down_first.clear();
            }
            if v.stops || halting {
                continue;
            }
            if !refused {
                seen.no_failure_is_passed_over(v, group, &asked)?;
            }
            seen.start(v, settings, group)?;
        }
        Ok(())
    }
}

impl Seen {
    fn hear(&mut self, v: &View, group: &Group, settings: &Settings) -> Result<(), String> {
        for note in v.notes {
            match note {
                Note::Group(of, service, note) if settings.group(*of) == &*group.name => match note
                {
                    GroupNote::GroupRestarting { counted } => {
                        if *counted {
                            self.restart(v.now, group)?;
                        }
                        let all = gave_up(v, *service);
                        self.down_first.extend(together(group, *service, all));
                    }
                    GroupNote::GroupGaveUp { .. } if group.strategy != Strategy::OneForOne => {
                        self.down_first.extend(together(group, *service, false));
                    }
                    GroupNote::GroupGaveUp { .. } => {}
                },
                Note::ServiceGaveUp { service, .. }
                | Note::ServiceRecalled {
                    service,
                    left: Left::Backoff { .. } | Left::GaveUp { .. },
                } if group.members.contains(service) && group.strategy != Strategy::OneForOne => {
                    self.down_first.extend(together(group, *service, false));
                }
                _ => {}
            }
        }
        Ok(())
    }

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
        let Some(first) = starts(v).find(|service| self.down_first.contains(service)) else {
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

    /// A member that failed and waits for its next start, or has it at once, has moved its group, or
    /// was among those that were being taken down.
    fn no_failure_is_passed_over(
        &self,
        v: &View,
        group: &Group,
        asked: impl Fn(ServiceId) -> bool,
    ) -> Result<(), String> {
        if group.strategy == Strategy::OneForOne {
            return Ok(());
        }
        let at_once = |service: ServiceId| starts(v).any(|started| started == service);
        for note in v.notes {
            let failed = match note {
                Note::ServiceBackoff { service, .. } if !excused_later(v, *service) => *service,
                Note::ServiceExited {
                    service,
                    asked: false,
                    done: false,
                    ..
                }
                | Note::ServiceStartFailed { service, .. }
                    if at_once(*service) && !asked(*service) =>
                {
                    *service
                }
                _ => continue,
            };
            if group.members.contains(&failed) && !self.down_first.contains(&failed) {
                return Err(format!("G3: a failure moves nothing in {}", group.name));
            }
        }
        Ok(())
    }
}

/// It was given up, and waits anew because that was the machine's fault.
fn excused_later(v: &View, which: ServiceId) -> bool {
    v.notes.iter().any(|note| match note {
        Note::RestartsExcused { service, .. } => *service == which,
        _ => false,
    })
}

fn starts(v: &View) -> impl Iterator<Item = ServiceId> {
    v.orders.iter().filter_map(|order| match order.action {
        Action::Start { service, .. } => Some(service),
        _ => None,
    })
}

fn gave_up(v: &View, which: ServiceId) -> bool {
    v.notes.iter().any(|note| match note {
        Note::ServiceGaveUp { service, .. } => *service == which,
        _ => false,
    })
}

/// Somebody starts a member by hand, which wipes out what was counted.
fn asked_by_hand(v: &View, group: &Group) -> bool {
    let Fact::Asked {
        request: Request::Start(service) | Request::Restart(service),
        ..
    } = v.fact
    else {
        return false;
    };
    let accepted = |action: &Action| match action {
        Action::Reply { answer, .. } => *answer == Answer::Accepted,
        _ => false,
    };
    group.members.contains(service) && v.orders.iter().any(|order| accepted(&order.action))
}

/// Those that go with a member that failed; `all` of them when the group starts anew.
fn together(s: &Group, failed: ServiceId, all: bool) -> impl Iterator<Item = ServiceId> {
    let place = s.members.iter().position(|m| *m == failed).unwrap_or(0);
    let from = match s.strategy {
        Strategy::RestForOne if !all => place,
        Strategy::RestForOne | Strategy::OneForAll | Strategy::OneForOne => 0,
    };
    s.members[from..].iter().copied()
}

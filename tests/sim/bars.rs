//! What a service cannot run without: the invariants B1 to B5.
//!
//! They are told from what the core says of services, clock and mains, and what it was told of the
//! network, and know nothing of how it decides who may run.

use crate::checks::View;
use fieldwarden::core::action::Action;
use fieldwarden::core::fact::{
    Change, Fact, OrderId, Pulse, Reading, RunId, ServiceId, Source, Thread,
};
use fieldwarden::core::note::{Note, Trust};
use fieldwarden::core::settings::{Need, Settings};
use fieldwarden::core::{Core, Down, Readiness, State, Wish};
use std::collections::{BTreeMap, BTreeSet};

/// A need must not have been met for so long before a service is stopped for that. In milliseconds.
const GONE_FOR: u64 = 10_000;

/// What is remembered from step to step.
#[derive(Default)]
pub struct Bars {
    /// Since when each need is known not to be met.
    gone: [Option<u64>; Need::ALL.len()],
    /// The latest run of each service that the core has not been told the end of, and the order of its
    /// start.
    there: BTreeMap<ServiceId, (RunId, Option<OrderId>)>,
    /// What the core was told of the network last, if that still stands.
    network: Option<bool>,
}

impl Bars {
    /// B1: nothing starts before what it requires is up; B2: nothing starts while its need is unmet;
    /// B3: nothing runs on without what it is to be stopped without; B4: nothing is stopped before
    /// those that require it, unless there is no time for that; B5: the network is as it was told last,
    /// and unknown while nobody can tell.
    pub fn nobody_runs_without(
        &mut self,
        v: &View,
        settings: &Settings,
        rushed: bool,
    ) -> Result<(), String> {
        self.hear(v);
        if v.core.picture().network != self.network {
            return Err(format!("B5: the network was told to be {:?}", self.network));
        }
        for order in v.orders {
            if let Action::Start { service, run } = order.action {
                may_start(v.core, settings, service)?;
                self.there.insert(service, (run, Some(order.id)));
            }
        }
        for (gone, need) in self.gone.iter_mut().zip(Need::ALL) {
            *gone = match is_met(v.core, need) {
                Some(false) => Some(gone.unwrap_or(v.now)),
                Some(true) | None => None,
            };
        }
        if v.core.picture().halting.is_none() && !rushed {
            self.stopped_without(v, settings)?;
            stopped_in_order(v, settings)?;
        }
        Ok(())
    }

    /// Takes in what the core is told of runs.
    fn hear(&mut self, v: &View) {
        match v.fact {
            Fact::Child {
                service,
                run,
                change: Change::Adopted { .. },
            } => drop(self.there.insert(*service, (*run, None))),
            Fact::Child {
                service,
                run,
                change: Change::Exited(_) | Change::StartFailed { .. },
            } => self
                .there
                .retain(|of, (latest, _)| of != service || latest != run),
            Fact::Seen(Reading::Network { up }) => self.network = Some(*up),
            Fact::Lost {
                source: Source::Network,
                ..
            }
            | Fact::Thread {
                thread: Thread::Vitals,
                pulse: Pulse::Late { .. },
            } => self.network = None,
            Fact::Done {
                order,
                outcome: Err(_),
            } => self.there.retain(|_, (_, start)| *start != Some(*order)),
            _ => {}
        }
    }

    fn stopped_without(&self, v: &View, settings: &Settings) -> Result<(), String> {
        for view in v.core.services() {
            let s = &settings.services[usize::from(view.service.0)];
            let lacks = s.stop_without.iter().find(|need| {
                let since = self.gone[Need::ALL.iter().position(|n| n == *need).unwrap_or(0)];
                since.is_some_and(|since| since + GONE_FOR < v.now)
            });
            // One that is held is stopped in its turn anyway.
            let up = matches!(view.state, State::Up { .. }) && !v.stops && !view.held;
            // News of an end may be on their way, or nobody listens: until then it is waited for.
            let mut leaning = settings.services.iter().zip(0..).filter_map(|(s, id)| {
                let leans = s.requires.contains(&view.service);
                leans.then_some(ServiceId(id))
            });
            let waits = is_leant_on(v, settings, view.service)
                || leaning.any(|id| self.there.contains_key(&id));
            if let (Some(need), true, false) = (lacks, up, waits) {
                return Err(format!("B3: {} runs on without {need:?}", s.name));
            }
        }
        Ok(())
    }
}

fn may_start(core: &Core, settings: &Settings, service: ServiceId) -> Result<(), String> {
    let s = &settings.services[usize::from(service.0)];
    for required in &s.requires {
        let Some(r) = core.services().nth(usize::from(required.0)) else {
            continue;
        };
        let up = matches!(r.state, State::Up { .. }) && r.wish == Wish::Run && !r.held;
        let up = up && r.readiness == Readiness::Ready;
        let done = matches!(
            r.state,
            State::Down {
                why: Down::Finished
            }
        );
        if !up && !done {
            let name = settings.name(*required);
            return Err(format!("B1: {} is started without {name}", s.name));
        }
    }
    let lacks = s
        .needs
        .iter()
        .find(|need| is_met(core, **need) != Some(true));
    lacks.map_or(Ok(()), |need| {
        Err(format!("B2: {} is started without {need:?}", s.name))
    })
}

fn stopped_in_order(v: &View, settings: &Settings) -> Result<(), String> {
    for note in v.notes {
        if let Note::ServiceStopping { service } = note
            && is_leant_on(v, settings, *service)
        {
            let name = settings.name(*service);
            return Err(format!("B4: {name} is stopped before what requires it"));
        }
    }
    Ok(())
}

/// Something that requires it is alive.
fn is_leant_on(v: &View, settings: &Settings, service: ServiceId) -> bool {
    let all = settings.services.iter().enumerate();
    let mut leaning = all.filter(|(_, s)| s.requires.contains(&service));
    leaning.any(|(at, _)| v.alive[at] > 0 || v.starting[at] > 0)
}

/// As far as the core knows.
pub fn is_met(core: &Core, need: Need) -> Option<bool> {
    match need {
        Need::Clock => match core.clock_trust() {
            Trust::Synced | Trust::Rtc | Trust::Holdover => Some(true),
            Trust::Floor => None,
            // It cannot be told from outside whether that is only not known yet.
            Trust::Unset => core.picture().time.filter(|right| !right),
        },
        Need::Mains => core.picture().mains,
        Need::Network => core.picture().network,
    }
}

/// A service that is to run and does not has a reason that lies outside of it: a need that is not met,
/// or one that it requires and that rests, has failed, or has such a reason itself.
pub fn waits_rightly(core: &Core, settings: &Settings, service: ServiceId) -> bool {
    let s = &settings.services[usize::from(service.0)];
    let lacks = s.needs.iter().any(|need| is_met(core, *need) != Some(true));
    lacks
        || s.requires.iter().any(|required| {
            let view = core.services().nth(usize::from(required.0));
            view.is_some_and(|r| {
                let done = matches!(
                    r.state,
                    State::Down {
                        why: Down::Finished
                    }
                );
                !done && r.wish == Wish::Rest || waits_rightly(core, settings, *required)
            })
        })
}

/// Everything that a service starts too.
pub fn called(settings: &Settings, service: ServiceId) -> BTreeSet<ServiceId> {
    let mut found = BTreeSet::new();
    let mut left = vec![service];
    while let Some(id) = left.pop() {
        // Somebody may ask for a service that there is not.
        let s = settings.services.get(usize::from(id.0));
        let more = s
            .into_iter()
            .flat_map(|s| s.requires.iter().chain(&s.wants));
        left.extend(more.filter(|other| found.insert(**other)));
    }
    found
}

//! What holds from one daemon to the next within a boot.

use crate::bars::called;
use crate::checks::View;
use fieldwarden::core::action::{Action, Answer};
use fieldwarden::core::fact::{Fact, Request, RunId, ServiceId, Ticket};
use fieldwarden::core::note::Note;
use fieldwarden::core::settings::Settings;
use std::collections::{BTreeMap, BTreeSet};

/// What all daemons of one boot have done so far.
#[derive(Default)]
pub struct Heritage {
    /// The latest run of each service.
    runs: BTreeMap<ServiceId, RunId>,
    /// Services that were asked to stop, or have finished, and were not asked to run since.
    at_rest: BTreeSet<ServiceId>,
}

impl Heritage {
    pub fn forget_wishes(&mut self) {
        self.at_rest.clear();
    }

    /// It may be started: it is configured otherwise.
    pub fn wish_anew(&mut self, service: ServiceId) {
        self.at_rest.remove(&service);
    }

    /// A run has a number of its own in the whole boot, and what rests is started by nobody but who
    /// asks for it, whichever daemon it is.
    pub fn nothing_is_forgotten(&mut self, v: &View, settings: &Settings) -> Result<(), String> {
        self.ask(v, settings);
        for order in v.orders {
            let Action::Start { service, run } = order.action else {
                continue;
            };
            let name = settings.name(service);
            let last = self.runs.insert(service, run);
            if last.is_some_and(|last| run <= last) {
                return Err(format!("run {} of {name} again in one boot", run.0));
            }
            if self.at_rest.contains(&service) {
                return Err(format!("{name} was at rest and is started by itself"));
            }
        }
        for note in v.notes {
            // A job runs again when its time has come.
            if let Note::ServiceFinished { service, .. } = note
                && settings.services[usize::from(service.0)].job.is_none()
            {
                self.at_rest.insert(*service);
            }
        }
        Ok(())
    }

    fn ask(&mut self, v: &View, settings: &Settings) {
        let Fact::Asked {
            ticket, request, ..
        } = v.fact
        else {
            return;
        };
        let taken = v.orders.iter().any(|order| {
            let accepted = Answer::Accepted;
            order.action == reply(*ticket, accepted)
                || order.action == reply(*ticket, Answer::Already)
        });
        match request {
            Request::Start(service) | Request::Restart(service) if taken => {
                self.at_rest.remove(service);
                for called in called(settings, *service) {
                    self.at_rest.remove(&called);
                }
            }
            Request::Stop(service) if taken => {
                let s = settings.services.get(usize::from(service.0));
                if s.is_some_and(|s| s.job.is_none()) {
                    self.at_rest.insert(*service);
                }
            }
            _ => {}
        }
    }
}

fn reply(ticket: Ticket, answer: Answer) -> Action {
    Action::Reply { ticket, answer }
}

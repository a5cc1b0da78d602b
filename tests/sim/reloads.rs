//! Reloads: the daemon hands over to a successor in its own process, at whatever time.

use crate::checks::View;
use crate::daemon::LifeEvent;
use crate::faults::Kind;
use crate::world::World;
use fieldwarden::core::action::{Action, Answer, Order};
use fieldwarden::core::fact::{
    Change, Errno, Fact, Fault, OrderId, Reading, Request, RunId, ServiceId, Ticket,
};
use fieldwarden::core::note::Note;
use fieldwarden::core::picture::{Ending, Shed};
use fieldwarden::core::settings::Settings;
use fieldwarden::core::{State, Wish};
use std::collections::BTreeSet;

/// By then a reload that was asked for is answered: the core waits for 40 s for the check, then 10 s
/// for starts; and a little for what is late.
const ANSWERED: u64 = 51_000;

/// What passes from one daemon to the next in one process.
#[derive(Default)]
pub struct HandedOver {
    /// Processes that are not its children.
    pub strangers: BTreeSet<u32>,
    /// Services that are configured otherwise from now on.
    pub redefined: Vec<ServiceId>,
}

impl World {
    /// The program that is to come checks the configuration. Some never come to an end.
    pub fn check_config(&mut self, order: OrderId) {
        let done = |outcome| LifeEvent::Fact(Fact::Done { order, outcome }, 0);
        let at = self.now + self.rng.range(20, 3_000);
        match self.rng.range(0, 19) {
            0 => {}
            1 | 2 => self.life_at(at, done(Err(Fault::Errno(Errno(110))))),
            3..=5 => {
                let text = "fieldwarden.toml:3:1: no such key".into();
                let problems = Fact::Seen(Reading::Problems { text });
                self.life_at(at, LifeEvent::Fact(problems, 0));
                self.life_at(at, done(Err(Fault::Implausible)));
            }
            _ => self.life_at(at, done(Ok(()))),
        }
    }

    /// The program is replaced; the process and what is its own stay. Now and then it has to be started
    /// anew by init.
    pub fn hand_over(&mut self) {
        let starting = self
            .life
            .as_ref()
            .is_some_and(|life| life.starting.iter().any(|n| *n > 0));
        let sure = !self.plan.faults.contains(&Kind::FalseNews);
        if starting && sure {
            self.fail("handed over while a start is under way");
        }
        let strangers = self.life.as_ref().map(|life| life.adopted.clone());
        let n = u16::try_from(self.alive.len()).unwrap_or(0);
        let all: Vec<ServiceId> = (0..n).map(ServiceId).collect();
        let redefined: Vec<ServiceId> = all.into_iter().filter(|_| self.rng.chance(15)).collect();
        self.checks.reloads.handed_over(&redefined);
        self.tally.reloads += 1;
        self.handed_over = strangers.map(|strangers| HandedOver {
            strangers,
            redefined,
        });
        self.daemon_ended(true);
    }

    /// What a successor finds configured otherwise.
    pub fn redefine(&mut self, redefined: Vec<ServiceId>) {
        for service in redefined {
            let (run, change) = (RunId(0), Change::Redefined);
            let fact = Fact::Child {
                service,
                run,
                change,
            };
            self.step(&fact, 0);
        }
    }
}

/// What is known of reloads.
#[derive(Default)]
pub struct Reloads {
    /// The one that was asked for, and when it is answered at the latest.
    open: Option<(Ticket, u64)>,
    /// Services that run, and are not to be stopped, at the hand-over.
    well: BTreeSet<ServiceId>,
    /// Those that are configured otherwise after it.
    redefined: BTreeSet<ServiceId>,
    /// Those that ran well before the step that is looked at.
    running: BTreeSet<ServiceId>,
    is_successor: bool,
    begun: bool,
}

impl Reloads {
    pub fn new_life(&mut self) {
        self.open = None;
        self.begun = false;
    }

    fn handed_over(&mut self, redefined: &[ServiceId]) {
        self.redefined = redefined.iter().copied().collect();
        self.well = std::mem::take(&mut self.running);
        self.is_successor = true;
    }

    /// Whether this answers it.
    pub fn takes(&mut self, ticket: Ticket) -> bool {
        self.open.take_if(|(open, _)| *open == ticket).is_some()
    }

    /// A reload is answered, and one that comes about stops nothing but what is configured otherwise,
    /// and what cannot do without that.
    pub fn reloads_are_right(&mut self, v: &View, settings: &Settings) -> Result<(), String> {
        let asked = matches!(
            v.fact,
            Fact::Asked {
                request: Request::Reload,
                ..
            }
        );
        if let (Fact::Asked { ticket, .. }, true) = (v.fact, asked)
            && !v.orders.iter().any(answers)
        {
            self.open = Some((*ticket, v.now + ANSWERED));
        }
        let late = self.open.is_some_and(|(_, by)| v.now - v.frozen > by);
        if late && v.core.picture().ending == Ending::No {
            return Err("a reload is not answered".to_owned());
        }
        self.stops_are_right(v, settings)?;
        let up = |view: &fieldwarden::core::View| {
            let up = matches!(
                view.state,
                State::Up { .. } | State::Starting { pid: Some(_), .. }
            );
            let wished = view.wish == Wish::Run && view.bar.is_none();
            (up && wished && !view.held).then_some(view.service)
        };
        if v.core.picture().ending == Ending::No {
            self.running = v.core.services().filter_map(|view| up(&view)).collect();
        }
        Ok(())
    }

    fn stops_are_right(&mut self, v: &View, settings: &Settings) -> Result<(), String> {
        let first = *v.fact == Fact::Tick && !std::mem::replace(&mut self.begun, true);
        if !first || !std::mem::take(&mut self.is_successor) {
            return Ok(());
        }
        let picture = v.core.picture();
        // One that has ended meanwhile may have others of its group go with it.
        let group = v.notes.iter().any(|note| matches!(note, Note::Group(..)));
        if group || picture.held_back() != Shed::Nothing || picture.ending != Ending::No {
            return Ok(());
        }
        for order in v.orders {
            let Action::Signal { service, .. } = order.action else {
                continue;
            };
            if self.well.contains(&service) && !self.has_reason(service, v, settings) {
                let name = settings.name(service);
                return Err(format!("{name} ran well, and is stopped by a reload"));
            }
        }
        Ok(())
    }

    /// It is configured otherwise, or cannot do without one that is, or that has ended meanwhile.
    fn has_reason(&self, service: ServiceId, v: &View, settings: &Settings) -> bool {
        let at = usize::from(service.0);
        let requires = &settings.services[at].requires;
        self.redefined.contains(&service)
            || v.alive[at] == 0
            || requires.iter().any(|r| self.has_reason(*r, v, settings))
    }
}

fn answers(order: &Order) -> bool {
    matches!(&order.action, Action::Reply { answer, .. } if *answer != Answer::Status)
}

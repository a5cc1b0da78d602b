//! The set of services: order of start and stop, operators' wishes, and the count of what is up.
//!
//! Terms: a service *comes after* another when it names it in `after`: it waits for it at the start
//! while that one is on its way up, and is stopped before it. A service that gave up, or that
//! nobody wants, holds nobody up.
//!
//! Never looks at all services for the sake of one: a fact about a service touches that service and
//! its neighbours, however many there are.

mod bars;
mod budget;
mod count;
mod exclusive;
mod group;
mod groups;
mod jobs;
mod kept;
mod legacy;
mod order;
mod probes;
mod strain;
#[cfg(test)]
mod tests;
mod timetable;
mod view;

use super::action::{Actions, Answer};
use super::fact::{Change, Fact, Fault, OrderId, Request, RunId, ServiceId};
use super::note::Note;
use super::picture::{Ending, Shed};
use super::service::{Service, Turn};
use super::settings::{Class, Settings};
use super::{Pass, Policy};
use crate::sorted::{Map, Set};
use crate::units::Mono;
use bars::Needs;
use budget::Budget;
pub use budget::StopView;
use count::{Count, Part};
use groups::Groups;
pub use jobs::JobView;
use jobs::Jobs;
use legacy::Legacy;
use probes::Probes;
use strain::Strains;
pub use timetable::Plan as JobPlan;
pub use view::View;

/// State of the policy.
pub(crate) struct Services {
    services: Vec<Service>,
    parts: Vec<Part>,
    /// The class that rules for each service.
    classes: Vec<Class>,
    shedding: Shed,
    strains: Strains,
    /// A hold is in force.
    hold: bool,
    needs: Needs,
    groups: Groups,
    jobs: Jobs,
    /// For each service, those that come after it.
    followers: Vec<Vec<ServiceId>>,
    timers: Set<(Mono, ServiceId)>,
    registered: Vec<Option<Mono>>,
    probes: Probes,
    /// Whose order it is, as far as a service waits for its outcome.
    orders: Map<OrderId, ServiceId>,
    ordered: Vec<Option<OrderId>>,
    legacy: Legacy,
    budget: Budget,
    /// Services whose neighbours may have to move.
    moved: std::collections::VecDeque<ServiceId>,
    /// Services of which others may be barred, or not any more.
    leant_on: std::collections::VecDeque<ServiceId>,
    count: Count,
    begun: bool,
    course: Course,
    /// The thread that listens to processes is stuck.
    deaf: bool,
    random: u64,
}

/// What is to become of all services.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    /// They are kept as everybody wishes.
    Kept,
    /// They are stopped in order, or killed if there is no time.
    Stopped { rushed: bool },
    /// The same, and their wishes are kept: the machine is being halted, and that may be taken back.
    Held { rushed: bool },
    /// A successor takes them over: nothing is started, stopped or judged any more.
    Left,
}

impl Services {
    pub fn new(settings: &Settings, seed: u64) -> Services {
        let n = settings.services.len();
        let ids = || (0u16..).map(ServiceId).take(n);
        let mut followers = vec![Vec::new(); n];
        for (id, service) in ids().zip(&settings.services) {
            for before in &service.after {
                if let Some(list) = followers.get_mut(usize::from(before.0)) {
                    list.push(id);
                }
            }
        }
        Services {
            services: ids()
                .zip(&settings.services)
                .map(|(id, s)| probes::made(id, s, settings))
                .collect(),
            parts: vec![Part::default(); n],
            classes: order::classes(&settings.services),
            shedding: Shed::Nothing,
            strains: Strains::default(),
            hold: false,
            needs: Needs::of(&settings.services),
            groups: Groups::of(settings),
            jobs: Jobs::of(&settings.services),
            followers,
            timers: Set::new(),
            registered: vec![None; n],
            probes: Probes::of(&settings.services),
            orders: Map::new(),
            ordered: vec![None; n],
            legacy: Legacy::new(n),
            budget: Budget::default(),
            moved: std::collections::VecDeque::new(),
            leant_on: std::collections::VecDeque::new(),
            count: Count::default(),
            begun: false,
            course: Course::Kept,
            deaf: false,
            random: seed,
        }
    }

    fn ids(&self) -> impl Iterator<Item = ServiceId> + use<> {
        (0u16..).map(ServiceId).take(self.services.len())
    }

    /// A number that differs from call to call and from board to board (splitmix64).
    fn jitter(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The first tick: everything that was found has been told; run what is to run.
    fn begin(&mut self, pass: &mut Pass) {
        self.begun = true;
        self.begin_jobs(pass.now);
        let adopted = self.services.iter().filter(|s| s.adopted).count();
        pass.out.note(Note::Began {
            services: u16::try_from(self.services.len()).unwrap_or(u16::MAX),
            adopted: u16::try_from(adopted).unwrap_or(u16::MAX),
        });
        let excuse = self.excuse(pass.now);
        for id in self.ids() {
            let at = usize::from(id.0);
            let jitter = match self.services[at].ended_unseen() {
                true => self.jitter(),
                false => 0,
            };
            let s = &pass.settings.services[at];
            let mut turn = Turn {
                s,
                now: pass.now,
                jitter,
                excuse,
                out: pass.out,
            };
            if matches!(self.course, Course::Kept | Course::Held { .. }) {
                let autostart = s.autostart && s.job.is_none();
                self.services[at].begin(autostart, &mut turn);
            }
            self.touch(id);
            self.moved.push_back(id);
            self.leant_on.push_back(id);
        }
        self.recall_groups(pass);
        self.call_first(pass.settings);
    }

    /// Brings timers and counts up to date with what a service has become, and remembers to look at
    /// its neighbours.
    fn touch(&mut self, id: ServiceId) {
        let at = usize::from(id.0);
        self.look_at_stop(id);
        let service = &self.services[at];
        if self.registered[at] != service.due {
            if let Some(old) = self.registered[at] {
                self.timers.remove(&(old, id));
            }
            if let Some(due) = service.due {
                self.timers.insert((due, id));
            }
            self.registered[at] = service.due;
        }
        if self.ordered[at] != service.order {
            if let Some(old) = self.ordered[at] {
                self.orders.remove(&old);
            }
            if let Some(order) = service.order {
                self.orders.insert(order, id);
            }
            self.ordered[at] = service.order;
        }
        self.legacy.look(id, service.digest());
        self.time_probes(id);
        let service = &self.services[at];
        let part = Part::of(service);
        let before = self.parts[at];
        let kept = self.course == Course::Kept;
        if self.jobs.see(service, kept) && part != before {
            self.move_others(id);
        }
        let service = &self.services[at];
        if part != before || service.wants_start() {
            self.count.replace(before, part);
            self.budget.stale = true;
            self.parts[at] = part;
            self.moved.push_back(id);
            self.leant_on.push_back(id);
        }
    }

    fn request(&mut self, request: &Request, pass: &mut Pass) -> Option<Answer> {
        let (Request::Start(id) | Request::Stop(id) | Request::Restart(id)) = *request else {
            return None;
        };
        let at = usize::from(id.0);
        let service = self.services.get_mut(at)?;
        if self.course != Course::Kept {
            return Some(Answer::Ending);
        }
        let before = service.course();
        match request {
            Request::Start(_) => service.want_run(),
            Request::Stop(_) => service.want_rest(),
            Request::Restart(_) => service.want_restart(),
            Request::Status
            | Request::Exit
            | Request::Leave
            | Request::Reload
            | Request::Halt(_)
            | Request::Hold { .. }
            | Request::EndHold
            | Request::Drill
            | Request::ShowLed { .. } => {}
        }
        let moved = service.course() != before;
        let starts = !matches!(request, Request::Stop(_));
        let called = starts && self.call(id, pass.settings);
        if moved && starts {
            self.groups.forgive(id);
        }
        self.touch(id);
        self.moved.push_back(id);
        Some(if moved || called {
            Answer::Accepted
        } else {
            Answer::Already
        })
    }

    fn child(&mut self, id: ServiceId, run: RunId, change: &Change, pass: &mut Pass) {
        // All that is to be adopted was told before the first tick; run numbers have gone on.
        let old = matches!(
            change,
            Change::Adopted { .. }
                | Change::Recalled(_)
                | Change::Redefined
                | Change::Remembered(_)
                | Change::Stops(_)
        );
        let too_late = self.begun && old;
        if too_late || self.course == Course::Left {
            return;
        }
        if let Change::Remembered(past) = change {
            return self.jobs.remember(id, *past);
        }
        let at = usize::from(id.0);
        if let Change::Stops(times) = change {
            return self.budget.recall(id, *times);
        }
        let (jitter, excuse) = (self.jitter(), self.excuse(pass.now));
        let (Some(service), Some(s)) = (self.services.get_mut(at), pass.settings.services.get(at))
        else {
            return;
        };
        let mut turn = Turn {
            s,
            now: pass.now,
            jitter,
            excuse,
            out: pass.out,
        };
        let before = service.state;
        service.change(run, change, &mut turn);
        let took = service.stop_took(before, pass.now);
        if let (Change::Adopted { .. }, Some(began)) = (change, self.jobs.began(id)) {
            service.has_run_since(began, s);
        }
        self.budget.learn(id, took);
        self.tell_group(id, pass);
        self.keep_out(id, pass);
        self.touch(id);
    }

    /// An order of a service was carried out, or not.
    fn done(&mut self, order: OrderId, outcome: &Result<(), Fault>, pass: &mut Pass) {
        let Some(&id) = self.orders.get(&order) else {
            return;
        };
        let at = usize::from(id.0);
        self.services[at].order = None;
        if let (Err(why), Some(s)) = (outcome, pass.settings.services.get(at)) {
            let jitter = self.jitter();
            let excuse = self.excuse(pass.now);
            let mut turn = Turn {
                s,
                now: pass.now,
                jitter,
                excuse,
                out: pass.out,
            };
            self.services[at].refused(why, &mut turn);
            self.tell_group(id, pass);
        }
        self.touch(id);
    }

    /// Whether news of processes can be trusted to arrive.
    fn listen(&mut self, deaf: bool, pass: &mut Pass) {
        if std::mem::replace(&mut self.deaf, deaf) && !deaf {
            for (id, s) in self.ids().zip(&pass.settings.services) {
                self.services[usize::from(id.0)].be_heard(s, pass.now);
                self.touch(id);
            }
        }
    }

    fn tick(&mut self, settings: &Settings, now: Mono, out: &mut Actions) {
        while let Some(&(due, id)) = self.timers.first() {
            if due > now {
                break;
            }
            let at = usize::from(id.0);
            if self.deaf || self.services[at].is_out_of_sight() {
                self.services[at].go_unheard();
            }
            self.services[at].tick(&settings.services[at], now, out);
            if self.has_group(id) {
                // Its group may wait for nothing but that.
                self.moved.push_back(id);
            }
            self.touch(id);
        }
    }
}

impl Services {
    fn take_in(&mut self, pass: &mut Pass) {
        match pass.fact {
            Fact::Child {
                service,
                run,
                change,
            } => self.child(*service, *run, change, pass),
            Fact::Kept { service, standing } => self.stand(*service, standing, pass),
            Fact::Asked {
                ticket,
                by,
                request,
            } => {
                let said = pass.out.notes.len();
                if let Some(answer) = self.request(request, pass) {
                    if answer == Answer::Accepted {
                        // First who asked, then what came of it.
                        let (by, request) = (*by, request.clone());
                        pass.out.notes.insert(said, Note::Asked { by, request });
                    }
                    pass.picture.answer = Some((*ticket, answer));
                }
            }
            Fact::Tick if !self.begun => self.begin(pass),
            Fact::Thread { thread, pulse } => self.miss(*thread, *pulse, pass),
            Fact::Done { order, outcome } => self.done(*order, outcome, pass),
            Fact::Tick | Fact::Seen(_) | Fact::Lost { .. } => {}
        }
    }
}

impl Policy for Services {
    fn step(&mut self, pass: &mut Pass) {
        match pass.picture.ending {
            Ending::No => self.resume(pass.picture.shed),
            Ending::Parting {
                services_left: false,
            } => {}
            Ending::Stopping { overran, .. } => self.end(overran, pass),
            Ending::Halting { overran } => self.halt(overran, pass),
            Ending::Parting {
                services_left: true,
            } => self.course = Course::Left,
        }
        if self.course == Course::Kept {
            self.shed(pass.picture.held_back());
        }
        self.fit(pass);
        self.strain(pass);
        self.look_at_hold(pass);
        self.look_at_needs(pass);
        self.call_jobs(pass);
        self.look_at_network(pass);
        self.take_in(pass);
        if self.course != Course::Left {
            self.tick(pass.settings, pass.now, pass.out);
        }
        self.settle(pass);
        self.follow_jobs(pass);
        if self.course == Course::Kept {
            self.probe(pass);
        }
        self.leave_memos(pass.out);
        self.leave_stop_times(pass.out);
        self.publish(pass);
        self.publish_jobs(pass.picture);
    }

    fn deadline(&self) -> Option<Mono> {
        match self.course {
            Course::Left => None,
            Course::Kept | Course::Stopped { .. } | Course::Held { .. } => {
                let timer = self.timers.first().map(|(due, _)| *due);
                let jobs = self.jobs.due().filter(|_| self.course == Course::Kept);
                let probes = self.probes.due().filter(|_| self.begun);
                let others = [self.needs.due(), jobs, probes];
                timer.into_iter().chain(others.into_iter().flatten()).min()
            }
        }
    }
}

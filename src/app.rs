//! Puts the daemon together: configuration and devices become edges, and the loop drives the core.
//!
//! ```text
//! edges ──fact──► inbox ──► Core::step ──► orders ──► edges
//!                              └──────────► ledger ──► recorder
//! ```
//!
//! Invariant: one fact in, all orders out, and only then is anything written down.
//! Invariant: the loop waits for nothing but the inbox.

pub mod board_look;
mod crew;
mod error;
mod heritage;
mod last_look;
mod last_resort;
pub mod last_words;
mod lateness;
pub mod led_show;
mod legacy;
mod pages;
pub mod rehearsal;
mod vital_signs;

pub use crew::Devices;
pub use error::AppError;

use crate::config::Config;
use crate::core::action::{Action, Actions, Answer, Order};
use crate::core::fact::{Fact, Fault, OrderId, Request, ServiceId, StandIn, Thread};
use crate::core::{Core, memo::Left};
use crate::edge::bus::BusOrder;
use crate::edge::checker::Checker;
use crate::edge::children::ChildOrder;
use crate::edge::control::{ControlOrder, InForce, Reply};
use crate::edge::guards::GuardOrder;
use crate::edge::inbox::Facts;
use crate::edge::keeper::KeeperOrder;
use crate::edge::led::LedOrder;
use crate::edge::ledger::{Entry, Ledger};
use crate::edge::output::OutputOrder;
use crate::edge::prober::{ProbeOrder, ProberOrder};
use crate::edge::recorder::Observer;
use crate::edge::signals::{self, SignalOrder};
use crate::edge::spawner::SpawnOrder;
use crate::edge::successor::Successor;
use crate::edge::systemd::Environment;
use crate::edge::{clock, health, luggage, process, starts};
use crate::units::Mono;
use crew::{Hands, Queues};
use crossbeam_channel::Receiver;
use lateness::Lateness;
use pages::changes_nothing;
use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;

/// What a daemon is made of.
pub struct Plan {
    /// Its configuration.
    pub config: Config,
    /// What that is instead of its own, which cannot be used, and what is wrong with that.
    pub stand_in: Option<(StandIn, Box<str>)>,
    /// Directories to go by where its runtime directory cannot be used, the best one first. Where none
    /// of them can be either, it ends.
    pub refuges: Vec<std::path::PathBuf>,
    /// Services that run and of which nothing is known but their names.
    pub known_by_name: Vec<String>,
    /// Daemons of the minute before that broke off, if that was counted already.
    pub aborted: Option<u32>,
    /// Drop-ins are left out because of those: the configuration is not all that there is.
    pub alone: bool,
    /// Its files as one text, of which copies are to be kept.
    pub copy: Option<File>,
    /// The text of what it goes by, for who asks, and the file that it was told to read.
    pub running: Option<InForce>,
    /// The devices it works with.
    pub devices: Devices,
    /// The environment it was started in.
    pub environment: Environment,
    /// It owns its process: signals are for it, and its memory is locked.
    pub own_process: bool,
    /// The program that takes over on a reload; without one there can be none.
    pub successor: Option<Arc<Successor>>,
    /// Notes go to the log.
    pub log: bool,
    /// Somebody who watches every pass.
    pub observer: Option<Box<dyn Observer>>,
    /// Requests from within the process, such as those of the demo. Nobody waits for an answer.
    pub requests: Option<Receiver<Request>>,
}

/// How a daemon ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended {
    /// The services live on, for a successor.
    pub services_left: bool,
    /// It is to take over in this process, now.
    pub handed_over: bool,
}

/// Runs a daemon until it is asked to end. The core runs on the calling thread.
///
/// # Errors
/// What kept it from starting; afterwards nothing does.
pub fn run(plan: Plan) -> Result<Ended, AppError> {
    let mut voyage = set_out(plan)?;
    process::give_back_stack();
    let ended = voyage.bridge.drive(&mut voyage.facts, &mut voyage.out);
    go_ashore(*voyage);
    Ok(ended)
}

/// A daemon that is under way. On the heap, with a start and an end in functions of their own: what
/// they need of the stack is not in the way of the loop, under which it would stay locked in memory.
struct Voyage {
    bridge: Bridge,
    facts: Facts,
    hands: Hands,
    /// One for the whole life: the numbers of orders go on.
    out: Actions,
}

#[inline(never)]
fn set_out(plan: Plan) -> Result<Box<Voyage>, AppError> {
    let (mut bridge, facts, mut hands, watch) = crew::sign_on(plan)?;
    let mut out = Actions::default();
    bridge.begin(&mut out);
    hands.man_watch(watch, &bridge)?;
    Ok(Box::new(Voyage {
        bridge,
        facts,
        hands,
        out,
    }))
}

#[inline(never)]
fn go_ashore(voyage: Voyage) {
    let Voyage {
        bridge,
        facts,
        hands,
        ..
    } = voyage;
    // Nobody waits for room in an inbox that nobody empties.
    drop(facts);
    starts::leave(&hands.starts);
    hands.go_ashore(bridge);
}

/// The place where facts meet the core and orders leave for the edges.
struct Bridge {
    core: Core,
    queues: Queues,
    ledger: Ledger,
    lateness: Lateness,
    /// Facts that the loop itself has found.
    own: VecDeque<Fact>,
    checker: Option<Checker>,
    /// Services of which nothing is known but their names.
    known_by_name: Vec<ServiceId>,
    ended: Option<Ended>,
}

impl Bridge {
    fn new(
        core: Core,
        (queues, checker): (Queues, Option<Checker>),
        ledger: Ledger,
        own: VecDeque<Fact>,
        known_by_name: Vec<ServiceId>,
    ) -> Bridge {
        let lateness = Lateness::of(queues.pulses());
        Bridge {
            core,
            queues,
            ledger,
            lateness,
            own,
            checker,
            known_by_name,
            ended: None,
        }
    }

    /// Tells the core what the daemon begins with: so the first services start while the threads that
    /// they do not need are still being made.
    fn begin(&mut self, out: &mut Actions) {
        while self.ended.is_none()
            && let Some(fact) = self.own.pop_front()
        {
            self.pass(fact, out);
        }
    }

    /// The loop.
    fn drive(&mut self, facts: &mut Facts, out: &mut Actions) -> Ended {
        loop {
            if let Some(ended) = self.ended {
                if !ended.services_left {
                    self.leave(clock::now(), legacy::closing(&self.core));
                }
                if ended.handed_over {
                    while let Some(fact) = facts.take() {
                        legacy::keep_signal(&fact);
                    }
                }
                return ended;
            }
            let fact = self.next_fact(facts);
            self.pass(fact, out);
        }
    }

    fn pass(&mut self, fact: Fact, out: &mut Actions) {
        let now = clock::now();
        if self.core.picture().handing_over {
            legacy::keep_signal(&fact);
        }
        let looks = self.look(&fact, now);
        self.core.step(now, &fact, out);
        for order in &out.orders {
            self.dispatch(now, order);
        }
        if looks.is_some_and(|ticket| changes_nothing(out, ticket)) {
            out.clear();
            return;
        }
        let starts = |order: &Order| matches!(order.action, Action::Start { .. });
        if out.orders.iter().any(starts) {
            // Where the kernel put the spawner behind us on this processor, it goes first: somebody
            // waits for the service, and for nothing that follows.
            std::thread::yield_now();
        }
        let memos = std::mem::take(&mut out.memos);
        self.leave(now, memos);
        self.ledger.enter(Entry {
            now,
            fact,
            answer: out.take(),
            trust: self.core.clock_trust(),
        });
    }

    /// Leaves memos for a successor. A full queue means that its thread is stuck, and then the
    /// machine is reset and there is no successor in this boot. None of services that are known by
    /// name only: what ended could not be started again, and a successor that knows it is to start it.
    fn leave(&self, now: Mono, memos: Vec<legacy::Found>) {
        let known = |(service, ..): &legacy::Found| !self.known_by_name.contains(service);
        for (service, run, memo) in memos.into_iter().filter(known) {
            let line = legacy::line(service, run, &memo, self.core.settings());
            let order = ChildOrder::Remember {
                service,
                at_rest: matches!(memo.left, Left::Over | Left::Resting { .. }),
                line,
            };
            let _ = self.queues.children.give(now, order);
        }
    }

    fn next_fact(&mut self, facts: &mut Facts) -> Fact {
        if let Some(fact) = self.own.pop_front() {
            return fact;
        }
        let now = clock::now();
        self.own.extend(self.lateness.changes(now));
        let planned = self.core.deadline();
        let planned = [planned, self.lateness.next_look(now, planned)];
        let deadline = match self.own.is_empty() {
            true => planned.into_iter().flatten().min(),
            false => Some(now),
        };
        facts.wait_until(now, deadline).unwrap_or(Fact::Tick)
    }

    /// Hands an order to the edge that carries it out. Never waits: a queue that is full comes back
    /// as a fact.
    fn dispatch(&mut self, now: Mono, order: &Order) {
        let (id, queues) = (order.id, &self.queues);
        let given = match &order.action {
            kept @ (Action::Start { service, .. } | Action::Signal { service, .. })
                if self.asks_for(*service).is_some() =>
            {
                let order = self.asks_for(*service).zip(KeeperOrder::of(id, kept));
                queues.ask_keeper(now, order)
            }
            Action::Start { service, run } => queues.spawner(*service).give(
                now,
                SpawnOrder::Start {
                    service: *service,
                    run: *run,
                },
            ),
            Action::Signal {
                service,
                run,
                signal,
                reach,
            } => {
                let (service, run, signal, reach) = (*service, *run, *signal, *reach);
                queues.children.give(
                    now,
                    ChildOrder::Signal {
                        service,
                        run,
                        signal,
                        reach,
                    },
                )
            }
            Action::Probe {
                service,
                run,
                kind,
                attempt,
            } => match &queues.prober {
                Some(prober) => {
                    let order = ProbeOrder {
                        key: (*service, *kind),
                        run: *run,
                        pid: self.core.main_process(*service),
                        attempt: *attempt,
                    };
                    prober.give(now, ProberOrder::Probe(order))
                }
                None => Err(Fault::Absent),
            },
            Action::Arm { timeout } => queues.guards.give(
                now,
                GuardOrder::Arm {
                    order: id,
                    timeout: *timeout,
                },
            ),
            Action::Pet => {
                let by = self.looks_by(now);
                self.queues
                    .children
                    .give(now, ChildOrder::Pet { order: id, by })
            }
            Action::Disarm => queues.guards.give(now, GuardOrder::Disarm { order: id }),
            Action::Announce(what) => queues.guards.give(now, GuardOrder::Announce(*what)),
            Action::WatchGauge { closely } => match &queues.bus {
                Some(bus) => bus.give(
                    now,
                    BusOrder::Watch {
                        order: id,
                        closely: *closely,
                    },
                ),
                None => Err(Fault::Absent),
            },
            Action::Light(light) => match &queues.led {
                Some(led) => led.give(
                    now,
                    LedOrder {
                        order: id,
                        light: *light,
                    },
                ),
                None => Err(Fault::Absent),
            },
            Action::RollCall { thread } => self.call(now, id, *thread),
            Action::Reply { ticket, .. } if *ticket == signals::TICKET => Ok(()),
            Action::Reply { ticket, .. } if *ticket == health::TICKET => self.report(now),
            Action::Reply { ticket, answer } => {
                let reply = match answer {
                    Answer::Status => Reply::Status(self.status(now)),
                    told => Reply::Told(told.clone()),
                };
                queues.control.give(
                    now,
                    ControlOrder::Reply {
                        order: id,
                        ticket: *ticket,
                        reply,
                    },
                )
            }
            Action::Record(marker) => queues.halt.record(now, id, *marker),
            Action::Keep(marker) => queues.halt.keep(now, id, *marker),
            Action::KeepHold { hold } => queues.halt.keep_hold(now, id, hold.clone()),
            Action::Sync | Action::SetRtc | Action::Trim { .. } => queues.halt.sync(now, order),
            Action::CutPower { cut } => self.cut_power(now, id, *cut),
            Action::AskInit { kind } => queues.halt.ask(now, id, *kind),
            Action::ForceHalt { kind } => queues.halt.force(now, id, *kind),
            Action::CheckConfig => match &self.checker {
                Some(checker) => checker.begin(id),
                None => Err(Fault::Absent),
            },
            Action::HandOver => {
                luggage::open();
                self.end(true, true)
            }
            Action::Exit { services_left } => self.end(*services_left, false),
        };
        if let Err(fault) = given {
            let (order, outcome) = (id, Err(fault));
            self.own.push_back(Fact::Done { order, outcome });
        }
    }

    fn end(&mut self, services_left: bool, handed_over: bool) -> Result<(), Fault> {
        self.ended = Some(Ended {
            services_left,
            handed_over,
        });
        Ok(())
    }

    /// Who asks the keeper of this service, if somebody else keeps its process.
    fn asks_for(&self, service: ServiceId) -> Option<Thread> {
        let service = self.core.settings().services.get(usize::from(service.0))?;
        service.keeper.as_ref().map(|keeper| keeper.thread())
    }

    /// By the thread of the bus, which may be stuck; the halt does not wait for that.
    fn cut_power(&self, now: Mono, order: OrderId, cut: bool) -> Result<(), Fault> {
        let write = match cut {
            true => self.queues.cut,
            false => self.queues.uncut,
        };
        match (&self.queues.bus, write) {
            (Some(bus), Some(write)) => bus.give(now, BusOrder::Write { order, write }),
            (Some(_) | None, _) => Err(Fault::Absent),
        }
    }

    /// When the outcome of a pet is looked for: with the next pet. For the last one the core waits.
    fn looks_by(&mut self, now: Mono) -> Mono {
        match self.core.is_ending() {
            true => now,
            false => self.core.deadline().unwrap_or(now),
        }
    }

    fn call(&mut self, now: Mono, order: OrderId, thread: Thread) -> Result<(), Fault> {
        match thread {
            Thread::Spawner => self.queues.spawners[0].give(now, SpawnOrder::RollCall),
            Thread::SecondSpawner => self.queues.spawners[1].give(now, SpawnOrder::RollCall),
            Thread::Control => self
                .queues
                .control
                .give(now, ControlOrder::RollCall { order }),
            Thread::Recorder => {
                self.ledger.call(now);
                Ok(())
            }
            Thread::Output => self.queues.output.give(now, OutputOrder::RollCall),
            Thread::Signals => match &self.queues.signals {
                Some(signals) => signals.give(now, SignalOrder::RollCall),
                None => Ok(()),
            },
            // They have polls of their own, a pet passes through them, or a log line does.
            Thread::Children
            | Thread::Watchdog
            | Thread::Vitals
            | Thread::Disk
            | Thread::Bus
            | Thread::Line
            | Thread::Log
            | Thread::Led
            | Thread::Prober
            | Thread::Keeper
            | Thread::Engine
            | Thread::Health
            | Thread::Canary
            | Thread::Uplink
            | Thread::Marker
            | Thread::Sync
            | Thread::Halt => Ok(()),
        }
    }
}

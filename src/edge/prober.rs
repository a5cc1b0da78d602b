//! The prober thread: makes the probes of services that the core orders, all of them side by side.
//!
//! ```text
//! order ──► connect, ask, or look ──────────────────► answer to the core
//!       └─► spawner ─► program runs ─► its end ──────┘
//! ```
//!
//! Terms: a *flight* is a probe that is being made. Of one kind of one service there is one at a time:
//! what hangs does not pile up. Each has a deadline, and time is measured here: the core takes silence
//! for ours.
//!
//! Never waits for a service or the spawner; may wait for the file system that a file to be looked at
//! lies on. Never looks up a name, follows a redirect, or keeps more of an answer than
//! [`talk::HEAD_MAX`].

mod child;
mod file;
mod reach;
mod talk;

pub use child::ProbeChild;
pub use reach::{Reached, reach};

use super::clock;
use super::inbox::Inbox;
use super::orders::{Orders, Work};
use super::spawner::{SpawnOrder, spawner_of};
use crate::config::{ProbePlan, Way};
use crate::core::fact::{Change, Errno, Fact, Ill, Pid, ProbeKind, Probed, RunId, ServiceId};
use crate::sorted::Map;
use crate::units::Mono;
use child::End;
use file::Watched;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;
use talk::{Step, Talk};

/// Reads whatever a service may have answered.
#[cfg(any(test, fuzzing))]
pub(super) fn hostile(answer: &[u8]) {
    // The status decides as soon as it is there: nothing that comes behind it changes that.
    let judged = |length: usize| talk::understand(&answer[..length.min(talk::HEAD_MAX)]);
    if let Some(early) = judged(answer.len() / 2) {
        assert_eq!(judged(answer.len()), Some(early));
    }
}

/// A deadline that is found missed by so much tells nothing of the service: we were held up, or the
/// whole machine was.
const HELD_UP: Duration = Duration::from_millis(250);

/// For how long a success is kept back that follows on another one: the core has nearly always a reason
/// of its own to wake until then. Longer than it sleeps between two pets; shorter than its patience.
const NO_NEWS: Duration = Duration::from_secs(4);

/// The probe of one kind of a service.
pub type ProbeKey = (ServiceId, ProbeKind);

/// Which probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProbeOrder {
    /// Of what.
    pub key: ProbeKey,
    /// Of which life.
    pub run: RunId,
    /// The main process of that, whose network the program of a probe sees.
    pub pid: Option<Pid>,
    /// Its number, to be quoted in the answer.
    pub attempt: u32,
}

/// What the prober thread can be told.
pub enum ProberOrder {
    /// Make this probe.
    Probe(ProbeOrder),
    /// The program of this probe was started, or was not.
    Born(ProbeOrder, Result<ProbeChild, Errno>),
    /// End.
    Quit,
}

enum What {
    /// Connected or about to be.
    Talks(Talk),
    /// The spawner has yet to start its program.
    Awaited,
    /// Its program runs.
    Runs(ProbeChild),
    /// It was answered, and its program was killed and is not gone yet.
    Dies(ProbeChild),
}

struct Flight {
    order: ProbeOrder,
    deadline: Option<Mono>,
    what: What,
}

impl Flight {
    /// What it waits for.
    fn waits_for(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        match &self.what {
            What::Talks(talk) => Some(talk.waits_for()),
            What::Runs(child) | What::Dies(child) => Some((child.as_fd(), PollFlags::IN)),
            What::Awaited => None,
        }
    }
}

/// The prober thread's own state.
pub struct Prober {
    plans: Map<ProbeKey, ProbePlan>,
    flights: Vec<Flight>,
    files: Map<ProbeKey, Watched>,
    /// The latest answers.
    answered: Map<ProbeKey, (RunId, Probed)>,
    spawners: [Orders<SpawnOrder>; 2],
    inbox: Inbox,
}

impl Prober {
    /// Ready to make these probes.
    pub fn new(
        plans: Map<ProbeKey, ProbePlan>,
        spawners: [Orders<SpawnOrder>; 2],
        inbox: Inbox,
    ) -> Prober {
        Prober {
            plans,
            flights: Vec::new(),
            files: Map::new(),
            answered: Map::new(),
            spawners,
            inbox,
        }
    }

    /// Carries out orders until told to quit. Programs that still run are killed then.
    ///
    /// # Errors
    /// When the kernel cannot wait for descriptors, which leaves nothing to do here.
    pub fn run(mut self, work: &Work<ProberOrder>) -> io::Result<()> {
        loop {
            self.wait(work)?;
            // What has arrived counts, however late we look.
            self.go_on();
            work.silence();
            while let Some(order) = work.take() {
                let quit = matches!(order, ProberOrder::Quit);
                self.obey(order, clock::now());
                work.finish(clock::now());
                if quit {
                    return Ok(());
                }
            }
            self.give_up(clock::now());
        }
    }

    /// Waits for an order, for something that a probe waits for, or for the next deadline.
    fn wait(&self, work: &Work<ProberOrder>) -> io::Result<()> {
        let deadline = self.flights.iter().filter_map(|f| f.deadline).min();
        // Without any, nothing of ours can be late.
        work.pulse().sleep_until(deadline.unwrap_or(Mono(u64::MAX)));
        let wait = deadline.map(|deadline| {
            // Not a moment too early, or it would be waited for once more.
            clock::wait(deadline.since(clock::now())) + Duration::from_millis(1)
        });
        let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
        let bell = work.bell().map(|bell| (bell, PollFlags::IN));
        let waited = bell
            .into_iter()
            .chain(self.flights.iter().filter_map(Flight::waits_for));
        let waited: Vec<_> = waited.collect();
        let mut fds: Vec<PollFd<'_>> = waited
            .iter()
            .map(|(fd, flags)| PollFd::from_borrowed_fd(*fd, *flags))
            .collect();
        match poll(&mut fds, wait.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Lets every flight go on as far as it can without waiting.
    fn go_on(&mut self) {
        for mut flight in std::mem::take(&mut self.flights) {
            match flight.what {
                What::Talks(mut talk) => match talk.go_on() {
                    Step::Waits => {
                        flight.what = What::Talks(talk);
                        self.flights.push(flight);
                    }
                    Step::Over(probed) => self.answer(flight.order, probed),
                },
                What::Runs(child) => match child.look() {
                    End::NotYet => {
                        flight.what = What::Runs(child);
                        self.flights.push(flight);
                    }
                    End::Reaped(exit) => {
                        let probed = child::judge(exit, flight.order.key.1);
                        self.answer(flight.order, probed);
                    }
                },
                What::Dies(child) => {
                    if child.look() == End::NotYet {
                        flight.what = What::Dies(child);
                        self.flights.push(flight);
                    }
                }
                What::Awaited => self.flights.push(flight),
            }
        }
    }

    fn obey(&mut self, order: ProberOrder, now: Mono) {
        match order {
            ProberOrder::Probe(order) => {
                if let Some(probed) = self.begin(order, now) {
                    self.answer(order, probed);
                }
            }
            ProberOrder::Born(order, born) => self.take_up(order, born, now),
            ProberOrder::Quit => self.flights.clear(),
        }
    }

    /// Begins a probe; returns what came of it if that is known at once.
    fn begin(&mut self, order: ProbeOrder, now: Mono) -> Option<Probed> {
        let plan = self.plans.get(&order.key)?.clone();
        if let Some(probed) = self.clear_the_way(order) {
            return Some(probed);
        }
        let deadline = Some(now.after(plan.timeout));
        let what = match plan.way {
            Way::Tcp(target) => match Talk::connect(&target, None) {
                Ok(talk) => What::Talks(talk),
                Err(probed) => return Some(probed),
            },
            Way::Http(url) => match Talk::connect(&url.target, Some(talk::request(&url))) {
                Ok(talk) => What::Talks(talk),
                Err(probed) => return Some(probed),
            },
            Way::Exec(_) | Way::Unreachable(_) => {
                match spawner_of(&self.spawners, order.key.0).give(now, SpawnOrder::Probe(order)) {
                    Ok(()) => What::Awaited,
                    Err(_) => return Some(Probed::Unsure(Ill::Busy)),
                }
            }
            Way::File { path, max_age } => {
                let watched = self.files.entry(order.key).or_default();
                return Some(watched.look(&path, max_age, order.run));
            }
        };
        // Its time counts from when it runs; until then the core is patient.
        let deadline = deadline.filter(|_| !matches!(what, What::Awaited));
        let mut flight = Flight {
            order,
            deadline,
            what,
        };
        // A connection within the machine is usually there at once.
        if let What::Talks(talk) = &mut flight.what
            && let Step::Over(probed) = talk.go_on()
        {
            return Some(probed);
        }
        self.flights.push(flight);
        None
    }

    /// Ends what is left of an earlier probe of the same kind. If that cannot be ended, what there is
    /// to say of the new one.
    fn clear_the_way(&mut self, order: ProbeOrder) -> Option<Probed> {
        let of_kind = |flight: &Flight| flight.order.key == order.key;
        let at = self.flights.iter().position(of_kind)?;
        let flight = self.flights.swap_remove(at);
        let same_run = flight.order.run == order.run;
        let (what, probed) = match flight.what {
            What::Talks(_) => return None,
            What::Awaited => (What::Awaited, Probed::Unsure(Ill::Busy)),
            What::Runs(child) => {
                child.kill();
                (What::Dies(child), Probed::Unsure(Ill::Busy))
            }
            // It hangs beyond killing: so would the next one.
            What::Dies(child) if same_run => (What::Dies(child), Probed::Bad(Ill::TimedOut)),
            What::Dies(child) => (What::Dies(child), Probed::Unsure(Ill::Busy)),
        };
        self.flights.push(Flight {
            what,
            deadline: None,
            ..flight
        });
        Some(probed)
    }

    /// The spawner has answered.
    fn take_up(&mut self, order: ProbeOrder, born: Result<ProbeChild, Errno>, now: Mono) {
        let is_it = |f: &Flight| f.order == order && matches!(f.what, What::Awaited);
        let Some(at) = self.flights.iter().position(is_it) else {
            // Nobody waits for it: it is killed with what is dropped here.
            return;
        };
        match born {
            Ok(child) => {
                let timeout = self.plans.get(&order.key).map(|plan| plan.timeout);
                self.flights[at].deadline = timeout.map(|timeout| now.after(timeout));
                self.flights[at].what = What::Runs(child);
            }
            Err(errno) => {
                self.flights.swap_remove(at);
                self.answer(order, Probed::Unsure(Ill::Errno(errno)));
            }
        }
    }

    /// Gives up what has taken too long.
    fn give_up(&mut self, now: Mono) {
        let overdue = |f: &Flight| f.deadline.is_some_and(|deadline| deadline <= now);
        while let Some(at) = self.flights.iter().position(overdue) {
            let mut flight = self.flights.swap_remove(at);
            let deadline = flight.deadline.take().unwrap_or(now);
            let order = flight.order;
            let probed = match (now.since(deadline) >= HELD_UP, order.key.1) {
                (true, _) => Probed::Unsure(Ill::Busy),
                // It has a limit of its own, far below.
                (false, ProbeKind::Isolation) => Probed::Unsure(Ill::TimedOut),
                (false, ProbeKind::Startup | ProbeKind::Readiness | ProbeKind::Liveness) => {
                    Probed::Bad(Ill::TimedOut)
                }
            };
            if let What::Runs(child) = flight.what {
                child.kill();
                flight.what = What::Dies(child);
                self.flights.push(flight);
            }
            self.answer(order, probed);
        }
    }

    /// Answers the core. That a service is still well is no reason to wake it.
    fn answer(&mut self, order: ProbeOrder, probed: Probed) {
        let (service, kind) = order.key;
        let fact = Fact::Child {
            service,
            run: order.run,
            change: Change::Probed {
                kind,
                attempt: order.attempt,
                probed,
            },
        };
        let before = self.answered.insert(order.key, (order.run, probed));
        let same = before == Some((order.run, Probed::Good)) && probed == Probed::Good;
        match self.plans.get(&order.key).filter(|_| same) {
            Some(plan) => {
                let patience = NO_NEWS.min(plan.interval / 2);
                self.inbox.send_by(fact, clock::now().after(patience));
            }
            None => self.inbox.send(fact),
        }
    }
}

#[cfg(test)]
mod tests;

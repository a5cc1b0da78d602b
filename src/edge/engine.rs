//! The engine thread: asks container engines for what they keep for us, and says how that stands.
//!
//! ```text
//! order ──► start, kill, unpause ──► done
//! an event, or time ──► look ──► how the container stands, if that is new
//!                          └── it is down ──► events of its latest life ──► whether it was stopped
//! ```
//!
//! Terms: a *host* is one engine behind its socket; a *flight* is a question that is on its way; a
//! *look* is the question how one container stands; the *news* are the events of a host as they come.
//! A host that cannot be asked, or does not answer a ping, is *silent*: then nothing is known of its
//! containers, which is neither up nor down. Where it answers, but not about one container, nothing is
//! known of that one alone.
//!
//! Never decides, and never waits for an engine: all questions are asked side by side, each with its
//! deadline. An answer is bounded, and nonsense is no answer.

mod ask;
mod events;
mod http;
mod inspect;
mod look;
mod silence;
mod talk;

pub use ask::look_once;

use super::clock;
use super::inbox::Inbox;
use super::keeper::KeeperOrder;
use super::orders::Work;
use crate::core::action::Signal;
use crate::core::fact::{Errno, Fact, Fault, Life, OrderId, ServiceId, Standing};
use crate::core::settings::{Engine, Keeper};
use crate::units::Mono;
use inspect::Seen;
use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use talk::{Step, Talk, question};

/// Reads whatever an engine may have answered: however it is cut, it says the same.
#[cfg(any(test, fuzzing))]
pub(super) fn hostile(bytes: &[u8]) {
    let heard = |pieces: [&[u8]; 2]| {
        let mut answer = http::Answer::new();
        let good = pieces.iter().all(|piece| answer.hear(piece).is_ok());
        good.then_some(answer)
    };
    let at = bytes.len() / 3;
    let (whole, cut) = (heard([bytes, b""]), heard([&bytes[..at], &bytes[at..]]));
    if let (Some(whole), Some(cut)) = (&whole, &cut) {
        assert_eq!((whole.status(), whole.body()), (cut.status(), cut.body()));
    }
    for text in whole.iter().map(http::Answer::body).chain([bytes]) {
        if let Some(seen) = inspect::seen(text) {
            events::was_told(text, &seen);
        }
        for line in text.split(|b| *b == b'\n') {
            let _ = events::Event::read(line);
        }
    }
}

/// How long an engine is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Patience {
    /// For an answer.
    answer: Duration,
    /// For that to a start, which comes when the container runs: its file systems and its network are
    /// made until then.
    start: Duration,
    /// From one look to the next where no news are to be had.
    deaf: Duration,
}

/// An engine answers within milliseconds, and starts a container within a second; a busy Pi may take
/// ten times that, and more.
const PATIENCE: Patience = Patience {
    answer: Duration::from_secs(10),
    start: Duration::from_secs(60),
    deaf: Duration::from_secs(5),
};

/// Told of an order that was not answered. It may have been carried out.
const UNANSWERED: Fault = Fault::Errno(Errno(libc::ETIMEDOUT));

/// Told of an order that was refused. Nothing of the kernel's is left of it.
const REFUSED: Fault = Fault::Errno(Errno(libc::ECANCELED));

/// A container that an engine keeps for us.
struct Container {
    service: ServiceId,
    name: Box<str>,
    /// Where it is kept: a place in the list of hosts.
    host: usize,
    /// Its number there, once it was seen.
    id: Option<String>,
    stop_signal: String,
    paused: bool,
    /// What was said of it last.
    said: Option<Standing>,
    /// Something is to be said of it, new or not.
    owed: bool,
    /// When it is looked at next for a reason of its own.
    due: Option<Mono>,
    looked: Mono,
    /// When the latest event of it came.
    news: Mono,
    /// It is looked at once more after the next look.
    again: bool,
    /// The time from that look to the one after it, while it is on its way up or down.
    pace: Duration,
    /// A look at it is on its way.
    in_sight: bool,
    /// The latest look was not answered in time: the next one comes so long after that.
    stuck: Option<Duration>,
    /// It was up when something was known of it last.
    was_up: bool,
    /// It is down, and nobody knows yet whether somebody has stopped it.
    doubt: Option<Doubt>,
    /// What was found of its latest end.
    found: Option<Found>,
    /// We have had this life of it ended.
    ours: Option<Life>,
    /// Its host fell silent while it was up, or its news ended: the engine may have taken it along.
    lost: bool,
    /// That its engine may start it again was told.
    warned: bool,
}

/// What was found of an end.
#[derive(Clone, Copy)]
struct Found {
    /// When that was.
    end: Timestamp,
    /// Somebody has brought it about.
    told: bool,
    /// The engine may have, by ending itself.
    lost: bool,
}

/// What is not known of a container that is down.
struct Doubt {
    seen: Seen,
    /// When the engine is asked; `None` while it is.
    due: Option<Mono>,
    /// Since when it is not known, and how long it may take until all has been told.
    since: Mono,
    until: Mono,
}

/// One engine.
struct Host {
    engine: Engine,
    socket: PathBuf,
    silent: bool,
    /// The time to the next question to one that is silent.
    wait: Duration,
    /// When all of its containers are looked at next; while it is silent, when it is asked whether it
    /// is there.
    next: Mono,
    /// Its news are on their way, and nothing was wrong with them yet.
    heard: bool,
    /// When its news are asked for again, if they are not on their way.
    listen: Mono,
    /// The time from one such question to the next.
    rest: Duration,
}

/// What is on its way.
enum What {
    /// The news of a host.
    News,
    /// Whether it is there.
    Ping,
    /// A look at a container.
    Look(usize),
    /// Whether somebody stopped it.
    History(usize),
    /// This order.
    Order(usize, OrderId, Asked),
}

/// What a container was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asked {
    Start,
    /// To go on where it is frozen, in order to end then.
    Unpause(Signal),
    Kill(Signal),
}

struct Flight {
    host: usize,
    talk: Talk,
    deadline: Option<Mono>,
    what: What,
}

/// The engine thread's own state.
pub struct Engines {
    hosts: Vec<Host>,
    containers: Vec<Container>,
    flights: Vec<Flight>,
    /// Nobody may be asked.
    barred: bool,
    patience: Patience,
    inbox: Inbox,
}

impl Engines {
    /// Ready to ask for these; those that no engine keeps are left out. `barred`: no engine may be
    /// asked, and nothing is known.
    pub fn new(kept: &[(ServiceId, Keeper)], barred: bool, inbox: Inbox) -> Engines {
        let mut engines = Engines {
            hosts: Vec::new(),
            containers: Vec::new(),
            flights: Vec::new(),
            barred,
            patience: PATIENCE,
            inbox,
        };
        for (service, keeper) in kept {
            if let Keeper::Engine {
                engine,
                socket,
                container,
                ..
            } = keeper
            {
                let host = engines.host(*engine, socket);
                engines
                    .containers
                    .push(Container::new(*service, container, host));
            }
        }
        engines
    }

    fn host(&mut self, engine: Engine, socket: &str) -> usize {
        let socket = PathBuf::from(socket);
        let known = self.hosts.iter().position(|host| host.socket == socket);
        known.unwrap_or_else(|| {
            self.hosts.push(Host::new(engine, socket));
            self.hosts.len() - 1
        })
    }

    /// Carries out orders and looks, until told to quit.
    ///
    /// # Errors
    /// When the kernel cannot wait for descriptors, which leaves nothing to do here.
    pub fn run(mut self, work: &Work<KeeperOrder>) -> io::Result<()> {
        if self.barred {
            (0..self.hosts.len()).for_each(|host| self.fall_silent(host, &Fault::Absent));
        }
        loop {
            self.set_out(clock::now());
            self.wait(work)?;
            self.go_on();
            work.silence();
            while let Some(order) = work.take() {
                let quit = matches!(order, KeeperOrder::Quit);
                self.obey(order);
                // What becomes of it is told when it is answered, or not in time.
                work.finish(clock::now());
                if quit {
                    return Ok(());
                }
            }
            self.give_up(clock::now());
        }
    }

    fn wait(&self, work: &Work<KeeperOrder>) -> io::Result<()> {
        let next = self.next();
        work.pulse().sleep_until(next.unwrap_or(Mono(u64::MAX)));
        let wait = next.map(|next| {
            // Not a moment too early, or it would be waited for once more.
            clock::wait(next.since(clock::now())) + Duration::from_millis(1)
        });
        let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
        let bell = work.bell().map(|bell| (bell, PollFlags::IN));
        let talks = self.flights.iter().map(|flight| flight.talk.waits_for());
        let waited: Vec<_> = bell.into_iter().chain(talks).collect();
        let mut fds: Vec<PollFd<'_>> = waited
            .iter()
            .map(|(fd, flags)| PollFd::from_borrowed_fd(*fd, *flags))
            .collect();
        match poll(&mut fds, wait.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// When something is to be done without being told.
    fn next(&self) -> Option<Mono> {
        if self.barred {
            return None;
        }
        let deadlines = self.flights.iter().filter_map(|flight| flight.deadline);
        let hosts = self.hosts.iter().enumerate();
        let hosts = hosts.flat_map(|(at, host)| {
            let listens = !host.silent && !self.listens_to(at);
            [Some(host.next), listens.then_some(host.listen)]
        });
        let own = self
            .containers
            .iter()
            .enumerate()
            .flat_map(|(at, container)| {
                // One whose turn has yet to come is waited for by the end of what is on its way.
                let due = container.due.filter(|_| self.may_look(at));
                let doubt = container.doubt.as_ref().and_then(|doubt| doubt.due);
                [due, doubt].map(|due| due.filter(|_| !self.hosts[container.host].silent))
            });
        deadlines.chain(hosts.flatten()).chain(own.flatten()).min()
    }

    fn listens_to(&self, host: usize) -> bool {
        let news = |flight: &Flight| flight.host == host && matches!(flight.what, What::News);
        self.flights.iter().any(news)
    }

    /// Asks. Returns whether that could be done; if not, the host is silent.
    fn ask(&mut self, host: usize, question: Vec<u8>, what: What, time: Option<Duration>) -> bool {
        match Talk::begin(&self.hosts[host].socket, question) {
            Ok(talk) => {
                self.flights.push(Flight {
                    host,
                    talk,
                    deadline: time.map(|time| clock::now().after(time)),
                    what,
                });
                true
            }
            Err(why) => {
                self.cannot_ask(host, what, &why);
                false
            }
        }
    }

    /// Lets every flight go on as far as it can without waiting.
    fn go_on(&mut self) {
        let mut next = 0;
        while next < self.flights.len() {
            let mut flight = self.flights.swap_remove(next);
            let step = flight.talk.go_on();
            if let What::News = flight.what {
                self.hear(flight.host, &mut flight.talk);
            }
            match step {
                Ok(Step::Waits) => {
                    self.flights.push(flight);
                    let last = self.flights.len() - 1;
                    self.flights.swap(next, last);
                    next += 1;
                }
                Ok(Step::Over) => self.answered(flight),
                Err(why) => self.fail(flight.host, flight.what, &why),
            }
        }
    }

    fn answered(&mut self, flight: Flight) {
        let answer = flight.talk.answer;
        let status = answer.status().unwrap_or_default();
        match flight.what {
            What::News => self.lose_news(flight.host, Some((status, answer.body()))),
            What::Ping => self.be_heard(flight.host),
            What::Look(at) => self.seen(at, status, answer.body()),
            What::History(at) => self.judge(at, status, answer.body()),
            What::Order(at, order, asked) => self.carried_out(at, order, asked, &answer),
        }
    }

    /// Gives up what has taken too long.
    fn give_up(&mut self, now: Mono) {
        let late = |flight: &Flight| flight.deadline.is_some_and(|deadline| deadline <= now);
        while let Some(at) = self.flights.iter().position(late) {
            let flight = self.flights.swap_remove(at);
            match flight.what {
                // A start may take long. Whether the engine is stuck, the look tells that follows.
                What::Order(at, order, _) => self.done(at, order, Err(UNANSWERED)),
                what => self.fail(flight.host, what, &UNANSWERED),
            }
        }
    }

    fn obey(&mut self, order: KeeperOrder) {
        let (order, service, asked) = match order {
            KeeperOrder::Start { order, service } => (order, service, Asked::Start),
            KeeperOrder::Signal {
                order,
                service,
                signal,
                ..
            } => (order, service, Asked::Kill(signal)),
            KeeperOrder::Quit => return,
        };
        let mut containers = self.containers.iter_mut();
        let Some(at) = containers.position(|container| container.service == service) else {
            return self.inbox.send(Fact::Done {
                order,
                outcome: Err(Fault::Absent),
            });
        };
        let container = &mut self.containers[at];
        let asked = match asked {
            Asked::Start => {
                container.ours = None;
                self.overlook(at);
                asked
            }
            Asked::Kill(signal) | Asked::Unpause(signal) => {
                container.ours = Some(match container.said {
                    Some(Standing::Up { life, .. }) => life,
                    _ => container.ours.unwrap_or(Life(0)),
                });
                match container.paused {
                    // What is frozen heeds nothing but KILL, and Podman refuses even that.
                    true => Asked::Unpause(signal),
                    false => asked,
                }
            }
        };
        self.tell(at, order, asked);
    }

    fn tell(&mut self, at: usize, order: OrderId, asked: Asked) {
        if self.barred {
            return self.done(at, order, Err(Fault::Absent));
        }
        let container = &self.containers[at];
        let (name, patience) = (&container.name, self.patience);
        let (what, time) = match asked {
            Asked::Start => (format!("/containers/{name}/start"), patience.start),
            Asked::Unpause(_) => (format!("/containers/{name}/unpause"), patience.answer),
            Asked::Kill(signal) => {
                let signal = match signal {
                    Signal::Stop | Signal::Abort | Signal::Restart => &container.stop_signal,
                    Signal::Kill => "SIGKILL",
                };
                let what = format!("/containers/{name}/kill?signal={signal}");
                (what, patience.answer)
            }
        };
        let what = (question("POST", &what), What::Order(at, order, asked));
        self.ask(container.host, what.0, what.1, Some(time));
    }

    fn carried_out(&mut self, at: usize, order: OrderId, asked: Asked, answer: &http::Answer) {
        let status = answer.status().unwrap_or_default();
        let outcome = match (asked, status) {
            // It runs already, or there is nothing left to end.
            (_, 200..=299) | (Asked::Start, 304) => Ok(()),
            (Asked::Kill(_) | Asked::Unpause(_), 304 | 404 | 409) => Ok(()),
            _ => {
                let (name, said) = (&self.containers[at].name, message(answer.body()));
                let verb = match asked {
                    Asked::Start => "start",
                    Asked::Kill(_) => "kill",
                    Asked::Unpause(_) => "unpause",
                };
                log::warn!("container {name}: {verb}: status {status}: {said}");
                Err(REFUSED)
            }
        };
        match asked {
            // It may have gone on meanwhile: what counts is whether it can be told to end.
            Asked::Unpause(signal) => {
                self.containers[at].paused = false;
                self.tell(at, order, Asked::Kill(signal));
            }
            Asked::Start | Asked::Kill(_) => self.done(at, order, outcome),
        }
    }

    /// An order is over. How the container stands is said after that in any case, so that the core does
    /// not take what it hears for older than its order: so what was asked before is of no use.
    fn done(&mut self, at: usize, order: OrderId, outcome: Result<(), Fault>) {
        self.inbox.send(Fact::Done { order, outcome });
        self.overlook(at);
        self.containers[at].owed = true;
        self.look_soon(at);
    }
}

/// What an engine says of a refusal.
fn message(body: &[u8]) -> String {
    let said: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let text = said.as_ref().and_then(|said| said.get("message")?.as_str());
    let text = text.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned);
    text.trim().chars().take(500).collect()
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

//! When a container is looked at, and what is said of it then.

use super::events::{self, Event, Told};
use super::inspect::{self, Seen};
use super::talk::{Talk, question};
use super::{Asked, Container, Doubt, Engines, Found, Host, What, message};
use crate::core::fact::{Exit, Fact, Fault, Obstacle, ServiceId, Standing};
use crate::core::settings::Engine;
use crate::edge::clock;
use crate::units::Mono;
use std::path::PathBuf;
use std::time::Duration;

/// Time from one look at all containers of a host to the next, while its news come.
pub(super) const IDLE: Duration = Duration::from_secs(60);

/// Least time between two looks at one container, however many events there are of it.
pub(super) const LEAST: Duration = Duration::from_millis(100);

/// After an event or an order a container is looked at once more after this time: some changes are told
/// before they have taken place.
pub(super) const AFTER: Duration = Duration::from_secs(1);

/// The longest time from one look to the next at a container that is on its way up or down.
const LONGEST: Duration = Duration::from_secs(10);

/// Looks at containers of one host that may be on their way at a time.
const ABREAST: usize = 4;

/// News that ended are asked for again after this time, and each next time after twice as long, up to
/// the second of these.
pub(super) const REST: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Podman tells of a stop when it is over, and takes its events from a journal: it is asked after this
/// time.
const LAG: Duration = Duration::from_millis(300);

/// One that has ended as stopped ones do may have been stopped, as long as its news go on, and for
/// this time after the latest of them: for the start of a program on a busy Pi. Any other for the
/// second time.
const CLEANING: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(1));

/// No doubt lasts for longer.
const DOUBTFUL: Duration = Duration::from_secs(15);

impl Container {
    pub(super) fn new(service: ServiceId, name: &str, host: usize) -> Container {
        Container {
            service,
            name: name.into(),
            host,
            id: None,
            stop_signal: "SIGTERM".to_owned(),
            paused: false,
            said: None,
            owed: false,
            due: None,
            looked: Mono(0),
            news: Mono(0),
            again: false,
            pace: LEAST,
            in_sight: false,
            stuck: None,
            was_up: false,
            doubt: None,
            found: None,
            ours: None,
            lost: false,
            warned: false,
        }
    }

    /// It will not stay so: it is looked at again, later each time.
    fn look_again(&mut self) {
        self.pace = (self.pace * 2).min(LONGEST);
        let again = self.looked.after(self.pace);
        self.due = Some(self.due.map_or(again, |due| due.min(again)));
    }
}

impl Host {
    pub(super) fn new(engine: Engine, socket: PathBuf) -> Host {
        Host {
            engine,
            socket,
            silent: false,
            wait: super::silence::FIRST,
            next: Mono(0),
            heard: false,
            listen: Mono(0),
            rest: REST.0,
        }
    }
}

impl Engines {
    /// Asks all that is to be asked by now.
    pub(super) fn set_out(&mut self, now: Mono) {
        if self.barred {
            return;
        }
        for host in 0..self.hosts.len() {
            if self.hosts[host].next <= now {
                self.look_at_all(host, now);
            }
            let own = &self.hosts[host];
            if !own.silent && own.listen <= now && !self.listens_to(host) {
                self.listen_to(host);
            }
        }
        for at in 0..self.containers.len() {
            self.look(at, now);
            self.ask_history(at, now);
        }
    }

    /// One that is silent is only asked whether it is there: a single container may have no answer.
    fn look_at_all(&mut self, host: usize, now: Mono) {
        let silent = self.hosts[host].silent;
        let own = &mut self.hosts[host];
        own.next = now.after(match (silent, own.heard) {
            (true, _) => self.patience.answer,
            (false, true) => IDLE,
            (false, false) => self.patience.deaf,
        });
        if silent {
            return self.ping(host);
        }
        for container in self.containers.iter_mut().filter(|c| c.host == host) {
            container.due.get_or_insert(now);
        }
    }

    /// Something has become of it, or is about to.
    pub(super) fn look_soon(&mut self, at: usize) {
        let container = &mut self.containers[at];
        (container.again, container.pace) = (true, LEAST);
        container.due = Some(container.looked.after(LEAST));
    }

    fn look(&mut self, at: usize, now: Mono) {
        let due = self.containers[at].due.is_some_and(|due| due <= now);
        if due && self.may_look(at) {
            self.begin_look(at, now);
        }
    }

    /// Whether one that is due is looked at: not while it is being started, as an engine may not answer
    /// about it until then, nor while as many looks are on their way as may be. Those at containers
    /// that had no answer hold up no others.
    pub(super) fn may_look(&self, at: usize) -> bool {
        let container = &self.containers[at];
        let host = container.host;
        if container.in_sight || self.hosts[host].silent {
            return false;
        }
        let (mut abreast, mut starts) = (0, false);
        for flight in self.flights.iter().filter(|flight| flight.host == host) {
            match flight.what {
                What::Look(other) => abreast += usize::from(self.containers[other].stuck.is_none()),
                What::Order(other, _, Asked::Start) => starts |= other == at,
                What::Order(..) | What::News | What::Ping | What::History(_) => {}
            }
        }
        !starts && (container.stuck.is_some() || abreast < ABREAST)
    }

    /// What was asked of it until now is of no use any more.
    pub(super) fn overlook(&mut self, at: usize) {
        let asks = |what: &What| matches!(what, What::Look(of) | What::History(of) if *of == at);
        self.flights.retain(|flight| !asks(&flight.what));
        let container = &mut self.containers[at];
        (container.in_sight, container.doubt) = (false, None);
    }

    fn begin_look(&mut self, at: usize, now: Mono) {
        let container = &mut self.containers[at];
        (container.in_sight, container.looked) = (true, now);
        let again = std::mem::take(&mut container.again);
        container.due = again.then(|| now.after(AFTER));
        let asked = question("GET", &format!("/containers/{}/json", container.name));
        let host = container.host;
        self.ask(host, asked, What::Look(at), Some(self.patience.answer));
    }

    /// A look was answered.
    pub(super) fn seen(&mut self, at: usize, status: u16, body: &[u8]) {
        let container = &mut self.containers[at];
        (container.in_sight, container.stuck) = (false, None);
        match (status, inspect::seen(body)) {
            (200, Some(seen)) => self.take_in(at, seen),
            (404, _) => {
                let container = &mut self.containers[at];
                (container.id, container.paused, container.doubt) = (None, false, None);
                let missing = Standing::Down {
                    exit: Exit::Unknown,
                    // Somebody has removed it.
                    told: true,
                    obstacle: Some(Obstacle::Missing),
                };
                self.say(at, missing);
            }
            (200, None) => self.say_unknown(at, &Fault::Implausible),
            (status, _) => {
                let (name, said) = (&self.containers[at].name, message(body));
                log::warn!("container {name}: status {status}: {said}");
                self.say_unknown(at, &Fault::Implausible);
            }
        }
    }

    fn take_in(&mut self, at: usize, seen: Seen) {
        let container = &mut self.containers[at];
        container.id = Some(seen.id.clone());
        container.stop_signal.clone_from(&seen.stop_signal);
        container.paused = seen.paused;
        if let (Some(policy), false) = (&seen.policy, container.warned) {
            container.warned = true;
            log::warn!(
                "container {}: its engine starts it again, too (restart policy {policy}): each of those \
                 starts counts as a restart; with `--restart=no` only the backoff of the service is in \
                 force",
                container.name
            );
        }
        match seen.standing {
            Standing::Up { life, .. } => {
                (container.doubt, container.lost) = (None, false);
                container.ours.take_if(|ours| *ours != life);
            }
            Standing::Down { .. } if seen.has_ended() => return self.take_in_end(at, seen),
            _ => container.doubt = None,
        }
        self.say(at, seen.standing);
    }

    /// It is down: whether somebody stopped it is known, or has to be asked.
    fn take_in_end(&mut self, at: usize, seen: Seen) {
        let container = &mut self.containers[at];
        let found = container
            .found
            .filter(|found| Some(found.end) == seen.ended);
        let told = match (found, container.ours) {
            (Some(found), _) => found.told,
            (None, Some(_)) => true,
            (None, None) => return self.doubt(at, seen),
        };
        self.settle(at, seen, told);
    }

    fn doubt(&mut self, at: usize, seen: Seen) {
        let now = clock::now();
        let container = &mut self.containers[at];
        let podman = self.hosts[container.host].engine == Engine::Podman;
        let cleaning = match seen.may_be_stopped() {
            true => CLEANING.0,
            false => CLEANING.1,
        };
        let news = container.news;
        let known = container.doubt.as_mut();
        if let Some(doubt) = known.filter(|doubt| doubt.seen.ended == seen.ended) {
            if news > doubt.since && podman {
                let until = news.after(cleaning);
                doubt.due = Some(now);
                doubt.until = until.min(doubt.since.after(DOUBTFUL)).max(doubt.until);
            }
            return;
        }
        let until = if podman { now.after(cleaning) } else { now };
        container.doubt = Some(Doubt {
            seen,
            due: Some(if podman { now.after(LAG) } else { now }),
            since: now,
            until,
        });
        if podman {
            self.say(at, Standing::Going);
        }
    }

    fn ask_history(&mut self, at: usize, now: Mono) {
        let container = &mut self.containers[at];
        let silent = self.hosts[container.host].silent;
        let Some(doubt) = container.doubt.as_mut().filter(|_| !silent) else {
            return;
        };
        if doubt.due.take_if(|due| *due <= now).is_some() {
            let asked = question("GET", &events::history(&doubt.seen, clock::wall()));
            let host = container.host;
            self.ask(host, asked, What::History(at), Some(self.patience.answer));
        }
    }

    /// The engine has told what became of the latest life of one that is down.
    pub(super) fn judge(&mut self, at: usize, status: u16, body: &[u8]) {
        let container = &mut self.containers[at];
        let Some(mut doubt) = container.doubt.take() else {
            return;
        };
        let told = match status {
            200 => events::was_told(body, &doubt.seen),
            _ => Told::No,
        };
        if told == Told::Perhaps {
            // That it was a stop is told when it is over.
            doubt.until = doubt.until.max(doubt.since.after(CLEANING.0));
        }
        let told = told == Told::Yes;
        if !told && clock::now() < doubt.until {
            doubt.due = Some(doubt.due.map_or(doubt.until, |due| due.min(doubt.until)));
            container.doubt = Some(doubt);
            return;
        }
        if status != 200 {
            // Whoever stopped it may see it started again: better than one that stays down.
            let (name, said) = (&container.name, message(body));
            log::warn!("container {name}: events of its end: status {status}: {said}");
        }
        self.settle(at, doubt.seen, told);
    }

    fn settle(&mut self, at: usize, seen: Seen, told: bool) {
        let container = &mut self.containers[at];
        container.doubt = None;
        let found = container
            .found
            .filter(|found| Some(found.end) == seen.ended);
        // An engine that ends takes its containers along: that is no end of theirs. The next one is.
        let lost = match found {
            Some(found) => found.lost,
            None => std::mem::take(&mut container.lost),
        };
        container.found = seen.ended.map(|end| Found { end, told, lost });
        if seen.out_of_memory && found.is_none() {
            let name = &container.name;
            log::warn!("container {name}: the kernel killed it for want of memory (OOMKilled)");
        }
        let standing = match seen.standing {
            Standing::Down { exit, obstacle, .. } => Standing::Down {
                exit: if lost && !told { Exit::Unknown } else { exit },
                told,
                obstacle,
            },
            other => other,
        };
        self.say(at, standing);
    }

    fn say(&mut self, at: usize, standing: Standing) {
        let container = &mut self.containers[at];
        let changing = matches!(standing, Standing::Coming { .. } | Standing::Going);
        if changing && container.doubt.is_none() {
            container.look_again();
        }
        match standing {
            Standing::Unknown { .. } => {}
            Standing::Up { .. } => container.was_up = true,
            Standing::Coming { .. } | Standing::Going | Standing::Down { .. } => {
                container.was_up = false;
            }
        }
        let same = container.said.as_ref() == Some(&standing);
        if same && !container.owed {
            return;
        }
        (container.said, container.owed) = (Some(standing.clone()), false);
        let service = container.service;
        self.inbox.send(Fact::Kept { service, standing });
    }

    pub(super) fn say_unknown(&mut self, at: usize, why: &Fault) {
        let container = &mut self.containers[at];
        container.doubt = None;
        container.look_again();
        if !matches!(container.said, Some(Standing::Unknown { .. })) {
            let why = why.clone();
            self.say(at, Standing::Unknown { why });
        }
    }

    fn listen_to(&mut self, host: usize) {
        let of_host = self.containers.iter().filter(|c| c.host == host);
        let names = of_host.map(|container| &*container.name);
        let asked = events::stream(self.hosts[host].engine, names);
        self.ask(host, question("GET", &asked), What::News, None);
    }

    /// Takes in what has come of the news of a host.
    pub(super) fn hear(&mut self, host: usize, talk: &mut Talk) {
        if talk.answer.status() != Some(200) {
            return;
        }
        let own = &mut self.hosts[host];
        if !std::mem::replace(&mut own.heard, true) {
            // What has happened until now, no news will tell.
            (own.next, own.rest) = (Mono(0), REST.0);
        }
        while let Some(line) = talk.answer.take_line() {
            let event = Event::read(&line);
            for at in 0..self.containers.len() {
                let container = &self.containers[at];
                let concerned = event.as_ref().is_none_or(|event| {
                    event.is_of(container.id.as_deref(), &container.name) && !event.is_idle()
                });
                if container.host == host && concerned {
                    self.containers[at].news = clock::now();
                    self.look_soon(at);
                }
            }
        }
    }
}

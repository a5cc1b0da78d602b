//! The loop: lets clients in, asks the core for them, and ends what takes too long.

use super::connection::{Connection, busy};
use super::doors::Doors;
use super::{CONNECTIONS_MAX, CORE_WITHIN, FRESH, HealthOrder, Report, TICKET};
use crate::core::fact::{Asker, Fact, Request};
use crate::edge::clock;
use crate::edge::foreign::{self, Caller};
use crate::edge::inbox::Inbox;
use crate::edge::orders::Work;
use crate::units::Mono;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Connections that are taken at one door before those that exist get their turn.
const ADMITTED: usize = 16;

/// Pause after the kernel had no descriptor for a new connection, which stays at its door.
const PAUSE: Duration = Duration::from_millis(500);

/// After so long the core may be asked again although it has never answered: the answer may have been
/// lost when this thread was stuck.
const FORGET: Duration = Duration::from_secs(60);

/// The health thread.
pub(super) struct Server {
    doors: Doors,
    inbox: Inbox,
    work: Work<HealthOrder>,
    connections: Vec<Connection>,
    /// When the core was asked, while it has not answered.
    asked: Option<Mono>,
    /// The latest report, while it is fresh.
    report: Option<(Mono, Box<dyn Report>)>,
    /// Nobody is let in before this.
    closed_until: Option<Mono>,
    over: bool,
}

impl Server {
    pub fn new(doors: Doors, inbox: Inbox, work: Work<HealthOrder>) -> Server {
        Server {
            doors,
            inbox,
            work,
            connections: Vec::with_capacity(CONNECTIONS_MAX),
            asked: None,
            report: None,
            closed_until: None,
            over: false,
        }
    }

    /// Serves until it is told to end.
    pub fn serve(mut self) -> io::Result<()> {
        while !self.over {
            self.doors.open(clock::now(), &self.inbox);
            let woken = self.wait()?;
            let now = clock::now();
            self.go_on(&woken.connections, now);
            if woken.ordered {
                self.obey(now);
            }
            for door in woken.doors {
                self.admit(door, now);
            }
            self.expire(now);
            self.serve_waiting(now);
        }
        self.doors.leave();
        Ok(())
    }

    fn wait(&self) -> io::Result<Woken> {
        let bell = self.work.bell().ok_or(ErrorKind::InvalidInput)?;
        let mut watched = vec![PollFd::from_borrowed_fd(bell, PollFlags::IN)];
        for connection in &self.connections {
            let (socket, flags) = connection.waits_for();
            watched.push(PollFd::from_borrowed_fd(socket, flags));
        }
        let closed = self.closed_until.is_some();
        let doors: Vec<_> = self.doors.listening().filter(|_| !closed).collect();
        let sockets = doors.iter().map(|(_, socket)| *socket);
        watched.extend(sockets.map(|socket| PollFd::from_borrowed_fd(socket, PollFlags::IN)));
        let now = clock::now();
        let due = self.next_deadline();
        let timeout = due.map(|due| span(due.since(now)));
        // It owes nothing while it waits for somebody, and is behind if it does not come back to this.
        let pulse = self.work.pulse();
        pulse.sleep_until(due.unwrap_or(Mono(u64::MAX)));
        let polled = poll(&mut watched, timeout.as_ref());
        pulse.sleep_until(clock::now());
        match polled {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        let told: Vec<PollFlags> = watched.iter().map(PollFd::revents).collect();
        let (connections, at_doors) = told[1..].split_at(self.connections.len());
        let doors = doors
            .iter()
            .zip(at_doors)
            .filter(|(_, told)| !told.is_empty());
        Ok(Woken {
            ordered: !told[0].is_empty(),
            connections: connections.to_vec(),
            doors: doors.map(|((door, _), _)| *door).collect(),
        })
    }

    fn next_deadline(&self) -> Option<Mono> {
        let connections = self.connections.iter().map(Connection::deadline);
        let stale = self.report.as_ref().map(|(at, _)| at.after(FRESH));
        let others = [stale, self.closed_until, self.doors.next_try()];
        connections.chain(others.into_iter().flatten()).min()
    }

    /// Carries out what the core ordered.
    fn obey(&mut self, now: Mono) {
        self.work.silence();
        while let Some(order) = self.work.take() {
            match order {
                HealthOrder::Report(report) => {
                    (self.asked, self.report) = (None, Some((now, report)));
                    self.serve_waiting(now);
                }
                HealthOrder::Quit => self.over = true,
            }
            self.work.finish(now);
        }
    }

    /// Lets those move of which something is told.
    fn go_on(&mut self, told: &[PollFlags], now: Mono) {
        let token = self.doors.token();
        let mut told = told.iter();
        self.connections.retain_mut(|connection| {
            let told = told.next().copied().unwrap_or(PollFlags::empty());
            let gone = told.intersects(PollFlags::HUP | PollFlags::ERR);
            told.is_empty() || connection.go_on(token, gone, now)
        });
    }

    fn admit(&mut self, door: usize, now: Mono) {
        for _ in 0..ADMITTED {
            if foreign::is_full_of_callers() {
                self.closed_until = Some(now.after(PAUSE));
                return;
            }
            match self.doors.accept(door) {
                Ok(socket) => self.admit_one(door, socket, now),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(Errno::AGAIN) => return,
                // No descriptors or no memory: it gets better by itself or by others' deeds.
                Err(_) => {
                    self.closed_until = Some(now.after(PAUSE));
                    return;
                }
            }
        }
    }

    fn admit_one(&mut self, door: usize, socket: OwnedFd, now: Mono) {
        let Some(trust) = self.doors.trust(door) else {
            return;
        };
        if self.connections.len() >= CONNECTIONS_MAX && !self.make_room(now) {
            let _ = Caller::new(socket).write(&busy());
            return;
        }
        let mut connection = Connection::new(socket, trust, now);
        // What it asks is mostly there already; and then it cannot be taken for an idle one.
        if connection.go_on(self.doors.token(), false, now) {
            self.connections.push(connection);
        }
    }

    /// Sends the connection away that has been idle for longest.
    fn make_room(&mut self, now: Mono) -> bool {
        let idle = self.connections.iter().enumerate();
        let idle = idle.filter_map(|(at, connection)| Some((connection.idle_since(now)?, at)));
        let Some((_, at)) = idle.min() else {
            return false;
        };
        self.connections.swap_remove(at);
        true
    }

    /// Gives those who wait what they wait for; asks the core for it if nothing fresh is there.
    fn serve_waiting(&mut self, now: Mono) {
        let waiting = |connection: &Connection| connection.wants().is_some();
        if !self.connections.iter().any(waiting) {
            return;
        }
        if let Some((_, report)) = &self.report {
            self.connections
                .retain_mut(|connection| match connection.wants() {
                    Some(wanted) => connection.give(&report.sheet(wanted), now),
                    None => true,
                });
            return;
        }
        match self.asked {
            None => self.ask(now),
            // It hangs, and nobody needs to wait for what is known.
            Some(at) if now.since(at) >= CORE_WITHIN => {
                self.connections
                    .retain_mut(|connection| match connection.wants() {
                        Some(_) => connection.expire(now),
                        None => true,
                    });
            }
            Some(_) => {}
        }
    }

    fn ask(&mut self, now: Mono) {
        let fact = Fact::Asked {
            ticket: TICKET,
            by: Asker::User(rustix::process::geteuid().as_raw()),
            request: Request::Status,
        };
        // An inbox that is full is one that nobody empties: whoever waits is told so in time.
        self.asked = self.inbox.offer(fact).then_some(now);
    }

    /// Ends what has taken too long.
    fn expire(&mut self, now: Mono) {
        self.closed_until = self.closed_until.filter(|until| *until > now);
        self.asked = self.asked.filter(|at| now.since(*at) < FORGET);
        self.report.take_if(|(at, _)| now.since(*at) >= FRESH);
        self.connections
            .retain_mut(|connection| connection.deadline() > now || connection.expire(now));
    }
}

/// What was told of.
struct Woken {
    ordered: bool,
    connections: Vec<PollFlags>,
    doors: Vec<usize>,
}

/// Rounded up, so that the loop does not wake a moment too early and then wait for nothing.
fn span(d: Duration) -> Timespec {
    let d = d + Duration::from_millis(1);
    Timespec {
        tv_sec: i64::try_from(d.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: d.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests;

//! The loop of the control thread: who may come in, whose turn it is, whose time is over.

use super::answer::{
    Code, Refusal, busy, ending, events_line, hold_too_long, no_answer, no_drill, not_kept,
    not_reloaded, not_shown, status_line, too_slow, word_line,
};
use super::client::{Client, Moved};
use super::request::{self, Wanted};
use super::ring::EventRing;
use super::{
    CLIENTS_MAX, CORE_WITHIN, Control, ControlOrder, Door, FOLLOWERS_MAX, RELOAD_WITHIN,
    REQUEST_MAX, Reply, Running,
};
use crate::config::accounts::Accounts;
use crate::core::action;
use crate::core::fact::{Asker, Fact, Request, Ticket};
use crate::core::settings::Settings;
use crate::edge::clock;
use crate::edge::foreign::{self, Caller};
use crate::edge::inbox::Inbox;
use crate::edge::orders::Work;
use crate::sorted::Map;
use crate::units::Mono;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// epoll's names for what is not a client. Clients begin with 1, and never get that far.
const DOOR: u64 = u64::MAX;
const ORDERS: u64 = u64::MAX - 1;
const EVENTS: u64 = u64::MAX - 2;

/// Connections that are taken in a row before those that exist get their turn.
const ADMITTED: usize = 16;

/// Pause after the kernel had no descriptor for a new connection. Without one the loop would turn
/// as fast as it can, because the connection stays at the door.
const PAUSE: Duration = Duration::from_millis(500);

/// The control thread.
pub(super) struct Server {
    epoll: OwnedFd,
    door: Door,
    settings: Arc<Settings>,
    inbox: Inbox,
    work: Work<ControlOrder>,
    events: Arc<EventRing>,
    /// By the number of their ticket.
    clients: Map<u64, Client>,
    last_ticket: u64,
    /// Requests that the core has and has not answered, and when we stop to count on it. They stay
    /// here when their client leaves: so the inbox never holds more of ours than there are clients.
    open: Map<u64, Mono>,
    /// Nobody is let in before this.
    closed_until: Option<Mono>,
    /// The user we run as.
    own_uid: u32,
    /// Others who may act: who they are is looked up when one of them wants to.
    operators: Vec<String>,
    accounts: Accounts,
    acting: Vec<u32>,
    running: Option<Running>,
    over: bool,
}

impl Server {
    pub fn new(control: Control) -> io::Result<Server> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let door = control.door;
        let watch = |fd, name| epoll::add(&epoll, fd, EventData::new_u64(name), EventFlags::IN);
        watch(door.listener.as_fd(), DOOR)?;
        watch(control.events.bell(), EVENTS)?;
        watch(control.work.bell().ok_or(ErrorKind::InvalidInput)?, ORDERS)?;
        Ok(Server {
            epoll,
            door,
            settings: control.settings,
            inbox: control.inbox,
            work: control.work,
            events: control.events,
            clients: Map::new(),
            last_ticket: 0,
            open: Map::new(),
            closed_until: None,
            own_uid: rustix::process::geteuid().as_raw(),
            operators: control.operators,
            accounts: Accounts::of(Path::new("/etc")),
            acting: Vec::new(),
            running: control.running,
            over: false,
        })
    }

    /// Serves until it is told to end.
    pub fn serve(mut self) {
        /// Descriptors that are told of in one turn: every client, and the three that are not.
        const TOLD: usize = CLIENTS_MAX + 3;
        let mut told = Vec::with_capacity(TOLD);
        while !self.over {
            let timeout = self
                .next_deadline()
                .map(|due| span(due.since(clock::now())));
            told.clear();
            let spare = rustix::buffer::spare_capacity(&mut told);
            match epoll::wait(&self.epoll, spare, timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                // Only a bug can do that, and a thread that is gone would not be missed in time.
                Err(e) => panic!("the control thread cannot wait: {e}"),
            }
            let now = clock::now();
            for event in &told {
                self.turn(*event, now);
            }
            self.expire(now);
            let followed = self.clients.values().any(Client::following);
            self.events.wake(followed);
        }
        self.door.close();
    }

    fn turn(&mut self, event: Event, now: Mono) {
        match event.data.u64() {
            DOOR => self.admit(now),
            ORDERS => self.obey(),
            EVENTS => {
                self.events.silence();
                self.spread(now);
            }
            client => self.move_client(client, event.flags, now),
        }
    }

    /// Lets new clients in.
    fn admit(&mut self, now: Mono) {
        for _ in 0..ADMITTED {
            if foreign::is_full_of_callers() {
                return self.close_for_a_while(now);
            }
            match self.door.listener.accept() {
                Ok((stream, _)) => self.admit_one(stream, now),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::ConnectionAborted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                // No descriptors or no memory: it gets better by itself or by others' deeds.
                Err(_) => return self.close_for_a_while(now),
            }
        }
    }

    fn admit_one(&mut self, stream: UnixStream, now: Mono) {
        // Whatever it does not wait with is told at each call.
        let stream = Caller::new(stream.into());
        let Ok(peer) = getsockopt(&stream, PeerCredentials) else {
            return;
        };
        self.admit_as(stream, peer.uid(), now);
    }

    fn admit_as(&mut self, stream: Caller, uid: u32, now: Mono) {
        if self.clients.len() >= self.places(uid) && !self.make_room(now) {
            let busy = busy(format!("{CLIENTS_MAX} clients are connected"));
            let _ = stream.write(&busy.line());
            return;
        }
        self.last_ticket += 1;
        let (key, client) = (self.last_ticket, Client::new(stream, uid, now));
        let data = EventData::new_u64(key);
        if epoll::add(&self.epoll, client.fd(), data, client.interest).is_ok() {
            self.clients.insert(key, client);
            // What it wants is mostly there already; and then it cannot be taken for an idle one.
            self.move_client(key, EventFlags::IN, now);
        }
    }

    /// How many there may be where this user is one more: some places are kept for those who may act,
    /// so that whoever may only look cannot keep them away.
    fn places(&mut self, uid: u32) -> usize {
        const KEPT: usize = 4;
        let others = CLIENTS_MAX - KEPT;
        if self.clients.len().max(self.open.len()) < others {
            return CLIENTS_MAX;
        }
        self.look_up_operators();
        if self.may_act(uid) {
            CLIENTS_MAX
        } else {
            others
        }
    }

    /// Sends away the client that has been idle for longest, those who may act last.
    fn make_room(&mut self, now: Mono) -> bool {
        self.look_up_operators();
        let idle = self.clients.iter().filter_map(|(key, client)| {
            let since = client.idle_since(now)?;
            Some((self.may_act(client.uid), since, *key))
        });
        let Some((_, _, key)) = idle.min() else {
            return false;
        };
        let what = format!("{CLIENTS_MAX} clients are connected, and this one was idle longest");
        self.dismiss(key, &busy(what));
        true
    }

    fn close_for_a_while(&mut self, now: Mono) {
        self.closed_until = Some(now.after(PAUSE));
        self.listen_for(EventFlags::empty());
    }

    fn listen_for(&self, flags: EventFlags) {
        let data = EventData::new_u64(DOOR);
        // Cannot fail for a descriptor that was added; at worst the loop turns more than it should.
        let _ = epoll::modify(&self.epoll, &self.door.listener, data, flags);
    }

    fn may_act(&self, uid: u32) -> bool {
        uid == 0 || uid == self.own_uid || self.acting.contains(&uid)
    }

    /// Who the operators are, by what is written there now. One who is not there may not act.
    fn look_up_operators(&mut self) {
        if !self.operators.is_empty() && self.accounts.refresh() {
            let names = self.operators.iter();
            let numbers = names.filter_map(|name| self.accounts.user_number(name).ok());
            self.acting = numbers.collect();
        }
    }

    /// Lets one client read or write.
    fn move_client(&mut self, key: u64, flags: EventFlags, now: Mono) {
        let Some(client) = self.clients.get_mut(&key) else {
            return;
        };
        let gone = flags.intersects(EventFlags::HUP | EventFlags::ERR) && !client.asking();
        let moved = match gone {
            true => Moved::Over,
            false if client.asking() => client.read(),
            false => client.write(&self.events, now),
        };
        match moved {
            Moved::Rests => {}
            Moved::Over => return drop(self.forget(key)),
            Moved::TooLong => self.tell(key, request::too_long().line(), now),
            Moved::CutShort => self.tell(key, request::cut_short().line(), now),
            Moved::Asked(line) => self.ask(key, &line, now),
        }
        self.note_interest(key);
    }

    /// Tells epoll what this client waits for now.
    fn note_interest(&mut self, key: u64) {
        let Some(client) = self.clients.get_mut(&key) else {
            return;
        };
        let wanted = client.wanted_interest();
        if wanted == client.interest {
            return;
        }
        client.interest = wanted;
        let data = EventData::new_u64(key);
        if epoll::modify(&self.epoll, client.fd(), data, wanted).is_err() {
            self.forget(key);
        }
    }

    /// A complete request came.
    fn ask(&mut self, key: u64, line: &[u8], now: Mono) {
        debug_assert!(line.len() < REQUEST_MAX, "a client read too much");
        match self.judge(key, line) {
            Ok(Wanted::Core(request)) => self.pass_on(key, request, now),
            Ok(Wanted::Configuration) => self.hand_out(key, now),
            Ok(Wanted::Events { last, follow }) => self.begin_events(key, last, follow, now),
            Err(refusal) => self.tell(key, refusal.line(), now),
        }
    }

    /// Reads a request and checks that its user may make it, and that there is room for it.
    fn judge(&mut self, key: u64, line: &[u8]) -> Result<Wanted, Refusal> {
        let wanted = request::read(line, &self.settings)?;
        let uid = self.clients.get(&key).map_or(u32::MAX, |c| c.uid);
        if wanted == Wanted::Configuration && uid != 0 && uid != self.own_uid {
            return Err(not_shown(uid));
        }
        if wanted.acts() && uid != 0 {
            self.look_up_operators();
        }
        if wanted.acts() && !self.may_act(uid) {
            let what = format!("user {uid} may look, but not start or stop services");
            let help = match self.own_uid {
                0 => "become root, for example with sudo; or root names this user under `operators` of \
                      [control]"
                    .to_owned(),
                own => format!("become root, or user {own} as which the daemon runs"),
            };
            return Err(Refusal::new(Code::NotPermitted, what, help));
        }
        let followers = self.clients.values().filter(|c| c.following()).count();
        match wanted {
            Wanted::Events { follow: true, .. } if followers >= FOLLOWERS_MAX => {
                Err(busy(format!("{FOLLOWERS_MAX} clients follow events")))
            }
            Wanted::Core(_) if self.open.len() >= self.places(uid) => {
                let what = "the core has not answered the last requests yet";
                Err(busy(what.to_owned()))
            }
            Wanted::Configuration | Wanted::Events { .. } | Wanted::Core(_) => Ok(wanted),
        }
    }

    fn pass_on(&mut self, key: u64, request: Request, now: Mono) {
        let Some(client) = self.clients.get_mut(&key) else {
            return;
        };
        let within = match request {
            Request::Reload => RELOAD_WITHIN,
            _ => CORE_WITHIN,
        };
        client.wait(within, now);
        let by = Asker::User(client.uid);
        self.open.insert(key, now.after(within));
        self.inbox.send(Fact::Asked {
            ticket: Ticket(key),
            by,
            request,
        });
    }

    /// Hands out the configuration. One that cannot take it at once never will.
    fn hand_out(&mut self, key: u64, now: Mono) {
        let Some(running) = &self.running else {
            return self.tell(key, not_kept().line(), now);
        };
        if let Some(client) = self.clients.get(&key) {
            let _ = running.hand_to(client.fd());
        }
        self.forget(key);
    }

    fn begin_events(&mut self, key: u64, last: u64, follow: bool, now: Mono) {
        let next = self.events.next();
        let upto = (!follow).then_some(next);
        if let Some(client) = self.clients.get_mut(&key) {
            client.follow(events_line(), next.saturating_sub(last), upto, now);
        }
        // From here on events must not be missed; those before this are fetched by number.
        self.events.wake(true);
        self.write(key, now);
    }

    /// Gives a client its answer.
    fn tell(&mut self, key: u64, line: Vec<u8>, now: Mono) {
        if let Some(client) = self.clients.get_mut(&key) {
            client.answer(line, now);
            self.write(key, now);
        }
    }

    fn write(&mut self, key: u64, now: Mono) {
        if let Some(client) = self.clients.get_mut(&key)
            && client.write(&self.events, now) == Moved::Over
        {
            self.forget(key);
        }
        self.note_interest(key);
    }

    /// New events are there: gives them to those who follow and have room for them.
    fn spread(&mut self, now: Mono) {
        let ready = |(key, client): (&u64, &Client)| {
            (client.following() && client.interest.is_empty()).then_some(*key)
        };
        let keys: Vec<u64> = self.clients.iter().filter_map(ready).collect();
        for key in keys {
            self.write(key, now);
        }
    }

    /// Carries out what the core ordered.
    fn obey(&mut self) {
        self.work.silence();
        while let Some(order) = self.work.take() {
            let now = clock::now();
            match order {
                ControlOrder::Reply { ticket, reply, .. } => self.reply(ticket, reply, now),
                ControlOrder::RollCall { .. } => {}
                ControlOrder::Close => {
                    // What was the last event is in the ring by now.
                    self.spread(now);
                    self.over = true;
                }
            }
            self.work.finish(now);
        }
    }

    fn reply(&mut self, ticket: Ticket, reply: Reply, now: Mono) {
        self.open.remove(&ticket.0);
        if !self.clients.get(&ticket.0).is_some_and(Client::waiting) {
            return;
        }
        let line = match reply {
            Reply::Status(status) => status_line(&status),
            Reply::Told(action::Answer::Accepted) => word_line("accepted"),
            Reply::Told(action::Answer::Already) => word_line("already"),
            // The loop around the core fills the report in; without it there is nothing to tell.
            Reply::Told(action::Answer::Status) => no_answer().line(),
            Reply::Told(action::Answer::Ending) => ending().line(),
            Reply::Told(action::Answer::NoDrill(why)) => no_drill(why).line(),
            Reply::Told(action::Answer::Unready(why)) => not_reloaded(&why).line(),
            Reply::Told(action::Answer::TooLong { left }) => {
                hold_too_long(left, self.settings.hold_most).line()
            }
        };
        self.tell(ticket.0, line, now);
    }

    /// Ends what has taken too long.
    fn expire(&mut self, now: Mono) {
        if self.closed_until.is_some_and(|until| until <= now) {
            self.closed_until = None;
            self.listen_for(EventFlags::IN);
        }
        self.open.retain(|_, until| *until > now);
        let due = |(key, client): (&u64, &Client)| {
            let over = client.deadline().is_some_and(|due| due <= now);
            over.then_some(*key)
        };
        let keys: Vec<u64> = self.clients.iter().filter_map(due).collect();
        for key in keys {
            let waited = self.clients.get(&key).is_some_and(Client::waiting);
            let refusal = if waited { no_answer() } else { too_slow() };
            self.dismiss(key, &refusal);
        }
    }

    fn next_deadline(&self) -> Option<Mono> {
        let clients = self.clients.values().filter_map(Client::deadline);
        clients
            .chain(self.open.values().copied())
            .chain(self.closed_until)
            .min()
    }

    fn dismiss(&mut self, key: u64, refusal: &Refusal) {
        if let Some(client) = self.forget(key) {
            client.dismiss(&refusal.line());
        }
    }

    /// Lets a client go.
    fn forget(&mut self, key: u64) -> Option<Client> {
        let client = self.clients.remove(&key)?;
        // Its socket may stay open until somebody else has closed it, and would be told of for ever.
        let _gone = epoll::delete(&self.epoll, client.fd());
        Some(client)
    }
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

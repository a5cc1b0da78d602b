//! The children thread: reaps, signals and listens to services. Essential: a pet passes through it.
//!
//! Terms: a service's *run* is known here by its pidfd; its *notify socket* is its identity, because
//! each service has one of its own; the *remains* of a run are the processes its main process left
//! behind.
//!
//! Never spawns, and never waits for a service, a card or the core's opinion.

mod births;
mod end;
mod notify;
mod order;
mod speaker;

pub use births::Births;
pub use notify::listen;
pub use order::{Child, ChildOrder};

use super::clock;
use super::guards::GuardOrder;
use super::inbox::Inbox;
use super::memo;
use super::orders::{Orders, Work};
use super::places::Places;
use super::pool::Pool;
use super::run_record::RunRecord;
use crate::core::action::{Reach, Signal};
use crate::core::fact::{Change, Fact, OrderId, RunId, ServiceId};
use crate::units::Mono;
use births::Early;
use notify::Heard;
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::process;
use std::collections::BTreeMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Events taken from the kernel at once.
const EVENTS: usize = 64;

/// Ends that are told together where there are many: each time the core is told may be a wake-up.
const TOGETHER: usize = 8;

/// Share of the heartbeat window within which a second heartbeat is not passed on. It makes a
/// service look older by at most this share, and a flood of heartbeats cheap.
const BEATS_PER_WINDOW: u32 = 20;

/// Senders of one service whose messages are kept until its run is known: the main process and the
/// helpers that it may start in the fraction of a millisecond before that.
const SENDERS: usize = 8;

/// Batches of messages that are read of a run that has ended. The kernel keeps 10 messages for a
/// socket, systemd raises that to 512: all of them fit.
const LAST_WORDS: usize = 16;

struct Run {
    record: RunRecord,
    pidfd: Arc<OwnedFd>,
    /// It was found, not started: somebody else reaps it.
    adopted: bool,
}

struct Slot {
    child: Child,
    run: Option<Run>,
    /// Messages that were read before the news of the run that sent them, one for each sender.
    early: Vec<Heard>,
    /// A signal that came before the news of the run that it is for.
    signal: Option<Early>,
    beat: Option<Mono>,
}

impl Slot {
    /// Keeps a message for a run that is not known yet. What a sender has said before still holds.
    fn keep(&mut self, heard: Heard) {
        if let Some(before) = self.early.iter_mut().find(|b| b.sender == heard.sender) {
            before.message = before.message.and(heard.message);
        } else if self.early.len() < SENDERS {
            self.early.push(heard);
        }
    }
}

/// The children thread's own state.
pub struct Children {
    slots: Vec<Slot>,
    /// Of each service: a signal waits for its next run, and whoever brings that is to wake us.
    awaited: Arc<[AtomicBool]>,
    places: Places,
    pool: Option<Pool>,
    epoll: Arc<OwnedFd>,
    guards: Orders<GuardOrder>,
    inbox: Inbox,
    /// What this turn has brought, to reach the core together.
    news: Vec<Fact>,
}

/// What an epoll event is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Bell,
    Notify(u16),
    Run(u16),
}

impl Key {
    fn data(self) -> epoll::EventData {
        epoll::EventData::new_u64(match self {
            Key::Bell => 0,
            Key::Notify(at) => 1 << 32 | u64::from(at),
            Key::Run(at) => 2 << 32 | u64::from(at),
        })
    }

    fn of(data: epoll::EventData) -> Option<Key> {
        let number = data.u64();
        let at = u16::try_from(number & 0xFFFF_FFFF).ok()?;
        match number >> 32 {
            0 => Some(Key::Bell),
            1 => Some(Key::Notify(at)),
            2 => Some(Key::Run(at)),
            _ => None,
        }
    }
}

impl Children {
    /// Ready to run, listening on every notify socket.
    ///
    /// # Errors
    /// When the kernel gives no epoll descriptor.
    pub fn new(
        children: Vec<Child>,
        places: Places,
        pool: Option<Pool>,
        guards: Orders<GuardOrder>,
        inbox: Inbox,
    ) -> io::Result<Children> {
        let epoll = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
        for (at, child) in (0u16..).zip(&children) {
            if let Some(socket) = &child.notify {
                epoll::add(
                    &epoll,
                    socket,
                    Key::Notify(at).data(),
                    epoll::EventFlags::IN,
                )?;
            }
        }
        let awaited = children.iter().map(|_| AtomicBool::new(false)).collect();
        let slots = children
            .into_iter()
            .map(|child| Slot {
                child,
                run: None,
                early: Vec::new(),
                signal: None,
                beat: None,
            })
            .collect();
        Ok(Children {
            slots,
            awaited,
            places,
            pool,
            epoll,
            guards,
            inbox,
            news: Vec::new(),
        })
    }

    /// Where new runs are put for this thread, whose orders are given here.
    pub fn births(&self, orders: Orders<ChildOrder>) -> Births {
        let (epoll, inbox) = (self.epoll.clone(), self.inbox.clone());
        Births::new(epoll, orders, inbox, self.awaited.clone())
    }

    /// Carries out orders and reports changes until told to quit.
    ///
    /// # Errors
    /// When epoll itself fails, which leaves the daemon deaf: it must end.
    pub fn run(mut self, work: &Work<ChildOrder>) -> io::Result<()> {
        if let Some(bell) = work.bell() {
            epoll::add(&self.epoll, bell, Key::Bell.data(), epoll::EventFlags::IN)?;
        }
        let mut buffer = [MaybeUninit::<epoll::Event>::uninit(); EVENTS];
        loop {
            let events = match epoll::wait(&self.epoll, &mut buffer, None) {
                Ok((events, _)) => events,
                Err(Errno::INTR) => continue,
                Err(e) => return Err(e.into()),
            };
            // A run that was left here may have ended already.
            let keys = events.iter().filter_map(|e| Key::of(e.data));
            if keys.into_iter().any(|key| self.is_unheard_of(key)) && !self.take_orders(work) {
                return Ok(());
            }
            // Ends first: somebody waits for the replacement.
            let keys = events.iter().filter_map(|e| Key::of(e.data));
            let ended = keys.filter_map(|key| match key {
                Key::Run(at) => Some(at),
                Key::Bell | Key::Notify(_) => None,
            });
            for (number, at) in ended.enumerate() {
                self.reap(at);
                // The first replacement need not wait until all are reaped.
                if number % TOGETHER == 0 {
                    self.pass_news_on();
                }
            }
            self.pass_news_on();
            if !self.take_orders(work) {
                return Ok(());
            }
            self.pass_news_on();
            for key in events.iter().filter_map(|e| Key::of(e.data)) {
                if let Key::Notify(at) = key {
                    self.hear(at);
                }
            }
            self.pass_news_on();
        }
    }

    /// Returns whether to go on.
    fn take_orders(&mut self, work: &Work<ChildOrder>) -> bool {
        work.silence();
        // They can wait for the others, and of several about one service only the latest counts.
        let mut memos = BTreeMap::new();
        let (mut remembered, mut quit) = (0, false);
        while !quit && let Some(order) = work.take() {
            match order {
                ChildOrder::Adopted {
                    service,
                    record,
                    pidfd,
                } => self.adopt(service, record, pidfd),
                ChildOrder::Born {
                    service,
                    record,
                    pidfd,
                } => {
                    let adopted = false;
                    let run = Run {
                        record,
                        pidfd,
                        adopted,
                    };
                    self.begin(service, run);
                    // It was left here, and is not owed.
                    continue;
                }
                ChildOrder::Unwatched { service, run } => self.lose(service, run),
                ChildOrder::Signal {
                    service,
                    run,
                    signal,
                    reach,
                } => {
                    self.signal(service, run, signal, reach);
                }
                ChildOrder::Remember { service, line } => {
                    memos.insert(service, line);
                    remembered += 1;
                    continue;
                }
                ChildOrder::Pet { order } => self.pass_pet_on(order),
                ChildOrder::Quit => quit = true,
            }
            work.finish(clock::now());
        }
        for (service, line) in memos {
            self.remember(service, &line);
        }
        for _ in 0..remembered {
            work.finish(clock::now());
        }
        !quit
    }

    fn remember(&self, service: ServiceId, line: &str) {
        let Some(slot) = self.slots.get(usize::from(service.0)) else {
            return;
        };
        let name = &slot.child.name;
        let place = self.places.memo(name);
        let stored = self.places.within(name, || memo::store(&place, line));
        if let Err(e) = stored {
            log::warn!("{name}: not noted for a successor: {e}");
        }
    }

    fn pass_pet_on(&self, order: OrderId) {
        if let Err(fault) = self.guards.give(clock::now(), GuardOrder::Pet { order }) {
            self.inbox.send(Fact::Done {
                order,
                outcome: Err(fault),
            });
        }
    }

    fn tell(&mut self, service: ServiceId, run: RunId, change: Change) {
        self.news.push(Fact::Child {
            service,
            run,
            change,
        });
    }

    fn pass_news_on(&mut self) {
        if !self.news.is_empty() {
            self.inbox.send_all(std::mem::take(&mut self.news));
        }
    }

    fn reap(&mut self, at: u16) {
        let Some(slot) = self.slots.get(usize::from(at)) else {
            return;
        };
        // What is killed below must not be a run that lives on.
        if !slot.run.as_ref().is_some_and(end::has_come) {
            return;
        }
        // What it said before it ended was said by this run, and not by the next.
        for _ in 0..LAST_WORDS {
            if !self.hear(at) {
                break;
            }
        }
        let slot = &mut self.slots[usize::from(at)];
        let Some(run) = slot.run.take() else { return };
        // Closing the pidfd would not do: a child that is being started holds a copy of it until
        // its exec, and so long the dead run would stay ready.
        let _gone = epoll::delete(&self.epoll, &run.pidfd);
        let exit = end::clear_up(&run, &slot.child.name, self.pool.as_ref());
        // By a record that is there a successor knows that it ended while nobody was looking.
        RunRecord::strike_out(&self.places.run_record(&slot.child.name));
        self.tell(ServiceId(at), run.record.run, Change::Exited(exit));
    }

    fn signal(&mut self, service: ServiceId, run: RunId, signal: Signal, reach: Reach) {
        let Some(slot) = self.slots.get(usize::from(service.0)) else {
            return;
        };
        let Some(live) = slot.run.as_ref().filter(|live| live.record.run == run) else {
            return self.await_run(service, run, signal, reach);
        };
        let number = match signal {
            Signal::Stop => slot.child.stop_signal,
            Signal::Kill => libc::SIGKILL,
            Signal::Abort => libc::SIGABRT,
        };
        if let Some(signal) = process::Signal::from_named_raw(number) {
            // It can only fail when the process is gone, and then its end is on its way to us.
            let _ = process::pidfd_send_signal(&live.pidfd, signal);
            // A stopped process would not act on it.
            let _ = process::pidfd_send_signal(&live.pidfd, process::Signal::CONT);
        }
        match reach {
            Reach::Main => {}
            Reach::All => end::kill_remains(live, &slot.child.name, self.pool.as_ref()),
        }
    }

    /// Reads a batch of messages; returns whether there may be more.
    fn hear(&mut self, at: u16) -> bool {
        let Some(slot) = self.slots.get(usize::from(at)) else {
            return false;
        };
        let Some(socket) = &slot.child.notify else {
            return false;
        };
        let batch = notify::receive(socket.as_fd());
        let more = batch.len() == notify::BATCH;
        for heard in batch {
            self.heed(ServiceId(at), heard);
        }
        more
    }

    fn heed(&mut self, service: ServiceId, heard: Heard) {
        let at = usize::from(service.0);
        let Some(slot) = self.slots.get_mut(at) else {
            return;
        };
        if slot.run.is_none() {
            return slot.keep(heard);
        }
        let slot = &self.slots[at];
        let Some(run) = slot.run.as_ref().filter(|run| self.is_of(slot, run, heard)) else {
            return;
        };
        let number = run.record.run;
        if heard.message.ready {
            self.be_ready(service);
        }
        if heard.message.heartbeat && self.beat_is_news(at) {
            self.tell(service, number, Change::Heartbeat);
        }
    }

    /// A run says that it is ready. It may say so again and again: only the first time is news.
    fn be_ready(&mut self, service: ServiceId) {
        let slot = &mut self.slots[usize::from(service.0)];
        let Some(run) = slot.run.as_mut().filter(|run| !run.record.ready) else {
            return;
        };
        run.record.ready = true;
        let number = run.record.run;
        // Without the record a successor takes it for starting, and waits for a READY.
        let _ = run.record.store(&self.places.run_record(&slot.child.name));
        self.tell(service, number, Change::Ready);
    }

    fn beat_is_news(&mut self, at: usize) -> bool {
        let slot = &mut self.slots[at];
        let Some(window) = slot.child.heartbeat else {
            return false;
        };
        let now = clock::now();
        let spacing = window / BEATS_PER_WINDOW;
        if slot.beat.is_some_and(|last| now.since(last) < spacing) {
            return false;
        }
        slot.beat = Some(now);
        true
    }
}

#[cfg(test)]
mod tests;

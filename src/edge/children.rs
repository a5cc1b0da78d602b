//! The children thread: reaps, signals and listens to services. Essential: a pet passes through it.
//!
//! Terms: a service's *run* is known here by its pidfd; its *notify socket* is its identity, because
//! each service has one of its own; the *remains* of a run are the processes its main process left
//! behind.
//!
//! Never spawns, and never waits for a service, a card or the core's opinion.

mod births;
mod customs;
mod ears;
mod end;
mod heed;
mod heir;
#[cfg(any(test, fuzzing))]
mod hostile;
mod message;
mod newline;
mod notify;
mod order;
mod speaker;
mod store;

pub use births::{Adopting, Births};
pub use heir::{Birth, Others};
#[cfg(any(test, fuzzing))]
pub(crate) use hostile::hostile;
pub use notify::listen;
pub use order::{Child, ChildOrder};

use super::clock;
use super::guards::GuardOrder;
use super::inbox::Inbox;
use super::luggage;
use super::orders::{Orders, Work};
use super::pool::Pool;
use super::run_record::RunRecord;
use super::run_table::RunTable;
use crate::core::action::{Reach, Signal};
use crate::core::fact::{Change, Fact, OrderId, RunId, ServiceId};
use crate::sorted::Map;
use crate::units::Mono;
use births::Early;
use customs::Customs;
use ears::{Closed, Ears};
use heir::{Coming, Heir};
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::process;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Events taken from the kernel at once.
const EVENTS: usize = 64;

/// Ends that are told together where there are many: each time the core is told may be a wake-up.
const TOGETHER: usize = 8;

struct Run {
    record: RunRecord,
    pidfd: Arc<OwnedFd>,
    /// The process that it began with, where another one is the main process by now. It is ours to
    /// reap, which waits until the run is over: until then nobody else has its number.
    first: Option<Arc<OwnedFd>>,
    /// Its main process was not started by us: somebody else reaps it.
    adopted: bool,
    /// It has said that it reloads, and not yet that it is ready again.
    reloading: bool,
    /// It has said that it is about to end.
    stopping: bool,
    /// What it said last that it does.
    status: Option<Box<str>>,
    /// Where it writes a newline when it is ready, until it has.
    newline: Option<Arc<OwnedFd>>,
}

impl Run {
    fn new(record: RunRecord, pidfd: Arc<OwnedFd>, adopted: bool) -> Run {
        Run {
            record,
            pidfd,
            first: None,
            adopted,
            reloading: false,
            stopping: false,
            status: None,
            newline: None,
        }
    }
}

struct Slot {
    child: Child,
    run: Option<Run>,
    /// Processes that runs which are over began with, killed and not gone yet.
    former: Vec<Arc<OwnedFd>>,
    /// What is listened to of it.
    ears: Ears,
    /// A signal that came before the news of the run that it is for.
    signal: Option<Early>,
    beat: Option<Mono>,
}

/// The children thread's own state.
pub struct Children {
    slots: Vec<Slot>,
    /// Of each service: a signal waits for its next run, and whoever brings that is to wake us.
    awaited: Arc<[AtomicBool]>,
    table: Arc<RunTable>,
    pool: Option<Pool>,
    epoll: Arc<OwnedFd>,
    guards: Orders<GuardOrder>,
    inbox: Inbox,
    /// Services that are not listened to for a while.
    closed: Vec<Closed>,
    /// What this turn has brought, to reach the core together.
    news: Vec<Fact>,
    /// Pidfds of runs that ended in this turn.
    spent: Vec<Arc<OwnedFd>>,
    heir: Heir,
    coming: Arc<Coming>,
    /// What takes in messages that bring descriptors.
    customs: Customs,
}

/// What an epoll event is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Bell,
    Notify(u16),
    Run(u16),
    Former(u16),
    Newline(u16),
    Stored(u16),
    Orphans,
    Customs,
}

impl Key {
    fn data(self) -> epoll::EventData {
        epoll::EventData::new_u64(match self {
            Key::Bell => 0,
            Key::Notify(at) => 1 << 32 | u64::from(at),
            Key::Run(at) => 2 << 32 | u64::from(at),
            Key::Former(at) => 3 << 32 | u64::from(at),
            Key::Newline(at) => 4 << 32 | u64::from(at),
            Key::Stored(at) => 5 << 32 | u64::from(at),
            Key::Orphans => 6 << 32,
            Key::Customs => 7 << 32,
        })
    }

    fn of(data: epoll::EventData) -> Option<Key> {
        let number = data.u64();
        let at = u16::try_from(number & 0xFFFF_FFFF).ok()?;
        match number >> 32 {
            0 => Some(Key::Bell),
            1 => Some(Key::Notify(at)),
            2 => Some(Key::Run(at)),
            3 => Some(Key::Former(at)),
            4 => Some(Key::Newline(at)),
            5 => Some(Key::Stored(at)),
            6 => Some(Key::Orphans),
            7 => Some(Key::Customs),
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
        table: Arc<RunTable>,
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
            store::watch(&epoll, at, &child.store);
        }
        let customs = Customs::new()?;
        let (link, told) = (customs.link(), epoll::EventFlags::IN);
        epoll::add(&epoll, link, Key::Customs.data(), told)?;
        let awaited = children.iter().map(|_| AtomicBool::new(false)).collect();
        let slots = children
            .into_iter()
            .map(|child| Slot {
                child,
                run: None,
                former: Vec::new(),
                ears: Ears::default(),
                signal: None,
                beat: None,
            })
            .collect();
        Ok(Children {
            slots,
            awaited,
            table,
            pool,
            epoll,
            guards,
            inbox,
            closed: Vec::new(),
            news: Vec::new(),
            spent: Vec::new(),
            heir: Heir::default(),
            coming: Arc::default(),
            customs,
        })
    }

    /// Where new runs are put for this thread, whose orders are given here.
    pub fn births(&self, orders: Orders<ChildOrder>) -> Births {
        let (epoll, inbox) = (self.epoll.clone(), self.inbox.clone());
        let (awaited, coming) = (self.awaited.clone(), self.coming.clone());
        Births::new(epoll, orders, inbox, awaited, coming)
    }

    /// Carries out orders and reports changes until told to quit.
    ///
    /// # Errors
    /// When epoll itself fails, which leaves the daemon deaf: it must end.
    pub fn run(mut self, work: &Work<ChildOrder>) -> io::Result<()> {
        let outcome = self.serve(work);
        self.leave_to_successor();
        outcome
    }

    /// What services say from now on, and what they have left, is for a successor in this process.
    fn leave_to_successor(&mut self) {
        if !luggage::is_open() {
            return;
        }
        self.finish_customs();
        for slot in &mut self.slots {
            if let Some(socket) = slot.child.notify.take() {
                notify::leave(&socket);
            }
            slot.child.store.leave(&slot.child.name);
        }
    }

    fn serve(&mut self, work: &Work<ChildOrder>) -> io::Result<()> {
        if let Some(bell) = work.bell() {
            epoll::add(&self.epoll, bell, Key::Bell.data(), epoll::EventFlags::IN)?;
        }
        let mut buffer = [MaybeUninit::<epoll::Event>::uninit(); EVENTS];
        loop {
            let events = match epoll::wait(&self.epoll, &mut buffer, self.patience().as_ref()) {
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
                Key::Bell
                | Key::Notify(_)
                | Key::Former(_)
                | Key::Newline(_)
                | Key::Stored(_)
                | Key::Customs
                | Key::Orphans => None,
            });
            for (number, at) in ended.enumerate() {
                self.reap(at);
                // The first replacement need not wait until all are reaped.
                if number % TOGETHER == 0 {
                    self.pass_news_on();
                }
            }
            self.pass_news_on();
            self.forget_spent();
            if !self.take_orders(work) {
                return Ok(());
            }
            self.pass_news_on();
            for key in events.iter().filter_map(|e| Key::of(e.data)) {
                match key {
                    Key::Notify(at) => self.hear(at),
                    Key::Former(at) => self.reap_former(at),
                    Key::Newline(at) => self.read_newline(at),
                    Key::Stored(at) => self.drop_dead(at),
                    Key::Orphans => self.hear_of_end(),
                    Key::Customs => self.hear_customs(),
                    Key::Bell | Key::Run(_) => {}
                }
            }
            self.open_due_ears();
            if !self.reap_orphans(work) {
                return Ok(());
            }
            self.pass_news_on();
        }
    }

    /// Returns whether to go on.
    fn take_orders(&mut self, work: &Work<ChildOrder>) -> bool {
        work.silence();
        // They can wait for the others, and of several about one service only the latest counts.
        let mut memos = Map::new();
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
                    newline,
                } => {
                    let mut run = Run::new(record, pidfd, false);
                    run.newline = newline;
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
                ChildOrder::Remember {
                    service,
                    at_rest,
                    line,
                } => {
                    if at_rest {
                        self.empty_store(service.0);
                    }
                    memos.insert(service, line);
                    remembered += 1;
                    continue;
                }
                ChildOrder::Pet { order, by } => self.pass_pet_on(order, by),
                ChildOrder::Quit => quit = true,
            }
            work.finish(clock::now());
        }
        if let Err(e) = self.table.remember(&memos) {
            log::warn!("not noted for a successor: {e}");
        }
        for _ in 0..remembered {
            work.finish(clock::now());
        }
        !quit
    }

    fn pass_pet_on(&self, order: OrderId, by: Mono) {
        let pet = GuardOrder::Pet { order, by };
        if let Err(fault) = self.guards.give(clock::now(), pet) {
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
        let Some(ended) = slot.run.as_ref().filter(|run| end::has_come(run)) else {
            return;
        };
        let ended = ended.pidfd.clone();
        // What it said before it ended was said by this run, and not by the next.
        self.hear_last_words(at);
        self.read_newline(at);
        let slot = &mut self.slots[usize::from(at)];
        // The last of them may be that another process is the main one.
        let is_over = |run: &mut Run| Arc::ptr_eq(&run.pidfd, &ended) || end::has_come(run);
        let Some(run) = slot.run.take_if(is_over) else {
            return;
        };
        let exit = end::clear_up(&run, &slot.child.name, self.pool.as_ref());
        // By a record that is there a successor knows that it ended while nobody was looking.
        self.table.strike_out(ServiceId(at), run.record.fingerprint);
        self.forget_newline(run.newline);
        self.tell(ServiceId(at), run.record.run, Change::Exited(exit));
        self.bury(at, run.first);
        self.spent.push(run.pidfd);
    }

    /// Lets go of the pidfds of runs that are over, when their ends were told.
    fn forget_spent(&mut self) {
        for pidfd in self.spent.drain(..) {
            // Closing it would not do: a child that is being started holds a copy of it until its
            // exec, and so long the dead run would stay ready.
            let _gone = epoll::delete(&self.epoll, &pidfd);
        }
    }

    fn signal(&mut self, service: ServiceId, run: RunId, signal: Signal, reach: Reach) {
        let Some(slot) = self.slots.get(usize::from(service.0)) else {
            return;
        };
        let Some(live) = slot.run.as_ref().filter(|live| live.record.run == run) else {
            return self.await_run(service, run, signal, reach);
        };
        let number = match signal {
            Signal::Stop | Signal::Restart => slot.child.stop_signal,
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
}

#[cfg(test)]
mod tests;

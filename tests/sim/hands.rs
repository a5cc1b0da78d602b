//! The threads of a daemon: queues that are worked off one by one, unless somebody is stuck.

use crate::daemon::LifeEvent;
use crate::faults::Kind;
use crate::plan::{LATE_ESSENTIAL, LATE_OTHER};
use crate::world::{EVER, Event, World};
use fieldwarden::core::action::{Action, Order, Signal};
use fieldwarden::core::fact::{
    Fact, Fault, HaltKind, Hold, OrderId, ProbeKind, Pulse, RunId, ServiceId, Thread,
};
use fieldwarden::core::intent::Marker;
use fieldwarden::core::light::Light;
use fieldwarden::units::Mono;
use std::collections::VecDeque;
use std::time::Duration;

/// What a thread has to do.
#[derive(Debug)]
pub enum Work {
    Start(OrderId, ServiceId, RunId),
    Signal(OrderId, ServiceId, RunId, Signal),
    /// A pet on its way through this thread.
    PassPet(OrderId),
    Pet(OrderId),
    Arm(OrderId, Duration),
    Disarm(OrderId),
    Record(OrderId, Marker),
    Ask(OrderId, HaltKind),
    Force(OrderId, HaltKind),
    Light(OrderId, Light),
    KeepHold(OrderId, Option<Hold>),
    SetRtc(OrderId),
    /// The board is told to cut the power, or to forget that.
    Cut(OrderId, bool),
    WatchGauge(OrderId, bool),
    Probe(OrderId, (ServiceId, ProbeKind), RunId, u32),
    /// Something whose effect nobody here looks at.
    Other(OrderId),
}

/// The spawner that starts a service.
pub fn spawner(service: ServiceId) -> Thread {
    match service.0 % 2 {
        0 => Thread::Spawner,
        _ => Thread::SecondSpawner,
    }
}

/// One thread.
#[derive(Debug)]
pub struct Hand {
    pub thread: Thread,
    pub queue: VecDeque<Work>,
    /// Which of the planned ends of the present work is the valid one.
    turn: u32,
    pub stuck_until: u64,
    /// Since when it owes what is in the queue.
    since: u64,
    /// When it wants to poll by itself.
    pub poll_due: Option<u64>,
    told_late: bool,
    watched_at: u64,
    /// Its news keep their order: none is sent before the one before it.
    pub last_sent: u64,
}

impl Hand {
    pub fn new(thread: Thread) -> Hand {
        Hand {
            thread,
            queue: VecDeque::new(),
            turn: 0,
            stuck_until: 0,
            since: 0,
            poll_due: None,
            told_late: false,
            watched_at: EVER,
            last_sent: 0,
        }
    }

    fn limit(&self) -> u64 {
        match self.thread.essential() {
            true => LATE_ESSENTIAL,
            false => LATE_OTHER,
        }
    }

    /// When it began to owe, and when it is late.
    fn owes(&self) -> Option<(u64, u64)> {
        let order = (!self.queue.is_empty()).then_some(self.since);
        let since = [order, self.poll_due].into_iter().flatten().min()?;
        Some((since, since + self.limit()))
    }
}

/// The place of a thread in the list of all.
fn index(thread: Thread) -> usize {
    Thread::ALL.iter().position(|t| *t == thread).unwrap_or(0)
}

impl World {
    pub fn hand(&mut self, thread: Thread) -> Option<&mut Hand> {
        self.life.as_mut().map(|l| &mut l.hands[index(thread)])
    }

    /// What the loop that drives the core does with an order.
    pub fn dispatch(&mut self, Order { id, action }: Order) {
        let (thread, work) = match action {
            Action::CheckConfig => return self.check_config(id),
            Action::HandOver => return self.hand_over(),
            Action::Start { service, run } => (spawner(service), Work::Start(id, service, run)),
            Action::Signal {
                service,
                run,
                signal,
                ..
            } => (Thread::Children, Work::Signal(id, service, run, signal)),
            Action::Probe {
                service,
                run,
                kind,
                attempt,
            } => {
                let work = Work::Probe(id, (service, kind), run, attempt);
                (Thread::Prober, work)
            }
            Action::Arm { timeout } => (Thread::Watchdog, Work::Arm(id, timeout)),
            Action::Pet => (Thread::Children, Work::PassPet(id)),
            Action::Disarm => (Thread::Watchdog, Work::Disarm(id)),
            Action::Light(light) => (Thread::Led, Work::Light(id, light)),
            Action::WatchGauge { closely } => (Thread::Bus, Work::WatchGauge(id, closely)),
            Action::RollCall { thread } => (thread, Work::Other(id)),
            Action::Reply { .. } => (Thread::Control, Work::Other(id)),
            Action::Announce(_) => (Thread::Watchdog, Work::Other(id)),
            Action::Record(marker) => {
                // That of this boot lies in memory, and does not wait for the card.
                self.remains.keep(marker);
                (Thread::Marker, Work::Record(id, marker))
            }
            Action::Keep(marker) => {
                self.remains.keep(marker);
                (Thread::Halt, Work::Other(id))
            }
            Action::KeepHold { hold } => (Thread::Halt, Work::KeepHold(id, hold)),
            Action::Sync => (Thread::Sync, Work::Other(id)),
            Action::SetRtc => (Thread::Sync, Work::SetRtc(id)),
            Action::Trim { .. } => (Thread::Sync, Work::Other(id)),
            Action::CutPower { cut } => {
                self.remains.cut |= cut;
                (Thread::Bus, Work::Cut(id, cut))
            }
            Action::AskInit { kind } => (Thread::Halt, Work::Ask(id, kind)),
            Action::ForceHalt { kind } => (Thread::Halt, Work::Force(id, kind)),
            Action::Exit { services_left } => return self.daemon_ended(services_left),
        };
        self.give(thread, id, work);
    }

    /// Puts work into a queue; a full one refuses it.
    fn give(&mut self, thread: Thread, order: OrderId, work: Work) {
        let (now, most) = (self.now, self.plan.queue);
        let Some(life) = &mut self.life else { return };
        life.unanswered.insert(order);
        let hand = &mut life.hands[index(thread)];
        if hand.queue.len() >= most {
            self.tally.busy += 1;
            if self.plan.faults.contains(&Kind::ShortQueues) {
                self.tally.fault(Kind::ShortQueues);
            }
            return self.done(thread, order, Err(Fault::Busy));
        }
        if let Work::Start(_, service, _) = work {
            life.starting[usize::from(service.0)] += 1;
        }
        if hand.queue.is_empty() {
            hand.since = now;
        }
        hand.queue.push_back(work);
        if hand.queue.len() == 1 {
            self.begin(thread);
        }
        self.watch(thread);
    }

    /// Plans the end of the first work in the queue.
    fn begin(&mut self, thread: Thread) {
        let latency = match thread {
            Thread::Spawner | Thread::SecondSpawner => self.rng.range(2, 40),
            Thread::Children | Thread::Watchdog => self.rng.range(0, 4),
            Thread::Vitals
            | Thread::Disk
            | Thread::Control
            | Thread::Recorder
            | Thread::Marker
            | Thread::Sync
            | Thread::Halt
            | Thread::Bus
            | Thread::Line
            | Thread::Output
            | Thread::Signals
            | Thread::Log
            | Thread::Led
            | Thread::Prober
            | Thread::Keeper
            | Thread::Engine
            | Thread::Health
            | Thread::Canary
            | Thread::Uplink => 1,
        };
        let now = self.now;
        let Some(hand) = self.hand(thread) else {
            return;
        };
        hand.turn += 1;
        if hand.queue.is_empty() || hand.stuck_until == EVER {
            return;
        }
        let (at, turn) = (hand.stuck_until.max(now) + latency, hand.turn);
        self.life_at(at, LifeEvent::Finish(thread, turn));
    }

    pub fn finish(&mut self, thread: Thread, turn: u32) {
        let now = self.now;
        let Some(hand) = self.hand(thread).filter(|h| h.turn == turn) else {
            return;
        };
        hand.since = now;
        let work = hand.queue.pop_front();
        self.begin(thread);
        match work {
            Some(Work::Start(order, service, run)) => self.do_start(order, service, run),
            Some(Work::Signal(order, service, run, signal)) => {
                self.signal(service, run, signal);
                self.done(thread, order, Ok(()));
            }
            Some(Work::PassPet(order)) => self.give(Thread::Watchdog, order, Work::Pet(order)),
            Some(Work::Pet(order)) => self.pet(order),
            Some(Work::Arm(order, timeout)) => self.arm(order, timeout),
            Some(Work::Disarm(order)) => self.disarm(order),
            Some(Work::Record(order, marker)) => self.record(order, marker),
            Some(Work::Ask(order, kind)) => self.ask_init(order, kind),
            Some(Work::Force(order, kind)) => return self.force(order, kind),
            Some(Work::Light(order, light)) => self.light(order, light),
            Some(Work::KeepHold(order, hold)) => self.keep_hold(order, hold),
            Some(Work::SetRtc(order)) => self.set_rtc(order),
            Some(Work::Cut(order, cut)) => self.tell_board(order, cut),
            Some(Work::WatchGauge(order, closely)) => {
                self.watch_gauge(closely);
                self.done(thread, order, Ok(()));
            }
            Some(Work::Probe(order, key, run, attempt)) => {
                self.probe(key, run, attempt);
                self.done(thread, order, Ok(()));
            }
            Some(Work::Other(order)) => self.done(thread, order, Ok(())),
            None => {}
        }
        self.watch(thread);
    }

    /// The lateness watch of the loop that drives the core.
    pub fn watch(&mut self, thread: Thread) {
        let now = self.now;
        let Some(hand) = self.hand(thread) else {
            return;
        };
        let owes = hand.owes();
        let late = owes.filter(|(_, at)| *at <= now);
        if late.is_some() != hand.told_late {
            hand.told_late = late.is_some();
            let pulse = late.map_or(Pulse::OnTime, |(since, _)| Pulse::Late {
                since: Mono(since),
            });
            self.life_at(now, LifeEvent::Fact(Fact::Thread { thread, pulse }, 0));
        } else if let Some((_, at)) = owes
            && (hand.watched_at <= now || at < hand.watched_at)
            && late.is_none()
        {
            hand.watched_at = at;
            self.life_at(at, LifeEvent::Watch(thread));
        }
    }

    /// A thread stands still until then.
    pub fn stick(&mut self, thread: Thread, until: u64) {
        let Some(hand) = self.hand(thread) else {
            return;
        };
        if hand.stuck_until == EVER {
            return;
        }
        hand.stuck_until = hand.stuck_until.max(until);
        let until = hand.stuck_until;
        if let Some(life) = self.life.as_mut().filter(|_| thread == Thread::Children) {
            life.deaf_until = until;
        }
        self.begin(thread);
        self.note_trouble();
        if until != EVER {
            self.life_at(until, LifeEvent::Unstuck(thread));
        }
    }

    /// A thread goes on.
    pub fn unstick(&mut self, thread: Thread) {
        let now = self.now;
        let Some(hand) = self.hand(thread) else {
            return;
        };
        hand.stuck_until = hand.stuck_until.min(now);
        let due = hand.poll_due;
        self.begin(thread);
        self.note_trouble();
        if let Some(due) = due {
            self.life_at(due, LifeEvent::Poll(thread));
        }
        if thread == Thread::Children
            && let Some(life) = &mut self.life
        {
            for event in std::mem::take(&mut life.unheard) {
                self.life_at(now, event);
            }
        }
    }

    /// What has not gone on by itself goes on, except where a guard has to see to that.
    pub fn unstick_all(&mut self, guarded: bool) {
        let now = self.now;
        let Some(life) = &mut self.life else { return };
        let stuck = |h: &&Hand| h.stuck_until > now && !(h.thread.essential() && guarded);
        let stuck: Vec<_> = life.hands.iter().filter(stuck).map(|h| h.thread).collect();
        if life.frozen_until == EVER && !guarded {
            life.frozen_until = now;
            let no = life.no;
            self.at(now, Event::Thaw(no));
        }
        for thread in stuck {
            self.unstick(thread);
        }
    }
}

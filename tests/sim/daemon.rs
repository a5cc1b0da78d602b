//! One life of the daemon: the loop that drives the core, and what its threads bring and do.

use crate::bars::waits_rightly;
use crate::faults::Kind;
use crate::hands::{Hand, spawner};
use crate::reloads::HandedOver;
use crate::truth::{BACKWARDS, LOOK};
use crate::world::{EVER, Event, World};
use fieldwarden::core::action::Actions;
use fieldwarden::core::fact::{
    Change, Errno, Fact, Fault, OrderId, Pid, RunId, Said, ServiceId, Stage, Thread,
};
use fieldwarden::core::memo::Left;
use fieldwarden::core::picture::{Ending, Rung, Verdict};
use fieldwarden::core::settings::WatchdogOwner;
use fieldwarden::core::{BootFacts, Core, Guard, Readiness, State, Wish};
use std::collections::BTreeSet;
use std::time::Duration;

/// Time between two looks at the file systems, in milliseconds.
const DISK_EVERY: u64 = 15_000;

/// Ticks at one and the same time, with nothing else happening, of which more mean that the core
/// turns in circles.
const MOST_TICKS: u32 = 20;

/// Something that happens in one life.
#[derive(Debug)]
pub enum LifeEvent {
    /// A fact arrives, and time has gone back by so much.
    Fact(Fact, u64),
    /// A deadline of the core.
    Wake(u64),
    /// A thread ends what it does.
    Finish(Thread, u32),
    /// A thread may be late by now.
    Watch(Thread),
    /// A thread polls.
    Poll(Thread),
    /// A thread is not stuck any more.
    Unstuck(Thread),
    /// A process of a service has news for the thread that listens.
    News(ServiceId, RunId, Change),
}

/// One process of the daemon.
pub struct Life {
    pub no: u32,
    /// When it began.
    pub born: u64,
    pub core: Core,
    pub out: Actions,
    pub hands: Vec<Hand>,
    wake: Option<u64>,
    pub frozen_until: u64,
    /// It stands still, or has not heard yet that it goes on.
    pub still: bool,
    pub frozen_since: u64,
    /// Time for which it stood still.
    pub frozen_for: u64,
    frozen: Vec<LifeEvent>,
    /// What nobody listened to, because that thread is stuck for ever.
    pub unheard: Vec<LifeEvent>,
    pub init_heard: u64,
    /// Trouble at that time.
    pub init_trouble: u64,
    /// Its thread holds the device open and pets it.
    pub armed: bool,
    ticks: (u64, u32),
    /// Until when the thread that listens to processes was stuck last.
    pub deaf_until: u64,
    /// It has left the end to the watchdog.
    pub let_go: bool,
    /// Processes that are not its children.
    pub adopted: BTreeSet<u32>,
    /// Starts of each service that are under way.
    pub starting: Vec<u16>,
    pub unanswered: BTreeSet<OrderId>,
    /// The gauge is to be looked at closely.
    pub closely: bool,
    /// It is, because of what its latest look has shown.
    pub doubtful: bool,
}

impl Life {
    /// Pets cannot get through now, or are not meant to.
    pub fn cannot_pet(&self, now: u64) -> bool {
        let stuck = |h: &Hand| h.thread.essential() && h.stuck_until > now;
        let picture = self.core.picture();
        let parting = matches!(picture.ending, Ending::Parting { .. });
        let last = Some(Rung::WatchdogReset);
        let given_up = picture.halting.map(|h| h.rung) == last || self.let_go;
        self.frozen_until > now || parting || given_up || self.hands.iter().any(stuck)
    }
}

impl World {
    pub fn daemon_start(&mut self) {
        if self.life.is_some() || self.remains.asked.is_some() || self.truth.off {
            return;
        }
        self.sweep();
        self.lives += 1;
        let boot = BootFacts {
            seed: self.rng.next(),
            init_watchdog: self.plan.init_watchdog.map(Duration::from_millis),
            first: std::mem::take(&mut self.first),
        };
        let handed = self.handed_over.take().unwrap_or_else(|| HandedOver {
            strangers: self.procs.keys().copied().collect(),
            redefined: Vec::new(),
        });
        let settings = self.plan.settings.clone();
        let n = settings.services.len();
        self.checks.new_life();
        self.book.new_life(self.lives, &boot);
        self.life = Some(Life {
            no: self.lives,
            born: self.now,
            core: Core::new(settings, boot),
            out: Actions::default(),
            hands: Thread::ALL.into_iter().map(Hand::new).collect(),
            wake: None,
            frozen_until: 0,
            still: false,
            frozen_since: 0,
            frozen_for: 0,
            frozen: Vec::new(),
            unheard: Vec::new(),
            init_heard: self.now,
            init_trouble: self.trouble.upto(self.now),
            armed: false,
            ticks: (0, 0),
            deaf_until: 0,
            let_go: false,
            adopted: handed.strangers,
            starting: vec![0; n],
            unanswered: BTreeSet::new(),
            closely: false,
            doubtful: false,
        });
        self.note_trouble();
        if let Some(timeout) = self.plan.init_watchdog {
            self.after(timeout, Event::InitLooks(self.lives));
        }
        self.recall();
        self.remember();
        self.adopt();
        self.redefine(handed.redefined);
        let floor = self.clocks.floor();
        self.step(&floor, 0);
        self.remember_left();
        let found = self.remains.found(self.plan.card);
        self.step(&found, 0);
        self.remember_hold();
        self.step(&Fact::Tick, 0);
        for (thread, every) in [
            (Thread::Vitals, self.plan.vitals_every),
            (Thread::Disk, DISK_EVERY),
        ] {
            self.plan_poll(thread, every);
        }
        if self.watches_mains() == Thread::Line {
            self.read_mains();
            self.plan_poll(Thread::Line, LOOK);
        }
        self.open_bus();
    }

    fn recall(&mut self) {
        for (service, (run, memo)) in self.memos.clone() {
            let change = Change::Recalled(memo);
            self.step(
                &Fact::Child {
                    service,
                    run,
                    change,
                },
                0,
            );
        }
    }

    fn remember(&mut self) {
        let pasts = self.pasts.clone().into_iter();
        let pasts = pasts.map(|(service, past)| (service, Change::Remembered(past)));
        let learned = self.learned.clone().into_iter();
        let learned = learned.map(|(service, times)| (service, Change::Stops(times)));
        for (service, change) in pasts.chain(learned).collect::<Vec<_>>() {
            let run = RunId(0);
            self.step(
                &Fact::Child {
                    service,
                    run,
                    change,
                },
                0,
            );
        }
    }

    fn adopt(&mut self) {
        let found: Vec<_> = self
            .procs
            .iter()
            .map(|(pid, p)| (*pid, p.service, p.run, p.ready_known, p.window))
            .collect();
        for (pid, service, run, ready, window) in found {
            self.tally.adopted += 1;
            let pid = known(pid);
            let window = window.map(|window| Change::Said(Said::Window(Some(window))));
            for change in [Change::Adopted { pid, ready }].into_iter().chain(window) {
                let fact = Fact::Child {
                    service,
                    run,
                    change,
                };
                self.step(&fact, 0);
            }
        }
    }

    /// The daemon is gone; what it was doing stops halfway.
    pub fn end_life(&mut self) {
        let Some(life) = self.life.take() else {
            return;
        };
        self.note_trouble();
        // A process that was just being created may have come into being.
        for hand in &life.hands {
            if let Some(crate::hands::Work::Start(_, service, run)) = hand.queue.front()
                && self.rng.chance(50)
            {
                self.spawn(*service, *run);
            }
        }
    }

    pub fn kill_daemon(&mut self) {
        self.board.excuse();
        self.end_life();
        if self.remains.asked.is_some() {
            // Init starts nothing any more.
            return self.unmount();
        }
        let delay = match self.strikes(Kind::SlowInit, 50) {
            true => self.rng.range(1_000, 60_000),
            false => 1_000,
        };
        self.after(delay, Event::DaemonStart(self.remains.boot));
    }

    /// The core has ordered its own end.
    pub fn daemon_ended(&mut self, services_left: bool) {
        self.tally.ended += 1;
        let halts = |life: &Life| life.core.picture().halting.is_some();
        if self.life.as_ref().is_some_and(halts) {
            self.board.leave_to_init(self.remains.boot);
        }
        if !services_left {
            if let Err(why) = self.checks.ended(&self.alive) {
                self.fail(why);
            }
            for (_, memo) in self.memos.values_mut() {
                memo.left = Left::Over;
            }
            self.checks.forget_wishes();
        }
        self.end_life();
        if self.remains.asked.is_some() {
            return self.unmount();
        }
        let delay = match self.strikes(Kind::SlowInit, 50) {
            true => self.rng.range(1_000, 60_000),
            false => self.rng.range(100, 1_000),
        };
        self.after(delay, Event::DaemonStart(self.remains.boot));
    }

    pub fn freeze(&mut self, until: u64) {
        let now = self.now;
        if let Some(life) = &mut self.life {
            if life.frozen_until <= now {
                life.frozen_since = now;
            }
            life.frozen_until = life.frozen_until.max(until);
            life.still = true;
            let no = life.no;
            self.note_trouble();
            match until {
                EVER => self.reset_due(no),
                until => self.at(until.max(now), Event::Thaw(no)),
            }
        }
    }

    pub fn thaw(&mut self, no: u32) {
        let now = self.now;
        if let Some(life) = &mut self.life
            && life.no == no
            && life.frozen_until <= now
            && std::mem::take(&mut life.still)
        {
            life.frozen_for += now - life.frozen_since;
            life.frozen_since = now;
            for event in std::mem::take(&mut life.frozen) {
                self.life_at(now, event);
            }
            self.note_trouble();
        }
    }

    pub fn life_event(&mut self, no: u32, event: LifeEvent) {
        let now = self.now;
        let Some(life) = self.life.as_mut().filter(|l| l.no == no) else {
            return;
        };
        if life.still {
            life.frozen.push(event);
            return self.thaw(no);
        }
        match event {
            LifeEvent::Fact(fact, back) => self.step(&fact, back),
            LifeEvent::Wake(at) if life.wake == Some(at) => {
                life.wake = None;
                life.ticks = match life.ticks {
                    (before, count) if before == now => (now, count + 1),
                    _ => (now, 0),
                };
                if life.ticks.1 > MOST_TICKS {
                    self.fail("the core turns in circles: ticks without end at one time");
                }
                self.step(&Fact::Tick, 0);
            }
            LifeEvent::Wake(_) => {}
            LifeEvent::Finish(thread, turn) => self.finish(thread, turn),
            LifeEvent::Watch(thread) => self.watch(thread),
            LifeEvent::Poll(thread) => self.poll(thread),
            LifeEvent::Unstuck(thread) => {
                let stuck = self.hand(thread).is_some_and(|h| h.stuck_until > now);
                if !stuck {
                    self.unstick(thread);
                }
            }
            LifeEvent::News(service, run, change) => self.hear(service, run, change),
        }
    }

    pub fn plan_wake(&mut self) {
        let now = self.now;
        let Some(life) = &mut self.life else { return };
        let Some(due) = life.core.deadline() else {
            return;
        };
        let at = due.0.max(now);
        if life.wake != Some(at) {
            life.wake = Some(at);
            self.life_at(at, LifeEvent::Wake(at));
        }
    }

    /// A thread puts a fact into the inbox.
    pub fn send(&mut self, thread: Thread, fact: Fact) {
        let late = self.rng.chance(20) && self.strikes(Kind::LateNews, 100);
        let delay = match (late, thread.essential()) {
            (false, _) => 0,
            (true, true) => self.rng.range(1, 50),
            (true, false) => self.rng.range(1, 5_000),
        };
        let back = match self.strikes(Kind::TimeBackwards, 3) {
            true => self.rng.range(1, BACKWARDS),
            false => 0,
        };
        let (now, twice) = (self.now, self.strikes(Kind::NewsTwice, 5));
        let Some(hand) = self.hand(thread) else {
            return;
        };
        let at = (now + delay).max(hand.last_sent);
        hand.last_sent = at;
        if twice && !matches!(fact, Fact::Seen(_) | Fact::Asked { .. }) {
            let again = at + self.rng.range(0, 3_000);
            self.life_at(again, LifeEvent::Fact(fact.clone(), 0));
        }
        self.life_at(at, LifeEvent::Fact(fact, back));
    }

    pub fn done(&mut self, thread: Thread, order: OrderId, outcome: Result<(), Fault>) {
        self.send(thread, Fact::Done { order, outcome });
    }

    /// A process has something to say to whoever listens.
    pub fn news(&mut self, service: ServiceId, run: RunId, change: Change) {
        self.life_at(self.now, LifeEvent::News(service, run, change));
    }

    fn hear(&mut self, service: ServiceId, run: RunId, change: Change) {
        let now = self.now;
        let until = self.hand(Thread::Children).map_or(0, |h| h.stuck_until);
        let event = LifeEvent::News(service, run, change.clone());
        if until == EVER {
            if let Some(life) = &mut self.life {
                life.unheard.push(event);
            }
            return;
        }
        if until > now {
            return self.life_at(until, event);
        }
        if let Change::Said(Said::Window(window)) = &change
            && let Some(p) = self
                .procs
                .values_mut()
                .find(|p| p.service == service && p.run == run)
        {
            p.window = *window;
        }
        if change == Change::Ready
            && let Some(p) = self
                .procs
                .values_mut()
                .find(|p| p.service == service && p.run == run)
        {
            p.ready_known = true;
        }
        self.send(
            Thread::Children,
            Fact::Child {
                service,
                run,
                change,
            },
        );
    }

    /// The spawner does what it is for.
    pub fn do_start(&mut self, order: OrderId, service: ServiceId, run: RunId) {
        if let Some(life) = &mut self.life {
            life.starting[usize::from(service.0)] -= 1;
        }
        let change = if self.strikes(Kind::StartFails, 15) {
            Change::StartFailed {
                stage: self
                    .rng
                    .pick(&[Stage::Prepare, Stage::Clone, Stage::User, Stage::Exec]),
                errno: self.rng.pick(&[Errno(2), Errno(11), Errno(12), Errno(13)]),
            }
        } else {
            let pid = self.spawn(service, run);
            Change::Started { pid: known(pid) }
        };
        let spawner = spawner(service);
        self.send(
            spawner,
            Fact::Child {
                service,
                run,
                change,
            },
        );
        self.done(spawner, order, Ok(()));
        if self.strikes(Kind::StartStuck, 5) {
            let until = self.now + self.rng.range(5_000, 60_000);
            self.stick(spawner, until);
        }
    }

    pub fn plan_poll(&mut self, thread: Thread, every: u64) {
        let due = self.now + every;
        if let Some(hand) = self.hand(thread) {
            hand.poll_due = Some(due);
        }
        self.life_at(due, LifeEvent::Poll(thread));
        self.watch(thread);
    }

    fn poll(&mut self, thread: Thread) {
        let now = self.now;
        let Some(hand) = self.hand(thread) else {
            return;
        };
        if hand.stuck_until > now || hand.poll_due.is_none_or(|due| due > now) {
            // It comes back to this when it is free, or this was done already.
            return;
        }
        match thread {
            Thread::Vitals => {
                self.read_vitals();
                self.plan_poll(thread, self.plan.vitals_every);
            }
            Thread::Disk => {
                self.read_disks();
                self.plan_poll(thread, DISK_EVERY);
            }
            Thread::Bus => {
                self.read_gauge();
                let every = self.gauge_every();
                self.plan_poll(thread, every);
            }
            Thread::Line => {
                self.read_mains();
                self.plan_poll(thread, LOOK);
            }
            Thread::Children
            | Thread::Watchdog
            | Thread::Spawner
            | Thread::SecondSpawner
            | Thread::Control
            | Thread::Recorder
            | Thread::Marker
            | Thread::Sync
            | Thread::Halt
            | Thread::Output
            | Thread::Signals
            | Thread::Log
            | Thread::Led
            | Thread::Prober
            | Thread::Keeper
            | Thread::Engine
            | Thread::Health
            | Thread::Canary
            | Thread::Uplink => {}
        }
    }

    /// Everything that should be up is, and the machine is guarded.
    pub fn is_well(&self) -> Result<(), String> {
        let life = self.life.as_ref().ok_or("no daemon")?;
        if life.cannot_pet(self.now) || life.core.picture().stuck.is_some() {
            return Err("the daemon is stuck or ending".to_owned());
        }
        let ours = self.plan.settings.watchdog.owner == WatchdogOwner::Fieldwarden;
        let armed = matches!(life.core.guard(), Guard::Armed(_)) && self.device.armed.is_some();
        if ours && self.device.exists && !armed {
            return Err(format!("guard: {:?}", life.core.guard()));
        }
        let mains = self.mains.sensor.then_some(Verdict::Ok);
        // A battery that was emptied is low until it is charged again.
        let charging = self.truth.battery.is_some()
            && life.core.picture().power == Some(Verdict::Warn)
            && life.core.picture().mains == Some(true);
        if life.core.picture().power != mains && !charging && !self.is_contradicted() {
            return Err(format!("mains: {:?}", life.core.supply()));
        }
        if let Some(rtc) = life.core.rtc()
            && (rtc.seen.is_none() || rtc.doubt.is_some())
        {
            return Err(format!("{rtc:?}"));
        }
        let flags = self.firmware.there.then_some(Verdict::Ok);
        if life.core.picture().throttle != flags {
            return Err(format!("throttle flags: {:?}", life.core.throttle()));
        }
        if let Some(p) = self.procs.values().find(|p| p.hangs(self.now)) {
            let name = self.plan.settings.name(p.service);
            return Err(format!("{name} hangs"));
        }
        self.jobs_are_well()?;
        for view in life.core.services() {
            let s = &self.plan.settings.services[usize::from(view.service.0)];
            if s.job.is_some() {
                continue;
            }
            let up = matches!(view.state, State::Up { .. });
            if up && view.readiness != Readiness::Ready {
                return Err(format!("{view:?} is not ready"));
            }
            let alive = self.alive[usize::from(view.service.0)] > 0;
            let waits = waits_rightly(&life.core, &self.plan.settings, view.service);
            if up != alive || up != (view.wish == Wish::Run) && (up || !waits) {
                return Err(format!("{view:?}, alive: {alive}"));
            }
        }
        self.lamp_is_well()
    }
}

/// Simulated processes have numbers from 1001 on.
fn known(pid: u32) -> Pid {
    Pid::new(pid).unwrap_or_else(|| panic!("pid {pid}"))
}

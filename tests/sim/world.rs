//! The simulated machine: time, events, boots and lives of the daemon.
//!
//! Terms: a *boot* is the time from one start of the machine to the next; a *life* is one process of
//! the daemon; a *strike* is a fault that happens by itself.

use crate::board::Board;
use crate::checks::{Checks, View};
use crate::clocks::Clocks;
use crate::daemon::{Life, LifeEvent};
use crate::faults::Kind;
use crate::halting::Remains;
use crate::hardware::Device;
use crate::lamp::Lamp;
use crate::mains::Mains;
use crate::plan::{Card, Plan};
use crate::process::Proc;
use crate::reloads::HandedOver;
use crate::rng::Rng;
use crate::story::Book;
use crate::tally::Tally;
use crate::throttle::Firmware;
use crate::truth::Truth;
use crate::verdict::How;
use fieldwarden::core::action::Action;
use fieldwarden::core::budget::StopTimes;
use fieldwarden::core::fact::{Exit, Fact, Hold, RunId, ServiceId};
use fieldwarden::core::job::JobPast;
use fieldwarden::core::memo::Memo;
use fieldwarden::core::picture::{Ending, HaltCause, Rung};
use fieldwarden::units::Mono;
use std::collections::BTreeMap;

/// No run of the simulator may need more: then something turns in circles.
const MOST_EVENTS: u64 = 3_000_000;

/// For ever.
pub const EVER: u64 = u64::MAX;

/// Something that happens at a time.
#[derive(Debug)]
pub enum Event {
    /// Something in this life of the daemon.
    Life(u32, LifeEvent),
    /// A process says that it is ready.
    ProcReady(u32),
    /// A process sends a heartbeat.
    ProcBeat(u32),
    /// A process tells something of itself.
    ProcSays(u32),
    /// The main process ends.
    ProcEnd(u32, Exit),
    /// All that was left of it is gone.
    ProcGone(u32),
    /// The device looks whether it was petted.
    Bite,
    /// Mains come, or go.
    Mains(bool),
    /// The battery gives what it gave.
    Drain,
    /// The supply is in order again.
    VoltageBack,
    /// Init looks whether it was petted in this life.
    InitLooks(u32),
    /// The daemon of this life is killed.
    KillOf(u32),
    /// The machine is reset, in this boot.
    ResetOf(u32),
    /// Init starts the daemon, in this boot.
    DaemonStart(u32),
    /// A frozen daemon goes on.
    Thaw(u32),
    /// An essential thread that got stuck in this life must have led to a reset by now.
    MustReset(u32),
    /// A fault strikes.
    Strike(Kind),
    /// Init, in this boot, tells the daemon to end.
    InitStops(u32),
    /// Init, in this boot, loses its patience with this life of the daemon.
    InitKills(u32, u32),
    /// Everything is unmounted, in this boot.
    Unmounted(u32),
    /// The board cuts the power, by this order.
    BoardCuts(u32),
    /// Somebody presses the button of the machine, in this boot.
    Button(u32),
    /// Nothing goes wrong from now on.
    Calm,
    /// Is everything well?
    Survey,
}

/// The machine and everything around it.
pub struct World {
    pub plan: Plan,
    pub rng: Rng,
    pub now: u64,
    sequence: u64,
    events: BTreeMap<(u64, u64), Event>,
    pub life: Option<Life>,
    pub lives: u32,
    /// No daemon ran in this boot.
    pub first: bool,
    pub procs: BTreeMap<u32, Proc>,
    /// What the daemon has left about services for its successor in this boot.
    pub memos: BTreeMap<ServiceId, (RunId, Memo)>,
    /// What a daemon has left to its successor in the same process.
    pub handed_over: Option<HandedOver>,
    /// The hold that it has left.
    pub hold: Option<Hold>,
    /// What it has left about jobs, for its successors in this boot and others.
    pub pasts: BTreeMap<ServiceId, JobPast>,
    /// What is kept of how long stops took.
    pub learned: BTreeMap<ServiceId, StopTimes>,
    pub next_pid: u32,
    /// Processes of each service that are alive.
    pub alive: Vec<u16>,
    /// When each service sent its last heartbeat.
    pub beats: Vec<u64>,
    pub device: Device,
    pub mains: Mains,
    pub truth: Truth,
    pub board: Board,
    pub clocks: Clocks,
    /// All orders, if somebody wants to compare them.
    pub kept: Option<Vec<(u64, Action)>>,
    pub firmware: Firmware,
    pub lamp: Lamp,
    pub calm: bool,
    well_since: Option<u64>,
    pub trouble: Trouble,
    pub remains: Remains,
    pub next_ticket: u64,
    /// There is a way out of the machine.
    pub network: bool,
    pub checks: Checks,
    pub tally: Tally,
    pub book: Book,
    pub failure: Option<String>,
    finished: bool,
}

/// How long the daemon could not pet, all in all.
#[derive(Default)]
pub struct Trouble {
    sum: u64,
    since: Option<u64>,
}

impl Trouble {
    /// Milliseconds up to `now`.
    pub fn upto(&self, now: u64) -> u64 {
        self.sum + self.since.map_or(0, |since| now - since)
    }

    fn set(&mut self, now: u64, troubled: bool) {
        match (self.since, troubled) {
            (None, true) => self.since = Some(now),
            (Some(since), false) => {
                self.sum += now - since;
                self.since = None;
            }
            (None, false) | (Some(_), true) => {}
        }
    }
}

impl World {
    pub fn new(plan: Plan, book: Book) -> World {
        let mut rng = Rng::new(!plan.seed);
        let n = plan.settings.services.len();
        World {
            device: Device::of(&plan, &mut rng),
            mains: Mains::of(&plan, &mut rng),
            truth: Truth::of(&plan, &mut rng),
            board: Board::default(),
            clocks: Clocks::of(&plan),
            kept: None,
            firmware: Firmware::of(&plan, &mut rng),
            lamp: Lamp::default(),
            checks: Checks::new(&plan.settings, plan.card != Card::Keeps),
            remains: Remains::of(&plan),
            plan,
            rng,
            now: 1_000,
            sequence: 0,
            events: BTreeMap::new(),
            life: None,
            lives: 0,
            first: true,
            procs: BTreeMap::new(),
            memos: BTreeMap::new(),
            handed_over: None,
            hold: None,
            pasts: BTreeMap::new(),
            learned: BTreeMap::new(),
            next_pid: 1000,
            alive: vec![0; n],
            beats: vec![0; n],
            calm: false,
            well_since: None,
            trouble: Trouble::default(),
            next_ticket: 1,
            network: false,
            tally: Tally::default(),
            book,
            failure: None,
            finished: false,
        }
    }

    /// Runs until everything is well again after the last fault. `Err` tells what was not.
    pub fn run(&mut self) -> Result<(), String> {
        self.at(self.now, Event::DaemonStart(0));
        self.at(self.plan.calm_at, Event::Calm);
        if self.truth.battery.is_some() {
            self.after(1_000, Event::Drain);
        }
        for kind in self.plan.faults.clone() {
            self.next_strike(kind);
        }
        while let Some(((at, _), event)) = self.events.pop_first() {
            self.now = at;
            self.tally.events += 1;
            self.handle(event);
            if let Some(why) = self.failure.take() {
                return Err(format!("at {}: {why}", Mono(self.now)));
            }
            if self.finished {
                self.tally.seconds += self.now / 1000;
                return Ok(());
            }
            if self.tally.events > MOST_EVENTS {
                return Err("it never comes to an end".to_owned());
            }
        }
        Err("nothing is left to happen".to_owned())
    }

    pub fn at(&mut self, at: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((at.max(self.now), self.sequence), event);
    }

    /// After `delay` milliseconds.
    pub fn after(&mut self, delay: u64, event: Event) {
        self.at(self.now + delay, event);
    }

    pub fn fail(&mut self, why: impl Into<String>) {
        let why = why.into();
        self.failure.get_or_insert(why);
    }

    /// Is this fault possible now?
    pub fn on(&self, kind: Kind) -> bool {
        !self.calm && self.plan.faults.contains(&kind)
    }

    /// Does it happen now, in `percent` of a hundred cases in which it can?
    pub fn strikes(&mut self, kind: Kind, percent: u64) -> bool {
        let yes = self.on(kind) && self.rng.chance(percent);
        if yes {
            self.tally.fault(kind);
        }
        yes
    }

    fn next_strike(&mut self, kind: Kind) {
        if let Some(every) = kind.every() {
            let delay = self.rng.range(100, every * 2000);
            self.after(delay, Event::Strike(kind));
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Life(life, event) => self.life_event(life, event),
            Event::ProcReady(pid) => self.proc_ready(pid),
            Event::ProcBeat(pid) => self.proc_beat(pid),
            Event::ProcSays(pid) => self.proc_says(pid),
            Event::ProcEnd(pid, exit) => self.proc_end(pid, exit),
            Event::ProcGone(pid) => self.proc_gone(pid),
            Event::Bite => self.device_looks(),
            Event::Mains(present) => self.turn_mains(present),
            Event::Drain => self.battery_looks(),
            Event::VoltageBack => self.voltage_back(),
            Event::InitLooks(life) => self.init_looks(life),
            Event::DaemonStart(boot) if boot == self.remains.boot => self.daemon_start(),
            Event::DaemonStart(_) => {}
            Event::KillOf(life) => {
                if self.life.as_ref().is_some_and(|l| l.no == life) {
                    self.kill_daemon();
                }
            }
            Event::ResetOf(boot) => {
                if boot == self.remains.boot && !self.truth.off {
                    self.board_sees_a_reset();
                    self.reboot(How::Reset);
                }
            }
            Event::Thaw(life) => self.thaw(life),
            Event::MustReset(life) => self.must_have_reset(life),
            Event::Strike(kind) if !self.calm => {
                self.strike(kind);
                self.next_strike(kind);
            }
            Event::Strike(_) => {}
            Event::InitStops(boot) => self.init_stops(boot),
            Event::InitKills(boot, life) => self.init_kills(boot, life),
            Event::Unmounted(boot) => self.unmounted(boot),
            Event::BoardCuts(order) => self.board_cuts(order),
            Event::Button(boot) => self.button(boot),
            Event::Calm => self.calm_down(),
            Event::Survey => self.survey(),
        }
    }

    /// One fact for the core; its orders go out.
    pub fn step(&mut self, fact: &Fact, back: u64) {
        let Some(life) = &mut self.life else { return };
        life.out.clear();
        if let Fact::Done { order, .. } = fact {
            life.unanswered.remove(order);
        }
        let at = Mono(self.now.saturating_sub(back));
        let before = life.core.picture().halting;
        let fitted = life.core.picture().stop_fit.is_some();
        life.core.step(at, fact, &mut life.out);
        self.tally.steps += 1;
        self.tally.notes(&life.out.notes);
        let fits = life.core.picture().stop_fit.is_some();
        self.tally.power.shortened += u64::from(fits && !fitted);
        self.book.step(self.now, fact, &life.out);
        let deadline = life.core.deadline();
        let view = View {
            now: life.core.picture().now.0,
            fact,
            orders: &life.out.orders,
            notes: &life.out.notes,
            core: &life.core,
            deadline,
            alive: &self.alive,
            starting: &life.starting,
            frozen: life.frozen_for,
            beats: &self.beats,
            deaf_until: life.deaf_until,
            thawed: life.frozen_since,
            stops: life.core.picture().ending != Ending::No,
            learned: &life.out.stops,
        };
        if let Err(why) = self.checks.step(&view) {
            self.failure.get_or_insert(why);
        }
        for (service, run, memo) in std::mem::take(&mut life.out.memos) {
            self.memos.insert(service, (run, memo));
        }
        self.pasts.extend(std::mem::take(&mut life.out.pasts));
        self.learned.extend(std::mem::take(&mut life.out.stops));
        let rung = life.core.picture().halting.map(|h| h.rung);
        // A drill may be in vain: then it pets on.
        let halting = life.core.picture().halting;
        let drill = halting.is_some_and(|h| matches!(h.cause, HaltCause::Drill { .. }));
        life.let_go |= rung == Some(Rung::WatchdogReset) && !drill;
        let notes = std::mem::take(&mut life.out.notes);
        let orders = std::mem::take(&mut life.out.orders);
        if let Some(kept) = &mut self.kept {
            kept.extend(orders.iter().map(|o| (self.now, o.action.clone())));
        }
        self.judge_power(before, &notes);
        self.judge_verdicts(&notes);
        if let Some(rung) = rung.filter(|_| before.map(|h| h.rung) != rung) {
            self.strike_on(rung);
        }
        for order in orders {
            self.dispatch(order);
        }
        self.note_trouble();
        self.plan_wake();
    }

    /// The daemon can pet, or it cannot: count the time in which it cannot.
    pub fn note_trouble(&mut self) {
        let troubled = self.life.as_ref().is_none_or(|l| l.cannot_pet(self.now));
        self.trouble.set(self.now, troubled);
    }

    /// All power is gone and comes back, or the machine is reset.
    pub fn reboot(&mut self, how: How) {
        self.go_down(how);
        if !self.truth.off {
            self.switch_on();
        }
    }

    /// The battery is empty.
    pub fn power_gone(&mut self) {
        self.board.goes_dark();
        self.go_down(How::Empty);
    }

    /// The machine starts.
    pub fn switch_on(&mut self) {
        let boot = self.rng.range(2_000, 6_000);
        self.after(boot, Event::DaemonStart(self.remains.boot));
    }

    /// Nothing runs any more.
    fn go_down(&mut self, how: How) {
        self.end_life();
        self.procs.clear();
        self.memos.clear();
        self.handed_over = None;
        self.hold = None;
        match self.plan.card {
            Card::Keeps | Card::Stale => {
                let earlier = |past: &mut JobPast| *past = past.of_earlier_boot();
                self.pasts.values_mut().for_each(earlier);
            }
            Card::Forgets => {
                self.pasts.clear();
                self.learned.clear();
            }
        }
        self.checks.new_boot();
        self.alive.iter_mut().for_each(|n| *n = 0);
        let bitten = how == How::Bitten;
        self.device.reset(bitten);
        let tells = self.device.tells;
        self.remains
            .new_boot(tells.then_some(bitten), how, self.plan.card);
        self.first = true;
        self.clocks.boot();
        self.lamp.go_dark();
        self.tally.reboots += 1;
        if self.on(Kind::DeviceTaken) {
            self.take_device();
        }
    }

    fn calm_down(&mut self) {
        self.calm = true;
        let (now, guarded) = (self.now, self.guarded());
        self.device.heal(now);
        self.mains.heal(now);
        self.truth.heal(now);
        self.turn_mains(true);
        self.clocks.heal();
        self.firmware.heal(now);
        self.lamp.heal(now);
        self.unstick_all(guarded);
        self.after(1_000, Event::Survey);
    }

    fn survey(&mut self) {
        match self.is_well() {
            Ok(()) => {
                let since = *self.well_since.get_or_insert(self.now);
                self.finished = self.now - since >= 20_000;
            }
            Err(why) => {
                self.well_since = None;
                if self.now > self.plan.well_by {
                    self.fail(format!("L1: not well long after the last fault: {why}"));
                }
            }
        }
        self.after(2_000, Event::Survey);
    }
}

//! A simulated board: a watchdog, a thermometer and the other vital signs, without any hardware.
//!
//! Terms: a *knob* changes the simulated world from outside; the watchdog *bites* when nobody pets
//! it in time, and from then on the simulated machine is down until it is booted again. The same
//! seed, the same knobs at the same times and the same questions give the same answers. Time is
//! passed in and never read; it may be scaled, but must not run backwards (if it does, it stands).

mod lamp;
mod vitals;
mod watchdog;

pub use lamp::SimLamp;
pub use watchdog::{Bite, Record, SimDriver, SimWatchdog, TimeSource};

use crate::core::fact::{Errno, Fact, Fault, MountId, Reading, Source};
use crate::core::light::LedState;
use crate::sorted::Map;
use crate::units::{MilliCelsius, Mono, Permille};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use vitals::Body;
use watchdog::Chip;

/// A handle on the board; all handles of one board show the same world.
#[derive(Clone, Debug)]
pub struct SimBoard {
    world: Arc<Mutex<World>>,
    gate: Arc<Gate>,
}

/// Where calls of the watchdog's driver wait while it is stuck.
#[derive(Debug, Default)]
struct Gate {
    shut: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn set(&self, shut: bool) {
        *self.shut.lock().unwrap_or_else(PoisonError::into_inner) = shut;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let shut = self.shut.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = self.opened.wait_while(shut, |shut| *shut);
        drop(opened.unwrap_or_else(PoisonError::into_inner));
    }
}

/// Everything that the board consists of.
#[derive(Debug)]
struct World {
    now: Mono,
    chip: Chip,
    body: Body,
    /// Readings that fail, and why.
    silent: Map<Source, Fault>,
    /// What the status LED shows.
    shown: Option<LedState>,
    /// The status LED refuses, and why.
    lamp_fault: Option<Fault>,
}

impl World {
    fn pass(&mut self, now: Mono) {
        self.now = self.now.max(now);
        self.chip.pass(self.now);
        self.body.pass(self.now);
    }
}

impl SimBoard {
    /// A healthy board that was switched on at `now`.
    pub fn new(seed: u64, now: Mono) -> SimBoard {
        let world = World {
            now,
            chip: Chip::default(),
            body: Body::new(seed, now),
            silent: Map::new(),
            shown: None,
            lamp_fault: None,
        };
        SimBoard {
            world: Arc::new(Mutex::new(world)),
            gate: Arc::default(),
        }
    }

    /// The board's watchdog. Give it the clock of the loop that uses it.
    pub fn watchdog(&self, time: TimeSource) -> SimWatchdog {
        SimWatchdog::on(SimDriver::new(self.clone(), time))
    }

    /// Lets time pass and tells of a bite, once.
    pub fn advance(&self, now: Mono) -> Option<Bite> {
        let mut world = self.at(now);
        world.chip.take_bite()
    }

    /// When the watchdog will bite unless somebody pets; `None` while it does not run.
    pub fn bites_at(&self) -> Option<Mono> {
        self.world().chip.deadline()
    }

    /// What happened to the watchdog so far.
    pub fn record(&self) -> Record {
        self.world().chip.record()
    }

    /// Switches a machine on again that the watchdog has reset. It then remembers the cause.
    pub fn boot(&self, now: Mono) {
        self.at(now).chip.boot();
    }

    /// The vital signs, as [`Vitals::sample`](super::vitals::Vitals::sample) gives them:
    /// temperature, memory, load, clock, mains, throttle flags.
    pub fn sample(&self, now: Mono) -> Vec<Fact> {
        let world = self.at(now);
        [
            (Source::Temperature, world.body.temperature()),
            (Source::Memory, world.body.memory()),
            (Source::Load, world.body.load()),
            (Source::Clock, world.body.clock()),
            (Source::Mains, world.body.mains()),
            (Source::Throttle, world.body.throttle()),
        ]
        .into_iter()
        .map(|(source, reading)| world.fact(source, reading))
        .collect()
    }

    /// The battery, as [`Gauge::look`](super::gauge::Gauge::look) gives it.
    pub fn sample_gauge(&self, now: Mono) -> Vec<Fact> {
        let world = self.at(now);
        vec![world.fact(Source::Gauge, world.body.gauge())]
    }

    /// Knob: what is left in the battery. It goes on charging or falling from there.
    pub fn set_charge(&self, left: Permille) {
        self.world().body.set_charge(left);
    }

    /// The throttle flags alone, as [`Vitals::glance`](super::vitals::Vitals::glance) gives them.
    pub fn glance(&self, now: Mono) -> Fact {
        let world = self.at(now);
        world.fact(Source::Throttle, world.body.throttle())
    }

    /// Mains alone, as [`Vitals::mains`](super::vitals::Vitals::mains) gives them.
    pub fn glance_at_mains(&self, now: Mono) -> Fact {
        let world = self.at(now);
        world.fact(Source::Mains, world.body.mains())
    }

    /// This many file systems, as [`Disk::sample`](super::disk::Disk::sample) gives them.
    pub fn sample_mounts(&self, now: Mono, mounts: u16) -> Vec<Fact> {
        let world = self.at(now);
        (0..mounts)
            .map(MountId)
            .map(|mount| world.fact(Source::Mount(mount), world.body.mount(mount)))
            .collect()
    }

    /// Knob: extra heat from outside, such as the sun on the case. The processor follows slowly.
    pub fn set_heat(&self, extra: MilliCelsius) {
        self.world().body.heat = extra;
    }

    /// Knob: load per processor, in hundredths. The processor's temperature follows slowly.
    pub fn set_load(&self, centi_per_cpu: u32) {
        self.world().body.load = centi_per_cpu;
    }

    /// Knob: available memory.
    pub fn set_memory(&self, available: Permille) {
        self.world().body.memory = available;
    }

    /// Knob: free space, of every file system.
    pub fn set_space(&self, free: Permille) {
        self.world().body.space = free;
    }

    /// Knob: all file systems read-only, or writable again.
    pub fn set_read_only(&self, read_only: bool) {
        self.world().body.read_only = read_only;
    }

    /// Knob: mains are there, or are cut and a battery runs the board.
    pub fn set_mains(&self, present: bool) {
        self.world().body.set_mains(present);
    }

    /// Knob: the supply voltage is too low, or is in order again. The firmware keeps in mind that it
    /// was.
    pub fn set_under_voltage(&self, low: bool) {
        self.world().body.set_under_voltage(low);
    }

    /// Knob: somebody clears the firmware's bits of what has occurred, as the kernel's driver does
    /// every two seconds. What still is occurs again at once.
    pub fn clear_throttle_history(&self) {
        self.world().body.clear_throttle_history();
    }

    /// What the board's clock shows: wall time that nothing of the daemon ever counts with.
    pub fn wall(&self, now: Mono) -> jiff::Timestamp {
        self.at(now).body.wall()
    }

    /// Knob: somebody sets the clock ahead of the true time by this much, or right with zero.
    pub fn step_clock(&self, ahead: Duration) {
        self.world().body.ahead = ahead;
    }

    /// Knob: the clock is disciplined, or is not.
    pub fn set_synced(&self, synced: bool) {
        self.world().body.synced = synced;
    }

    /// Knob: readings of this source fail with this fault, or come again with `None`.
    pub fn silence(&self, source: Source, why: Option<Fault>) {
        let mut world = self.world();
        match why {
            Some(why) => world.silent.insert(source, why),
            None => world.silent.remove(&source),
        };
    }

    /// Knob: another process opens the watchdog, `by` being `NAME (pid N)`, and pets it from then
    /// on. Tells whether it could: not while we have it open.
    pub fn take_watchdog(&self, by: &str) -> bool {
        self.world().chip.take(by)
    }

    /// Knob: the other process stops the watchdog and closes it.
    pub fn free_watchdog(&self) {
        self.world().chip.free();
    }

    /// Knob: the watchdog is gone, as if its module had been unloaded. It does not bite any more.
    pub fn vanish(&self) {
        self.world().chip.vanish();
    }

    /// Knob: the watchdog is there again, stopped.
    pub fn come_back(&self) {
        self.world().chip.come_back();
    }

    /// Knob: the driver does not come back from a pet, as over a bus that hangs, until it is
    /// unstuck. The chip runs on meanwhile, and bites.
    pub fn set_stuck(&self, stuck: bool) {
        self.gate.set(stuck);
    }

    /// Knob: the driver refuses longer timeouts, as that of the Pi did above 15 s; `None` for one
    /// that accepts all.
    pub fn refuse_timeouts_above(&self, limit: Option<Duration>) {
        self.world().chip.refuse_above(limit);
    }

    /// Knob: the watchdog cannot be stopped any more. As in the kernel, there is no way back.
    pub fn forbid_disarming(&self) {
        self.world().chip.forbid_disarming();
    }

    /// The world after time has passed.
    fn at(&self, now: Mono) -> MutexGuard<'_, World> {
        let mut world = self.world();
        world.pass(now);
        world
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // Every change is complete before the lock is given back, even in a thread that panics.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    fn fact(&self, source: Source, reading: Reading) -> Fact {
        match self.silent.get(&source) {
            Some(why) => Fact::Lost {
                source,
                why: why.clone(),
            },
            None => Fact::Seen(reading),
        }
    }
}

/// The error of everything that runs on a machine that is down, or asks a device that is gone.
const GONE: Errno = Errno(libc::ENODEV);

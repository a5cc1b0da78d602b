//! What the demo has seen: counts and states, kept from the same entries that the daemon records.
//!
//! Terms: an *entry* is one pass of the core, with what it was told, what it ordered and what it
//! had to say; an *outage* is the time from the unasked end of a service, or from the end of the
//! wait after it, to its being up again. Everything the demo claims is read from here, so it can
//! only claim what happened. Never asks the daemon and never reads a clock.

mod watched;

pub use watched::{Phase, Watched};

use crate::core::action::{Action, Order};
use crate::core::fact::{Change, Fact, Fault, OrderId, Reading, ServiceId};
use crate::core::note::{HaltNote, Note};
use crate::core::picture::Verdict;
use crate::core::settings::Settings;
use crate::units::{MilliCelsius, Mono, Permille};
use std::time::Duration;

/// One pass of the core.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When, in the time of the simulated board.
    pub now: Mono,
    /// What the core was told.
    pub fact: Fact,
    /// What it ordered.
    pub orders: Vec<Order>,
    /// What it had to say.
    pub notes: Vec<Note>,
}

/// How the watchdog device stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Guard {
    /// Nothing is known yet.
    Unknown,
    /// It runs and is petted.
    Armed,
    /// It cannot be had.
    Failed(Fault),
}

/// What was seen of the watchdog.
#[derive(Clone, Debug)]
pub struct Petted {
    /// How the device stands.
    pub guard: Guard,
    /// Its timeout, once it was armed.
    pub timeout: Option<Duration>,
    /// Times it was armed.
    pub armed: u32,
    /// Pets that reached it.
    pub pets: u32,
    /// The last arming or pet, while it is armed.
    pub last: Option<Mono>,
    /// Longest time between two of them, withheld pets left out.
    pub longest_gap: Duration,
    /// No pets are given, because a thread is stuck.
    pub withheld: bool,
    /// Times that pets were withheld.
    pub withholdings: u32,
    /// Since when nothing guards the board: the device cannot be had.
    unguarded_since: Option<Mono>,
    /// For how long that was so, all in all, as far as it is over.
    unguarded: Duration,
    /// Pets that are on their way.
    under_way: Vec<OrderId>,
}

/// What was seen of the board's vital signs. `None`: not read yet, or lost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Signs {
    /// Temperature of the processor.
    pub temperature: Option<MilliCelsius>,
    /// Verdict on it.
    pub heat: Verdict,
    /// Highest temperature so far.
    pub hottest: Option<MilliCelsius>,
    /// Memory available.
    pub memory: Option<Permille>,
    /// Verdict on it.
    pub memory_verdict: Verdict,
    /// Load in hundredths per processor.
    pub load: Option<u32>,
    /// The clock is disciplined.
    pub synced: Option<bool>,
    /// Mains are seen, or seen gone.
    pub mains: Option<bool>,
    /// They are believed to be gone.
    pub on_battery: bool,
    /// What is left in the battery.
    pub charge: Option<Permille>,
}

/// Everything that was seen.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// What the daemon was told at its start.
    pub settings: Settings,
    /// Time of the last entry.
    pub now: Mono,
    /// The services, in the order of the settings.
    pub services: Vec<Watched>,
    /// The watchdog.
    pub watchdog: Petted,
    /// The vital signs.
    pub signs: Signs,
    /// Times the watchdog reset the simulated board.
    pub bites: u32,
    /// Since when the machine is being halted.
    pub halt: Option<Mono>,
    /// Somebody asked the daemon to end.
    pub ending: bool,
    /// It has ended.
    pub ended: bool,
}

impl Ledger {
    /// Nothing was seen yet.
    pub fn new(settings: Settings, now: Mono) -> Ledger {
        let services = vec![Watched::default(); settings.services.len()];
        Ledger {
            settings,
            now,
            services,
            watchdog: Petted {
                guard: Guard::Unknown,
                timeout: None,
                armed: 0,
                pets: 0,
                last: None,
                longest_gap: Duration::ZERO,
                withheld: false,
                withholdings: 0,
                unguarded_since: None,
                unguarded: Duration::ZERO,
                under_way: Vec::new(),
            },
            signs: Signs::default(),
            bites: 0,
            halt: None,
            ending: false,
            ended: false,
        }
    }

    /// Takes in one entry.
    pub fn take(&mut self, entry: &Entry) {
        self.now = self.now.max(entry.now);
        self.take_fact(&entry.fact);
        for order in &entry.orders {
            if matches!(order.action, Action::Pet) {
                self.watchdog.under_way.push(order.id);
            }
        }
        for note in &entry.notes {
            self.take_note(note);
        }
    }

    /// What was seen of this service.
    pub fn service(&self, id: ServiceId) -> Option<&Watched> {
        self.services.get(usize::from(id.0))
    }

    /// What was seen of the service with this name.
    pub fn named(&self, name: &str) -> Option<&Watched> {
        self.service(self.settings.service(name)?)
    }

    /// Services that are up.
    pub fn up(&self) -> usize {
        self.services
            .iter()
            .filter(|s| s.phase == Phase::Up)
            .count()
    }

    /// Heartbeats of all services together.
    pub fn heartbeats(&self) -> u32 {
        self.services.iter().map(|s| s.heartbeats).sum()
    }

    /// The longest outage of any service.
    pub fn longest_outage(&self) -> Option<Duration> {
        self.services.iter().filter_map(|s| s.longest_outage).max()
    }

    /// The longest time for which a service was down that should not have been, waits and all.
    pub fn longest_down(&self) -> Option<Duration> {
        self.services.iter().filter_map(|s| s.longest_down).max()
    }

    fn take_fact(&mut self, fact: &Fact) {
        match fact {
            Fact::Child {
                service, change, ..
            } => self.take_change(*service, change),
            Fact::Seen(reading) => self.signs.take(reading),
            Fact::Done { order, outcome } => self.watchdog.take_outcome(*order, outcome, self.now),
            Fact::Tick
            | Fact::Lost { .. }
            | Fact::Kept { .. }
            | Fact::Asked { .. }
            | Fact::Thread { .. } => {}
        }
    }

    fn take_change(&mut self, id: ServiceId, change: &Change) {
        let now = self.now;
        let Some(service) = self.services.get_mut(usize::from(id.0)) else {
            return;
        };
        match change {
            Change::Heartbeat => service.beat(now),
            Change::Started { .. }
            | Change::StartFailed { .. }
            | Change::Adopted { .. }
            | Change::Recalled(_)
            | Change::Redefined
            | Change::Remembered(_)
            | Change::Stops(_)
            | Change::Ready
            | Change::Said(_)
            | Change::Refused { .. }
            | Change::Probed { .. }
            | Change::Exited(_) => {}
        }
    }

    fn take_note(&mut self, note: &Note) {
        let now = self.now;
        match note {
            Note::Ending { .. } | Note::Leaving { .. } => self.ending = true,
            Note::Ended => self.ended = true,
            Note::Halt(HaltNote::Halting { .. }) => self.halt = Some(now),
            Note::Halt(HaltNote::HaltCancelled { .. }) => self.halt = None,
            Note::Heat { verdict, .. } => self.signs.heat = *verdict,
            Note::Memory { verdict, .. } => self.signs.memory_verdict = *verdict,
            Note::MainsLost | Note::OutageTakenUp { .. } => self.signs.on_battery = true,
            Note::MainsBack { .. } => self.signs.on_battery = false,
            Note::PetWithheld { .. } => self.watchdog.withhold(),
            Note::PetResumed => self.watchdog.withheld = false,
            Note::WatchdogArmed { timeout, .. } => self.watchdog.arm(*timeout, now),
            Note::WatchdogFailed { why, .. } => self.watchdog.fail(why, now),
            Note::ServiceStarting { service, .. } => self.on(*service, |s| s.start(now)),
            Note::ServiceUp { service, .. } => self.on(*service, |s| s.come_up(now)),
            Note::ServiceHung { service, .. } => self.on(*service, Watched::hang),
            Note::ServiceExited { service, asked, .. } => {
                self.on(*service, |s| s.exit(now, *asked));
            }
            Note::ServiceStopping { service } | Note::ServiceNotReady { service, .. } => {
                self.on(*service, |s| s.phase = Phase::Stopping);
            }
            Note::ServiceStartFailed { service, .. } | Note::ServiceFinished { service, .. } => {
                self.on(*service, |s| s.phase = Phase::Down);
            }
            Note::ServiceBackoff { service, delay, .. } => {
                let until = now.after(*delay);
                self.on(*service, |s| s.wait(Phase::Backoff { until }));
            }
            Note::ServiceGaveUp { service, .. } => self.on(*service, |s| s.wait(Phase::GaveUp)),
            Note::Began { .. }
            | Note::ServiceBarred { .. }
            | Note::Probe(..)
            | Note::Keeper(..)
            | Note::ServiceExcused { .. }
            | Note::RestartsExcused { .. }
            | Note::Halt(_)
            | Note::Hold(_)
            | Note::Reload(_)
            | Note::StopOverran { .. }
            | Note::JournalAway { .. }
            | Note::JournalBack
            | Note::Health(_)
            | Note::Guard(_)
            | Note::Network(_)
            | Note::PoolMissing { .. }
            | Note::LimitsUnenforced { .. }
            | Note::SafeStart { .. }
            | Note::LedFailed { .. }
            | Note::LedBack
            | Note::Asked { .. }
            | Note::ServiceStartStuck { .. }
            | Note::ServiceAdopted { .. }
            | Note::ServiceRecalled { .. }
            | Note::ServiceRedefined(_)
            | Note::ServiceKilled { .. }
            | Note::Notify(..)
            | Note::Group(..)
            | Note::Job(..)
            | Note::MachineRestarting { .. }
            | Note::MachineKept { .. }
            | Note::WatchdogClamped { .. }
            | Note::WatchdogHadReset
            | Note::WatchdogDisarmed
            | Note::WatchdogLeftArmed { .. }
            | Note::WatchdogRuns { .. }
            | Note::WatchdogIdle
            | Note::DaemonUnwatched
            | Note::ThreadLate { .. }
            | Note::ThreadOnTime { .. }
            | Note::SourceLost { .. }
            | Note::SourceBack { .. }
            | Note::Load { .. }
            | Note::Space { .. }
            | Note::Inodes { .. }
            | Note::MountErrors { .. }
            | Note::ClockSynced
            | Note::ClockUnsynced
            | Note::ClockTrust { .. }
            | Note::ClockWrong { .. }
            | Note::ClockStepped { .. }
            | Note::RtcWrong { .. }
            | Note::BatteryLow { .. }
            | Note::Shedding { .. }
            | Note::Recovering { .. }
            | Note::HeatShedding { .. }
            | Note::SignsDisagree { .. }
            | Note::ThrottleBegan { .. }
            | Note::ThrottleEnded { .. }
            | Note::ThrottleBrief { .. }
            | Note::ThrottleEarlier { .. } => {}
        }
    }

    fn on(&mut self, id: ServiceId, change: impl FnOnce(&mut Watched)) {
        if let Some(service) = self.services.get_mut(usize::from(id.0)) {
            change(service);
        }
    }
}

impl Signs {
    fn take(&mut self, reading: &Reading) {
        match reading {
            Reading::Temperature(t) => {
                self.temperature = Some(*t);
                self.hottest = self.hottest.max(Some(*t));
            }
            Reading::Memory { available } => self.memory = Some(*available),
            Reading::Load { centi_per_cpu } => self.load = Some(*centi_per_cpu),
            Reading::Clock { synced, .. } => self.synced = Some(*synced),
            Reading::Mains { present } => self.mains = Some(*present),
            Reading::Rtc(_) | Reading::Floor { .. } | Reading::Throttle(_) => {}
            Reading::Canary { .. } | Reading::Cap { .. } | Reading::Wear { .. } => {}
            Reading::Pressure { .. } | Reading::Swap(_) => {}
            Reading::Uplink(_) | Reading::Expiry { .. } => {}
            Reading::Mount { .. }
            | Reading::Network { .. }
            | Reading::Watchdog(_)
            | Reading::WatchdogElsewhere { .. }
            | Reading::Marker(_)
            | Reading::Hold(_)
            | Reading::Journal
            | Reading::Health
            | Reading::Pool
            | Reading::Problems { .. }
            | Reading::StandIn { .. }
            | Reading::Unenforced { .. }
            | Reading::Starts { .. } => {}
            Reading::Gauge { charge, .. } => self.charge = *charge,
        }
    }
}

impl Petted {
    fn arm(&mut self, timeout: Duration, now: Mono) {
        self.guard = Guard::Armed;
        self.timeout = Some(timeout);
        self.armed += 1;
        self.last = Some(now);
        if let Some(since) = self.unguarded_since.take() {
            self.unguarded += now.since(since);
        }
    }

    fn fail(&mut self, why: &Fault, now: Mono) {
        self.guard = Guard::Failed(why.clone());
        self.last = None;
        self.unguarded_since.get_or_insert(now);
    }

    /// For how long nothing has guarded the board up to `now`.
    pub fn unguarded(&self, now: Mono) -> Duration {
        let still = self.unguarded_since.map(|since| now.since(since));
        self.unguarded + still.unwrap_or_default()
    }

    fn withhold(&mut self) {
        self.withheld = true;
        self.withholdings += 1;
        self.last = None;
    }

    fn take_outcome(&mut self, order: OrderId, outcome: &Result<(), Fault>, now: Mono) {
        let Some(at) = self.under_way.iter().position(|o| *o == order) else {
            return;
        };
        self.under_way.remove(at);
        if outcome.is_err() || self.guard != Guard::Armed {
            return;
        }
        self.pets += 1;
        if let Some(last) = self.last {
            self.longest_gap = self.longest_gap.max(now.since(last));
        }
        self.last = Some(now);
    }
}

//! Decides. Facts in, actions out, `now` an argument.
//!
//! ```text
//! facts ──► clock ─► power ─► thermal ─► throttle ─► memory ─► storage ─┐ each writes its
//!        ┌──────────────────────────────────────────────────────────────┘ verdict, for
//!        └► daemon ─► hold ─► services ─► shutdown ─► threads ─► marker ─┐    those after it
//!        ┌───────────────────────────────────────────────────────────────┘
//!        └► watchdog ─► led ─► desk
//! ```
//!
//! Terms: a *policy* is a small state machine; it reads the fact and the verdicts of the policies
//! before it, writes its own verdict, and pushes the actions that it alone owns. A *pass* is one fact
//! going through all policies.
//!
//! Invariant: nothing here reads a clock, a file or the environment, starts a thread, logs, or can
//! fail. The same facts at the same times give the same actions, always.
//! Invariant: policies do not know each other; `tests/tidy.rs` holds both.
#![forbid(unsafe_code)]

pub mod action;
mod backoff;
pub mod budget;
mod clock;
pub mod comeback;
mod daemon;
mod desk;
pub mod fact;
mod hold;
pub mod intent;
pub mod job;
pub mod last_words;
mod led;
mod level;
pub mod light;
mod marker;
pub mod memo;
mod memory;
mod network;
pub mod note;
mod past;
pub mod picture;
mod power;
pub mod reboots;
mod sense;
mod service;
mod services;
pub mod settings;
mod shutdown;
mod storage;
mod thermal;
mod threads;
mod throttle;
pub mod traces;
pub(crate) mod trust;
mod watchdog;

use crate::units::Mono;
use action::Actions;
pub use clock::RtcView;
pub use daemon::{Standing, StartKind};
use fact::Fact;
use intent::Proof;
pub use led::LedView;
pub use network::{ExpiryView, RungView, UplinkView};
use note::{HaltNote, MachineKept};
pub use past::{Confidence, End, LastBoot};
use picture::Picture;
pub use power::{
    Course, Dispute, Gauge, GaugeView, Held, LineView, Plan, PowerView, Quality, Signs, Supply,
};
pub use service::{Account, Bar, Down, ProbeView, Readiness, Reload, State, StopCause, Wish};
pub use services::{JobPlan, JobView, StopView, View};
use settings::Settings;
pub use shutdown::WayDownStep;
use std::borrow::Borrow;
use std::time::Duration;
pub use storage::{CanaryView, CapView, MountTrouble};
pub use thermal::HeatLevel;
pub use throttle::{Ended, Episode, Watched};
pub use watchdog::{Guard, Outside, Pets};

/// What is known once, when the daemon starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BootFacts {
    /// Seed of the jitter between restarts, so that a hundred Pis do not restart in step.
    pub seed: u64,
    /// Init ends us unless it hears from us within this time (`WATCHDOG_USEC`).
    pub init_watchdog: Option<Duration>,
    /// No earlier daemon ran in this boot: what ended the boot before is news.
    pub first: bool,
}

/// One fact on its way through the policies.
pub(crate) struct Pass<'a> {
    pub now: Mono,
    pub fact: &'a Fact,
    pub settings: &'a Settings,
    pub picture: &'a mut Picture,
    pub out: &'a mut Actions,
}

impl Pass<'_> {
    /// Adds a line about the end of the machine.
    fn tell(&mut self, note: HaltNote) {
        self.out.note(note.into());
    }
}

/// A small state machine with one subject.
pub(crate) trait Policy {
    /// Takes in one fact.
    fn step(&mut self, pass: &mut Pass);
    /// When this policy wants to be stepped again even if nothing happens.
    fn deadline(&self) -> Option<Mono>;
}

/// The decider: all policies, in their order.
pub struct Core {
    /// Its own or shared: what is known of a thousand services need not be there twice.
    settings: Box<dyn Borrow<Settings> + Send>,
    picture: Picture,
    clock: clock::Clock,
    power: power::Power,
    thermal: thermal::Thermal,
    throttle: throttle::Throttle,
    memory: memory::Memory,
    network: network::Network,
    storage: storage::Storage,
    daemon: daemon::Daemon,
    hold: hold::Holds,
    services: services::Services,
    shutdown: shutdown::Shutdown,
    threads: threads::Threads,
    marker: marker::Marker,
    watchdog: watchdog::Watchdog,
    led: led::Led,
    desk: desk::Desk,
}

impl Core {
    /// A core that knows nothing yet. Tell it of services to adopt, then give it a first
    /// [`Fact::Tick`]: with that it begins.
    pub fn new(settings: impl Borrow<Settings> + Send + 'static, boot: BootFacts) -> Core {
        let known: &Settings = settings.borrow();
        Core {
            picture: Picture::default(),
            clock: clock::Clock::default(),
            power: power::Power::new(known),
            thermal: thermal::Thermal::default(),
            throttle: throttle::Throttle::default(),
            memory: memory::Memory::default(),
            network: network::Network::new(known),
            storage: storage::Storage::new(known),
            daemon: daemon::Daemon::default(),
            hold: hold::Holds::default(),
            services: services::Services::new(known, boot.seed),
            shutdown: shutdown::Shutdown::default(),
            threads: threads::Threads::default(),
            marker: marker::Marker::default(),
            watchdog: watchdog::Watchdog::new(known, boot),
            led: led::Led::default(),
            desk: desk::Desk::default(),
            settings: Box::new(settings),
        }
    }

    /// One fact in, all actions out. Never blocks, never fails, never reads a clock.
    ///
    /// `now` must not go backwards; if it does, the last known time is used.
    pub fn step(&mut self, now: Mono, fact: &Fact, out: &mut Actions) {
        let now = now.max(self.picture.now);
        let (policies, settings, picture) = self.parts();
        picture.now = now;
        picture.answer = None;
        for policy in policies {
            policy.step(&mut Pass {
                now,
                fact,
                settings,
                picture,
                out,
            });
        }
    }

    /// The earliest time at which some policy wants a [`Fact::Tick`].
    pub fn deadline(&mut self) -> Option<Mono> {
        let (policies, ..) = self.parts();
        policies.into_iter().filter_map(|p| p.deadline()).min()
    }

    /// The daemon was asked to end, or the machine is being halted.
    pub fn is_ending(&self) -> bool {
        self.picture.ending != picture::Ending::No
    }

    /// The policies in their order, and what they share.
    fn parts(&mut self) -> ([&mut dyn Policy; 16], &Settings, &mut Picture) {
        let policies: [&mut dyn Policy; 16] = [
            &mut self.clock,
            &mut self.power,
            &mut self.thermal,
            &mut self.throttle,
            &mut self.memory,
            &mut self.network,
            &mut self.storage,
            &mut self.daemon,
            &mut self.hold,
            &mut self.services,
            &mut self.shutdown,
            &mut self.threads,
            &mut self.marker,
            &mut self.watchdog,
            &mut self.led,
            &mut self.desk,
        ];
        (policies, (*self.settings).borrow(), &mut self.picture)
    }

    /// What it was told at its start.
    pub fn settings(&self) -> &Settings {
        (*self.settings).borrow()
    }

    /// Verdicts of the last pass.
    pub fn picture(&self) -> &Picture {
        &self.picture
    }

    /// What the daemon itself is missing.
    pub fn standing(&self) -> &Standing {
        self.daemon.standing()
    }

    /// The hold that is in force.
    pub fn hold(&self) -> Option<&fact::Hold> {
        self.hold.hold()
    }

    /// How each service stands.
    pub fn services(&self) -> impl Iterator<Item = View> + '_ {
        self.services.views()
    }

    /// How a job stands; `None` for a service that is none.
    pub fn job(&self, service: fact::ServiceId, now: Mono) -> Option<JobView> {
        let services = &self.settings().services;
        self.services.job(service, services, &self.picture, now)
    }

    /// What the latest run of a service has told of itself; `None` for a number that is no service.
    pub fn account(&self, service: fact::ServiceId) -> Option<&Account> {
        self.services.account(service)
    }

    /// The main process of a service, if it has one.
    pub fn main_process(&self, service: fact::ServiceId) -> Option<fact::Pid> {
        self.services.main_process(service)
    }

    /// How the probes of a service stand that are made of it now.
    pub fn probes(&self, service: fact::ServiceId) -> impl Iterator<Item = ProbeView> + '_ {
        self.services.probe_views(service)
    }

    /// The hardware watchdog did not bite in a drill of this boot.
    pub fn watchdog_is_toothless(&self) -> bool {
        self.watchdog.is_toothless()
    }

    /// What the latest drill of the watchdog has proven; `None` if there was none.
    pub fn proof(&self) -> Option<Proof> {
        self.marker.proof()
    }

    /// How the boot before this one ended; `None` if a daemon of this boot left nothing about it.
    pub fn last_boot(&self) -> Option<LastBoot> {
        self.marker.last_boot()
    }

    /// Why the machine would not be restarted for the sake of this service if it were given up now;
    /// `None` if it would be, or if it does not escalate to the machine.
    pub fn keeps_machine(&self, service: fact::ServiceId, now: Mono) -> Option<MachineKept> {
        let settings = self.settings();
        let escalates = settings.escalates(service);
        let why = || self.shutdown.keeps_machine(now, &self.picture, settings);
        escalates.then(why).flatten()
    }

    /// How the hardware watchdog stands.
    pub fn guard(&self) -> &Guard {
        self.watchdog.guard()
    }

    /// The pets so far.
    pub fn pets(&self) -> Pets {
        self.watchdog.pets()
    }

    /// What is seen of a hardware watchdog that init is to pet, and whether init watches this daemon.
    pub fn outside(&self) -> (Outside, bool) {
        self.watchdog.outside()
    }

    /// How the status LED stands; `None` where there is none.
    pub fn led(&self) -> Option<LedView> {
        self.led.view()
    }

    /// What the machine runs on; `None` where nothing tells.
    pub fn supply(&self) -> Option<Supply> {
        self.power.supply()
    }

    /// How power stands in full: what each source says, and what would happen when.
    pub fn power(&self, now: Mono) -> PowerView {
        let settings = self.settings();
        self.power
            .view(now, settings, self.services.stop_span(settings))
    }

    /// What the stop of each service takes that runs or is to, and what a halt leaves of its deadline
    /// with a battery that lasts for so long.
    pub fn stop_views(&self, lasts: Duration) -> Vec<StopView> {
        let settings = self.settings();
        let time = shutdown::Shutdown::time_to_stop(settings, lasts);
        self.services.stop_views(settings, time)
    }

    /// The rungs of a power-off for want of mains, and the longest that each may take.
    pub fn way_down(&self) -> Vec<WayDownStep> {
        shutdown::Shutdown::way_down(self.settings(), self.picture.hold_up)
    }

    /// What the battery's gauge says; `None` without one, and while it cannot be read.
    pub fn gauge(&self) -> Option<Gauge> {
        self.power.gauge()
    }

    /// The latest temperature, if one could be read.
    pub fn temperature(&self) -> Option<crate::units::MilliCelsius> {
        self.thermal.latest()
    }

    /// The level of temperature; `None` before the first reading.
    pub fn heat_level(&self) -> Option<HeatLevel> {
        self.thermal.level()
    }

    /// The latest throttle flags, if they could be read, and what is known of each; `None` where
    /// nothing tells of them.
    pub fn throttle(&self) -> Option<(Option<fact::ThrottleFlags>, &[Watched])> {
        self.throttle.view()
    }

    /// The latest available memory and load (hundredths per processor), if they could be read.
    pub fn memory(&self) -> (Option<crate::units::Permille>, Option<u32>) {
        self.memory.latest()
    }

    /// What is thought of available memory, and of load.
    pub fn memory_verdicts(&self) -> (picture::Verdict, picture::Verdict) {
        self.memory.verdicts()
    }

    /// Whether there is a way out of the machine; `None` where nobody looks or can tell.
    pub fn network(&self) -> Option<bool> {
        self.network.up()
    }

    /// How the steps of the way out stand; `None` where nobody cares.
    pub fn uplink(&self) -> Option<UplinkView> {
        let cares = self.settings().network.is_some();
        cares.then(|| self.network.uplink())
    }

    /// How the rungs of repair of the way out stand.
    pub fn rungs(&self, now: Mono) -> Vec<RungView> {
        self.network.rungs(self.settings(), now)
    }

    /// How everything stands that expires.
    pub fn expiries(&self) -> impl Iterator<Item = ExpiryView> + '_ {
        self.network.expiries()
    }

    /// Free space, free inodes and read-only state of each file system that could be looked at.
    pub fn mounts(&self) -> impl Iterator<Item = storage::MountView> + '_ {
        self.storage.views()
    }

    /// How each canary stands.
    pub fn canaries(&self) -> impl Iterator<Item = CanaryView> + '_ {
        self.storage.canaries()
    }

    /// How each cap stands.
    pub fn caps(&self) -> impl Iterator<Item = CapView> + '_ {
        self.storage.caps()
    }

    /// The pressure on memory and the traffic of swap, if they could be read, whether the machine works
    /// for its swap, and what is thought of all that.
    pub fn memory_want(
        &self,
    ) -> (
        Option<crate::units::Permille>,
        Option<fact::Swap>,
        bool,
        picture::Verdict,
    ) {
        self.memory.want()
    }

    /// Threads that are behind, and since when.
    pub fn late_threads(&self) -> impl Iterator<Item = (fact::Thread, Mono)> + '_ {
        self.threads.late()
    }

    /// The kernel's clock is disciplined; `None` if that is not known.
    pub fn clock_synced(&self) -> Option<bool> {
        self.clock.synced()
    }

    /// How far wall time can be trusted.
    pub fn clock_trust(&self) -> note::Trust {
        self.clock.trust()
    }

    /// How the battery-backed clock stands; `None` where there is none.
    pub fn rtc(&self) -> Option<RtcView> {
        self.clock.rtc()
    }
}

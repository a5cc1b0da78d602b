//! The picture: what the policies of one pass know, and what they have found so far.
//!
//! Terms: a *verdict* is what a policy thinks of its subject. A policy reads the verdicts of those
//! before it in the order, writes its own, and has no other way to talk to its neighbours.

use super::action::Answer;
use super::budget::{Fit, StopSpan};
use super::fact::{Asker, HaltKind, ServiceId, Shown, StandIn, Step, Thread, Ticket};
use super::intent::{CutTold, LetGo, Outage};
use super::reboots::Reboots;
use super::settings::{Class, Need, Remedy};
use crate::units::{Millivolts, Mono, Permille};
use std::time::Duration;

/// What a policy thinks of its subject. Ordered from best to worst; *unknown* is worse than *ok*
/// and better than *warn*, because absence is no good news and no proof of harm either.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Nothing is known.
    #[default]
    Unknown,
    /// Somebody should look.
    Warn,
    /// Broken.
    Critical,
}

impl Verdict {
    /// What is left of it when nothing is read any more: harm that was seen stands until a reading
    /// says otherwise, and what was well is not known to be.
    pub fn unseen(self) -> Verdict {
        self.max(Verdict::Unknown)
    }

    /// The word for it: `ok`, `unknown`, `warn`, `critical`.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Unknown => "unknown",
            Verdict::Warn => "warn",
            Verdict::Critical => "critical",
        }
    }
}

/// How far the end of the daemon has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Ending {
    /// It goes on.
    #[default]
    No,
    /// Services are being stopped.
    Stopping {
        /// Who asked.
        by: Asker,
        /// The time for it is over: kill what is left.
        overran: bool,
    },
    /// The machine is being halted: services are held, and come back if the halt is cancelled.
    Halting {
        /// The time for it is over: kill what is left.
        overran: bool,
    },
    /// Services are down or left; the watchdog is to be put into its last state.
    Parting {
        /// The services live on.
        services_left: bool,
    },
}

/// Why the machine is to be halted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HaltCause {
    /// Mains stayed away for longer than the ride-through.
    RideThrough,
    /// The battery is low, and enough of its signs agree.
    LowBattery,
    /// The machine runs on its battery, and nothing tells any more how full that is.
    GaugeSilent,
    /// The battery sinks to its low level, though mains are said to be there.
    BatterySinks,
    /// The watchdog is tried out: it is to bite.
    Drill {
        /// Who asked for it.
        by: Asker,
    },
    /// Services could not be kept up, and restarting the machine is the last thing to try.
    Services,
    /// The way out is broken, and restarting the machine is the last thing to try.
    Network,
    /// Somebody asked for it.
    Asked {
        /// Who.
        by: Asker,
    },
}

/// What is to be done for the way out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Repair {
    /// The number of the rung.
    pub rung: u16,
    /// The step that is broken.
    pub step: Step,
    /// What is done.
    pub remedy: Remedy,
    /// It was asked for before, since the way out broke.
    pub again: bool,
}

impl HaltCause {
    /// It is the last thing to try, for the sake of services or of the way out.
    pub fn is_last_resort(self) -> bool {
        matches!(self, HaltCause::Services | HaltCause::Network)
    }

    /// It is a reason only while mains are away.
    pub fn ends_with_mains(self) -> bool {
        match self {
            HaltCause::RideThrough | HaltCause::LowBattery | HaltCause::GaugeSilent => true,
            // What tells of mains is not believed then, by nobody: not by the hook, nor by the next
            // boot.
            HaltCause::BatterySinks
            | HaltCause::Services
            | HaltCause::Network
            | HaltCause::Drill { .. }
            | HaltCause::Asked { .. } => false,
        }
    }
}

/// The rungs of a halt, in their order. Each has its own deadline; missing it leads to the next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rung {
    /// An earlier boot was interrupted while it halted: are mains back meanwhile?
    Looking,
    /// Services are stopped in order.
    Stopping,
    /// Services that are left are killed.
    Killing,
    /// What is to come is written down.
    Recording,
    /// File systems are synced.
    Syncing,
    /// The board is told to cut the power soon; only with a board that has to be told now. The point of
    /// no return, unless that can be taken back.
    Cutting,
    /// Init was asked. From here on nothing can be taken back: the point of no return.
    Asked,
    /// Init does not halt the machine: file systems are synced once more.
    Rescuing,
    /// The kernel was told to halt the machine.
    Forced,
    /// No pets any more: the hardware resets the machine.
    WatchdogReset,
}

/// A halt that is under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Halting {
    /// How it is to end.
    pub kind: HaltKind,
    /// Why.
    pub cause: HaltCause,
    /// How far it has come.
    pub rung: Rung,
    /// The point of no return is ahead.
    pub can_be_taken_back: bool,
    /// Boots in a row that set out to finish it: 0 for a halt that began in this boot.
    pub attempts: u8,
    /// Whether the board cuts the power soon, where it is told so ahead of the halt.
    pub cut: CutTold,
    /// The daemon was told to end meanwhile: whoever told it waits.
    pub dismissed: bool,
}

/// Which services are stopped to save power. Each step includes the one before it; services of the
/// class essential are never stopped for that.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Shed {
    /// None.
    #[default]
    Nothing,
    /// Those of the class optional.
    Optional,
    /// Those of the classes optional and normal.
    Normal,
}

impl Shed {
    /// What there is to think of it.
    pub fn verdict(self) -> Verdict {
        match self {
            Shed::Nothing => Verdict::Ok,
            Shed::Optional | Shed::Normal => Verdict::Warn,
        }
    }

    /// Services of this class are stopped.
    pub fn holds(self, class: Class) -> bool {
        match class {
            Class::Essential => false,
            Class::Normal => self >= Shed::Normal,
            Class::Optional => self >= Shed::Optional,
        }
    }
}

/// Why the machine cannot give what services count on. Ordered by which one is named if there are two.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Strain {
    /// The firmware has slowed the processor down to a crawl.
    Throttled,
    /// The supply is too weak.
    UnderVoltage,
    /// Mains are gone.
    OnBattery,
    /// Mains are gone and the battery is low.
    LowBattery,
}

/// Why a failure of a service counts towards nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Excuse {
    /// The machine was strained.
    Strain(Strain),
    /// Somebody works on it.
    Hold,
}

/// Verdicts and wishes of one pass.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// The clock can be trusted.
    pub clock: Verdict,
    /// The time is right as far as anybody knows: `Some(true)` if something vouches for it,
    /// `Some(false)` if it cannot be true, `None` where nobody can tell.
    pub time: Option<bool>,
    /// What the clock showed last, right or wrong. Only jobs and what expires go by it.
    pub shown: Option<Shown>,
    /// Power from outside: warn on battery. `None` where nothing tells.
    pub power: Option<Verdict>,
    /// Whether mains are there, as the power policy believes it: `Some(true)` on line, `Some(false)`
    /// on battery, `None` where nobody can tell.
    pub mains: Option<bool>,
    /// Whether there is a way out of the machine; `None` where nobody looks or can tell.
    pub network: Option<bool>,
    /// The outage that goes on, for a successor in this boot.
    pub outage: Option<Outage>,
    /// Halts for want of mains, over all boots since mains were seen last.
    pub halts_in_vain: u8,
    /// The battery sinks to its low level, though mains are said to be there.
    pub sinks: bool,
    /// Halts because of that, over all boots since the battery was seen to fill.
    pub sunk: u8,
    /// Halts in vain are so many that what says that mains are gone is doubted.
    pub mains_doubted: bool,
    /// What the battery holds, as far as its gauge is believed; `None` where that is not known.
    pub charge: Option<Permille>,
    /// Its voltage, likewise.
    pub voltage: Option<Millivolts>,
    /// What the power policy knows of that strains the machine.
    pub strain_of_power: Option<Strain>,
    /// The same, by the firmware's throttle flags.
    pub strain_of_firmware: Option<Strain>,
    /// Which services the power policy wants stopped to save power.
    pub shed: Shed,
    /// Which services the thermal policy wants stopped because of heat.
    pub shed_for_heat: Shed,
    /// Which services are stopped for want of memory.
    pub shed_for_memory: Shed,
    /// A hold is in force: nothing is escalated.
    pub hold: bool,
    /// A service that was given up in this pass, for whose sake the machine is to be restarted.
    pub escalated: Option<ServiceId>,
    /// What is to be done for the way out. Whoever does it takes it, and tells of it; what is left at
    /// the end of the pass could not be done.
    pub repair: Option<Repair>,
    /// Restarts of the machine for the sake of services, over all boots.
    pub reboots: Reboots,
    /// The halt that was asked for; see [`Picture::ask_halt`].
    pub halt_ask: Option<HaltCause>,
    /// For how long the battery surely lasts from now on; `None` where nobody can tell. A halt is
    /// made to fit into it.
    pub hold_up: Option<Duration>,
    /// What the stop of the services takes that run or are to, in an outage; `None` without one.
    pub stop_span: Option<StopSpan>,
    /// How the stop of the services is made to fit into what the battery gives; `None` where it need
    /// not be.
    pub stop_fit: Option<Fit>,
    /// The halt that is under way, until the daemon is gone.
    pub halting: Option<Halting>,
    /// The board is still to forget a cut of which the boot before has told it.
    pub forgets_cut: bool,
    /// The marker tells what is to come, or could not be written.
    pub recorded: bool,
    /// The latest record could not be written.
    pub record_failed: bool,
    /// Temperature.
    pub thermal: Verdict,
    /// The firmware's throttle flags: warn while it slows the machine down or the supply is too
    /// weak. `None` where nothing tells.
    pub throttle: Option<Verdict>,
    /// Memory and load.
    pub memory: Verdict,
    /// Memory is low.
    pub memory_low: bool,
    /// File systems.
    pub storage: Verdict,
    /// The daemon's own journal and pool.
    pub daemon: Verdict,
    /// Services: critical if one gave up, warn if one that should be up is not.
    pub services: Verdict,
    /// What the daemon goes by where its configuration cannot be used.
    pub stand_in: Option<StandIn>,
    /// What expires: the worst of all. `None` where there is nothing.
    pub expiry: Option<Verdict>,
    /// Jobs: the worst of what there is to think of each. `None` where there is none.
    pub jobs: Option<Verdict>,
    /// Services that are up.
    pub up: u16,
    /// Services that should be up.
    pub wanted: u16,
    /// Services with a process, or with one being started.
    pub alive: u16,
    /// Services whose process is being created.
    pub births: u16,
    /// How far the end of the daemon has come.
    pub ending: Ending,
    /// It ends because a successor in its process takes over.
    pub handing_over: bool,
    /// Threads of the daemon.
    pub threads: Verdict,
    /// An essential thread that is stuck.
    pub stuck: Option<Thread>,
    /// A thread that is late, essential or not.
    pub late: Option<Thread>,
    /// The hardware watchdog.
    pub watchdog: Verdict,
    /// Timeout of the hardware watchdog, while the daemon pets it.
    pub guard: Option<Duration>,
    /// When the latest pet was given out.
    pub last_pet: Option<Mono>,
    /// Time within which init wants to hear from the daemon.
    pub init_window: Option<Duration>,
    /// No pets are given out, for a drill.
    pub let_go: Option<LetGo>,
    /// The status LED: whether it can be had, not what it shows. `None` where there is none.
    pub led: Option<Verdict>,
    /// The watchdog is in its last state; nothing more will be asked of it.
    pub guard_settled: bool,
    /// Answer to the request of this pass, from the policy that took it.
    pub answer: Option<(Ticket, Answer)>,
    /// Time of this pass.
    pub now: Mono,
}

impl Picture {
    /// The battery gives, or may have to soon.
    pub fn on_battery(&self) -> bool {
        self.mains == Some(false) || self.strain_of_power.is_some() || self.sinks
    }

    /// Asks for the machine to be halted. The first ask is kept; only the shutdown policy acts on
    /// it, and takes it back when it cancels the halt. Asking again does no harm.
    pub fn ask_halt(&mut self, cause: HaltCause) {
        self.halt_ask.get_or_insert(cause);
    }

    /// Whether this need is met; `None` where nobody can tell.
    pub fn met(&self, need: Need) -> Option<bool> {
        match need {
            Need::Clock => self.time,
            Need::Mains => self.mains,
            Need::Network => self.network,
        }
    }

    /// What strains the machine now.
    pub fn strain(&self) -> Option<Strain> {
        self.strain_of_power.max(self.strain_of_firmware)
    }

    /// Which services are to be stopped, whoever wants it: the wish that goes farther holds, since
    /// each of them includes the other.
    pub fn held_back(&self) -> Shed {
        self.shed.max(self.shed_for_heat).max(self.shed_for_memory)
    }

    /// The worst of all verdicts.
    pub fn worst(&self) -> Verdict {
        [
            self.clock,
            self.thermal,
            self.memory,
            self.storage,
            self.daemon,
            self.services,
            self.threads,
            self.watchdog,
        ]
        .into_iter()
        .chain(self.power)
        .chain(self.throttle)
        .chain(self.led)
        .chain(self.jobs)
        .chain(self.expiry)
        .max()
        .unwrap_or_default()
    }
}

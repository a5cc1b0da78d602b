//! What the core is told once, at its start: validated, with units, without any text of the
//! configuration left in it. `crate::config` makes it and has checked every bound.

mod calendar;
mod cap;
mod group;
mod job;
mod keeper;
mod need;
mod network;
mod probe;
mod reboots;
mod restart;

use super::fact::{CanaryId, CapId, ExpiryId, GroupId, MountId, ServiceId, Thread};
use crate::units::{MilliCelsius, Milliamps, Millivolts, Permille};
pub use calendar::{Calendar, When, Zone};
pub use cap::{Cap, CapFile};
pub use group::{Escalate, Group, Strategy};
pub use job::{Hindrance, Job, Schedule};
pub use keeper::{Engine, Keeper, Unhealthy};
pub use need::Need;
pub use network::{Budget, Expiry, Judged, Network, Remedy, Rung};
pub use probe::{Probe, Probes};
pub use reboots::Reboots;
pub use restart::{Backoff, Restart};
pub(crate) use restart::{Ended, Sequel};
use std::time::Duration;

/// Everything the policies need to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Services, sorted by name; [`ServiceId`] is an index into it.
    pub services: Vec<Service>,
    /// Groups of services, sorted by name; [`GroupId`] is an index into it. No service is in two.
    pub groups: Vec<Group>,
    /// How often the machine may be restarted for their sake.
    pub reboots: Reboots,
    /// Longest time for which a hold may last, in all. 1 min to 24 h.
    pub hold_most: Duration,
    /// File systems that are watched, by their mount point; [`MountId`] is an index into it.
    pub mounts: Vec<Box<str>>,
    /// The hardware watchdog.
    pub watchdog: Watchdog,
    /// Limits of temperature.
    pub temperature: Heat,
    /// Limits of available memory.
    pub memory: Limits<Permille>,
    /// Limits of load, in hundredths per processor.
    pub load: Limits<u32>,
    /// Limits of free space.
    pub space: Limits<Permille>,
    /// Limits of free inodes.
    pub inodes: Limits<Permille>,
    /// Directories with a canary, by absolute path; [`CanaryId`](super::fact::CanaryId) is an index.
    pub canaries: Vec<Box<str>>,
    /// Caps, sorted by name; [`CapId`](super::fact::CapId) is an index.
    pub caps: Vec<Cap>,
    /// How the way out is judged; `None` where nobody cares.
    pub network: Option<Network>,
    /// What expires, sorted by name; [`ExpiryId`](super::fact::ExpiryId) is an index.
    pub expiries: Vec<Expiry>,
    /// Limits of the pressure on memory.
    pub pressure: Limits<Permille>,
    /// Services are stopped for want of memory, by their classes.
    pub shed_for_memory: bool,
    /// Time for the orderly stop of all services together.
    pub stop_budget: Duration,
    /// How far the battery-backed clock may be from the kernel's. 2 s to 1 h.
    pub clock_tolerance: Duration,
    /// The battery-backed clock is set by the kernel's while that is synced.
    pub set_rtc: bool,
    /// Time that init gets to unmount everything, which the watchdog is set to. 15 s to 10 min.
    pub halt_finish: Duration,
    /// The board that supplies the machine with power.
    pub board: Board,
    /// What is done while mains are away.
    pub power: Power,
    /// The status LED, as messages call it: `ACT`, `line 17`. `None` where none is to be driven.
    pub led: Option<Box<str>>,
}

/// What is done while mains are away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Power {
    /// How long mains may stay away until the machine is halted; `None`: only the battery decides.
    pub ride_through: Option<Duration>,
    /// At or below it the machine is halted; `None`: what the board says.
    pub low_charge: Option<Permille>,
    /// After this time on battery, optional services are stopped.
    pub shed_optional: Duration,
    /// At or below this charge, normal services are stopped too; half of the ride-through does it as
    /// well.
    pub shed_normal: Permille,
    /// Charge from which on services come back that an outage has stopped, if the battery was below it.
    pub come_back: Permille,
    /// Time with mains after which they come back in any case; zero: at once.
    pub come_back_after: Duration,
}

impl Power {
    /// As in the sample configuration.
    pub const DEFAULT: Power = Power {
        ride_through: Some(Duration::from_secs(60)),
        low_charge: None,
        shed_optional: Duration::from_secs(10),
        shed_normal: Permille(600),
        come_back: Permille(200),
        come_back_after: Duration::from_secs(60),
    };
}

/// The board that supplies the machine with power, as its board file describes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Board {
    /// The thread that tells of mains: [`Thread::Vitals`] where the kernel's power supplies do,
    /// [`Thread::Line`] where a line does, [`Thread::Bus`] where a chip does.
    pub mains_by: Thread,
    /// Its battery; `None` where no board is named, and then there is no gauge either.
    pub battery: Option<Battery>,
    /// Where the battery's current tells of mains: what does not count of a current out of the
    /// battery. Such a board gives no readings of mains; `mains_by` is the thread of its gauge.
    pub dead_band: Option<Milliamps>,
    /// How long it takes to tell the board to cut the power when everything is unmounted; zero if it is
    /// not told then.
    pub cut_hold: Duration,
    /// The board is told to cut the power before init is asked.
    pub cut_ahead: Option<CutAhead>,
    /// It starts the machine by itself when mains are back after a power-off; `None`: nobody knows.
    pub comes_back: Option<bool>,
}

/// Power that is cut some time after the board was told, while init still unmounts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CutAhead {
    /// It can be taken back.
    pub can_be_cancelled: bool,
    /// The time from the order to the cut. [`Duration`] of 30 s to 10 min.
    pub delay: Duration,
}

impl Board {
    /// No board, or one that nobody has described.
    pub const NONE: Board = Board {
        mains_by: Thread::Vitals,
        battery: None,
        dead_band: None,
        cut_hold: Duration::ZERO,
        cut_ahead: None,
        comes_back: None,
    };
}

/// Limits of the pressure on memory, as in the sample configuration. A machine that is merely busy
/// stays below them; one that cannot be worked with is far above.
const PRESSURE: Limits<Permille> = Limits {
    warn: Permille(100),
    critical: Permille(400),
};

/// Least voltage of a cell that can still be read, in millivolts. A pack was seen at 2.54 V.
pub const CELL_LEAST: u32 = 2_400;

/// Most voltage of a cell in millivolts: 4.2 V, 4.35 V for some, and the error of a gauge.
pub const CELL_MOST: u32 = 4_500;

/// The battery of a board. All voltages are those of the pack, all cells in series together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Battery {
    /// Cells in series, 1 to 4.
    pub cells: u8,
    /// Nothing is left. The board may switch off any moment, or its cells take harm.
    pub empty: Millivolts,
    /// At or below it the machine should be halted.
    pub low: Millivolts,
    /// Charged, on mains.
    pub full: Millivolts,
    /// At or below it the machine should be halted; `None` where the gauge tells no charge.
    pub low_charge: Option<Permille>,
    /// The gauge tells the current.
    pub current: bool,
}

impl Settings {
    /// Name of a service, or `?` for a number that is none.
    pub fn name(&self, service: ServiceId) -> &str {
        self.services
            .get(usize::from(service.0))
            .map_or("?", |s| &s.name)
    }

    /// When this service is given up for good, the machine is restarted.
    pub fn escalates(&self, service: ServiceId) -> bool {
        let own = self.services.get(usize::from(service.0));
        let of_group =
            |group: &Group| group.escalate == Escalate::Machine && group.members.contains(&service);
        own.is_some_and(|s| s.escalates) || self.groups.iter().any(of_group)
    }

    /// Name of a group, or `?` for a number that is none.
    pub fn group(&self, group: GroupId) -> &str {
        self.groups
            .get(usize::from(group.0))
            .map_or("?", |g| &g.name)
    }

    /// Mount point of a file system, or `?` for a number that is none.
    pub fn mount(&self, mount: MountId) -> &str {
        self.mounts.get(usize::from(mount.0)).map_or("?", |m| m)
    }

    /// Directory of a canary, or `?` for a number that is none.
    pub fn canary(&self, canary: CanaryId) -> &str {
        self.canaries.get(usize::from(canary.0)).map_or("?", |c| c)
    }

    /// Name of a cap, or `?` for a number that is none.
    pub fn cap(&self, cap: CapId) -> &str {
        self.caps.get(usize::from(cap.0)).map_or("?", |c| &c.name)
    }

    /// Name of a rung of repair, or `?` for a number that is none.
    pub fn rung(&self, rung: u16) -> &str {
        let network = self.network.as_ref();
        let known = network.and_then(|n| n.rungs.get(usize::from(rung)));
        known.map_or("?", |rung| &rung.name)
    }

    /// Name of something that expires, or `?` for a number that is none.
    pub fn expiry(&self, expiry: ExpiryId) -> &str {
        let known = self.expiries.get(usize::from(expiry.0));
        known.map_or("?", |e| &e.name)
    }

    /// The service with this name.
    pub fn service(&self, name: &str) -> Option<ServiceId> {
        let at = self.services.iter().position(|s| &*s.name == name)?;
        u16::try_from(at).ok().map(ServiceId)
    }
}

/// Two limits of one quantity. Which side is worse is the policy's knowledge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits<T> {
    /// From here on somebody should look.
    pub warn: T,
    /// From here on it is broken.
    pub critical: T,
}

/// The ladder of temperature: `warn` below `critical`, `hot` between them or one of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heat {
    /// From here on it is warm: somebody should look.
    pub warn: MilliCelsius,
    /// From here on it is hot: a Pi's firmware slows it down.
    pub hot: MilliCelsius,
    /// From here on it is critical.
    pub critical: MilliCelsius,
    /// How long it must have been cooler before that counts. Up to 10 min.
    pub settle: Duration,
}

/// Who pets the hardware watchdog.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WatchdogOwner {
    /// This daemon opens the device.
    Fieldwarden,
    /// systemd does (`RuntimeWatchdogSec=`), and watches this daemon with `WatchdogSec=`.
    Systemd,
    /// Nobody.
    Nobody,
}

/// The hardware watchdog.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Watchdog {
    /// Who pets it.
    pub owner: WatchdogOwner,
    /// Timeout to ask for. 1 s to 10 min.
    pub timeout: Duration,
    /// Stop it when the daemon is asked to end.
    pub disarm_on_stop: bool,
}

/// When a service counts as up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ready {
    /// As soon as its program is executed.
    Exec,
    /// When it says `READY=1` on its notify socket.
    Notify,
    /// When it writes a newline to a descriptor that it was given.
    Newline {
        /// Its number there, 3 to 9.
        descriptor: u8,
    },
}

/// What the machine needs beside the stop of its services, once it goes down: records, file systems,
/// and what the wait for agreement may have cost.
pub const BESIDE: Duration = Duration::from_secs(30);

/// How much a service matters while power is short.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Class {
    /// It runs for as long as there is power.
    Essential,
    /// It is stopped when power is short.
    #[default]
    Normal,
    /// It is stopped first.
    Optional,
}

/// One service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Service {
    /// Its name: letters, digits, `-`, `_`, `.`; at most 64.
    pub name: Box<str>,
    /// Run it from the start.
    pub autostart: bool,
    /// How much it matters while power is short. A service is kept for as long as one that comes
    /// after it, whatever its own class.
    pub class: Class,
    /// Services that must be up before it is started, and that are stopped after it; those that it
    /// requires are among them. Free of cycles.
    pub after: Vec<ServiceId>,
    /// Services without which it does not run: it starts them too, and is stopped when they are not up
    /// any more.
    pub requires: Vec<ServiceId>,
    /// Services that it starts too.
    pub wants: Vec<ServiceId>,
    /// What there must be before it is started.
    pub needs: Vec<Need>,
    /// Of these, what it is stopped without.
    pub stop_without: Vec<Need>,
    /// When it counts as up.
    pub ready: Ready,
    /// Time from the start to `READY=1`.
    pub start_timeout: Duration,
    /// Longest silence between two `WATCHDOG=1`; `None` if it sends none.
    pub heartbeat: Option<Duration>,
    /// Its probes, if it has any.
    pub probes: Option<Box<Probes>>,
    /// Time between the stop signal and KILL.
    pub stop_timeout: Duration,
    /// When it is started again.
    pub restart: Restart,
    /// Exit codes that are as good as 0.
    pub success_on: Box<[u8]>,
    /// Exit codes after which it is not started again, whatever `restart` says.
    pub no_restart_on: Box<[u8]>,
    /// How long to wait before that.
    pub backoff: Backoff,
    /// When it is given up, the machine is restarted, within the budget for that.
    pub escalates: bool,
    /// What makes it a job, if it is one. Such a one is not restarted always, and counts as up as soon
    /// as its program is executed.
    pub job: Option<Box<Job>>,
    /// Who keeps its process, where that is not this daemon. Such a one is no job, is up as soon as its
    /// keeper says so, and has no heartbeats.
    pub keeper: Option<Box<Keeper>>,
}

impl Service {
    /// A service with this name, and as in the sample configuration otherwise.
    pub fn named(name: &str) -> Service {
        Service {
            name: name.into(),
            autostart: true,
            class: Class::Normal,
            after: Vec::new(),
            requires: Vec::new(),
            wants: Vec::new(),
            needs: Vec::new(),
            stop_without: Vec::new(),
            ready: Ready::Exec,
            start_timeout: Duration::from_secs(90),
            heartbeat: None,
            probes: None,
            stop_timeout: Duration::from_secs(10),
            restart: Restart::Always,
            success_on: Box::default(),
            no_restart_on: Box::default(),
            backoff: Backoff::DEFAULT,
            escalates: false,
            job: None,
            keeper: None,
        }
    }
}

impl Settings {
    /// No services, no mounts, nobody pets.
    pub fn nothing() -> Settings {
        let share = Limits {
            warn: Permille(150),
            critical: Permille(50),
        };
        Settings {
            services: Vec::new(),
            groups: Vec::new(),
            reboots: Reboots::DEFAULT,
            hold_most: Duration::from_secs(4 * 3600),
            mounts: Vec::new(),
            watchdog: Watchdog {
                owner: WatchdogOwner::Nobody,
                timeout: Duration::from_secs(15),
                disarm_on_stop: false,
            },
            temperature: Heat {
                warn: MilliCelsius(75_000),
                hot: MilliCelsius(80_000),
                critical: MilliCelsius(85_000),
                settle: Duration::from_secs(60),
            },
            memory: share,
            load: Limits {
                warn: 400,
                critical: 1000,
            },
            space: share,
            inodes: share,
            canaries: Vec::new(),
            caps: Vec::new(),
            network: None,
            expiries: Vec::new(),
            pressure: PRESSURE,
            shed_for_memory: false,
            stop_budget: Duration::from_secs(80),
            halt_finish: Duration::from_secs(180),
            board: Board::NONE,
            power: Power::DEFAULT,
            clock_tolerance: Duration::from_secs(30),
            set_rtc: false,
            led: None,
        }
    }
}

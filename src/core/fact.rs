//! Everything the core can be told: the whole input vocabulary.
//!
//! Terms: a *fact* is something observed; a *reading* is a value with units; the *loss* of a
//! reading is a fact of its own, because absence is never good news; a *run* is one life of a
//! service's process, numbered so that news about an earlier life cannot be taken for the present
//! one. Facts never ask for anything to be done; the one exception, [`Fact::Asked`], reports that
//! somebody did.

mod clock;
mod controller;
mod guard;
mod hold;
mod probe;
mod said;
mod stand_in;
mod standing;
mod throttle;
mod uplink;

pub use super::budget::StopTimes;
use super::intent::FoundMarker;
use super::job::JobPast;
use super::light::LedState;
use super::memo::Memo;
use crate::units::{MilliCelsius, Milliamps, Millivolts, Mono, Permille, Wall};
pub use clock::{RtcSeen, Shown};
pub use controller::{Controller, Lack};
pub use guard::{CanaryId, CapId, Freed, Swap, Wear};
pub use hold::Hold;
pub use probe::{Ill, ProbeKind, Probed};
pub use said::{NotifyKey, Refusal, Said};
pub use stand_in::StandIn;
pub use standing::{Health, Life, Obstacle, Standing};
use std::num::NonZeroU32;
use std::time::Duration;
pub use throttle::{ThrottleFlag, ThrottleFlags};
pub use uplink::{ExpiryId, Found, Step, Uplink};

/// Index of a service in [`Settings::services`](super::settings::Settings::services).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct ServiceId(pub u16);

/// Index of a group in [`Settings::groups`](super::settings::Settings::groups).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct GroupId(pub u16);

/// Index of a file system in [`Settings::mounts`](super::settings::Settings::mounts).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct MountId(pub u16);

/// Number of a run of one service: 1 for its first process, one more for each that follows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct RunId(pub u32);

/// Number of an order, given by the core when it issues one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct OrderId(pub u64);

/// Number of an operator's request, given by the edge that took it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Ticket(pub u64);

/// A process number, always greater than 1: nothing of ours can name PID 1 or a broadcast.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Pid(NonZeroU32);

impl Pid {
    /// `None` for 0, 1 and numbers beyond the kernel's limit of 2^22.
    pub fn new(number: u32) -> Option<Pid> {
        let number = NonZeroU32::new(number)?;
        (2..=1 << 22).contains(&number.get()).then_some(Pid(number))
    }

    /// The plain number.
    pub fn number(self) -> u32 {
        self.0.get()
    }
}

/// An error number of the Linux kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Errno(pub i32);

/// One observation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fact {
    /// A deadline came due; nothing else happened.
    Tick,
    /// A reading was taken.
    Seen(Reading),
    /// A reading could not be taken.
    Lost {
        /// What is silent.
        source: Source,
        /// Why, as far as it is known.
        why: Fault,
    },
    /// Something happened to a run of a service.
    Child {
        /// Whose.
        service: ServiceId,
        /// Which of its lives.
        run: RunId,
        /// What happened.
        change: Change,
    },
    /// Somebody else keeps a service, and says how it stands.
    Kept {
        /// Which service.
        service: ServiceId,
        /// How it stands.
        standing: Standing,
    },
    /// An operator or a signal asked for something.
    Asked {
        /// To be quoted in the reply.
        ticket: Ticket,
        /// Who asked.
        by: Asker,
        /// For what.
        request: Request,
    },
    /// An order was carried out, or could not be.
    Done {
        /// Which order.
        order: OrderId,
        /// How it ended.
        outcome: Result<(), Fault>,
    },
    /// A thread of the daemon fell behind, or caught up.
    Thread {
        /// Which thread.
        thread: Thread,
        /// How it stands.
        pulse: Pulse,
    },
}

/// Where a reading comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    /// The processor's temperature.
    Temperature,
    /// Memory available to programs.
    Memory,
    /// Processes that want to run.
    Load,
    /// The kernel's opinion of its own clock.
    Clock,
    /// The way out of the machine. It is looked at only where a service needs it.
    Network,
    /// The battery-backed clock. Machines without one do not have this source at all.
    Rtc,
    /// What is known to be past.
    Floor,
    /// Power from outside. Machines that cannot see it do not have this source at all.
    Mains,
    /// The firmware's throttle flags. Machines without such a firmware do not have this source at
    /// all.
    Throttle,
    /// One file system.
    Mount(MountId),
    /// The hardware watchdog.
    Watchdog,
    /// The gauge of the battery. Machines without one do not have this source at all.
    Gauge,
    /// The marker that a daemon leaves for the next one.
    Marker,
    /// The daemon's own journal.
    Journal,
    /// The control group in which services outlive the daemon.
    Pool,
    /// The starts of daemons.
    Starts,
    /// Limits of services.
    Limits,
    /// The hold that a daemon before this one has left.
    Hold,
    /// The configuration, as the program that is to come checks it.
    Configuration,
    /// The health endpoint. It is there only where it is configured.
    Health,
    /// A canary on a file system.
    Canary(CanaryId),
    /// What files of a directory take up together.
    Cap(CapId),
    /// The medium of a file system, where it tells how worn it is.
    Wear(MountId),
    /// How long processes wait for memory. Kernels without it do not have this source at all.
    Pressure,
    /// Traffic to and from swap, where there is any.
    Swap,
    /// The steps of the way out, where somebody cares about them.
    Uplink,
    /// When something expires.
    Expiry(ExpiryId),
}

/// A value with its units.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reading {
    /// The processor's temperature.
    Temperature(MilliCelsius),
    /// Memory available to programs, as a share of all memory.
    Memory {
        /// `MemAvailable` of `MemTotal`.
        available: Permille,
    },
    /// Load average over one minute, in hundredths, per processor.
    Load {
        /// 100 means that every processor has exactly one process to run.
        centi_per_cpu: u32,
    },
    /// The kernel's clock discipline (`adjtimex`).
    Clock {
        /// Estimated maximum error below 16 s: somebody disciplines the clock.
        synced: bool,
        /// What it shows; `None` where nobody looked, or for a year beyond 9999.
        shown: Option<Shown>,
    },
    /// The way out of the machine.
    Network {
        /// There is a default route over a link that is up.
        up: bool,
    },
    /// The battery-backed clock.
    Rtc(RtcSeen),
    /// A time that is past for certain, such as that of the program's making. No clock that shows
    /// an earlier one is right.
    Floor {
        /// The time.
        time: Wall,
    },
    /// Power from outside.
    Mains {
        /// It is there; otherwise a battery runs the machine.
        present: bool,
    },
    /// The firmware's throttle flags.
    Throttle(ThrottleFlags),
    /// One file system.
    Mount {
        /// Which.
        mount: MountId,
        /// Space free for us, as a share of all space.
        space: Permille,
        /// Inodes free; `None` where the file system has no such limit (vfat, btrfs).
        inodes: Option<Permille>,
        /// No write can succeed.
        read_only: bool,
        /// Errors that the file system has recorded since it was last checked; 0 where it does not
        /// count them (only ext4 does).
        errors: u32,
    },
    /// A canary was written, synced and read back as it should be.
    Canary {
        /// Which.
        canary: CanaryId,
        /// How long all of it took.
        took: Duration,
    },
    /// What the files of a cap take up together.
    Cap {
        /// Which.
        cap: CapId,
        /// Their sizes together, in bytes.
        size: u64,
        /// What has just been deleted of them; `None` if they were only looked at.
        freed: Option<Freed>,
    },
    /// How worn the medium of a file system is.
    Wear {
        /// Of which.
        mount: MountId,
        /// What it says.
        wear: Wear,
    },
    /// Share of the last ten seconds in which every process that could run waited for memory.
    Pressure {
        /// PSI: `full avg10`.
        full: Permille,
    },
    /// Traffic to and from swap since the reading before.
    Swap(Swap),
    /// The steps of the way out.
    Uplink(Uplink),
    /// When something expires.
    Expiry {
        /// What.
        expiry: ExpiryId,
        /// From then on it is not good any more.
        ends: Wall,
    },
    /// The hardware watchdog answered.
    Watchdog(WatchdogSeen),
    /// A hardware watchdog that somebody else is to pet, looked at and not opened.
    WatchdogElsewhere {
        /// One is running; otherwise nobody guards the machine.
        running: bool,
        /// Its timeout, where the kernel shows it.
        timeout: Option<Duration>,
    },
    /// What the daemon before this one meant to do.
    Marker(Box<FoundMarker>),
    /// The hold that a daemon before this one has left.
    Hold(Hold),
    /// Records are written to disk.
    Journal,
    /// Services live in the pool.
    Pool,
    /// The health endpoint listens wherever it should.
    Health,
    /// Limits of this controller are not enforced. Told once, at the start or when it turns out.
    Unenforced {
        /// Which.
        controller: Controller,
        /// Why.
        lack: Lack,
        /// The configuration asks for such a limit; otherwise only defaults are not enforced.
        asked: bool,
    },
    /// So many daemons broke off in the minute before this one that it starts safely.
    Starts {
        /// How many.
        aborted: u32,
    },
    /// The configuration cannot be used.
    Problems {
        /// All that is wrong with it, for people, in one or more lines.
        text: Box<str>,
    },
    /// This daemon does not go by its configuration, which cannot be used. Told once, at the start.
    StandIn {
        /// What it goes by instead.
        by: StandIn,
        /// What is wrong with the configuration, in one line with its place.
        problem: Box<str>,
    },
    /// The battery, as far as its gauge can tell. Something of it is always known: a gauge that tells
    /// nothing is lost.
    Gauge {
        /// Voltage of the pack, all of its cells in series together.
        voltage: Option<Millivolts>,
        /// What is left, as a share of what a full battery holds.
        charge: Option<Permille>,
        /// Current into the battery: positive is charging, negative is running from it.
        current: Option<Milliamps>,
    },
}

impl Reading {
    /// What the daemon before this one meant to do. It is told once, and takes room of its own.
    pub fn marker(left: FoundMarker) -> Reading {
        Reading::Marker(Box::new(left))
    }
}

/// What the hardware watchdog's driver said when it was opened and set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WatchdogSeen {
    /// Driver's name for the device, for example `i6300ESB timer`.
    pub identity: Box<str>,
    /// Timeout that the driver reports after setting it. This one rules.
    pub timeout: Duration,
    /// The driver refuses to be stopped once it runs.
    pub nowayout: bool,
    /// The driver says that the previous boot was ended by this watchdog (`WDIOF_CARDRESET`).
    pub caused_reset: bool,
}

/// Why an order or a reading failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The queue of the thread that should do it was full.
    Busy,
    /// The kernel said so.
    Errno(Errno),
    /// Another process holds the device.
    Taken {
        /// `NAME (pid N)` of the holder, where it could be found.
        by: Option<Box<str>>,
    },
    /// There is no such thing on this machine.
    Absent,
    /// The value cannot be true.
    Implausible,
}

/// What can happen to a run of a service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// Its process exists and its program was executed.
    Started {
        /// The main process.
        pid: Pid,
    },
    /// No process came into being.
    StartFailed {
        /// The step that failed, for example `exec`.
        stage: Stage,
        /// What the kernel said.
        errno: Errno,
    },
    /// A process of this service that an earlier daemon started was found alive and taken over.
    Adopted {
        /// The main process.
        pid: Pid,
        /// It had said that it was ready.
        ready: bool,
    },
    /// What an earlier daemon left about this service was found; the run is its latest then.
    Recalled(Memo),
    /// Its latest run was begun by an earlier daemon of this boot, otherwise than it is configured now.
    Redefined,
    /// What an earlier daemon, of this boot or of another, left about the runs of this job was found.
    Remembered(JobPast),
    /// How long the latest stops of it took, as an earlier daemon, of this boot or another, has seen.
    Stops(StopTimes),
    /// It said `READY=1`.
    Ready,
    /// It said `WATCHDOG=1`.
    Heartbeat,
    /// It said something else of itself.
    Said(Said),
    /// Something that was sent to its notify socket counts for nothing.
    Refused {
        /// Why.
        why: Refusal,
        /// How often, since this was told last.
        times: u32,
    },
    /// A probe of it was answered.
    Probed {
        /// What the probe is for.
        kind: ProbeKind,
        /// Its number, as it was ordered.
        attempt: u32,
        /// What came of it.
        probed: Probed,
    },
    /// Its main process ended and everything else of that run was killed.
    Exited(Exit),
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// It exited with this status.
    Code(u8),
    /// It was ended by this signal.
    Signal(u8),
    /// It was not our child, so nobody can know. Counts as a failure.
    Unknown,
}

/// The steps of a start, in their order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stage {
    /// Preparing its FIFO, notify socket or control group.
    Prepare,
    /// Creating the process.
    Clone,
    /// A session of its own.
    Session,
    /// Entering its control group.
    Cgroup,
    /// Its standard input and output.
    Output,
    /// A view of the file systems of its own.
    Mounts,
    /// Its secrets.
    Secrets,
    /// Paths that are read-only, and those that are not.
    Paths,
    /// Its private /tmp and /var/tmp.
    Tmp,
    /// Its private network.
    Network,
    /// Limits, priority, umask and OOM score.
    Limits,
    /// Its capabilities.
    Capabilities,
    /// Its supplementary groups and group.
    Groups,
    /// Its user.
    User,
    /// Its working directory.
    Directory,
    /// Executing its program.
    Exec,
    /// Executing a program that was built for another kind of machine.
    Machine,
    /// Asking whoever keeps it, where that is somebody else.
    Keeper,
}

/// Who asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asker {
    /// A user, over the control socket.
    User(u32),
    /// A signal sent to the daemon.
    Signal(u8),
}

/// What can be asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// Tell how everything stands.
    Status,
    /// Run this service.
    Start(ServiceId),
    /// Stop this service and leave it stopped.
    Stop(ServiceId),
    /// Stop this service and run it again.
    Restart(ServiceId),
    /// Stop all services in order, then end the daemon.
    Exit,
    /// End the daemon and leave the services running, for its successor to adopt.
    Leave,
    /// Read the configuration anew: a successor in the same process takes over.
    Reload,
    /// Halt the machine.
    Halt(HaltKind),
    /// Escalate nothing for a while: somebody works on the machine. Replaces a hold that is in force.
    Hold {
        /// For how long.
        time: Duration,
        /// What for; see [`Hold::reason`].
        reason: Box<str>,
    },
    /// End the hold that is in force.
    EndHold,
    /// Try out the hardware watchdog: it is to bite.
    Drill,
    /// Show this state on the status LED for a while, whatever there is to be shown.
    ShowLed {
        /// Which.
        state: LedState,
        /// For how long.
        time: Duration,
    },
}

/// How a halt ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HaltKind {
    /// The machine is off.
    PowerOff,
    /// The machine is started again.
    Reboot,
}

/// The threads of the daemon, as the core knows them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Thread {
    /// Reaps, signals and listens to services. Essential.
    Children,
    /// Owns the hardware watchdog. Essential.
    Watchdog,
    /// Starts processes of every other service. May wait for the card.
    Spawner,
    /// Starts those of the rest, so that the next start need not wait for an exec to end.
    SecondSpawner,
    /// Reads temperature, memory, load, clock; mains and throttle flags where the kernel tells.
    Vitals,
    /// Looks at file systems. May wait for the card.
    Disk,
    /// Serves the control socket.
    Control,
    /// Writes trace and journal. May wait for the card.
    Recorder,
    /// Writes the marker. May wait for the card.
    Marker,
    /// Syncs the file systems. May wait for the card.
    Sync,
    /// Asks init to halt, or halts by itself.
    Halt,
    /// Reads the chips of the board, and mains where a chip tells. May wait for its bus.
    Bus,
    /// Watches the line that tells of mains.
    Line,
    /// Reads what services write.
    Output,
    /// Hears signals sent to the daemon.
    Signals,
    /// Writes log lines. May wait for whoever reads them.
    Log,
    /// Drives the status LED. May wait for its driver.
    Led,
    /// Makes probes of services. May wait for the card.
    Prober,
    /// Asks systemd for the units that it keeps for us. May wait for it.
    Keeper,
    /// Asks container engines for what they keep for us. Never waits for one.
    Engine,
    /// Serves the health endpoint.
    Health,
    /// Looks after canaries. May wait for the card.
    Canary,
    /// Has the way out looked at, and what expires. May wait for the card.
    Uplink,
}

impl Thread {
    /// All of them, in the order of declaration.
    pub const ALL: [Thread; 23] = [
        Thread::Children,
        Thread::Watchdog,
        Thread::Spawner,
        Thread::SecondSpawner,
        Thread::Vitals,
        Thread::Disk,
        Thread::Control,
        Thread::Recorder,
        Thread::Marker,
        Thread::Sync,
        Thread::Halt,
        Thread::Bus,
        Thread::Line,
        Thread::Output,
        Thread::Signals,
        Thread::Log,
        Thread::Led,
        Thread::Prober,
        Thread::Keeper,
        Thread::Engine,
        Thread::Health,
        Thread::Canary,
        Thread::Uplink,
    ];

    /// A daemon without this thread guards nothing; without another one it is merely degraded.
    pub fn essential(self) -> bool {
        match self {
            Thread::Children | Thread::Watchdog => true,
            Thread::Spawner
            | Thread::SecondSpawner
            | Thread::Vitals
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
            | Thread::Uplink => false,
        }
    }
}

/// How a thread stands with its work. One that waits for work is on time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pulse {
    /// An order or a poll is overdue.
    Late {
        /// When it should have begun or was handed over.
        since: Mono,
    },
    /// It caught up.
    OnTime,
}

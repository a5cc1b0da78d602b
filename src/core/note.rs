//! Everything that an operator can read in log, journal and trace, as a closed list.
//!
//! A note is made in the core and worded at the edge (`crate::text`): here are only the facts of
//! it. Every variant must be shown by some scenario; `tests/tidy.rs` checks that.

mod finish;
mod group;
mod guard;
mod halt;
mod health;
mod hold;
mod job;
mod keeper;
mod machine;
mod network;
mod notify;
mod probe;
mod reload;
mod severity;

pub use network::NetworkNote;
pub use reload::{ReloadNote, Unready};
pub use {
    finish::Finish,
    machine::{DrillRefused, MachineKept},
    severity::Severity,
};
pub use {group::GroupNote, halt::HaltNote, hold::HoldNote, job::JobNote, keeper::KeeperNote};
pub use {guard::GuardNote, health::HealthNote, notify::NotifyNote, probe::ProbeNote};

use super::fact::{
    Asker, Controller, Errno, Exit, Fault, GroupId, Lack, MountId, Pid, ProbeKind, Request, RunId,
    ServiceId, Source, Stage, Thread, ThrottleFlag,
};
use super::memo::Left;
pub use super::trust::{Doubt, RtcDoubt, Trust};
use crate::units::{MilliCelsius, Millivolts, Permille};
use std::time::Duration;

/// Something that happened, or that was decided, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// The daemon took up its work.
    Began {
        /// Services in the configuration.
        services: u16,
        /// Of these, found running and taken over.
        adopted: u16,
    },
    /// The services are being stopped because somebody asked for it.
    Ending {
        /// Who.
        by: Asker,
    },
    /// The daemon ends and leaves the services running.
    Leaving {
        /// Who asked.
        by: Asker,
    },
    /// The time for an orderly stop is over; what still runs is killed.
    StopOverran {
        /// The time that was allowed.
        budget: Duration,
    },
    /// The daemon ends.
    Ended,
    /// Something about the end of the machine, of this boot or of the one before.
    Halt(HaltNote),
    /// Something about a hold.
    Hold(HoldNote),
    /// Of a reload.
    Reload(ReloadNote),
    /// An operator asked for something that changes the course.
    Asked {
        /// Who.
        by: Asker,
        /// What.
        request: Request,
    },

    /// Records cannot be written to disk; they are kept in memory.
    JournalAway {
        /// Why.
        why: Fault,
    },
    /// They are written to disk again, with what was kept.
    JournalBack,
    /// Of the health endpoint.
    Health(HealthNote),
    /// Of clocks, disks, memory and network.
    Guard(GuardNote),
    /// Of the way out, and of what expires.
    Network(NetworkNote),
    /// Limits of a controller are not enforced.
    LimitsUnenforced {
        /// Which controller.
        controller: Controller,
        /// Why.
        lack: Lack,
        /// The configuration asks for such a limit.
        asked: bool,
    },
    /// Daemon after daemon has broken off: this one ignores what they left about services.
    SafeStart {
        /// How many in the last minute.
        aborted: u32,
    },
    /// The pool is not there: services end with the daemon.
    PoolMissing {
        /// Why.
        why: Fault,
    },

    /// A process is being started.
    ServiceStarting {
        /// Whose.
        service: ServiceId,
        /// Which run.
        run: RunId,
    },
    /// A start was ordered long ago and no process has come of it.
    ServiceStartStuck {
        /// Whose.
        service: ServiceId,
        /// For how long.
        waited: Duration,
    },
    /// No process came into being.
    ServiceStartFailed {
        /// Whose.
        service: ServiceId,
        /// The step that failed.
        stage: Stage,
        /// What the kernel said.
        errno: Errno,
    },
    /// A service is up: executed, or ready where it says so itself.
    ServiceUp {
        /// Which.
        service: ServiceId,
        /// Its main process.
        pid: Pid,
        /// Time from the start.
        took: Duration,
    },
    /// A service that ran before the daemon did was taken over.
    ServiceAdopted {
        /// Which.
        service: ServiceId,
        /// Its main process.
        pid: Pid,
    },
    /// A service that does not run was left so by an earlier daemon, or ended unseen after it.
    ServiceRecalled {
        /// Which.
        service: ServiceId,
        /// How it was left.
        left: Left,
    },
    /// A service is configured otherwise than when it was last started, and is started anew.
    ServiceRedefined(ServiceId),
    /// A service did not say that it was ready in time, and is stopped.
    ServiceNotReady {
        /// Which.
        service: ServiceId,
        /// For how long it was given.
        waited: Duration,
    },
    /// A service's heartbeat stopped, and it is ended.
    ServiceHung {
        /// Which.
        service: ServiceId,
        /// Time since the last sign of life.
        silent: Duration,
    },
    /// A service's main process ended.
    ServiceExited {
        /// Which.
        service: ServiceId,
        /// How.
        exit: Exit,
        /// It had been asked to.
        asked: bool,
        /// It ended by itself, well, and is not to be started again: it has done its work.
        done: bool,
        /// Time from the start.
        lived: Duration,
    },
    /// A service waits, or is stopped, for want of what it cannot run without.
    ServiceBarred {
        /// Which.
        service: ServiceId,
        /// What it lacks.
        bar: super::service::Bar,
        /// It runs, and is stopped.
        stopped: bool,
    },
    /// A service is asked to stop.
    ServiceStopping {
        /// Which.
        service: ServiceId,
    },
    /// A service did not stop in time, and is killed.
    ServiceKilled {
        /// Which.
        service: ServiceId,
        /// Time it was given.
        waited: Duration,
    },
    /// The next start waits.
    ServiceBackoff {
        /// Which.
        service: ServiceId,
        /// For how long.
        delay: Duration,
        /// Failures in a row.
        failures: u32,
    },
    /// A service failed while the machine was strained, or in a hold: that does not count towards
    /// giving up.
    ServiceExcused {
        /// Which.
        service: ServiceId,
        /// By what.
        excuse: super::picture::Excuse,
    },
    /// Restarts of a service do not count any more: the machine was strained already, unseen.
    RestartsExcused {
        /// Which.
        service: ServiceId,
        /// By what.
        strain: super::picture::Strain,
        /// How many.
        restarts: u32,
    },
    /// Too many failures; no start until the cooldown is over.
    ServiceGaveUp {
        /// Which.
        service: ServiceId,
        /// Restarts inside the window.
        restarts: u32,
        /// The window.
        window: Duration,
        /// Time until it is tried again.
        retry: Duration,
    },
    /// For the sake of a service that was given up, the machine is restarted.
    MachineRestarting {
        /// Which.
        service: ServiceId,
    },
    /// It would have been, and stays on: the service waits for its cooldown.
    MachineKept {
        /// Which.
        service: ServiceId,
        /// Why.
        why: MachineKept,
    },
    /// A service ended by itself and is not to be restarted.
    ServiceFinished {
        /// Which.
        service: ServiceId,
        /// How.
        how: Finish,
    },
    /// What a service has said of itself, or what came of it.
    Notify(ServiceId, NotifyNote),
    /// What probes of this kind have found of a service.
    Probe(ServiceId, ProbeKind, ProbeNote),
    /// Something about a service that somebody else keeps.
    Keeper(ServiceId, KeeperNote),
    /// What has become of a group because this member of it failed.
    Group(GroupId, ServiceId, GroupNote),
    /// Something about a job.
    Job(ServiceId, JobNote),

    /// The hardware watchdog runs.
    WatchdogArmed {
        /// The driver's name for it.
        identity: Box<str>,
        /// The timeout that is in force.
        timeout: Duration,
        /// It cannot be stopped any more.
        nowayout: bool,
    },
    /// The driver did not take the timeout that the configuration asks for.
    WatchdogClamped {
        /// Asked for.
        wanted: Duration,
        /// In force.
        timeout: Duration,
    },
    /// The previous boot was ended by the hardware watchdog.
    WatchdogHadReset,
    /// The hardware watchdog cannot be had; it will be tried again.
    WatchdogFailed {
        /// Why.
        why: Fault,
        /// Time until the next try.
        retry: Duration,
    },
    /// No pets any more: the hardware will reset the machine.
    PetWithheld {
        /// The thread that is stuck.
        thread: Thread,
        /// Time in which the reset comes, if there is a hardware watchdog of ours.
        timeout: Option<Duration>,
        /// Time in which init restarts the daemon, if it watches it.
        init: Option<Duration>,
    },
    /// Pets go on.
    PetResumed,
    /// Init is to pet a hardware watchdog, and one runs.
    WatchdogRuns {
        /// Its timeout, where the kernel shows it.
        timeout: Option<Duration>,
    },
    /// Init is to pet a hardware watchdog, and none runs.
    WatchdogIdle,
    /// Init has the hardware watchdog, and does not watch this daemon.
    DaemonUnwatched,
    /// The hardware watchdog was stopped, because the configuration says so.
    WatchdogDisarmed,
    /// The daemon ends and the hardware watchdog runs on.
    WatchdogLeftArmed {
        /// The machine is reset after this time unless somebody pets.
        timeout: Duration,
    },

    /// The status LED cannot be had; it will be tried again.
    LedFailed {
        /// Why.
        why: Fault,
        /// Time until the next try.
        retry: Duration,
    },
    /// It shows again how the machine stands.
    LedBack,

    /// A thread of the daemon fell behind.
    ThreadLate {
        /// Which.
        thread: Thread,
        /// By how much.
        late: Duration,
    },
    /// It caught up.
    ThreadOnTime {
        /// Which.
        thread: Thread,
    },

    /// A reading cannot be taken any more.
    SourceLost {
        /// Which.
        source: Source,
        /// Why.
        why: Fault,
    },
    /// It can again.
    SourceBack {
        /// Which.
        source: Source,
    },
    /// The processor's temperature entered a worse or better range.
    Heat {
        /// The level now.
        level: super::thermal::HeatLevel,
        /// The verdict now.
        verdict: super::picture::Verdict,
        /// The reading.
        temperature: MilliCelsius,
    },
    /// Available memory entered a worse or better range.
    Memory {
        /// The verdict now.
        verdict: super::picture::Verdict,
        /// The reading.
        available: Permille,
    },
    /// Load entered a worse or better range.
    Load {
        /// The verdict now.
        verdict: super::picture::Verdict,
        /// Hundredths per processor.
        centi_per_cpu: u32,
    },
    /// Free space entered a worse or better range.
    Space {
        /// The verdict now.
        verdict: super::picture::Verdict,
        /// Which file system.
        mount: MountId,
        /// The reading.
        free: Permille,
    },
    /// Free inodes entered a worse or better range.
    Inodes {
        /// The verdict now.
        verdict: super::picture::Verdict,
        /// Which file system.
        mount: MountId,
        /// The reading.
        free: Permille,
    },
    /// A file system has recorded errors, or has been mended.
    MountErrors {
        /// Critical if they are new, warn if they are of earlier boots.
        verdict: super::picture::Verdict,
        /// Which.
        mount: MountId,
        /// How many since it was last checked.
        errors: u32,
    },
    /// Somebody disciplines the clock now.
    ClockSynced,
    /// Nobody disciplines the clock any more.
    ClockUnsynced,
    /// The clock, which is not synced, is trusted so far.
    ClockTrust {
        /// How far.
        trust: Trust,
    },
    /// The clock shows a time that cannot be true.
    ClockWrong {
        /// Why.
        why: Doubt,
    },
    /// Somebody set the clock.
    ClockStepped {
        /// By how much, in whole seconds.
        by: Duration,
        /// It was set ahead, not back.
        ahead: bool,
    },
    /// The battery-backed clock cannot be trusted.
    RtcWrong {
        /// Why.
        why: RtcDoubt,
    },
    /// Mains are gone and the machine runs on its battery.
    MainsLost,
    /// An outage goes on that a daemon before this one has seen begin: its times count on.
    OutageTakenUp {
        /// From the first reading without mains to now.
        lasted: Duration,
    },
    /// They are back, and stable.
    MainsBack {
        /// From the first reading without them to the first with them.
        lasted: Duration,
    },
    /// The battery is low: on battery by signs that agree, and then a halt follows if that lasts; on
    /// mains by its level alone, and nothing follows.
    BatteryLow {
        /// Voltage of the pack.
        voltage: Option<Millivolts>,
        /// What is left of a full battery.
        charge: Option<Permille>,
        /// Mains are believed to be there.
        on_mains: bool,
    },
    /// Services are stopped to save power, or may run again.
    Shedding {
        /// Which are stopped now.
        shed: super::picture::Shed,
    },
    /// The battery recovers from an outage: services wait until it holds enough, or mains have stayed.
    Recovering {
        /// Which wait.
        shed: super::picture::Shed,
    },
    /// Signs about mains and battery contradict each other: somebody has to look at the board.
    SignsDisagree {
        /// Which.
        dispute: super::power::Dispute,
    },
    /// Services are stopped because of heat, or may run again.
    HeatShedding {
        /// Which are stopped now.
        shed: super::picture::Shed,
    },
    /// One of the firmware's throttle flags was found set.
    ThrottleBegan {
        /// Which.
        flag: ThrottleFlag,
        /// The processor's temperature, if it is known.
        temperature: Option<MilliCelsius>,
    },
    /// It was found clear long enough for its episode to be over.
    ThrottleEnded {
        /// Which.
        flag: ThrottleFlag,
        /// From the first reading that found it to the first without it; to the last that found it
        /// where readings were missed.
        lasted: Duration,
        /// Readings were missed: it may have lasted longer.
        at_least: bool,
        /// Times it was found set anew.
        times: u32,
        /// The processor's highest temperature meanwhile, if it is known.
        peak: Option<MilliCelsius>,
    },
    /// It was set and clear again between two readings: for how long, nobody knows.
    ThrottleBrief {
        /// Which.
        flag: ThrottleFlag,
        /// Time between the two readings.
        within: Duration,
    },
    /// It has been set in this boot before the daemon first looked.
    ThrottleEarlier {
        /// Which.
        flag: ThrottleFlag,
    },
}

impl Note {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        use Severity::{Error, Info, Warning};
        let of = Severity::of;
        match self {
            Note::Halt(note) => note.severity(),
            Note::Hold(note) => note.severity(),
            Note::Reload(note) => note.severity(),
            Note::Health(note) => note.severity(),
            Note::Guard(note) => note.severity(),
            Note::Network(note) => note.severity(),
            Note::Notify(_, note) => note.severity(),
            Note::Probe(_, _, note) => note.severity(),
            Note::Group(_, _, note) => note.severity(),
            Note::Job(_, note) => note.severity(),
            Note::Keeper(_, note) => note.severity(),
            Note::Began { .. }
            | Note::Ending { .. }
            | Note::Leaving { .. }
            | Note::Ended
            | Note::Asked { .. }
            | Note::JournalBack
            | Note::ServiceStarting { .. }
            | Note::ServiceUp { .. }
            | Note::ServiceAdopted { .. }
            | Note::ServiceRedefined(_)
            | Note::ServiceStopping { .. }
            | Note::ServiceBarred { .. }
            | Note::ServiceExcused { .. }
            | Note::RestartsExcused { .. }
            | Note::ServiceFinished {
                how: Finish::Done, ..
            }
            | Note::ServiceExited { asked: true, .. }
            | Note::ServiceExited { done: true, .. }
            | Note::WatchdogArmed { .. }
            | Note::PetResumed
            | Note::WatchdogRuns { .. }
            | Note::LimitsUnenforced { asked: false, .. }
            | Note::ThreadOnTime { .. }
            | Note::LedBack
            | Note::SourceBack { .. }
            | Note::ClockSynced
            | Note::ClockTrust { .. }
            | Note::ClockStepped { .. }
            | Note::MainsBack { .. }
            | Note::ThrottleEnded { .. }
            | Note::ThrottleEarlier { .. } => Info,
            Note::StopOverran { .. }
            | Note::JournalAway { .. }
            | Note::PoolMissing { .. }
            | Note::LimitsUnenforced { asked: true, .. }
            | Note::ServiceStartStuck { .. }
            | Note::ServiceNotReady { .. }
            | Note::ServiceHung { .. }
            | Note::ServiceExited { .. }
            | Note::ServiceKilled { .. }
            | Note::ServiceBackoff { .. }
            | Note::WatchdogClamped { .. }
            | Note::WatchdogHadReset
            | Note::WatchdogDisarmed
            | Note::WatchdogIdle
            | Note::DaemonUnwatched
            | Note::WatchdogLeftArmed { .. }
            | Note::ThreadLate { .. }
            | Note::LedFailed { .. }
            | Note::SourceLost { .. }
            | Note::ClockUnsynced
            | Note::ClockWrong { .. }
            | Note::RtcWrong { .. }
            | Note::MainsLost
            | Note::Recovering { .. }
            | Note::OutageTakenUp { .. }
            | Note::SignsDisagree { .. }
            | Note::ThrottleBegan { .. }
            | Note::ThrottleBrief { .. } => Warning,
            Note::Shedding { shed } | Note::HeatShedding { shed } => of(shed.verdict()),
            Note::BatteryLow { on_mains: true, .. } => Warning,
            Note::SafeStart { .. }
            | Note::ServiceStartFailed { .. }
            | Note::ServiceGaveUp { .. }
            | Note::MachineRestarting { .. }
            | Note::MachineKept { .. }
            | Note::ServiceFinished {
                how: Finish::Failed | Finish::Refused,
                ..
            }
            | Note::WatchdogFailed { .. }
            | Note::PetWithheld { .. }
            | Note::BatteryLow { .. } => Error,
            Note::ServiceRecalled { left, .. } => Severity::of_recalled(*left),
            Note::Heat { verdict, .. }
            | Note::Memory { verdict, .. }
            | Note::Load { verdict, .. }
            | Note::Space { verdict, .. }
            | Note::Inodes { verdict, .. }
            | Note::MountErrors { verdict, .. } => of(*verdict),
        }
    }
}

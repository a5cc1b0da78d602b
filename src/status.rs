//! How everything stands, in one form for programs and one for people.
//!
//! ```text
//! Core ──of──► Status ──to_json──► control socket ──► Status ──screen──► terminal
//! ```
//!
//! The names of the fields are stable and laid down in `docs/control.md`: fields are added, none is
//! renamed or taken away within one version of the control socket. Durations are in seconds,
//! temperatures in degrees Celsius, shares in percent. What is not known is `null`.
//!
//! Never decides anything; what it calls bad, a policy has called bad before.

mod boot_before;
mod clock;
mod dated;
mod guards;
mod halt;
mod headline;
mod hold;
mod job;
mod led;
mod list;
mod network;
mod plan_screen;
mod power;
mod power_screen;
mod probe;
mod proven;
mod quantity;
mod ready;
mod screen;
mod service_screen;
mod table;
mod throttle;
mod tree;
mod unenforced;
mod why;

#[cfg(test)]
mod tests;

pub use boot_before::BootBefore;
pub use clock::RtcStatus;
pub use dated::{Date, Dated, dated};
pub use guards::{CanaryStatus, CapStatus, WantStatus};
pub use halt::{HaltStatus, LastBootStatus};
pub use hold::HoldStatus;
pub use job::JobStatus;
pub use led::LedStatus;
pub use list::{KeeperStatus, MountStatus, ServiceStatus, ThreadStatus};
pub use network::{ExpiryStatus, RepairStatus, StepStatus, UplinkStatus};
pub use plan_screen::{StopTimes, plan_screen};
pub use power::{PowerRung, PowerSource, PowerStatus, PowerStep};
pub use power_screen::power_screen;
pub use probe::ProbeStatus;
pub use proven::ProvenStatus;
pub use quantity::{Amperes, Celsius, Load, Percent, Seconds, Volts};
pub use screen::{MARK, event_line, log_line, screen};
pub use throttle::{EpisodeStatus, ThrottleStatus};
pub use tree::{BRANCHES, Direction, tree};
pub use why::{Chain, why};

use crate::core::fact::{Controller, Lack, StandIn};
use crate::core::picture::{Ending, Picture, Verdict};
use crate::core::settings::WatchdogOwner;
use crate::core::{Core, Gauge, Guard, Outside, Supply};
use crate::text;
use crate::units::Mono;
use serde::{Deserialize, Serialize};

/// The status report.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Status {
    /// Version of the daemon.
    pub software: String,
    /// Process number of the daemon.
    pub pid: u32,
    /// Time since the machine started, without the time it slept.
    pub uptime_seconds: Seconds,
    /// The worst of all verdicts: `ok`, `unknown`, `warn` or `critical`.
    pub verdict: String,
    /// The same in one line for people.
    pub headline: String,
    /// `running`, `stopping` (all services), `halting` (the machine), or `leaving` (the daemon ends).
    pub phase: String,
    /// The halt that is under way.
    pub halt: Option<HaltStatus>,
    /// The hold that is in force; null if there is none.
    #[serde(default)]
    pub hold: Option<HoldStatus>,
    /// How the boot before this one ended; null if a daemon of this boot left nothing about it.
    pub last_boot: Option<LastBootStatus>,
    /// What each policy thinks of its subject.
    pub verdicts: Verdicts,
    /// The hardware watchdog.
    pub watchdog: WatchdogStatus,
    /// Services that are up and, where a probe tells, can be used.
    pub services_up: u16,
    /// Services that should be up.
    pub services_wanted: u16,
    /// All services, sorted by name.
    pub services: Vec<ServiceStatus>,
    /// Temperature, memory, load, clock and power.
    pub machine: MachineStatus,
    /// Power in full; null where nothing tells of it.
    #[serde(default)]
    pub power: Option<PowerStatus>,
    /// The status LED; null where there is none.
    #[serde(default)]
    pub led: Option<LedStatus>,
    /// File systems that are watched.
    pub mounts: Vec<MountStatus>,
    /// Canaries.
    #[serde(default)]
    pub canaries: Vec<CanaryStatus>,
    /// Caps.
    #[serde(default)]
    pub caps: Vec<CapStatus>,
    /// The way out; null where nobody cares.
    #[serde(default)]
    pub uplink: Option<UplinkStatus>,
    /// What expires.
    #[serde(default)]
    pub expiries: Vec<ExpiryStatus>,
    /// What the daemon itself is missing.
    pub daemon: DaemonStatus,
    /// Threads of the daemon that are behind with their work.
    pub late_threads: Vec<ThreadStatus>,
}

/// What each policy thinks of its subject: `ok`, `unknown`, `warn` or `critical`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Verdicts {
    /// The hardware watchdog.
    pub watchdog: String,
    /// The services.
    pub services: String,
    /// The jobs; null where there is none.
    #[serde(default)]
    pub jobs: Option<String>,
    /// What expires; null where there is nothing.
    #[serde(default)]
    pub expiry: Option<String>,
    /// Mains; null where nothing tells.
    pub power: Option<String>,
    /// Temperature of the processor.
    pub temperature: String,
    /// The firmware's throttle flags; null where nothing tells.
    pub throttle: Option<String>,
    /// Memory.
    pub memory: String,
    /// Load.
    #[serde(default)]
    pub load: String,
    /// File systems.
    pub storage: String,
    /// Trust in the clock.
    pub clock: String,
    /// Whether the status LED can be had; null where there is none.
    #[serde(default)]
    pub led: Option<String>,
    /// The daemon's own journal and pool.
    pub daemon: String,
    /// The daemon's own threads.
    pub threads: String,
}

/// What the daemon itself is missing.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DaemonStatus {
    /// Why events are kept in memory only; null while they are written to disk.
    pub journal_why: Option<String>,
    /// Why services end with the daemon; null while they live in the pool, or are not to.
    pub pool_why: Option<String>,
    /// Why the health endpoint does not listen wherever it should; null while it does, or is off.
    #[serde(default)]
    pub health_why: Option<String>,
    /// Limits of services that are not enforced, each with why and what to do about it.
    #[serde(default)]
    pub unenforced: Vec<UnenforcedStatus>,
    /// Daemons that broke off in the minute before this one, if it started safely because of them.
    pub safe_after: Option<u32>,
    /// What it goes by instead of its configuration, which cannot be used; null otherwise.
    #[serde(default)]
    pub stand_in: Option<StandInStatus>,
}

/// What stands in for a configuration that cannot be used, or not as it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StandInStatus {
    /// `copy`, `safe-mode` or `elsewhere`.
    pub goes_by: String,
    /// When the copy was made, by the clock of that time; null without one.
    pub taken: Option<String>,
    /// What is wrong with the configuration, in one line with its place.
    pub problem: String,
}

impl StandInStatus {
    /// There is no configuration at all.
    pub fn is_safe_mode(&self) -> bool {
        self.goes_by == text::stand_in_word(StandIn::SafeMode)
    }

    /// It is the configuration itself, but for the runtime directory.
    pub fn is_elsewhere(&self) -> bool {
        self.goes_by == text::stand_in_word(StandIn::Elsewhere)
    }
}

/// Limits of one controller that are not enforced.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UnenforcedStatus {
    /// `cpu`, `io`, `memory` or `pids`.
    pub controller: String,
    /// Why, and what to do about it.
    pub text: String,
    /// The configuration asks for such a limit; otherwise only defaults are not enforced.
    pub asked: bool,
}

/// The hardware watchdog.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct WatchdogStatus {
    /// `off`, `arming`, `armed`, `withheld` (no pets: a reset is coming), `failed`, or `elsewhere`
    /// (systemd has it). `off` with the owner systemd: systemd was not told to pet it.
    pub state: String,
    /// Who is to pet it: `fieldwarden`, `systemd` or `nobody`.
    pub owner: String,
    /// The driver's name for it.
    pub identity: Option<String>,
    /// The timeout in force.
    pub timeout_seconds: Option<Seconds>,
    /// It cannot be stopped any more.
    pub nowayout: Option<bool>,
    /// It ended the boot before this one.
    pub caused_reset: Option<bool>,
    /// Why it cannot be had; or what systemd was not told, if it is to pet it.
    pub why: Option<String>,
    /// Time until it is tried again.
    pub retry_seconds: Option<Seconds>,
    /// What the latest drill has proven; null if there was none.
    #[serde(default)]
    pub proven: Option<ProvenStatus>,
    /// The thread that is stuck, while pets are withheld.
    pub stuck_thread: Option<String>,
    /// Pets that have reached every guard, since the daemon began.
    #[serde(default)]
    pub pets: u64,
    /// Time since the latest one was given out.
    #[serde(default)]
    pub last_pet_seconds: Option<Seconds>,
    /// The longest time between two, since the daemon began.
    #[serde(default)]
    pub longest_gap_seconds: Option<Seconds>,
}

/// The machine.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct MachineStatus {
    /// Temperature of the processor.
    pub temperature_celsius: Option<Celsius>,
    /// The level of temperature: `cool`, `warm`, `hot` or `critical`.
    pub heat: Option<String>,
    /// Memory that programs can still have, of all memory.
    pub memory_available_percent: Option<Percent>,
    /// Want of memory.
    #[serde(default)]
    pub want: WantStatus,
    /// Processes that want to run, per processor; 1 is a processor fully used.
    pub load_per_cpu: Option<Load>,
    /// Somebody disciplines the clock.
    pub clock_synced: Option<bool>,
    /// How far its time can be trusted: `unset`, `floor`, `rtc`, `synced` or `holdover`.
    pub clock_trust: String,
    /// The battery-backed clock; null where there is none.
    pub rtc: Option<RtcStatus>,
    /// The way out of it: `up` or `down`; null where no service needs it, and while it cannot be told.
    #[serde(default)]
    pub network: Option<String>,
    /// What it runs on: `mains`, `battery` or `unknown`; null where nothing tells.
    pub power: Option<String>,
    /// Time since mains were first seen gone, on battery.
    pub on_battery_seconds: Option<Seconds>,
    /// What the battery's gauge says; null without one, and while it cannot be read.
    pub battery: Option<BatteryStatus>,
    /// The firmware's throttle flags; null where nothing tells.
    pub throttle: Option<ThrottleStatus>,
}

/// The battery, by its gauge. What the gauge cannot tell is null.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct BatteryStatus {
    /// Voltage of the pack.
    pub volts: Option<Volts>,
    /// What is left of a full battery.
    pub charge_percent: Option<Percent>,
    /// Current into it; negative while the machine runs from it.
    pub amperes: Option<Amperes>,
}

impl Status {
    /// How the core stands.
    pub fn of(core: &Core, now: Mono) -> Status {
        let picture = core.picture();
        let mut status = Status {
            software: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_seconds: now.into(),
            verdict: picture.worst().word().to_owned(),
            headline: String::new(),
            phase: phase(picture.ending).to_owned(),
            halt: picture.halting.map(HaltStatus::of),
            hold: core.hold().map(|hold| HoldStatus::of(hold, now)),
            last_boot: core.last_boot().map(LastBootStatus::of),
            verdicts: verdicts(core, picture),
            watchdog: watchdog(core, now),
            services_up: picture.up,
            services_wanted: picture.wanted,
            services: list::services(core, now),
            machine: machine(core, now),
            power: power::power(core, now),
            led: led::led(core, now),
            mounts: list::mounts(core, now),
            canaries: guards::canaries(core),
            caps: guards::caps(core),
            uplink: network::uplink(core, now),
            expiries: network::expiries(core, now),
            daemon: daemon(core),
            late_threads: list::late_threads(core, now),
        };
        status.headline = headline::headline(&status);
        status
    }

    /// One line of JSON, without a line feed.
    pub fn to_json(&self) -> String {
        // Strings, numbers and lists: none of them can fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The current of a reading.
fn amperes_of(gauge: Gauge) -> Option<Amperes> {
    gauge.current.map(Amperes)
}

fn phase(ending: Ending) -> &'static str {
    match ending {
        Ending::No => "running",
        Ending::Stopping { .. } => "stopping",
        Ending::Halting { .. } => "halting",
        Ending::Parting { .. } => "leaving",
    }
}

fn verdicts(core: &Core, picture: &Picture) -> Verdicts {
    let word = |verdict: Verdict| verdict.word().to_owned();
    let (memory, load) = core.memory_verdicts();
    Verdicts {
        watchdog: word(picture.watchdog),
        services: word(picture.services),
        jobs: picture.jobs.map(word),
        expiry: picture.expiry.map(word),
        power: picture.power.map(word),
        temperature: word(picture.thermal),
        throttle: picture.throttle.map(word),
        led: picture.led.map(word),
        memory: word(memory),
        load: word(load),
        storage: word(picture.storage),
        clock: word(picture.clock),
        daemon: word(picture.daemon),
        threads: word(picture.threads),
    }
}

fn daemon(core: &Core) -> DaemonStatus {
    let standing = core.standing();
    DaemonStatus {
        journal_why: standing.journal.as_ref().map(text::fault_sentence),
        pool_why: standing.pool.as_ref().map(text::fault_sentence),
        health_why: standing.health.as_ref().map(text::fault_sentence),
        unenforced: standing.unenforced.iter().map(unenforced).collect(),
        safe_after: standing.aborted,
        stand_in: standing.stand_in.as_ref().map(stand_in),
    }
}

fn stand_in((by, problem): &(StandIn, Box<str>)) -> StandInStatus {
    StandInStatus {
        goes_by: text::stand_in_word(*by).to_owned(),
        taken: match by {
            StandIn::Copy { taken } => Some(text::wall(*taken)),
            StandIn::SafeMode | StandIn::Elsewhere => None,
        },
        problem: problem.to_string(),
    }
}

fn unenforced(missed: &(Controller, Lack, bool)) -> UnenforcedStatus {
    let (controller, lack, asked) = *missed;
    UnenforcedStatus {
        controller: text::controller_word(controller).to_owned(),
        text: text::unenforced(controller, lack),
        asked,
    }
}

fn machine(core: &Core, now: Mono) -> MachineStatus {
    let (memory, load) = core.memory();
    let (power, on_battery) = match core.supply() {
        None => (None, None),
        Some(Supply::Unknown { .. }) => (Some("unknown"), None),
        Some(Supply::OnLine { .. }) => (Some("mains"), None),
        Some(
            Supply::OnBattery { since, .. }
            | Supply::LowBattery { since, .. }
            | Supply::ForcedShutdown { since, .. },
        ) => (Some("battery"), Some(now.since(since))),
    };
    MachineStatus {
        temperature_celsius: core.temperature().map(Celsius),
        heat: core.heat_level().map(|l| text::heat_word(l).to_owned()),
        memory_available_percent: memory.map(Percent),
        want: guards::want(core),
        load_per_cpu: load.map(Load),
        clock_synced: core.clock_synced(),
        clock_trust: text::trust_word(core.clock_trust()).to_owned(),
        rtc: core.rtc().map(clock::rtc),
        network: core.network().map(|up| network_word(up).to_owned()),
        power: power.map(str::to_owned),
        on_battery_seconds: on_battery.map(Seconds),
        battery: core.gauge().map(|gauge| BatteryStatus {
            volts: gauge.voltage.map(Volts),
            charge_percent: gauge.charge.map(Percent),
            amperes: gauge.current.map(Amperes),
        }),
        throttle: throttle::throttle(core, now),
    }
}

fn network_word(up: bool) -> &'static str {
    match up {
        true => "up",
        false => "down",
    }
}

fn toothless() -> String {
    "it did not bite in a drill".to_owned()
}

fn watchdog(core: &Core, now: Mono) -> WatchdogStatus {
    let stuck = core.picture().stuck.map(text::thread_word);
    let pets = core.pets();
    let (outside, watched) = core.outside();
    let ours = core.settings().watchdog.owner != WatchdogOwner::Systemd;
    let elsewhere = match outside {
        Outside::Runs { timeout } if !ours => timeout,
        Outside::Runs { .. } | Outside::Unseen | Outside::Stopped => None,
    };
    let gap = match outside {
        _ if ours => None,
        Outside::Stopped => Some("RuntimeWatchdogSec= of systemd is not set".to_owned()),
        _ if !watched => Some("WatchdogSec= of the daemon's unit is not set".to_owned()),
        Outside::Runs { .. } | Outside::Unseen => None,
    };
    let gap = gap.or(core.watchdog_is_toothless().then(toothless));
    let state = match (core.guard(), stuck) {
        (Guard::Armed(_), Some(_)) => "withheld",
        (Guard::Idle { .. }, Some(_)) if !ours => "withheld",
        (Guard::Armed(_), None) => "armed",
        (Guard::Arming, _) => "arming",
        (Guard::Failed { .. }, _) => "failed",
        (Guard::Idle { owner }, _) => match owner {
            WatchdogOwner::Systemd => match outside {
                Outside::Stopped => "off",
                Outside::Unseen | Outside::Runs { .. } => "elsewhere",
            },
            WatchdogOwner::Fieldwarden | WatchdogOwner::Nobody => "off",
        },
    };
    let owner = match core.settings().watchdog.owner {
        WatchdogOwner::Fieldwarden => "fieldwarden",
        WatchdogOwner::Systemd => "systemd",
        WatchdogOwner::Nobody => "nobody",
    };
    let seen = match core.guard() {
        Guard::Armed(seen) => Some(seen),
        Guard::Idle { .. } | Guard::Arming | Guard::Failed { .. } => None,
    };
    let failed = match core.guard() {
        Guard::Failed { why, retry } => Some((why, retry)),
        Guard::Idle { .. } | Guard::Arming | Guard::Armed(_) => None,
    };
    WatchdogStatus {
        state: state.to_owned(),
        owner: owner.to_owned(),
        identity: seen.map(|s| s.identity.to_string()),
        timeout_seconds: seen.map(|s| s.timeout).or(elsewhere).map(Seconds),
        nowayout: seen.map(|s| s.nowayout),
        caused_reset: seen.map(|s| s.caused_reset),
        why: failed.map(|(why, _)| text::fault_sentence(why)).or(gap),
        retry_seconds: failed.map(|(_, retry)| Seconds(retry.since(now))),
        proven: core.proof().map(ProvenStatus::of),
        stuck_thread: stuck.map(str::to_owned),
        pets: pets.arrived,
        last_pet_seconds: pets.last.map(|last| Seconds(now.since(last))),
        longest_gap_seconds: pets.longest.map(Seconds),
    }
}

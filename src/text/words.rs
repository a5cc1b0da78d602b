//! The fixed words for the small enums of the core.

use super::errno::errno_word;
use super::quantity::seconds;
use super::signal::signal_word;
use super::token::token;
use crate::core::fact::{
    Asker, Controller, Exit, Fault, HaltKind, Health, Lack, NotifyKey, Obstacle, ProbeKind,
    Request, Source, Stage, Thread, ThrottleFlag,
};
use crate::core::intent::HaltPhase;
use crate::core::light::LedState;
use crate::core::memo::Rest;
use crate::core::note::{Doubt, Finish, RtcDoubt, Severity, Trust};
use crate::core::picture::{Shed, Strain};
use crate::core::settings::{Need, Settings};
use crate::core::{Dispute, HeatLevel};

/// Makes, from one list, the word of each variant, the list of all variants, and the way back.
/// The match is exhaustive, so a new variant does not compile until it has a word.
macro_rules! words {
    ($(#[$doc:meta])* $ty:ident, $all:ident, $word:ident, $named:ident:
     $($variant:ident => $text:literal),+ $(,)?) => {
        $(#[$doc])*
        pub fn $word(value: $ty) -> &'static str {
            match value { $($ty::$variant => $text),+ }
        }
        #[doc = concat!("All values of [`", stringify!($ty), "`] that have a word.")]
        pub const $all: &[$ty] = &[$($ty::$variant),+];
        #[doc = concat!("The [`", stringify!($ty), "`] that this word names.")]
        pub fn $named(word: &str) -> Option<$ty> {
            $all.iter().copied().find(|value| $word(*value) == word)
        }
    };
}

words! {
    /// The word for a thread of the daemon.
    Thread, THREADS, thread_word, thread_named:
    Children => "children",
    Watchdog => "watchdog",
    Spawner => "spawner",
    SecondSpawner => "spawner-2",
    Vitals => "vitals",
    Disk => "disk",
    Control => "control",
    Recorder => "recorder",
    Marker => "marker",
    Sync => "sync",
    Halt => "halt",
    Bus => "bus",
    Line => "line",
    Output => "output",
    Signals => "signals",
    Log => "log",
    Led => "led",
    Prober => "prober",
    Keeper => "keeper",
    Engine => "engine",
    Health => "health",
    Canary => "canary",
    Uplink => "uplink",
}

words! {
    /// The word for what a probe is for.
    ProbeKind, PROBE_KINDS, probe_kind_word, probe_kind_named:
    Startup => "startup",
    Readiness => "readiness",
    Liveness => "liveness",
    Isolation => "isolation",
}

words! {
    /// The word for a step of a start.
    Stage, STAGES, stage_word, stage_named:
    Prepare => "prepare",
    Clone => "clone",
    Session => "session",
    Cgroup => "cgroup",
    Output => "output",
    Mounts => "mounts",
    Secrets => "secrets",
    Paths => "paths",
    Tmp => "tmp",
    Network => "network",
    Limits => "limits",
    Capabilities => "capabilities",
    Groups => "groups",
    User => "user",
    Directory => "directory",
    Exec => "exec",
    Machine => "machine",
    Keeper => "keeper",
}

words! {
    /// The word for what a keeper thinks of a service.
    Health, HEALTHS, health_word, health_named:
    Untold => "untold",
    Awaited => "awaited",
    Well => "well",
    Ill => "ill",
}

words! {
    /// The word for why somebody else cannot start a service.
    Obstacle, OBSTACLES, obstacle_word, obstacle_named:
    Unseen => "unseen",
    Silent => "silent",
    Ending => "ending",
    Missing => "missing",
    Masked => "masked",
    Paused => "paused",
    Broken => "broken",
    NoProcess => "no-process",
}

words! {
    /// The word for a controller of control groups.
    Controller, CONTROLLERS, controller_word, controller_named:
    Cpu => "cpu",
    Io => "io",
    Memory => "memory",
    Pids => "pids",
}

words! {
    /// The word for why limits are not enforced.
    Lack, LACKS, lack_word, lack_named:
    SwitchedOff => "switched-off",
    NotInKernel => "not-in-kernel",
    NotDelegated => "not-delegated",
    NoPool => "no-pool",
    Refused => "refused",
    NoScheduler => "no-scheduler",
}

words! {
    /// The word for why a service is at rest.
    Rest, RESTS, rest_word, rest_named:
    NotStarted => "not-started",
    Stopped => "stopped",
    Finished => "finished",
    Failed => "failed",
    Elsewhere => "stopped-elsewhere",
}

words! {
    /// The word for a level of temperature.
    HeatLevel, HEAT_LEVELS, heat_word, heat_named:
    Cool => "cool",
    Warm => "warm",
    Hot => "hot",
    Critical => "critical",
}

words! {
    /// The word for one of the firmware's throttle flags.
    ThrottleFlag, THROTTLE_FLAGS, throttle_word, throttle_named:
    UnderVoltage => "under-voltage",
    FrequencyCapped => "frequency-capped",
    Throttled => "throttled",
    SoftLimit => "soft-limit",
}

words! {
    /// A key of the protocol of `sd_notify(3)`.
    NotifyKey, NOTIFY_KEYS, notify_key_word, notify_key_named:
    Status => "STATUS",
    Errno => "ERRNO",
    MainPid => "MAINPID",
    Watchdog => "WATCHDOG",
    WatchdogUsec => "WATCHDOG_USEC",
    ExtendTimeoutUsec => "EXTEND_TIMEOUT_USEC",
    MonotonicUsec => "MONOTONIC_USEC",
}

words! {
    /// The word for what a status LED shows.
    LedState, LED_STATES, led_word, led_named:
    Well => "well",
    Unknown => "unknown",
    Starting => "starting",
    Degraded => "degraded",
    OnBattery => "on-battery",
    Critical => "critical",
    Unguarded => "unguarded",
    LowBattery => "low-battery",
    Stopping => "stopping",
    Halting => "halting",
}

words! {
    /// The word for how a halt ends.
    HaltKind, HALT_KINDS, halt_kind_word, halt_kind_named:
    PowerOff => "poweroff",
    Reboot => "reboot",
}

words! {
    /// The word for how far a halt has come.
    HaltPhase, HALT_PHASES, halt_phase_word, halt_phase_named:
    Begun => "begun",
    Committed => "committed",
}

words! {
    /// The word for how much a note matters.
    Severity, SEVERITIES, severity_word, severity_named:
    Info => "info",
    Warning => "warning",
    Error => "error",
}

words! {
    /// The word for how far a clock can be trusted.
    Trust, TRUSTS, trust_word, trust_named:
    Unset => "unset",
    Floor => "floor",
    Rtc => "rtc",
    Synced => "synced",
    Holdover => "holdover",
}

/// The word for what speaks against a clock: `early`, `stopped`.
pub fn rtc_doubt_word(doubt: RtcDoubt) -> &'static str {
    match doubt {
        RtcDoubt::Stopped => "stopped",
        RtcDoubt::Invalid => "invalid",
        RtcDoubt::Frozen => "frozen",
        RtcDoubt::Untrue(Doubt::Early { .. }) => "early",
        RtcDoubt::Untrue(Doubt::Future { .. }) => "future",
        RtcDoubt::Ahead { .. } => "ahead",
        RtcDoubt::Behind { .. } => "behind",
    }
}

/// Where a reading comes from: `temperature`, `mount /data`.
pub fn source(source: Source, settings: &Settings) -> String {
    match source {
        Source::Temperature => "temperature".to_owned(),
        Source::Memory => "memory".to_owned(),
        Source::Load => "load".to_owned(),
        Source::Clock => "clock".to_owned(),
        Source::Network => "network".to_owned(),
        Source::Rtc => "rtc".to_owned(),
        Source::Floor => "floor".to_owned(),
        Source::Mains => "mains".to_owned(),
        Source::Throttle => "throttle".to_owned(),
        Source::Mount(mount) => format!("mount {}", token(settings.mount(mount))),
        Source::Watchdog => "watchdog".to_owned(),
        Source::Marker => "marker".to_owned(),
        Source::Gauge => "gauge".to_owned(),
        Source::Journal => "journal".to_owned(),
        Source::Pool => "pool".to_owned(),
        Source::Starts => "starts".to_owned(),
        Source::Limits => "limits".to_owned(),
        Source::Hold => "hold".to_owned(),
        Source::Configuration => "configuration".to_owned(),
        Source::Health => "health".to_owned(),
        Source::Canary(canary) => format!("canary {}", token(settings.canary(canary))),
        Source::Cap(cap) => format!("cap {}", token(settings.cap(cap))),
        Source::Wear(mount) => format!("wear {}", token(settings.mount(mount))),
        Source::Pressure => "pressure".to_owned(),
        Source::Swap => "swap".to_owned(),
        Source::Uplink => "uplink".to_owned(),
        Source::Expiry(expiry) => format!("expiry {}", token(settings.expiry(expiry))),
    }
}

words! {
    /// Which services are stopped to save power.
    Shed, SHEDS, shed_word, shed_named:
    Nothing => "nothing",
    Optional => "optional",
    Normal => "normal",
}

/// What a service needs: `clock`, `mains`, `network`.
pub fn need_word(need: Need) -> &'static str {
    match need {
        Need::Clock => "clock",
        Need::Mains => "mains",
        Need::Network => "network",
    }
}

/// What strains the machine: `throttled`, `under-voltage`, `on-battery`, `low-battery`.
pub fn strain_word(strain: Strain) -> &'static str {
    match strain {
        Strain::Throttled => "throttled",
        Strain::UnderVoltage => "under-voltage",
        Strain::OnBattery => "on-battery",
        Strain::LowBattery => "low-battery",
    }
}

/// How a service ended that is not to be restarted: `done`, `failed`, `refused`.
pub fn finish_word(finish: Finish) -> &'static str {
    match finish {
        Finish::Done => "done",
        Finish::Failed => "failed",
        Finish::Refused => "refused",
    }
}

/// Signs that contradict each other: `used-on-mains`.
pub fn dispute_word(dispute: Dispute) -> &'static str {
    match dispute {
        Dispute::UsedOnMains => "used-on-mains",
        Dispute::ChargedOnBattery => "charged-on-battery",
        Dispute::CurrentAgainstVoltage => "current-against-voltage",
    }
}

/// Who asked: `user=1000`, `signal=SIGTERM`.
pub fn asker(by: Asker) -> String {
    match by {
        Asker::User(user) => format!("user={user}"),
        Asker::Signal(number) => format!("signal={}", signal_word(number)),
    }
}

/// The words that begin a request, for messages that list them.
pub const REQUEST_WORDS: &str = "`status`, `start`, `stop`, `restart`, `exit`, `leave`, `reload`, `halt`, `hold`, `end-hold`, `drill-watchdog` or `show-led`";

/// What was asked for: `status`, `start web`.
pub fn request(request: &Request, settings: &Settings) -> String {
    if let Request::Halt(kind) = request {
        return format!("halt {}", halt_kind_word(*kind));
    }
    if let Request::Hold { time, reason } = request {
        return format!("hold for={} reason={}", seconds(*time), token(reason));
    }
    if let Request::ShowLed { state, time } = request {
        return format!("show-led {} for={}", led_word(*state), seconds(*time));
    }
    let (word, service) = request_parts(request);
    match service {
        None => word.to_owned(),
        Some(service) => format!("{word} {}", token(settings.name(service))),
    }
}

/// The verb of a request, and the service it is about.
pub(super) fn request_parts(
    request: &Request,
) -> (&'static str, Option<crate::core::fact::ServiceId>) {
    match *request {
        Request::Status => ("status", None),
        Request::Start(service) => ("start", Some(service)),
        Request::Stop(service) => ("stop", Some(service)),
        Request::Restart(service) => ("restart", Some(service)),
        Request::Exit => ("exit", None),
        Request::Leave => ("leave", None),
        Request::Reload => ("reload", None),
        Request::Halt(HaltKind::PowerOff) => ("halt-poweroff", None),
        Request::Halt(HaltKind::Reboot) => ("halt-reboot", None),
        Request::Hold { .. } => ("hold", None),
        Request::EndHold => ("end-hold", None),
        Request::Drill => ("drill-watchdog", None),
        Request::ShowLed { .. } => ("show-led", None),
    }
}

/// How a process ended: `code=1`, `signal=SIGKILL`, `unknown`.
pub(super) fn exit(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("code={code}"),
        Exit::Signal(number) => format!("signal={}", signal_word(number)),
        Exit::Unknown => "unknown".to_owned(),
    }
}

/// Why something failed: `busy`, `errno=EIO`, `taken by="systemd (pid 1)"`.
pub(super) fn fault(fault: &Fault) -> String {
    match fault {
        Fault::Busy => "busy".to_owned(),
        Fault::Errno(errno) => format!("errno={}", errno_word(*errno)),
        Fault::Taken { by: None } => "taken".to_owned(),
        Fault::Taken { by: Some(by) } => format!("taken by={}", token(by)),
        Fault::Absent => "absent".to_owned(),
        Fault::Implausible => "implausible".to_owned(),
    }
}

/// `yes` or `no`.
pub(super) fn flag(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

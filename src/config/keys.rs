//! Lists every key of the configuration with its bounds, its default and its meaning.
//!
//! This is the only place where a default is written. It never reads a file.

mod backoff;
mod container;
mod control;
mod group;
mod health;
mod job;
pub mod led;
mod network;
mod power;
mod probe;
mod reboots;
mod rights;
mod sandbox;
mod share;
mod storage;
mod unit;
mod vitals;

use super::schema::{Absent, Key, Kind, Section};
use Absent::{Default, Inside, Nothing, Required};
use backoff::BACKOFF;
pub use control::CONTROL;
pub use group::GROUP;
pub use health::HEALTH;
pub use led::LED;
pub use network::{EXPIRY, NETWORK, REPAIR, STEPS};
pub use power::POWER;
pub use reboots::{HOLD, REBOOTS};
use std::time::Duration;
pub use storage::{CAP, STORAGE};
pub use vitals::VITALS;

/// The version of the format that this program reads. It rises only when a file of the version
/// before would mean something else.
pub const VERSION: u32 = 1;

const fn key(name: &'static str, kind: Kind, absent: Absent, meaning: &'static str) -> Key {
    Key {
        name,
        kind,
        absent,
        meaning,
    }
}

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn s(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn min(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

const fn hours(n: u64) -> Duration {
    min(n * 60)
}

/// A Pi throttles at 85 C and its chip is rated for -40 C to 125 C; beyond lies no sensible limit.
const TEMPERATURE: Kind = Kind::Temperature(-40, 125);

/// From one process on a hundred processors to a thousand on each of them.
const LOAD: Kind = Kind::Load(1, 100_000);

/// The sections of a file, in the order in which the sample shows them.
pub const SECTIONS: &[Section] = &[
    ROOT, WATCHDOG, STOP, POWER, LED, VITALS, CLOCK, STORAGE, CAP, NETWORK, REPAIR, EXPIRY,
    REBOOTS, HOLD, HEALTH, CONTROL, SERVICE, GROUP,
];

/// The keys above the first header.
pub const ROOT: Section = Section {
    header: "",
    meaning: "The daemon as a whole.",
    keys: &[
        key(
            "version",
            Kind::Version,
            Default("1"),
            "Version of this file's format",
        ),
        key(
            "board",
            Kind::Board,
            Default("\"none\""),
            "The board that supplies the computer with power, by the name of its board file; \"sim\" \
             simulates watchdog, sensors and battery on a bench",
        ),
        key(
            "runtime_dir",
            Kind::Path,
            Default("\"/run/fieldwarden\""),
            "Directory for sockets and everything else that a reboot may wipe out",
        ),
        key(
            "state_dir",
            Kind::Path,
            Default("\"/var/lib/fieldwarden\""),
            "Directory for the journal and everything else that outlives a reboot",
        ),
        key(
            "cgroup",
            Kind::WordOrPath(&["auto", "none"]),
            Default("\"auto\""),
            "Control group in which services run: \"auto\" for that of the pool unit if it exists, \
             \"none\", or its directory",
        ),
    ],
};

/// The hardware watchdog.
pub const WATCHDOG: Section = Section {
    header: "watchdog",
    meaning: "The hardware watchdog: it resets the machine when nobody pets it.",
    keys: &[
        key(
            "owner",
            Kind::Choice(&["fieldwarden", "systemd", "nobody"]),
            Default("\"fieldwarden\""),
            "Who pets it; systemd needs RuntimeWatchdogSec= for that",
        ),
        key(
            "device",
            Kind::Path,
            Default("\"/dev/watchdog0\""),
            "Its device",
        ),
        key(
            "timeout",
            Kind::Duration(s(1), min(10)),
            Default("\"15s\""),
            "Time without a pet after which it resets the machine; a Pi's hardware can do no more \
             than 15s",
        ),
        key(
            "disarm_on_stop",
            Kind::Flag,
            Default("false"),
            "Stop it when the daemon is asked to end; with false, the machine resets unless a \
             successor pets it in time",
        ),
    ],
};

/// The orderly stop.
pub const STOP: Section = Section {
    header: "stop",
    meaning: "The orderly stop of everything.",
    keys: &[
        key(
            "budget",
            Kind::Duration(s(1), min(10)),
            Default("\"80s\""),
            "Time for all services together to end before they are killed",
        ),
        key(
            "unmount",
            Kind::Duration(s(15), min(10)),
            Default("\"3min\""),
            "Time that init gets to unmount everything when the machine is halted; the watchdog is set to it",
        ),
    ],
};

const NEEDS: Kind = Kind::Words(&["clock", "mains", "network"]);

const WARN: &str = "From here on somebody should look";
const CRITICAL: &str = "From here on it is broken";

/// The clocks.
pub const CLOCK: Section = Section {
    header: "clock",
    meaning: "The clocks, which are judged; the kernel's is never set.",
    keys: &[
        key(
            "rtc",
            Kind::Choice(&["auto", "ds3231", "none"]),
            Default("\"auto\""),
            "The battery-backed clock: the best one that has a driver; a DS3231 on the header's I2C \
             bus, with or without; or none, such as for a Pi 5 without a battery",
        ),
        key(
            "every",
            Kind::Duration(s(1), hours(1)),
            Default("\"60s\""),
            "Least time between two looks at it; it is looked at when the vitals are",
        ),
        key(
            "tolerance",
            Kind::Duration(s(2), hours(1)),
            Default("\"30s\""),
            "How far it may be from the kernel's clock before that is told",
        ),
        key(
            "set_rtc",
            Kind::Flag,
            Default("false"),
            "Set it by the kernel's clock once that has been synced for 30s: for a chip that is not \
             rtc0, which is the only one that the kernel sets by itself",
        ),
    ],
};

/// One service.
pub const SERVICE: Section = Section {
    header: "service.NAME",
    meaning: "One service, a program that is kept running, a unit of systemd, a container, or a job, which runs \
              from time to time; there may be many such sections.",
    keys: &[
        key(
            "command",
            Kind::Command,
            Required("[\"/usr/bin/web\", \"--port\", \"80\"]"),
            "Its program by absolute path, then its arguments as they are; must be given, but for a unit or a container",
        ),
        job::KIND,
        unit::UNIT,
        container::CONTAINER,
        container::ENGINE,
        container::SOCKET,
        container::UNHEALTHY,
        key(
            "autostart",
            Kind::Flag,
            Default("true"),
            "Run it from the daemon's start on",
        ),
        key(
            "class",
            Kind::Choice(&["essential", "normal", "optional"]),
            Default("\"normal\""),
            "How much it matters while power is short: optional services are stopped first, essential ones never",
        ),
        key(
            "after",
            Kind::Services,
            Default("[]"),
            "Services that must be up before this one is started, and that are stopped after it; they \
             are not started for it",
        ),
        key(
            "requires",
            Kind::Services,
            Default("[]"),
            "The same, and it does not run without them: it starts them too, and is stopped while one \
             of them is not up",
        ),
        key(
            "wants",
            Kind::Services,
            Default("[]"),
            "Services that it starts too, in no order",
        ),
        key(
            "needs",
            NEEDS,
            Default("[]"),
            "What there must be before it is started: a clock that can be trusted, mains, a network",
        ),
        key(
            "stop_without",
            NEEDS,
            Default("[]"),
            "Of its needs, those without which it is stopped again, once they have been gone for 10s",
        ),
        key(
            "ready",
            Kind::Choice(READY),
            Default("\"exec\""),
            "It counts as up once its program is executed, says READY=1, or writes a newline to this descriptor",
        ),
        key(
            "start_timeout",
            Kind::Duration(s(1), hours(1)),
            Default("\"90s\""),
            "Time from its start until it is ready; of a unit without this key, what the unit says",
        ),
        key(
            "heartbeat",
            Kind::Duration(ms(100), hours(1)),
            Nothing("\"30s\""),
            "Longest silence between two WATCHDOG=1, which it need not send without this key",
        ),
        key(
            "probe",
            Kind::Table(probe::PROBES),
            Nothing("{ liveness = { tcp = \"127.0.0.1:80\" } }"),
            "Its probes, each as here or in a section such as [service.web.probe.liveness]; one of exec, tcp, \
             http and file says how it is made",
        ),
        key(
            "fd_store",
            Kind::Count(0, 64),
            Default("0"),
            "Descriptors that it may leave with the daemon (FDSTORE=1), to be handed back at its next start",
        ),
        key(
            "log_file",
            Kind::WordOrSize(&["none"], 16 * 1024, 256 * 1024 * 1024),
            Default("\"none\""),
            "The most that is kept of its output on the card, in logs/ of the state directory, beside the \
             latest lines, which are kept in memory",
        ),
        key(
            "stop_signal",
            Kind::Choice(&["TERM", "INT", "QUIT", "HUP", "USR1", "USR2"]),
            Default("\"TERM\""),
            "Signal that asks it to end",
        ),
        key(
            "stop_timeout",
            Kind::Duration(Duration::ZERO, min(10)),
            Default("\"10s\""),
            "Time between that signal and KILL; of a unit without this key, what the unit says if that is more",
        ),
        key(
            "restart",
            Kind::Choice(&["always", "on-failure", "on-abnormal", "never"]),
            Default("\"always\""),
            "When to start it again after it ended without being asked to; on-failure leaves it down \
             after a clean end, on-abnormal after any exit by itself",
        ),
        key(
            "escalate",
            Kind::Choice(&["none", "machine"]),
            Default("\"none\""),
            "What follows when it is given up: it waits for its cooldown, or the machine is restarted within \
             the budget of [reboots]; not for a member of a group, whose group decides",
        ),
        key(
            "success_on",
            Kind::Codes,
            Default("[]"),
            "Exit codes that are as good as 0; a clean end is one of these, or by HUP, INT, TERM or PIPE",
        ),
        key(
            "no_restart_on",
            Kind::Codes,
            Default("[]"),
            "Exit codes after which it stays down, whatever restart says: another start would be of \
             no use",
        ),
        key(
            "backoff",
            Kind::Table(BACKOFF),
            Inside,
            "How long to wait before that, and when to give up",
        ),
        key(
            "environment",
            Kind::Environment,
            Default("{}"),
            "Variables of its environment",
        ),
        key(
            "directory",
            Kind::Path,
            Default("\"/\""),
            "Its working directory",
        ),
        key(
            "output",
            Kind::Choice(&["log", "null", "inherit"]),
            Default("\"log\""),
            "Where its output goes: to the daemon's log, nowhere, or where the daemon's own goes",
        ),
        rights::USER,
        rights::GROUP,
        rights::GROUPS,
        rights::CAPABILITIES,
        rights::NO_NEW_PRIVILEGES,
        rights::UMASK,
        rights::NICE,
        rights::OOM_SCORE,
        rights::LIMITS,
        sandbox::PRIVATE_TMP,
        sandbox::READ_ONLY,
        sandbox::WRITABLE,
        sandbox::PRIVATE_NETWORK,
        sandbox::MUST_NOT_REACH,
        sandbox::SECRETS,
        share::CPU_QUOTA,
        share::CPU_WEIGHT,
        share::MEMORY_HIGH,
        share::MEMORY_MAX,
        share::SWAP_MAX,
        share::OOM_GROUP,
        share::IO_WEIGHT,
        share::PIDS_MAX,
        job::EVERY,
        job::CALENDAR,
        job::ZONE,
        job::ANY_CLOCK,
        job::JITTER,
        job::TIMEOUT,
        job::EXCLUSIVE,
        job::NOT_WHILE,
        job::FRESH_WITHIN,
    ],
};

/// Words of `ready`. s6 and its like leave the number of the descriptor to the service.
const READY: &[&str] = &[
    "exec", "notify", "fd:3", "fd:4", "fd:5", "fd:6", "fd:7", "fd:8", "fd:9",
];

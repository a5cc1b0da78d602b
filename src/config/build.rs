//! Reads the whole tree into settings and wiring.
//!
//! Every value is read before anything is put together, so that one mistake hides no other.

use super::caps;
use super::cross::{self, Outage, Timeout};
use super::groups;
use super::keys;
use super::network::{self, Way};
use super::repair;
use super::report::Report;
use super::schema::Kind;
use super::service::{self, Draft, NAME_MAX};
use super::table::{At, Table};
use super::value::{self, Node};
use super::{
    Board, CgroupChoice, Command, HealthPlan, LedPlan, Wiring, health, led, limits, sandbox,
};
use crate::core::settings::{Cap, Heat, Limits, Power, Service, Settings, Watchdog, WatchdogOwner};
use crate::units::Permille;
use std::path::PathBuf;
use std::time::Duration;
use toml::de::DeTable;

/// Most mount points. Each is looked at in turn, and one may take minutes when its card fails.
const MOUNTS_MAX: usize = 64;

/// Longest name of a socket: `sun_path` of the kernel without the NUL.
const SOCKET_MAX: usize = 107;

/// Bytes of such a name that are neither `runtime_dir` nor the name of a service. A test compares
/// it with the places that the edges use.
pub const SOCKET_EXTRA: usize = 16;

/// The tables of a file.
const TABLES: [&str; 17] = [
    "cap", "watchdog", "stop", "power", "led", "vitals", "clock", "storage", "network", "expiry",
    "repair", "reboots", "hold", "health", "control", "service", "group",
];

/// Finds the board that a value names.
pub(super) type Boards<'b> = dyn FnMut(&mut Report<'_>, &str, &Node<'_>) -> Option<Board> + 'b;

/// Reads the tree. `None` if a value is wrong; the report has it.
pub(super) fn config<'i>(
    report: &mut Report<'i>,
    tree: &DeTable<'i>,
    sound: bool,
    boards: &mut Boards<'_>,
) -> Option<(Settings, Wiring)> {
    let mut top = Table::top(report, keys::SECTIONS, tree, sound);
    top.refuse_unknown(&TABLES);
    let mut root = root(&mut top, boards);
    let (watchdog, timeout) = watchdog(top.below("watchdog", keys::WATCHDOG.keys)).unzip();
    let (power, outage) = power(top.below("power", keys::POWER.keys)).unzip();
    let (budget, unmount) = stop(top.below("stop", keys::STOP.keys));
    let vitals = vitals(top.below("vitals", keys::VITALS.keys));
    let clock = clock(top.below("clock", keys::CLOCK.keys));
    let storage = storage(&mut top);
    let way = network::read(&mut top);
    let operators = operators(top.below("control", keys::CONTROL.keys));
    let drafts = service::drafts(&mut top);
    let times = (&timeout, &unmount, &outage);
    relations(&mut top, (&mut root, &drafts), &clock, times);
    let (services, groups, reboots) = groups::supervised(&mut top, drafts, (&budget, &outage));
    let (root, (watchdog, device), vitals, clock) = (root?, watchdog?, vitals?, clock?);
    let (services, commands): (Vec<Service>, Vec<Command>) = services?.into_iter().unzip();
    let way = repair::resolved(&mut top, way?, &services)?;
    let settings = Settings {
        services,
        groups: groups?,
        reboots: reboots?,
        hold_most: root.hold_most,
        watchdog,
        stop_budget: budget?.value,
        board: root.board.settings(),
        halt_finish: unmount?.value,
        power: power?,
        clock_tolerance: clock.tolerance,
        set_rtc: clock.set_rtc,
        led: root.led.as_ref().map(|led| led.value.title()),
        ..looked_at(&vitals, storage.as_ref()?, &way)
    };
    let wiring = Wiring {
        board: root.board,
        led: root.led.map(|led| led.value),
        runtime_dir: root.runtime_dir.value,
        state_dir: root.state_dir.value,
        cgroup: root.cgroup,
        watchdog_device: device,
        vitals_every: vitals.every,
        rtc_every: clock.every,
        rtc_chip: clock.chip,
        canary_every: storage.as_ref()?.canary_every,
        disk_every: storage.as_ref()?.every,
        mounts: storage?.mounts,
        uplink: way.uplink,
        expiries: way.ends,
        health: root.health,
        operators: operators?.value,
        commands,
    };
    Some((settings, wiring))
}

/// What is looked at of the machine, and its limits; the rest is nothing.
fn looked_at(vitals: &Vitals, storage: &Storage, way: &Way) -> Settings {
    Settings {
        network: way.network.clone(),
        expiries: way.expiries.clone(),
        mounts: named(storage.mounts.as_deref()),
        temperature: vitals.temperature,
        memory: vitals.memory,
        load: vitals.load,
        space: storage.space,
        inodes: storage.inodes,
        canaries: named(Some(&storage.canaries)),
        caps: storage.caps.clone(),
        pressure: vitals.pressure,
        shed_for_memory: vitals.shed_memory,
        ..Settings::nothing()
    }
}

/// Who may act beside root.
fn operators(mut table: Table<'_, '_, '_>) -> Option<At<Vec<String>>> {
    table.other("operators", super::rights::accounts)
}

/// Is the file of a version after ours? Nothing else is judged then, because its keys are not
/// ours.
pub(super) fn newer<'i>(report: &mut Report<'i>, file: &DeTable<'i>, sound: bool) -> bool {
    let mut top = Table::top(report, keys::SECTIONS, file, sound);
    let version = top.other("version", version);
    version.is_some_and(|version| version.value > keys::VERSION)
}

/// Reads `version`. The number is that of the file even when it is a wrong one.
pub(super) fn version(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    kind: Kind,
) -> Option<u32> {
    let Some(number) = node.get_ref().as_integer() else {
        let help = format!("write {}, without quotes", keys::VERSION);
        value::mistyped(report, path, node, &kind, help);
        return None;
    };
    let number = u32::from_str_radix(number.as_str(), number.radix()).unwrap_or(0);
    if number > keys::VERSION {
        let what = format!("this file is of version {number}, which this program is too old for");
        let help = format!(
            "it reads version {}; install a newer fieldwarden",
            keys::VERSION
        );
        report.error(node.span(), what, help);
    } else if number < keys::VERSION {
        let what = format!("`{path}` is no version of this file's format");
        report.error(node.span(), what, format!("write {}", keys::VERSION));
    }
    Some(number)
}

struct Root {
    board: Board,
    led: Option<At<LedPlan>>,
    runtime_dir: At<PathBuf>,
    state_dir: At<PathBuf>,
    cgroup: CgroupChoice,
    hold_most: Duration,
    health: Option<HealthPlan>,
}

fn root(top: &mut Table<'_, '_, '_>, boards: &mut Boards<'_>) -> Option<Root> {
    let board = top.other("board", |report, path, node, _| boards(report, path, node));
    let runtime_dir = top.path("runtime_dir");
    let state_dir = top.path("state_dir");
    let cgroup = top.word_or_path("cgroup");
    let named = board.as_ref().map(|board| &board.value);
    let led = led::chosen(top.below("led", keys::LED.keys), named);
    let hold_most = top.below("hold", keys::HOLD.keys).duration("most");
    let health = health::plan(top.below("health", keys::HEALTH.keys));
    Some(Root {
        hold_most: hold_most?.value,
        health: health?,
        led: led?,
        board: board?.value,
        runtime_dir: runtime_dir?,
        state_dir: state_dir?,
        cgroup: match cgroup?.value.as_str() {
            "auto" => CgroupChoice::Auto,
            "none" => CgroupChoice::None,
            path => CgroupChoice::At(PathBuf::from(path)),
        },
    })
}

/// Reports values of different sections that do not go together, and forgets an LED that cannot be.
fn relations(
    top: &mut Table<'_, '_, '_>,
    (root, drafts): (&mut Option<Root>, &[Draft]),
    clock: &Option<Rtc>,
    (timeout, unmount, outage): (&Option<Timeout>, &Option<At<Duration>>, &Option<Outage>),
) {
    runtime_dir(top, root.as_ref(), drafts);
    let board = root.as_ref().map(|root| &root.board);
    cross::times(top, timeout.as_ref(), unmount.as_ref(), board);
    cross::outage(top, outage.as_ref());
    if let Some(root) = root {
        if !cross::lines(top, root.led.as_ref(), &root.board, clock.as_ref()) {
            root.led = None;
        }
        cross::directories(top, &root.runtime_dir, &root.state_dir);
    }
}

/// The watchdog with its device, and where its timeout was given.
fn watchdog(mut table: Table<'_, '_, '_>) -> Option<((Watchdog, PathBuf), Timeout)> {
    let owner = table.choice("owner");
    let device = table.path("device");
    let timeout = table.duration("timeout");
    let disarm_on_stop = table.flag("disarm_on_stop");
    let watchdog = Watchdog {
        owner: match owner?.value {
            "fieldwarden" => WatchdogOwner::Fieldwarden,
            "systemd" => WatchdogOwner::Systemd,
            "nobody" => WatchdogOwner::Nobody,
            _ => return None,
        },
        timeout: timeout.as_ref()?.value,
        disarm_on_stop: disarm_on_stop?.value,
    };
    let ours = watchdog.owner == WatchdogOwner::Fieldwarden;
    Some(((watchdog, device?.value), Timeout { at: timeout?, ours }))
}

/// Reports a runtime directory in which no service would find what it needs.
fn runtime_dir(top: &mut Table<'_, '_, '_>, root: Option<&Root>, drafts: &[Draft]) {
    if let Some(Root { runtime_dir, .. }) = root {
        socket_names(top, runtime_dir, drafts);
        sandbox::hidden(top, runtime_dir, drafts);
    }
}

/// Reports a directory in which the name of a socket would be too long for the kernel.
fn socket_names(top: &mut Table<'_, '_, '_>, directory: &At<PathBuf>, drafts: &[Draft]) {
    let names = drafts.iter().map(|draft| draft.name.len().min(NAME_MAX));
    let longest = names.max().unwrap_or(0);
    let length = directory.value.as_os_str().len();
    let room = SOCKET_MAX - SOCKET_EXTRA - longest;
    if length > room {
        let span = directory.span.clone().unwrap_or(top.header());
        let what = format!("`runtime_dir` has {length} bytes, too many for the sockets in it");
        let help = format!("choose one of at most {room} bytes, or shorten the longest name");
        top.report().error(span, what, help);
    }
}

/// Time for all services to end, and for init to unmount everything.
fn stop(mut table: Table<'_, '_, '_>) -> (Option<At<Duration>>, Option<At<Duration>>) {
    (table.duration("budget"), table.duration("unmount"))
}

/// What is done while mains are away, and where its times were given.
fn power(mut table: Table<'_, '_, '_>) -> Option<(Power, Outage)> {
    let ride_through = table.word_or_duration("ride_through");
    let low_charge = table.share("low_charge");
    let shed_optional = table.duration("shed_optional");
    let shed_normal = table.share("shed_normal");
    let come_back = table.share("come_back");
    let come_back_after = table.duration("come_back_after");
    let battery_lasts = table.duration("battery_lasts");
    let power = Power {
        ride_through: ride_through.as_ref()?.value,
        low_charge: low_charge.map(|share| share.value),
        shed_optional: shed_optional.as_ref()?.value,
        shed_normal: shed_normal?.value,
        come_back: come_back?.value,
        come_back_after: come_back_after?.value,
    };
    let outage = Outage {
        ride_through: ride_through?,
        shed_optional: shed_optional?,
        battery_lasts,
    };
    Some((power, outage))
}

struct Vitals {
    every: Duration,
    temperature: Heat,
    memory: Limits<Permille>,
    load: Limits<u32>,
    pressure: Limits<Permille>,
    shed_memory: bool,
}

fn vitals(mut table: Table<'_, '_, '_>) -> Option<Vitals> {
    let every = table.duration("every");
    let temperature = limits::temperature(table.inner("temperature"));
    let memory = limits::left(table.inner("memory"));
    let load = limits::load(table.inner("load"));
    let pressure = limits::pressure(table.inner("pressure"));
    let shed_memory = table.flag("shed_memory");
    Some(Vitals {
        every: every?.value,
        temperature: temperature?,
        memory: memory?,
        load: load?,
        pressure: pressure?,
        shed_memory: shed_memory?.value,
    })
}

/// The battery-backed clock.
pub(super) struct Rtc {
    /// Time between two looks at the battery-backed clock, if it is to be looked at.
    every: Option<Duration>,
    /// It is a chip that may lack a driver.
    pub(super) chip: bool,
    /// How far it may be from the kernel's.
    tolerance: Duration,
    set_rtc: bool,
}

fn clock(mut table: Table<'_, '_, '_>) -> Option<Rtc> {
    let rtc = table.choice("rtc");
    let every = table.duration("every");
    let tolerance = table.duration("tolerance");
    let set_rtc = table.flag("set_rtc");
    let (rtc, every, set_rtc) = (rtc?.value, every?.value, set_rtc?);
    if set_rtc.value && rtc == "none" {
        let span = set_rtc.span.clone().unwrap_or(table.header());
        let what = "`set_rtc` is true, and `rtc` is \"none\"".to_owned();
        let help = "leave one of the two out: a clock that nobody looks at is not set".to_owned();
        table.report().error(span, what, help);
        return None;
    }
    Some(Rtc {
        every: (rtc != "none").then_some(every),
        chip: rtc == "ds3231",
        tolerance: tolerance?.value,
        set_rtc: set_rtc.value,
    })
}

struct Storage {
    every: Duration,
    mounts: Option<Vec<PathBuf>>,
    space: Limits<Permille>,
    inodes: Limits<Permille>,
    canaries: Vec<PathBuf>,
    canary_every: Duration,
    caps: Vec<Cap>,
}

fn storage(top: &mut Table<'_, '_, '_>) -> Option<Storage> {
    let caps = caps::caps(top);
    let mut table = top.below("storage", keys::STORAGE.keys);
    let every = table.duration("every");
    let canaries = table.other("canaries", mounts);
    let canary_every = table.duration("canary_every");
    let mounts = table.other("mounts", mounts);
    let space = limits::left(table.inner("space"));
    let inodes = limits::left(table.inner("inodes"));
    Some(Storage {
        every: every?.value,
        mounts: mounts.map(|mounts| mounts.value),
        space: space?,
        inodes: inodes?,
        canaries: canaries.map_or_else(Vec::new, |canaries| canaries.value),
        canary_every: canary_every?.value,
        caps: caps?,
    })
}

/// Reads `mounts`: absolute paths, none of them twice.
fn mounts(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    kind: Kind,
) -> Option<Vec<PathBuf>> {
    let items = value::list(report, path, node, &kind, "[\"/\"]")?;
    if items.len() > MOUNTS_MAX {
        report.error(
            node.span(),
            format!("`{path}` names {} mount points", items.len()),
            format!("name at most {MOUNTS_MAX}"),
        );
        return None;
    }
    let mut mounts: Vec<PathBuf> = Vec::new();
    for item in items {
        let Some(mount) = value::path(report, path, item, &Kind::Path) else {
            continue;
        };
        if mounts.contains(&mount) {
            let what = format!("`{path}` names {} twice", value::shown(item));
            report.error(item.span(), what, "remove one of the two".to_owned());
        }
        mounts.push(mount);
    }
    Some(mounts)
}

/// Mount points as the core knows them.
fn named(mounts: Option<&[PathBuf]>) -> Vec<Box<str>> {
    let mounts = mounts.unwrap_or(&[]);
    mounts
        .iter()
        .map(|mount| mount.to_string_lossy().into())
        .collect()
}

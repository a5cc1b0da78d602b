//! Tidy: the shape of the code, held by a test.
//!
//! Who may touch what, who owns which action, which words and sizes there are. Every exception stands
//! in a table with its reason; one that is no longer needed is an error, too.

#[path = "tidy/shape.rs"]
mod shape;
#[path = "tidy/source.rs"]
mod source;

use source::{Source, has_word, root, sources, variants};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// The policies of the core: the files of each, in their order.
const POLICIES: [(&str, &[&str]); 16] = [
    ("clock", &["src/core/clock.rs"]),
    ("power", &["src/core/power.rs"]),
    ("thermal", &["src/core/thermal.rs"]),
    ("throttle", &["src/core/throttle.rs"]),
    ("memory", &["src/core/memory.rs"]),
    ("network", &["src/core/network.rs"]),
    ("storage", &["src/core/storage.rs"]),
    ("daemon", &["src/core/daemon.rs"]),
    ("hold", &["src/core/hold.rs"]),
    (
        "services",
        &[
            "src/core/services.rs",
            "src/core/service.rs",
            "src/core/backoff.rs",
        ],
    ),
    ("shutdown", &["src/core/shutdown.rs"]),
    ("threads", &["src/core/threads.rs"]),
    ("marker", &["src/core/marker.rs"]),
    ("watchdog", &["src/core/watchdog.rs"]),
    ("led", &["src/core/led.rs"]),
    ("desk", &["src/core/desk.rs"]),
];

/// Which policy alone may push an action.
const OWNERS: [(&str, &str); 23] = [
    ("Trim", "storage"),
    ("SetRtc", "clock"),
    ("Start", "services"),
    ("Signal", "services"),
    ("Probe", "services"),
    ("Arm", "watchdog"),
    ("Pet", "watchdog"),
    ("Disarm", "watchdog"),
    ("WatchGauge", "power"),
    ("RollCall", "threads"),
    ("Light", "led"),
    ("Reply", "desk"),
    ("Announce", "desk"),
    ("Record", "marker"),
    ("Keep", "marker"),
    ("KeepHold", "hold"),
    ("Sync", "shutdown"),
    ("CutPower", "shutdown"),
    ("AskInit", "shutdown"),
    ("ForceHalt", "shutdown"),
    ("CheckConfig", "shutdown"),
    ("HandOver", "shutdown"),
    ("Exit", "shutdown"),
];

/// What the core knows nothing of.
const NOT_IN_CORE: [&str; 24] = [
    "Instant",
    "SystemTime",
    "std::thread",
    "std::fs",
    "std::env",
    "std::io",
    "std::net",
    "std::process",
    "std::sync",
    "log",
    "serde",
    "toml",
    "nix",
    "libc",
    "rustix",
    "rppal",
    "crossbeam_channel",
    "f32",
    "f64",
    "HashMap",
    "HashSet",
    "println",
    "eprintln",
    "unsafe",
];

/// What a module may use of the others. `core::{..}` alone is the whole of it.
const LAYERS: [(&str, &[&str]); 12] = [
    ("units", &[]),
    ("sorted", &[]),
    ("core", &["units", "sorted", "core"]),
    ("chip", &["units", "core::fact", "chip"]),
    (
        "config",
        &["units", "core::fact", "core::settings", "chip", "config"],
    ),
    ("text", &["units", "core", "text"]),
    ("trace", &["units", "core", "text", "trace"]),
    (
        "journal",
        &[
            "units",
            "core::fact",
            "core::note",
            "core::settings",
            "text",
            "journal",
        ],
    ),
    ("status", &["units", "core", "text", "journal", "status"]),
    ("health", &["status", "health"]),
    (
        "edge",
        &[
            "units",
            "sorted",
            "core::action",
            "core::fact",
            "core::intent",
            "core::light",
            "core::note",
            "core::settings",
            "core::traces",
            "core::trust",
            "chip",
            "config",
            "text",
            "trace",
            "journal",
            "edge",
        ],
    ),
    (
        "app",
        &[
            "units", "sorted", "core", "config", "text", "trace", "journal", "status", "health",
            "edge", "app",
        ],
    ),
];

/// Files and folders outside `src/edge` that use the operating system's crates, and why.
const SYSTEM_CALLERS: [(&str, &str); 3] = [
    (
        "src/app/crew/hands.rs",
        "asks who runs us, to name the asker of built-in requests",
    ),
    (
        "src/cli/remote.rs",
        "the client's end of the control socket; it is no part of the daemon",
    ),
    (
        "src/demo",
        "its services and its screen; it is no part of the daemon",
    ),
];

fn assert_none(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

fn policy_of(source: &Source) -> Option<&'static str> {
    POLICIES
        .iter()
        .find(|(_, files)| files.iter().any(|f| source.is_in(f)))
        .map(|(policy, _)| *policy)
}

/// Nothing in the core reads a clock or a file, starts a thread, logs, or counts in floats.
#[test]
fn core_is_pure() {
    let mut wrong = Vec::new();
    for source in sources("src/core") {
        for (number, line) in source.lines() {
            // A forbidden word in `#![forbid(unsafe_code)]` is not a use of it.
            for word in NOT_IN_CORE.iter().filter(|w| has_word(line, w)) {
                wrong.push(format!("{}:{number}: `{word}` in the core", source.path));
            }
        }
    }
    assert_none(wrong);
}

/// Policies talk through the picture only.
#[test]
fn policies_do_not_know_each_other() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for source in sources("src/core") {
        let Some(own) = policy_of(&source) else {
            continue;
        };
        seen.insert(own);
        let others = POLICIES.iter().filter(|(p, _)| *p != own);
        let names = others.flat_map(|(_, files)| files.iter());
        let modules: Vec<_> = names
            .filter_map(|f| f.strip_prefix("src/core/")?.strip_suffix(".rs"))
            .collect();
        for (number, line) in source.lines() {
            for module in &modules {
                let paths = [format!("super::{module}"), format!("core::{module}")];
                if paths.iter().any(|p| has_word(line, p)) {
                    wrong.push(format!("{}:{number}: {own} uses {module}", source.path));
                }
            }
        }
    }
    assert_eq!(seen.len(), POLICIES.len(), "policies found: {seen:?}");
    assert_none(wrong);
}

/// Every action is pushed by one policy; the table names it.
#[test]
fn every_action_has_one_owner() {
    let mut wrong = Vec::new();
    let mut pushed = BTreeMap::new();
    for source in sources("src/core") {
        let policy = policy_of(&source);
        for (number, line) in source.lines() {
            for (action, owner) in OWNERS {
                if !has_word(line, &format!("Action::{action}")) {
                    continue;
                }
                pushed.insert(action, owner);
                if policy != Some(owner) {
                    wrong.push(format!(
                        "{}:{number}: {action} belongs to {owner}",
                        source.path
                    ));
                }
            }
        }
    }
    let all: BTreeSet<_> = variants("src/core/action.rs", "Action")
        .into_iter()
        .collect();
    let table: BTreeSet<_> = OWNERS.iter().map(|(a, _)| (*a).to_owned()).collect();
    let used: BTreeSet<_> = pushed.keys().map(|a| (*a).to_owned()).collect();
    assert_eq!(all, table, "the table of owners lists every action");
    assert_eq!(all, used, "every action is pushed by somebody");
    assert_none(wrong);
}

/// Modules use only what is below them.
#[test]
fn layers_are_kept() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        let module = source
            .path
            .trim_start_matches("src/")
            .split(['/', '.'])
            .next();
        let Some((_, allowed)) = LAYERS.iter().find(|(m, _)| Some(*m) == module) else {
            continue;
        };
        for (number, line) in source.lines() {
            for (at, _) in line.match_indices("crate::") {
                let path = &line[at + "crate::".len()..];
                let kept = |a: &str| {
                    let rest = path.strip_prefix(a);
                    rest.is_some_and(|r| !r.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
                };
                if !allowed.iter().any(|a| kept(a)) {
                    let what = path.split([';', ' ', '(', '{']).next().unwrap_or(path);
                    wrong.push(format!("{}:{number}: may not use {what}", source.path));
                }
            }
        }
    }
    assert_none(wrong);
}

/// The operating system is reached through `src/edge`, and `unsafe` stays there with its reason.
#[test]
fn only_edges_touch_the_system() {
    let mut wrong = Vec::new();
    let mut excused = BTreeSet::new();
    for source in sources("src").iter().filter(|s| !s.is_in("src/edge")) {
        for (number, line) in source.lines() {
            let system = ["nix::", "libc::", "rustix::", "rppal::"];
            if system.iter().any(|w| has_word(line, w)) {
                match SYSTEM_CALLERS.iter().find(|(p, _)| source.is_in(p)) {
                    Some((path, _)) => drop(excused.insert(*path)),
                    None => wrong.push(format!("{}:{number}: {}", source.path, line.trim())),
                }
            }
            if has_word(line, "unsafe") {
                wrong.push(format!("{}:{number}: unsafe outside src/edge", source.path));
            }
        }
    }
    for (path, _) in SYSTEM_CALLERS.iter().filter(|(p, _)| !excused.contains(p)) {
        wrong.push(format!("{path} needs no exception any more"));
    }
    assert_none(wrong);
}

/// `println!` and its kin panic when nobody reads any more; `cli/printer.rs` does not.
#[test]
fn nothing_panics_when_nobody_reads() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        for (number, line) in source.lines() {
            let macros = ["print!", "println!", "eprint!", "eprintln!"];
            if macros.iter().any(|m| has_word(line, m)) {
                wrong.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    assert_none(wrong);
}

/// The permission to open devices of this machine is asked for in one place of the daemon, and never
/// by a test, a bench or a tool.
#[test]
fn hardware_is_reached_from_one_place() {
    let mut wrong = Vec::new();
    for folder in ["src", "tests", "benches", "xtask"] {
        for source in sources(folder) {
            let allowed = source.is_in("src/app.rs") || source.path == "src/edge/hardware.rs";
            for (number, line) in source.lines() {
                if has_word(line, "of_this_machine") && !allowed {
                    wrong.push(format!(
                        "{}:{number}: reaches for real hardware",
                        source.path
                    ));
                }
            }
        }
    }
    assert_none(wrong);
}

/// Every message for operators is shown by some scenario.
#[test]
fn every_note_is_in_a_scenario() {
    let mut shown = BTreeSet::new();
    for file in source::files("tests/scenarios", "txt") {
        let text = fs::read_to_string(file).expect("a scenario can be read");
        for line in text.lines() {
            let note = line.trim_start().strip_prefix("! ");
            shown.extend(note.and_then(|n| n.split(' ').next()).map(str::to_owned));
        }
    }
    let mut all = variants("src/core/note.rs", "Note");
    // A note that wraps others stands for these.
    let before = all.len();
    let wraps = [
        "Halt", "Hold", "Reload", "Health", "Guard", "Notify", "Probe", "Group", "Job", "Keeper",
        "Network",
    ];
    all.retain(|v| !wraps.contains(&v.as_str()));
    assert_eq!(
        all.len() + wraps.len(),
        before,
        "these notes wrap others: {wraps:?}"
    );
    all.extend(variants("src/core/note/halt.rs", "HaltNote"));
    all.extend(variants("src/core/note/hold.rs", "HoldNote"));
    all.extend(variants("src/core/note/reload.rs", "ReloadNote"));
    all.extend(variants("src/core/note/health.rs", "HealthNote"));
    all.extend(variants("src/core/note/guard.rs", "GuardNote"));
    all.extend(variants("src/core/note/network.rs", "NetworkNote"));
    all.extend(variants("src/core/note/notify.rs", "NotifyNote"));
    all.extend(variants("src/core/note/probe.rs", "ProbeNote"));
    all.extend(variants("src/core/note/group.rs", "GroupNote"));
    all.extend(variants("src/core/note/job.rs", "JobNote"));
    all.extend(variants("src/core/note/keeper.rs", "KeeperNote"));
    let missing: Vec<_> = all
        .iter()
        .map(|v| kebab(v))
        .filter(|v| !shown.contains(v))
        .collect();
    assert_none(missing);
}

/// `ServiceUp` as `service-up`.
fn kebab(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// Every policy has a scenario that shows a note or an order of its own.
#[test]
fn every_policy_has_a_scenario() {
    let all: String = source::files("tests/scenarios", "txt")
        .iter()
        .map(|f| fs::read_to_string(f).expect("a scenario can be read"))
        .collect();
    let signs = [
        ("clock", "! clock-synced"),
        ("power", "! mains-lost"),
        ("thermal", "! heat"),
        ("throttle", "! throttle-began"),
        ("memory", "! memory"),
        ("network", "! network-down"),
        ("storage", "! space"),
        ("daemon", "! pool-missing"),
        ("hold", "! hold-began"),
        ("services", "> start"),
        ("shutdown", "> exit"),
        ("threads", "> roll-call"),
        ("marker", "> record"),
        ("watchdog", "> pet"),
        ("led", "> light"),
        ("desk", "> reply"),
    ];
    let named = |policies: &mut dyn Iterator<Item = &'static str>| policies.collect::<Vec<_>>();
    let wanted = named(&mut POLICIES.iter().map(|(policy, _)| *policy));
    assert_eq!(named(&mut signs.iter().map(|(policy, _)| *policy)), wanted);
    for (policy, sign) in signs {
        assert!(all.contains(sign), "no scenario shows {policy}: {sign}");
    }
    assert!(root().join("tests/scenarios/README.md").exists());
}

/// A match over our own enums names every variant, so that the compiler counts them.
#[test]
fn the_core_has_no_catch_all_arms() {
    let mut wrong = Vec::new();
    for source in sources("src/core") {
        for (number, line) in source.lines() {
            let line = line.trim_start();
            if line.starts_with("_ =>") || line.starts_with("_ if ") {
                wrong.push(format!("{}:{number}: {line}", source.path));
            }
        }
    }
    assert_none(wrong);
}

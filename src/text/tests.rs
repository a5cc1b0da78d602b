//! Names, fields and sentences of all notes.

use super::samples::{field, notes};
use super::{Value, describe, sentence};
use crate::core::note::Note;
use crate::units::{MilliCelsius, Permille};
use std::collections::BTreeSet;
use std::time::Duration;

/// `ServiceExited` → `service-exited`.
fn kebab(variant: &str) -> String {
    let mut out = String::new();
    for c in variant.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// The variants of `Note` as its source declares them.
fn declared() -> BTreeSet<String> {
    let mut all = variants(include_str!("../core/note.rs"), "Note");
    // A note that wraps others stands for these.
    assert!(all.remove("Halt"));
    let halt = include_str!("../core/note/halt.rs");
    all.extend(variants(halt, "HaltNote"));
    assert!(all.remove("Hold"));
    let hold = include_str!("../core/note/hold.rs");
    all.extend(variants(hold, "HoldNote"));
    assert!(all.remove("Reload"));
    let reload = include_str!("../core/note/reload.rs");
    all.extend(variants(reload, "ReloadNote"));
    assert!(all.remove("Health"));
    let health = include_str!("../core/note/health.rs");
    all.extend(variants(health, "HealthNote"));
    assert!(all.remove("Guard"));
    let guard = include_str!("../core/note/guard.rs");
    all.extend(variants(guard, "GuardNote"));
    assert!(all.remove("Network"));
    let network = include_str!("../core/note/network.rs");
    all.extend(variants(network, "NetworkNote"));
    assert!(all.remove("Notify"));
    let notify = include_str!("../core/note/notify.rs");
    all.extend(variants(notify, "NotifyNote"));
    assert!(all.remove("Probe"));
    let probe = include_str!("../core/note/probe.rs");
    all.extend(variants(probe, "ProbeNote"));
    assert!(all.remove("Group"));
    let group = include_str!("../core/note/group.rs");
    all.extend(variants(group, "GroupNote"));
    assert!(all.remove("Keeper"));
    let keeper = include_str!("../core/note/keeper.rs");
    all.extend(variants(keeper, "KeeperNote"));
    assert!(all.remove("Job"));
    all.extend(variants(include_str!("../core/note/job.rs"), "JobNote"));
    all
}

fn variants(source: &str, name: &str) -> BTreeSet<String> {
    let from = source.find(&format!("pub enum {name} {{")).unwrap();
    let body = &source[from..from + source[from..].find("\n}").unwrap()];
    let variants = body.lines().filter_map(|line| {
        let name = line.strip_prefix("    ")?;
        let end = name.find([' ', ',', '(']).unwrap_or(name.len());
        name.starts_with(|c: char| c.is_ascii_uppercase())
            .then(|| name[..end].to_owned())
    });
    variants.collect()
}

/// Every note says exactly what an operator is meant to read.
#[test]
fn sentences() {
    for (note, expected) in notes() {
        assert_eq!(sentence(&note, &field()), expected);
    }
}

/// The name of an event is its variant in kebab case, so there is nothing to look up.
#[test]
fn names_are_the_variants() {
    for (note, _) in notes() {
        let debug = match &note {
            Note::Halt(inner) => format!("{inner:?}"),
            Note::Hold(inner) => format!("{inner:?}"),
            Note::Reload(inner) => format!("{inner:?}"),
            Note::Health(inner) => format!("{inner:?}"),
            Note::Guard(inner) => format!("{inner:?}"),
            Note::Network(inner) => format!("{inner:?}"),
            Note::Notify(_, inner) => format!("{inner:?}"),
            Note::Probe(_, _, inner) => format!("{inner:?}"),
            Note::Group(_, _, inner) => format!("{inner:?}"),
            Note::Job(_, inner) => format!("{inner:?}"),
            Note::Keeper(_, inner) => format!("{inner:?}"),
            note => format!("{note:?}"),
        };
        let variant = debug.split([' ', '(']).next().unwrap();
        assert_eq!(describe(&note, &field()).name, kebab(variant));
    }
}

/// The samples, on which the tests of journal and documentation rest, leave no kind of note out.
#[test]
fn samples_are_complete() {
    let shown: BTreeSet<String> = notes()
        .iter()
        .map(|(note, _)| describe(note, &field()).name.to_owned())
        .collect();
    let all: BTreeSet<String> = declared().iter().map(|name| kebab(name)).collect();
    assert!(all.len() > 30, "the source was not understood: {all:?}");
    assert_eq!(shown, all);
}

/// A description names each field once.
#[test]
fn fields_are_distinct() {
    for (note, _) in notes() {
        let fields = describe(&note, &field()).fields;
        let keys: BTreeSet<_> = fields.iter().map(|(key, _)| key).collect();
        assert_eq!(keys.len(), fields.len(), "{note:?}");
    }
}

/// A description as a line of the trace.
#[test]
fn description_as_line() {
    let note = Note::SourceLost {
        source: crate::core::fact::Source::Mount(crate::core::fact::MountId(1)),
        why: crate::core::fact::Fault::Taken {
            by: Some("a \"b\"".into()),
        },
    };
    assert_eq!(
        describe(&note, &field()).to_string(),
        r#"source-lost source="mount \"/srv/my data\"" why=taken by="a \"b\"""#
    );
}

/// Values in JSON are numbers in their unit, with exact decimals.
#[test]
fn values_as_json() {
    let cases = [
        (Value::Time(Duration::from_millis(3_200)), "3.2"),
        (Value::Time(Duration::from_secs(15)), "15"),
        (Value::Heat(MilliCelsius(-61_234)), "-61.234"),
        (Value::Share(Permille(145)), "14.5"),
        (Value::Hundredths(125), "1.25"),
        (Value::Flag(true), "true"),
        (Value::Count(u64::MAX), "18446744073709551615"),
        (Value::Text("a\n".into()), r#""a\n""#),
    ];
    for (value, text) in cases {
        assert_eq!(value.json().to_string(), text);
    }
}

/// A service that is never started again is not said to be.
#[test]
fn hang_without_restart() {
    let mut settings = field();
    settings.services[1].restart = crate::core::settings::Restart::Never;
    let note = Note::ServiceHung {
        service: crate::core::fact::ServiceId(1),
        silent: Duration::from_secs(12),
    };
    assert_eq!(
        sentence(&note, &settings),
        "web sent no heartbeat for 12 s: ended"
    );
}

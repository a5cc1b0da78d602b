//! Takes out of reports and records what a person, a file or a service has put into words.
//!
//! Safe direction: what is not known to be harmless is removed.

use crate::config::REMOVED;
use crate::config::keys::SECTIONS;
use crate::config::schema::Key;
use crate::journal::Record;
use crate::status::{Dated, Status, dated};
use serde_json::Value;
use std::collections::BTreeSet;

/// Fields of records that are numbers, words of this program, or names of services, mounts and chips.
const SHOWN: &[&str] = &[
    "age",
    "at",
    "beside",
    "by",
    "canary",
    "cap",
    "cause",
    "confidence",
    "controller",
    "dispute",
    "end",
    "errno",
    "exit",
    "expiry",
    "firmware",
    "flag",
    "found",
    "goes-by",
    "group",
    "how",
    "identity",
    "intent",
    "key",
    "kind",
    "lack",
    "left",
    "level",
    "mains",
    "mount",
    "needs",
    "phase",
    "probe",
    "request",
    "requires",
    "reset",
    "rung",
    "service",
    "shed",
    "signal",
    "source",
    "stage",
    "state",
    "step",
    "strain",
    "taken",
    "thread",
    "trust",
    "verdict",
    "while",
    "why",
    "window",
];

/// Fields that quote a person or a file. The sentence of such a record does, too.
#[cfg(test)]
const FREE: &[&str] = &["problem", "problems", "reason"];

/// A record without what it quotes. A field of a later version is removed as well.
pub fn record(mut record: Record) -> Record {
    let mut removed = false;
    for (key, value) in &mut record.data {
        if !SHOWN.contains(&key.as_str()) && !matches!(value, Value::Bool(_) | Value::Number(_)) {
            *value = REMOVED.into();
            removed = true;
        }
    }
    if removed {
        record.text = REMOVED.to_owned();
    }
    record
}

/// Records as lines of JSON, each dated as well as can be.
pub fn lines(records: Vec<Record>) -> String {
    let records = dated(records.into_iter().map(record));
    records.map(|record: Dated| record.json() + "\n").collect()
}

/// The report as JSON. Fields that this program does not know are not in it at all.
pub fn status(mut status: Status) -> String {
    for service in &mut status.services {
        clear(&mut service.status_text);
    }
    if let Some(hold) = &mut status.hold {
        hold.reason = REMOVED.to_owned();
    }
    if let Some(stand_in) = &mut status.daemon.stand_in {
        let plain = sentence(&stand_in.problem, &BTreeSet::new());
        status.headline = status.headline.replace(&stand_in.problem, &plain);
        stand_in.problem = plain;
    }
    if let Some(power) = &mut status.watchdog.why {
        *power = sentence(power, &BTreeSet::new());
    }
    status.to_json() + "\n"
}

fn clear(text: &mut Option<String>) {
    if text.is_some() {
        *text = Some(REMOVED.to_owned());
    }
}

/// A sentence about a configuration without what it quotes: texts in double quotes, and names in
/// backticks that are none of this program's. `names`: those of services, which may be shown.
pub fn sentence(text: &str, names: &BTreeSet<String>) -> String {
    let known = words();
    let shown = |name: &str| {
        let parts = name.split('.');
        parts.clone().count() > 0
            && parts.into_iter().all(|part| {
                let part = part.trim_end_matches(|c: char| c == ']' || c.is_ascii_digit());
                let part = part.trim_end_matches('[').trim();
                known.contains(part) || names.contains(part)
            })
    };
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['"', '`']) {
        let (before, quoted) = rest.split_at(at);
        out.push_str(before);
        let mark = if quoted.starts_with('"') { '"' } else { '`' };
        let inner = &quoted[1..];
        let Some(end) = end(inner, mark) else {
            // Half of a quotation hides the rest.
            out.push_str(REMOVED);
            return out;
        };
        let name = &inner[..end];
        match mark == '`' && shown(name) {
            true => out.push_str(&format!("`{name}`")),
            false => out.push_str(REMOVED),
        }
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    out
}

/// Where a quotation ends.
fn end(text: &str, mark: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let ends = c == mark && !escaped;
        escaped = c == '\\' && !escaped && mark == '"';
        ends.then_some(at)
    })
}

/// All words that keys and sections are made of.
fn words() -> BTreeSet<&'static str> {
    fn add(keys: &'static [Key], words: &mut BTreeSet<&'static str>) {
        for key in keys {
            words.insert(key.name);
            add(key.inside(), words);
        }
    }
    let mut words = BTreeSet::new();
    for section in SECTIONS {
        words.extend(section.header.split('.'));
        add(section.keys, &mut words);
    }
    words.remove("");
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{describe, samples};

    /// Every field of every event has been decided upon: it may be shown, or it quotes somebody.
    #[test]
    fn every_field_is_decided_upon() {
        let settings = samples::field();
        let mut undecided = BTreeSet::new();
        for (note, _) in samples::notes() {
            let described = describe(&note, &settings);
            for (key, value) in described.fields {
                let free = matches!(value.json(), Value::String(_));
                if free && !SHOWN.contains(&key) && !FREE.contains(&key) {
                    undecided.insert(key);
                }
            }
        }
        let none = BTreeSet::new();
        assert_eq!(
            undecided, none,
            "put each into SHOWN or FREE of src/cli/bundle/redact.rs"
        );
        assert!(FREE.iter().all(|key| !SHOWN.contains(key)));
    }

    /// What quotes somebody is gone from the field and from the sentence, as is what nobody knows.
    #[test]
    fn records_quote_nobody() {
        let line = |data: &str| {
            let json = format!(
                r#"{{"v":1,"seq":1,"boot":"a","mono":1.0,"wall":null,"trust":"unset",
                "severity":"info","event":"x","text":"so hunter2 said","data":{data}}}"#
            );
            let record: Record = serde_json::from_str(&json).unwrap();
            lines(vec![record])
        };
        for data in [
            r#"{"reason":"hunter2"}"#,
            r#"{"service":"web","later":"hunter2"}"#,
            r#"{"later":["hunter2"]}"#,
        ] {
            let line = line(data);
            assert!(
                !line.contains("hunter2") && line.contains(REMOVED),
                "{line}"
            );
        }
        let plain = line(r#"{"service":"web","code":1,"later":7,"flag":true}"#);
        assert!(plain.contains("so hunter2 said"), "{plain}");
    }

    /// Names of keys are shown, and nothing that stands in quotes.
    #[test]
    fn sentences_quote_nobody() {
        let names: BTreeSet<String> = ["web".to_owned()].into();
        let said = |text: &str| sentence(text, &names);
        for (text, expected) in [
            (
                "unknown key `hunter2` in `service.web`",
                "unknown key (removed) in `service.web`",
            ),
            (
                "`watchdog.timeout` must be a duration, not \"hunter2\"",
                "`watchdog.timeout` must be a duration, not (removed)",
            ),
            (r#"it is "a \" hunter2" here"#, "it is (removed) here"),
            ("`service.web.command[0]` is", "`service.web.command[0]` is"),
            ("`service.hunter2.command`", "(removed)"),
            ("half \"hunter2", "half (removed)"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(said(text), expected);
        }
    }

    /// A service says what it likes, and so does who works on the machine.
    #[test]
    fn the_report_quotes_nobody() {
        let json = r#"{"reason":"hunter2","since_seconds":1,"left_seconds":2,"user":0}"#;
        let mut report = Status {
            hold: Some(serde_json::from_str(json).unwrap()),
            ..Status::default()
        };
        report.services.push(crate::status::ServiceStatus {
            status_text: Some("hunter2".to_owned()),
            ..Default::default()
        });
        report.daemon.stand_in = Some(crate::status::StandInStatus {
            goes_by: "safe-mode".to_owned(),
            taken: None,
            problem: "/etc/x.toml:3: not \"hunter2\"".to_owned(),
        });
        report.headline = "in safe mode: /etc/x.toml:3: not \"hunter2\"".to_owned();
        let text = status(report);
        assert!(!text.contains("hunter2"), "{text}");
        assert!(
            text.contains("in safe mode: /etc/x.toml:3: not (removed)"),
            "{text}"
        );
    }
}

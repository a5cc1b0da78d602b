//! Why the machine started anew: the verdict on the boot before, what it rests on, and what that boot
//! had to say last.
//!
//! Made from the journal, so it is the same with a daemon and without one. Never judges anything: the
//! verdict is the one that was written down.

use super::dated::Dated;
use super::screen::{BAD, DOUBTFUL, QUIET, TITLE, event_line, mark};
use super::table::{Cell, lines};
use crate::core::note::Severity;
use crate::journal::Record;
use crate::text::for_people;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::time::Duration;

/// The name of the event that tells of it.
const EVENT: &str = "last-boot";

/// The last words of a boot that are shown.
const SHOWN: usize = 8;

/// The verdict on a boot, and what led to it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct BootBefore {
    /// Id of the boot that found it out.
    pub boot: String,
    /// Id of the boot that it is about; null if that has left no record.
    pub before: Option<String>,
    /// How it ended, as in the status report.
    pub end: Value,
    /// How sure that is.
    pub confidence: Value,
    /// The same for people; its wording may change.
    pub text: String,
    /// What it rests on, for people.
    pub evidence: Vec<String>,
    /// What was found, as in the record.
    pub data: Map<String, Value>,
    /// The last records of that boot.
    pub events: Vec<Dated>,
    #[serde(skip)]
    orderly: bool,
}

impl BootBefore {
    /// The latest verdict in these records, which come in their order; `None` if there is none.
    pub fn of(records: impl Iterator<Item = Dated>) -> Option<BootBefore> {
        BootBefore::latest(records, 1).pop_back()
    }

    /// The latest verdicts in these records, so many at most, the oldest first.
    pub fn latest(records: impl Iterator<Item = Dated>, most: usize) -> VecDeque<BootBefore> {
        let (mut before, mut this) = (VecDeque::new(), VecDeque::new());
        let mut found = VecDeque::new();
        for dated in records {
            let record = &dated.record;
            if this
                .back()
                .is_some_and(|last: &Dated| last.record.boot != record.boot)
            {
                before = std::mem::take(&mut this);
            }
            if record.event == EVENT {
                found.push_back(BootBefore::told(record.clone(), &before));
                if found.len() > most {
                    found.pop_front();
                }
            }
            this.push_back(dated);
            if this.len() > SHOWN {
                this.pop_front();
            }
        }
        found
    }

    fn told(record: Record, before: &VecDeque<Dated>) -> BootBefore {
        let of = |key: &str| record.data.get(key).cloned().unwrap_or_default();
        BootBefore {
            before: before.back().map(|last| last.record.boot.clone()),
            end: of("end"),
            confidence: of("confidence"),
            evidence: evidence(&record.data),
            events: before.iter().cloned().collect(),
            orderly: record.severity == Severity::Info,
            boot: record.boot,
            text: record.text,
            data: record.data,
        }
    }

    /// What a person reads.
    pub fn screen(&self) -> String {
        let style = match (self.orderly, self.confidence.as_str()) {
            (true, _) => QUIET,
            (false, Some("possible")) => DOUBTFUL,
            (false, _) => BAD,
        };
        let mut out = lines(0, &[vec![mark(style), Cell::plain(&self.text)]]);
        out.push_str(&format!("\n{TITLE}what that rests on{TITLE:#}\n"));
        let rows: Vec<_> = self.evidence.iter().map(|e| vec![Cell::plain(e)]).collect();
        out.push_str(&lines(2, &rows));
        if rows.is_empty() {
            out.push_str(&format!("  {QUIET}nothing was found of it{QUIET:#}\n"));
        }
        out.push_str(&format!("\n{TITLE}the last it has told{TITLE:#}\n"));
        for event in &self.events {
            out.push_str(&format!("  {}\n", event_line(event)));
        }
        if self.events.is_empty() {
            out.push_str(&format!("  {QUIET}the journal has none of it{QUIET:#}\n"));
        }
        out
    }
}

/// What a verdict rests on, a sentence each. What a later version has found is left out.
fn evidence(data: &Map<String, Value>) -> Vec<String> {
    let word = |key: &str| data.get(key).and_then(Value::as_str);
    let holds = |key: &str| data.get(key).and_then(Value::as_bool) == Some(true);
    let time = |key: &str| {
        let seconds = data.get(key).and_then(Value::as_f64)?;
        let time = Duration::try_from_secs_f64(seconds).ok()?;
        Some(for_people(time))
    };
    let mut all: Vec<String> = Vec::new();
    let mut tell = |sentence: String| all.push(sentence);
    match word("intent") {
        Some("run") => tell("its daemon was to go on".into()),
        Some("leave") => tell("its daemon had ended and left the services to another one".into()),
        Some("exit") => tell("its daemon had been asked to end".into()),
        Some("withhold") => tell(format!(
            "pets were withheld, because our {} thread was stuck",
            word("thread").unwrap_or("own")
        )),
        Some("halt") => tell(match word("phase") {
            Some("begun") => "it was being halted, and that could still be taken back".into(),
            _ => "it was being halted, and init had been asked, or was about to be".into(),
        }),
        Some(_) | None => {}
    }
    if let Some(alive) = time("alive") {
        let gap = time("gap").map_or_else(String::new, |gap| {
            format!(", {gap} before the next boot began")
        });
        tell(format!("its last sign of life came after {alive}{gap}"));
    }
    match word("mains") {
        Some("yes") => tell("mains were there".into()),
        Some("no") => tell("it ran on its battery".into()),
        Some(_) | None => {}
    }
    if let Some(battery) = battery(data, holds("low")) {
        tell(battery);
    }
    if holds("weak") {
        tell("its supply was too weak just then".into());
    }
    match word("reset") {
        Some("yes") => tell("the watchdog's driver says that it reset the machine".into()),
        Some("no") => tell("the watchdog's driver says that it did not reset the machine".into()),
        Some(_) | None => tell("the watchdog's driver does not tell its resets".into()),
    }
    match word("firmware") {
        Some("power-on") => tell("the firmware says that the power had been gone".into()),
        Some("reset") => tell("the firmware says that it was reset and kept its power".into()),
        Some("weak") => tell("the firmware says that the supply was too weak".into()),
        Some(_) | None => {}
    }
    if holds("panic") {
        tell("its kernel has left a panic: see /sys/fs/pstore, or /var/lib/systemd/pstore".into());
    }
    all
}

/// What was last seen of the battery.
fn battery(data: &Map<String, Value>, low: bool) -> Option<String> {
    let held = |key: &str, unit| {
        let value = data.get(key).and_then(Value::as_f64)?;
        Some(format!("{value} {unit}"))
    };
    let held = [held("level", "%"), held("volts", "V")];
    let held: Vec<_> = held.into_iter().flatten().collect();
    match (held.is_empty(), low) {
        (false, true) => Some(format!(
            "its battery held {}, which is low",
            held.join(", ")
        )),
        (false, false) => Some(format!("its battery held {}", held.join(", "))),
        (true, true) => Some("its battery was low".to_owned()),
        (true, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::note::Trust;
    use crate::units::Mono;
    use serde_json::json;

    fn record(boot: &str, seq: u64, event: &str, data: Value) -> Record {
        Record {
            v: 1,
            seq,
            boot: boot.into(),
            mono: Mono(seq * 1000),
            wall: None,
            trust: Trust::Unset,
            severity: Severity::Warning,
            event: event.into(),
            text: format!("{event} {seq}"),
            data: data.as_object().cloned().unwrap_or_default(),
        }
    }

    /// The latest verdict counts, and what the boot before that had to say last.
    #[test]
    fn the_latest_verdict_and_what_led_to_it() {
        let empty = || json!({});
        let hang = json!({"end": "hang", "confidence": "likely", "reset": "yes"});
        let cut = json!({"end": "mains-cut", "confidence": "likely", "intent": "run",
            "mains": "yes", "alive": 7200.5, "gap": 90, "level": 64, "volts": 3.71,
            "firmware": "power-on", "reset": "unknown"});
        let mut records = vec![record("a", 1, "began", empty())];
        records.extend((2..20).map(|seq| record("b", seq, "other", empty())));
        records.push(record("c", 20, "began", empty()));
        records.push(record("c", 21, "last-boot", hang));
        records.extend((22..40).map(|seq| record("c", seq, "other", empty())));
        records.push(record("d", 40, "last-boot", cut));
        records.push(record("d", 41, "other", empty()));
        let of = |count: usize| BootBefore::of(records[..count].iter().cloned().map(Dated::from));
        assert_eq!(of(19), None);
        let told = of(30).unwrap();
        assert_eq!(
            (told.boot.as_str(), told.before.as_deref()),
            ("c", Some("b"))
        );
        assert_eq!(told.end, "hang");
        let seqs: Vec<_> = told.events.iter().map(|event| event.record.seq).collect();
        assert_eq!(seqs, (12..20).collect::<Vec<_>>());
        let told = of(41).unwrap();
        assert_eq!(told.before.as_deref(), Some("c"));
        assert_eq!(
            told.evidence,
            [
                "its daemon was to go on",
                "its last sign of life came after 2 h, 1 min 30 s before the next boot began",
                "mains were there",
                "its battery held 64 %, 3.71 V",
                "the watchdog's driver does not tell its resets",
                "the firmware says that the power had been gone",
            ]
        );
        assert!(told.screen().contains("what that rests on"));
        let json = serde_json::to_value(&told).unwrap();
        assert_eq!(json["events"].as_array().map(Vec::len), Some(SHOWN));
    }
}

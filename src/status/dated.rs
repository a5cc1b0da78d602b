//! When records happened that were written before the clock was known.
//!
//! A board without a battery-backed clock begins each boot with a time of its last one, or of its
//! program's making. Once somebody has set the clock, it is known when the earlier records of that boot
//! were written, too: both were stamped by the monotonic clock, which nobody sets.
//!
//! Terms: the *anchor* of a boot is its first record with a time that can be trusted (`synced` or
//! `holdover`). A record is *early* if it stands before the anchor.
//!
//! Only a view: what is in the journal never changes. Never dates by another boot, and nothing behind
//! the anchor: such records have the time that the clock showed, right or wrong.

use crate::journal::{Record, Trust};
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};
use std::collections::VecDeque;

/// A record, and when it happened if its own time cannot say that.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Dated {
    /// The record as it was written.
    #[serde(flatten)]
    pub record: Record,
    /// When it happened, by the anchor of its boot; in JSON as `dated`, UTC with milliseconds.
    #[serde(flatten)]
    pub date: Option<Date>,
}

/// When an early record happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Date {
    /// Wall time.
    #[serde(rename = "dated", serialize_with = "milliseconds")]
    pub at: Timestamp,
    /// Number of the record that it follows from.
    #[serde(rename = "dated_by")]
    pub by: u64,
}

// The signature is serde's.
fn milliseconds<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("{at:.3}"))
}

impl Dated {
    /// The JSON of it on one line: the fields of the record, and those of its date if there is one.
    pub fn json(&self) -> String {
        // Serialising fails for maps whose keys are no strings, and for failing writers: neither is
        // here.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl From<Record> for Dated {
    fn from(record: Record) -> Dated {
        Dated { record, date: None }
    }
}

/// Whether the time of a record can be trusted.
pub fn is_trusted(record: &Record) -> bool {
    match record.trust {
        Trust::Synced | Trust::Holdover => record.wall.is_some(),
        Trust::Unset | Trust::Floor | Trust::Rtc => false,
    }
}

/// Dates the early ones of these records, which come in their order. Records of a boot are held back
/// until its anchor has come, or its end.
pub fn dated<I: Iterator<Item = Record>>(records: I) -> Dating<I> {
    Dating {
        records,
        held: Vec::new(),
        known: None,
        ready: VecDeque::new(),
    }
}

/// See [`dated`].
pub struct Dating<I> {
    records: I,
    /// Records of the present boot whose anchor has not come yet.
    held: Vec<Record>,
    /// The present boot, once its anchor has come.
    known: Option<String>,
    ready: VecDeque<Dated>,
}

impl<I> Dating<I> {
    fn take(&mut self, record: Record) {
        let other = |boot: &String| *boot != record.boot;
        if self.held.first().is_some_and(|first| other(&first.boot)) {
            self.ready.extend(self.held.drain(..).map(Dated::from));
        }
        if self.known.as_ref().is_some_and(other) {
            self.known = None;
        }
        if self.known.is_some() {
            return self.ready.push_back(record.into());
        }
        if !is_trusted(&record) {
            return self.held.push(record);
        }
        let early = self.held.drain(..).map(|early| Dated {
            date: date(&early, &record),
            record: early,
        });
        self.ready.extend(early);
        self.known = Some(record.boot.clone());
        self.ready.push_back(record.into());
    }
}

impl<I: Iterator<Item = Record>> Iterator for Dating<I> {
    type Item = Dated;

    fn next(&mut self) -> Option<Dated> {
        while self.ready.is_empty() {
            match self.records.next() {
                Some(record) => self.take(record),
                None => {
                    self.ready.extend(self.held.drain(..).map(Dated::from));
                    break;
                }
            }
        }
        self.ready.pop_front()
    }
}

/// When an early record happened. `None` where that comes to nothing: a record that claims to be later
/// than the one behind it has a time that is made up, and keeps it.
fn date(early: &Record, anchor: &Record) -> Option<Date> {
    let before = anchor.mono.0.checked_sub(early.mono.0)?;
    let before = SignedDuration::from_millis(i64::try_from(before).ok()?);
    Some(Date {
        at: anchor.wall?.checked_sub(before).ok()?,
        by: anchor.seq,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::note::Severity;
    use crate::units::Mono;
    use proptest::prelude::*;

    /// 2026-11-28 06:00 UTC.
    const SIX: i64 = 1_795_845_600;

    fn record(boot: &str, seq: u64, mono: u64, wall: Option<i64>, trust: Trust) -> Record {
        Record {
            v: 1,
            seq,
            boot: boot.to_owned(),
            mono: Mono(mono),
            wall: wall.map(|at| Timestamp::from_second(at).unwrap()),
            trust,
            severity: Severity::Info,
            event: "other".to_owned(),
            text: "something".to_owned(),
            data: serde_json::Map::new(),
        }
    }

    fn dates(records: &[Record]) -> Vec<Option<String>> {
        let all: Vec<_> = dated(records.iter().cloned()).collect();
        let same = all.iter().map(|d| &d.record).eq(records);
        assert!(same, "every record comes, as it was, in its place");
        all.iter()
            .map(|d| d.date.map(|date| format!("{:.3} by {}", date.at, date.by)))
            .collect()
    }

    /// What was written before the clock was set has the time that it would have shown then.
    #[test]
    fn early_records_are_dated_by_the_first_that_can_be_trusted() {
        let old = Some(1_000_000_000);
        let records = [
            record("a", 1, 2_500, None, Trust::Unset),
            record("a", 2, 4_000, old, Trust::Floor),
            record("a", 3, 60_000, Some(SIX - 7), Trust::Rtc),
            record("a", 4, 64_000, Some(SIX), Trust::Synced),
            // A later one changes nothing, and one that lost its trust keeps what it showed.
            record("a", 5, 70_000, Some(SIX + 900), Trust::Synced),
            record("a", 6, 80_000, old, Trust::Floor),
        ];
        let date = |text: &str| Some(text.to_owned());
        let expected = [
            date("2026-11-28T05:58:58.500Z by 4"),
            date("2026-11-28T05:59:00.000Z by 4"),
            date("2026-11-28T05:59:56.000Z by 4"),
            None,
            None,
            None,
        ];
        assert_eq!(dates(&records), expected);
    }

    /// Each boot counts from its own start: one that never knew the time learns it from no other.
    #[test]
    fn no_boot_is_dated_by_another() {
        let records = [
            record("a", 1, 9_000, Some(SIX), Trust::Holdover),
            record("b", 2, 1_000, None, Trust::Unset),
            record("b", 3, 2_000, None, Trust::Unset),
            record("c", 4, 1_000, None, Trust::Unset),
            record("c", 5, 3_000, Some(SIX), Trust::Synced),
            record("d", 6, 1_000, None, Trust::Unset),
        ];
        let by: Vec<_> = dates(&records).iter().map(Option::is_some).collect();
        assert_eq!(by, [false, false, false, true, false, false]);
    }

    /// Times that cannot be are left as they are.
    #[test]
    fn what_makes_no_sense_is_not_dated() {
        let records = [
            record("a", 1, 9_000, None, Trust::Unset),
            record("a", 2, u64::MAX, None, Trust::Unset),
            // Trusted, and without a time: that is no anchor.
            record("a", 3, 9_000, None, Trust::Synced),
            record("a", 4, 8_000, Some(SIX), Trust::Synced),
        ];
        assert_eq!(dates(&records), [None, None, None, None]);
    }

    /// Programs find what they found before; the date comes in addition, and only where there is one.
    #[test]
    fn the_fields_of_the_record_stay() {
        let early = record("a", 1, 2_500, None, Trust::Unset);
        let anchor = record("a", 2, 3_500, Some(SIX), Trust::Synced);
        let all: Vec<_> = dated([early.clone(), anchor.clone()].into_iter()).collect();
        let (raw, dated) = (early.json(), all[0].json());
        let more = r#","dated":"2026-11-28T05:59:59.000Z","dated_by":2}"#;
        assert_eq!(dated, raw.strip_suffix('}').unwrap().to_owned() + more);
        assert_eq!(all[1].json(), anchor.json());
    }

    proptest! {
        /// Whatever a clock showed before it was set: times as shown never run backwards up to the
        /// anchor, and nothing is lost or changed.
        #[test]
        fn shown_times_do_not_run_backwards(
            steps in prop::collection::vec((0..100_000_u64, any::<i32>(), 0..3_u8), 0..20),
        ) {
            let mut mono = 0;
            let mut records: Vec<Record> = steps.iter().zip(1..).map(|((step, shown, trust), seq)| {
                mono += step;
                let trust = [Trust::Unset, Trust::Floor, Trust::Rtc][usize::from(*trust)];
                record("a", seq, mono, Some(i64::from(*shown)), trust)
            }).collect();
            records.push(record("a", 99, mono + 1, Some(SIX), Trust::Synced));
            let all: Vec<_> = dated(records.iter().cloned()).collect();
            prop_assert!(all.iter().map(|d| &d.record).eq(&records));
            let shown: Vec<_> = all.iter().map(|d| d.date.map(|d| d.at).or(d.record.wall)).collect();
            prop_assert!(shown.is_sorted(), "{shown:?}");
            prop_assert!(all.iter().rev().skip(1).all(|d| d.date.is_some()));
        }
    }
}

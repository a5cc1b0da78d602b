//! Words about holds.

use super::Value;
use super::describe::{Fields, asker, cause, time, word};
use super::quantity::for_people;
use super::sentence::{fault_sentence, person};
use super::token;
use super::words;
use crate::core::fact::Hold;
use crate::core::note::HoldNote;
use std::time::Duration;

/// A hold on one line: `user=1000 since=12.000 until=1812.000 reason="the wiring"`.
pub(super) fn hold(hold: &Hold) -> String {
    let Hold {
        by,
        since,
        until,
        reason,
    } = hold;
    let (by, reason) = (words::asker(*by), token(reason));
    format!("{by} since={since} until={until} reason={reason}")
}

/// What is wished.
pub(super) fn wish(time: Duration, reason: &str) -> String {
    format!("escalate nothing for {}: {reason}", for_people(time))
}

/// Fields of what is wished.
pub(super) fn wanted(wanted: Duration, reason: &str) -> Fields {
    vec![("for", time(wanted)), ("reason", word(reason))]
}

/// Name and fields of a note.
pub(super) fn describe(note: &HoldNote) -> (&'static str, Fields) {
    let lasts = |by, time, reason: &str| {
        let mut fields = vec![asker(by)];
        fields.extend(wanted(time, reason));
        fields
    };
    let lasted = |lasted| ("lasted", Value::Time(lasted));
    match note {
        HoldNote::HoldBegan { by, time, reason } => ("hold-began", lasts(*by, *time, reason)),
        HoldNote::HoldChanged { by, time, reason } => ("hold-changed", lasts(*by, *time, reason)),
        HoldNote::HoldTakenUp { by, time, reason } => ("hold-taken-up", lasts(*by, *time, reason)),
        HoldNote::HoldEnded { by, lasted: d } => ("hold-ended", vec![asker(*by), lasted(*d)]),
        HoldNote::HoldOver { lasted: d } => ("hold-over", vec![lasted(*d)]),
        HoldNote::HoldLost { why } => ("hold-lost", cause(why)),
        HoldNote::HoldNotKept { why } => ("hold-not-kept", cause(why)),
    }
}

/// A note for people.
pub(super) fn sentence(note: &HoldNote) -> String {
    match note {
        HoldNote::HoldBegan { by, time, reason } => format!(
            "hold: {} has nothing escalated for {}: {reason}",
            person(*by),
            for_people(*time)
        ),
        HoldNote::HoldChanged { by, time, reason } => format!(
            "the hold lasts {} from now on, says {}: {reason}",
            for_people(*time),
            person(*by)
        ),
        HoldNote::HoldTakenUp { by, time, reason } => format!(
            "the hold of {} goes on for {}: {reason}",
            person(*by),
            for_people(*time)
        ),
        HoldNote::HoldEnded { by, lasted } => format!(
            "{} ended the hold after {}: failures count again, from none",
            person(*by),
            for_people(*lasted)
        ),
        HoldNote::HoldOver { lasted } => format!(
            "the hold is over after {}: failures count again, from none",
            for_people(*lasted)
        ),
        HoldNote::HoldLost { why } => format!(
            "the hold that was left cannot be read, so there is none: {}; ask for it again with \
             `fieldwarden hold`",
            fault_sentence(why)
        ),
        HoldNote::HoldNotKept { why } => format!(
            "the hold cannot be written down for a restart of the daemon: {}",
            fault_sentence(why)
        ),
    }
}

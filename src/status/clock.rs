//! The battery-backed clock in a status report, and what is said of the clocks.

use super::quantity::Celsius;
use super::{MachineStatus, Status};
use crate::core::RtcView;
use crate::text::{self, for_people};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The battery-backed clock.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RtcStatus {
    /// `right` as far as is known, `lost` if it was there and cannot be read now, or what speaks
    /// against it: `stopped`, `invalid`, `frozen`, `early`, `future`, `ahead`, `behind`.
    pub state: String,
    /// What it showed when it was read last, in UTC.
    pub time: Option<String>,
    /// How far it is ahead of the kernel's clock, good to a second; negative if it is behind.
    pub ahead_seconds: Option<i64>,
    /// Temperature of its chip.
    pub temperature_celsius: Option<Celsius>,
}

pub(super) fn rtc(view: RtcView) -> RtcStatus {
    let state = match (view.seen, view.doubt) {
        (None, _) => "lost",
        (Some(_), None) => "right",
        (Some(_), Some(doubt)) => text::rtc_doubt_word(doubt),
    };
    let shown = view.seen.and_then(|seen| seen.shown);
    RtcStatus {
        state: state.to_owned(),
        time: shown.map(|shown| text::wall(shown.time)),
        ahead_seconds: view.ahead_seconds,
        temperature_celsius: view.seen.and_then(|s| s.temperature).map(Celsius),
    }
}

/// What a person reads of the kernel's clock; `None` if nothing is known.
pub(super) fn clock_line(machine: &MachineStatus) -> Option<String> {
    machine.clock_synced?;
    Some(match machine.clock_trust.as_str() {
        "synced" => "synced".to_owned(),
        "holdover" => "holdover: was synced, and runs free since".to_owned(),
        "rtc" => "rtc: not synced, confirmed by the battery-backed clock".to_owned(),
        "floor" => "floor: not synced, its time may be wrong".to_owned(),
        _ => "unset: not synced, its time is wrong".to_owned(),
    })
}

/// What a person reads of the battery-backed clock.
pub(super) fn rtc_line(rtc: &RtcStatus) -> String {
    let mut parts = vec![match rtc.state.as_str() {
        "right" => "nothing speaks against it".to_owned(),
        state => trouble(state).to_owned(),
    }];
    parts.extend(rtc.ahead_seconds.map(|seconds| {
        let size = for_people(Duration::from_secs(seconds.unsigned_abs()));
        match seconds {
            // Clocks of whole seconds are no closer than that.
            -1..=1 => "same time".to_owned(),
            ..-1 => format!("{size} behind"),
            2.. => format!("{size} ahead"),
        }
    }));
    parts.extend(rtc.temperature_celsius.map(|t| t.0.to_string()));
    parts.join(", ")
}

fn trouble(state: &str) -> &'static str {
    match state {
        "lost" => "lost: it cannot be read any more",
        "stopped" => "stopped: its battery is empty, or it was never set",
        "invalid" => "invalid: it was never set, or its battery is empty",
        "frozen" => "frozen: it stands still",
        "early" => "early: it shows a time that is past for certain",
        "future" => "future: it shows a time beyond anything known",
        "ahead" => "ahead of the synced clock",
        _ => "behind the synced clock",
    }
}

/// Why the clocks are to be looked at.
pub(super) fn reasons(status: &Status) -> Vec<String> {
    let mut reasons = Vec::new();
    if status.machine.clock_trust == "unset" && status.verdicts.clock == "warn" {
        reasons.push("the clock shows a time that cannot be true".to_owned());
    }
    let rtc = status.machine.rtc.as_ref();
    let bad = rtc.filter(|rtc| rtc.state != "right");
    reasons.extend(bad.map(|rtc| format!("battery-backed clock {}", rtc.state)));
    reasons
}

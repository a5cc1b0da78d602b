//! Words about what the guards of clocks, disks, memory and network found, or did.

use super::describe::{Fields, cause};
use super::sentence::fault_sentence;
use crate::core::note::GuardNote;

/// Name and fields of a note.
pub(super) fn describe(note: &GuardNote) -> (&'static str, Fields) {
    match note {
        GuardNote::RtcSet => ("rtc-set", vec![]),
        GuardNote::NetworkUp => ("network-up", vec![]),
        GuardNote::NetworkDown => ("network-down", vec![]),
        GuardNote::RtcNotSet { why } => ("rtc-not-set", cause(why)),
    }
}

/// The note for people.
pub(super) fn sentence(note: &GuardNote) -> String {
    match note {
        GuardNote::RtcSet => "the battery-backed clock was set by the synchronised one".to_owned(),
        GuardNote::NetworkUp => "the network is up: there is a way out of this machine".to_owned(),
        GuardNote::NetworkDown => {
            "the network is down: no way leads out of this machine".to_owned()
        }
        GuardNote::RtcNotSet { why } => format!(
            "the battery-backed clock cannot be set: {}",
            fault_sentence(why)
        ),
    }
}

//! What drills have proven.

use super::Seconds;
use crate::core::intent::Proof;
use crate::text;
use serde::{Deserialize, Serialize};

/// The hardware watchdog has bitten in a drill.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ProvenStatus {
    /// From the last pet to the last sign of life; it bit then, or up to a second later.
    pub took_seconds: Seconds,
    /// The timeout that was in force.
    pub timeout_seconds: Seconds,
    /// It bit when it should have.
    pub in_time: bool,
    /// When that was, in UTC; null if the clock could not be trusted then.
    pub at: Option<String>,
}

impl ProvenStatus {
    /// What a marker tells of it.
    pub fn of(proof: Proof) -> ProvenStatus {
        ProvenStatus {
            took_seconds: Seconds(proof.took),
            timeout_seconds: Seconds(proof.timeout),
            in_time: proof.in_time(),
            at: proof.at.map(text::wall),
        }
    }

    /// The same for people.
    pub fn text(&self) -> String {
        let at = self.at.as_deref().unwrap_or("at a time that is not known");
        let proven = text::proven(self.took_seconds.0, self.timeout_seconds.0);
        format!("last drill {at}: {proven}")
    }
}

//! The end of the machine: a halt that is under way, and how the boot before ended.

use crate::core::LastBoot;
use crate::core::picture::Halting;
use crate::text;
use serde::{Deserialize, Serialize};

/// A halt that is under way.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct HaltStatus {
    /// How it ends: `poweroff` or `reboot`.
    pub kind: String,
    /// Why: `ride-through`, `low-battery`, `gauge-silent`, `battery-sinks`, `services` or `asked`.
    pub cause: String,
    /// How far it has come: `looking`, `stopping`, `killing`, `recording`, `syncing`, `cutting`,
    /// `asked`, `rescuing`, `forced` or `watchdog-reset`.
    pub rung: String,
    /// The same for people; its wording may change.
    pub text: String,
}

impl HaltStatus {
    pub(super) fn of(halting: Halting) -> HaltStatus {
        HaltStatus {
            kind: text::halt_kind_word(halting.kind).to_owned(),
            cause: text::cause_word(halting.cause).to_owned(),
            rung: text::rung_word(halting.rung).to_owned(),
            text: format!(
                "{} under way, because {}",
                text::halt_kind_word(halting.kind),
                text::cause_sentence(halting.cause)
            ),
        }
    }
}

/// How the boot before ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LastBootStatus {
    /// `first-boot`, `halted`, `planned-cut`, `in-halt`, `asked-to-end`, `cut-on-battery`,
    /// `battery-empty`, `brown-out`, `mains-cut`, `cut-or-hang`, `withheld`, `hang`, `panic` or
    /// `unknown`.
    pub end: String,
    /// How sure that is: `certain`, `likely` or `possible`.
    pub confidence: String,
    /// The same for people; its wording may change.
    pub text: String,
}

impl LastBootStatus {
    pub(super) fn of(last: LastBoot) -> LastBootStatus {
        LastBootStatus {
            end: text::end_word(last.end).to_owned(),
            confidence: text::confidence_word(last.confidence).to_owned(),
            text: text::end_sentence(last.end),
        }
    }
}

//! The lines that clients get.

use super::{CORE_WITHIN, TakenUp, VERSION};
use crate::core::note::{DrillRefused, Unready};
use crate::text;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One answer: the only line of most connections, and the first of those with events.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Version of the form.
    pub v: u32,
    /// What was asked was done, or is being done.
    pub ok: bool,
    /// What the core said to a request for a service: `accepted` or `already`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// The status report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<serde_json::Value>,
    /// What goes along with the configuration, which is a descriptor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<TakenUp>,
    /// Why not, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Why not, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// Why a request was refused, for programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// It could not be understood.
    BadRequest,
    /// It is of a version that this daemon does not speak.
    Version,
    /// There is no service of this name.
    UnknownService,
    /// There is no status LED.
    NoLed,
    /// A hold would last too long.
    TooLong,
    /// The watchdog is not tried out now.
    NoDrill,
    /// The configuration cannot be used, and nothing was changed.
    BadConfiguration,
    /// There can be no reload now, and nothing was changed.
    NotReloaded,
    /// The text of the configuration could not be kept.
    NotKept,
    /// This user may not ask for it.
    NotPermitted,
    /// Too many clients at once.
    Busy,
    /// The client took too long.
    TooSlow,
    /// The core did not answer.
    NoAnswer,
    /// The daemon is ending.
    Ending,
}

/// A refusal, with what to do about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Refusal {
    pub code: Code,
    pub error: String,
    pub help: String,
}

impl Refusal {
    pub fn new(code: Code, error: impl Into<String>, help: impl Into<String>) -> Refusal {
        Refusal {
            code,
            error: error.into(),
            help: help.into(),
        }
    }

    /// The line for it, with its line feed.
    pub fn line(&self) -> Vec<u8> {
        finish(&Answer {
            ok: false,
            code: Some(self.code),
            error: Some(self.error.clone()),
            help: (!self.help.is_empty()).then(|| self.help.clone()),
            ..yes()
        })
    }
}

fn yes() -> Answer {
    Answer {
        v: VERSION,
        ok: true,
        answer: None,
        status: None,
        configuration: None,
        code: None,
        error: None,
        help: None,
    }
}

/// The line that begins a list of events, with its line feed.
pub(super) fn events_line() -> Vec<u8> {
    finish(&yes())
}

/// The line that stands for events that a follower was too slow for, with its line feed.
pub(super) fn lost_line(events: u64) -> String {
    format!("{{\"v\":{VERSION},\"lost\":{events}}}\n")
}

/// The line for what the core said to a request for a service, with its line feed.
pub(super) fn word_line(word: &str) -> Vec<u8> {
    finish(&Answer {
        answer: Some(word.to_owned()),
        ..yes()
    })
}

/// The line that a configuration comes with, with its line feed.
pub(super) fn configuration_line(about: &TakenUp) -> Vec<u8> {
    finish(&Answer {
        configuration: Some(about.clone()),
        ..yes()
    })
}

/// The line around a status report that is JSON already, with its line feed.
pub(super) fn status_line(status: &str) -> Vec<u8> {
    format!("{{\"v\":{VERSION},\"ok\":true,\"status\":{status}}}\n").into_bytes()
}

fn finish(answer: &Answer) -> Vec<u8> {
    // Strings, numbers and flags: none of them can fail to be written.
    let mut line = serde_json::to_vec(answer).unwrap_or_default();
    line.push(b'\n');
    line
}

/// No room now.
pub(super) fn busy(what: String) -> Refusal {
    Refusal::new(Code::Busy, what, "try again in a moment")
}

/// A hold that would last longer than any may.
pub(super) fn hold_too_long(left: Duration, most: Duration) -> Refusal {
    let (whole, most) = (Duration::from_secs(left.as_secs()), text::for_people(most));
    let what = format!(
        "the hold that is in force may last {} more: with `most` of [hold], no hold lasts longer \
         than {most}, however often it is changed",
        text::for_people(whole)
    );
    let help = "ask for less, or end it first: fieldwarden hold --end";
    Refusal::new(Code::TooLong, what, help)
}

/// The watchdog is not tried out.
pub(super) fn no_drill(why: DrillRefused) -> Refusal {
    let help = "nothing was done; mend that, and try again";
    Refusal::new(Code::NoDrill, text::undrilled(why), help)
}

/// There was no memory for it when the daemon began.
pub(super) fn not_kept() -> Refusal {
    let what = "the daemon could not keep the text of its configuration";
    let help = "look into its log; it tries again at the next reload";
    Refusal::new(Code::NotKept, what, help)
}

/// Only those may see it who could read the files anyway.
pub(super) fn not_shown(uid: u32) -> Refusal {
    let what = format!("user {uid} may not see the configuration: it may have secrets in it");
    let help = "become root, for example with sudo";
    Refusal::new(Code::NotPermitted, what, help)
}

/// There was no reload.
pub(super) fn not_reloaded(why: &Unready) -> Refusal {
    let (code, help) = match why {
        Unready::Problems(_) => (
            Code::BadConfiguration,
            "nothing was changed; mend it, and look with `fieldwarden check`",
        ),
        Unready::NotChecked(_) | Unready::Stuck(_) | Unready::Starting => (
            Code::NotReloaded,
            "nothing was changed; look with `fieldwarden status`, and try again",
        ),
    };
    Refusal::new(code, text::unready(why), help)
}

/// A request that took too long to arrive.
pub(super) fn too_slow() -> Refusal {
    Refusal::new(
        Code::TooSlow,
        "the request did not come in time",
        "send it as soon as the connection stands",
    )
}

/// The core is silent.
pub(super) fn no_answer() -> Refusal {
    Refusal::new(
        Code::NoAnswer,
        format!("the core has not answered for {} s", CORE_WITHIN.as_secs()),
        "if it hangs, the watchdog resets the machine; else look into the log of the daemon",
    )
}

/// The daemon takes no such requests any more.
pub(super) fn ending() -> Refusal {
    let help = "wait until it has come up again";
    Refusal::new(Code::Ending, "the daemon is ending", help)
}

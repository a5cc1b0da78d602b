//! Words: the one place that puts facts, actions and notes into text.
//!
//! Terms: a *word* is the fixed name of something (`start-failed`, `ENOENT`); a *description* is a
//! note as a name with fields, for machines; a *sentence* is a note for people. Trace, journal,
//! `events`, the log and the status report all take their words from here, and each enum has its
//! words in one exhaustive match, so no second list can fall behind.
//!
//! Never: read a clock, a file or a setting of the system; decide anything.

mod action;
mod daemon;
mod describe;
mod drill;
mod errno;
mod fact;
mod group;
mod guard;
mod halt;
mod hold;
mod job;
mod keeper;
mod led;
mod legacy;
mod marker;
mod nearest;
mod network;
mod notify;
mod past;
mod plain;
mod probe;
mod quantity;
mod reload;
mod sentence;
mod signal;
mod stops;
mod throttle;
mod token;
mod words;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

pub use action::action;
pub use daemon::unenforced;
pub use describe::{Described, Value, describe};
pub use drill::{proven, undrilled};
pub use errno::{errno_message, errno_named, errno_word};
pub use fact::fact;
pub use halt::{cause_sentence, cause_word, rung_word};
pub use job::{hindrance_word, outcome_named, outcome_word};
pub use keeper::{keeper_word, name_there, obstacle_sentence, where_logs_are};
pub use led::{led_advice, led_meaning, rhythm_words};
pub use marker::marker;
pub use nearest::nearest;
pub use network::{found_named, found_word, step_named, step_trouble, step_word};
pub use past::{confidence_word, end_sentence, end_word};
pub use plain::{misleads, plain, shown};
pub use probe::ill_sentence;
pub use quantity::{amperes, celsius, for_people, hundredths, percent, seconds, volts, wall};
pub use reload::{goes_by, stand_in_word, unready};
pub use sentence::{fault_sentence, kept_because, sentence};
pub use signal::{signal_named, signal_word};
pub use stops::{stop_times, stops};
pub use throttle::{explain, throttle_clause, throttle_flags};
pub use token::token;
pub use words::{
    REQUEST_WORDS, THREADS, asker, controller_named, controller_word, dispute_word,
    halt_kind_named, halt_kind_word, halt_phase_named, health_named, health_word, heat_named,
    heat_word, lack_named, lack_word, led_named, led_word, need_word, notify_key_named,
    obstacle_named, obstacle_word, probe_kind_named, probe_kind_word, request, rest_named,
    rtc_doubt_word, severity_named, severity_word, shed_named, shed_word, source, stage_named,
    stage_word, thread_named, thread_word, throttle_named, throttle_word, trust_named, trust_word,
};

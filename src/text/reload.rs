//! Words about reloads.

use super::describe::{Fields, asker, cause, word};
use super::sentence::{fault_sentence, person};
use super::{token, words};
use crate::core::note::{ReloadNote, Unready};

/// Name and fields of a note.
pub(super) fn describe(note: &ReloadNote) -> (&'static str, Fields) {
    match note {
        ReloadNote::HandingOver { by } => ("handing-over", vec![asker(*by)]),
        ReloadNote::ReloadRefused { why } => ("reload-refused", reasons(why)),
    }
}

fn reasons(why: &Unready) -> Fields {
    match why {
        Unready::Problems(text) => vec![("why", word("problems")), ("problems", word(text))],
        Unready::NotChecked(why) => cause(why),
        Unready::Stuck(thread) => {
            vec![
                ("why", word("stuck")),
                ("thread", word(words::thread_word(*thread))),
            ]
        }
        Unready::Starting => vec![("why", word("starting"))],
    }
}

/// A note for people.
pub(super) fn sentence(note: &ReloadNote) -> String {
    match note {
        ReloadNote::HandingOver { by } => format!(
            "{} asked to reload: handing over to a successor in this process",
            person(*by)
        ),
        ReloadNote::ReloadRefused { why } => {
            let first = match why {
                Unready::Problems(text) => text.lines().next().unwrap_or_default().to_owned(),
                Unready::NotChecked(_) | Unready::Stuck(_) | Unready::Starting => unready(why),
            };
            format!("not reloaded, and nothing was changed: {first}")
        }
    }
}

/// Why not, for people.
pub fn unready(why: &Unready) -> String {
    match why {
        Unready::Problems(text) => text.trim_end().to_owned(),
        Unready::NotChecked(why) => format!(
            "the program that is to come has not checked the configuration: {}",
            fault_sentence(why)
        ),
        Unready::Stuck(thread) => format!("the thread {} is stuck", words::thread_word(*thread)),
        Unready::Starting => "a service has been starting all the time".to_owned(),
    }
}

/// The same as a token of a trace.
pub(super) fn answer(why: &Unready) -> String {
    match why {
        Unready::Problems(text) => format!("unready problems={}", token(text)),
        Unready::NotChecked(why) => format!("unready {}", words::fault(why)),
        Unready::Stuck(thread) => format!("unready stuck={}", words::thread_word(*thread)),
        Unready::Starting => "unready starting".to_owned(),
    }
}

//! Words about reloads, and about a configuration that cannot be taken up.

use super::describe::{Fields, asker, cause, word};
use super::quantity::wall;
use super::sentence::{fault_sentence, person};
use super::{token, words};
use crate::core::fact::StandIn;
use crate::core::note::{ReloadNote, Unready};

/// Name and fields of a note.
pub(super) fn describe(note: &ReloadNote) -> (&'static str, Fields) {
    match note {
        ReloadNote::HandingOver { by } => ("handing-over", vec![asker(*by)]),
        ReloadNote::ReloadRefused { why } => ("reload-refused", reasons(why)),
        ReloadNote::ConfigurationUnusable { by, problem } => {
            let mut fields = vec![("goes-by", word(stand_in_word(*by)))];
            if let StandIn::Copy { taken } = by {
                fields.push(("taken", word(&wall(*taken))));
            }
            fields.push(("problem", word(problem)));
            ("configuration-unusable", fields)
        }
    }
}

/// What a daemon goes by, in one word.
pub fn stand_in_word(by: StandIn) -> &'static str {
    match by {
        StandIn::Copy { .. } => "copy",
        StandIn::SafeMode => "safe-mode",
        StandIn::Elsewhere => "elsewhere",
    }
}

/// The same as words of a trace: `goes-by=copy taken=2031-07-04T12:34:56Z`.
pub(super) fn stand_in(by: StandIn) -> String {
    let word = stand_in_word(by);
    match by {
        StandIn::Copy { taken } => format!("goes-by={word} taken={}", wall(taken)),
        StandIn::SafeMode | StandIn::Elsewhere => format!("goes-by={word}"),
    }
}

/// The fact of it as words of a trace.
pub(super) fn seen(by: StandIn, problem: &str) -> String {
    format!("configuration {} problem={}", stand_in(by), token(problem))
}

/// The same for people.
pub fn goes_by(by: StandIn) -> String {
    match by {
        StandIn::Copy { taken } => {
            format!("its configuration is a copy of {}", wall(taken))
        }
        StandIn::SafeMode => "safe mode, without a configuration".to_owned(),
        StandIn::Elsewhere => "its runtime directory cannot be used".to_owned(),
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
        ReloadNote::ConfigurationUnusable {
            by: StandIn::Elsewhere,
            problem,
        } => format!(
            "the runtime directory cannot be used: {problem}; mend it, or name another in \
             `runtime_dir`, then run `fieldwarden reload`"
        ),
        ReloadNote::ConfigurationUnusable { by, problem } => format!(
            "the configuration cannot be used, {}: {problem}; mend it (`fieldwarden check` shows all \
             that is wrong), then run `fieldwarden reload`",
            match by {
                StandIn::Copy { taken } => format!(
                    "and a copy of {} of one that was in force stands in for it",
                    wall(*taken)
                ),
                // It has a sentence of its own.
                StandIn::Elsewhere | StandIn::SafeMode => "and there is no copy of one that was in force: in safe mode the \
                                      machine is guarded, what runs goes on, and no service is started"
                    .to_owned(),
            }
        ),
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

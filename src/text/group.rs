//! Words about groups of services.

use super::Value;
use super::describe::{Fields, count, time};
use super::quantity::for_people;
use super::sentence::counted;
use crate::core::note::GroupNote;

/// Name and fields of a note; group and service are the first of them.
pub(super) fn describe(note: &GroupNote, of: Fields) -> (&'static str, Fields) {
    let (name, rest) = match note {
        GroupNote::GroupRestarting { counted } => {
            ("group-restarting", vec![("counted", Value::Flag(*counted))])
        }
        GroupNote::GroupGaveUp {
            restarts,
            window,
            retry,
        } => (
            "group-gave-up",
            vec![
                ("restarts", count(*restarts)),
                ("window", time(*window)),
                ("retry", time(*retry)),
            ],
        ),
    };
    (name, of.into_iter().chain(rest).collect())
}

/// A note about the group and the member of these names, for people.
pub(super) fn sentence(group: &str, name: &str, note: &GroupNote) -> String {
    match note {
        GroupNote::GroupRestarting { counted: true } => {
            format!("group {group} is restarted because {name} failed")
        }
        GroupNote::GroupRestarting { counted: false } => format!(
            "group {group} is restarted because {name} failed, which does not count towards giving up"
        ),
        GroupNote::GroupGaveUp {
            restarts,
            window,
            retry,
        } => format!(
            "gave up on group {group}: {} within {}; {name} is tried again in {}, or now with \
             `fieldwarden start {name}`",
            counted(u64::from(*restarts), "restart"),
            for_people(*window),
            for_people(*retry)
        ),
    }
}

//! The hold that is in force.

use super::Seconds;
use super::screen::{DOUBTFUL, mark};
use super::table::Cell;
use crate::core::fact::{Asker, Hold};
use crate::text::for_people;
use crate::units::Mono;
use serde::{Deserialize, Serialize};

/// The hold that is in force: nothing is escalated, and failures of services count towards nothing.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct HoldStatus {
    /// The user who asked for it last; null if it was a signal.
    pub user: Option<u32>,
    /// What for.
    pub reason: String,
    /// Time since it began.
    pub since_seconds: Seconds,
    /// Time until it is over.
    pub left_seconds: Seconds,
}

impl HoldStatus {
    pub(super) fn of(hold: &Hold, now: Mono) -> HoldStatus {
        HoldStatus {
            user: match hold.by {
                Asker::User(user) => Some(user),
                Asker::Signal(_) => None,
            },
            reason: hold.reason.to_string(),
            since_seconds: Seconds(now.since(hold.since)),
            left_seconds: Seconds(hold.until.since(now)),
        }
    }

    /// The line of it.
    pub(super) fn cells(&self) -> Vec<Cell> {
        vec![
            mark(DOUBTFUL),
            Cell::new("in force", DOUBTFUL),
            Cell::plain(&self.text()),
        ]
    }

    /// What it comes to.
    pub(super) fn text(&self) -> String {
        let who = match self.user {
            Some(0) => "root".to_owned(),
            Some(user) => format!("user {user}"),
            None => "a signal".to_owned(),
        };
        format!(
            "nothing is escalated for {} more, by {who}: {}",
            for_people(self.left_seconds.0),
            self.reason
        )
    }
}

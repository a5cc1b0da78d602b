//! What a service does for the sake of its group.

use super::{Bar, Fall, Service, State};
use crate::core::fact::GroupId;
use crate::units::Mono;

impl Service {
    /// It has failed and is to be started again: its group has to know.
    pub(super) fn fall(&mut self, earlier: bool) {
        self.fell = Some(Fall {
            gave_up: matches!(self.state, State::GaveUp { .. }),
            earlier,
            excused: self.excused,
        });
    }

    /// The group that keeps it from running.
    pub fn group_bar(&self) -> Option<GroupId> {
        match self.bar {
            Some(Bar::Group { group, .. }) => Some(group),
            Some(
                Bar::Requirement { .. }
                | Bar::Need(_)
                | Bar::Hindered(_)
                | Bar::Taken { .. }
                | Bar::Keeper(_),
            )
            | None => None,
        }
    }

    /// It is restarted with all of its group, which is a fresh start for the count of failures.
    pub fn rise_with_group(&mut self) {
        self.backoff.forgive();
        if matches!(self.state, State::Backoff { .. } | State::GaveUp { .. }) {
            self.come_back();
            self.excused = true;
        }
    }

    /// Its group was restarted too often: it waits at least until then. Returns until when.
    pub fn give_up(&mut self, until: Mono) -> Mono {
        let until = match self.state {
            State::GaveUp { until: own } => until.max(own),
            State::Down { .. }
            | State::Starting { .. }
            | State::Up { .. }
            | State::Stopping { .. }
            | State::Backoff { .. } => until,
        };
        self.state = State::GaveUp { until };
        self.due = Some(until);
        until
    }
}

//! Counts of the set, kept up to date one service at a time.

use super::{Course, Services};
use crate::core::Pass;
use crate::core::picture::Verdict;
use crate::core::service::{Down, Service, State};

/// What counts of one service.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Part {
    pub up: bool,
    pub wanted: bool,
    pub alive: bool,
    pub failed: bool,
    pub on_probation: bool,
    pub holds_up_others: bool,
    pub bears_others: bool,
    pub admits_others: bool,
    pub unsure: bool,
    pub coming: bool,
}

impl Part {
    /// What counts of this service now.
    pub fn of(service: &Service) -> Part {
        Part {
            up: service.is_fit(),
            wanted: service.called_for() && (!service.job || service.alive()),
            alive: service.alive(),
            failed: !service.job
                && matches!(
                    service.state,
                    State::GaveUp { .. } | State::Down { why: Down::Failed }
                ),
            on_probation: service.is_on_probation(),
            holds_up_others: service.holds_up_others(),
            bears_others: service.bears_others(),
            admits_others: service.admits_others(),
            unsure: service.is_unsure() || service.is_open() || service.is_out_of_sight(),
            coming: service.is_being_made(),
        }
    }
}

/// What counts of all of them.
#[derive(Clone, Copy, Default)]
pub struct Count {
    pub up: u16,
    pub wanted: u16,
    pub alive: u16,
    pub failed: u16,
    pub on_probation: u16,
    pub unsure: u16,
    pub up_wanted: u16,
    pub coming: u16,
}

impl Count {
    /// One service was `before` and is `after`.
    pub fn replace(&mut self, before: Part, after: Part) {
        let step = |count: &mut u16, before: bool, after: bool| match (before, after) {
            (false, true) => *count = count.saturating_add(1),
            (true, false) => *count = count.saturating_sub(1),
            (true, true) | (false, false) => {}
        };
        step(&mut self.up, before.up, after.up);
        step(&mut self.wanted, before.wanted, after.wanted);
        step(&mut self.alive, before.alive, after.alive);
        step(&mut self.failed, before.failed, after.failed);
        step(&mut self.unsure, before.unsure, after.unsure);
        step(&mut self.coming, before.coming, after.coming);
        step(
            &mut self.on_probation,
            before.on_probation,
            after.on_probation,
        );
        step(
            &mut self.up_wanted,
            before.up && before.wanted,
            after.up && after.wanted,
        );
    }
}

impl Services {
    /// What there is to think of all of them, and how many they are.
    pub(super) fn publish(&mut self, pass: &mut Pass) {
        let missing = self.count.up_wanted != self.count.wanted;
        let doubtful = self.count.on_probation > 0 || self.count.unsure > 0;
        pass.picture.services = match (
            self.count.failed > 0,
            (missing || doubtful) && self.course == Course::Kept,
        ) {
            (true, _) => Verdict::Critical,
            (false, true) => Verdict::Warn,
            (false, false) => Verdict::Ok,
        };
        pass.picture.up = self.count.up;
        pass.picture.wanted = self.count.wanted;
        pass.picture.alive = self.count.alive;
        pass.picture.births = self.count.coming;
        self.publish_span(pass);
    }
}

//! Failures while the machine is strained: they are the machine's, and not the service's.
//!
//! Terms: a *strain* is what the policies of power and of the throttle flags publish: on battery, a
//! weak supply, a throttled processor. A failure is *excused* if the machine was strained then, or
//! within [`MARGIN`] of it: nothing is seen at once, and what was starved fails some time later.
//!
//! Excused failures wait like others: a board that is strained for ever still starts nothing more
//! often than its waits allow. They only do not lead to giving up.
//!
//! A *hold* excuses in the same way, as long as it lasts; and then everybody begins anew.

use super::Services;
use crate::core::Pass;
use crate::core::fact::ServiceId;
use crate::core::picture::{Excuse, Strain};
use crate::core::service::{State, Turn};
use crate::units::Mono;
use std::time::Duration;

/// Time before a strain was noticed, and after it was noticed to be over, whose failures it excuses.
/// Shorter than the time between two looks (15 s) or than the usual heartbeat (30 s), and it would
/// miss what it caused; much longer, and every crash on a bad day would be the supply's.
pub(super) const MARGIN: Duration = Duration::from_secs(30);

/// What strains the machine, or has done so.
#[derive(Default)]
pub(super) struct Strains {
    now: Option<Strain>,
    past: Option<(Strain, Mono)>,
}

impl Strains {
    /// Takes in how it is. Returns what has just begun.
    fn look(&mut self, strain: Option<Strain>, now: Mono) -> Option<Strain> {
        let before = std::mem::replace(&mut self.now, strain);
        if let (Some(before), None) = (before, strain) {
            self.past = Some((before, now));
        }
        strain.filter(|_| before.is_none())
    }

    /// What a failure now is put down to.
    pub(super) fn blamed(&self, now: Mono) -> Option<Strain> {
        let lately = |(_, until): &(Strain, Mono)| now.since(*until) < MARGIN;
        let past = self.past.filter(lately).map(|(strain, _)| strain);
        self.now.or(past)
    }
}

impl Services {
    /// What a failure now is excused by.
    pub(super) fn excuse(&self, now: Mono) -> Option<Excuse> {
        let strain = self.strains.blamed(now).map(Excuse::Strain);
        strain.or(self.hold.then_some(Excuse::Hold))
    }

    /// When a hold is over, it is as if whatever is wrong then had just begun.
    pub(super) fn look_at_hold(&mut self, pass: &Pass) {
        let before = std::mem::replace(&mut self.hold, pass.picture.hold);
        if !before || self.hold {
            return;
        }
        self.groups.forgive_all();
        for id in self.ids() {
            self.services[usize::from(id.0)].begin_anew();
            self.touch(id);
        }
    }

    /// What has just begun to strain the machine may have been there before it was seen.
    pub(super) fn strain(&mut self, pass: &mut Pass) {
        let Some(strain) = self.strains.look(pass.picture.strain(), pass.now) else {
            return;
        };
        let since = Mono(pass.now.0.saturating_sub(MARGIN.as_millis() as u64));
        self.groups.excuse(since, pass.now);
        for id in (0u16..).map(ServiceId).take(self.services.len()) {
            let at = usize::from(id.0);
            // Only what is given up waits anew.
            let gave_up = matches!(self.services[at].state, State::GaveUp { .. });
            let jitter = if gave_up { self.jitter() } else { 0 };
            let mut turn = Turn {
                s: &pass.settings.services[at],
                now: pass.now,
                jitter,
                excuse: Some(Excuse::Strain(strain)),
                out: pass.out,
            };
            self.services[at].excuse(strain, since, &mut turn);
            self.touch(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A strain excuses while it lasts and for the margin after it; one that gets worse is the same.
    #[test]
    fn strains_excuse_while_they_last_and_a_little_longer() {
        let mut strains = Strains::default();
        assert_eq!(strains.look(None, Mono(0)), None);
        assert_eq!(strains.blamed(Mono(0)), None);
        let battery = Some(Strain::OnBattery);
        assert_eq!(strains.look(battery, Mono(1_000)), battery);
        assert_eq!(strains.look(Some(Strain::LowBattery), Mono(2_000)), None);
        assert_eq!(strains.blamed(Mono(900_000)), Some(Strain::LowBattery));
        assert_eq!(strains.look(None, Mono(900_000)), None);
        assert_eq!(strains.blamed(Mono(929_999)), Some(Strain::LowBattery));
        assert_eq!(strains.blamed(Mono(930_000)), None);
        assert_eq!(strains.look(battery, Mono(930_000)), battery);
    }
}

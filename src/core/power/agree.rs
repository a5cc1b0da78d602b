//! Signs of a low battery, as they are counted: on battery, on mains, and beside a line that says that
//! there are mains while the battery sinks.

use super::low::{self, Limits};
use super::sink::Level;
use super::{Course, Gauge, Power, Signs, Supply, plan};
use crate::core::Pass;
use crate::core::note::{HaltNote, Note};
use crate::core::settings::Settings;
use crate::units::{Milliamps, Mono};
use std::time::Duration;

impl Power {
    /// Runtime below which the machine is halted.
    fn needed(&self, pass: &Pass) -> Duration {
        let budget = pass.settings.stop_budget;
        let known = pass.picture.stop_span.map(|span| span.runtime(budget));
        known.map_or(self.needed, |known| known.min(self.needed))
    }

    pub(super) fn signs(&self, now: Mono, settings: &Settings) -> Signs {
        let mains = self.supply.and_then(Supply::mains);
        // An unconfirmed outage is the current's word, which speaks for itself.
        let lost = mains == Some(false) && (self.line_heard || self.confirmed);
        // Where mains are denied in vain, a battery that fills knows better.
        let lost = lost && !(self.doubt.stands() && self.fills(now));
        let limits = Limits::of(&settings.power, settings.board.battery.as_ref());
        let course = self.course();
        // What stands still bears out nothing that is doubted.
        let deaf = self.doubt.stands() && self.gauge.stands_still(now);
        let mut gauge = if deaf {
            Gauge::default()
        } else {
            self.gauge.now(now)
        };
        if self.sign.distrusted() {
            // The voltage has shown that it is the other way round.
            gauge.current = gauge.current.map(|c| Milliamps(c.0.saturating_neg()));
        }
        Signs::of(gauge, course, lost, self.line.value().is_some(), &limits)
    }

    /// A reading of the level counts for the signs that agree, or ends their agreement.
    pub(super) fn count_signs(&mut self, level: bool, pass: &mut Pass) {
        let signs = self.signs(pass.now, pass.settings);
        let left = self.remaining(pass.settings, pass.now);
        let left = left.filter(|_| signs.lost);
        let needed = self.needed(pass);
        self.scarce = self.scarce.see(plan::scarce(left, needed), pass.now);
        let short = left.is_some_and(|left| left <= needed);
        let agree = signs.agree() || short;
        let mains = self.supply.and_then(Supply::mains) == Some(true);
        self.agreed = match self.agreed.filter(|_| agree && !mains) {
            Some((since, readings)) => Some((since, readings + u32::from(level))),
            None => (agree && !mains).then_some((pass.now, 1)),
        };
        if let Some(supply) = self.supply {
            self.turn(supply.lower(self.agreed.is_some(), pass.now), pass);
        }
        self.tell_low(if mains { signs.level() } else { agree }, mains, pass);
    }

    /// A low battery is told once in an outage, and once on mains until it is no more.
    fn tell_low(&mut self, low: bool, on_mains: bool, pass: &mut Pass) {
        let gauge = self.gauge.now(pass.now);
        let limits = Limits::of(&pass.settings.power, pass.settings.board.battery.as_ref());
        if low && !self.low_told {
            self.low_told = true;
            let Gauge {
                voltage, charge, ..
            } = gauge;
            let note = Note::BatteryLow {
                voltage,
                charge,
                on_mains,
            };
            pass.out.note(note);
        } else if on_mains && limits.recovered(gauge) {
            self.low_told = false;
        }
    }

    /// What the latest reading says of a battery that may sink beside a line that says that there are
    /// mains.
    pub(super) fn see_sink(&mut self, pass: &mut Pass) {
        let (now, gauge) = (pass.now, self.gauge.now(pass.now));
        let limits = Limits::of(&pass.settings.power, pass.settings.board.battery.as_ref());
        let falls = self.course() == Some(Course::Falling);
        let denied = low::at_rest(gauge) || self.gauge.stands_still(now);
        let line = self.line.value() == Some(true);
        let level = if self.fills(now) {
            Level::Filling
        } else if line && falls && !denied && self.gauge.sound() && limits.all(gauge) {
            Level::Sinking
        } else {
            Level::Otherwise
        };
        self.sink.see(level, gauge.charge.map(|c| c.0), now);
        if let Some(halts) = self.sink.tells() {
            pass.tell(HaltNote::SinkDoubted { halts });
        }
    }
}

//! What the policy leaves behind after each pass: the picture, contradictions, and when it wants to be
//! asked again.

use super::{Plan, Power, Quality, Supply, dispute, gauge, supply};
use crate::core::Pass;
use crate::core::picture::{HaltCause, Strain, Verdict};
use crate::core::settings::Settings;
use crate::units::Mono;

impl Power {
    pub(super) fn dispute(&mut self, pass: &mut Pass) {
        let course = self.course();
        let gauge = self.gauge.now(pass.now);
        let fresh = self
            .supply
            .and_then(Supply::outage)
            .is_none_or(|since| self.gauge.current_at() > Some(since));
        let current = gauge.current.filter(|_| fresh);
        let line = self.line.value();
        let mains = self.supply.and_then(Supply::mains);
        let rises = self.keeps_rising(pass.now);
        let sinks = self.sink.begins();
        let found = dispute::of(line, mains, current, course, (rises, sinks));
        if let Some(note) = self.dispute.hear(found, pass.now) {
            pass.out.note(note);
        }
    }

    fn verdict(&self, now: Mono) -> Option<Verdict> {
        let of = match self.supply()? {
            Supply::Unknown { .. } => Verdict::Unknown,
            Supply::OnLine { .. } if self.sink.sinks() => Verdict::Critical,
            Supply::OnLine { .. } => {
                let known = match self.gauge.quality(now) {
                    Quality::Absent | Quality::Good => Verdict::Ok,
                    Quality::Stale | Quality::Implausible => Verdict::Unknown,
                };
                // What was low stays so until a reading says otherwise.
                match self.low_told {
                    true => Verdict::Warn,
                    false => known,
                }
            }
            // It stays on battery until somebody comes, and nothing but the battery ends that.
            Supply::OnBattery { .. } if self.doubt.stands() => Verdict::Critical,
            Supply::OnBattery { .. } => Verdict::Warn,
            Supply::LowBattery { .. } | Supply::ForcedShutdown { .. } => Verdict::Critical,
        };
        Some(match self.dispute.told() {
            Some(_) => of.max(Verdict::Warn),
            None => of,
        })
    }

    pub(super) fn publish(&mut self, pass: &mut Pass) {
        // A jump of the voltage may be a cut, and so may a current that turns about.
        let turned = !self.line_heard && self.sign.latest() == Some(false);
        let doubted = turned || self.gauge.unsettled();
        let closely = self.supply.is_some_and(Supply::closely) || doubted;
        if closely != self.closely {
            self.closely = closely;
            self.watch(closely, pass);
        }
        pass.picture.power = self.verdict(pass.now);
        pass.picture.mains = self.supply.and_then(Supply::mains);
        pass.picture.outage = self.outage(pass.now, pass.settings);
        pass.picture.halts_in_vain = self.doubt.halts();
        pass.picture.mains_doubted = self.doubt.stands();
        pass.picture.strain_of_power = match self.supply {
            // A line whose battery sinks is not believed.
            Some(Supply::OnLine { .. }) if self.sink.sinks() => Some(Strain::LowBattery),
            None | Some(Supply::Unknown { .. } | Supply::OnLine { .. }) => None,
            Some(Supply::OnBattery { .. }) => Some(Strain::OnBattery),
            Some(Supply::LowBattery { .. } | Supply::ForcedShutdown { .. }) => {
                Some(Strain::LowBattery)
            }
        };
        pass.picture.shed = self.shed;
        pass.picture.hold_up = self.remaining(pass.settings, pass.now);
        pass.picture.sinks = self.sink.sinks();
        pass.picture.sunk = self.sink.halts();
        if self.sink.halts_now() {
            pass.picture.ask_halt(HaltCause::BatterySinks);
        }
        if let Some(Supply::ForcedShutdown { cause, .. }) = self.supply {
            pass.picture.ask_halt(cause);
        }
    }

    /// The next instant at which time alone changes something.
    pub(super) fn next(&self, now: Mono, settings: &Settings) -> Option<Mono> {
        let failing = self.supply.and_then(Supply::failing);
        let believed = failing.map(|since| since.after(supply::GONE_FOR));
        let plan = self.plan(now, settings);
        let proof = self.proof(now, settings).lasting;
        let agreed = self.agreed.map(|(since, _)| since);
        // What was heard grows old, and with it a return, a charge, a sign, a level.
        let old = [
            self.gauge.level_at(),
            self.gauge.current_at(),
            self.sign.at(),
            self.mains_at.filter(|_| plan.is_some()),
        ];
        let old = old.into_iter().flatten().map(|at| at.after(gauge::STALE));
        old.chain(believed)
            .chain(plan.iter().flat_map(Plan::instants))
            .chain(agreed.map(|since| since.after(proof)))
            .chain(agreed.map(|since| since.after(proof + gauge::STALE)))
            .chain(plan.and_then(|_| self.gauge.still_from()))
            .chain(self.dispute.due())
            .chain(plan.and_then(|_| self.rise.due()))
            .chain(self.doubt.due())
            .chain(self.look.due())
            .chain(self.recovery.due(&settings.power))
            .chain(plan.and_then(|_| self.gauge.expected()))
            .filter(|at| *at > now)
            .min()
    }
}

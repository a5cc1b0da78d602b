//! What can be shown of the policy: what each source says, and what would happen when.

use super::dispute::Dispute;
use super::gauge::{Gauge, Quality};
use super::low::{Limits, Signs};
use super::plan::Plan;
use super::supply::Supply;
use super::{Believed, Power};
use crate::core::budget::StopSpan;
use crate::core::fact::Fault;
use crate::core::picture::Shed;
use crate::core::sense::Last;
use crate::core::settings::Settings;
use crate::units::{Millivolts, Mono, Permille};
use std::time::Duration;

/// What tells of mains alone: a line, a bit of a register, or the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LineView {
    /// What it says; `None` while it is silent.
    pub present: Option<bool>,
    /// When it was heard last, and believed.
    pub at: Option<Mono>,
    /// How far it can be relied on.
    pub quality: Quality,
}

/// The battery's gauge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GaugeView {
    /// What was believed last, however old it is.
    pub said: Gauge,
    /// When its level was heard last, and believed.
    pub at: Option<Mono>,
    /// How far it can be relied on.
    pub quality: Quality,
    /// Why the latest reading failed, if it did.
    pub fault: Option<Fault>,
}

/// How the policy stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PowerView {
    /// What the machine runs on; `None` where nothing tells.
    pub supply: Option<Supply>,
    /// What tells of mains alone; `None` where nothing does, and the current speaks for them.
    pub line: Option<LineView>,
    /// The gauge; `None` where there is none.
    pub gauge: Option<GaugeView>,
    /// What speaks for a low battery.
    pub signs: Signs,
    /// From where on the charge is low.
    pub low_charge: Option<Permille>,
    /// From where on the voltage of the pack is low.
    pub low_voltage: Option<Millivolts>,
    /// Change of the voltage in millivolts an hour, along the latest ten minutes at most.
    pub voltage_per_hour: Option<i64>,
    /// Change of the charge in thousandths an hour.
    pub charge_per_hour: Option<i64>,
    /// Runtime that is left, at least; known only on battery, after a minute.
    pub remaining: Option<Duration>,
    /// Runtime below which the machine is halted.
    pub needed: Duration,
    /// What the stop of the services takes, of that.
    pub span: StopSpan,
    /// Signs that contradict each other.
    pub dispute: Option<Dispute>,
    /// Services that are stopped to save power.
    pub shed: Shed,
    /// What is due in this outage, or in one that began now.
    pub plan: Plan,
    /// There is an outage.
    pub outage: bool,
    /// Services wait until the battery has recovered from one.
    pub recovering: bool,
    /// When they run again, if mains stay and nothing is heard of the battery.
    pub recovered: Option<Mono>,
    /// Halts since mains were seen last, over all boots.
    pub halts_in_vain: u8,
}

impl Power {
    /// How it stands. `span`: what the stop of the services takes.
    pub fn view(&self, now: Mono, settings: &Settings, span: StopSpan) -> PowerView {
        let limits = Limits::of(&settings.power, settings.board.battery.as_ref());
        let plan = self.plan(now, settings);
        let if_cut_now = || Plan::of(now, &self.gauge, None, settings);
        PowerView {
            supply: self.supply,
            line: self.line_heard.then(|| self.line_view()),
            gauge: gauge_view(&self.gauge, now, settings),
            signs: self.signs(now, settings),
            low_charge: limits.charge,
            low_voltage: limits.voltage,
            voltage_per_hour: self.volts.trend().map(|t| t.per_hour),
            charge_per_hour: self.charge.trend().map(|t| t.per_hour),
            remaining: self.remaining(settings, now),
            needed: span.runtime(settings.stop_budget),
            span,
            dispute: self.dispute.told(),
            shed: self.shed,
            plan: plan.unwrap_or_else(if_cut_now),
            outage: plan.is_some(),
            recovering: self.recovery.goes_on(),
            recovered: self.recovery.due(&settings.power),
            halts_in_vain: self.doubt.halts(),
        }
    }

    fn line_view(&self) -> LineView {
        let present = self.line.value();
        LineView {
            present,
            at: self.mains_at,
            quality: match (&self.line, self.mains_at) {
                (Last::At(_), _) => Quality::Good,
                (Last::Never | Last::Gone, Some(_)) => Quality::Stale,
                (Last::Never | Last::Gone, None) => Quality::Absent,
            },
        }
    }
}

fn gauge_view(believed: &Believed, now: Mono, settings: &Settings) -> Option<GaugeView> {
    if !believed.heard && settings.board.battery.is_none() {
        return None;
    }
    Some(GaugeView {
        said: believed.last(),
        at: believed.level_at(),
        quality: believed.quality(now),
        fault: believed.fault.clone(),
    })
}

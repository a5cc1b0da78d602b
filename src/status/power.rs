//! Power in full: what each source says and how old that is, the battery, and what would happen when.

use super::quantity::{Percent, Seconds, Volts};
use super::{BatteryStatus, amperes_of};
use crate::core::budget::Basis;
use crate::core::picture::{HaltCause, Shed};
use crate::core::settings::BESIDE;
use crate::core::{
    Core, GaugeView, Held, LineView, PowerView, Quality, Signs, StopView, Supply, WayDownStep,
};
use crate::text::{dispute_word, fault_sentence, rung_word, shed_word};
use crate::units::Mono;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Power; null on a machine on which nothing tells of mains or of a battery.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct PowerStatus {
    /// `unknown`, `on-line`, `on-battery`, `low-battery` or `forced-shutdown`.
    pub state: String,
    /// Time since mains were first seen gone, in an outage.
    pub outage_seconds: Option<Seconds>,
    /// What tells of mains and of the battery.
    pub sources: Vec<PowerSource>,
    /// Change of the battery's voltage in an hour, in millivolts, without the jumps of the load.
    pub millivolts_per_hour: Option<i64>,
    /// Change of its charge in an hour, in percent.
    pub charge_percent_per_hour: Option<f64>,
    /// From where on the charge is low.
    pub low_charge_percent: Option<Percent>,
    /// From where on the voltage is low.
    pub low_volts: Option<Volts>,
    /// What speaks for a low battery now: `mains-gone`, `charge`, `voltage`, `falling`, `current`.
    pub signs: Vec<String>,
    /// Signs that contradict each other, as in the event `signs-disagree`.
    pub dispute: Option<String>,
    /// Runtime that is left, at least; null if it is not known.
    pub remaining_seconds: Option<Seconds>,
    /// Runtime below which the machine is halted.
    pub needed_seconds: Seconds,
    /// Of that, what services are expected to take that stop one after another; it counts twice.
    #[serde(default)]
    pub stops_seconds: Seconds,
    /// Of that, what the machine takes beside it.
    #[serde(default)]
    pub beside_seconds: Seconds,
    /// What the stop of each service takes that runs or is to.
    #[serde(default)]
    pub stops: Vec<PowerStop>,
    /// Runtime for which `left_seconds` of these is told: what is left, or what is needed where that is
    /// more or is not known.
    #[serde(default)]
    pub fit_seconds: Seconds,
    /// Services that are stopped to save power: `nothing`, `optional` or `normal`.
    pub shed: String,
    /// What is next while mains stay away; on mains, what would be next if they failed now.
    pub next: Vec<PowerStep>,
    /// Why the end of the ride-through is not acted upon now: `returning`, `charging`, `unconfirmed`
    /// or `doubted`.
    pub held: Option<String>,
    /// Halts for want of mains since mains were seen last, over all boots.
    #[serde(default)]
    pub halts_in_vain: u8,
    /// The battery recovers from an outage, and services wait for that.
    #[serde(default)]
    pub recovering: bool,
    /// Time until they run again in any case; null while mains are away.
    #[serde(default)]
    pub recovered_in_seconds: Option<Seconds>,
    /// The rungs of a power-off for want of mains, from its ask on.
    #[serde(default)]
    pub way_down: Vec<PowerRung>,
    /// The board starts the machine by itself when mains are back after a power-off; null: not known.
    #[serde(default)]
    pub comes_back: Option<bool>,
}

/// A rung of a power-off.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PowerRung {
    /// `stopping`, `killing`, `recording`, `syncing`, `cutting` or `asked` (of init).
    pub rung: String,
    /// The longest that it may take; of `asked`, until init stops this daemon.
    pub at_most_seconds: Seconds,
    /// Mains that return while it lasts take the halt back.
    pub can_be_taken_back: bool,
}

/// What the stop of a service takes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PowerStop {
    /// Its name.
    pub service: String,
    /// What is reckoned with, never more than the deadline.
    pub expected_seconds: Seconds,
    /// Its deadline, `stop_timeout`.
    pub deadline_seconds: Seconds,
    /// Why that much: `learned`, or the deadline because `too-few` stops were seen or one was `killed`.
    pub basis: String,
    /// The longest stop that was seen, where it is learned.
    pub longest_seconds: Option<Seconds>,
    /// Stops that are remembered, eight at most.
    pub seen: usize,
    /// It is one of those that stop one after another, and together take longest.
    pub on_chain: bool,
    /// What would be left of its deadline.
    pub left_seconds: Seconds,
}

/// Something that tells of mains or of the battery.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PowerSource {
    /// `line` or `gauge`.
    pub source: String,
    /// How far it can be relied on: `good`, `stale`, `implausible` or `absent`.
    pub quality: String,
    /// Time since it was last heard, and believed.
    pub age_seconds: Option<Seconds>,
    /// Mains, by a line.
    pub mains: Option<bool>,
    /// The battery, by a gauge.
    pub battery: Option<BatteryStatus>,
    /// Why the latest reading failed.
    pub why: Option<String>,
}

/// Something that happens while mains stay away.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PowerStep {
    /// `stop-optional`, `stop-normal` or `halt`.
    pub step: String,
    /// Time until then; zero if it is being done.
    pub in_seconds: Seconds,
    /// Of a halt: `ride-through`, `low-battery`, `gauge-silent` or `asked`.
    pub why: Option<String>,
}

/// How power stands; `None` where nothing tells of it.
pub(super) fn power(core: &Core, now: Mono) -> Option<PowerStatus> {
    let view = core.power(now);
    view.supply?;
    let fit = view
        .remaining
        .map_or(view.needed, |left| left.min(view.needed));
    Some(PowerStatus {
        state: state(view.supply).to_owned(),
        outage_seconds: view
            .supply
            .and_then(Supply::outage)
            .map(|since| Seconds(now.since(since))),
        sources: sources(&view, now),
        millivolts_per_hour: view.voltage_per_hour,
        charge_percent_per_hour: view.charge_per_hour.map(|n| n as f64 / 10.0),
        low_charge_percent: view.low_charge.map(Percent),
        low_volts: view.low_voltage.map(Volts),
        signs: signs(view.signs),
        dispute: view.dispute.map(|d| dispute_word(d).to_owned()),
        remaining_seconds: view.remaining.map(Seconds),
        needed_seconds: Seconds(view.needed),
        stops_seconds: Seconds(view.span.expected.min(core.settings().stop_budget)),
        beside_seconds: Seconds(BESIDE),
        stops: core
            .stop_views(fit)
            .into_iter()
            .map(|stop| stop_of(core, stop))
            .collect(),
        fit_seconds: Seconds(fit),
        shed: shed_word(view.shed).to_owned(),
        next: next(&view, now),
        held: view.plan.held.map(|held| {
            match held {
                Held::Returning => "returning",
                Held::Looking => "looking",
                Held::Charging => "charging",
                Held::Unconfirmed => "unconfirmed",
                Held::Doubted => "doubted",
            }
            .to_owned()
        }),
        halts_in_vain: view.halts_in_vain,
        recovering: view.recovering,
        recovered_in_seconds: view.recovered.map(|at| Seconds(at.since(now))),
        way_down: core.way_down().into_iter().map(rung).collect(),
        comes_back: core.settings().board.comes_back,
    })
}

fn stop_of(core: &Core, stop: StopView) -> PowerStop {
    let (basis, longest) = match stop.basis {
        Basis::Learned { longest } => ("learned", Some(Seconds(longest))),
        Basis::TooFew => ("too-few", None),
        Basis::Killed => ("killed", None),
    };
    PowerStop {
        service: core.settings().name(stop.service).to_owned(),
        expected_seconds: Seconds(stop.expected),
        deadline_seconds: Seconds(stop.deadline),
        basis: basis.to_owned(),
        longest_seconds: longest,
        seen: stop.seen,
        on_chain: stop.on_chain,
        left_seconds: Seconds(stop.left),
    }
}

fn rung(step: WayDownStep) -> PowerRung {
    PowerRung {
        rung: rung_word(step.rung).to_owned(),
        at_most_seconds: Seconds(step.at_most),
        can_be_taken_back: step.can_be_taken_back,
    }
}

fn state(supply: Option<Supply>) -> &'static str {
    match supply {
        Some(Supply::Unknown { .. }) | None => "unknown",
        Some(Supply::OnLine { .. }) => "on-line",
        Some(Supply::OnBattery { .. }) => "on-battery",
        Some(Supply::LowBattery { .. }) => "low-battery",
        Some(Supply::ForcedShutdown { .. }) => "forced-shutdown",
    }
}

fn quality(quality: Quality) -> String {
    match quality {
        Quality::Absent => "absent",
        Quality::Good => "good",
        Quality::Stale => "stale",
        Quality::Implausible => "implausible",
    }
    .to_owned()
}

fn sources(view: &PowerView, now: Mono) -> Vec<PowerSource> {
    let age = |at: Option<Mono>| at.map(|at| Seconds(now.since(at)));
    let line = view.line.as_ref().map(|line: &LineView| PowerSource {
        source: "line".to_owned(),
        quality: quality(line.quality),
        age_seconds: age(line.at),
        mains: line.present,
        battery: None,
        why: None,
    });
    let gauge = view.gauge.as_ref().map(|gauge: &GaugeView| PowerSource {
        source: "gauge".to_owned(),
        quality: quality(gauge.quality),
        age_seconds: age(gauge.at),
        mains: None,
        battery: gauge.at.map(|_| BatteryStatus {
            volts: gauge.said.voltage.map(Volts),
            charge_percent: gauge.said.charge.map(Percent),
            amperes: amperes_of(gauge.said),
        }),
        why: gauge.fault.as_ref().map(fault_sentence),
    });
    line.into_iter().chain(gauge).collect()
}

fn signs(signs: Signs) -> Vec<String> {
    let all = [
        (signs.lost, "mains-gone"),
        (signs.charge, "charge"),
        (signs.voltage, "voltage"),
        (signs.falling, "falling"),
        (signs.draining, "current"),
    ];
    let seen = all.into_iter().filter(|(seen, _)| *seen);
    seen.map(|(_, word)| word.to_owned()).collect()
}

fn next(view: &PowerView, now: Mono) -> Vec<PowerStep> {
    let step = |step: &str, at: Mono, why: Option<&str>| PowerStep {
        step: step.to_owned(),
        in_seconds: Seconds(at.since(now)),
        why: why.map(str::to_owned),
    };
    let plan = &view.plan;
    let optional = plan.optional.filter(|_| view.shed < Shed::Optional);
    let optional = optional.map(|at| step("stop-optional", at, None));
    let normal = plan.normal.filter(|_| view.shed < Shed::Normal);
    let normal = normal.map(|at| step("stop-normal", at, None));
    // A gauge that is heard does not fall silent by itself.
    let silent = view
        .gauge
        .as_ref()
        .is_none_or(|g| g.quality != Quality::Good);
    let halt = match view.supply {
        Some(Supply::ForcedShutdown { cause, .. }) => Some((now, cause)),
        Some(_) | None => plan.next_halt(silent),
    };
    let halt = halt.map(|(at, cause)| step("halt", at, Some(why(cause))));
    optional.into_iter().chain(normal).chain(halt).collect()
}

fn why(cause: HaltCause) -> &'static str {
    match cause {
        HaltCause::RideThrough => "ride-through",
        HaltCause::LowBattery => "low-battery",
        HaltCause::GaugeSilent => "gauge-silent",
        HaltCause::BatterySinks => "battery-sinks",
        HaltCause::Services => "services",
        HaltCause::Network => "network",
        HaltCause::Drill { .. } => "drill",
        HaltCause::Asked { .. } => "asked",
    }
}

impl PowerStatus {
    /// There is an outage.
    pub fn outage(&self) -> Option<Duration> {
        self.outage_seconds.map(|s| s.0)
    }
}

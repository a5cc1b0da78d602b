//! The status LED: what each state means, how its rhythm is told, and what there is to do.

use super::describe::{Fields, cause, time, word};
use super::quantity::for_people;
use super::sentence::fault_sentence;
use super::words::led_word;
use crate::core::fact::Fault;
use crate::core::light::{Figure, LedState, Pace};
use std::time::Duration;

/// A rhythm for people who count flashes: `one long flash, two short ones, a pause`.
pub fn rhythm_words(state: LedState) -> &'static str {
    match state.figure() {
        Figure::Short(1) => "one short flash, a pause",
        Figure::Short(2) => "two short flashes, a pause",
        Figure::Short(3) => "three short flashes, a pause",
        Figure::Short(_) => "four short flashes, a pause",
        Figure::LongShort(1) => "one long flash, one short one, a pause",
        Figure::LongShort(2) => "one long flash, two short ones, a pause",
        Figure::LongShort(_) => "one long flash, three short ones, a pause",
        Figure::Even(Pace::Slow) => "slow blinking, once in two seconds",
        Figure::Even(Pace::Quick) => "quick blinking, twice a second",
        Figure::Even(Pace::Flicker) => "flickering, six times a second",
    }
}

/// What a state means.
pub fn led_meaning(state: LedState) -> &'static str {
    match state {
        LedState::Well => "all is as it should be",
        LedState::Unknown => "nothing bad is seen, and something cannot be seen",
        LedState::Starting => "services are being started",
        LedState::Degraded => "somebody should look some day",
        LedState::OnBattery => "mains are gone, the battery runs the machine",
        LedState::Critical => "something is broken now",
        LedState::Unguarded => {
            "the hardware watchdog cannot be had, or is about to reset the machine"
        }
        LedState::LowBattery => "mains are gone and the battery is low: the machine will be halted",
        LedState::Stopping => "services are being stopped; a halt can still be taken back",
        LedState::Halting => "the machine goes down, and nothing takes that back",
    }
}

/// What there is to do for somebody who stands before the machine.
pub fn led_advice(state: LedState) -> &'static str {
    match state {
        LedState::Well => "nothing",
        LedState::Unknown => "nothing at once; the first line of `fieldwarden status` says what",
        LedState::Starting => "wait two minutes",
        LedState::Degraded => "the first line of `fieldwarden status` says why",
        LedState::OnBattery => "check the mains",
        LedState::Critical => "the first line of `fieldwarden status` says what",
        LedState::Unguarded => {
            "wait a minute; if it goes on, see `watchdog` in `fieldwarden status`"
        }
        LedState::LowBattery => "bring the mains back now",
        LedState::Stopping => "do not cut the power",
        LedState::Halting => "do not cut the power before the LED is dark or lit without blinking",
    }
}

/// Fields of an LED that cannot be had.
pub(super) fn failure(why: &Fault, retry: Duration) -> Fields {
    let mut fields = cause(why);
    fields.push(("retry", time(retry)));
    fields
}

/// Fields of what somebody wants to see.
pub(super) fn wanted(state: LedState, shown: Duration) -> Fields {
    vec![("state", word(led_word(state))), ("for", time(shown))]
}

/// The LED cannot be had.
pub(super) fn failed(name: Option<&str>, why: &Fault, retry: Duration) -> String {
    let name = name.unwrap_or("?");
    let retry = for_people(retry);
    let trouble = match why {
        Fault::Taken { .. } => format!("is {}", fault_sentence(why)),
        Fault::Busy | Fault::Errno(_) | Fault::Absent | Fault::Implausible => {
            format!("cannot be driven ({})", fault_sentence(why))
        }
    };
    format!(
        "LED {name} {trouble}: it does not show how this machine stands; trying again in {retry}; \
         `fieldwarden led list` tells more"
    )
}

/// It can be had again.
pub(super) fn back(name: Option<&str>) -> String {
    format!(
        "LED {} shows again how this machine stands",
        name.unwrap_or("?")
    )
}

/// What somebody wanted to see on it.
pub(super) fn wish(state: LedState, time: Duration) -> String {
    format!(
        "see {} on the LED for {}",
        led_word(state),
        for_people(time)
    )
}

//! Sentences about mains and battery.

use crate::core::Dispute;
use crate::core::picture::Shed;
use crate::text::percent;
use crate::units::{Millivolts, Permille};

pub(super) fn battery_low(
    voltage: Option<Millivolts>,
    charge: Option<Permille>,
    on_mains: bool,
) -> String {
    let parts = [charge.map(percent), voltage.map(|v| v.to_string())];
    let level: Vec<String> = parts.into_iter().flatten().collect();
    let level = match level.is_empty() {
        true => "its level is not known".to_owned(),
        false => level.join(", "),
    };
    match on_mains {
        true => format!("the battery is low ({level}) though mains are there: does it charge?"),
        false => format!("the battery is low ({level}): if that lasts, the machine is halted"),
    }
}

pub(super) fn shedding(shed: Shed) -> &'static str {
    match shed {
        Shed::Nothing => "services that were stopped to save power run again",
        Shed::Optional => "on battery: services of the class optional are stopped",
        Shed::Normal => "on battery: services of the classes optional and normal are stopped",
    }
}

pub(super) fn recovering(shed: Shed) -> &'static str {
    match shed {
        Shed::Nothing => "the battery has recovered from the outage",
        Shed::Optional => {
            "the battery recovers from the outage: services of the class optional wait for that"
        }
        Shed::Normal => {
            "the battery recovers from the outage: services of the classes optional and normal wait \
             for that"
        }
    }
}

pub(super) fn disagree(dispute: Dispute) -> &'static str {
    match dispute {
        Dispute::UsedOnMains => {
            "mains are said to be there, but the battery is being used up: look at the supply, and \
             at the power line of the board"
        }
        Dispute::ChargedOnBattery => {
            "mains are said to be gone, but the battery is being charged: look at the power line of \
             the board, and at its polarity in the board file"
        }
        Dispute::CurrentAgainstVoltage => {
            "the current of the battery contradicts its voltage: is its sign right in the board \
             file?"
        }
    }
}

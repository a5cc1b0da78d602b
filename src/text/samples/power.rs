//! Notes about mains and battery, for tests.

use super::seconds;
use crate::core::Dispute;
use crate::core::note::Note;
use crate::core::picture::Shed;
use crate::units::{Millivolts, Permille};

pub(super) fn power() -> Vec<(Note, &'static str)> {
    vec![
        (Note::MainsLost, "mains are gone: running on battery"),
        (
            Note::OutageTakenUp {
                lasted: seconds(40),
            },
            "mains have been gone for 40 s by the daemon before this one: times count on from there",
        ),
        (
            Note::MainsBack { lasted: seconds(4) },
            "mains are back, they were gone for 4 s",
        ),
        (
            Note::BatteryLow {
                voltage: Some(Millivolts(3_296)),
                charge: Some(Permille(145)),
                on_mains: false,
            },
            "the battery is low (14.5%, 3.29V): if that lasts, the machine is halted",
        ),
        (
            Note::BatteryLow {
                voltage: None,
                charge: Some(Permille(50)),
                on_mains: true,
            },
            "the battery is low (5%) though mains are there: does it charge?",
        ),
        (
            Note::BatteryLow {
                voltage: None,
                charge: None,
                on_mains: false,
            },
            "the battery is low (its level is not known): if that lasts, the machine is halted",
        ),
        (
            Note::Shedding {
                shed: Shed::Optional,
            },
            "on battery: services of the class optional are stopped",
        ),
        (
            Note::Shedding { shed: Shed::Normal },
            "on battery: services of the classes optional and normal are stopped",
        ),
        (
            Note::Shedding {
                shed: Shed::Nothing,
            },
            "services that were stopped to save power run again",
        ),
        (
            Note::Recovering {
                shed: Shed::Optional,
            },
            "the battery recovers from the outage: services of the class optional wait for that",
        ),
        (
            Note::Recovering { shed: Shed::Normal },
            "the battery recovers from the outage: services of the classes optional and normal wait \
             for that",
        ),
        (
            Note::SignsDisagree {
                dispute: Dispute::UsedOnMains,
            },
            "mains are said to be there, but the battery is being used up: look at the supply, and \
             at the power line of the board",
        ),
        (
            Note::SignsDisagree {
                dispute: Dispute::ChargedOnBattery,
            },
            "mains are said to be gone, but the battery is being charged: look at the power line \
             of the board, and at its polarity in the board file",
        ),
        (
            Note::SignsDisagree {
                dispute: Dispute::CurrentAgainstVoltage,
            },
            "the current of the battery contradicts its voltage: is its sign right in the board \
             file?",
        ),
    ]
}

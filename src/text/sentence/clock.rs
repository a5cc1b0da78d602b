//! What is said of clocks.

use crate::core::note::{Doubt, RtcDoubt, Trust};
use crate::text::for_people;
use std::time::Duration;

pub(super) fn trusted(trust: Trust) -> &'static str {
    match trust {
        Trust::Unset => "nobody can tell how right the clock is",
        Trust::Floor => "nobody keeps the clock right: what it shows can be true, and may be wrong",
        Trust::Rtc => "nobody keeps the clock right: the battery-backed clock shows the same time",
        Trust::Synced => "the clock is synchronised",
        Trust::Holdover => "the clock was synchronised, and runs free since",
    }
}

pub(super) fn stepped(by: Duration, ahead: bool) -> String {
    let way = if ahead { "ahead" } else { "back" };
    format!("somebody set the clock {way} by {}", for_people(by))
}

pub(super) fn untrue(doubt: Doubt) -> String {
    match doubt {
        Doubt::Early { by } => format!(
            "it shows a time that is past for certain, by {}; its times mislead until somebody \
             sets it",
            for_people(by)
        ),
        Doubt::Future { by } => format!(
            "it shows a time {} beyond anything known, and nobody vouches for it",
            for_people(by)
        ),
    }
}

pub(super) fn rtc(doubt: RtcDoubt) -> String {
    match doubt {
        RtcDoubt::Stopped => "had stopped: its battery is empty, or it was never set; change the \
                              battery if this comes again after the next boot"
            .to_owned(),
        RtcDoubt::Invalid => {
            "says that its time is not valid: it was never set, or its battery is empty".to_owned()
        }
        RtcDoubt::Frozen => "stands still: is it damaged?".to_owned(),
        RtcDoubt::Untrue(doubt) => format!("is wrong: {}", untrue(doubt)),
        RtcDoubt::Ahead { by } => format!(
            "is {} ahead of the synchronised clock; `hwclock -w` sets it",
            for_people(by)
        ),
        RtcDoubt::Behind { by } => format!(
            "is {} behind the synchronised clock; `hwclock -w` sets it",
            for_people(by)
        ),
    }
}

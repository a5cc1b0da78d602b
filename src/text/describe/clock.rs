//! Fields of notes about clocks.

use super::{Fields, time, word};
use crate::core::note::{Doubt, RtcDoubt};
use crate::text::words::rtc_doubt_word;

/// What speaks against a clock.
pub(super) fn doubt(doubt: RtcDoubt) -> Fields {
    let by = match doubt {
        RtcDoubt::Stopped | RtcDoubt::Invalid | RtcDoubt::Frozen => None,
        RtcDoubt::Untrue(Doubt::Early { by } | Doubt::Future { by }) => Some(by),
        RtcDoubt::Ahead { by } | RtcDoubt::Behind { by } => Some(by),
    };
    let mut fields = vec![("why", word(rtc_doubt_word(doubt)))];
    fields.extend(by.map(|by| ("by", time(by))));
    fields
}

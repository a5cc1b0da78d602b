//! Notes about the firmware's throttle flags.

use super::seconds;
use crate::core::fact::ThrottleFlag;
use crate::core::note::Note;
use crate::units::MilliCelsius;

pub(super) fn notes() -> Vec<(Note, &'static str)> {
    vec![
        (
            Note::ThrottleBegan {
                flag: ThrottleFlag::UnderVoltage,
                temperature: None,
            },
            "the supply voltage is too low: look at power supply, cable and plugs",
        ),
        (
            Note::ThrottleBegan {
                flag: ThrottleFlag::Throttled,
                temperature: Some(MilliCelsius(85_200)),
            },
            "the processor is throttled (at 85.2C): it works slower until that is over",
        ),
        (
            Note::ThrottleEnded {
                flag: ThrottleFlag::FrequencyCapped,
                lasted: seconds(125),
                at_least: false,
                times: 1,
                peak: None,
            },
            "the cap on the processor's frequency is over after 2 min 5 s",
        ),
        (
            Note::ThrottleEnded {
                flag: ThrottleFlag::UnderVoltage,
                lasted: seconds(12),
                at_least: true,
                times: 3,
                peak: Some(MilliCelsius(61_234)),
            },
            "under-voltage is over after at least 12 s (3 times, processor up to 61.2C)",
        ),
        (
            Note::ThrottleBrief {
                flag: ThrottleFlag::UnderVoltage,
                within: seconds(15),
            },
            "under-voltage came and went unseen, within 15 s: look at power supply, cable and plugs",
        ),
        (
            Note::ThrottleEarlier {
                flag: ThrottleFlag::SoftLimit,
            },
            "heat above the soft limit has occurred in this boot, before fieldwarden looked",
        ),
    ]
}

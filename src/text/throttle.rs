//! Words for the firmware's throttle flags: in one word, in a sentence, and at length.

use super::describe::{Fields, Value};
use super::quantity::for_people;
use super::words::throttle_word;
use crate::core::fact::{ThrottleFlag, ThrottleFlags};
use crate::units::MilliCelsius;
use std::time::Duration;

/// Bits that a firmware is known to set.
const KNOWN: u32 = 0x000f_000f;

/// What a flag says, as a clause.
pub fn throttle_clause(flag: ThrottleFlag) -> &'static str {
    match flag {
        ThrottleFlag::UnderVoltage => "the supply voltage is too low",
        ThrottleFlag::FrequencyCapped => "the firmware caps the processor's frequency",
        ThrottleFlag::Throttled => "the processor is throttled",
        ThrottleFlag::SoftLimit => "the processor is above its soft temperature limit",
    }
}

/// What to do about it, in a few words.
fn remedy(flag: ThrottleFlag) -> &'static str {
    match flag {
        ThrottleFlag::UnderVoltage => "look at power supply, cable and plugs",
        ThrottleFlag::FrequencyCapped | ThrottleFlag::Throttled | ThrottleFlag::SoftLimit => {
            "it works slower until that is over"
        }
    }
}

pub(super) fn began(flag: ThrottleFlag, temperature: Option<MilliCelsius>) -> String {
    let at = temperature.map_or_else(String::new, |t| format!(" (at {t})"));
    format!("{}{at}: {}", throttle_clause(flag), remedy(flag))
}

pub(super) fn ended(
    flag: ThrottleFlag,
    lasted: Duration,
    at_least: bool,
    times: u32,
    peak: Option<MilliCelsius>,
) -> String {
    let at_least = if at_least { "at least " } else { "" };
    let mut details = Vec::new();
    if times > 1 {
        details.push(format!("{times} times"));
    }
    details.extend(peak.map(|t| format!("processor up to {t}")));
    let details = match details.is_empty() {
        true => String::new(),
        false => format!(" ({})", details.join(", ")),
    };
    format!(
        "{} is over after {at_least}{}{details}",
        noun(flag),
        for_people(lasted)
    )
}

pub(super) fn brief(flag: ThrottleFlag, within: Duration) -> String {
    format!(
        "{} came and went unseen, within {}: {}",
        noun(flag),
        for_people(within),
        match flag {
            ThrottleFlag::UnderVoltage => remedy(flag),
            ThrottleFlag::FrequencyCapped | ThrottleFlag::Throttled | ThrottleFlag::SoftLimit =>
                "it worked slower meanwhile",
        }
    )
}

pub(super) fn earlier(flag: ThrottleFlag) -> String {
    format!(
        "{} has occurred in this boot, before fieldwarden looked",
        noun(flag)
    )
}

/// The flag as the subject of a sentence.
fn noun(flag: ThrottleFlag) -> &'static str {
    match flag {
        ThrottleFlag::UnderVoltage => "under-voltage",
        ThrottleFlag::FrequencyCapped => "the cap on the processor's frequency",
        ThrottleFlag::Throttled => "throttling",
        ThrottleFlag::SoftLimit => "heat above the soft limit",
    }
}

/// The fields that begin every note about a flag.
pub(super) fn fields<const N: usize>(
    flag: ThrottleFlag,
    rest: [(&'static str, Value); N],
) -> Fields {
    let mut fields = vec![("flag", Value::Text(throttle_word(flag).to_owned()))];
    fields.extend(rest);
    fields
}

/// The same with a temperature, if it is known.
pub(super) fn heated(
    mut fields: Fields,
    name: &'static str,
    temperature: Option<MilliCelsius>,
) -> Fields {
    fields.extend(temperature.map(|t| (name, Value::Heat(t))));
    fields
}

/// The flags as the firmware's tools write them: `0x50005`.
pub fn throttle_flags(flags: ThrottleFlags) -> String {
    format!("{:#x}", flags.0)
}

/// What the flags say, at length: one paragraph for each bit, and what its owner can do.
pub fn explain(flags: ThrottleFlags) -> Vec<String> {
    let mut paragraphs = vec![format!("{}: {}", throttle_flags(flags), summary(flags))];
    for flag in ThrottleFlag::ALL {
        if flags.now(flag) {
            let bit = flag.bit();
            let clause = throttle_clause(flag);
            let text = format!("bit {bit}, now: {clause}.\n{}", meaning(flag));
            paragraphs.push(text);
        }
    }
    for flag in ThrottleFlag::ALL {
        if flags.occurred(flag) {
            let bit = flag.bit() + ThrottleFlags::OCCURRED;
            let more = match flags.now(flag) {
                true => String::new(),
                false => format!("\n{}", meaning(flag)),
            };
            paragraphs.push(format!(
                "bit {bit}, has occurred: {}.{more}",
                occurred(flag)
            ));
        }
    }
    if flags.0 & !KNOWN != 0 {
        let bits = bits(flags.0 & !KNOWN);
        paragraphs.push(format!("{bits}: not known to this version."));
    }
    if flags.0 >> ThrottleFlags::OCCURRED != 0 {
        paragraphs.push(
            "\"Has occurred\" counts from the boot, or from the last time that somebody cleared \
             these bits; the kernel's\nown driver (raspberrypi-hwmon) does so every two seconds. \
             `fieldwarden status` keeps its own count."
                .to_owned(),
        );
    }
    if flags.0 == 0 {
        paragraphs.push(
            "Boards of the Zero family cannot tell under-voltage: there, this says nothing about \
             the supply."
                .to_owned(),
        );
    }
    paragraphs
}

/// The bits that are set, as `bit 4` or `bits 4, 6 to 9`.
fn bits(set: u32) -> String {
    let is_set = |bit: &u32| set & (1 << bit) != 0;
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for bit in (0..u32::BITS).filter(is_set) {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == bit => *last = bit,
            Some(_) | None => runs.push((bit, bit)),
        }
    }
    let names: Vec<String> = runs
        .iter()
        .map(|(first, last)| match last - first {
            0 => first.to_string(),
            1 => format!("{first}, {last}"),
            _ => format!("{first} to {last}"),
        })
        .collect();
    let bits = if set.count_ones() == 1 { "bit" } else { "bits" };
    format!("{bits} {}", names.join(", "))
}

fn summary(flags: ThrottleFlags) -> &'static str {
    let is = ThrottleFlag::ALL.iter().any(|f| flags.now(*f));
    let was = ThrottleFlag::ALL.iter().any(|f| flags.occurred(*f));
    match (flags.0 & !KNOWN != 0, is, was) {
        (_, true, _) => "something is wrong now",
        (_, false, true) => "all is well now, and was not always",
        (false, false, false) => "all is well: voltage and temperature are and were in order",
        (true, false, false) => "none of the bits that this version knows",
    }
}

fn occurred(flag: ThrottleFlag) -> &'static str {
    match flag {
        ThrottleFlag::UnderVoltage => "the supply voltage was too low",
        ThrottleFlag::FrequencyCapped => "the firmware capped the processor's frequency",
        ThrottleFlag::Throttled => "the processor was throttled",
        ThrottleFlag::SoftLimit => "the processor was above its soft temperature limit",
    }
}

/// What it means for the owner, and what to do.
fn meaning(flag: ThrottleFlag) -> &'static str {
    match flag {
        ThrottleFlag::UnderVoltage => {
            "  It means: the board gets less than about 4.63 V. It may crash, lose USB devices, or \
             spoil its card.\n  Do: use the power supply that is made for this board, a short and \
             thick cable, no hub in between;\n  take power-hungry USB devices off, or give them \
             power of their own; look for corroded plugs.\n  On a UPS: its cell or its converter \
             may be too weak for the load."
        }
        ThrottleFlag::FrequencyCapped => {
            "  It means: programs run slower than this board can. The reason is heat or low \
             voltage; its bit is set too.\n  Do: see to the reason."
        }
        ThrottleFlag::Throttled => {
            "  It means: the board protects itself by running much slower. Deadlines of services \
             may be missed.\n  Do: if it is hot, give it a heat sink, a fan, shade or less to do; \
             if the voltage is low, see to that first."
        }
        ThrottleFlag::SoftLimit => {
            "  It means: it is warm enough for the firmware to slow the board down a little (60 C \
             on a 3B+ unless\n  temp_soft_limit says otherwise, 80 C on others). It is not in \
             danger.\n  Do: better cooling, if the speed is needed."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every bit that is set is explained, no other one is, and zero is good news.
    #[test]
    fn every_bit_is_explained() {
        for number in 0..32 {
            let told = explain(ThrottleFlags(1 << number)).join("\n");
            for bit in 0..32 {
                let named = told.lines().any(|l| {
                    l.starts_with(&format!("bit {bit}:")) || l.starts_with(&format!("bit {bit},"))
                });
                assert_eq!(named, bit == number, "{number}: {told}");
            }
            assert_eq!(told.contains("not known"), KNOWN & (1 << number) == 0);
            assert_eq!(
                told.contains("  Do: "),
                KNOWN & (1 << number) != 0,
                "{told}"
            );
        }
        let nothing = explain(ThrottleFlags(0));
        let good = "0x0: all is well: voltage and temperature are and were in order";
        assert_eq!((nothing.len(), &*nothing[0]), (2, good));
        assert_eq!(explain(ThrottleFlags(u32::MAX)).len(), 11);
    }

    /// No line is wider than a terminal of usual width times a quarter more.
    #[test]
    fn lines_are_short() {
        let told = explain(ThrottleFlags(u32::MAX)).join("\n");
        let wide: Vec<&str> = told.lines().filter(|l| l.chars().count() > 110).collect();
        assert!(wide.is_empty(), "{wide:?}");
    }
}

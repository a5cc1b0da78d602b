//! Words about how the boot before ended.

use super::Value;
use super::describe::{Fields, time, word};
use super::halt::{cause_fields, cause_sentence, known, of};
use super::marker::{firmware_word, intent_word};
use super::quantity::wall;
use super::words::{halt_kind_word, halt_phase_word, thread_word};
use crate::core::intent::{FoundMarker, Intent, in_time};
use crate::core::traces::Sample;
use crate::core::{Confidence, End};
use crate::units::Mono;

/// The word for how a boot ended.
pub fn end_word(end: End) -> &'static str {
    match end {
        End::FirstBoot => "first-boot",
        End::Halted { .. } => "halted",
        End::PlannedCut { .. } => "planned-cut",
        End::InHalt { .. } => "in-halt",
        End::Drill { .. } => "drill",
        End::AskedToEnd => "asked-to-end",
        End::CutOnBattery => "cut-on-battery",
        End::BatteryEmpty => "battery-empty",
        End::BrownOut => "brown-out",
        End::MainsCut => "mains-cut",
        End::CutOrHang => "cut-or-hang",
        End::Withheld { .. } => "withheld",
        End::Hang => "hang",
        End::Panic => "panic",
        End::Unknown => "unknown",
    }
}

/// The word for how sure a verdict is: `certain`, `likely`, `possible`.
pub fn confidence_word(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Possible => "possible",
        Confidence::Likely => "likely",
        Confidence::Certain => "certain",
    }
}

/// How a boot ended, as a sentence without its beginning.
pub fn end_sentence(end: End) -> String {
    match end {
        End::FirstBoot => "not known, nothing was recorded before this start".to_owned(),
        End::Halted { kind, cause } => format!(
            "was ended by us ({}), because {}",
            halt_kind_word(kind),
            cause_sentence(cause)
        ),
        End::PlannedCut { cause } => format!(
            "was ended by us, and its board cut the power, because {}",
            cause_sentence(cause)
        ),
        End::InHalt { cause } => format!(
            "went down in the middle of a halt, begun because {}",
            cause_sentence(cause)
        ),
        End::Drill { by, took, timeout } => super::drill::end(by, took, timeout),
        End::AskedToEnd => "was shut down: we were asked to end before it went down".to_owned(),
        End::CutOnBattery => "lost its power while it ran on battery".to_owned(),
        End::BatteryEmpty => "ended when its battery ran empty".to_owned(),
        End::BrownOut => "ended because its supply was too weak, and broke down".to_owned(),
        End::MainsCut => "ended without warning: its power was cut".to_owned(),
        End::CutOrHang => "ended without warning: its power was cut, or it hung".to_owned(),
        End::Withheld { thread } => format!(
            "was reset by the watchdog, because our {} thread was stuck",
            thread_word(thread)
        ),
        End::Hang => "was reset without warning: it hung, or the daemon did".to_owned(),
        End::Panic => "ended with a panic of its kernel".to_owned(),
        End::Unknown => "ended in a way that nothing tells of".to_owned(),
    }
}

/// The fields of the event.
pub(super) fn fields(end: End, confidence: Confidence, left: Option<&FoundMarker>) -> Fields {
    let mut fields = vec![
        ("end", word(end_word(end))),
        ("confidence", word(confidence_word(confidence))),
    ];
    match end {
        End::Halted { kind, cause } => fields.extend(of(kind, cause)),
        End::PlannedCut { cause } | End::InHalt { cause } => fields.extend(cause_fields(cause)),
        End::Withheld { thread } => fields.push(("thread", word(thread_word(thread)))),
        End::Drill { by, took, timeout } => {
            fields.push(super::describe::asker(by));
            fields.extend([("took", time(took)), ("timeout", time(timeout))]);
            fields.push(("in-time", Value::Flag(in_time(took, timeout))));
        }
        End::FirstBoot
        | End::AskedToEnd
        | End::CutOnBattery
        | End::BatteryEmpty
        | End::BrownOut
        | End::MainsCut
        | End::CutOrHang
        | End::Hang
        | End::Panic
        | End::Unknown => {}
    }
    if let Some(left) = left {
        fields.extend(evidence(left));
    }
    fields.push(("reset", word(known(left.and_then(|left| left.reset)))));
    fields
}

/// What was found of the boot before, as far as something was.
fn evidence(left: &FoundMarker) -> Fields {
    let (marker, traces) = (&left.marker, &left.traces);
    let mut fields = vec![("intent", word(intent_word(marker.intent)))];
    if let Intent::Halt { phase, .. } = marker.intent {
        fields.push(("phase", word(halt_phase_word(phase))));
    }
    fields.push(("mains", word(known(marker.mains))));
    let Sample {
        level,
        voltage,
        weak,
        low,
    } = marker.sample;
    fields.extend(level.map(|level| ("level", Value::Share(level))));
    fields.extend(voltage.map(|volts| ("volts", Value::Volts(volts))));
    fields.extend(weak.map(|weak| ("weak", Value::Flag(weak))));
    fields.extend(low.then_some(("low", Value::Flag(true))));
    if let Some(alive) = traces.alive {
        fields.push(("alive", time(alive.since(Mono::default()))));
    }
    fields.extend(traces.at.map(|at| ("at", Value::Text(wall(at)))));
    fields.extend(traces.gap.map(|gap| ("gap", time(gap))));
    fields.extend(
        traces
            .firmware
            .map(|f| ("firmware", word(firmware_word(f)))),
    );
    fields.extend(traces.panic.then_some(("panic", Value::Flag(true))));
    fields
}

/// The event as a sentence.
pub(super) fn sentence(end: End, confidence: Confidence) -> String {
    let text = end_sentence(end);
    match end {
        End::FirstBoot => format!("the boot before: {text}"),
        End::Halted { .. }
        | End::InHalt { .. }
        | End::PlannedCut { .. }
        | End::Drill { .. }
        | End::AskedToEnd
        | End::CutOnBattery
        | End::BatteryEmpty
        | End::BrownOut
        | End::MainsCut
        | End::CutOrHang
        | End::Withheld { .. }
        | End::Hang
        | End::Panic
        | End::Unknown => format!("the boot before {text} ({})", confidence_word(confidence)),
    }
}

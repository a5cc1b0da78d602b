//! Words of the marker: what is to come, the outage that goes on, and how the boot before ended.

use super::halt::{cause_text, known};
use super::past::{confidence_word, end_word};
use super::quantity::{percent, seconds, volts, wall};
use super::words::{asker, flag, halt_kind_word, halt_phase_word, shed_word, thread_word};
use crate::core::intent::{CutTold, FoundMarker, Intent, LetGo, Marker, Outage, Proof};
use crate::core::traces::{Firmware, Sample, Traces};
use crate::core::{End, LastBoot};

/// A marker on one line: `intent=halt kind=poweroff cause=low-battery phase=begun mains=no attempts=0`.
pub fn marker(marker: &Marker) -> String {
    let intent = match marker.intent {
        Intent::Run | Intent::Exit | Intent::Leave => String::new(),
        Intent::Withhold { thread } => format!(" thread={}", thread_word(thread)),
        Intent::Halt { kind, cause, phase } => format!(
            " kind={} {} phase={}",
            halt_kind_word(kind),
            cause_text(cause),
            halt_phase_word(phase)
        ),
    };
    let in_vain = match marker.in_vain {
        0 => String::new(),
        halts => format!(" in-vain={halts}"),
    };
    let sunk = match marker.sunk {
        0 => String::new(),
        halts => format!(" sunk={halts}"),
    };
    let ages: Vec<String> = marker.reboots.ages().map(|age| age.to_string()).collect();
    let reboots = match &ages[..] {
        [] => String::new(),
        ages => format!(" reboots={}", ages.join(",")),
    };
    let cut = match marker.cut {
        CutTold::No => String::new(),
        CutTold::Maybe => " cut=maybe".to_owned(),
        CutTold::Taken { since } => format!(" cut=yes told={since}"),
    };
    let outage = marker.outage.map_or_else(String::new, outage_text);
    let before = marker.before.map_or_else(String::new, before_text);
    let sample = sample_text(&marker.sample);
    let dated = if marker.dated { " dated=yes" } else { "" };
    let let_go = marker
        .let_go
        .map_or_else(String::new, |LetGo { since, timeout }| {
            format!(" let-go={since} bites-in={}", seconds(timeout))
        });
    let proof = marker.proof.map_or_else(String::new, proof_text);
    format!(
        "intent={}{intent} mains={} attempts={}{in_vain}{sunk}{reboots}{cut}{outage}{before}{sample}{dated}{let_go}{proof}",
        intent_word(marker.intent),
        known(marker.mains),
        marker.attempts
    )
}

/// What a drill has proven, behind a space: ` bit-after=14s bit-timeout=15s bit-at=TIME`.
fn proof_text(proof: Proof) -> String {
    let (took, timeout) = (seconds(proof.took), seconds(proof.timeout));
    let at = proof
        .at
        .map_or_else(String::new, |at| format!(" bit-at={}", wall(at)));
    format!(" bit-after={took} bit-timeout={timeout}{at}")
}

/// What was last seen of power, behind a space: ` level=64% volts=3.71V weak=no low=yes`.
fn sample_text(sample: &Sample) -> String {
    let Sample {
        level,
        voltage,
        weak,
        low,
    } = *sample;
    let level = level.map_or_else(String::new, |l| format!(" level={}", percent(l)));
    let voltage = voltage.map_or_else(String::new, |v| format!(" volts={}", volts(v)));
    let weak = weak.map_or_else(String::new, |weak| format!(" weak={}", flag(weak)));
    let low = if low { " low=yes" } else { "" };
    format!("{level}{voltage}{weak}{low}")
}

/// What else was found, behind a space: ` alive=812.345 at=2031-07-04T12:34:56Z gap=30s
/// firmware=power-on panic=yes`.
fn traces_text(traces: &Traces) -> String {
    let Traces {
        alive,
        at,
        gap,
        firmware,
        panic,
    } = *traces;
    let alive = alive.map_or_else(String::new, |at| format!(" alive={at}"));
    let at = at.map_or_else(String::new, |at| format!(" at={}", wall(at)));
    let gap = gap.map_or_else(String::new, |gap| format!(" gap={}", seconds(gap)));
    let firmware = firmware.map_or_else(String::new, |f| format!(" firmware={}", firmware_word(f)));
    let panic = if panic { " panic=yes" } else { "" };
    format!("{alive}{at}{gap}{firmware}{panic}")
}

pub(super) fn firmware_word(firmware: Firmware) -> &'static str {
    match firmware {
        Firmware::PowerOn => "power-on",
        Firmware::Reset => "reset",
        Firmware::Weak => "weak",
    }
}

/// An outage that goes on, behind a space: ` outage=812.345 confirmed=yes shed=optional charge=64%
/// dark=830.000`.
fn outage_text(outage: Outage) -> String {
    let Outage {
        since,
        confirmed,
        shed,
        charge,
        dark,
    } = outage;
    let charge = charge.map_or_else(String::new, |c| format!(" charge={}", percent(c)));
    let dark = dark.map_or_else(String::new, |at| format!(" dark={at}"));
    let (confirmed, shed) = (flag(confirmed), shed_word(shed));
    format!(" outage={since} confirmed={confirmed} shed={shed}{charge}{dark}")
}

/// How the boot before ended, behind a space: ` before=halted confidence=likely kind=poweroff
/// cause=low-battery`.
fn before_text(before: LastBoot) -> String {
    let LastBoot { end, confidence } = before;
    let more = match end {
        End::Halted { kind, cause } => {
            format!(" kind={} {}", halt_kind_word(kind), cause_text(cause))
        }
        End::PlannedCut { cause } | End::InHalt { cause } => format!(" {}", cause_text(cause)),
        End::Drill { by, took, timeout } => {
            let (took, timeout) = (seconds(took), seconds(timeout));
            format!(" {} took={took} timeout={timeout}", asker(by))
        }
        End::Withheld { thread } => format!(" thread={}", thread_word(thread)),
        End::FirstBoot
        | End::AskedToEnd
        | End::CutOnBattery
        | End::BatteryEmpty
        | End::BrownOut
        | End::MainsCut
        | End::CutOrHang
        | End::Hang
        | End::Panic
        | End::Unknown => String::new(),
    };
    let (end, confidence) = (end_word(end), confidence_word(confidence));
    format!(" before={end} confidence={confidence}{more}")
}

/// A marker that was found, on one line.
pub(super) fn found_marker(left: &FoundMarker) -> String {
    let lasts = if left.lasts { "" } else { " lasts=no" };
    format!(
        "{} boot={} reset={}{lasts}{}",
        marker(&left.marker),
        if left.same_boot { "same" } else { "other" },
        known(left.reset),
        traces_text(&left.traces)
    )
}

pub(super) fn intent_word(intent: Intent) -> &'static str {
    match intent {
        Intent::Run => "run",
        Intent::Exit => "exit",
        Intent::Leave => "leave",
        Intent::Withhold { .. } => "withhold",
        Intent::Halt { .. } => "halt",
    }
}

//! Words about the end of the machine: halts, and how the boot before ended.

use super::Value;
use super::describe::{Fields, cause as why_fields, time, word};
use super::quantity::for_people;
use super::sentence::{fault_sentence, person};
use super::words::{asker, flag, halt_kind_word};
use crate::core::fact::HaltKind;
use crate::core::note::HaltNote;
use crate::core::picture::{HaltCause, Rung};

/// The word for why a machine is halted; who asked stands beside it.
pub fn cause_word(cause: HaltCause) -> &'static str {
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

/// Why a machine is halted, to stand behind "because".
pub fn cause_sentence(cause: HaltCause) -> String {
    match cause {
        HaltCause::RideThrough => "mains stayed away for too long".to_owned(),
        HaltCause::LowBattery => "the battery is low".to_owned(),
        HaltCause::GaugeSilent => {
            "it runs on battery, and nothing tells how full that is".to_owned()
        }
        HaltCause::BatterySinks => {
            "the battery sinks, though mains are said to be there".to_owned()
        }
        HaltCause::Services => "services could not be kept up".to_owned(),
        HaltCause::Network => "the way out could not be repaired".to_owned(),
        HaltCause::Drill { by } => format!("{} asked for a drill of the watchdog", person(by)),
        HaltCause::Asked { by } => format!("{} asked for it", person(by)),
    }
}

/// The word for a rung of a halt.
pub fn rung_word(rung: Rung) -> &'static str {
    match rung {
        Rung::Looking => "looking",
        Rung::Stopping => "stopping",
        Rung::Killing => "killing",
        Rung::Recording => "recording",
        Rung::Syncing => "syncing",
        Rung::Cutting => "cutting",
        Rung::Asked => "asked",
        Rung::Rescuing => "rescuing",
        Rung::Forced => "forced",
        Rung::WatchdogReset => "watchdog-reset",
    }
}

pub(super) fn cause_text(cause: HaltCause) -> String {
    let word = cause_word(cause);
    match cause {
        HaltCause::RideThrough
        | HaltCause::LowBattery
        | HaltCause::GaugeSilent
        | HaltCause::BatterySinks
        | HaltCause::Services
        | HaltCause::Network => {
            format!("cause={word}")
        }
        HaltCause::Asked { by } | HaltCause::Drill { by } => {
            format!("cause={word} {}", asker(by))
        }
    }
}

pub(super) fn known(value: Option<bool>) -> &'static str {
    value.map_or("unknown", flag)
}

fn sink_doubted(halts: u8) -> String {
    format!(
        "the battery sinks though mains are said to be there, and {halts} halts in a row have not \
         charged it: the machine is not halted for it any more; look at the gauge and at what tells of \
         mains"
    )
}

pub(super) fn wish(kind: HaltKind) -> &'static str {
    match kind {
        HaltKind::PowerOff => "turn the machine off",
        HaltKind::Reboot => "restart the machine",
    }
}

/// What a halt comes to, in the middle of a sentence.
fn deed(kind: HaltKind) -> &'static str {
    match kind {
        HaltKind::PowerOff => "turning this machine off",
        HaltKind::Reboot => "restarting this machine",
    }
}

pub(super) fn describe(note: &HaltNote) -> (&'static str, Fields) {
    match note {
        HaltNote::Halting {
            kind,
            cause,
            budget,
        } => {
            let mut fields = of(*kind, *cause);
            fields.push(("budget", time(*budget)));
            ("halting", fields)
        }
        HaltNote::HaltTakenUp {
            kind,
            cause,
            same_boot,
        } => {
            let mut fields = of(*kind, *cause);
            fields.push(("same-boot", Value::Flag(*same_boot)));
            ("halt-taken-up", fields)
        }
        HaltNote::HaltCancelled { cause } => ("halt-cancelled", cause_fields(*cause)),
        HaltNote::HaltTurned { cause } => ("halt-turned", cause_fields(*cause)),
        HaltNote::CutStays { why } => ("cut-stays", why.iter().flat_map(why_fields).collect()),
        HaltNote::HaltGivenUp { attempts } => (
            "halt-given-up",
            vec![("attempts", Value::Count(u64::from(*attempts)))],
        ),
        HaltNote::MainsDoubted { halts } => (
            "mains-doubted",
            vec![("halts", Value::Count(u64::from(*halts)))],
        ),
        HaltNote::SinkDoubted { halts } => (
            "sink-doubted",
            vec![("halts", Value::Count(u64::from(*halts)))],
        ),
        HaltNote::RungMissed { rung, why } => {
            let mut fields = vec![("rung", word(rung_word(*rung)))];
            fields.extend(why.iter().flat_map(why_fields));
            ("rung-missed", fields)
        }
        HaltNote::InitAsked { kind } => ("init-asked", vec![kind_field(*kind)]),
        HaltNote::HaltForced { kind } => ("halt-forced", vec![kind_field(*kind)]),
        HaltNote::HaltLeftToWatchdog => ("halt-left-to-watchdog", vec![]),
        HaltNote::WatchdogStretched { timeout } => {
            ("watchdog-stretched", vec![("timeout", time(*timeout))])
        }
        HaltNote::LastBoot {
            end,
            confidence,
            left,
        } => (
            "last-boot",
            super::past::fields(*end, *confidence, left.as_deref()),
        ),
        HaltNote::DrillRefused { why } => ("drill-refused", super::drill::refused(*why)),
        HaltNote::DrillBites { within } => ("drill-bites", vec![("within", time(*within))]),
        HaltNote::DrillFailed { waited } => ("drill-failed", vec![("waited", time(*waited))]),
        HaltNote::MarkerFailed { why } => ("marker-failed", why_fields(why)),
    }
}

pub(super) fn of(kind: HaltKind, cause: HaltCause) -> Fields {
    let mut fields = vec![kind_field(kind)];
    fields.extend(cause_fields(cause));
    fields
}

fn kind_field(kind: HaltKind) -> (&'static str, Value) {
    ("kind", word(halt_kind_word(kind)))
}

pub(super) fn cause_fields(cause: HaltCause) -> Fields {
    let mut fields = vec![("cause", word(cause_word(cause)))];
    if let HaltCause::Asked { by } | HaltCause::Drill { by } = cause {
        fields.push(super::describe::asker(by));
    }
    fields
}

pub(super) fn sentence(note: &HaltNote) -> String {
    match note {
        HaltNote::Halting {
            kind,
            cause,
            budget,
        } => format!(
            "{}, because {}: services have {} to end",
            deed(*kind),
            cause_sentence(*cause),
            for_people(*budget)
        ),
        HaltNote::HaltTakenUp {
            cause, same_boot, ..
        } => taken_up(*cause, *same_boot),
        HaltNote::HaltCancelled { cause } => cancelled(*cause).to_owned(),
        HaltNote::HaltTurned { .. } => {
            "mains are back too late to stay on: restarting this machine instead of leaving it off"
                .to_owned()
        }
        HaltNote::CutStays { why } => stays(why.as_ref()),
        HaltNote::HaltGivenUp { attempts } => format!(
            "the halt of an earlier boot is not finished any more after {attempts} in a row: \
             services start; look at the sensor of the mains"
        ),
        HaltNote::MainsDoubted { halts } => format!(
            "mains are said to be gone, and were not seen since {halts} halts in a row: only the battery \
             decides now; look at what tells of mains"
        ),
        HaltNote::SinkDoubted { halts } => sink_doubted(*halts),
        HaltNote::RungMissed { rung, why } => missed(*rung, why.as_ref()),
        HaltNote::InitAsked { kind } => {
            format!("asked init: {}; nothing can be taken back now", deed(*kind))
        }
        HaltNote::HaltForced { kind } => format!(
            "init does not do it: {} without it, after making file systems read-only",
            deed(*kind)
        ),
        HaltNote::HaltLeftToWatchdog => {
            "the kernel does not halt this machine: no more pets, the hardware resets it".to_owned()
        }
        HaltNote::WatchdogStretched { timeout } => format!(
            "while init unmounts everything, the hardware watchdog waits for {}",
            for_people(*timeout)
        ),
        HaltNote::LastBoot {
            end, confidence, ..
        } => super::past::sentence(*end, *confidence),
        HaltNote::DrillRefused { why } => super::drill::refusal(*why),
        HaltNote::DrillBites { within } => super::drill::bites(*within),
        HaltNote::DrillFailed { waited } => super::drill::failed(*waited),
        HaltNote::MarkerFailed { why } => format!(
            "what is to come cannot be written down ({}): after a reset the next boot will not \
             know; is `state_dir` writable?",
            fault_sentence(why)
        ),
    }
}

fn cancelled(cause: HaltCause) -> &'static str {
    match cause {
        HaltCause::Services | HaltCause::Network => {
            "it runs on its battery, or nobody restarts it: this machine stays on, and its services come \
             back"
        }
        HaltCause::Drill { .. } => {
            "it runs on its battery, or somebody works on it: no drill, and services come back"
        }
        HaltCause::RideThrough
        | HaltCause::LowBattery
        | HaltCause::GaugeSilent
        | HaltCause::BatterySinks
        | HaltCause::Asked { .. } => {
            "mains are back in time: this machine stays on, and its services come back"
        }
    }
}

fn taken_up(cause: HaltCause, same_boot: bool) -> String {
    let cause = cause_sentence(cause);
    match same_boot {
        true => format!(
            "the daemon before this one was halting this machine, because {cause}: going on with it"
        ),
        false => format!(
            "the boot before was being halted, because {cause}: unless mains are back, that is \
             finished before any service starts"
        ),
    }
}

/// A board cuts the power although mains are back.
fn stays(why: Option<&crate::core::fact::Fault>) -> String {
    let why = why.map_or("no answer in time".into(), fault_sentence);
    format!(
        "the machine is to run, but the board cannot be told to keep the power on ({why}): it cuts the \
         power soon"
    )
}

/// A rung that was not climbed.
fn missed(rung: Rung, why: Option<&crate::core::fact::Fault>) -> String {
    let what = match rung {
        Rung::Looking => "looking for mains",
        Rung::Stopping => "stopping the services",
        Rung::Killing => "killing what is left of the services",
        Rung::Recording => "writing down what is to come",
        Rung::Syncing => "syncing the file systems",
        Rung::Cutting => "telling the board to cut the power",
        Rung::Asked => "init",
        Rung::Rescuing => "the last sync",
        Rung::Forced => "the kernel",
        Rung::WatchdogReset => "the hardware",
    };
    match why {
        Some(why) => format!("halting: {what} failed ({}); going on", fault_sentence(why)),
        None => format!("halting: {what} took too long; going on without"),
    }
}

//! Words about what the guards of clocks, disks, memory and network saw, found, or did.

use super::describe::{Fields, Value, cause, count, time, word};
use super::quantity::{for_people, percent, seconds, wall};
use super::sentence::fault_sentence;
use super::token;
use super::words::{flag, shed_word};
use crate::core::fact::{Fault, Reading, Source, Wear};
use crate::core::note::GuardNote;
use crate::core::picture::{Shed, Verdict};
use crate::core::settings::Settings;
use crate::units::Permille;

/// A reading of a guard as words of a trace; nothing for any other one.
pub(super) fn seen(reading: &Reading, settings: &Settings) -> String {
    match reading {
        Reading::Canary { canary, took } => {
            let dir = token(settings.canary(*canary));
            format!("canary {dir} took={}", seconds(*took))
        }
        Reading::Cap { cap, size, freed } => {
            let freed = freed.map(|f| format!(" files={} freed={}", f.files, f.bytes));
            let (name, freed) = (token(settings.cap(*cap)), freed.unwrap_or_default());
            format!("cap {name} size={size}{freed}")
        }
        Reading::Wear { mount, wear } => {
            let (life, spare) = (wear.life, wear.spare);
            let mount = token(settings.mount(*mount));
            format!("wear {mount} life={life} spare={spare}")
        }
        Reading::Pressure { full } => format!("pressure full={}", percent(*full)),
        Reading::Uplink(uplink) => super::network::uplink(uplink),
        Reading::Expiry { expiry, ends } => {
            let name = token(settings.expiry(*expiry));
            format!("expiry {name} ends={}", wall(*ends))
        }
        Reading::Swap(swap) => format!(
            "swap read={} written={} on-disk={}",
            swap.read,
            swap.written,
            flag(swap.on_disk)
        ),
        _ => String::new(),
    }
}

/// What one of these sources is called for people.
pub(super) fn source(source: Source, settings: &Settings) -> String {
    match source {
        Source::Canary(canary) => format!("the canary in {}", settings.canary(canary)),
        Source::Cap(cap) => format!("the cap {}", settings.cap(cap)),
        Source::Wear(mount) => format!("the wear of {}", settings.mount(mount)),
        Source::Swap => "the traffic of swap".to_owned(),
        Source::Uplink => "the way out".to_owned(),
        Source::Expiry(expiry) => format!("what expires as {}", settings.expiry(expiry)),
        _ => "the pressure on memory".to_owned(),
    }
}

/// Name and fields of a note.
pub(super) fn describe(note: &GuardNote, settings: &Settings) -> (&'static str, Fields) {
    let canary = |id| ("canary", word(settings.canary(id)));
    let cap = |id| ("cap", word(settings.cap(id)));
    let mount = |id| ("mount", word(settings.mount(id)));
    match note {
        GuardNote::RtcRight => ("rtc-right", vec![]),
        GuardNote::RtcSet => ("rtc-set", vec![]),
        GuardNote::NetworkUp => ("network-up", vec![]),
        GuardNote::NetworkDown => ("network-down", vec![]),
        GuardNote::RtcNotSet { why } => ("rtc-not-set", cause(why)),
        GuardNote::MountReadOnly { mount: id } => ("mount-read-only", vec![mount(*id)]),
        GuardNote::MountWritable { mount: id } => ("mount-writable", vec![mount(*id)]),
        GuardNote::CanaryFailed { canary: id, why } => ("canary-failed", because(canary(*id), why)),
        GuardNote::CanarySlow { canary: id, took } => {
            ("canary-slow", vec![canary(*id), ("took", time(*took))])
        }
        GuardNote::CanaryWell { canary: id } => ("canary-well", vec![canary(*id)]),
        GuardNote::CapTrimmed {
            cap: id,
            files,
            bytes,
        } => {
            let fields = vec![cap(*id), ("files", count(*files)), ("bytes", count(*bytes))];
            ("cap-trimmed", fields)
        }
        GuardNote::CapOver { cap: id } => ("cap-over", vec![cap(*id)]),
        GuardNote::CapFailed { cap: id, why } => ("cap-failed", because(cap(*id), why)),
        GuardNote::MediumWorn {
            verdict,
            mount: id,
            wear,
        } => {
            let life = ("life", count(u64::from(wear.life)));
            let spare = ("spare", count(u64::from(wear.spare)));
            let verdict = ("verdict", word(verdict.word()));
            ("medium-worn", vec![verdict, mount(*id), life, spare])
        }
        GuardNote::MemoryPressure { verdict, full } => {
            let verdict = ("verdict", word(verdict.word()));
            (
                "memory-pressure",
                vec![verdict, ("full", Value::Share(*full))],
            )
        }
        GuardNote::Thrashing { on_disk } => ("thrashing", vec![("on-disk", Value::Flag(*on_disk))]),
        GuardNote::ThrashingOver => ("thrashing-over", vec![]),
        GuardNote::MemoryShedding { shed } => {
            ("memory-shedding", vec![("shed", word(shed_word(*shed)))])
        }
    }
}

fn because(first: (&'static str, Value), why: &Fault) -> Fields {
    let mut fields = vec![first];
    fields.extend(cause(why));
    fields
}

/// The note for people.
pub(super) fn sentence(note: &GuardNote, settings: &Settings) -> String {
    match note {
        GuardNote::RtcRight => "the battery-backed clock is right again".to_owned(),
        GuardNote::RtcSet => "the battery-backed clock was set by the synchronised one".to_owned(),
        GuardNote::NetworkUp => "the network is up: there is a way out of this machine".to_owned(),
        GuardNote::NetworkDown => {
            "the network is down: no way leads out of this machine".to_owned()
        }
        GuardNote::RtcNotSet { why } => format!(
            "the battery-backed clock cannot be set: {}",
            fault_sentence(why)
        ),
        GuardNote::MountReadOnly { mount } => format!(
            "{} became read-only: look for file system errors in `dmesg`; the card may be failing",
            settings.mount(*mount)
        ),
        GuardNote::MountWritable { mount } => {
            format!("{} is writable again", settings.mount(*mount))
        }
        GuardNote::CanaryFailed { canary, why } => failed(settings.canary(*canary), why),
        GuardNote::CanarySlow { canary, took } => format!(
            "the canary in {} took {}: the card is overloaded, or failing",
            settings.canary(*canary),
            for_people(*took)
        ),
        GuardNote::CanaryWell { canary } => {
            format!("the canary in {} is well again", settings.canary(*canary))
        }
        GuardNote::CapTrimmed { cap, files, bytes } => format!(
            "cap {}: deleted the {files} oldest of its files, {} KiB",
            settings.cap(*cap),
            bytes / 1024
        ),
        GuardNote::CapOver { cap } => format!(
            "cap {}: still above it, though all was deleted that may be: raise `max`, or look at \
             `only` and `keep`",
            settings.cap(*cap)
        ),
        GuardNote::CapFailed { cap, why } => format!(
            "cap {} cannot be looked after: {}",
            settings.cap(*cap),
            fault_sentence(why)
        ),
        GuardNote::MediumWorn {
            verdict,
            mount,
            wear,
        } => worn(*verdict, settings.mount(*mount), *wear),
        GuardNote::MemoryPressure { verdict, full } => pressure(*verdict, *full),
        GuardNote::Thrashing { on_disk } => thrashing(*on_disk),
        GuardNote::ThrashingOver => "the machine does not thrash any more".to_owned(),
        GuardNote::MemoryShedding { shed } => shedding(*shed).to_owned(),
    }
}

fn failed(canary: &str, why: &Fault) -> String {
    let why = match why {
        Fault::Implausible => "what was read back is not what was written".to_owned(),
        why => fault_sentence(why),
    };
    format!(
        "the canary in {canary} failed: {why}; nothing that is written there is safe, look into \
         `dmesg` and at the card"
    )
}

fn worn(verdict: Verdict, mount: &str, wear: Wear) -> String {
    let life = match wear.life {
        0 => String::new(),
        11.. => ": its life is over".to_owned(),
        n => format!(": up to {n}0% of its life is used up"),
    };
    match verdict {
        Verdict::Ok | Verdict::Unknown => format!("the medium of {mount} is well{life}"),
        Verdict::Warn => format!("the medium of {mount} is worn{life}; have another one ready"),
        Verdict::Critical => format!("the medium of {mount} is worn out{life}; change it"),
    }
}

fn pressure(verdict: Verdict, full: Permille) -> String {
    let full = percent(full);
    match verdict {
        Verdict::Ok | Verdict::Unknown => {
            format!("memory is not pressed for any more ({full} of the time)")
        }
        Verdict::Warn | Verdict::Critical => {
            format!("everything waits for memory for {full} of the time")
        }
    }
}

fn thrashing(on_disk: bool) -> String {
    let worn = if on_disk {
        ", which wears the card out"
    } else {
        ""
    };
    format!(
        "the machine thrashes: it works for its swap{worn}; run less on it, or give it more memory"
    )
}

fn shedding(shed: Shed) -> &'static str {
    match shed {
        Shed::Nothing => "there is memory again: all services may run",
        Shed::Optional => "memory is scarce: optional services are stopped",
        Shed::Normal => "memory is scarce: only essential services are kept",
    }
}

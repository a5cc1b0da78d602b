//! The last moment of a power-off, in which systemd runs `/usr/lib/systemd/system-shutdown/`: every
//! file system is unmounted or read-only, and the daemon is long gone.
//!
//! Mains may have come back since init was asked. Nothing starts a machine that is turned off then,
//! so it is restarted instead.
//!
//! Never acts without a halt of ours in this boot: a marker of another boot, a shutdown that somebody
//! else asked for, and a reboot are left alone. Never writes anything.

use crate::core::fact::{Fact, HaltKind, Reading};
use crate::core::intent::{HaltPhase, Intent};
use crate::edge::clock;
use crate::edge::halter::halt_now;
use crate::edge::hardware::Hardware;
use crate::edge::marker_file::{self, Written};
use crate::edge::places::Places;
use crate::edge::power_supply::{PowerSupplies, Supplies};
use std::path::Path;

/// What is left to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Deed {
    /// Nothing: systemd finishes what it is about to do.
    Nothing,
    /// Mains are back: restart instead of turning off.
    Restart,
}

/// Says the last word about what systemd is about to do: `poweroff`, `reboot`, `halt` or `kexec`.
pub fn say(action: &str, runtime_dir: &Path, config: &Path) -> String {
    let written = marker_file::read(&Places::new(runtime_dir).marker()).ok();
    let boot = clock::boot_id().unwrap_or_default();
    let sample = look(config);
    match decide(action, written, &boot, sample.as_ref()) {
        Deed::Nothing => format!("{action}: nothing to add"),
        Deed::Restart => {
            let right = Hardware::of_this_machine().halt_right();
            match halt_now(&right, HaltKind::Reboot) {
                Ok(()) => "mains are back: restarting".to_owned(),
                Err(why) => format!(
                    "mains are back, but the kernel does not restart: {}",
                    crate::text::fault_sentence(&why)
                ),
            }
        }
    }
}

/// Whether mains are there, by the kernel's power supplies. A board that tells of them in another way
/// is not asked: that takes a driver that is gone by now, or readings over some time.
fn look(config: &Path) -> Option<Fact> {
    let which = match crate::config::load(config) {
        Ok(loaded) => Supplies::of(&loaded.config.wiring.board),
        Err(_) => Supplies::Any,
    };
    PowerSupplies::new(Path::new("/"), which)?.sample()
}

fn decide(action: &str, written: Option<Written>, boot: &str, mains: Option<&Fact>) -> Deed {
    let ours = written.filter(|written| written.boot.as_ref() == boot && action == "poweroff");
    let Some(Intent::Halt {
        kind,
        cause,
        phase: HaltPhase::Committed,
    }) = ours.map(|written| written.marker.intent)
    else {
        return Deed::Nothing;
    };
    let back = matches!(mains, Some(Fact::Seen(Reading::Mains { present: true })));
    match kind {
        // It was turned round while the daemon still lived, and init was deaf to that.
        HaltKind::Reboot => Deed::Restart,
        HaltKind::PowerOff if back && cause.ends_with_mains() => Deed::Restart,
        HaltKind::PowerOff => Deed::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::{Asker, Fault, Source};
    use crate::core::intent::Marker;
    use crate::core::picture::HaltCause;

    fn written(kind: HaltKind, cause: HaltCause, phase: HaltPhase) -> Option<Written> {
        Some(Written {
            boot: "this".into(),
            marker: Marker {
                intent: Intent::Halt { kind, cause, phase },
                mains: Some(false),
                attempts: 0,
            },
        })
    }

    /// A restart needs a power-off of ours, in this boot, beyond its point of no return, and mains
    /// that are seen; everything else is left alone, a reboot above all.
    #[test]
    fn only_a_power_off_of_ours_with_mains_back_is_turned_round() {
        use HaltKind::{PowerOff, Reboot};
        use HaltPhase::{Begun, Committed};
        let low = HaltCause::LowBattery;
        let asked = HaltCause::Asked { by: Asker::User(0) };
        let seen = |present| Some(Fact::Seen(Reading::Mains { present }));
        let silent = Some(Fact::Lost {
            source: Source::Mains,
            why: Fault::Absent,
        });
        let off = || written(PowerOff, low, Committed);
        for (action, marker, boot, mains, deed) in [
            ("poweroff", off(), "this", seen(true), Deed::Restart),
            ("poweroff", off(), "this", seen(false), Deed::Nothing),
            ("poweroff", off(), "this", silent, Deed::Nothing),
            ("poweroff", off(), "this", None, Deed::Nothing),
            ("poweroff", off(), "other", seen(true), Deed::Nothing),
            ("poweroff", None, "this", seen(true), Deed::Nothing),
            (
                "poweroff",
                written(PowerOff, low, Begun),
                "this",
                seen(true),
                Deed::Nothing,
            ),
            (
                "poweroff",
                written(PowerOff, asked, Committed),
                "this",
                seen(true),
                Deed::Nothing,
            ),
            (
                "poweroff",
                written(Reboot, low, Committed),
                "this",
                None,
                Deed::Restart,
            ),
            ("reboot", off(), "this", seen(true), Deed::Nothing),
            (
                "reboot",
                written(Reboot, low, Committed),
                "this",
                None,
                Deed::Nothing,
            ),
            ("halt", off(), "this", seen(true), Deed::Nothing),
            ("kexec", off(), "this", seen(true), Deed::Nothing),
        ] {
            let shown = format!("{action} {marker:?} {boot} {mains:?}");
            assert_eq!(
                decide(action, marker, boot, mains.as_ref()),
                deed,
                "{shown}"
            );
        }
    }
}

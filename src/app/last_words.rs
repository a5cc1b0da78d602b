//! The last moment of a power-off, in which systemd runs `/usr/lib/systemd/system-shutdown/`: every
//! file system is unmounted or read-only, and the daemon is long gone.
//!
//! Mains may have come back since init was asked. Nothing starts a machine that is turned off then,
//! so it is restarted instead.
//!
//! A board that cuts the power when a line is held is told so now, and not earlier: nothing is left
//! that could be lost. Its alive line falls after that.
//!
//! Never acts without a halt of ours in this boot: a marker of another boot, a shutdown that somebody
//! else asked for, and a reboot are left alone. Never writes a file.

use super::last_look;
use crate::config::board::{Board, Cut};
use crate::core::fact::{Fact, HaltKind, Reading};
use crate::core::intent::{HaltPhase, Intent};
use crate::edge::board_record;
use crate::edge::clock;
use crate::edge::drive::Kept;
use crate::edge::halter::halt_now;
use crate::edge::hardware::Hardware;
use crate::edge::marker_file::{self, Written};
use crate::edge::places::Places;
use crate::edge::power_cut::{PowerCut, take_back};
use crate::text::fault_sentence;
use std::path::Path;

/// What is left to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Deed {
    /// Nothing: systemd finishes what it is about to do.
    Nothing,
    /// Mains are back: restart instead of turning off.
    Restart,
    /// The board may cut the power.
    Cut,
}

/// Says the last word about what systemd is about to do: `poweroff`, `reboot`, `halt` or `kexec`.
pub fn say(action: &str, runtime_dir: &Path, config: &Path) -> String {
    let places = Places::new(runtime_dir);
    let written = marker_file::read(&places.marker()).ok();
    let boot = clock::boot_id().unwrap_or_default();
    let board = board(&places, config);
    let hardware = Hardware::of_this_machine();
    // Looked at only if it matters: a line becomes an input by that, and a chip may be written to.
    let gone = written.as_ref().map(|written| written.marker.mains) == Some(Some(false));
    let mut mains = || last_look::mains(&board, gone, &hardware);
    match decide(action, written, &boot, &mut mains) {
        Deed::Nothing => format!("{action}: nothing to add"),
        Deed::Cut => cut(&board, &hardware),
        Deed::Restart => restart(&board, &hardware),
    }
}

/// Mains are back.
fn restart(board: &Board, hardware: &Hardware) -> String {
    let forgotten = take_back(board, hardware);
    if let Some(Err(why)) = &forgotten {
        // It will cut the power whatever we do: better off than on then.
        let why = fault_sentence(why);
        return format!("mains are back, but the board cannot be told to keep the power on: {why}");
    }
    match (forgotten, &board.cut) {
        (
            None,
            Cut::Register {
                after_unmount: false,
                ..
            },
        ) => {
            "mains are back, but the board cuts the power soon: it decides what follows".to_owned()
        }
        (Some(_) | None, _) => match halt_now(&hardware.halt_right(), HaltKind::Reboot) {
            Ok(()) => "mains are back: restarting".to_owned(),
            Err(why) => format!(
                "mains are back, but the kernel does not restart: {}",
                fault_sentence(&why)
            ),
        },
    }
}

/// The board that the daemon of this boot worked with; if it has left none, the one that is configured.
fn board(places: &Places, config: &Path) -> Board {
    board_record::read(places).unwrap_or_else(|| match crate::config::load(config) {
        Ok(loaded) => loaded.config.wiring.board,
        Err(_) => Board::none(),
    })
}

/// Lets the board cut the power, if it does that when a line is held.
fn cut(board: &Board, hardware: &Hardware) -> String {
    match PowerCut::of(board, Kept::default(), hardware) {
        Some(mut cut) => cut.pull().to_string(),
        None => "poweroff: this board cuts no power now".to_owned(),
    }
}

fn decide(
    action: &str,
    written: Option<Written>,
    boot: &str,
    mains: &mut dyn FnMut() -> Option<Fact>,
) -> Deed {
    let ours = written.filter(|written| written.boot.as_ref() == boot && action == "poweroff");
    let Some(Intent::Halt {
        kind,
        cause,
        phase: HaltPhase::Committed,
    }) = ours.map(|written| written.marker.intent)
    else {
        return Deed::Nothing;
    };
    let mut back = || matches!(mains(), Some(Fact::Seen(Reading::Mains { present: true })));
    match kind {
        // It was turned round while the daemon still lived, and init was deaf to that.
        HaltKind::Reboot => Deed::Restart,
        HaltKind::PowerOff if cause.ends_with_mains() && back() => Deed::Restart,
        HaltKind::PowerOff => Deed::Cut,
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
                in_vain: 0,
                outage: None,
                before: None,
            },
        })
    }

    /// A power-off of ours, in this boot, beyond its point of no return, is turned round if mains are
    /// seen and were its reason, and else the board may cut the power; everything else is left alone,
    /// a reboot above all.
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
            ("poweroff", off(), "this", seen(false), Deed::Cut),
            ("poweroff", off(), "this", silent, Deed::Cut),
            ("poweroff", off(), "this", None, Deed::Cut),
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
                Deed::Cut,
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
            let mut look = || mains.clone();
            assert_eq!(decide(action, marker, boot, &mut look), deed, "{shown}");
        }
    }

    /// A line is not touched where what it says would not matter.
    #[test]
    fn mains_are_looked_at_only_if_it_matters() {
        let asked = HaltCause::Asked { by: Asker::User(0) };
        let untouched = || panic!("looked at");
        let of = |kind, cause| written(kind, cause, HaltPhase::Committed);
        for (action, marker, deed) in [
            ("poweroff", None, Deed::Nothing),
            (
                "reboot",
                of(HaltKind::PowerOff, HaltCause::LowBattery),
                Deed::Nothing,
            ),
            ("poweroff", of(HaltKind::PowerOff, asked), Deed::Cut),
            ("poweroff", of(HaltKind::Reboot, asked), Deed::Restart),
        ] {
            let mut look = untouched;
            assert_eq!(decide(action, marker, "this", &mut look), deed);
        }
    }
}

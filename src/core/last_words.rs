//! What follows at the very end of a power-off, when everything is unmounted and the daemon is gone:
//! decided from what it has left, and from a look at mains.
//!
//! Never acts without a halt of ours that was past taking back. A machine that is turned off with mains
//! there must have a board that cuts its power: nothing else would start it again.

use super::fact::HaltKind;
use super::intent::{CutTold, HaltPhase, Intent, Marker};
use super::settings::CutAhead;

/// What is left to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
    /// Nothing: init finishes what it is about to do.
    Nothing,
    /// The board may cut the power. One that is told ahead of the halt, and is not known to have taken
    /// it, is told once more.
    Cut,
    /// Nothing: the board took it ahead of the halt, and cuts the power soon.
    Told,
    /// Mains are back: restart instead of turning off.
    Restart,
    /// Mains are back, and the board may cut the power soon: it is to forget that.
    TakeBack {
        /// Restart although it does not hear that: nobody knows that it took the cut, and a machine
        /// that is off would stay off if it never did. Otherwise restart only if it forgets it.
        anyhow: bool,
    },
    /// Mains are back, and the board may cut the power soon, and cannot forget that: it is told once
    /// more. If it takes it, it cuts the power and gives it again; restart if it does not.
    Ask,
    /// Mains are back, but the board cuts the power soon, and cannot forget that: it decides what
    /// follows.
    Loses,
}

/// What is left to be done by a power-off. `marker` is what the daemon has left in this boot, `ahead`
/// what its board can do. `back` looks whether mains are there; it is asked only if that matters.
pub fn decide(marker: &Marker, ahead: Option<CutAhead>, back: &mut dyn FnMut() -> bool) -> Deed {
    let Intent::Halt {
        kind,
        cause,
        phase: HaltPhase::Committed,
    } = marker.intent
    else {
        return Deed::Nothing;
    };
    let is_to_run = match kind {
        // It was turned round while the daemon still lived, and init was deaf to that.
        HaltKind::Reboot => true,
        HaltKind::PowerOff => cause.ends_with_mains() && back(),
    };
    let told = ahead.map_or(CutTold::No, |_| marker.cut);
    let cancels = ahead.is_some_and(|ahead| ahead.can_be_cancelled);
    match (is_to_run, told) {
        (true, CutTold::No) => Deed::Restart,
        (true, CutTold::Maybe) if cancels => Deed::TakeBack { anyhow: true },
        (true, CutTold::Maybe) => Deed::Ask,
        (true, CutTold::Taken { .. }) if cancels => Deed::TakeBack { anyhow: false },
        (true, CutTold::Taken { .. }) => Deed::Loses,
        (false, CutTold::No | CutTold::Maybe) => Deed::Cut,
        (false, CutTold::Taken { .. }) => Deed::Told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::Asker;
    use crate::core::picture::HaltCause;
    use crate::units::Mono;
    use std::time::Duration;

    fn left(kind: HaltKind, cause: HaltCause, phase: HaltPhase, cut: CutTold) -> Marker {
        Marker {
            intent: Intent::Halt { kind, cause, phase },
            mains: Some(false),
            attempts: 0,
            in_vain: 0,
            sunk: 0,
            reboots: crate::core::reboots::Reboots::default(),
            outage: None,
            cut,
            before: None,
            ..Marker::default()
        }
    }

    const SINKS: HaltCause = HaltCause::BatterySinks;
    const LOW: HaltCause = HaltCause::LowBattery;
    const ASKED: HaltCause = HaltCause::Asked { by: Asker::User(0) };

    /// A power-off beyond its point of no return is turned round if mains are seen and were its reason,
    /// and else the board may cut the power; everything else is left alone.
    #[test]
    fn only_a_power_off_with_mains_back_is_turned_round() {
        use HaltKind::{PowerOff, Reboot};
        use HaltPhase::{Begun, Committed};
        for (kind, cause, phase, back, deed) in [
            (PowerOff, LOW, Committed, true, Deed::Restart),
            (PowerOff, LOW, Committed, false, Deed::Cut),
            (PowerOff, LOW, Begun, true, Deed::Nothing),
            (PowerOff, ASKED, Committed, true, Deed::Cut),
            (Reboot, LOW, Committed, false, Deed::Restart),
            (Reboot, ASKED, Committed, false, Deed::Restart),
        ] {
            let marker = left(kind, cause, phase, CutTold::No);
            assert_eq!(decide(&marker, None, &mut || back), deed, "{marker:?}");
        }
        for intent in [Intent::Run, Intent::Exit, Intent::Leave] {
            let marker = Marker {
                intent,
                ..left(PowerOff, LOW, Committed, CutTold::No)
            };
            assert_eq!(decide(&marker, None, &mut || true), Deed::Nothing);
        }
    }

    /// A board that was told ahead: one that took it has to forget it before the machine is restarted;
    /// one that never took it keeps nobody from that, and is told once more if mains stay away.
    #[test]
    fn a_board_that_never_took_the_cut_does_not_keep_the_machine_off() {
        use CutTold::{Maybe, No};
        let taken = CutTold::Taken { since: Mono(0) };
        let anyhow = |anyhow| Deed::TakeBack { anyhow };
        for (told, cancels, back, deed) in [
            (taken, true, true, anyhow(false)),
            (taken, false, true, Deed::Loses),
            (taken, true, false, Deed::Told),
            (taken, false, false, Deed::Told),
            (Maybe, true, true, anyhow(true)),
            (Maybe, false, true, Deed::Ask),
            (Maybe, true, false, Deed::Cut),
            (Maybe, false, false, Deed::Cut),
            (No, true, true, Deed::Restart),
            (No, false, true, Deed::Restart),
            (No, true, false, Deed::Cut),
            (No, false, false, Deed::Cut),
        ] {
            let ahead = Some(CutAhead {
                can_be_cancelled: cancels,
                delay: Duration::from_secs(60),
            });
            let marker = left(HaltKind::PowerOff, LOW, HaltPhase::Committed, told);
            let is = decide(&marker, ahead, &mut || back);
            assert_eq!(is, deed, "{told:?}, cancels: {cancels}, back: {back}");
        }
    }

    /// Nobody looks where what is seen would not matter: a line becomes an input by that, and a chip
    /// may be written to.
    #[test]
    fn mains_are_looked_at_only_if_it_matters() {
        let untouched = &mut || panic!("looked at");
        for (kind, cause, phase, deed) in [
            (HaltKind::PowerOff, LOW, HaltPhase::Begun, Deed::Nothing),
            (HaltKind::PowerOff, ASKED, HaltPhase::Committed, Deed::Cut),
            // What tells of mains has said all the time that they are there.
            (HaltKind::PowerOff, SINKS, HaltPhase::Committed, Deed::Cut),
            (HaltKind::Reboot, LOW, HaltPhase::Committed, Deed::Restart),
        ] {
            let marker = left(kind, cause, phase, CutTold::No);
            assert_eq!(decide(&marker, None, untouched), deed);
        }
    }
}

//! What follows at the very end of a power-off, when everything is unmounted and the daemon is gone:
//! decided from what it has left, and from a look at mains.
//!
//! Never acts without a halt of ours that was past taking back. A machine that is turned off with mains
//! there must have a board that cuts its power: nothing else would start it again.

use super::comeback::{Ability, Answer, Event, Knows, Stage, answer};
use super::fact::HaltKind;
use super::intent::{CutTold, HaltPhase, Intent, Marker};
use super::settings::CutAhead;

/// What is left to be done by a power-off, and what mains were found to do; `None`: nothing, and init
/// finishes what it is about to do. `marker` is what the daemon has left in this boot, `ahead` what its
/// board can do. `back` looks whether mains are there; it is asked only if that matters.
pub fn decide(
    marker: &Marker,
    ahead: Option<CutAhead>,
    back: &mut dyn FnMut() -> bool,
) -> Option<(Event, Answer)> {
    let Intent::Halt {
        kind,
        cause,
        phase: HaltPhase::Committed,
    } = marker.intent
    else {
        return None;
    };
    let event = match kind {
        // It was turned round while the daemon still lived, and init was deaf to that.
        HaltKind::Reboot => Event::AwayAgain,
        HaltKind::PowerOff if cause.ends_with_mains() && back() => Event::Back,
        HaltKind::PowerOff => Event::Away,
    };
    let knows = match ahead.map_or(CutTold::No, |_| marker.cut) {
        CutTold::No => Knows::Nothing,
        CutTold::Maybe => Knows::Maybe,
        CutTold::Taken { .. } => Knows::Took,
    };
    let ability = Ability::of(ahead);
    Some((event, answer(event, Stage::Unmounted, knows, ability)))
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
        for (kind, cause, phase, back, said) in [
            (PowerOff, LOW, Committed, true, Some(Answer::Restart)),
            (PowerOff, LOW, Committed, false, Some(Answer::Cut)),
            (PowerOff, LOW, Begun, true, None),
            (PowerOff, ASKED, Committed, true, Some(Answer::Cut)),
            (Reboot, LOW, Committed, false, Some(Answer::Restart)),
            (Reboot, ASKED, Committed, false, Some(Answer::Restart)),
        ] {
            let marker = left(kind, cause, phase, CutTold::No);
            let is = decide(&marker, None, &mut || back).map(|(_, answer)| answer);
            assert_eq!(is, said, "{marker:?}");
        }
        for intent in [Intent::Run, Intent::Exit, Intent::Leave] {
            let marker = Marker {
                intent,
                ..left(PowerOff, LOW, Committed, CutTold::No)
            };
            assert_eq!(decide(&marker, None, &mut || true), None);
        }
    }

    /// A board that was told ahead: one that took it has to forget it before the machine is restarted;
    /// one that never took it keeps nobody from that, and is told once more if mains stay away.
    #[test]
    fn a_board_that_never_took_the_cut_does_not_keep_the_machine_off() {
        use CutTold::{Maybe, No};
        let taken = CutTold::Taken { since: Mono(0) };
        let forget = |restart| Answer::Forget { restart };
        for (told, cancels, back, said) in [
            (taken, true, true, forget(false)),
            (taken, false, true, Answer::GoOn),
            (taken, true, false, Answer::GoOn),
            (taken, false, false, Answer::GoOn),
            (Maybe, true, true, forget(true)),
            (Maybe, false, true, Answer::Insist),
            (Maybe, true, false, Answer::Cut),
            (Maybe, false, false, Answer::Cut),
            (No, true, true, Answer::Restart),
            (No, false, true, Answer::Restart),
            (No, true, false, Answer::Cut),
            (No, false, false, Answer::Cut),
        ] {
            let ahead = Some(CutAhead {
                can_be_cancelled: cancels,
                delay: Duration::from_secs(60),
            });
            let marker = left(HaltKind::PowerOff, LOW, HaltPhase::Committed, told);
            let is = decide(&marker, ahead, &mut || back);
            let event = if back { Event::Back } else { Event::Away };
            assert_eq!(is, Some((event, said)), "{told:?}, cancels: {cancels}");
        }
    }

    /// Nobody looks where what is seen would not matter: a line becomes an input by that, and a chip
    /// may be written to.
    #[test]
    fn mains_are_looked_at_only_if_it_matters() {
        let untouched = &mut || panic!("looked at");
        for (kind, cause, phase, said) in [
            (HaltKind::PowerOff, LOW, HaltPhase::Begun, None),
            (
                HaltKind::PowerOff,
                ASKED,
                HaltPhase::Committed,
                Some(Answer::Cut),
            ),
            // What tells of mains has said all the time that they are there.
            (
                HaltKind::PowerOff,
                SINKS,
                HaltPhase::Committed,
                Some(Answer::Cut),
            ),
            (
                HaltKind::Reboot,
                LOW,
                HaltPhase::Committed,
                Some(Answer::Restart),
            ),
        ] {
            let marker = left(kind, cause, phase, CutTold::No);
            let is = decide(&marker, None, untouched).map(|(_, answer)| answer);
            assert_eq!(is, said);
        }
    }
}

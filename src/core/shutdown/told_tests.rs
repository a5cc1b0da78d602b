//! A board that is to forget what the boot before has told it.

use super::halt::Halt;
use super::{Shutdown, State};
use crate::core::action::{Action, Actions};
use crate::core::fact::{Fact, Fault, HaltKind, OrderId, Reading};
use crate::core::intent::{CutTold, FoundMarker, HaltPhase, Intent, Marker};
use crate::core::note::{HaltNote, Note};
use crate::core::picture::{HaltCause, Picture, Rung};
use crate::core::settings::{CutAhead, Settings};
use crate::core::{Pass, Policy};
use crate::units::Mono;
use std::time::Duration;

/// A daemon with such a board.
struct Daemon {
    shutdown: Shutdown,
    settings: Settings,
    out: Actions,
}

impl Daemon {
    fn with(can_be_cancelled: bool) -> Daemon {
        let mut settings = Settings::nothing();
        settings.board.cut_ahead = Some(CutAhead {
            can_be_cancelled,
            delay: Duration::from_secs(60),
        });
        Daemon {
            shutdown: Shutdown::default(),
            settings,
            out: Actions::default(),
        }
    }

    /// Hears a fact; the orders to the board that follow, and whether it is told that it takes none.
    fn hear(&mut self, second: u64, fact: &Fact) -> (Vec<bool>, bool) {
        self.out.orders.clear();
        self.out.notes.clear();
        self.shutdown.step(&mut Pass {
            now: Mono(second * 1000),
            fact,
            settings: &self.settings,
            picture: &mut Picture::default(),
            out: &mut self.out,
        });
        let stays = |note: &Note| matches!(note, Note::Halt(HaltNote::CutStays { .. }));
        let cut = |action: &Action| match action {
            Action::CutPower { cut } => Some(*cut),
            _ => None,
        };
        let orders = self.out.orders.iter();
        (
            orders.filter_map(|order| cut(&order.action)).collect(),
            self.out.notes.iter().any(stays),
        )
    }

    /// What became of the latest order.
    fn answer(&mut self, second: u64, outcome: Result<(), Fault>) -> (Vec<bool>, bool) {
        let order = self.out.orders.last().map_or(OrderId(0), |o| o.id);
        self.hear(second, &Fact::Done { order, outcome })
    }
}

fn left(cut: CutTold, same_boot: bool) -> Fact {
    left_by(Intent::Run, cut, same_boot)
}

fn left_by(intent: Intent, cut: CutTold, same_boot: bool) -> Fact {
    Fact::Seen(Reading::marker(FoundMarker {
        lasts: true,
        marker: Marker {
            intent,
            mains: Some(true),
            attempts: 0,
            in_vain: 0,
            sunk: 0,
            reboots: crate::core::reboots::Reboots::default(),
            outage: None,
            cut,
            before: None,
            ..Marker::default()
        },
        same_boot,
        reset: None,
        ..FoundMarker::default()
    }))
}

const TAKEN: CutTold = CutTold::Taken { since: Mono(0) };

const HALT: Intent = Intent::Halt {
    kind: HaltKind::PowerOff,
    cause: HaltCause::RideThrough,
    phase: HaltPhase::Begun,
};

/// Only a board that may cut the power of a boot that did not tell it, and that can forget it; a
/// successor in the same boot goes on with that.
#[test]
fn who_is_told_to_forget() {
    for (cancels, intent, cut, same_boot, told) in [
        (true, Intent::Run, TAKEN, false, true),
        (true, HALT, TAKEN, false, true),
        (true, Intent::Run, CutTold::Maybe, false, true),
        (true, Intent::Run, CutTold::Maybe, true, true),
        (true, Intent::Exit, CutTold::Maybe, true, true),
        (true, Intent::Run, CutTold::No, false, false),
        (true, HALT, TAKEN, true, false),
        (false, HALT, TAKEN, false, false),
        (false, Intent::Run, CutTold::Maybe, true, false),
    ] {
        let mut daemon = Daemon::with(cancels);
        let (orders, _) = daemon.hear(0, &left_by(intent, cut, same_boot));
        assert_eq!(orders, vec![false; usize::from(told)], "{intent:?} {cut:?}");
        assert_eq!(daemon.shutdown.forgetting.is_some(), told, "{cut:?}");
    }
}

/// A halt of this boot that is gone on with may find a board that was told by the boot before it: as long
/// as it is not told anew, it is to forget that.
#[test]
fn a_halt_that_is_gone_on_with_has_it_forget_as_well() {
    let mut daemon = Daemon::with(true);
    let found = left_by(HALT, CutTold::Maybe, true);
    assert_eq!(daemon.hear(0, &found), (vec![], false));
    assert_eq!(daemon.hear(2, &Fact::Tick), (vec![], false));
    assert_eq!(daemon.hear(3, &Fact::Tick), (vec![false], false));
    assert_eq!(daemon.answer(4, Ok(())), (vec![], false));
    assert!(daemon.shutdown.forgetting.is_none());
}

/// It is told again three seconds after each refusal, until it has taken it or has cut; that it does not
/// take it is told after ten seconds, once.
#[test]
fn told_until_it_is_taken() {
    let mut daemon = Daemon::with(true);
    daemon.hear(0, &left(TAKEN, false));
    assert_eq!(daemon.answer(1, Err(Fault::Absent)), (vec![], false));
    assert_eq!(daemon.shutdown.deadline(), Some(Mono(4_000)));
    assert_eq!(daemon.hear(3, &Fact::Tick), (vec![], false));
    assert_eq!(daemon.hear(4, &Fact::Tick), (vec![false], false));
    // Not answered: nobody is told twice at a time.
    assert_eq!(daemon.shutdown.deadline(), Some(Mono(10_000)));
    let order = daemon.out.orders[0].id;
    assert_eq!(daemon.hear(10, &Fact::Tick), (vec![], true));
    assert_eq!(daemon.shutdown.deadline(), Some(Mono(60_000)));
    let done = |outcome| Fact::Done { order, outcome };
    assert_eq!(daemon.hear(20, &done(Err(Fault::Busy))), (vec![], false));
    assert_eq!(daemon.hear(23, &Fact::Tick), (vec![false], false));
    assert_eq!(daemon.answer(24, Ok(())), (vec![], false));
    assert_eq!(daemon.shutdown.deadline(), None);

    daemon.hear(100, &left(TAKEN, false));
    daemon.answer(159, Err(Fault::Busy));
    assert_eq!(daemon.hear(160, &Fact::Tick), (vec![], false));
    assert_eq!(daemon.shutdown.deadline(), None);
}

/// A halt that tells the board to cut the power is not undone by what was to be forgotten before it. Where
/// the board does not take that, it is to forget the other one again: that would come too early.
#[test]
fn the_next_halt_ends_it_once_it_is_taken() {
    for taken in [true, false] {
        let mut daemon = Daemon::with(true);
        daemon.hear(0, &left(TAKEN, false));
        daemon.answer(1, Err(Fault::Absent));
        let mut halt = Halt::new(HaltKind::PowerOff, HaltCause::LowBattery);
        halt.rung = Rung::Syncing;
        halt.until = Mono(2_000);
        daemon.shutdown.state = State::Halting(halt);
        assert_eq!(daemon.hear(2, &Fact::Tick), (vec![true], false));
        let told = daemon.out.orders[0].id;
        assert_eq!(daemon.hear(4, &Fact::Tick), (vec![], false), "it is told");
        let outcome = if taken { Ok(()) } else { Err(Fault::Absent) };
        let done = Fact::Done {
            order: told,
            outcome,
        };
        assert_eq!(daemon.hear(5, &done).0, Vec::<bool>::new());
        let later = (6..10).flat_map(|second| daemon.hear(second, &Fact::Tick).0);
        let again = later.collect::<Vec<bool>>();
        assert_eq!(again, vec![false; usize::from(!taken)], "taken: {taken}");
        assert_eq!(daemon.shutdown.forgetting.is_some(), !taken);
    }
}

//! A board that is to forget what the boot before has told it.

use super::halt::Halt;
use super::{Shutdown, State};
use crate::core::action::{Action, Actions};
use crate::core::fact::{Fact, Fault, HaltKind, OrderId, Reading};
use crate::core::intent::{CutTold, FoundMarker, Intent, Marker};
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
    Fact::Seen(Reading::Marker(FoundMarker {
        lasts: true,
        marker: Marker {
            intent: Intent::Run,
            mains: Some(true),
            attempts: 0,
            in_vain: 0,
            sunk: 0,
            reboots: crate::core::reboots::Reboots::default(),
            outage: None,
            cut,
            before: None,
        },
        same_boot,
        reset: None,
    }))
}

const TAKEN: CutTold = CutTold::Taken { since: Mono(0) };

/// Only a board that may cut the power of a boot that did not tell it, and that can forget it.
#[test]
fn who_is_told_to_forget() {
    for (cancels, cut, same_boot, told) in [
        (true, TAKEN, false, true),
        (true, CutTold::Maybe, false, true),
        (true, CutTold::No, false, false),
        (true, TAKEN, true, false),
        (false, TAKEN, false, false),
    ] {
        let mut daemon = Daemon::with(cancels);
        let (orders, _) = daemon.hear(0, &left(cut, same_boot));
        assert_eq!(orders, vec![false; usize::from(told)], "{cut:?}");
        assert_eq!(daemon.shutdown.forgetting.is_some(), told, "{cut:?}");
    }
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

/// A halt that tells the board to cut the power is not undone by what was to be forgotten before it.
#[test]
fn the_next_halt_ends_it() {
    let mut daemon = Daemon::with(true);
    daemon.hear(0, &left(TAKEN, false));
    daemon.answer(1, Err(Fault::Absent));
    let mut halt = Halt::new(HaltKind::PowerOff, HaltCause::LowBattery);
    halt.rung = Rung::Syncing;
    halt.until = Mono(2_000);
    daemon.shutdown.state = State::Halting(halt);
    assert_eq!(daemon.hear(2, &Fact::Tick), (vec![true], false));
    for second in 3..60 {
        let (orders, _) = daemon.hear(second, &Fact::Tick);
        assert!(orders.is_empty(), "{second}: {orders:?}");
    }
}

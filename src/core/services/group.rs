//! One group: whom the failure of a member takes along, and whether the budget of the group allows it.
//!
//! ```text
//!            a member fails                    those that go together are down,
//!          ┌────────────────┐                  and none of them waits
//!   Quiet ─┤                ├─► Recovering ───────────────────────────────────► Quiet
//!          └────────────────┘   │        ▲
//!            budget used up:    └────────┘ another one fails, or some of them
//!            it is given up                may be started before the others
//! ```
//!
//! Never restarts more often within its window than its budget allows, whoever fails how often.

use crate::core::service::Fall;
use crate::core::settings::{Escalate, Group as Setting, Strategy};
use crate::units::Mono;
use std::collections::VecDeque;
use std::ops::Range;

/// How a group stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum State {
    /// Nothing keeps its members from running.
    #[default]
    Quiet,
    /// Some of its members are taken down, and wait.
    Recovering {
        /// The first of them. All that stand behind it go with it.
        from: usize,
        /// Since when; the latest failure, if there was more than one.
        since: Mono,
        /// That they are started again counts against the budget.
        counted: bool,
    },
}

/// What follows from the failure of a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sequel {
    /// Nobody goes with it.
    Alone,
    /// Others go with it, or it goes with others: there is no more to tell.
    Joined,
    /// The group is restarted.
    Restarted {
        /// All of it, and each member with a clean slate.
        afresh: bool,
        /// That counts against its budget.
        counted: bool,
    },
    /// It was restarted too often: the member waits.
    GaveUp {
        /// Until when. That try counts as well.
        until: Mono,
    },
}

/// One group of services.
#[derive(Clone, Default)]
pub(super) struct Group {
    state: State,
    /// When it was restarted, as far as that counts. The last ones may be to come.
    restarts: VecDeque<Mono>,
}

impl Group {
    /// Goes on from what an earlier daemon had counted.
    pub fn recall(&mut self, s: &Setting, mut restarts: Vec<Mono>, now: Mono) {
        restarts.sort_unstable();
        restarts.dedup();
        self.restarts = restarts.into();
        self.forget_old(s, now);
    }

    /// Forgets what it has counted: an operator says that it is mended.
    pub fn forgive(&mut self) {
        self.restarts.clear();
    }

    /// Whatever happened from `strained` until now was the machine's fault.
    pub fn excuse(&mut self, strained: Mono, now: Mono) {
        self.restarts.retain(|at| *at < strained || *at > now);
        if let State::Recovering { since, counted, .. } = &mut self.state {
            *counted &= *since < strained;
        }
    }

    /// The members that are taken down or wait.
    pub fn recovering(&self, s: &Setting) -> Range<usize> {
        match self.state {
            State::Quiet => 0..0,
            State::Recovering { from, .. } => from..s.members.len(),
        }
    }

    /// Those of them without which the member at this place is not started.
    pub fn leans_on(&self, s: &Setting, place: usize) -> Range<usize> {
        let all = self.recovering(s);
        match s.strategy {
            Strategy::OneForOne => 0..0,
            Strategy::OneForAll => all,
            Strategy::RestForOne => all.start..all.end.min(place + 1),
        }
    }

    /// The member at this place has failed.
    pub fn fail(&mut self, s: &Setting, place: usize, fall: Fall, now: Mono) -> Sequel {
        let afresh = fall.gave_up && !fall.earlier && s.escalate >= Escalate::Group;
        let Some(back) = reach(s.strategy, place, afresh) else {
            return Sequel::Alone;
        };
        self.forget_old(s, now);
        let (from, counted) = match self.state {
            State::Quiet => (None, false),
            State::Recovering { from, counted, .. } => (Some(from), counted),
        };
        // What fails while it is taken down, or on its way up before that, belongs to the same failure.
        let inside = from.is_some_and(|from| from <= place);
        // That all of it starts anew, with a clean slate for each, is a restart of its own in any case.
        let counts = !(fall.excused || inside && counted && !afresh);
        let next = State::Recovering {
            from: from.map_or(back, |from| from.min(back)),
            since: now,
            counted: counted || counts,
        };
        let waits = fall.gave_up && !afresh;
        if waits || inside && !counts && !afresh {
            self.state = next;
            return Sequel::Joined;
        }
        if let Some(until) = self.full_until(s).filter(|_| counts) {
            self.restarts.push_back(until);
            // Nothing starts anew: only those wait that would without that rung.
            if let Some(back) = reach(s.strategy, place, false) {
                self.state = State::Recovering {
                    from: from.map_or(back, |from| from.min(back)),
                    since: now,
                    counted: true,
                };
            }
            return Sequel::GaveUp { until };
        }
        if counts {
            self.restarts.push_back(now);
        }
        self.state = next;
        Sequel::Restarted {
            afresh,
            counted: !fall.excused,
        }
    }

    /// Goes on if it can. `alive`: one of those that recover has a process; `waits`: the place of the
    /// first of them that waits on its own account.
    pub fn proceed(&mut self, s: &Setting, alive: bool, waits: Option<usize>) {
        let State::Recovering { from, .. } = &mut self.state else {
            return;
        };
        if alive {
            return;
        }
        match (s.strategy, waits) {
            (Strategy::OneForAll, Some(_)) => {}
            (Strategy::RestForOne, Some(place)) if place <= *from => {}
            (Strategy::RestForOne, Some(place)) => *from = place,
            (Strategy::OneForOne, _) | (Strategy::OneForAll | Strategy::RestForOne, None) => {
                self.state = State::Quiet;
            }
        }
    }

    /// All restarts of the window are used up: when there is room for another one.
    fn full_until(&self, s: &Setting) -> Option<Mono> {
        let most = usize::try_from(s.restarts).unwrap_or(usize::MAX);
        let first = self.restarts.len().checked_sub(most)?;
        Some(self.restarts.get(first)?.after(s.window))
    }

    fn forget_old(&mut self, s: &Setting, now: Mono) {
        let old = |t: &&Mono| now.since(**t) >= s.window;
        while self.restarts.front().filter(old).is_some() {
            self.restarts.pop_front();
        }
    }
}

/// The place from which on members go with the one at `place`; `None` if it fails alone.
fn reach(strategy: Strategy, place: usize, afresh: bool) -> Option<usize> {
    match strategy {
        Strategy::OneForOne => afresh.then_some(0),
        Strategy::OneForAll => Some(0),
        Strategy::RestForOne if afresh => Some(0),
        Strategy::RestForOne => Some(place),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::ServiceId;
    use std::time::Duration;

    const CRASH: Fall = Fall {
        gave_up: false,
        earlier: false,
        excused: false,
    };
    const GAVE_UP: Fall = Fall {
        gave_up: true,
        ..CRASH
    };
    const EXCUSED: Fall = Fall {
        excused: true,
        ..CRASH
    };
    const TOLD: Sequel = Sequel::Restarted {
        afresh: false,
        counted: true,
    };

    fn of(strategy: Strategy, escalate: Escalate) -> Setting {
        Setting {
            name: "field".into(),
            members: (0..4).map(ServiceId).collect(),
            strategy,
            restarts: 2,
            window: Duration::from_secs(100),
            escalate,
        }
    }

    /// Fails and is up again, at once.
    fn again(group: &mut Group, s: &Setting, place: usize, now: u64) -> Sequel {
        let sequel = group.fail(s, place, CRASH, Mono(now));
        group.proceed(s, false, None);
        sequel
    }

    /// Each strategy, each place, given up or not, with and without a rung above: who is taken down.
    #[test]
    fn who_goes_with_whom() {
        let mut table = String::new();
        for (name, strategy) in [
            ("one-for-one", Strategy::OneForOne),
            ("one-for-all", Strategy::OneForAll),
            ("rest-for-one", Strategy::RestForOne),
        ] {
            for (place, fall) in [(0, CRASH), (2, CRASH), (2, GAVE_UP)] {
                for escalate in [Escalate::Nothing, Escalate::Group] {
                    let (s, mut group) = (of(strategy, escalate), Group::default());
                    let sequel = group.fail(&s, place, fall, Mono(0));
                    let (gave_up, on) = (fall.gave_up, escalate == Escalate::Group);
                    let taken = group.recovering(&s);
                    let sequel = match sequel {
                        Sequel::Restarted { afresh: true, .. } => "afresh",
                        Sequel::Restarted { .. } => "restarted",
                        Sequel::Joined => "joined",
                        Sequel::Alone => "alone",
                        Sequel::GaveUp { .. } => "gave up",
                    };
                    table += &format!("{name} {place} {gave_up} {on}: {sequel} {taken:?}\n");
                }
            }
        }
        let wanted = "\
one-for-one 0 false false: alone 0..0
one-for-one 0 false true: alone 0..0
one-for-one 2 false false: alone 0..0
one-for-one 2 false true: alone 0..0
one-for-one 2 true false: alone 0..0
one-for-one 2 true true: afresh 0..4
one-for-all 0 false false: restarted 0..4
one-for-all 0 false true: restarted 0..4
one-for-all 2 false false: restarted 0..4
one-for-all 2 false true: restarted 0..4
one-for-all 2 true false: joined 0..4
one-for-all 2 true true: afresh 0..4
rest-for-one 0 false false: restarted 0..4
rest-for-one 0 false true: restarted 0..4
rest-for-one 2 false false: restarted 2..4
rest-for-one 2 false true: restarted 2..4
rest-for-one 2 true false: joined 2..4
rest-for-one 2 true true: afresh 0..4
";
        assert!(table == wanted, "the table is now:\n{table}");
    }

    /// One cause that fells all of them is one restart; the third one within the window is one too
    /// many, and the try after that counts again.
    #[test]
    fn the_budget_counts_what_was_restarted() {
        let (s, mut group) = (of(Strategy::OneForAll, Escalate::Nothing), Group::default());
        assert_eq!(group.fail(&s, 1, CRASH, Mono(0)), TOLD);
        assert_eq!(group.fail(&s, 0, CRASH, Mono(1)), Sequel::Joined);
        assert_eq!(group.fail(&s, 3, CRASH, Mono(2)), Sequel::Joined);
        group.proceed(&s, true, None);
        group.proceed(&s, false, Some(1));
        assert_eq!(group.recovering(&s), 0..4);
        group.proceed(&s, false, None);
        assert_eq!(group.recovering(&s), 0..0);
        assert_eq!(again(&mut group, &s, 0, 6_000), TOLD);
        let until = |at| Sequel::GaveUp { until: Mono(at) };
        assert_eq!(group.fail(&s, 2, CRASH, Mono(7_000)), until(100_000));
        assert_eq!(group.recovering(&s), 0..4);
        group.proceed(&s, false, None);
        // That one stands for the first of the two; the other one is six seconds younger.
        assert_eq!(group.fail(&s, 2, CRASH, Mono(100_500)), until(106_000));
        group.proceed(&s, false, None);
        assert_eq!(group.fail(&s, 2, CRASH, Mono(106_500)), until(200_000));
        group.forgive();
        group.proceed(&s, false, None);
        assert_eq!(again(&mut group, &s, 2, 106_700), TOLD);
    }

    /// What is the machine's fault is restarted as often as it takes, also if that is found out later.
    #[test]
    fn what_is_excused_does_not_count() {
        let (s, mut group) = (of(Strategy::OneForAll, Escalate::Nothing), Group::default());
        for at in 0..9 {
            let sequel = group.fail(&s, 0, EXCUSED, Mono(at));
            assert!(matches!(sequel, Sequel::Restarted { counted: false, .. }));
            group.proceed(&s, false, None);
        }
        assert_eq!(again(&mut group, &s, 0, 10), TOLD);
        assert_eq!(again(&mut group, &s, 0, 20), TOLD);
        group.excuse(Mono(20), Mono(25));
        assert_eq!(group.fail(&s, 0, CRASH, Mono(30)), TOLD);
        let gave_up = |sequel| matches!(sequel, Sequel::GaveUp { .. });
        group.proceed(&s, false, None);
        assert!(gave_up(group.fail(&s, 0, CRASH, Mono(40))));
        // One that was excused when it failed makes no room for one within it that is not.
        group.proceed(&s, false, None);
        assert!(!gave_up(group.fail(&s, 0, EXCUSED, Mono(50))));
        assert!(gave_up(group.fail(&s, 1, CRASH, Mono(51))));
    }

    /// Of rest-for-one, those that stand before one that waits long are not held up by it; and each
    /// time that they fail is one of its own.
    #[test]
    fn a_long_wait_holds_up_only_those_behind_it() {
        let (s, mut group) = (
            of(Strategy::RestForOne, Escalate::Nothing),
            Group::default(),
        );
        assert_eq!(group.fail(&s, 2, GAVE_UP, Mono(0)), Sequel::Joined);
        assert_eq!(group.fail(&s, 0, CRASH, Mono(1)), TOLD);
        assert_eq!(group.recovering(&s), 0..4);
        assert_eq!((group.leans_on(&s, 1), group.leans_on(&s, 3)), (0..2, 0..4));
        group.proceed(&s, false, Some(0));
        assert_eq!(group.recovering(&s), 0..4);
        group.proceed(&s, false, Some(2));
        assert_eq!(group.recovering(&s), 2..4);
        assert_eq!(group.fail(&s, 0, CRASH, Mono(4)), TOLD);
        group.proceed(&s, false, Some(2));
        assert!(matches!(
            group.fail(&s, 1, CRASH, Mono(6)),
            Sequel::GaveUp { .. }
        ));
    }

    /// One that was given up while the group waits for its own budget does not get round that.
    #[test]
    fn no_rung_gets_round_the_budget() {
        let (s, mut group) = (of(Strategy::RestForOne, Escalate::Group), Group::default());
        again(&mut group, &s, 1, 0);
        again(&mut group, &s, 1, 10);
        let until = Mono(100_000);
        assert_eq!(group.fail(&s, 2, CRASH, Mono(20)), Sequel::GaveUp { until });
        let until = Mono(100_010);
        assert_eq!(
            group.fail(&s, 3, GAVE_UP, Mono(30)),
            Sequel::GaveUp { until }
        );
        assert_eq!(group.recovering(&s), 2..4);
    }

    /// What an earlier daemon had given up starts nothing anew.
    #[test]
    fn a_successor_does_not_escalate_again() {
        let earlier = Fall {
            earlier: true,
            ..GAVE_UP
        };
        let (s, mut group) = (of(Strategy::OneForAll, Escalate::Group), Group::default());
        group.recall(&s, vec![Mono(9), Mono(3), Mono(9)], Mono(10));
        assert_eq!(group.fail(&s, 0, earlier, Mono(10)), Sequel::Joined);
        assert_eq!(group.recovering(&s), 0..4);
        group.proceed(&s, false, None);
        let until = Mono(100_003);
        assert_eq!(group.fail(&s, 0, CRASH, Mono(10)), Sequel::GaveUp { until });
        let (s, mut group) = (of(Strategy::OneForOne, Escalate::Group), Group::default());
        assert_eq!(group.fail(&s, 0, earlier, Mono(10)), Sequel::Alone);
    }
}

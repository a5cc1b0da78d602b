//! Goes through the script, one step after the other, and says what is to be done next.
//!
//! ```text
//! step ──seen, done, said, time over──► next step ──last of the act──► next act ──last──► over
//!   └────────not seen in time: noted as missed────────┘
//! ```
//!
//! Never does anything itself: it is told the time and what was seen, and answers with a [`Move`].

use super::ledger::Ledger;
use super::script::{Act, Cue, Sight, Step};
use crate::units::Mono;
use std::time::Duration;

/// What the demo has to do next.
#[derive(Clone, Copy, Debug)]
pub enum Move {
    /// Tell that this act begins; the number counts from 1.
    Begin(usize, &'static str),
    /// Do this, and call [`Director::done`] when it was done.
    Do(Cue),
    /// Tell this.
    Say(&'static str),
    /// Tell how the services but this one fared in this act.
    Neighbours(&'static str),
    /// Tell that this was not seen in time.
    Missed(Sight),
    /// Tell that this could not be done in time.
    Failed(Cue),
}

/// Where in the script we are.
pub struct Director {
    script: &'static [Act],
    /// What is played instead of the rest of it when the demo is asked to end.
    curtain: Option<&'static Act>,
    act: usize,
    step: usize,
    /// Acts that were announced.
    acts: usize,
    /// This one was.
    begun: bool,
    /// When the step began.
    since: Option<Mono>,
    /// What had been seen when the act before it ended.
    before: Ledger,
    /// Least time that is waited for a sight, in board time, however fast the board.
    least: Duration,
    /// Sights that were not seen and cues that could not be done.
    missed: u32,
}

impl Director {
    /// At the beginning of a script. `least` is the shortest deadline, in board time: at a high
    /// speed a deadline of the script is a short time for the machine.
    pub fn new(
        script: &'static [Act],
        curtain: &'static Act,
        ledger: &Ledger,
        least: Duration,
    ) -> Director {
        Director {
            script,
            curtain: Some(curtain),
            act: 0,
            step: 0,
            acts: 0,
            begun: false,
            since: None,
            before: ledger.clone(),
            least,
            missed: 0,
        }
    }

    /// The script is over.
    pub fn over(&self) -> bool {
        self.act >= self.script.len()
    }

    /// Sights that were not seen and cues that could not be done.
    pub fn missed(&self) -> u32 {
        self.missed
    }

    /// What had been seen when the act began.
    pub fn before(&self) -> &Ledger {
        &self.before
    }

    /// Goes to the curtain, because the demo was asked to end.
    pub fn cut_short(&mut self) {
        if let Some(curtain) = self.curtain.take() {
            self.script = std::slice::from_ref(curtain);
            self.enter(0);
        }
    }

    /// The cue of the last [`Move::Do`] was done.
    pub fn done(&mut self) {
        self.advance();
    }

    /// What to do now, if anything. To be asked until it answers `None`, and after a
    /// [`Move::Do`] only when that was done or has to be tried again.
    pub fn next(&mut self, now: Mono, ledger: &Ledger) -> Option<Move> {
        loop {
            let act = self.script.get(self.act)?;
            if !self.begun {
                self.begun = true;
                self.acts += 1;
                return Some(Move::Begin(self.acts, act.title));
            }
            let Some(step) = act.steps.get(self.step) else {
                self.before = ledger.clone();
                self.enter(self.act + 1);
                continue;
            };
            let since = *self.since.get_or_insert(now);
            let late = |within: Duration| now.since(since) >= within.max(self.least);
            let (next, over) = match *step {
                Step::Say(text) => (Some(Move::Say(text)), true),
                Step::Neighbours(name) => (Some(Move::Neighbours(name)), true),
                Step::Pause(time) => (None, now.since(since) >= time),
                Step::See(sight, _) if sight.seen(&self.before, ledger) => (None, true),
                Step::See(sight, within) if late(within) => (Some(Move::Missed(sight)), true),
                Step::See(..) => (None, false),
                Step::Do(cue) if late(Duration::ZERO) => (Some(Move::Failed(cue)), true),
                Step::Do(cue) => (Some(Move::Do(cue)), false),
            };
            self.missed += u32::from(matches!(next, Some(Move::Missed(_) | Move::Failed(_))));
            if over {
                self.advance();
            }
            if next.is_some() || !over {
                return next;
            }
        }
    }

    fn enter(&mut self, act: usize) {
        self.act = act;
        self.step = 0;
        self.begun = false;
        self.since = None;
    }

    fn advance(&mut self) {
        self.step += 1;
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::settings::Settings;

    const SCRIPT: &[Act] = &[
        Act {
            title: "one",
            steps: &[
                Step::Do(Cue::Exit),
                Step::See(Sight::Ended, Duration::from_secs(5)),
                Step::Pause(Duration::from_secs(2)),
                Step::Say("said"),
            ],
        },
        Act {
            title: "two",
            steps: &[Step::See(Sight::Bitten, Duration::from_secs(5))],
        },
    ];

    const CURTAIN: Act = Act {
        title: "curtain",
        steps: &[Step::See(Sight::Ended, Duration::from_secs(5))],
    };

    fn start() -> (Director, Ledger) {
        let ledger = Ledger::new(Settings::nothing(), Mono(0));
        (
            Director::new(SCRIPT, &CURTAIN, &ledger, Duration::from_secs(1)),
            ledger,
        )
    }

    /// A cue is repeated until it was done; what was seen ends a wait at once; pauses take time.
    #[test]
    fn goes_through_the_steps() {
        let (mut d, mut ledger) = start();
        assert!(matches!(
            d.next(Mono(0), &ledger),
            Some(Move::Begin(1, "one"))
        ));
        for at in [0, 100, 200] {
            assert!(matches!(
                d.next(Mono(at), &ledger),
                Some(Move::Do(Cue::Exit))
            ));
        }
        d.done();
        assert!(d.next(Mono(300), &ledger).is_none());
        ledger.ended = true;
        assert!(d.next(Mono(400), &ledger).is_none(), "the pause has begun");
        assert!(d.next(Mono(2399), &ledger).is_none());
        assert!(matches!(
            d.next(Mono(2400), &ledger),
            Some(Move::Say("said"))
        ));
        assert!(matches!(
            d.next(Mono(2400), &ledger),
            Some(Move::Begin(2, "two"))
        ));
        ledger.bites = 1;
        assert!(d.next(Mono(2500), &ledger).is_none());
        assert!(d.over());
        assert_eq!(d.missed(), 0);
    }

    /// What is not seen in time, or cannot be done, is said and counted, and the story goes on.
    #[test]
    fn goes_on_without() {
        let (mut d, ledger) = start();
        d.next(Mono(0), &ledger);
        assert!(matches!(
            d.next(Mono(0), &ledger),
            Some(Move::Do(Cue::Exit))
        ));
        assert!(matches!(
            d.next(Mono(1000), &ledger),
            Some(Move::Failed(Cue::Exit))
        ));
        assert!(d.next(Mono(1000), &ledger).is_none());
        assert!(d.next(Mono(5999), &ledger).is_none());
        assert!(matches!(
            d.next(Mono(6000), &ledger),
            Some(Move::Missed(Sight::Ended))
        ));
        assert_eq!(d.missed(), 2);
    }

    /// Cut short, it begins the curtain, once.
    #[test]
    fn can_be_cut_short() {
        let (mut d, ledger) = start();
        d.next(Mono(0), &ledger);
        d.cut_short();
        assert!(matches!(
            d.next(Mono(1), &ledger),
            Some(Move::Begin(2, "curtain"))
        ));
        d.cut_short();
        assert!(d.next(Mono(2), &ledger).is_none());
    }
}

//! The stop of the services, made to fit into what the battery gives: first their deadlines become
//! shorter, each by its share, and what is left at the end is killed.
//!
//! Never on mains, nor where nobody knows how long the battery lasts.

use super::halt::Halt;
use crate::core::Pass;
use crate::core::budget::Fit;
use crate::core::picture::Rung;

impl Halt {
    /// Has the services take up what there is for them. What was shortened stays so while nothing is
    /// known: silence is no good news.
    pub(super) fn fit_stops(&self, pass: &mut Pass) {
        if self.rung != Rung::Stopping {
            // What is left is killed, or nothing is.
            pass.picture.stop_fit = None;
            return;
        }
        let time = self.until.since(self.since);
        let shortened = time < pass.settings.stop_budget;
        match (pass.picture.mains, pass.picture.hold_up) {
            (Some(true), _) => pass.picture.stop_fit = None,
            (_, Some(_)) if shortened => pass.picture.stop_fit = Fit::of(time, self.span),
            (_, Some(_) | None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::core::action::Actions;
    use crate::core::budget::{Fit, StopSpan};
    use crate::core::fact::{Asker, Fact, HaltKind, Request, Ticket};
    use crate::core::picture::{HaltCause, Picture};
    use crate::core::settings::Settings;
    use crate::core::shutdown::Shutdown;
    use crate::core::{Pass, Policy};
    use crate::units::Mono;
    use std::time::Duration;

    struct Machine {
        shutdown: Shutdown,
        picture: Picture,
        now: Mono,
    }

    impl Machine {
        /// On its battery, with services that are expected to take 10 s, and 60 s at most.
        fn new(lasts: Option<u64>) -> Machine {
            let seconds = Duration::from_secs;
            let picture = Picture {
                alive: 1,
                mains: Some(false),
                hold_up: lasts.map(seconds),
                stop_span: Some(StopSpan {
                    expected: seconds(10),
                    most: seconds(60),
                }),
                ..Picture::default()
            };
            Machine {
                shutdown: Shutdown::default(),
                picture,
                now: Mono(1_000_000),
            }
        }

        /// What is left for the services.
        fn step(&mut self, fact: &Fact, after: u64) -> Option<Fit> {
            self.now = self.now.after(Duration::from_secs(after));
            self.shutdown.step(&mut Pass {
                now: self.now,
                fact,
                settings: &Settings::nothing(),
                picture: &mut self.picture,
                out: &mut Actions::default(),
            });
            self.picture.stop_fit
        }

        fn lasts(&mut self, seconds: Option<u64>) {
            self.picture.hold_up = seconds.map(Duration::from_secs);
        }
    }

    const ASK: Fact = Fact::Asked {
        ticket: Ticket(1),
        by: Asker::User(0),
        request: Request::Halt(HaltKind::PowerOff),
    };

    /// First the time beyond what is expected becomes less, then that, too; nothing is shortened where
    /// the battery gives enough, or nobody knows.
    #[test]
    fn it_fits_into_what_the_battery_gives() {
        for (lasts, fit) in [
            (None, None),
            (Some(600), None),
            (Some(90), None),
            (Some(89), Some(Fit::Beyond(980))),
            (Some(65), Some(Fit::Beyond(500))),
            (Some(40), Some(Fit::Beyond(0))),
            (Some(38), Some(Fit::Within(800))),
            (Some(0), Some(Fit::Within(500))),
        ] {
            let mut machine = Machine::new(lasts);
            assert_eq!(machine.step(&ASK, 0), fit, "{lasts:?}");
        }
    }

    /// It becomes less while the battery gives less, is not more again while nobody knows, and is all
    /// of it as soon as mains are back.
    #[test]
    fn it_follows_the_battery() {
        let mut machine = Machine::new(Some(600));
        assert_eq!(machine.step(&ASK, 0), None);
        machine.lasts(Some(45));
        let short = Some(Fit::Beyond(200));
        assert_eq!(machine.step(&Fact::Tick, 5), short);
        for lasts in [Some(600), None] {
            machine.lasts(lasts);
            assert_eq!(machine.step(&Fact::Tick, 1), short, "{lasts:?}");
        }
        machine.picture.mains = None;
        assert_eq!(machine.step(&Fact::Tick, 1), short);
        machine.picture.mains = Some(true);
        assert_eq!(machine.step(&Fact::Tick, 1), None);
        // With 80 s from the ask on.
        machine.step(&Fact::Tick, 60);
        assert!(machine.shutdown.due > Some(machine.now));
    }

    /// A halt that is taken back leaves nothing shortened.
    #[test]
    fn taken_back() {
        let mut machine = Machine::new(Some(40));
        machine.picture.halt_ask = Some(HaltCause::LowBattery);
        assert!(machine.step(&Fact::Tick, 0).is_some());
        machine.picture.mains = Some(true);
        assert_eq!(machine.step(&Fact::Tick, 1), None);
        assert_eq!(machine.picture.halting, None);
    }
}

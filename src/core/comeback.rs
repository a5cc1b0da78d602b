//! Mains come back, or stay away, while the machine is on its way down: one answer for each case.
//!
//! The daemon asks here on every rung of a halt, systemd's hook once more when everything is
//! unmounted, and the page on power shows the whole table. It has three sides: how far the machine has
//! come ([`Stage`]), what the board knows of a cut of its power ([`Knows`]), and what a board can do
//! ([`Ability`]).
//!
//! What may not be: a machine that is off while mains are there and that nothing will start. So with
//! mains back it only goes off where its board has taken the cut for certain, and thereby gives the
//! power again; in every other case it ends in a running machine.
//!
//! Never acts.

use super::picture::Rung;
use super::settings::CutAhead;

/// How far the machine has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stage {
    /// It runs on its battery, and no halt was asked for.
    Riding,
    /// It is being halted, and nothing was done that cannot be taken back.
    Begun,
    /// The board is being told to cut the power, and init was not asked yet.
    Telling,
    /// Init was asked: the point of no return.
    Asked,
    /// Init does not end it, so that the kernel is asked, or the watchdog.
    Forced,
    /// Everything is unmounted, and the daemon is gone.
    Unmounted,
}

/// Every stage, in their order.
pub const STAGES: [Stage; 6] = [
    Stage::Riding,
    Stage::Begun,
    Stage::Telling,
    Stage::Asked,
    Stage::Forced,
    Stage::Unmounted,
];

/// What the board knows of a cut of its power.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Knows {
    /// It was not told, or has refused or forgotten it.
    Nothing,
    /// It was told, and nobody knows what it made of that.
    Maybe,
    /// It took it, for certain.
    Took,
    /// It was told to forget it, and has not done so, or not yet.
    Keeps {
        /// It had taken the cut for certain.
        certain: bool,
    },
}

/// Everything that it may know.
pub const KNOWN: [Knows; 5] = [
    Knows::Nothing,
    Knows::Maybe,
    Knows::Took,
    Knows::Keeps { certain: false },
    Knows::Keeps { certain: true },
];

/// What a board can do about its power.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ability {
    /// It never cuts the power by itself before everything is unmounted: it cuts none at all, or only
    /// when it is told to then.
    Holds,
    /// It cuts the power some time after it was told, ahead of the halt, unless it is told to forget
    /// that.
    Forgets,
    /// The same, and it cannot forget that.
    Insists,
}

/// Every ability.
pub const ABILITIES: [Ability; 3] = [Ability::Holds, Ability::Forgets, Ability::Insists];

/// What mains do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// They are back: the power policy believes it.
    Back,
    /// They stay away.
    Away,
    /// They are gone once more, after the halt was made a restart because they were back.
    AwayAgain,
}

/// Everything that they may do.
pub const EVENTS: [Event; 3] = [Event::Back, Event::Away, Event::AwayAgain];

/// What follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// What was stopped to save power comes back.
    Resume,
    /// The machine goes on on its battery: what is due next is in the plan of the outage.
    Ride,
    /// The halt is taken back, and the services come back.
    TakeBack,
    /// The machine is restarted instead of turned off.
    Restart,
    /// The board is told to forget the cut; what follows is decided when it has answered.
    Forget {
        /// Restart meanwhile, whatever it says: nobody knows that it took the cut, and a machine that
        /// is off would stay off if it never did.
        restart: bool,
    },
    /// The board is told once more to cut the power, because it cannot forget it: if it takes that, it
    /// gives the power again; if it does not, the machine is restarted.
    Insist,
    /// The halt goes on, and the machine goes off.
    GoOn,
    /// The board is told to cut the power, as far as it can do that.
    Cut,
    /// The halt, or the restart that it has become, goes on as it is.
    Keep,
}

impl Ability {
    /// That of a board of which this is configured.
    pub fn of(ahead: Option<CutAhead>) -> Ability {
        match ahead {
            None => Ability::Holds,
            Some(ahead) if ahead.can_be_cancelled => Ability::Forgets,
            Some(_) => Ability::Insists,
        }
    }
}

impl Stage {
    /// That of a halt on this rung.
    pub fn of(rung: Rung) -> Stage {
        match rung {
            Rung::Looking | Rung::Stopping | Rung::Killing | Rung::Recording | Rung::Syncing => {
                Stage::Begun
            }
            Rung::Cutting => Stage::Telling,
            Rung::Asked => Stage::Asked,
            Rung::Rescuing | Rung::Forced | Rung::WatchdogReset => Stage::Forced,
        }
    }

    /// Everything up to here can be taken back.
    pub fn can_be_taken_back(self, ability: Ability) -> bool {
        match self {
            Stage::Riding | Stage::Begun => true,
            Stage::Telling => ability == Ability::Forgets,
            Stage::Asked | Stage::Forced | Stage::Unmounted => false,
        }
    }

    /// A case that can come about: a board that is told nothing ahead knows nothing, and before it was
    /// told none does; a hook asks it to forget only once.
    pub fn is_possible(self, knows: Knows, ability: Ability, event: Event) -> bool {
        let told = match knows {
            Knows::Nothing => true,
            Knows::Maybe | Knows::Took => ability != Ability::Holds,
            Knows::Keeps { .. } => ability == Ability::Forgets && self != Stage::Unmounted,
        };
        let early = self < Stage::Telling && knows != Knows::Nothing
            || self == Stage::Telling && ability == Ability::Holds;
        let turned = event == Event::AwayAgain && self < Stage::Asked;
        told && !early && !turned
    }
}

/// What follows from what mains do.
pub fn answer(event: Event, stage: Stage, knows: Knows, ability: Ability) -> Answer {
    match event {
        Event::Back => back(stage, knows, ability),
        Event::Away => away(stage, knows),
        // It runs for a moment: the next boot looks for itself, and mains may be there by then.
        Event::AwayAgain if stage == Stage::Unmounted => back(stage, knows, ability),
        Event::AwayAgain => Answer::Keep,
    }
}

fn back(stage: Stage, knows: Knows, ability: Ability) -> Answer {
    let late = stage >= Stage::Forced;
    match (knows, ability) {
        (Knows::Nothing, _) if stage == Stage::Riding => Answer::Resume,
        (Knows::Nothing, _) if stage.can_be_taken_back(ability) => Answer::TakeBack,
        (Knows::Nothing, _) => Answer::Restart,
        // Up to the last rungs the hook, which runs last, learns from the board what becomes of it.
        (Knows::Maybe, Ability::Forgets) => Answer::Forget { restart: late },
        (Knows::Took, Ability::Forgets) => Answer::Forget { restart: false },
        (Knows::Maybe, Ability::Insists | Ability::Holds) if stage == Stage::Unmounted => {
            Answer::Insist
        }
        (Knows::Maybe | Knows::Keeps { certain: false }, _) if late => Answer::Restart,
        // It loses its power in any case, or may do so: better off than on then.
        (Knows::Maybe | Knows::Took | Knows::Keeps { .. }, _) => Answer::GoOn,
    }
}

fn away(stage: Stage, knows: Knows) -> Answer {
    match (stage, knows) {
        (Stage::Riding, _) => Answer::Ride,
        (Stage::Unmounted, Knows::Nothing | Knows::Maybe | Knows::Keeps { certain: false }) => {
            Answer::Cut
        }
        (Stage::Unmounted, Knows::Took | Knows::Keeps { certain: true }) => Answer::GoOn,
        (Stage::Begun | Stage::Telling | Stage::Asked | Stage::Forced, _) => Answer::Keep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(mut see: impl FnMut(Event, Stage, Knows, Ability)) {
        for event in EVENTS {
            for stage in STAGES {
                for knows in KNOWN {
                    for ability in ABILITIES {
                        if stage.is_possible(knows, ability, event) {
                            see(event, stage, knows, ability);
                        }
                    }
                }
            }
        }
    }

    /// Mains are back: the machine runs in the end, or its board has taken the cut for certain, or is
    /// still asked what it took. So nothing stays off for ever where the board gives power again.
    #[test]
    fn nothing_stays_off_with_mains_there() {
        every(|event, stage, knows, ability| {
            let answer = answer(event, stage, knows, ability);
            let case = format!("{event:?} {stage:?} {knows:?} {ability:?}: {answer:?}");
            if event != Event::Back {
                return;
            }
            match answer {
                Answer::Resume | Answer::TakeBack | Answer::Restart => {}
                Answer::Forget { .. } => assert_eq!(ability, Ability::Forgets, "{case}"),
                // Either way it gives the power again.
                Answer::Insist => assert_ne!(ability, Ability::Holds, "{case}"),
                Answer::GoOn => {
                    let certain = matches!(knows, Knows::Took | Knows::Keeps { certain: true });
                    let hook = stage < Stage::Forced;
                    assert!(certain || hook && knows != Knows::Nothing, "{case}");
                }
                Answer::Ride | Answer::Cut | Answer::Keep => panic!("{case}"),
            }
        });
    }

    /// Mains that stay away take nothing back and restart nothing; and nothing is cut before
    /// everything is unmounted.
    #[test]
    fn without_mains_it_goes_down() {
        every(|event, stage, knows, ability| {
            if event != Event::Away {
                return;
            }
            let answer = answer(event, stage, knows, ability);
            let wanted = match stage {
                Stage::Riding => answer == Answer::Ride,
                Stage::Unmounted => matches!(answer, Answer::Cut | Answer::GoOn),
                Stage::Begun | Stage::Telling | Stage::Asked | Stage::Forced => {
                    answer == Answer::Keep
                }
            };
            assert!(wanted, "{stage:?} {knows:?} {ability:?}: {answer:?}");
        });
    }

    /// What can be taken back is taken back, and nothing beyond it ever is.
    #[test]
    fn only_what_can_be_taken_back_is() {
        every(|event, stage, knows, ability| {
            let taken = answer(event, stage, knows, ability) == Answer::TakeBack;
            let can = event == Event::Back
                && stage != Stage::Riding
                && stage.can_be_taken_back(ability)
                && knows == Knows::Nothing;
            assert_eq!(taken, can, "{event:?} {stage:?} {knows:?} {ability:?}");
        });
    }
}

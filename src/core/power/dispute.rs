//! Signs that contradict each other: told to the operator, because somebody has to look at the board.
//!
//! Never acted upon.

use super::low::DEAD_BAND;
use super::trend::Course;
use crate::core::note::Note;
use crate::units::{Milliamps, Mono};
use std::time::Duration;

/// A contradiction is told after this time. Shorter: readings from before and after a cut, which come
/// at different times, would be one.
const LASTING: Duration = Duration::from_secs(30);

/// What contradicts what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dispute {
    /// Mains are said to be there, and the battery is being used up.
    UsedOnMains,
    /// Mains are said to be gone, and the battery is being charged.
    ChargedOnBattery,
    /// The current goes into the battery while its voltage falls all the time, or out of it while it
    /// rises: its sign may be wrong.
    CurrentAgainstVoltage,
}

/// A contradiction, and whether it was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Disputed {
    found: Option<(Dispute, Mono, bool)>,
}

/// What contradicts what now. `line` is what something says that tells of mains alone.
/// The level of the battery rises, or is sinking to its end.
pub(super) fn of(
    line: Option<bool>,
    mains: Option<bool>,
    current: Option<Milliamps>,
    course: Option<Course>,
    (rises, sinks): (bool, bool),
) -> Option<Dispute> {
    if sinks && line == Some(true) && mains == Some(true) {
        return Some(Dispute::UsedOnMains);
    }
    let denied = line == Some(false) && mains == Some(false);
    let Some(Milliamps(current)) = current else {
        return (denied && rises).then_some(Dispute::ChargedOnBattery);
    };
    let (into, out) = (current > DEAD_BAND.0, current < -DEAD_BAND.0);
    match course {
        Some(Course::Falling) if into => Some(Dispute::CurrentAgainstVoltage),
        Some(Course::Rising) if out => Some(Dispute::CurrentAgainstVoltage),
        Some(Course::Falling) if out && line == Some(true) && mains == Some(true) => {
            Some(Dispute::UsedOnMains)
        }
        Some(Course::Falling | Course::Rising | Course::Steady) | None => {
            (into && denied).then_some(Dispute::ChargedOnBattery)
        }
    }
}

impl Disputed {
    /// Takes in what contradicts what; says so once it has lasted.
    pub fn hear(&mut self, found: Option<Dispute>, now: Mono) -> Option<Note> {
        self.found = match (self.found, found) {
            (Some((before, since, told)), Some(now)) if before == now => Some((now, since, told)),
            (Some(_) | None, Some(dispute)) => Some((dispute, now, false)),
            (Some(_) | None, None) => None,
        };
        match &mut self.found {
            Some((dispute, since, told)) if !*told && now.since(*since) >= LASTING => {
                *told = true;
                Some(Note::SignsDisagree { dispute: *dispute })
            }
            Some(_) | None => None,
        }
    }

    /// The one that was told and goes on.
    pub fn told(&self) -> Option<Dispute> {
        let (dispute, _, told) = self.found?;
        told.then_some(dispute)
    }

    /// When it has to be told.
    pub fn due(&self) -> Option<Mono> {
        let (_, since, told) = self.found?;
        (!told).then(|| since.after(LASTING))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every combination that contradicts itself, and its neighbours that do not.
    #[test]
    fn contradictions() {
        use Course::{Falling, Rising, Steady};
        use Dispute::{ChargedOnBattery, CurrentAgainstVoltage, UsedOnMains};
        let (yes, no) = (Some(true), Some(false));
        for (line, mains, current, course, wanted) in [
            (yes, yes, -51, Some(Falling), Some(UsedOnMains)),
            (yes, yes, -50, Some(Falling), None),
            (yes, yes, -51, Some(Steady), None),
            (yes, yes, -51, None, None),
            (no, no, 51, None, Some(ChargedOnBattery)),
            (no, no, 51, Some(Rising), Some(ChargedOnBattery)),
            (no, no, 50, Some(Rising), None),
            (no, yes, 51, None, None),
            (None, yes, 51, Some(Falling), Some(CurrentAgainstVoltage)),
            (None, no, -51, Some(Rising), Some(CurrentAgainstVoltage)),
            (None, no, -51, Some(Falling), None),
            (None, None, 51, Some(Rising), None),
        ] {
            let found = of(
                line,
                mains,
                Some(Milliamps(current)),
                course,
                (false, false),
            );
            assert_eq!(found, wanted, "{line:?} {current} {course:?}");
            assert_eq!(of(line, mains, None, course, (false, false)), None);
        }
        // Without a current, the level speaks for it.
        assert_eq!(
            of(no, no, None, None, (true, false)),
            Some(ChargedOnBattery)
        );
        assert_eq!(of(yes, no, None, None, (true, false)), None);
        assert_eq!(of(no, yes, None, None, (true, false)), None);
        let sinks = |line, mains| of(line, mains, None, None, (false, true));
        assert_eq!(sinks(yes, yes), Some(UsedOnMains));
        assert_eq!(sinks(no, yes), None);
    }

    /// It is told once, after it has lasted, and again when it comes again.
    #[test]
    fn told_once() {
        let mut disputed = Disputed::default();
        let dispute = Dispute::ChargedOnBattery;
        let note = Some(Note::SignsDisagree { dispute });
        assert_eq!(disputed.hear(Some(dispute), Mono(0)), None);
        assert_eq!(disputed.due(), Some(Mono(30_000)));
        assert_eq!(disputed.hear(Some(dispute), Mono(29_999)), None);
        assert_eq!(disputed.hear(Some(dispute), Mono(30_000)), note);
        assert_eq!(disputed.hear(Some(dispute), Mono(90_000)), None);
        assert_eq!((disputed.told(), disputed.due()), (Some(dispute), None));
        assert_eq!(disputed.hear(None, Mono(91_000)), None);
        assert_eq!(disputed.told(), None);
        disputed.hear(Some(dispute), Mono(92_000));
        assert_eq!(
            disputed.hear(Some(Dispute::UsedOnMains), Mono(123_000)),
            None
        );
    }
}

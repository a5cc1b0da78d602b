//! Looking first: what time alone would bring about waits until it is known whether mains are still
//! gone.
//!
//! Whoever was not there for a while knows of an outage only that it had begun. That holds for a
//! daemon that follows another in the same boot, and for one that stood still: time has passed, and
//! what was to be heard meanwhile is still on its way.
//!
//! The first reading decides. Silence is no reading, and does not put an outage off for longer than the
//! look lasts.

use super::supply::GONE_FOR;
use crate::units::Mono;
use std::time::Duration;

/// Longest look. Longer: a battery drains while nobody acts. Shorter: what tells of mains is opened
/// anew by a new daemon, and a bus may have to be mended first.
const LONGEST: Duration = Duration::from_secs(10);

/// Who comes so much later than asked for stood still. Shorter: a busy machine looks all the time.
/// Longer: an outage that is over by then is acted upon.
const STOOD_STILL: Duration = Duration::from_millis(500);

/// How far the look has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Look {
    /// What holds was seen.
    #[default]
    Done,
    /// Nothing was heard of mains yet.
    Blind {
        /// How long that may last.
        until: Mono,
        /// Another daemon saw the outage begin.
        inherited: bool,
    },
    /// They were seen gone, which is believed as always.
    Gone {
        /// When it is.
        until: Mono,
    },
}

use Look::{Blind, Done, Gone};

impl Look {
    /// Begins a look, of a daemon that follows another.
    pub fn inherited(now: Mono) -> Look {
        Blind {
            until: now.after(LONGEST),
            inherited: true,
        }
    }

    /// Begins a look if the policy, which wanted to be asked when it was `due`, stood still. One
    /// that goes on begins anew only after a whole look: a machine that is always late has to act
    /// some time.
    pub fn after(self, due: Option<Mono>, now: Mono) -> Look {
        let late = due.map_or(Duration::ZERO, |due| now.since(due));
        match self {
            Done if late >= STOOD_STILL => Blind {
                until: now.after(LONGEST),
                inherited: false,
            },
            Blind { inherited, .. } if late >= LONGEST => Blind {
                until: now.after(LONGEST),
                inherited,
            },
            Gone { .. } if late >= LONGEST => Blind {
                until: now.after(LONGEST),
                inherited: false,
            },
            Done | Blind { .. } | Gone { .. } => self,
        }
    }

    /// Takes news about mains in, or silence. Says whether they end an outage of another daemon: mains
    /// that are there now came back at a time that nobody knows, and that may be long ago.
    #[must_use]
    pub fn hear(self, mains: Option<bool>, now: Mono) -> (Look, bool) {
        match (self, mains) {
            (Done, _) => (Done, false),
            (Blind { .. }, Some(false)) => {
                let until = now.after(GONE_FOR);
                (Gone { until }, false)
            }
            (Blind { inherited, .. }, Some(true)) => (Done, inherited),
            // It has seen for itself that they were gone: this is a return like any other.
            (Gone { .. }, Some(true)) => (Done, false),
            (Gone { .. }, Some(false)) | (Blind { .. } | Gone { .. }, None) => (self, false),
        }
    }

    /// What follows from time alone.
    #[must_use]
    pub fn wait(self, now: Mono) -> Look {
        match self.due() {
            Some(until) if now >= until => Done,
            Some(_) | None => self,
        }
    }

    /// When it is over, if nothing is heard.
    pub fn due(self) -> Option<Mono> {
        match self {
            Done => None,
            Blind { until, .. } | Gone { until } => Some(until),
        }
    }

    /// It goes on.
    pub fn goes_on(self) -> bool {
        self != Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Mono = Mono(100_000);

    fn blind(inherited: bool) -> Look {
        Blind {
            until: Mono(110_000),
            inherited,
        }
    }

    const GONE: Look = Gone {
        until: Mono(102_000),
    };

    /// Every state with every reading.
    #[test]
    fn states_and_readings() {
        for inherited in [false, true] {
            for (look, yes, no) in [
                (Done, (Done, false), (Done, false)),
                (blind(inherited), (Done, inherited), (GONE, false)),
                (GONE, (Done, false), (GONE, false)),
            ] {
                assert_eq!(look.hear(Some(true), NOW), yes, "{look:?}, present");
                assert_eq!(look.hear(Some(false), NOW), no, "{look:?}, gone");
                assert_eq!(look.hear(None, NOW), (look, false), "{look:?}, silent");
            }
        }
        // A second reading without them does not make it longer.
        assert_eq!(GONE.hear(Some(false), Mono(101_000)), (GONE, false));
    }

    /// It ends by itself, and begins anew in who stood still, for whatever reason it was begun.
    #[test]
    fn time_alone() {
        assert_eq!(Look::inherited(NOW), blind(true));
        assert_eq!(blind(true).wait(Mono(109_999)), blind(true));
        assert_eq!(blind(true).wait(Mono(110_000)), Done);
        assert_eq!(GONE.wait(Mono(102_000)), Done);
        for due in [None, Some(Mono(99_501)), Some(Mono(200_000))] {
            assert_eq!(Done.after(due, NOW), Done, "{due:?}");
        }
        assert_eq!(Done.after(Some(Mono(99_500)), NOW), blind(false));
        for due in [None, Some(Mono(90_001)), Some(Mono(200_000))] {
            for look in [blind(true), GONE] {
                assert_eq!(look.after(due, NOW), look, "{due:?}");
            }
        }
        let due = Some(Mono(90_000));
        assert_eq!(GONE.after(due, NOW), blind(false));
        assert_eq!(blind(true).after(due, NOW), blind(true));
    }
}

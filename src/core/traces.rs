//! Traces of the boot before, beside the word of its daemon: what the machine itself has kept.

use crate::units::{Millivolts, Mono, Permille, Wall};
use std::time::Duration;

/// What the firmware says of how the machine came to start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Firmware {
    /// It had no power before.
    PowerOn,
    /// It was reset, and had power all the time. On a Pi an ordinary restart and the watchdog look the
    /// same here.
    Reset,
    /// Its supply was too weak.
    Weak,
}

/// What was found of the boot before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Traces {
    /// Its last sign of life, in its own time; `None` where that is not known.
    pub alive: Option<Mono>,
    /// The same by its clock, if that could be trusted.
    pub at: Option<Wall>,
    /// From its last sign of life to the start of this boot, if two clocks that can be trusted tell.
    pub gap: Option<Duration>,
    /// What the firmware says; `None` where it says nothing.
    pub firmware: Option<Firmware>,
    /// Its kernel has left a record of a panic.
    pub panic: bool,
}

/// What was last seen of power, written down with each sign of life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sample {
    /// What the battery held.
    pub level: Option<Permille>,
    /// Its voltage.
    pub voltage: Option<Millivolts>,
    /// The supply was too weak just then; `None` where nothing tells.
    pub weak: Option<bool>,
    /// The machine ran on its battery, and that was low.
    pub low: bool,
}

/// The battery sinks by so much between two records. Less: a card is written to for nothing in an
/// outage. More: a battery that ran empty is taken for one that was cut off.
const SINKS: u16 = 100;

impl Sample {
    /// This says what that one does not, and what may be the last thing that there is to say.
    pub(super) fn is_news_to(&self, written: &Sample) -> bool {
        let weak = self.weak == Some(true) && written.weak != Some(true);
        let low = self.low && !written.low;
        let sinks = match (self.level, written.level) {
            (Some(now), Some(then)) => then.0.saturating_sub(now.0) >= SINKS,
            (Some(_) | None, None) | (None, Some(_)) => false,
        };
        weak || low || sinks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A battery that sinks or is low, and a supply that becomes too weak, are news; everything that
    /// gets better waits for the next sign of life.
    #[test]
    fn what_is_written_down_before_its_time() {
        let of = |level, weak, low| Sample {
            level: Some(Permille(level)),
            weak: Some(weak),
            low,
            ..Sample::default()
        };
        let written = of(800, false, false);
        for (sample, is_news) in [
            (of(800, false, false), false),
            (of(701, false, false), false),
            (of(700, false, false), true),
            (of(1000, false, false), false),
            (of(800, true, false), true),
            (of(800, false, true), true),
            (Sample::default(), false),
        ] {
            assert_eq!(sample.is_news_to(&written), is_news, "{sample:?}");
        }
        let bad = of(300, true, true);
        assert!(!of(300, false, false).is_news_to(&bad));
        assert!(of(300, true, false).is_news_to(&Sample::default()));
    }
}

//! The line thread: watches the GPIO line that tells of power from outside.
//!
//! ```text
//! edge ──debounced by the kernel──┐
//! no edges: looked at every 200 ms ├─► level ──► a change is told at once, a level from time to time
//! time to tell again ─────────────┘
//! ```
//!
//! Terms: a line is *polled* when its driver gives no edges. A level is told again although nothing
//! happened, so that the core can count on what it hears.
//!
//! An edge can get lost, and the kernel goes on with the level before it: what it shows of a debounced
//! line is what the edges have told. So whenever nothing has happened for a while, the level is read
//! *afresh*, from the line itself; another one than before counts once it has lasted.
//!
//! A line that cannot be had, or vanishes, is lost with its cause, and tried again every 5 s. Never
//! drives a line.

use super::clock;
use super::inbox::Inbox;
use super::orders::Work;
use crate::core::fact::{Fact, Fault, Reading, Source};
use crate::units::Mono;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// Time between two looks at a line without edges. Longer: a cut is told late. Shorter: wake-ups.
const POLLED: Duration = Duration::from_millis(200);

/// Time until a line that cannot be had is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// A level that nothing happened to is told again after this time.
const QUIET: Duration = Duration::from_secs(15);

/// For this long after a change, the level is told every second: the core believes in a return by
/// what it hears some seconds later.
const LIVELY: Duration = Duration::from_secs(10);

/// Time between two of those.
const LIVELY_AGAIN: Duration = Duration::from_secs(1);

/// Shortest wait for a level to have lasted.
const SHORTEST: Duration = Duration::from_millis(1);

/// What the line thread can be told to do.
pub enum LineOrder {
    /// End.
    Quit,
}

/// A line that can be looked at and waited for.
pub trait InputLine {
    /// Its level: high or not. Opens the line if it is not open.
    ///
    /// # Errors
    /// Why it cannot be had; it is closed then.
    fn level(&mut self) -> Result<bool, Fault>;

    /// It gives no edges, so it must be looked at.
    fn is_polled(&self) -> bool;

    /// The next level is read from the line itself, and not made of the edges that were seen.
    fn afresh(&mut self);

    /// Waits for an edge, for the bell, or for so long.
    fn wait(&mut self, bell: Option<BorrowedFd<'_>>, wait: Duration);
}

/// Watches a line until it is told to end. `lost_high` says which level means that there is no
/// power; a level that lasts shorter than `debounce` does not count.
pub fn run(
    line: &mut dyn InputLine,
    (lost_high, debounce): (bool, Duration),
    work: &Work<LineOrder>,
    inbox: &Inbox,
) {
    let mut watch = Watch::new(debounce);
    loop {
        let now = clock::now();
        work.pulse().sleep_until(now);
        let afresh = watch.is_quiet(now);
        if afresh {
            line.afresh();
        }
        let level = line.level();
        let edges = level.is_ok() && !line.is_polled();
        let present = level.map(|high| high != lost_high);
        if let Some(told) = watch.hear(present, (edges, afresh), now) {
            inbox.send(fact(told));
        }
        if std::mem::take(&mut watch.made_up) {
            log::warn!("the power line has changed without an edge: its level was read afresh");
        }
        let wait = watch.next(edges, now);
        work.pulse().sleep_until(now.after(wait));
        line.wait(work.bell(), clock::wait(wait));
        work.silence();
        if let Some(LineOrder::Quit) = work.take() {
            work.finish(clock::now());
            return;
        }
    }
}

fn fact(present: Result<bool, Fault>) -> Fact {
    match present {
        Ok(present) => Fact::Seen(Reading::Mains { present }),
        Err(why) => Fact::Lost {
            source: Source::Mains,
            why,
        },
    }
}

/// What is known of a line: pure, so that its waits can be shown without waiting.
struct Watch {
    debounce: Duration,
    /// The level that counts, and another one that does not yet, with its beginning.
    level: Option<bool>,
    other: Option<Mono>,
    /// What was told last, and when.
    told: Option<(Result<bool, Fault>, Mono)>,
    changed: Mono,
    /// A change that no edge told of was found.
    made_up: bool,
}

impl Watch {
    fn new(debounce: Duration) -> Watch {
        Watch {
            debounce,
            level: None,
            other: None,
            told: None,
            changed: Mono(0),
            made_up: false,
        }
    }

    /// Nothing has happened for a while: it is time to tell the level again.
    fn is_quiet(&self, now: Mono) -> bool {
        matches!(&self.told, Some((Ok(_), at)) if now >= at.after(QUIET))
    }

    /// Takes in a look at the line; what comes back is to be told. Levels of a line with edges were
    /// debounced by the kernel, unless they were read afresh.
    fn hear(
        &mut self,
        present: Result<bool, Fault>,
        (edges, afresh): (bool, bool),
        now: Mono,
    ) -> Option<Result<bool, Fault>> {
        let counts = match present {
            Ok(level) if edges && !afresh && self.other.is_none() => {
                self.level = Some(level);
                Ok(level)
            }
            Ok(level) => {
                let before = self.level;
                let settled = self.settle(level, now);
                self.made_up = edges && before.is_some_and(|before| before != settled);
                Ok(settled)
            }
            Err(why) => {
                (self.level, self.other) = (None, None);
                Err(why)
            }
        };
        let changed = self.told.as_ref().is_none_or(|(told, _)| *told != counts);
        if changed {
            self.changed = now;
        }
        let due = self
            .told
            .as_ref()
            .map_or(now, |(_, at)| at.after(self.again(now)));
        if !changed && now < due {
            return None;
        }
        self.told = Some((counts.clone(), now));
        Some(counts)
    }

    /// The level that counts, after this one was seen: another one has to last.
    fn settle(&mut self, level: bool, now: Mono) -> bool {
        match self.level {
            Some(before) if before != level => {
                let since = *self.other.get_or_insert(now);
                if now.since(since) < self.debounce {
                    return before;
                }
            }
            Some(_) | None => {}
        }
        (self.level, self.other) = (Some(level), None);
        level
    }

    /// Time after which a level is told again.
    fn again(&self, now: Mono) -> Duration {
        match now.since(self.changed) < LIVELY {
            true => LIVELY_AGAIN,
            false => QUIET,
        }
    }

    /// Time until the line is to be looked at again, if nothing happens.
    fn next(&self, edges: bool, now: Mono) -> Duration {
        match &self.told {
            Some((Err(_), _)) => AGAIN,
            Some((Ok(_), _)) if edges && self.other.is_some() => {
                let lasts = self.other.map_or(Duration::ZERO, |since| now.since(since));
                self.debounce.saturating_sub(lasts).max(SHORTEST)
            }
            Some((Ok(_), at)) if edges => at.after(self.again(now)).since(now),
            Some((Ok(_), _)) | None => POLLED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// Each look, with what was told of it.
    fn looks(watch: &mut Watch, edges: bool, looks: &[(u64, bool, Option<bool>)]) {
        for (at, level, told) in looks {
            let heard = watch.hear(Ok(*level), (edges, false), Mono(*at));
            assert_eq!(heard, told.map(Ok), "at {at}");
        }
    }

    /// A change is told at once, the level again every second for a while, and then rarely.
    #[test]
    fn a_change_is_told_at_once_and_a_level_again() {
        let mut watch = Watch::new(MS(50));
        looks(
            &mut watch,
            true,
            &[
                (0, true, Some(true)),
                (999, true, None),
                (1_000, true, Some(true)),
                (1_010, false, Some(false)),
                (2_010, false, Some(false)),
                (2_020, true, Some(true)),
                (2_030, true, None),
            ],
        );
        assert_eq!(watch.next(true, Mono(2_030)), MS(990));
        looks(
            &mut watch,
            true,
            &[(12_000, true, Some(true)), (13_500, true, None)],
        );
        assert_eq!(watch.next(true, Mono(13_500)), MS(13_500));
        looks(&mut watch, true, &[(27_000, true, Some(true))]);
    }

    /// A line whose edge got lost is read afresh when nothing has happened for a while. What it is then
    /// has to last, because nobody has debounced it; a bounce changes nothing.
    #[test]
    fn a_lost_edge_is_made_up_for() {
        let mut watch = Watch::new(MS(50));
        looks(&mut watch, true, &[(0, true, Some(true))]);
        looks(&mut watch, true, &[(9_000, true, Some(true))]);
        assert!(!watch.is_quiet(Mono(23_999)));
        assert!(watch.is_quiet(Mono(24_000)));
        // A bounce.
        let afresh = |watch: &mut Watch, level, at| watch.hear(Ok(level), (true, true), Mono(at));
        assert_eq!(afresh(&mut watch, false, 24_000), Some(Ok(true)));
        assert_eq!(watch.next(true, Mono(24_000)), MS(50));
        looks(&mut watch, true, &[(24_050, true, None)]);
        assert!(!watch.made_up);
        assert_eq!(watch.next(true, Mono(24_050)), MS(14_950));
        // A change.
        assert!(watch.is_quiet(Mono(39_000)));
        assert_eq!(afresh(&mut watch, false, 39_000), Some(Ok(true)));
        looks(&mut watch, true, &[(39_049, false, None)]);
        assert!(!watch.made_up);
        assert_eq!(watch.next(true, Mono(39_049)), MS(1));
        looks(&mut watch, true, &[(39_050, false, Some(false))]);
        assert!(watch.made_up);
        assert_eq!(watch.next(true, Mono(39_050)), MS(1_000));
    }

    /// A polled line is looked at often, and a level that comes and goes in between does not count.
    #[test]
    fn a_polled_line_is_debounced_here() {
        let mut watch = Watch::new(MS(300));
        looks(
            &mut watch,
            false,
            &[
                (0, true, Some(true)),
                (200, false, None),
                (400, true, None),
                (600, false, None),
                (800, false, None),
                (1_000, false, Some(false)),
                (1_200, true, None),
                (1_400, false, None),
                (1_600, false, None),
                (2_000, false, Some(false)),
            ],
        );
        assert_eq!(watch.next(false, Mono(2_000)), POLLED);
    }

    /// A line that is gone is told as lost, at once and again, and its next level is believed at
    /// once: there is none before it that it could bounce against.
    #[test]
    fn a_line_that_vanishes_is_lost() {
        let mut watch = Watch::new(MS(300));
        looks(&mut watch, false, &[(0, true, Some(true))]);
        let gone = || Err(Fault::Absent);
        assert_eq!(watch.hear(gone(), (false, false), Mono(200)), Some(gone()));
        assert_eq!(watch.next(false, Mono(200)), AGAIN);
        assert_eq!(
            watch.hear(gone(), (false, false), Mono(5_200)),
            Some(gone())
        );
        let other = || Err(Fault::Taken { by: None });
        assert_eq!(
            watch.hear(other(), (false, false), Mono(5_300)),
            Some(other())
        );
        looks(&mut watch, false, &[(10_300, false, Some(false))]);
    }
}

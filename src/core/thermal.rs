//! Temperature of the processor: a ladder of four levels.
//!
//! ```text
//! cool ──warn──► warm ──hot──► hot ──critical──► critical      at once, over any number of levels
//!   ◄──────────────◄─────────────◄─────────────────┘            3 degrees below, for a minute
//! ```
//!
//! Terms: each *level* but the lowest has a limit, at which it is entered, and a release point 3
//! degrees below. A level is left when every reading of `settle` (a minute, unless configured) was
//! below its release point, so a fan that goes on and off, or a cloud, gives one note and not twenty.
//!
//! Acts by one wish: when the highest level is still held by a reading half a minute after it was
//! entered, services of the class optional are to stop, until that level is left. Never asks for a
//! halt: a board that is too hot protects itself by running slower, and one that is off helps nobody.
//!
//! Silence takes no bad verdict and no wish back: what was hot stays so until a reading says
//! otherwise.

use super::fact::{Fact, Pulse, Reading, Source, Thread};
use super::note::Note;
use super::picture::{Shed, Verdict};
use super::sense::Last;
use super::settings::Heat;
use super::{Pass, Policy};
use crate::units::{MilliCelsius, Mono};
use std::time::Duration;

/// Degrees below a limit at which its level is left again. A smaller margin gives a note for every
/// gust of the fan; a larger one keeps calling a cooled board hot.
const MARGIN: i32 = 3_000;

/// Time on the highest level after which optional services are to stop. Shorter: a single wild
/// reading stops them. Longer: the board suffers for work that nobody needs.
const SHED_AFTER: Duration = Duration::from_secs(30);

/// The levels, from cold to hot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum HeatLevel {
    /// Below every limit.
    Cool,
    /// At or above `warn`.
    Warm,
    /// At or above `hot`.
    Hot,
    /// At or above `critical`.
    Critical,
}

impl HeatLevel {
    /// The highest level whose limit, lowered by so much, is reached.
    fn reached(temperature: MilliCelsius, limits: Heat, below: i32) -> HeatLevel {
        let at = |limit: MilliCelsius| temperature.0 >= limit.0.saturating_sub(below);
        if at(limits.critical) {
            HeatLevel::Critical
        } else if at(limits.hot) {
            HeatLevel::Hot
        } else if at(limits.warn) {
            HeatLevel::Warm
        } else {
            HeatLevel::Cool
        }
    }

    fn verdict(self) -> Verdict {
        match self {
            HeatLevel::Cool => Verdict::Ok,
            HeatLevel::Warm | HeatLevel::Hot => Verdict::Warn,
            HeatLevel::Critical => Verdict::Critical,
        }
    }
}

/// Where on the ladder the processor stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stand {
    level: HeatLevel,
    /// When it was entered.
    since: Mono,
    /// Since when every reading was below its release point, and the highest level that one of them
    /// would have been on.
    leaving: Option<(Mono, HeatLevel)>,
}

impl Stand {
    /// What follows from a reading.
    fn feel(self, temperature: MilliCelsius, limits: Heat, now: Mono) -> Stand {
        let enter = |level| Stand {
            level,
            since: now,
            leaving: None,
        };
        let up = HeatLevel::reached(temperature, limits, 0);
        if up > self.level {
            return enter(up);
        }
        let down = HeatLevel::reached(temperature, limits, MARGIN);
        if down >= self.level {
            return Stand {
                leaving: None,
                ..self
            };
        }
        let (began, highest) = match self.leaving {
            Some((began, highest)) => (began, highest.max(down)),
            None => (now, down),
        };
        if now.since(began) >= limits.settle {
            return enter(highest);
        }
        Stand {
            leaving: Some((began, highest)),
            ..self
        }
    }
}

/// State of the policy.
#[derive(Default)]
pub(crate) struct Thermal {
    last: Last<MilliCelsius>,
    stand: Option<Stand>,
    verdict: Verdict,
    shed: Shed,
}

impl Thermal {
    pub fn latest(&self) -> Option<MilliCelsius> {
        self.last.value()
    }

    /// The level that the latest reading has led to; `None` before the first.
    pub fn level(&self) -> Option<HeatLevel> {
        self.stand.map(|s| s.level)
    }

    fn feel(&mut self, temperature: MilliCelsius, pass: &mut Pass) {
        let limits = pass.settings.temperature;
        let before = self.stand.unwrap_or(Stand {
            level: HeatLevel::Cool,
            since: pass.now,
            leaving: None,
        });
        let stand = before.feel(temperature, limits, pass.now);
        if stand.level != before.level {
            pass.out.note(Note::Heat {
                level: stand.level,
                verdict: stand.level.verdict(),
                temperature,
            });
        }
        self.stand = Some(stand);
        self.verdict = stand.level.verdict();
        self.shed(stand, pass);
    }

    /// Wishes for optional services to stop, or takes that wish back.
    fn shed(&mut self, stand: Stand, pass: &mut Pass) {
        // The reading itself has to be hot: a wild one that came before makes the level, not the wish.
        let long = stand.leaving.is_none() && pass.now.since(stand.since) >= SHED_AFTER;
        let shed = match stand.level {
            HeatLevel::Critical if long => Shed::Optional,
            HeatLevel::Critical => self.shed,
            HeatLevel::Cool | HeatLevel::Warm | HeatLevel::Hot => Shed::Nothing,
        };
        let holds = pass.settings.services.iter();
        // Where no service is of that class, nobody needs to hear of it.
        let matters = holds.filter(|s| Shed::Optional.holds(s.class)).count() > 0;
        if shed != self.shed && matters {
            pass.out.note(Note::HeatShedding { shed });
        }
        self.shed = shed;
    }
}

impl Policy for Thermal {
    fn step(&mut self, pass: &mut Pass) {
        match pass.fact {
            Fact::Seen(Reading::Temperature(t)) => {
                self.last.see(*t, Source::Temperature, pass);
                self.feel(*t, pass);
            }
            Fact::Lost {
                source: Source::Temperature,
                why,
            } => {
                self.last.lose(Source::Temperature, why, pass);
                self.verdict = self.verdict.unseen();
            }
            Fact::Thread {
                thread: Thread::Vitals,
                pulse: Pulse::Late { .. },
            } => {
                self.last.distrust();
                self.verdict = self.verdict.unseen();
            }
            Fact::Tick | Fact::Seen(_) | Fact::Lost { .. } | Fact::Thread { .. } => return,
            Fact::Child { .. } | Fact::Kept { .. } | Fact::Asked { .. } | Fact::Done { .. } => {
                return;
            }
        }
        pass.picture.thermal = self.verdict;
        pass.picture.shed_for_heat = self.shed;
    }

    fn deadline(&self) -> Option<Mono> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use HeatLevel::{Cool, Critical, Hot, Warm};

    const LIMITS: Heat = Heat {
        warn: MilliCelsius(75_000),
        hot: MilliCelsius(80_000),
        critical: MilliCelsius(85_000),
        settle: Duration::from_secs(60),
    };

    /// The levels after readings in degrees, one every 15 s.
    fn levels(readings: &[i32]) -> Vec<HeatLevel> {
        let mut stand = Stand {
            level: Cool,
            since: Mono(0),
            leaving: None,
        };
        let mut levels = Vec::new();
        for (at, degrees) in (0u64..).zip(readings) {
            stand = stand.feel(MilliCelsius(degrees * 1000), LIMITS, Mono(at * 15_000));
            levels.push(stand.level);
        }
        levels
    }

    /// Every limit is entered at once, from every level below it.
    #[test]
    fn up_is_at_once() {
        assert_eq!(
            levels(&[74, 75, 79, 80, 84, 85]),
            [Cool, Warm, Warm, Hot, Hot, Critical]
        );
        assert_eq!(levels(&[20, 90]), [Cool, Critical]);
        assert_eq!(levels(&[i32::MAX / 1000, 20]), [Critical, Critical]);
    }

    /// A level is left a minute after the last reading at or above its release point, and for the
    /// highest level that was reached meanwhile.
    #[test]
    fn down_takes_a_minute_below_the_release_point() {
        assert_eq!(levels(&[85, 82, 82, 82, 82, 82, 82]), [Critical; 7]);
        let down = levels(&[85, 81, 81, 81, 81, 81, 20, 20, 20, 20, 20]);
        assert_eq!(down[..5], [Critical; 5]);
        assert_eq!(down[5..10], [Hot; 5]);
        assert_eq!(down[10], Cool);
        let down = levels(&[85, 20, 78, 20, 20, 20]);
        assert_eq!(
            down,
            [Critical, Critical, Critical, Critical, Critical, Hot]
        );
        // One reading above it, and the minute begins anew.
        assert_eq!(levels(&[75, 71, 71, 71, 72, 71, 71, 71, 71]), [Warm; 9]);
    }

    /// A fan that goes on and off for hours leads over one limit once.
    #[test]
    fn flapping_enters_once() {
        let swing: Vec<i32> = (0..400).map(|n| if n % 3 == 0 { 81 } else { 70 }).collect();
        let mut changes = levels(&swing);
        changes.dedup();
        assert_eq!(changes, [Hot]);
    }
}

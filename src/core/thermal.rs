//! Temperature of the processor.
//!
//! Never acts on heat by itself: it reports, and those after it read the verdict. Silence takes
//! nothing back: what was hot stays so until a reading says otherwise.

use super::fact::{Fact, Pulse, Reading, Source, Thread};
use super::level::{Worse, judge};
use super::note::Note;
use super::picture::Verdict;
use super::sense::Last;
use super::settings::Limits;
use super::{Pass, Policy};
use crate::units::{MilliCelsius, Mono};

/// Degrees below a limit at which its range is left again. A smaller margin gives a note for every
/// gust of the fan; a larger one keeps calling a cooled board hot.
const MARGIN: i32 = 3_000;

/// State of the policy.
#[derive(Default)]
pub(crate) struct Thermal {
    last: Last<MilliCelsius>,
    verdict: Verdict,
}

impl Thermal {
    pub fn latest(&self) -> Option<MilliCelsius> {
        self.last.value()
    }

    fn judge(&mut self, temperature: MilliCelsius, pass: &mut Pass) {
        let limits = pass.settings.temperature;
        let below = |t: MilliCelsius| MilliCelsius(t.0.saturating_sub(MARGIN));
        let release = Limits {
            warn: below(limits.warn),
            critical: below(limits.critical),
        };
        let verdict = judge(self.verdict, temperature, limits, release, Worse::Higher);
        if verdict != self.verdict && (verdict, self.verdict) != (Verdict::Ok, Verdict::Unknown) {
            pass.out.note(Note::Heat {
                verdict,
                temperature,
            });
        }
        self.verdict = verdict;
    }
}

impl Policy for Thermal {
    fn step(&mut self, pass: &mut Pass) {
        match pass.fact {
            Fact::Seen(Reading::Temperature(t)) => {
                self.last.see(*t, Source::Temperature, pass);
                self.judge(*t, pass);
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
            Fact::Child { .. } | Fact::Asked { .. } | Fact::Done { .. } => return,
        }
        pass.picture.thermal = self.verdict;
    }

    fn deadline(&self) -> Option<Mono> {
        None
    }
}

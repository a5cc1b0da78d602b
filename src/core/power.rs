//! Power: does the machine run on mains or on its battery?
//!
//! ```text
//! nothing heard ──first news──► unknown ◄──silence── on line ◄──first good reading── unknown
//!   unknown, on line ──gone for 2 s──► on battery ──back for 5 s, by a reading──► on line
//! ```
//!
//! Terms: mains are *failing* when they were seen gone and that is not believed yet, and
//! *returning* when they were seen back and that is not believed yet.
//!
//! Both waits count from the reading that began them. Readings come at the interval of the vitals,
//! so a cut is told up to one interval later than that, and a return at the first reading after its
//! wait.
//!
//! Silence is never good news: it makes mains that were there unknown, takes back neither a failure
//! nor a battery, and interrupts a return. A machine on which no such reading was ever heard of has
//! nothing to lose, and no verdict.
//!
//! On battery, the gauge is to be looked at closely. An order for that which was not taken is given
//! again when the gauge is next heard of, because then its thread works again.
//!
//! Never acts otherwise: this version only reports. Nothing is halted, shed or saved because of it.

use super::action::Action;
use super::fact::{Fact, OrderId, Pulse, Reading, Source, Thread};
use super::note::Note;
use super::picture::Verdict;
use super::sense::Last;
use super::{Pass, Policy};
use crate::units::{Milliamps, Millivolts, Mono, Permille};
use std::time::Duration;

/// Mains that are seen gone for this long are believed to be. Shorter: every flicker of the grid is
/// told. Longer: a small battery is half empty before anybody knows.
const GONE_FOR: Duration = Duration::from_secs(2);

/// Mains that are seen back for this long are believed to be. Shorter: mains that come and go tell
/// a new cut each time. Longer: a battery is spared that is charging again.
const BACK_FOR: Duration = Duration::from_secs(5);

/// What the machine runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Supply {
    /// Nobody can tell.
    Unknown {
        /// When they were first seen gone, if they are failing.
        failing: Option<Mono>,
    },
    /// Mains.
    OnLine {
        /// When they were first seen gone, if they are failing.
        failing: Option<Mono>,
    },
    /// Its battery.
    OnBattery {
        /// When mains were first seen gone.
        since: Mono,
        /// When they were first seen back, if they are returning.
        returning: Option<Mono>,
    },
}

/// What the battery's gauge says. What it cannot tell is `None`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gauge {
    /// Voltage of the pack.
    pub voltage: Option<Millivolts>,
    /// What is left of a full battery.
    pub charge: Option<Permille>,
    /// Current into the battery.
    pub current: Option<Milliamps>,
}

impl Supply {
    /// What follows from a reading, or from its loss (`None`).
    fn hear(self, mains: Option<bool>, now: Mono) -> Supply {
        use Supply::{OnBattery, OnLine, Unknown};
        match (self, mains) {
            (Unknown { .. } | OnLine { .. }, Some(true)) => OnLine { failing: None },
            (Unknown { failing }, Some(false)) => Unknown {
                failing: failing.or(Some(now)),
            },
            (OnLine { failing }, Some(false)) => OnLine {
                failing: failing.or(Some(now)),
            },
            (Unknown { failing } | OnLine { failing }, None) => Unknown { failing },
            (OnBattery { since, .. }, Some(false) | None) => OnBattery {
                since,
                returning: None,
            },
            (OnBattery { since, returning }, Some(true)) => match returning {
                Some(back) if now.since(back) >= BACK_FOR => OnLine { failing: None },
                Some(_) | None => OnBattery {
                    since,
                    returning: returning.or(Some(now)),
                },
            },
        }
    }

    /// What follows from time alone: a failure that nobody took back is believed. A return is not,
    /// without a reading.
    fn wait(self, now: Mono) -> Supply {
        match self.failing() {
            Some(since) if now >= since.after(GONE_FOR) => Supply::OnBattery {
                since,
                returning: None,
            },
            Some(_) | None => self,
        }
    }

    fn failing(self) -> Option<Mono> {
        match self {
            Supply::Unknown { failing } | Supply::OnLine { failing } => failing,
            Supply::OnBattery { .. } => None,
        }
    }

    fn on_battery(self) -> bool {
        match self {
            Supply::Unknown { .. } | Supply::OnLine { .. } => false,
            Supply::OnBattery { .. } => true,
        }
    }

    /// What is believed of mains.
    fn mains(self) -> Option<bool> {
        match self {
            Supply::Unknown { .. } => None,
            Supply::OnLine { .. } => Some(true),
            Supply::OnBattery { .. } => Some(false),
        }
    }

    fn verdict(self) -> Verdict {
        match self {
            Supply::Unknown { .. } => Verdict::Unknown,
            Supply::OnLine { .. } => Verdict::Ok,
            Supply::OnBattery { .. } => Verdict::Warn,
        }
    }
}

/// What there is to tell about a change.
fn news(before: Supply, after: Supply) -> Option<Note> {
    use Supply::{OnBattery, OnLine, Unknown};
    match (before, after) {
        (Unknown { .. } | OnLine { .. }, OnBattery { .. }) => Some(Note::MainsLost),
        (OnBattery { since, returning }, OnLine { .. }) => Some(Note::MainsBack {
            lasted: returning.unwrap_or(since).since(since),
        }),
        (Unknown { .. } | OnLine { .. }, Unknown { .. } | OnLine { .. })
        | (OnBattery { .. }, OnBattery { .. } | Unknown { .. }) => None,
    }
}

/// State of the policy.
#[derive(Default)]
pub(crate) struct Power {
    last: Last<bool>,
    /// `None` until anything was heard.
    supply: Option<Supply>,
    gauge: Last<Gauge>,
    /// The latest order about the gauge.
    watch: Option<OrderId>,
    /// It was not taken.
    unheard: bool,
}

impl Power {
    pub fn supply(&self) -> Option<Supply> {
        self.supply
    }

    pub fn gauge(&self) -> Option<Gauge> {
        self.gauge.value()
    }

    fn watch(&mut self, closely: bool, pass: &mut Pass) {
        self.watch = Some(pass.out.push(Action::WatchGauge { closely }));
        self.unheard = false;
    }

    /// The gauge was heard of: its thread takes orders.
    fn gauge_spoke(&mut self, pass: &mut Pass) {
        if self.unheard {
            self.watch(self.supply.is_some_and(Supply::on_battery), pass);
        }
    }

    fn turn(&mut self, next: Supply, pass: &mut Pass) {
        let before = self.supply.replace(next);
        let note = before.and_then(|before| news(before, next));
        if let Some(note) = note {
            pass.out.note(note);
        }
        if before.is_some_and(Supply::on_battery) != next.on_battery() {
            self.watch(next.on_battery(), pass);
        }
        pass.picture.power = Some(next.verdict());
        pass.picture.mains = next.mains();
    }

    /// A thread is stuck: what it would tell is not known any more.
    fn distrust(&mut self, thread: Thread, pass: &mut Pass) {
        if thread == Thread::Bus {
            self.gauge.distrust();
        }
        if thread == pass.settings.board.mains_by && self.supply.is_some() {
            self.last.distrust();
            self.hear(None, pass);
        }
    }

    fn hear(&mut self, mains: Option<bool>, pass: &mut Pass) {
        let before = self.supply.unwrap_or(Supply::Unknown { failing: None });
        self.turn(before.hear(mains, pass.now), pass);
    }
}

impl Policy for Power {
    fn step(&mut self, pass: &mut Pass) {
        // Time first: news that come late find what was due before them.
        if let Some(supply) = self.supply {
            self.turn(supply.wait(pass.now), pass);
        }
        match pass.fact {
            Fact::Seen(Reading::Mains { present }) => {
                self.last.see(*present, Source::Mains, pass);
                self.hear(Some(*present), pass);
            }
            Fact::Lost {
                source: Source::Mains,
                why,
            } => {
                self.last.lose(Source::Mains, why, pass);
                self.hear(None, pass);
            }
            Fact::Seen(Reading::Gauge {
                voltage,
                charge,
                current,
            }) => {
                let (voltage, charge, current) = (*voltage, *charge, *current);
                let gauge = Gauge {
                    voltage,
                    charge,
                    current,
                };
                self.gauge.see(gauge, Source::Gauge, pass);
                self.gauge_spoke(pass);
            }
            Fact::Lost {
                source: Source::Gauge,
                why,
            } => {
                self.gauge.lose(Source::Gauge, why, pass);
                self.gauge_spoke(pass);
            }
            Fact::Thread {
                thread,
                pulse: Pulse::Late { .. },
            } => self.distrust(*thread, pass),
            Fact::Done {
                order,
                outcome: Err(_),
            } => self.unheard |= self.watch == Some(*order),
            Fact::Tick | Fact::Seen(_) | Fact::Lost { .. } | Fact::Thread { .. } => {}
            Fact::Child { .. } | Fact::Asked { .. } | Fact::Done { .. } => {}
        }
    }

    fn deadline(&self) -> Option<Mono> {
        let failing = self.supply.and_then(Supply::failing)?;
        Some(failing.after(GONE_FOR))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Supply::{OnBattery, OnLine, Unknown};

    const YES: Option<bool> = Some(true);
    const NO: Option<bool> = Some(false);
    const NOW: Mono = Mono(10_000);

    fn unknown(failing: Option<u64>) -> Supply {
        Unknown {
            failing: failing.map(Mono),
        }
    }

    fn line(failing: Option<u64>) -> Supply {
        OnLine {
            failing: failing.map(Mono),
        }
    }

    fn battery(returning: Option<u64>) -> Supply {
        OnBattery {
            since: Mono(1_000),
            returning: returning.map(Mono),
        }
    }

    /// Every state with every reading, at 10 s.
    #[test]
    fn states_and_readings() {
        for (state, yes, no, silence) in [
            (
                unknown(None),
                line(None),
                unknown(Some(10_000)),
                unknown(None),
            ),
            (
                unknown(Some(9_000)),
                line(None),
                unknown(Some(9_000)),
                unknown(Some(9_000)),
            ),
            (line(None), line(None), line(Some(10_000)), unknown(None)),
            (
                line(Some(9_000)),
                line(None),
                line(Some(9_000)),
                unknown(Some(9_000)),
            ),
            (
                battery(None),
                battery(Some(10_000)),
                battery(None),
                battery(None),
            ),
            (
                battery(Some(5_001)),
                battery(Some(5_001)),
                battery(None),
                battery(None),
            ),
            (
                battery(Some(5_000)),
                line(None),
                battery(None),
                battery(None),
            ),
        ] {
            assert_eq!(state.hear(YES, NOW), yes, "{state:?}, present");
            assert_eq!(state.hear(NO, NOW), no, "{state:?}, gone");
            assert_eq!(state.hear(None, NOW), silence, "{state:?}, silent");
        }
    }

    /// Nothing more is ever heard: a failure becomes a battery after its wait, and nothing else
    /// changes, however long it takes.
    #[test]
    fn nothing_more_is_ever_heard() {
        let since = Mono(8_001);
        let on_battery = OnBattery {
            since,
            returning: None,
        };
        for state in [unknown(Some(8_001)), line(Some(8_001))] {
            assert_eq!(state.wait(NOW), state);
            assert_eq!(state.wait(Mono(10_001)), on_battery);
            assert_eq!(state.wait(Mono(u64::MAX)), on_battery);
        }
        for state in [
            unknown(None),
            line(None),
            battery(None),
            battery(Some(2_000)),
        ] {
            assert_eq!(state.wait(Mono(u64::MAX)), state);
        }
    }

    /// A cut lasts from the first reading without mains to the first with them, and is told once.
    #[test]
    fn what_is_told() {
        let back = battery(Some(5_000));
        let lasted = Duration::from_secs(4);
        assert_eq!(news(back, line(None)), Some(Note::MainsBack { lasted }));
        for before in [unknown(Some(1_000)), line(Some(1_000))] {
            assert_eq!(news(before, battery(None)), Some(Note::MainsLost));
        }
        for (before, after) in [
            (unknown(None), line(None)),
            (line(None), unknown(None)),
            (line(None), line(Some(1))),
            (battery(None), battery(Some(2))),
        ] {
            assert_eq!(news(before, after), None, "{before:?}, {after:?}");
        }
    }
}

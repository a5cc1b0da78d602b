//! The steps of the way out, from inside outwards: which is the first that is broken, and for how long.
//!
//! Terms: a look *fails* while some step is broken. So many failed looks in a row make the way out
//! *broken*; one look at which all is well mends it. A look that cannot tell changes nothing, but
//! where there was no other for long, those before it were not in a row with those behind it.

use super::super::Pass;
use super::super::fact::{Fault, Found, Source, Step, Uplink};
use super::super::note::{NetworkNote, Note};
use super::super::picture::{Repair, Verdict};
use super::super::sense::Last;
use super::super::settings::{Judged, Network, Settings};
use super::repair::{Broken, Repairs, RungView};
use crate::units::Mono;

/// How the way out stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UplinkView {
    /// `Ok`, `Warn` while it is broken, `Unknown`. Never worse, and never part of how the machine as
    /// a whole stands: a dead network is not ill health.
    pub verdict: Verdict,
    /// The latest look; `None` before the first.
    pub latest: Option<(Uplink, Mono)>,
    /// The first broken step of the latest look that could tell.
    pub broken: Option<(Step, Found)>,
    /// Looks in a row that have failed.
    pub failures: u32,
    /// When the first of these was.
    pub since: Option<Mono>,
}

/// What is known of it.
#[derive(Default)]
pub(super) struct Watch {
    last: Last<Uplink>,
    latest: Option<(Uplink, Mono)>,
    judged: Option<Judged>,
    failures: u32,
    since: Option<Mono>,
    /// When the latest of these was.
    failed: Option<Mono>,
    /// Looks in a row whose first broken step is the same one.
    same: u32,
    /// The step that was told to be broken.
    told: Option<Step>,
    repairs: Repairs,
}

impl Watch {
    pub fn new(rungs: usize) -> Watch {
        Watch {
            repairs: Repairs::new(rungs),
            ..Watch::default()
        }
    }

    pub fn rungs(&self, settings: &Settings, now: Mono) -> Vec<RungView> {
        let rungs = settings.network.as_ref().map(|network| &network.rungs);
        rungs.map_or(Vec::new(), |rungs| self.repairs.views(rungs, now))
    }

    /// It was looked at.
    pub fn see(&mut self, uplink: &Uplink, pass: &mut Pass) {
        let Some(settings) = &pass.settings.network else {
            return;
        };
        self.last.see(*uplink, Source::Uplink, pass);
        self.latest = Some((*uplink, pass.now));
        match settings.judge(uplink) {
            Judged::Unsure => {}
            Judged::Well => self.mend(pass),
            Judged::Broken(step, found) => {
                self.fail(step, found, settings, pass);
                // One look at another step than was told is no reason for anything.
                if self.told == Some(step) && self.failures >= settings.failures {
                    let broken = Broken {
                        step,
                        found,
                        proven: settings.proves(uplink),
                    };
                    self.repairs.broken(broken, &settings.rungs, pass);
                }
            }
        }
    }

    fn fail(&mut self, step: Step, found: Found, settings: &Network, pass: &mut Pass) {
        let limit = settings.failures;
        let row = settings.every.saturating_mul(limit);
        let before = self.failed.replace(pass.now);
        if before.is_some_and(|at| pass.now.since(at) > row) {
            (self.failures, self.same) = (0, 0);
            // What was told stands, and so does since when.
            self.since = self.since.filter(|_| self.told.is_some());
        }
        let before = self.judged.replace(Judged::Broken(step, found));
        let again = matches!(before, Some(Judged::Broken(other, _)) if other == step);
        self.same = if again {
            self.same.saturating_add(1)
        } else {
            1
        };
        self.failures = self.failures.saturating_add(1);
        let since = *self.since.get_or_insert(pass.now);
        // Another step is news once it has lasted as long as the first had to.
        let news = match self.told {
            None => self.failures >= limit,
            Some(told) => told != step && self.same >= limit,
        };
        if news {
            self.told = Some(step);
            let lasted = pass.now.since(since);
            tell(
                NetworkNote::UplinkBroken {
                    step,
                    found,
                    lasted,
                },
                pass,
            );
        }
    }

    fn mend(&mut self, pass: &mut Pass) {
        self.judged = Some(Judged::Well);
        self.repairs.mended();
        (self.failures, self.same, self.failed) = (0, 0, None);
        let since = self.since.take();
        if let (Some(_), Some(since)) = (self.told.take(), since) {
            let lasted = pass.now.since(since);
            tell(NetworkNote::UplinkWell { lasted }, pass);
        }
    }

    /// What was to be done in the pass before could not be done.
    pub fn undone(&mut self, repair: Repair) {
        self.repairs.undone(repair);
    }

    /// It cannot be looked at.
    pub fn lose(&mut self, why: &Fault, pass: &mut Pass) {
        self.last.lose(Source::Uplink, why, pass);
    }

    /// The thread that looks is stuck: what it saw no longer stands.
    pub fn distrust(&mut self) {
        self.last.distrust();
    }

    pub fn view(&self) -> UplinkView {
        let verdict = match (self.told, self.judged) {
            (Some(_), _) => Verdict::Warn,
            (None, Some(_)) => Verdict::Ok,
            (None, None) => Verdict::Unknown,
        };
        UplinkView {
            verdict: match self.last {
                Last::At(_) => verdict,
                Last::Never | Last::Gone => verdict.unseen(),
            },
            latest: self.latest,
            broken: match self.judged {
                Some(Judged::Broken(step, found)) => Some((step, found)),
                Some(Judged::Well | Judged::Unsure) | None => None,
            },
            failures: self.failures,
            since: self.since,
        }
    }
}

fn tell(note: NetworkNote, pass: &mut Pass) {
    pass.out.note(Note::Network(note));
}

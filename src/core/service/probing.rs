//! The probes of a run: which of them are made when, and what follows from what they show.
//!
//! | kind | is made | enough successes | enough failures |
//! |---|---|---|---|
//! | startup | once it is ready by its own word | it is up | its start has failed: it is ended |
//! | readiness | while it is up | it can be used | it cannot; nothing is ended |
//! | liveness | while it is up | | it hangs: it is ended |
//! | isolation | while it is up | its network is closed | it is not; nothing is ended |
//!
//! Never made of a service that is to be stopped, and never counted then.

use super::probe::{Shown, Trial};
use super::{Service, State, StopCause, Turn};
use crate::core::action::{Action, Actions, Signal};
use crate::core::fact::{Ill, ProbeKind, Probed};
use crate::core::memo::Progress;
use crate::core::note::{Note, ProbeNote};
use crate::core::settings::{Probe, Service as Settings};
use crate::units::Mono;

/// Whether a service that is up can be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Readiness {
    /// Its first probes have yet to tell.
    Awaited,
    /// It can; so can one without such probes.
    Ready,
    /// It cannot.
    Lost,
}

/// The probes of the latest run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Probing {
    startup: Option<Trial>,
    readiness: Option<Trial>,
    liveness: Option<Trial>,
    isolation: Option<Trial>,
    /// It has started, as far as its probe can tell.
    started: bool,
    fitness: Readiness,
    /// It reaches what it must not, as far as is known.
    open: bool,
}

/// How probes of one kind stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProbeView {
    /// Which kind.
    pub kind: ProbeKind,
    /// Failures in a row.
    pub failures: u32,
    /// As many in a row as count could not be made.
    pub unsure: bool,
    /// What was wrong with the latest one; `None` if nothing was, or none was made yet.
    pub ill: Option<Ill>,
    /// They depend on the network.
    pub network: bool,
    /// They are not made: the network is gone.
    pub cut_off: bool,
}

impl Probing {
    /// Those of a new run; `None` if it has none.
    pub(super) fn new(s: &Settings) -> Option<Box<Probing>> {
        let probes = s.probes.as_ref()?;
        let fitness = match probes.readiness {
            Some(_) => Readiness::Awaited,
            None => Readiness::Ready,
        };
        Some(Box::new(Probing {
            startup: None,
            readiness: None,
            liveness: None,
            isolation: None,
            started: probes.startup.is_none(),
            fitness,
            open: false,
        }))
    }

    /// Those of a run that an earlier daemon has left so.
    pub(super) fn taken_over(s: &Settings, progress: Progress) -> Option<Box<Probing>> {
        let mut probing = Probing::new(s)?;
        probing.started |= progress.started;
        if probing.fitness == Readiness::Awaited {
            probing.fitness = match progress.ready {
                true => Readiness::Ready,
                false => Readiness::Lost,
            };
        }
        Some(probing)
    }

    fn trial(&self, kind: ProbeKind) -> Option<&Trial> {
        match kind {
            ProbeKind::Startup => self.startup.as_ref(),
            ProbeKind::Readiness => self.readiness.as_ref(),
            ProbeKind::Liveness => self.liveness.as_ref(),
            ProbeKind::Isolation => self.isolation.as_ref(),
        }
    }

    fn trial_mut(&mut self, kind: ProbeKind) -> &mut Option<Trial> {
        match kind {
            ProbeKind::Startup => &mut self.startup,
            ProbeKind::Readiness => &mut self.readiness,
            ProbeKind::Liveness => &mut self.liveness,
            ProbeKind::Isolation => &mut self.isolation,
        }
    }

    fn trials(&self) -> impl Iterator<Item = &Trial> {
        let kinds = ProbeKind::ALL.into_iter();
        kinds.filter_map(|kind| self.trial(kind))
    }

    /// Nobody waits any longer for it to be ready.
    fn await_no_more(&mut self) {
        self.fitness = match self.fitness {
            Readiness::Awaited => Readiness::Lost,
            known @ (Readiness::Ready | Readiness::Lost) => known,
        };
    }
}

fn probe(s: &Settings, kind: ProbeKind) -> Option<Probe> {
    s.probes.as_ref()?.get(kind).copied()
}

impl Service {
    /// How far its probes have let it come.
    pub(super) fn progress(&self) -> Progress {
        match self.probing.as_ref().filter(|_| self.alive()) {
            Some(probing) => Progress {
                started: probing.started,
                ready: probing.fitness == Readiness::Ready,
            },
            None => Progress::FULL,
        }
    }

    /// Whether it can be used, as far as its probes tell.
    pub(super) fn probed_readiness(&self) -> Readiness {
        let probing = self.probing.as_ref();
        probing.map_or(Readiness::Ready, |probing| probing.fitness)
    }

    /// How its probes stand that are made.
    pub fn probe_views(&self) -> impl Iterator<Item = ProbeView> + '_ {
        let view = |probing: &Probing, kind| {
            let trial = probing.trial(kind)?;
            Some(ProbeView {
                kind,
                failures: trial.failures,
                unsure: trial.is_unsure(),
                ill: trial.ill,
                network: trial.own.network,
                cut_off: self.is_cut_off(trial),
            })
        };
        let kinds = ProbeKind::ALL.into_iter();
        kinds.filter_map(move |kind| view(self.made()?, kind))
    }

    fn is_cut_off(&self, trial: &Trial) -> bool {
        self.cut_off && trial.own.network
    }

    /// Probes of it cannot be made, and not for want of a network that they need.
    pub fn is_unsure(&self) -> bool {
        let unsure = |trial: &Trial| trial.is_unsure() && !trial.own.network;
        self.made().is_some_and(|p| p.trials().any(unsure))
    }

    /// Its network is not as closed as its owner believes.
    pub fn is_open(&self) -> bool {
        self.made().is_some_and(|probing| probing.open)
    }

    /// It can be used; or only what lies beyond this machine says that it cannot.
    pub fn is_fit(&self) -> bool {
        let beyond = |p: &Probing| p.readiness.is_some_and(|trial| trial.own.network);
        matches!(self.state, State::Up { .. })
            && (self.readiness() == Readiness::Ready || self.made().is_some_and(beyond))
    }

    /// It is ready by its own word, and its probe has yet to find that it has started.
    pub(super) fn is_tried(&self) -> bool {
        let starting = matches!(self.state, State::Starting { pid: Some(_), .. });
        let startup = self.probing.as_ref().and_then(|p| p.startup.as_ref());
        starting && startup.is_some()
    }

    /// Its probes, if any are made now, as far as it alone is concerned.
    fn made(&self) -> Option<&Probing> {
        let made = self.is_tried() || matches!(self.state, State::Up { .. });
        self.probing.as_deref().filter(|_| made)
    }

    /// It is ready by its own word. Returns whether a probe has to find that it has started, too.
    pub(super) fn try_start(&mut self, s: &Settings, now: Mono) -> bool {
        let (Some(probing), Some(own)) = (&mut self.probing, probe(s, ProbeKind::Startup)) else {
            return false;
        };
        if probing.started {
            return false;
        }
        probing.startup.get_or_insert(Trial::begin(own, now));
        // From here on its probe says when it has taken too long.
        self.due = None;
        true
    }

    /// It is up: the other probes begin.
    pub(super) fn try_life(&mut self, s: &Settings, now: Mono) {
        let Some(probing) = &mut self.probing else {
            return;
        };
        (probing.started, probing.startup) = (true, None);
        for kind in [
            ProbeKind::Readiness,
            ProbeKind::Liveness,
            ProbeKind::Isolation,
        ] {
            *probing.trial_mut(kind) = probe(s, kind).map(|own| Trial::begin(own, now));
        }
        self.wait_for_no_network();
    }

    /// When a probe of it is due, or overdue.
    pub fn probe_due(&self) -> Option<Mono> {
        let probing = self.made()?;
        let trials = probing.trials().filter(|trial| !self.is_cut_off(trial));
        trials.map(Trial::due).min()
    }

    /// Has the probes made that are due, and gives up those that nobody answers.
    pub fn probe(&mut self, now: Mono, out: &mut Actions) {
        if self.made().is_none() {
            return;
        }
        for kind in ProbeKind::ALL {
            let Some(trial) = self.trial_mut(kind) else {
                continue;
            };
            let (attempt, shown) = trial.tick(now);
            if let Some(attempt) = attempt {
                out.push(Action::Probe {
                    service: self.id,
                    run: self.run,
                    kind,
                    attempt,
                });
            }
            if let Some(Shown::Unsure { why }) = shown {
                self.be_unsure(kind, why, out);
            }
        }
    }

    /// Probes of this kind, if they are made.
    fn trial_mut(&mut self, kind: ProbeKind) -> Option<&mut Trial> {
        let cut_off = self.cut_off;
        let trial = self.probing.as_deref_mut()?.trial_mut(kind).as_mut()?;
        Some(trial).filter(|trial| !(cut_off && trial.own.network))
    }

    /// A probe was answered.
    pub(super) fn probed(&mut self, kind: ProbeKind, number: u32, probed: Probed, turn: &mut Turn) {
        if self.made().is_none() || self.must_stop() || self.is_out_of_sight() {
            return;
        }
        let Some(trial) = self.trial_mut(kind) else {
            return;
        };
        let was_unsure = trial.is_unsure();
        let shown = trial.hear(number, probed, turn.now);
        if was_unsure && !trial.is_unsure() {
            self.tell(kind, ProbeNote::ProbeSure, turn.out);
        }
        match shown {
            None => {}
            Some(Shown::Unsure { why }) => self.be_unsure(kind, why, turn.out),
            Some(Shown::Well) => self.be_well(kind, turn),
            Some(Shown::Ill { why, failures }) => self.be_ill(kind, why, failures, turn),
        }
    }

    fn tell(&self, kind: ProbeKind, note: ProbeNote, out: &mut Actions) {
        out.note(Note::Probe(self.id, kind, note));
    }

    /// Told once, until one can be made again. Nobody waits any longer for it to be ready.
    fn be_unsure(&mut self, kind: ProbeKind, why: Ill, out: &mut Actions) {
        let Some(probing) = &mut self.probing else {
            return;
        };
        if kind == ProbeKind::Readiness {
            probing.await_no_more();
        }
        let first = |trial: &Trial| trial.unsure == trial.own.failure_threshold;
        if probing.trial(kind).is_some_and(first) {
            self.tell(kind, ProbeNote::ProbeUnsure { why }, out);
        }
    }

    /// Returns whether that is news.
    fn find(&mut self, fitness: Readiness) -> bool {
        let probing = self.probing.as_deref_mut();
        probing.is_some_and(|p| std::mem::replace(&mut p.fitness, fitness) != fitness)
    }

    /// Returns whether that is news.
    fn find_open(&mut self, open: bool) -> bool {
        let probing = self.probing.as_deref_mut();
        probing.is_some_and(|p| std::mem::replace(&mut p.open, open) != open)
    }

    fn be_well(&mut self, kind: ProbeKind, turn: &mut Turn) {
        match (kind, self.state) {
            (
                ProbeKind::Startup,
                State::Starting {
                    since,
                    pid: Some(pid),
                },
            ) => self.up(since, pid, turn),
            (ProbeKind::Readiness, _) => {
                if self.find(Readiness::Ready) {
                    self.tell(kind, ProbeNote::ProbePassed, turn.out);
                }
            }
            (ProbeKind::Isolation, _) => {
                if self.find_open(false) {
                    self.tell(kind, ProbeNote::ProbePassed, turn.out);
                }
            }
            (ProbeKind::Startup | ProbeKind::Liveness, _) => {}
        }
    }

    fn be_ill(&mut self, kind: ProbeKind, why: Ill, failures: u32, turn: &mut Turn) {
        let note = ProbeNote::ProbeFailed { why, failures };
        let news = match kind {
            ProbeKind::Readiness => Some(self.find(Readiness::Lost)),
            ProbeKind::Isolation => Some(self.find_open(true)),
            ProbeKind::Startup | ProbeKind::Liveness => None,
        };
        if let Some(news) = news {
            if news {
                self.tell(kind, note, turn.out);
            }
            return;
        }
        let (State::Up { since, pid, .. }
        | State::Starting {
            since,
            pid: Some(pid),
        }) = self.state
        else {
            return;
        };
        self.tell(kind, note, turn.out);
        let cause = StopCause::Fault;
        self.tell_to_end(
            turn.s,
            turn.now,
            (since, Some(pid)),
            cause,
            Signal::Stop,
            turn.out,
        );
    }

    /// The network is gone, or is there again.
    pub fn cut_off(&mut self, cut_off: bool, now: Mono) {
        self.cut_off = cut_off;
        let Some(probing) = &mut self.probing else {
            return;
        };
        let networked = |trial: &&mut Trial| trial.own.network;
        for kind in ProbeKind::ALL {
            if let Some(trial) = probing.trial_mut(kind).as_mut().filter(networked) {
                trial.begin_again(now);
            }
        }
        self.wait_for_no_network();
    }

    /// Nobody waits for it to be ready as long as nobody looks.
    fn wait_for_no_network(&mut self) {
        let cut_off = self.cut_off;
        if let Some(probing) = &mut self.probing
            && let Some(trial) = &probing.readiness
            && cut_off
            && trial.own.network
        {
            probing.await_no_more();
        }
    }
}

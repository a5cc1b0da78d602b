//! What the daemon itself stands on: a journal on disk, a pool in which services outlive it, a
//! configuration, a health endpoint where one is wanted, and daemons before it that ended in good
//! order.
//!
//! All of it can be missing without stopping anything: then records are kept in memory, services end
//! with the daemon, a copy of its configuration stands in, nobody is told by HTTP, and it starts
//! without what it was left. Nobody would notice before it is too late, so it is told.
//!
//! Never acts: it reports.

use super::fact::{Controller, Fact, Fault, Lack, Reading, Source, StandIn};
use super::note::{HealthNote, Note, ReloadNote};
use super::picture::Verdict;
use super::{Pass, Policy};
use crate::units::Mono;

/// State of the policy. What was never heard of is all right: who misses something says so at once.
#[derive(Default)]
pub(crate) struct Daemon {
    standing: Standing,
}

/// What is missing, and why.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Standing {
    /// Records are not written to disk.
    pub journal: Option<Fault>,
    /// Services do not live in the pool.
    pub pool: Option<Fault>,
    /// The health endpoint does not listen wherever it should.
    pub health: Option<Fault>,
    /// Limits that are not enforced, why, and whether the configuration asks for them.
    pub unenforced: Vec<(Controller, Lack, bool)>,
    /// Daemons of the minute before this one that broke off, if it started safely because of them.
    pub aborted: Option<u32>,
    /// What it goes by instead of its configuration, which cannot be used, and what is wrong with that.
    pub stand_in: Option<(StandIn, Box<str>)>,
}

/// Daemons that broke off within a minute after which the next one starts safely.
const SAFE: u32 = 3;

/// The same, after which it is no use to start another one.
const HOPELESS: u32 = 6;

/// How a daemon starts, after others in the same minute that did not end in good order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartKind {
    /// As usual.
    Usual,
    /// Without what those before it left about services: that may be what they broke off of.
    Safe,
    /// It would break off like those before it: the machine is left to its watchdog.
    Hopeless,
}

impl StartKind {
    /// After so many.
    pub fn after(aborted: u32) -> StartKind {
        match aborted {
            0..SAFE => StartKind::Usual,
            SAFE..HOPELESS => StartKind::Safe,
            HOPELESS.. => StartKind::Hopeless,
        }
    }
}

impl Daemon {
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    fn lose_journal(&mut self, why: &Fault, pass: &mut Pass) {
        if self.standing.journal.replace(why.clone()).is_none() {
            let why = why.clone();
            pass.out.note(Note::JournalAway { why });
        }
    }

    fn lose_health(&mut self, why: &Fault, pass: &mut Pass) {
        if self.standing.health.replace(why.clone()).is_none() {
            let why = why.clone();
            pass.out.note(Note::Health(HealthNote::HealthAway { why }));
        }
    }

    /// Limits are told of once for each controller and reason.
    fn miss_limits(&mut self, missed: (Controller, Lack, bool), pass: &mut Pass) {
        if self.standing.unenforced.contains(&missed) {
            return;
        }
        self.standing.unenforced.push(missed);
        let (controller, lack, asked) = missed;
        pass.out.note(Note::LimitsUnenforced {
            controller,
            lack,
            asked,
        });
    }

    fn lose_pool(&mut self, why: &Fault, pass: &mut Pass) {
        if self.standing.pool.replace(why.clone()).is_none() {
            let why = why.clone();
            pass.out.note(Note::PoolMissing { why });
        }
    }
}

impl Standing {
    /// What is to be thought of it. A kernel without a controller is no fault of the machine as long as
    /// only defaults rest on it: most Pis have none for memory. Without any configuration the machine
    /// does not do what it is there for.
    fn verdict(&self) -> Verdict {
        let asked = self.unenforced.iter().any(|(_, _, asked)| *asked);
        let missing = [&self.journal, &self.pool, &self.health];
        let missing = missing.iter().any(|why| why.is_some()) || self.aborted.is_some();
        match &self.stand_in {
            Some((StandIn::SafeMode, _)) => Verdict::Critical,
            Some((StandIn::Copy { .. } | StandIn::Elsewhere, _)) => Verdict::Warn,
            None if missing || asked => Verdict::Warn,
            None => Verdict::Ok,
        }
    }
}

impl Policy for Daemon {
    fn step(&mut self, pass: &mut Pass) {
        match pass.fact {
            Fact::Lost {
                source: Source::Journal,
                why,
            } => self.lose_journal(why, pass),
            Fact::Lost {
                source: Source::Pool,
                why,
            } => self.lose_pool(why, pass),
            Fact::Seen(Reading::Journal) => {
                if self.standing.journal.take().is_some() {
                    pass.out.note(Note::JournalBack);
                }
            }
            Fact::Seen(Reading::Pool) => self.standing.pool = None,
            Fact::Lost {
                source: Source::Health,
                why,
            } => self.lose_health(why, pass),
            Fact::Seen(Reading::Health) => {
                if self.standing.health.take().is_some() {
                    pass.out.note(Note::Health(HealthNote::HealthBack));
                }
            }
            Fact::Seen(Reading::Unenforced {
                controller,
                lack,
                asked,
            }) => self.miss_limits((*controller, *lack, *asked), pass),
            Fact::Seen(Reading::Starts { aborted }) => {
                self.standing.aborted = Some(*aborted);
                let aborted = *aborted;
                pass.out.note(Note::SafeStart { aborted });
            }
            Fact::Seen(Reading::StandIn { by, problem }) => {
                self.standing.stand_in = Some((*by, problem.clone()));
                let (by, problem) = (*by, problem.clone());
                let note = ReloadNote::ConfigurationUnusable { by, problem };
                pass.out.note(Note::Reload(note));
            }
            Fact::Tick
            | Fact::Seen(_)
            | Fact::Lost { .. }
            | Fact::Child { .. }
            | Fact::Kept { .. }
            | Fact::Asked { .. }
            | Fact::Done { .. }
            | Fact::Thread { .. } => {}
        }
        pass.picture.stand_in = self.standing.stand_in.as_ref().map(|(by, _)| *by);
        pass.picture.daemon = self.standing.verdict();
    }

    fn deadline(&self) -> Option<Mono> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Up to two may happen; from three on it is a loop, and from six on there is no way out of it.
    #[test]
    fn starts_get_safer_and_cease() {
        let kinds = (0..8).map(StartKind::after);
        let wanted = [StartKind::Usual; 3].into_iter();
        let wanted = wanted.chain([StartKind::Safe; 3]);
        assert!(kinds.eq(wanted.chain([StartKind::Hopeless; 2])));
        assert_eq!(StartKind::after(u32::MAX), StartKind::Hopeless);
    }
}

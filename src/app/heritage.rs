//! What a daemon takes over from the one before it in the same boot, and what its core is told of that.
//!
//! Who only wants to know what a successor would do asks the same functions
//! ([`rehearsal`](super::rehearsal)): so a plan cannot differ from the deed.

use super::legacy::{self, Found};
use crate::config::{Command, Fingerprint};
use crate::core::fact::{Change, Fact, RunId, Said, ServiceId};
use crate::core::settings::{Service, Settings};
use crate::edge::adoption::{self, Survivor};
use crate::edge::job_file::JobFiles;
use crate::edge::pool::Pool;
use crate::edge::run_record::RunRecord;
use crate::edge::run_table::Leavings;

/// How a run of this name is looked for, by its record and in the pool.
pub(super) type Search = fn(&str, Option<RunRecord>, Option<&Pool>) -> Option<Survivor>;

/// What is taken over.
pub(super) struct Heritage {
    /// How each service was left.
    pub memos: Vec<Found>,
    /// Runs that live on.
    pub survivors: Vec<(ServiceId, Survivor)>,
    /// Services whose latest run was begun otherwise than the configuration says now.
    pub redefined: Vec<ServiceId>,
    /// What runs and is nobody's any more.
    pub strangers: Leavings,
}

/// How much a daemon goes by what was left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Trust {
    /// Daemons before this one broke off, one after another: it goes by nothing that they have noted.
    pub safe: bool,
    /// Nothing is stopped because of a file that cannot be used, and nothing by a daemon whose
    /// predecessors broke off.
    pub gentle: bool,
}

impl Trust {
    /// That of a successor after a reload: its configuration was checked, and its predecessor did well.
    pub const OF_RELOAD: Trust = Trust {
        safe: false,
        gentle: false,
    };
}

impl Heritage {
    /// What a daemon with these services finds.
    pub fn of(
        trust: Trust,
        (settings, commands): (&Settings, &[Command]),
        (left, pool): (&Leavings, Option<&Pool>),
        search: Search,
    ) -> Heritage {
        let memos = match trust.safe {
            true => Vec::new(),
            false => memos(settings, left),
        };
        let survivors = survivors(settings, (pool, left), &memos, search);
        let (redefined, strangers) = match trust.gentle {
            true => (Vec::new(), Leavings::new()),
            false => (
                redefined((settings, commands), left),
                strangers(settings, left, pool),
            ),
        };
        Heritage {
            memos,
            survivors,
            redefined,
            strangers,
        }
    }

    /// What the core is told of it. `kept`: how many descriptors a service has left.
    pub fn facts(
        &mut self,
        jobs: impl Iterator<Item = Fact>,
        kept: impl Fn(ServiceId) -> u16,
    ) -> Vec<Fact> {
        let recalled = |(service, run, memo)| Fact::Child {
            service,
            run,
            change: Change::Recalled(memo),
        };
        let memos = std::mem::take(&mut self.memos).into_iter().map(recalled);
        let mut facts: Vec<Fact> = memos.chain(jobs).collect();
        for (service, Survivor { record, .. }) in &self.survivors {
            let (service, run, kept) = (*service, record.run, kept(*service));
            let adopted = Change::Adopted {
                pid: record.pid,
                ready: record.ready,
            };
            let own_window = record.window.map(|w| Change::Said(Said::Window(w)));
            let kept = (kept > 0).then_some(Change::Said(Said::Kept(kept)));
            let changes = [Some(adopted), own_window, kept].into_iter().flatten();
            facts.extend(changes.map(|change| Fact::Child {
                service,
                run,
                change,
            }));
        }
        let redefined = std::mem::take(&mut self.redefined).into_iter();
        facts.extend(redefined.map(|service| Fact::Child {
            service,
            // The latest there was, whichever that is.
            run: RunId(0),
            change: Change::Redefined,
        }));
        facts
    }
}

/// What earlier daemons, of this boot or of another, have left about the runs of jobs.
pub(super) fn job_pasts(files: &JobFiles, settings: &Settings) -> Vec<Fact> {
    let jobs = (0u16..).map(ServiceId).zip(&settings.services);
    let jobs = jobs.filter(|(_, s)| s.job.is_some());
    jobs.filter_map(|(id, _)| files.found(id, settings))
        .collect()
}

/// A process of ours that has become a unit meanwhile is one too many.
fn strangers(settings: &Settings, left: &Leavings, pool: Option<&Pool>) -> Leavings {
    let ours = |s: &&Service| s.keeper.is_none() || !runs(&s.name, left, pool);
    let ours = settings.services.iter().filter(ours).map(|s| &*s.name);
    adoption::strangers(&ours.collect(), left, pool)
}

/// Something of it may run that is ours.
fn runs(name: &str, left: &Leavings, pool: Option<&Pool>) -> bool {
    let recorded = left.get(name).is_some_and(|left| left.record.is_some());
    recorded || pool.is_some_and(|pool| pool.is_populated(name))
}

fn survivors(
    settings: &Settings,
    (pool, left): (Option<&Pool>, &Leavings),
    memos: &[Found],
    search: Search,
) -> Vec<(ServiceId, Survivor)> {
    let find = |(id, s): (ServiceId, &Service)| {
        if s.keeper.is_some() {
            return None;
        }
        let record = left.get(&*s.name).and_then(|left| left.record.clone());
        if pool.is_none() && record.is_none() {
            return None;
        }
        let mut survivor = search(&s.name, record, pool)?;
        // One that was found without a record has a number that may have been used before.
        let known = memos.iter().find(|(whose, ..)| *whose == id);
        let known = known.map_or(survivor.record.run, |(_, run, _)| *run);
        survivor.record.run = survivor.record.run.max(known);
        Some((id, survivor))
    };
    let ids = (0u16..).map(ServiceId);
    ids.zip(&settings.services).filter_map(find).collect()
}

fn redefined((settings, commands): (&Settings, &[Command]), left: &Leavings) -> Vec<ServiceId> {
    let services = settings.services.iter().zip(commands);
    let other = |(service, command): (&Service, &Command)| {
        let before = left.get(&*service.name).and_then(|left| left.fingerprint);
        before.is_some_and(|before| before != Fingerprint::of(service, command))
    };
    let ids = (0u16..).map(ServiceId).zip(services);
    ids.filter_map(|(id, s)| other(s).then_some(id)).collect()
}

fn memos(settings: &Settings, left: &Leavings) -> Vec<Found> {
    let ids = (0u16..).map(ServiceId).take(settings.services.len());
    let memo = |id| left.get(settings.name(id))?.memo.as_deref();
    ids.filter_map(|id| legacy::find(id, settings, memo(id)?))
        .collect()
}

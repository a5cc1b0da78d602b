//! Jobs: services that run from time to time and end by themselves.
//!
//! A job is a service in every other way: what it does is told by the same states, it is stopped
//! and killed like others, held back with its class, and taken over by a successor. Its
//! [`Timetable`] says when it is to run; what keeps it from running then is a bar, as with other
//! services: something that it requires or needs, something that it must not run beside, or another
//! job that must not run at the same time. A bar of a job never stops it, but for want of what it
//! requires or is to be stopped without.

use super::exclusive::Exclusives;
use super::timetable::{Plan, Timetable};
use super::{Course, Services};
use crate::core::Pass;
use crate::core::fact::ServiceId;
use crate::core::job::{Age, JobPast, Outcome, Sight};
use crate::core::note::{JobNote, Note};
use crate::core::picture::{Picture, Verdict};
use crate::core::service::{Bar, Service, Wish};
use crate::core::settings::{Hindrance, Job, Schedule, Service as Settings};
use crate::sorted::{Map, Set};
use crate::units::Mono;
use std::time::Duration;

/// How a job stands, for those who ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JobView {
    /// When it is to run next.
    pub plan: Plan,
    /// Age of its last good run; `None` if there is none that is known of.
    pub good: Option<Age>,
    /// The latest run that ended by itself has failed.
    pub failing: bool,
    /// How its latest run ended; `None` while it lasts, if there is none, and if nobody saw its
    /// end.
    pub outcome: Option<Outcome>,
    /// What there is to think of it.
    pub verdict: Verdict,
}

/// One job of the set.
struct Entry {
    table: Timetable,
    /// The run that lives.
    run: Option<u32>,
}

/// All jobs.
#[derive(Default)]
pub(super) struct Jobs {
    all: Map<ServiceId, Entry>,
    exclusives: Exclusives,
    hindered: [bool; Hindrance::ALL.len()],
    sight: Sight,
    /// What the times of calendars were found out by.
    gone_by: Sight,
    /// Those that have changed.
    dirty: Set<ServiceId>,
    /// The earliest time at which one of them wants to be looked at.
    due: Option<Mono>,
    worst: Option<Verdict>,
}

impl Jobs {
    /// This is one.
    pub fn has(&self, id: ServiceId) -> bool {
        self.all.contains_key(&id)
    }

    pub fn of(services: &[Settings]) -> Jobs {
        let jobs = (0u16..).map(ServiceId).zip(services);
        let jobs = jobs.filter(|(_, s)| s.job.is_some());
        let entry = |s: &Settings| Entry {
            table: Timetable::new(s.autostart),
            run: None,
        };
        Jobs {
            all: jobs.map(|(id, s)| (id, entry(s))).collect(),
            exclusives: Exclusives::of(services),
            ..Jobs::default()
        }
    }

    pub fn due(&self) -> Option<Mono> {
        self.due
    }

    /// Takes up what an earlier daemon has left about a job.
    pub fn remember(&mut self, id: ServiceId, past: JobPast) {
        if let Some(entry) = self.all.get_mut(&id) {
            entry.table.past = past;
        }
    }

    /// When the run that an earlier daemon has started began, if that is known.
    pub fn began(&self, id: ServiceId) -> Option<Mono> {
        let past = &self.all.get(&id)?.table.past;
        past.latest.filter(|_| past.outcome.is_none())?.at
    }

    /// Takes in what has become of a service. Returns whether it is a job.
    pub fn see(&mut self, service: &Service, kept: bool) -> bool {
        let Some(Entry { table, run }) = self.all.get_mut(&service.id) else {
            return false;
        };
        let alive = service.alive();
        if alive {
            let known = service.adopted && table.past.outcome.is_none();
            let known = known && table.past.latest.is_some_and(|latest| latest.at.is_some());
            if run.replace(service.run.0) != Some(service.run.0) && !known {
                table.begin_run(&self.sight);
            }
            table.plan = Plan::Called;
        } else if table.past.outcome.is_none() && table.past.latest.is_some() {
            let asked = run.take().is_some() && kept && service.wish == Wish::Rest;
            let outcome = service.outcome().or(asked.then_some(Outcome::Stopped));
            if let Some(outcome) = outcome {
                table.end_run(outcome);
            }
        }
        let waits = service.called_for() && !alive;
        self.exclusives.queue(service.id, waits);
        self.dirty.insert(service.id);
        true
    }

    fn sight(&self, picture: &Picture, now: Mono) -> Sight {
        let shown = picture.shown.map(|s| s.time.later(now.since(s.at)));
        Sight {
            now,
            trusted: shown.filter(|_| picture.time == Some(true)),
            shown,
            begun: self.sight.begun,
        }
    }

    fn view(&self, id: ServiceId, job: &Job, picture: &Picture, now: Mono) -> Option<JobView> {
        let table = &self.all.get(&id)?.table;
        let sight = self.sight(picture, now);
        Some(JobView {
            plan: table.plan,
            good: table.past.good.map(|good| sight.age(good)),
            failing: table.past.failing,
            outcome: table.past.outcome,
            verdict: table.verdict(job, &sight),
        })
    }
}

/// Whether this is known to be the case.
fn hinders(hindrance: Hindrance, picture: &Picture) -> bool {
    match hindrance {
        Hindrance::Battery => picture.mains == Some(false),
        Hindrance::Throttled => picture.strain_of_firmware.is_some(),
        Hindrance::MemoryLow => picture.memory_low,
    }
}

impl Services {
    /// How a job stands; `None` if it is none.
    pub fn job(
        &self,
        id: ServiceId,
        settings: &[Settings],
        picture: &Picture,
        now: Mono,
    ) -> Option<JobView> {
        let job = settings.get(usize::from(id.0))?.job.as_ref()?;
        self.jobs.view(id, job, picture, now)
    }

    /// Before anything else of a pass: looks at the clock and at what hinders, and calls those
    /// whose time has come.
    pub(super) fn call_jobs(&mut self, pass: &mut Pass) {
        if self.jobs.all.is_empty() {
            return;
        }
        self.jobs.sight = self.jobs.sight(pass.picture, pass.now);
        let hindered = Hindrance::ALL.map(|h| hinders(h, pass.picture));
        let changed = std::mem::replace(&mut self.jobs.hindered, hindered) != hindered;
        if !self.begun || self.course != Course::Kept {
            return;
        }
        if changed {
            let jobs: Vec<_> = self.jobs.all.keys().copied().collect();
            for id in jobs {
                self.bar(id, pass);
            }
        }
        let moved = clock_moved(&self.jobs.gone_by, &self.jobs.sight);
        if moved {
            self.jobs.gone_by = self.jobs.sight;
            self.go_by_the_clock(pass);
        }
        if !moved && self.jobs.due.is_none_or(|due| due > pass.now) {
            return;
        }
        let jobs: Vec<_> = self.jobs.all.keys().copied().collect();
        for id in jobs {
            self.call_if_due(id, pass);
        }
    }

    fn call_if_due(&mut self, id: ServiceId, pass: &mut Pass) {
        let at = usize::from(id.0);
        let (Some(job), Some(entry)) =
            (&pass.settings.services[at].job, self.jobs.all.get_mut(&id))
        else {
            return;
        };
        self.jobs.dirty.insert(id);
        let Some(due) = entry.table.is_due(job, &self.jobs.sight) else {
            return;
        };
        if let Some(late) = due.late {
            let note = JobNote::JobLate { late };
            pass.out.note(Note::Job(id, note));
        }
        self.services[at].want_run();
        self.bar(id, pass);
        self.touch(id);
        self.moved.push_back(id);
    }

    /// The clock shows something else than it did, or is to be trusted otherwise.
    fn go_by_the_clock(&mut self, pass: &mut Pass) {
        let sight = self.jobs.sight;
        for (id, entry) in &mut self.jobs.all {
            let Some(job) = &pass.settings.services[usize::from(id.0)].job else {
                continue;
            };
            let table = &mut entry.table;
            table.date(&sight);
            let calendar = matches!(job.schedule, Schedule::Calendar { .. });
            match table.plan {
                Plan::At { guessed: true, .. } | Plan::Clock => drop(table.lay(job, &sight, false)),
                Plan::At { guessed: false, .. } if calendar => drop(table.lay(job, &sight, false)),
                Plan::At { guessed: false, .. } | Plan::ByHand | Plan::Called => {}
            }
            self.jobs.dirty.insert(*id);
        }
    }

    /// The daemon begins.
    pub(super) fn begin_jobs(&mut self, now: Mono) {
        self.jobs.sight.begun = now;
        let ids: Vec<_> = self.jobs.all.keys().copied().collect();
        for id in ids {
            self.jobs.dirty.insert(id);
        }
    }

    /// After everything else of a pass: what follows for those that have changed.
    pub(super) fn follow_jobs(&mut self, pass: &mut Pass) {
        if self.jobs.dirty.is_empty() || !self.begun {
            return;
        }
        let kept = self.course == Course::Kept;
        for id in std::mem::take(&mut self.jobs.dirty) {
            self.follow_job(id, kept, pass);
        }
        let sight = &self.jobs.sight;
        let due = self.jobs.all.iter().filter_map(|(id, entry)| {
            let job = pass.settings.services[usize::from(id.0)].job.as_ref()?;
            entry.table.deadline(job, sight)
        });
        self.jobs.due = due.min();
        self.jobs.worst = self.jobs.all.values().map(|e| e.table.told).max();
    }

    fn follow_job(&mut self, id: ServiceId, kept: bool, pass: &mut Pass) {
        let at = usize::from(id.0);
        let random = self.jitter();
        let service = &self.services[at];
        let idle = !service.alive() && service.wish == Wish::Rest;
        let sight = self.jobs.sight;
        let (Some(job), Some(Entry { table, .. })) =
            (&pass.settings.services[at].job, self.jobs.all.get_mut(&id))
        else {
            return;
        };
        if table.past.first == Default::default() {
            table.past.first = sight.stamp();
            table.changed = true;
        }
        let fresh = table.plan == Plan::ByHand && table.scheduled;
        if kept && idle && (table.plan == Plan::Called || fresh) {
            let most = u64::try_from(job.jitter.as_millis()).unwrap_or(u64::MAX);
            table.spread = Duration::from_millis(random % most.saturating_add(1));
            if table.lay(job, &sight, !fresh) {
                pass.out.note(Note::Job(id, JobNote::JobSkipped));
            }
        } else if !idle {
            table.plan = Plan::Called;
        }
        let verdict = table.verdict(job, &sight);
        let before = std::mem::replace(&mut table.told, verdict);
        if verdict != before && (before, verdict) != (Verdict::Unknown, Verdict::Ok) {
            let age = table.past.good.map(|good| sight.age(good));
            let note = JobNote::JobFreshness { verdict, age };
            pass.out.note(Note::Job(id, note));
        }
        if std::mem::take(&mut table.changed) {
            pass.out.pasts.push((id, table.past));
        }
    }

    /// Why a job must not be started now, beside what keeps other services from it.
    pub(super) fn barred_as_job(
        &self,
        id: ServiceId,
        s: &Settings,
        all: &[Settings],
    ) -> Option<Bar> {
        let job = s.job.as_ref()?;
        let hindered = |h: &&Hindrance| self.jobs.hindered[**h as usize];
        if let Some(hindrance) = job.not_while.iter().find(hindered) {
            return Some(Bar::Hindered(*hindrance));
        }
        let by = self.taken_by(id).or_else(|| {
            let mut ahead = self.jobs.exclusives.ahead(id);
            ahead.find(|other| self.could_start(*other, all))
        });
        by.map(|by| Bar::Taken { by })
    }

    /// Another job runs that must not run beside it.
    pub(super) fn taken_by(&self, id: ServiceId) -> Option<ServiceId> {
        let mut others = self.jobs.exclusives.others(id);
        others.find(|other| self.services[usize::from(other.0)].alive())
    }

    /// Nothing but a job that runs keeps this one from being started.
    fn could_start(&self, id: ServiceId, all: &[Settings]) -> bool {
        let at = usize::from(id.0);
        let service = &self.services[at];
        let free = match service.bar {
            None | Some(Bar::Taken { .. }) => true,
            Some(
                Bar::Hindered(_)
                | Bar::Need(_)
                | Bar::Requirement { .. }
                | Bar::Group { .. }
                | Bar::Keeper(_),
            ) => false,
        };
        let before = |b: &ServiceId| self.services[usize::from(b.0)].holds_up_others();
        free && service.is_at_the_start() && !all[at].after.iter().any(before)
    }

    /// Has those looked at that may run, or may not any more, because of what has become of this
    /// one.
    pub(super) fn move_others(&mut self, id: ServiceId) {
        let others: Vec<_> = self.jobs.exclusives.others(id).collect();
        self.moved.extend(others);
    }

    pub(super) fn publish_jobs(&self, picture: &mut Picture) {
        picture.jobs = self.jobs.worst;
    }
}

/// Whether the clock shows something else than it did but for the time that has passed.
fn clock_moved(before: &Sight, after: &Sight) -> bool {
    let passed = after.now.since(before.now);
    let same = |before: Option<crate::units::Wall>, after: Option<crate::units::Wall>| {
        match (before, after) {
            (None, None) => true,
            (Some(before), Some(after)) => {
                let expected = before.later(passed);
                let ahead = after.beyond(expected).or(expected.beyond(after));
                // Both are cut to whole seconds.
                ahead.is_some_and(|by| by <= Duration::from_secs(1))
            }
            (Some(_), None) | (None, Some(_)) => false,
        }
    };
    !same(before.trusted, after.trusted) || !same(before.shown, after.shown)
}

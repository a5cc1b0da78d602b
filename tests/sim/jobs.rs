//! Jobs, and what must hold of them: the invariants J1 to J8.
//!
//! They are told from the orders, from what the core was told of runs, and from what it says of the
//! machine, and know nothing of how it decides when a job is to run. Their chance comes from a
//! stream of its own.

use crate::checks::View;
use crate::rng::Rng;
use crate::world::{Event, World};
use fieldwarden::core::action::{Action, Answer};
use fieldwarden::core::fact::{
    Change, Exit, Fact, OrderId, Pulse, Request, RunId, Said, ServiceId, Thread,
};
use fieldwarden::core::job::Age;
use fieldwarden::core::note::{Finish, Note};
use fieldwarden::core::picture::{Picture, Verdict};
use fieldwarden::core::settings::{Hindrance, Job, Schedule, Settings};
use fieldwarden::core::{Bar, Down, JobPlan, State, Wish};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// Longest time from a deadline until the core has acted on it: a daemon that was held up gives a
/// run three last calls of 200 ms each. In milliseconds.
const LATE: u64 = 1_000;

/// A job runs so long after the start where nobody knows when it ran last, at the latest.
const FIRST: u64 = 600_000;

/// Adds some jobs to a configuration, on half of the seeds.
pub fn jobs(seed: u64, out: &mut String) {
    let mut rng = Rng::new(seed.rotate_left(16) ^ 0x1085);
    if rng.chance(50) {
        return;
    }
    for name in ["zdump", "zrestore", "zsend"]
        .into_iter()
        .take(rng.range(1, 3) as usize)
    {
        let schedule = match rng.chance(75) {
            true => format!("every = \"{}s\"", rng.range(10, 120)),
            false => format!(
                "calendar = \":{:02}\"\nzone = \"UTC\"\nany_clock = {}",
                rng.range(0, 59),
                rng.chance(50)
            ),
        };
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "[service.{name}]\nkind = \"job\"\ncommand = [\"/usr/bin/{name}\"]\n{schedule}\n\
             autostart = {}\njitter = \"{}s\"\ntimeout = \"{}s\"\nclass = \"{}\"\n\
             stop_timeout = \"2s\"\nfresh_within = \"{}s\"\n",
            rng.chance(85),
            rng.pick(&[0, 0, 5]),
            rng.range(3, 40),
            rng.pick(&["essential", "normal", "optional"]),
            rng.range(60, 300),
        );
        if rng.chance(60) {
            out.push_str("exclusive = \"heavy\"\n");
        }
        let hindrances = ["battery", "throttled", "memory-low"];
        let some: Vec<_> = hindrances.into_iter().filter(|_| rng.chance(30)).collect();
        let _ = writeln!(out, "not_while = {some:?}");
        if rng.chance(30) {
            out.push_str(
                "restart = \"on-failure\"\nbackoff = { immediate = 0, first = \"1s\", cap = \"4s\", \
                 restarts = 3, window = \"40s\", cooldown = \"20s\" }\n",
            );
        }
    }
}

impl World {
    /// The run of a job ends by itself, most of them well and in time.
    pub fn draw_end_of_job(&mut self, service: ServiceId, pid: u32) {
        let s = &self.plan.settings.services[usize::from(service.0)];
        let Some(job) = &s.job else { return };
        let most = millis(job.timeout);
        let (exit, delay) = match (self.calm, self.rng.range(0, 9)) {
            (false, 0) => (Exit::Code(0), self.rng.range(most, most * 2)),
            (false, 1 | 2) => (Exit::Code(1), self.rng.range(0, most)),
            _ => (Exit::Code(0), self.rng.range(0, most / 3)),
        };
        self.after(delay, Event::ProcEnd(pid, exit));
    }

    /// J8: without faults, whatever is to run by itself has run, and well, within its time; or
    /// there is a reason that it cannot help.
    pub fn jobs_are_well(&self) -> Result<(), String> {
        let Some(life) = &self.life else {
            return Ok(());
        };
        for (at, s) in self.plan.settings.services.iter().enumerate() {
            let Some(job) = &s.job else { continue };
            let id = ServiceId(u16::try_from(at).unwrap_or(u16::MAX));
            let view = life.core.job(id, fieldwarden::units::Mono(self.now));
            let view = view.ok_or("no view of a job")?;
            let Schedule::Every(_) = job.schedule else {
                continue;
            };
            if s.autostart && (view.good.is_none() || view.failing) {
                return Err(format!("J8: {}: {view:?}", s.name));
            }
        }
        Ok(())
    }
}

/// What is remembered of one job.
#[derive(Clone, Default)]
struct Seen {
    /// Its run, when its process was there, and the order of its start.
    run: Option<(RunId, Option<u64>, Option<OrderId>)>,
    /// The run was told to end.
    told: bool,
    /// When its last good run was ordered, if that was in this life.
    good: Option<u64>,
    ordered: u64,
    /// Starts in this life, and what may have led to more than its schedule does.
    starts: u64,
    more: u64,
}

/// What is remembered from step to step.
#[derive(Default)]
pub struct Jobs {
    seen: BTreeMap<ServiceId, Seen>,
    begun: Option<u64>,
    /// Nobody hears of processes, or did not until then.
    deaf: bool,
    heard: u64,
    /// After the step before, services were kept as everybody wishes: what is decided after them is
    /// known to them in the next step.
    kept: bool,
}

impl Jobs {
    pub fn jobs_are_kept(&mut self, v: &View, settings: &Settings) -> Result<(), String> {
        let jobs: Vec<_> = (0u16..)
            .map(ServiceId)
            .zip(&settings.services)
            .filter_map(|(id, s)| Some((id, s.job.as_deref()?)))
            .collect();
        if jobs.is_empty() {
            return Ok(());
        }
        self.hear(v);
        for order in v.orders {
            if let Action::Start { service, run } = order.action
                && let Some((_, job)) = jobs.iter().find(|(id, _)| *id == service)
            {
                may_start(v, settings, service, job)?;
                let seen = self.seen.entry(service).or_default();
                seen.run = Some((run, None, Some(order.id)));
                (seen.told, seen.ordered) = (false, v.now);
                seen.starts += 1;
            }
            if let Action::Signal { service, .. } = order.action {
                self.seen.entry(service).or_default().told = true;
            }
        }
        let ends = self.begun.is_none() || v.stops || v.core.is_ending();
        let kept = std::mem::replace(&mut self.kept, !ends) && !ends;
        for (id, job) in &jobs {
            self.ends_in_time(v, *id, job, settings)?;
            self.never_a_storm(v, *id, job, settings)?;
            if kept {
                waits_rightly(v, *id, settings)?;
            }
            self.tells_the_truth(v, *id, job, settings)?;
        }
        Ok(())
    }

    fn hear(&mut self, v: &View) {
        if *v.fact == Fact::Tick && self.begun.is_none() {
            self.begun = Some(v.now);
        }
        match v.fact {
            Fact::Thread {
                thread: Thread::Children,
                pulse,
            } => {
                self.deaf = matches!(pulse, Pulse::Late { .. });
                self.heard = v.now;
            }
            Fact::Child {
                service,
                run,
                change,
            } => self.hear_of(v, *service, *run, change),
            Fact::Done {
                order,
                outcome: Err(_),
            } => {
                for seen in self.seen.values_mut() {
                    if seen.run.is_some_and(|(_, _, start)| start == Some(*order)) {
                        seen.run = None;
                        seen.more += 1;
                    }
                }
            }
            Fact::Asked { request, .. } => {
                let answered = |o: &fieldwarden::core::action::Order| {
                    let answer = Answer::Accepted;
                    matches!(&o.action, Action::Reply { answer: a, .. } if *a == answer)
                };
                if let Request::Start(id) | Request::Restart(id) | Request::Stop(id) = request
                    && v.orders.iter().any(answered)
                {
                    self.seen.entry(*id).or_default().more += 1;
                }
            }
            _ => {}
        }
    }

    fn hear_of(&mut self, v: &View, service: ServiceId, run: RunId, change: &Change) {
        let seen = self.seen.entry(service).or_default();
        let ours = seen.run.is_some_and(|(present, ..)| present == run);
        match change {
            // What comes later is nonsense.
            Change::Adopted { .. } if self.begun.is_none() => {
                seen.run = Some((run, None, None));
                seen.ordered = 0;
            }
            // What failed before is tried again.
            Change::Recalled(_) if self.begun.is_none() => seen.more += 1,
            // It is given the time of a stop.
            Change::Said(Said::Stopping) if ours => seen.told = true,
            Change::Started { .. } if ours => seen.run = Some((run, Some(v.now), None)),
            Change::Exited(_) | Change::StartFailed { .. } if ours => {
                let done = v.notes.iter().any(|note| match note {
                    Note::ServiceFinished { service: of, how } => {
                        *of == service && *how == Finish::Done
                    }
                    _ => false,
                });
                if done && seen.ordered > 0 {
                    seen.good = Some(seen.ordered);
                } else {
                    // It is tried again, or comes back once what stopped it is over.
                    seen.more += 1;
                }
                if done && seen.ordered == 0 {
                    seen.good = None;
                }
                seen.run = None;
            }
            _ => {}
        }
    }

    /// J3: no run lasts longer than its time without being told to end.
    fn ends_in_time(
        &self,
        v: &View,
        id: ServiceId,
        job: &Job,
        settings: &Settings,
    ) -> Result<(), String> {
        let Some(seen) = self.seen.get(&id) else {
            return Ok(());
        };
        let Some((_, Some(since), _)) = seen.run else {
            return Ok(());
        };
        let over = since + millis(job.timeout) + LATE;
        let excused = self.deaf || v.stops || v.now < self.heard + LATE || v.now < v.thawed + LATE;
        match v.now > over && !seen.told && !excused {
            true => Err(format!("J3: {} runs for too long", settings.name(id))),
            false => Ok(()),
        }
    }

    /// J4: no more starts than its interval, and what else may lead to one, allow.
    fn never_a_storm(
        &self,
        v: &View,
        id: ServiceId,
        job: &Job,
        settings: &Settings,
    ) -> Result<(), String> {
        let (Some(seen), Some(begun)) = (self.seen.get(&id), self.begun) else {
            return Ok(());
        };
        let least = match &job.schedule {
            Schedule::Every(every) => millis(*every),
            Schedule::Calendar { calendar, .. } => millis(calendar.least()),
        };
        let most = (v.now - begun) / least + 1 + seen.more;
        match seen.starts > most {
            true => Err(format!(
                "J4: {} is started {} times, {most} at most",
                settings.name(id),
                seen.starts
            )),
            false => Ok(()),
        }
    }

    /// J7: the age of its last good run is as it is, and nothing is called fresh that is not.
    fn tells_the_truth(
        &self,
        v: &View,
        id: ServiceId,
        job: &Job,
        settings: &Settings,
    ) -> Result<(), String> {
        let name = settings.name(id);
        let now = v.core.picture().now;
        let Some(view) = v.core.job(id, now) else {
            return Ok(());
        };
        let good = self.seen.get(&id).and_then(|seen| seen.good);
        let true_age = good.map(|at| now.0.saturating_sub(at));
        if let (Some(age), Some(told)) = (true_age, view.good)
            && told != Age::Known(Duration::from_millis(age))
        {
            return Err(format!(
                "J7: {name} ran well {age} ms ago, and says {told:?}"
            ));
        }
        if good.is_some() && view.good.is_none() {
            return Err(format!("J7: {name} has forgotten its good run"));
        }
        let within = job.fresh_within.map(millis);
        let old = within.zip(view.good).is_some_and(|(within, good)| {
            let known = matches!(good, Age::Known(_));
            !known || millis(good.least()) > within
        });
        let never = within.is_some() && view.good.is_none();
        match view.verdict == Verdict::Ok && (old || never || view.failing) {
            true => Err(format!("J7: {name} is called fresh: {view:?}")),
            false => Ok(()),
        }
    }
}

/// J5: what is due is called, and J6: what is called runs or waits for a reason that is there.
fn waits_rightly(v: &View, id: ServiceId, settings: &Settings) -> Result<(), String> {
    let name = settings.name(id);
    let job = v.core.job(id, v.core.picture().now);
    let job = job.ok_or(format!("{name} is no job"))?;
    let Some(view) = v.core.services().nth(usize::from(id.0)) else {
        return Err(format!("{name} is no service"));
    };
    let s = &settings.services[usize::from(id.0)];
    match job.plan {
        JobPlan::At { due, .. } => {
            // A time that is past when it is laid down, because the run before ended late or a halt was
            // taken back, is acted upon at once: the core wants to be asked again now.
            let at_once = v.deadline.is_some_and(|at| at.0 <= v.now);
            if due.0 <= v.now && !at_once {
                return Err(format!("J5: {name} was due at {due}"));
            }
            let Some(Schedule::Every(every)) = s.job.as_ref().map(|j| &j.schedule) else {
                return Ok(());
            };
            let jitter = s.job.as_ref().map_or(0, |j| millis(j.jitter));
            let far = v.now + millis(*every).max(FIRST) + jitter;
            if due.0 > far {
                return Err(format!("J5: {name} is due at {due}, which is too far"));
            }
            return Ok(());
        }
        JobPlan::ByHand if s.autostart => {
            return Err(format!("J5: {name} has lost its times"));
        }
        JobPlan::ByHand | JobPlan::Clock => return Ok(()),
        JobPlan::Called => {}
    }
    let State::Down { why } = view.state else {
        return Ok(());
    };
    let before = |b: &ServiceId| {
        let b = v.core.services().nth(usize::from(b.0));
        b.is_some_and(|b| b.wish == Wish::Run && !matches!(b.state, State::Up { .. }))
    };
    let called = view.wish == Wish::Run && !view.held && why != Down::Held;
    let right = match view.bar {
        _ if !called => view.held || why == Down::Held,
        None => s.after.iter().any(before),
        Some(Bar::Hindered(h)) => is_so(h, v.core.picture()),
        Some(Bar::Taken { by }) => {
            let by = v.core.services().nth(usize::from(by.0));
            by.is_some_and(|by| {
                let alive = !matches!(by.state, State::Down { .. });
                let first = by.wish == Wish::Run && !by.held && by.bar.is_none();
                alive || first
            })
        }
        Some(Bar::Need(_) | Bar::Requirement { .. } | Bar::Group { .. } | Bar::Keeper(_)) => true,
    };
    match right {
        true => Ok(()),
        false => Err(format!("J6: {name} does not run: {view:?} {job:?}")),
    }
}

/// J1: none runs beside another of its kind; J2: none is started while it is hindered.
fn may_start(v: &View, settings: &Settings, id: ServiceId, job: &Job) -> Result<(), String> {
    let name = settings.name(id);
    for (at, s) in settings.services.iter().enumerate() {
        let same = s
            .job
            .as_ref()
            .is_some_and(|other| other.exclusive == job.exclusive);
        let other = at != usize::from(id.0) && job.exclusive.is_some() && same;
        if other && (v.alive[at] > 0 || v.starting[at] > 0) {
            return Err(format!("J1: {name} is started beside {}", s.name));
        }
    }
    let hindered = job.not_while.iter().find(|h| is_so(**h, v.core.picture()));
    match hindered {
        Some(h) => Err(format!("J2: {name} is started while {h:?}")),
        None => Ok(()),
    }
}

fn is_so(hindrance: Hindrance, picture: &Picture) -> bool {
    match hindrance {
        Hindrance::Battery => picture.mains == Some(false),
        Hindrance::Throttled => picture.strain_of_firmware.is_some(),
        Hindrance::MemoryLow => picture.memory_low,
    }
}

fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

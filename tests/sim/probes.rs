//! Probes: what they find in the simulated world, and the invariants P1 to P5.
//!
//! The invariants are told from orders, answers and notes, and know nothing of how the core counts.

use crate::checks::View;
use crate::daemon::LifeEvent;
use crate::faults::Kind;
use crate::plan::millis;
use crate::process::Proc;
use crate::rng::Rng;
use crate::world::{EVER, World};
use fieldwarden::core::action::Action;
use fieldwarden::core::fact::{
    Change, Errno, Fact, Ill, ProbeKind, Probed, Reading, RunId, ServiceId, Thread,
};
use fieldwarden::core::note::{GuardNote, Note, ProbeNote};
use fieldwarden::core::settings::{Probe, Probes as Plans, Settings};
use fieldwarden::core::{State, View as ServiceView, Wish};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A probe that is not answered for so long beyond its own time is given up. In milliseconds.
const PATIENCE: u64 = 5_000;

/// The faults that have to do with probes. They are drawn apart, so that the other draws of a seed stay
/// as they are.
pub const FAULTS: [Kind; 3] = [Kind::ProbeSick, Kind::ProbeMoody, Kind::ProbeBlind];

/// Gives some services of this configuration probes.
pub fn draw(seed: u64, toml: &mut String) {
    let mut rng = Rng::new(seed.rotate_left(16));
    if !rng.chance(40) {
        return;
    }
    let header = |line: &str| {
        Some(
            line.strip_prefix("[service.")?
                .strip_suffix(']')?
                .to_owned(),
        )
    };
    let names: Vec<String> = toml.lines().filter_map(header).collect();
    for name in names {
        if !rng.chance(60) {
            continue;
        }
        for kind in ["startup", "readiness", "liveness"] {
            if rng.chance(60) {
                // Writing to a string cannot fail.
                let _ = write!(
                    toml,
                    "[service.{name}.probe.{kind}]\n{}",
                    probe(&mut rng, kind)
                );
            }
        }
    }
}

/// Has some services of this configuration closed off. Drawn apart, for the same reason.
pub fn close_off(seed: u64, toml: &mut String) {
    let mut rng = Rng::new(seed.rotate_left(29));
    let lines = toml.lines().map(|line| {
        let closed = line.starts_with("[service.") && !line.contains(".probe.") && rng.chance(10);
        match closed {
            true => format!("{line}\nmust_not_reach = [\"db:5432\"]\n"),
            false => format!("{line}\n"),
        }
    });
    *toml = lines.collect();
}

/// Some of the faults that have to do with probes, where there are any.
pub fn faults(seed: u64, settings: &Settings, share: u64) -> Vec<Kind> {
    let mut rng = Rng::new(seed.rotate_left(17));
    let probed = settings.services.iter().any(|s| s.probes.is_some());
    let faults = FAULTS.into_iter().filter(|_| probed);
    faults.filter(|_| rng.chance(share)).collect()
}

fn probe(rng: &mut Rng, kind: &str) -> String {
    let delay = rng.pick(&[0, 0, 500, 4_000]);
    let (interval, timeout) = (rng.range(1_000, 8_000), rng.range(100, 3_000));
    let failures = rng.pick(&[1, 2, 3, 5]);
    let successes = match kind {
        "readiness" => rng.pick(&[1, 1, 3]),
        _ => 1,
    };
    let way = match kind == "liveness" && rng.chance(20) {
        true => "tcp = \"192.0.2.1:80\"\nnetwork = true",
        false => "tcp = \"127.0.0.1:80\"",
    };
    format!(
        "{way}\ninitial_delay = \"{delay}ms\"\ninterval = \"{interval}ms\"\n\
         timeout = \"{timeout}ms\"\nfailure_threshold = {failures}\nsuccess_threshold = {successes}\n"
    )
}

/// How long probes may take to find out what there is to be found. In milliseconds.
pub fn patience(plans: &Plans) -> u64 {
    let each = ProbeKind::ALL
        .into_iter()
        .filter_map(|kind| plans.get(kind));
    let longest = |p: &Probe| {
        let one = millis(p.interval).max(millis(p.timeout) + PATIENCE);
        millis(p.initial_delay) + one * u64::from(p.failure_threshold + p.success_threshold + 2)
    };
    2 * each.map(longest).sum::<u64>()
}

/// What probes find of a process.
#[derive(Clone, Copy)]
pub struct Health {
    /// From here on it has started.
    started_at: u64,
    /// From here on it hangs, as its liveness shows.
    sick_from: u64,
    /// It can be used, and cannot, for so long each.
    mood: Option<u64>,
}

impl Health {
    pub const WELL: Health = Health {
        started_at: 0,
        sick_from: EVER,
        mood: None,
    };

    /// It hangs, or will never start.
    pub fn is_sick(&self, now: u64) -> bool {
        self.sick_from <= now || self.started_at == EVER
    }
}

impl World {
    /// The health of a new process.
    pub fn draw_health(&mut self, service: ServiceId) -> Health {
        let s = &self.plan.settings.services[usize::from(service.0)];
        let Some(plans) = s.probes.clone() else {
            return Health::WELL;
        };
        let budget = plans.startup.map_or(0, |p| {
            millis(p.initial_delay) + millis(p.interval) * u64::from(p.failure_threshold - 1)
        });
        let mut health = Health::WELL;
        // What no probe can see would never be mended.
        let starts = plans.startup.is_some();
        let lives = plans.liveness.is_some_and(|own| !own.network);
        health.started_at = match starts && self.strikes(Kind::ProbeSick, 15) {
            true => EVER,
            false => self.now + self.rng.range(0, budget),
        };
        if lives && self.strikes(Kind::ProbeSick, 25) {
            health.sick_from = self.now + self.rng.range(0, 60_000);
        }
        if self.strikes(Kind::ProbeMoody, 50) {
            health.mood = Some(self.rng.range(3_000, 40_000));
        }
        health
    }

    /// The prober makes a probe.
    pub fn probe(&mut self, (service, kind): (ServiceId, ProbeKind), run: RunId, attempt: u32) {
        let s = &self.plan.settings.services[usize::from(service.0)];
        let Some(own) = s.probes.as_ref().and_then(|p| p.get(kind)).copied() else {
            return self.fail("P1: a probe that nobody has configured");
        };
        if self.strikes(Kind::ProbeBlind, 10) {
            // It never comes back.
            return;
        }
        let found = |p: &&Proc| p.service == service && p.run == run && p.ended.is_none();
        let health = self.procs.values().find(found).map(|p| p.health);
        let now = self.now;
        let moody = self.strikes(Kind::ProbeMoody, 15);
        let calm = self.calm;
        let hangs = health.is_some_and(|h| h.sick_from <= now);
        let well = health.is_some_and(|health| match kind {
            ProbeKind::Startup => health.started_at <= now,
            ProbeKind::Liveness => !hangs,
            ProbeKind::Readiness => {
                let away = health.mood.is_some_and(|mood| now / mood % 2 == 1);
                !hangs && (calm || !away)
            }
            // Somebody opens its network and closes it again.
            ProbeKind::Isolation => (now / 1_000_000).is_multiple_of(2),
        });
        let (probed, delay) = if self.strikes(Kind::ProbeBlind, 10) {
            (Probed::Unsure(Ill::Busy), 0)
        } else if well && !moody {
            (Probed::Good, self.rng.pick(&[0, 0, 30]))
        } else if kind == ProbeKind::Isolation {
            (Probed::Bad(Ill::Reaches(1)), 200)
        } else if hangs {
            (Probed::Bad(Ill::TimedOut), millis(own.timeout))
        } else {
            let ill = [Ill::Errno(Errno(111)), Ill::Closed, Ill::Status(500)];
            (Probed::Bad(self.rng.pick(&ill)), self.rng.range(0, 60))
        };
        let change = Change::Probed {
            kind,
            attempt,
            probed,
        };
        let fact = Fact::Child {
            service,
            run,
            change,
        };
        match delay {
            0 => self.send(Thread::Prober, fact),
            _ => self.life_at(now + delay, LifeEvent::Fact(fact, 0)),
        }
    }
}

/// What is known of the probes of one kind of a run.
#[derive(Clone, Copy, Default)]
struct Row {
    /// The latest one that was ordered, and when; until it is answered.
    asked: Option<u32>,
    at: u64,
    failures: u32,
}

/// What is remembered from step to step.
#[derive(Default)]
pub struct Probes {
    rows: BTreeMap<(ServiceId, ProbeKind), (RunId, Row)>,
    /// The latest run of each service whose startup probe has succeeded.
    started: BTreeMap<ServiceId, RunId>,
    /// What was last known of the network.
    network: Option<bool>,
    /// Before this step, services were being stopped for an end.
    stopped: bool,
    /// When the step before this one was.
    before: u64,
}

impl Probes {
    /// Another daemon counts anew; what has started has started.
    pub fn new_life(&mut self) {
        self.rows.clear();
        self.network = None;
        (self.stopped, self.before) = (false, 0);
    }

    /// P1: only what runs, and is to run on, is probed, and in its present run; P2: of a kind there is
    /// one probe at a time; P3: no other probe before that of the start has succeeded; P4: so many
    /// failures in a row are told, and end a run, as are configured, and neither more nor fewer; P5:
    /// readiness and isolation end nothing.
    pub fn probes_are_judged(&mut self, v: &View, settings: &Settings) -> Result<(), String> {
        if let Fact::Seen(Reading::Network { up }) = v.fact {
            self.network = Some(*up);
        }
        self.begin_again(v, settings);
        let heard = self.hear(v, settings);
        for note in v.notes {
            if let Note::ServiceUp { service, .. } = note {
                self.is_up(*service, v, settings)?;
            }
            if let Note::Probe(service, kind, ProbeNote::ProbeFailed { failures, .. }) = note {
                let own = of(settings, *service, *kind).map(|own| own.failure_threshold);
                let row = self.rows.get(&(*service, *kind));
                let failures = Some(*failures);
                let counted = row.map(|(_, row)| row.failures) == failures;
                if heard.is_none() || !counted || failures < own {
                    let name = settings.name(*service);
                    return Err(format!(
                        "P4: {failures:?} {kind:?} of {name} are told, of {own:?}"
                    ));
                }
            }
        }
        self.nothing_is_passed_over(v, settings, heard)?;
        for order in v.orders {
            if let Action::Probe {
                service,
                run,
                kind,
                attempt,
            } = order.action
            {
                self.ask(v, settings, ((service, kind), run, attempt))?;
            }
        }
        // An end that begins in a step begins after the probes of that.
        (self.stopped, self.before) = (v.stops, v.now);
        self.readiness_ends_nothing(v, settings, heard)
    }

    /// The network has come or gone: what depends on it begins anew.
    fn begin_again(&mut self, v: &View, settings: &Settings) {
        let turned = |note: &Note| {
            let guard = |of| *note == Note::Guard(of);
            guard(GuardNote::NetworkUp) || guard(GuardNote::NetworkDown)
        };
        if v.notes.iter().any(turned) {
            let networked = |key: &(ServiceId, ProbeKind)| of(settings, key.0, key.1);
            for (key, (_, row)) in &mut self.rows {
                if networked(key).is_some_and(|own| own.network) {
                    (row.failures, row.asked) = (0, None);
                }
            }
        }
    }

    /// Takes in an answer. Returns what it is about if it counts.
    fn hear(&mut self, v: &View, settings: &Settings) -> Option<(ServiceId, ProbeKind)> {
        let Fact::Child {
            service,
            run,
            change,
        } = v.fact
        else {
            return None;
        };
        let Change::Probed {
            kind,
            attempt,
            probed,
        } = change
        else {
            return None;
        };
        let own = of(settings, *service, *kind)?;
        let (of_run, row) = self.rows.get_mut(&(*service, *kind))?;
        // One that comes when the daemon goes on after a stand-still was measured in time all the same.
        let late = self.before >= row.at + millis(own.timeout) + PATIENCE;
        if of_run != run || row.asked != Some(*attempt) || late {
            return None;
        }
        row.asked = None;
        let view = v.core.services().nth(usize::from(service.0));
        let wanted = view.is_some_and(|view| is_wanted(&view)) && !v.stops;
        match probed {
            Probed::Good => {
                row.failures = 0;
                if *kind == ProbeKind::Startup {
                    self.started.insert(*service, *run);
                }
            }
            // Without its network it shows nothing, and what it has shown does not count.
            Probed::Bad(_) if own.network && self.network == Some(false) => row.failures = 0,
            // What is to be stopped is ill at ease; it may be wanted again before it is told to end.
            Probed::Bad(_) if !wanted => {}
            Probed::Bad(_) => row.failures += 1,
            Probed::Unsure(_) => {}
        }
        Some((*service, *kind))
    }

    /// P3: a service comes up when its startup probe has succeeded.
    fn is_up(&self, id: ServiceId, v: &View, settings: &Settings) -> Result<(), String> {
        let view = v.core.services().nth(usize::from(id.0));
        let run = view.map(|view| view.run);
        let gated = of(settings, id, ProbeKind::Startup).is_some();
        match gated && self.started.get(&id).copied() != run {
            true => Err(format!(
                "P3: {} is up without having started",
                settings.name(id)
            )),
            false => Ok(()),
        }
    }

    fn ask(
        &mut self,
        v: &View,
        settings: &Settings,
        (key, run, attempt): ((ServiceId, ProbeKind), RunId, u32),
    ) -> Result<(), String> {
        let (service, kind) = key;
        let name = settings.name(service);
        let Some(view) = v.core.services().nth(usize::from(service.0)) else {
            return Err("P1: a probe of nobody".to_owned());
        };
        let fits = match kind {
            ProbeKind::Startup => matches!(view.state, State::Starting { pid: Some(_), .. }),
            ProbeKind::Readiness | ProbeKind::Liveness | ProbeKind::Isolation => {
                matches!(view.state, State::Up { .. })
            }
        };
        let wanted = view.wish == Wish::Run && !view.held && view.bar.is_none() && !self.stopped;
        if !fits || !wanted || run != view.run {
            return Err(format!("P1: {kind:?} of {name} is probed: {view:?}"));
        }
        let gated = of(settings, service, ProbeKind::Startup).is_some();
        if kind != ProbeKind::Startup && gated && self.started.get(&service) != Some(&run) {
            return Err(format!(
                "P3: {kind:?} of {name} is probed, and it has not started"
            ));
        }
        let Some(own) = of(settings, service, kind) else {
            return Err(format!("P1: {name} has no {kind:?}"));
        };
        if own.network && self.network == Some(false) {
            return Err(format!("P1: {name} is probed without a network"));
        }
        let before = self.rows.get(&key).filter(|(of, _)| *of == run);
        let mut row = before.map_or(Row::default(), |(_, row)| *row);
        // What came and went with the network begins anew.
        let under_way = row.asked.is_some() && v.now < row.at + millis(own.timeout) + PATIENCE;
        let too_soon = before.is_some() && v.now < row.at + millis(own.interval);
        if (under_way || too_soon) && !own.network {
            return Err(format!(
                "P2: {kind:?} of {name} again, after {}",
                v.now - row.at
            ));
        }
        (row.asked, row.at) = (Some(attempt), v.now);
        self.rows.insert(key, (run, row));
        Ok(())
    }

    /// P4: as many failures as count, and it is ended.
    fn nothing_is_passed_over(
        &self,
        v: &View,
        settings: &Settings,
        heard: Option<(ServiceId, ProbeKind)>,
    ) -> Result<(), String> {
        let Some((service, kind)) = heard.filter(|(_, kind)| is_deadly(*kind)) else {
            return Ok(());
        };
        let (Some((of_run, row)), Some(own)) =
            (self.rows.get(&(service, kind)), of(settings, service, kind))
        else {
            return Ok(());
        };
        let view = v.core.services().nth(usize::from(service.0));
        let runs = view.is_some_and(|view| {
            let wanted = is_wanted(&view) && !v.stops;
            let cut_off = own.network && self.network == Some(false);
            let alive = matches!(view.state, State::Up { .. } | State::Starting { .. });
            wanted && !cut_off && alive && view.run == *of_run
        });
        match runs && row.failures >= own.failure_threshold {
            true => Err(format!(
                "P4: {kind:?} of {} has failed {} times, and nothing follows",
                settings.name(service),
                row.failures
            )),
            false => Ok(()),
        }
    }

    /// P5: an answer of a probe of readiness or isolation leads to no signal, unless something else has
    /// come due for the service in the same step.
    fn readiness_ends_nothing(
        &self,
        v: &View,
        settings: &Settings,
        heard: Option<(ServiceId, ProbeKind)>,
    ) -> Result<(), String> {
        let Some((service, kind)) = heard.filter(|(_, kind)| !is_deadly(*kind)) else {
            return Ok(());
        };
        let signalled = v.orders.iter().any(|order| match order.action {
            Action::Signal { service: whose, .. } => whose == service,
            _ => false,
        });
        let due = v.notes.iter().any(|note| match note {
            Note::ServiceHung { service: whose, .. }
            | Note::ServiceKilled { service: whose, .. }
            | Note::ServiceStopping { service: whose }
            | Note::ServiceNotReady { service: whose, .. } => *whose == service,
            _ => false,
        });
        let killed_again = matches!(
            v.core
                .services()
                .nth(usize::from(service.0))
                .map(|s| s.state),
            Some(State::Stopping { .. })
        );
        match signalled && !due && !killed_again {
            true => Err(format!(
                "P5: {} is ended for its {kind:?}",
                settings.name(service)
            )),
            false => Ok(()),
        }
    }
}

/// Whether this service is to run on.
fn is_wanted(view: &ServiceView) -> bool {
    view.wish == Wish::Run && !view.held && !view.leaving
}

/// Whether failures of this kind end a run.
fn is_deadly(kind: ProbeKind) -> bool {
    match kind {
        ProbeKind::Startup | ProbeKind::Liveness => true,
        ProbeKind::Readiness | ProbeKind::Isolation => false,
    }
}

fn of(settings: &Settings, service: ServiceId, kind: ProbeKind) -> Option<&Probe> {
    let service = settings.services.get(usize::from(service.0))?;
    service.probes.as_ref()?.get(kind)
}

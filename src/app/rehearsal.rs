//! What a successor of the daemon that runs would do with the services, without doing any of it.
//!
//! It finds what a successor finds ([`Heritage`]), and a core is told of that and asked what it wants.
//! Its orders are not carried out, but answered as if they had been: whatever is stopped ends at once,
//! and whatever is started is there at once. What the clock, the power or a keeper would say comes
//! later in earnest, and is not rehearsed.

use super::heritage::{self, Heritage, Trust};
use crate::config::Config;
use crate::core::action::{Action, Actions};
use crate::core::fact::{Change, Exit, Fact, Pid, RunId, ServiceId};
use crate::core::settings::{Ready, Settings};
use crate::core::{BootFacts, Core};
use crate::edge::job_file::JobFiles;
use crate::edge::places::Places;
use crate::edge::pool::Pool;
use crate::edge::run_table::RunTable;
use crate::edge::{adoption, clock};
use crate::units::Mono;
use std::collections::VecDeque;
use std::path::Path;

/// Most facts of a rehearsal for each service: a start and an end of each have three.
const FACTS: usize = 64;

/// What a successor would do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rehearsal {
    /// With each service of its configuration.
    pub deeds: Vec<Deed>,
    /// Services that run and are nobody's any more: it ends them.
    pub ended: Vec<String>,
}

/// What it would do with one service.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Deed {
    /// A process of it lives on, and is taken over.
    pub lives: bool,
    /// It is configured otherwise than its latest run was begun.
    pub redefined: bool,
    /// It is stopped.
    pub stops: bool,
    /// A process is started.
    pub starts: bool,
}

/// Finds out what a daemon with this configuration and this runtime directory would do that takes over
/// now.
pub fn rehearse(config: &Config, runtime_dir: &Path) -> Rehearsal {
    let places = Places::new(runtime_dir);
    let left = RunTable::look(&places);
    let pool = Pool::look(&config.wiring.cgroup);
    let (settings, there) = (&config.settings, (&left, pool.as_ref()));
    let what = (settings, &config.wiring.commands[..]);
    let mut heritage = Heritage::of(Trust::OF_RELOAD, what, there, adoption::look);
    let boot = clock::boot_id().unwrap_or_else(|_| "unknown".into());
    let jobs = JobFiles::new(&places, &config.wiring.state_dir, &boot);
    let jobs = heritage::job_pasts(&jobs, settings);
    let strangers = heritage.strangers.iter();
    let ended = strangers.filter(|(name, left)| adoption::is_there(name, left, pool.as_ref()));
    let ended = ended.map(|(name, _)| name.clone()).collect();
    let mut stage = Stage::new(settings, clock::now());
    for service in &heritage.redefined {
        stage.deed(*service).redefined = true;
    }
    for (service, _) in &heritage.survivors {
        stage.deed(*service).lives = true;
    }
    let facts = heritage.facts(jobs.into_iter(), |_| 0);
    Rehearsal {
        deeds: stage.play(facts),
        ended,
    }
}

struct Stage {
    core: Core,
    now: Mono,
    facts: VecDeque<Fact>,
    deeds: Vec<Deed>,
}

impl Stage {
    fn new(settings: &Settings, now: Mono) -> Stage {
        let boot = BootFacts {
            seed: 0,
            init_watchdog: None,
            first: false,
        };
        Stage {
            core: Core::new(settings.clone(), boot),
            now,
            facts: VecDeque::new(),
            deeds: vec![Deed::default(); settings.services.len()],
        }
    }

    fn deed(&mut self, service: ServiceId) -> &mut Deed {
        &mut self.deeds[usize::from(service.0)]
    }

    /// Tells the core these facts, and that it is time to begin.
    fn play(mut self, facts: Vec<Fact>) -> Vec<Deed> {
        self.facts.extend(facts);
        self.facts.push_back(Fact::Tick);
        let mut out = Actions::default();
        for _ in 0..FACTS * (self.deeds.len() + 1) {
            let Some(fact) = self.facts.pop_front() else {
                break;
            };
            self.core.step(self.now, &fact, &mut out);
            for order in out.take().orders {
                self.answer(&order.action);
            }
        }
        self.deeds
    }

    fn answer(&mut self, action: &Action) {
        if let Action::Start { service, run } = *action {
            self.deed(service).starts = true;
            let ready = self.core.settings().services[usize::from(service.0)].ready;
            let started = Pid::new(std::process::id()).map(|pid| Change::Started { pid });
            self.tell(service, run, started);
            let ready = ready != Ready::Exec;
            self.tell(service, run, ready.then_some(Change::Ready));
        }
        if let Action::Signal { service, run, .. } = *action {
            self.deed(service).stops = true;
            self.tell(service, run, Some(Change::Exited(Exit::Code(0))));
        }
    }

    fn tell(&mut self, service: ServiceId, run: RunId, change: Option<Change>) {
        self.facts.extend(change.map(|change| Fact::Child {
            service,
            run,
            change,
        }));
    }
}

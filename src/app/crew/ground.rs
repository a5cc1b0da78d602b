//! What is found and made before the first thread starts.

use super::queues::Counts;
use super::{Devices, left as before, limits, stability};
use crate::app::heritage::{self, Heritage, Trust};
use crate::app::{AppError, Plan};
use crate::config::board::Board;
use crate::config::{CgroupChoice, Command, Fingerprint, ProbePlan};
use crate::core::BootFacts;
use crate::core::fact::{Fact, Fault, ServiceId, StandIn, Thread};
use crate::core::settings::{self as core_settings, Keeper, Ready, Service, Settings};
use crate::edge::adoption;
use crate::edge::board_record;
use crate::edge::children::{self, Child};
use crate::edge::config_copy::ConfigCopies;
use crate::edge::control::Running;
use crate::edge::fd_store::FdStore;
use crate::edge::halter::Kept;
use crate::edge::hold_file::HoldFile;
use crate::edge::job_file::JobFiles;
use crate::edge::log_file::LogPlan;
use crate::edge::luggage;
use crate::edge::marker_file::{MarkerFiles, Of};
use crate::edge::places::Places;
use crate::edge::pool::Pool;
use crate::edge::prober::ProbeKey;
use crate::edge::run_table::{Leavings, RunTable};
use crate::edge::spawn::Limit;
use crate::edge::spawner::{self, Recipe, Recipes};
use crate::edge::stop_file::StopFile;
use crate::edge::systemd::Environment;
use crate::edge::{clock, mountinfo, process};
use crate::sorted::Map;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is found and made before the first thread starts.
pub(super) struct Ground {
    pub settings: Arc<Settings>,
    pub places: Places,
    pub table: Arc<RunTable>,
    /// What is taken over from an earlier daemon of this boot.
    pub heritage: Heritage,
    pub pool: Option<Pool>,
    /// Why there is none although there should be.
    pub no_pool: Option<Fault>,
    /// Daemons that broke off in the minute before this one, if it starts safely because of them.
    pub safe: Option<u32>,
    /// What stands in for the configuration, which cannot be used.
    pub stand_in: Option<(StandIn, Box<str>)>,
    /// What it goes by, for who asks.
    pub running: Option<Running>,
    /// The copies of it that are to be kept.
    pub copies: Option<ConfigCopies>,
    pub boot: BootFacts,
    pub boot_id: Box<str>,
    pub marker: MarkerFiles,
    /// Where is kept what is known of jobs.
    pub jobs: JobFiles,
    /// Where is kept how long services take to stop, until that is handed over.
    pub stops: Option<StopFile>,
    /// What an earlier daemon left in it.
    pub found: Fact,
    /// How to run each service, until that is handed over.
    pub commands: Vec<Command>,
    /// Services whose output is kept on the card as well.
    pub logs: LogPlan,
    /// What services have left with us for their next runs.
    pub stores: Vec<FdStore>,
    /// Limits of services that are not enforced.
    pub unenforced: Vec<Fact>,
    /// The limit of open descriptors that we were given, if we have raised it.
    pub descriptors: Option<Limit>,
    /// This process is the first of its container: the orphans in there are its own.
    pub first_process: bool,
}

impl Ground {
    pub fn prepare(plan: &mut Plan, places: Places, safe: Option<u32>) -> Result<Ground, AppError> {
        // There may be a thousand services: what is known of each is handed on, and is there once.
        let commands = std::mem::take(&mut plan.config.wiring.commands);
        let wiring = &plan.config.wiring;
        let (pool, no_pool) = pool(&wiring.cgroup, &plan.environment)?;
        let mounts = mounts(&plan.devices, wiring.mounts.as_deref());
        plan.config.settings.mounts = names(&mounts);
        let settings = std::mem::replace(&mut plan.config.settings, Settings::nothing());
        let settings = Arc::new(settings);
        let boot_id = clock::boot_id().unwrap_or_else(|_| "unknown".into());
        let first = places.begin();
        // Before survivors are looked for: each of them takes a descriptor.
        let descriptors = plan.own_process.then(process::open_more).flatten();
        let names: Vec<&str> = settings.services.iter().map(|s| &*s.name).collect();
        let (table, left) = RunTable::open(&places, &names);
        let trust = Trust {
            safe: safe.is_some(),
            gentle: safe.is_some() || plan.alone || plan.stand_in.is_some(),
        };
        let (what, there) = ((&*settings, &*commands), (&left, pool.as_ref()));
        let heritage = Heritage::of(trust, what, there, adoption::find);
        note_found(&heritage, &left, &settings, &table);
        let of = note_board(plan, &places);
        let marker = MarkerFiles::new(&places, &wiring.state_dir, &boot_id, of);
        let marker = marker.or_in(&plan.refuges);
        let jobs = JobFiles::new(&places, &wiring.state_dir, &boot_id);
        let how = settings.services.iter().zip(&commands);
        let how = how.map(|(service, command)| Fingerprint::of_stop(service, command));
        let stops = StopFile::new(&wiring.state_dir, how);
        let found = before::found(plan, &marker);
        Ok(Ground {
            running: super::running(plan.running.take(), wiring),
            copies: stability::copies(plan.copy.take(), &plan.config, &places),
            logs: LogPlan::of(&wiring.state_dir, &settings.services, &commands),
            stores: stores(&settings, &commands),
            unenforced: limits::unenforced(pool.as_ref(), &commands),
            commands,
            settings,
            places,
            table: Arc::new(table),
            heritage,
            pool,
            no_pool,
            safe,
            stand_in: plan.stand_in.take(),
            boot: BootFacts {
                seed: u64::from(crc32fast::hash(boot_id.as_bytes())) << 32 | clock::now().0,
                init_watchdog: plan.environment.watchdog(std::process::id()),
                first,
            },
            boot_id,
            marker,
            jobs,
            stops: Some(stops),
            found,
            descriptors,
            first_process: plan.own_process && std::process::id() == 1,
        })
    }

    /// What a replay of the trace has to know beside the configuration.
    pub fn replay_meta(&self, board: &Board) -> Vec<(&'static str, String)> {
        let first = if self.boot.first { "yes" } else { "no" };
        let mut meta = vec![
            ("seed", self.boot.seed.to_string()),
            ("first", first.to_owned()),
        ];
        if let Some(window) = self.boot.init_watchdog {
            meta.push(("init-watchdog-ms", window.as_millis().to_string()));
        }
        let mounts = self.settings.mounts.iter();
        meta.extend(mounts.map(|mount| ("mount", mount.to_string())));
        if board.settings() != core_settings::Board::NONE {
            let lines = board.source.lines();
            meta.extend(lines.map(|line| ("board", line.to_owned())));
        }
        meta
    }

    /// What earlier daemons, of this boot or of another, have seen of the stops of services.
    pub fn stop_times(&mut self) -> Vec<Fact> {
        let stops = self.stops.as_mut();
        stops.map_or_else(Vec::new, |stops| stops.found(&self.settings))
    }

    /// What earlier daemons, of this boot or of another, have left about the runs of jobs.
    pub fn job_pasts(&self) -> Vec<Fact> {
        heritage::job_pasts(&self.jobs, &self.settings)
    }

    /// The hold that an earlier daemon of this boot has left. Not after daemons that broke off: such a
    /// one goes by nothing that they left.
    pub fn found_hold(&self) -> Option<Fact> {
        let left = self.hold().found(&self.settings);
        left.filter(|_| self.safe.is_none())
    }

    fn hold(&self) -> HoldFile {
        HoldFile::new(&self.places, &self.boot_id)
    }

    /// What is kept for a successor of this boot.
    pub fn kept(&self) -> Kept {
        Kept {
            marker: self.marker.clone(),
            hold: self.hold(),
            settings: self.settings.clone(),
        }
    }

    /// How to run the services. What is configured of each is handed over, and is not here any more.
    pub fn recipes(&mut self, environment: &Environment) -> Recipes {
        let commands = std::mem::take(&mut self.commands);
        let services = self.settings.services.iter().zip(commands);
        let recipe = |((service, command), store): ((&Service, Command), &FdStore)| Recipe {
            name: service.name.clone(),
            notify: command.listens(service),
            newline: match service.ready {
                Ready::Newline { descriptor } => Some(descriptor),
                Ready::Exec | Ready::Notify => None,
            },
            store: store.clone(),
            heartbeat: service.heartbeat,
            fingerprint: Fingerprint::of(service, &command),
            command,
        };
        Recipes {
            each: services.zip(&self.stores).map(recipe).collect(),
            inherited: environment.for_children().into(),
            descriptors: self.descriptors,
        }
    }

    /// The services with these names.
    pub fn ids(&self, names: &[String]) -> Vec<ServiceId> {
        let services = (0u16..).map(ServiceId).zip(&self.settings.services);
        let named = services.filter(|(_, s)| names.iter().any(|name| **name == *s.name));
        named.map(|(id, _)| id).collect()
    }

    /// Services that are units of systemd, and what they are called there.
    pub fn units(&self) -> Vec<(ServiceId, Box<str>)> {
        let unit = |(id, keeper)| match keeper {
            Keeper::Systemd { unit, .. } => Some((id, unit)),
            Keeper::Engine { .. } => None,
        };
        self.kept_by(Thread::Keeper)
            .into_iter()
            .filter_map(unit)
            .collect()
    }

    /// Services that are asked for by this thread, and who keeps them.
    pub fn kept_by(&self, thread: Thread) -> Vec<(ServiceId, Keeper)> {
        let services = (0u16..).map(ServiceId).zip(&self.settings.services);
        let kept = services.filter_map(|(id, s)| Some((id, s.keeper.as_deref()?.clone())));
        kept.filter(|(_, keeper)| keeper.thread() == thread)
            .collect()
    }

    /// How many services, units, containers and probes there are.
    pub fn counts(&self) -> Counts {
        Counts {
            services: self.settings.services.len(),
            units: self.kept_by(Thread::Keeper).len(),
            containers: self.kept_by(Thread::Engine).len(),
            probes: self.probes(),
            canaries: self.settings.canaries.len(),
            uplinks: usize::from(self.settings.network.is_some()) + self.settings.expiries.len(),
        }
    }

    /// How many probes there are.
    fn probes(&self) -> usize {
        self.commands
            .iter()
            .map(|command| command.probes.len())
            .sum()
    }

    /// How each probe is made.
    pub fn probe_plans(&self) -> Map<ProbeKey, ProbePlan> {
        let services = (0u16..).map(ServiceId).zip(&self.commands);
        let plans = services.flat_map(|(id, command)| command.probes.iter().map(move |p| (id, p)));
        plans
            .map(|(id, plan)| ((id, plan.kind), plan.clone()))
            .collect()
    }

    pub fn children(&self) -> Vec<Child> {
        let services = self.settings.services.iter().zip(&self.commands);
        let children = services
            .zip(&self.stores)
            .map(|((service, command), store)| {
                let notify = match command.listens(service) {
                    false => None,
                    true => self.listen(&service.name),
                };
                Child {
                    name: service.name.clone(),
                    stop_signal: command.stop_signal.number(),
                    heartbeat: service.heartbeat,
                    notify,
                    newline: match service.ready {
                        Ready::Newline { .. } => Some(self.places.newline(&service.name)),
                        Ready::Exec | Ready::Notify => None,
                    },
                    store: store.clone(),
                    store_most: command.fd_store,
                }
            })
            .collect();
        // Of services that are not configured any more; and what could not be closed.
        luggage::discard(&["notify ", "store ", "foreign"]);
        children
    }

    /// The socket of a service. Without one it is not heard; the others and the machine are guarded.
    fn listen(&self, name: &str) -> Option<Arc<OwnedFd>> {
        let made = self.places.make_service(name);
        let socket = made.and_then(|()| children::listen(&self.places.notify(name)));
        let told = |e: &io::Error| log::error!("{name} will not be heard: {e}");
        socket.inspect_err(told).ok().map(Arc::new)
    }
}

/// The pool, or why there is none where systemd was to make it. Whoever runs the daemon by hand has
/// not asked for one.
fn pool(
    choice: &CgroupChoice,
    environment: &Environment,
) -> Result<(Option<Pool>, Option<Fault>), AppError> {
    match choice {
        CgroupChoice::None => Ok((None, None)),
        CgroupChoice::At(path) => without(Pool::at(path), true),
        CgroupChoice::Auto => without(Pool::of_unit(), environment.by_init()),
    }
}

/// A pool that cannot be had is done without: a wrong path must not leave the machine without a guard.
fn without(pool: io::Result<Pool>, told: bool) -> Result<(Option<Pool>, Option<Fault>), AppError> {
    match pool {
        Ok(pool) => Ok((Some(pool), None)),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Err(AppError::PoolTaken(e)),
        Err(e) => {
            if told {
                log::error!("services run without a pool: {e}");
            }
            Ok((None, told.then_some(Fault::Errno(spawner::errno(&e)))))
        }
    }
}

fn mounts(devices: &Devices, named: Option<&[PathBuf]>) -> Vec<PathBuf> {
    match (named, devices) {
        (Some(named), _) => named.to_vec(),
        (None, Devices::Simulated(_)) => vec![PathBuf::from("/")],
        (None, Devices::Real(_)) => mountinfo::discover(Path::new("/")).unwrap_or_else(|e| {
            log::warn!("file systems are not watched: {e}; name them in [storage] mounts");
            Vec::new()
        }),
    }
}

fn names(mounts: &[PathBuf]) -> Vec<Box<str>> {
    let name = |mount: &PathBuf| mount.to_string_lossy().into_owned().into();
    mounts.iter().map(name).collect()
}

/// Notes the board for the hook of systemd's last moments, and tells whose markers are kept. What is
/// only a part of the configuration may lack the board, and is noted where nothing better is.
fn note_board(plan: &Plan, places: &Places) -> Of {
    let of = match &plan.devices {
        Devices::Real(_) => Of::ThisMachine,
        Devices::Simulated(_) => Of::SimulatedMachine,
    };
    let in_part = plan.alone || matches!(plan.stand_in, Some((StandIn::SafeMode, _)));
    let board = &plan.config.wiring.board;
    let note = || match in_part {
        true => board_record::write_first(places, board),
        false => board_record::write(places, board),
    };
    if of == Of::ThisMachine
        && let Err(e) = note()
    {
        log::warn!(
            "{}: {e}; systemd's hook will go by the configuration",
            places.board().display()
        );
    }
    of
}

/// Without a record the next one finds a run as this one did.
fn note_found(heritage: &Heritage, left: &Leavings, settings: &Settings, table: &RunTable) {
    for (id, survivor) in &heritage.survivors {
        let record = left.get(settings.name(*id)).and_then(|l| l.record.as_ref());
        if record != Some(&survivor.record) {
            let _ = table.store(*id, &survivor.record);
        }
    }
}

fn stores(settings: &Settings, commands: &[Command]) -> Vec<FdStore> {
    let store = |(service, command): (&Service, &Command)| {
        let store = FdStore::of(command.fd_store);
        store.take_up(command.fd_store, &service.name);
        store
    };
    settings.services.iter().zip(commands).map(store).collect()
}

//! The crew: the threads of the daemon, their queues, and how they come and go.

mod halt;
pub(super) mod lamp;

use super::last_resort;
use super::legacy::{self, Found};
use super::vital_signs::{RealVitals, SimVitals};
use super::{AppError, Bridge, Plan};
use crate::config::board::{Board, Cut, MainsBy};
use crate::config::{CgroupChoice, Config};
use crate::core::fact::{Asker, Change, Fact, Fault, Reading, Request, ServiceId, Source, Thread};
use crate::core::settings::{self as core_settings, Ready, Service, Settings, WatchdogOwner};
use crate::core::{BootFacts, Core};
use crate::edge::adoption::{self, Survivor};
use crate::edge::board_record;
use crate::edge::bound_chips::BoundChips;
use crate::edge::build_date::build_date;
use crate::edge::bus::{self, BusOrder};
use crate::edge::children::{Child, ChildOrder, Children};
use crate::edge::control::{CLIENTS_MAX, Control, ControlOrder, Door, EventRing};
use crate::edge::disk::Disk;
use crate::edge::drive::{Kept, OutputLine};
use crate::edge::gauge::{Gauge, Look};
use crate::edge::gpio::KernelLine;
use crate::edge::guards::{GuardOrder, Guards};
use crate::edge::hardware::Hardware;
use crate::edge::i2c::KernelBus;
use crate::edge::inbox::{Facts, Inbox, inbox};
use crate::edge::led::LedOrder;
use crate::edge::ledger::{Reader, ledger};
use crate::edge::line::{self, LineOrder};
use crate::edge::marker_file::{MarkerFiles, Of};
use crate::edge::orders::{self, Orders, Work};
use crate::edge::output::{Output, OutputOrder};
use crate::edge::places::Places;
use crate::edge::pool::Pool;
use crate::edge::power_cut::PowerCut;
use crate::edge::pulse::Pulse;
use crate::edge::recorder::Recorder;
use crate::edge::register::{Write, Writer};
use crate::edge::senses::Rhythm;
use crate::edge::signals::{self, RollCall};
use crate::edge::sim_board::SimBoard;
use crate::edge::spawn::Limit;
use crate::edge::spawner::{self, Recipe, SpawnOrder, Spawning};
use crate::edge::starts;
use crate::edge::systemd::{Environment, Init};
use crate::edge::watchdog_device::WatchdogDevice;
use crate::edge::watchdog_driver::{KernelWatchdog, WatchdogPaths};
use crate::edge::{children, clock, logging, mountinfo, process, program_text, senses, thread};
use crate::journal::{Journal, newest_synced};
use crate::trace::Ring;
use crate::units::Wall;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use halt::{HaltQueues, HaltWorks};
use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// An essential thread that owes an order for this long is stuck. Shorter than a third of the usual
/// 15 s, so that the reason is written down before the hardware acts; far longer than any of its
/// orders takes, on a machine that is merely busy.
const ESSENTIAL: Duration = Duration::from_secs(3);

/// The spawner may wait for the card: this is when a start is called stuck, too.
const SPAWNER: Duration = Duration::from_secs(30);

/// Vitals are read from memory; half a minute late means that something is wrong.
const VITALS: Duration = Duration::from_secs(30);

/// A look at a file system may wait for a card that is being written to.
const DISK: Duration = Duration::from_secs(60);

/// The control, output and signals threads never wait for anything.
const PROMPT: Duration = Duration::from_secs(10);

/// The recorder syncs to the card.
const RECORDER: Duration = Duration::from_secs(60);

/// A look at the chips may wait for a bus that gives up after a second, four times over.
const BUS: Duration = Duration::from_secs(10);

/// The line's thread never waits for anything but its line.
const LINE: Duration = Duration::from_secs(10);

/// Orders for the bus that may wait. They are few, and the latest one counts.
const BUS_QUEUE: usize = 16;

/// Orders for the guards that may wait. There is one pet at a time, and few announcements.
const GUARD_QUEUE: usize = 32;

/// Roll calls for the signals thread that may wait: at one a minute, it is told to be late long before.
const SIGNAL_QUEUE: usize = 8;

/// By then the start is over, even of a thousand services. Until then memory is not locked: that would
/// take a tenth of a small start, and nothing is paged out this early.
const START: Duration = Duration::from_secs(3);

/// Time for the recorder to hand the last events to those who follow. On a card that stalls they go
/// without; the end does not wait longer for it.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Time for the threads to end. One that is stuck ends with the process.
const FAREWELL: Duration = Duration::from_secs(3);

/// Seed of the simulated board of `board = "sim"`: any will do, and always the same one makes runs
/// alike.
const SIM_SEED: u64 = 1;

/// The devices that a daemon works with.
pub enum Devices {
    /// Those of this machine.
    Real(Hardware),
    /// A simulated board. Nothing of this machine can be reached through it.
    Simulated(SimBoard),
}

impl Devices {
    /// The devices that the configuration asks for. The only place where the permission to touch
    /// real hardware is given.
    pub fn of(board: &Board) -> Devices {
        match board.simulated {
            false => Devices::Real(Hardware::of_this_machine()),
            true => Devices::Simulated(SimBoard::new(SIM_SEED, clock::now())),
        }
    }
}

/// Where the core's orders go.
pub(super) struct Queues {
    pub spawner: Orders<SpawnOrder>,
    pub children: Orders<ChildOrder>,
    pub guards: Orders<GuardOrder>,
    pub control: Orders<ControlOrder>,
    pub output: Orders<OutputOrder>,
    /// Only where the process is ours.
    pub signals: Option<Orders<RollCall>>,
    /// Only with a board that has something on its bus.
    pub bus: Option<Orders<BusOrder>>,
    line: Option<Orders<LineOrder>>,
    /// Only with a status LED.
    pub led: Option<Orders<LedOrder>>,
    /// What tells the board to cut the power ahead of the halt, and what takes that back.
    pub cut: Option<Write>,
    pub uncut: Option<Write>,
    pub halt: HaltQueues,
    vitals: Arc<Pulse>,
    disk: Arc<Pulse>,
    recorder: Arc<Pulse>,
    log: Option<Arc<Pulse>>,
}

impl Queues {
    pub fn pulses(&self) -> Vec<Arc<Pulse>> {
        let queues = [
            self.spawner.pulse(),
            self.children.pulse(),
            self.guards.pulse(),
            self.control.pulse(),
            self.output.pulse(),
            &self.vitals,
            &self.disk,
            &self.recorder,
        ];
        let signals = self.signals.iter().map(Orders::pulse);
        let bus = self.bus.iter().map(Orders::pulse);
        let line = self.line.iter().map(Orders::pulse);
        let led = self.led.iter().map(Orders::pulse);
        let some = signals.chain(bus).chain(line).chain(led).chain(&self.log);
        let some = some.chain(self.halt.pulses());
        queues.into_iter().chain(some).cloned().collect()
    }
}

/// The other ends of the queues.
struct Works {
    spawner: Work<SpawnOrder>,
    children: Work<ChildOrder>,
    guards: Work<GuardOrder>,
    output: Work<OutputOrder>,
    bus: Option<Work<BusOrder>>,
    line: Option<Work<LineOrder>>,
    halt: Option<HaltWorks>,
}

/// Queues for a daemon with this many services. Each service has at most one start and a few
/// signals under way, so that a queue is only ever full when its thread is stuck.
fn queues(services: usize, board: &Board) -> io::Result<(Queues, Works, Work<ControlOrder>)> {
    let pulse = |thread, limit| Arc::new(Pulse::new(thread, limit));
    let room = 4 * services + 64;
    let (spawner, spawner_work) = orders::plain(room, pulse(Thread::Spawner, SPAWNER));
    let (children, children_work) = orders::with_bell(room, pulse(Thread::Children, ESSENTIAL))?;
    let (guards, guards_work) = orders::plain(GUARD_QUEUE, pulse(Thread::Watchdog, ESSENTIAL));
    let (control, control_work) =
        orders::with_bell(CLIENTS_MAX + 8, pulse(Thread::Control, PROMPT))?;
    let (output, output_work) = orders::with_bell(room, pulse(Thread::Output, PROMPT))?;
    let bus = board
        .has_gauge()
        .then(|| orders::plain(BUS_QUEUE, pulse(Thread::Bus, BUS)));
    let (bus, bus_work) = bus.unzip();
    let line = matches!(board.mains, MainsBy::Line { .. })
        .then(|| orders::with_bell(1, pulse(Thread::Line, LINE)));
    let (line, line_work) = line.transpose()?.unzip();
    let (halt, halt_work) = halt::queues();
    let (cut, uncut) = cut_ahead(board);
    let queues = Queues {
        bus,
        line,
        led: None,
        cut,
        uncut,
        halt,
        spawner,
        children,
        guards,
        control,
        output,
        signals: None,
        vitals: pulse(Thread::Vitals, VITALS),
        disk: pulse(Thread::Disk, DISK),
        recorder: pulse(Thread::Recorder, RECORDER),
        log: logging::pulse(),
    };
    let works = Works {
        spawner: spawner_work,
        children: children_work,
        guards: guards_work,
        output: output_work,
        bus: bus_work,
        line: line_work,
        halt: Some(halt_work),
    };
    Ok((queues, works, control_work))
}

/// What is written to tell the board to cut the power ahead of the halt, and to take that back.
fn cut_ahead(board: &Board) -> (Option<Write>, Option<Write>) {
    let Cut::Register {
        bus,
        address,
        register,
        value,
        cancel,
        after_unmount: false,
        ..
    } = board.cut
    else {
        return (None, None);
    };
    let write = |value| Write {
        bus,
        address,
        register,
        value,
    };
    (Some(write(value)), cancel.map(write))
}

/// The threads that are at work.
pub(super) struct Hands {
    /// Where starts are counted.
    pub starts: PathBuf,
    threads: Vec<JoinHandle<()>>,
    senses: Sender<()>,
    /// Ends when the recorder has written its last.
    written: Option<Receiver<()>>,
    /// Every thread holds one end until it ends, and nobody sends anything.
    aboard: Sender<()>,
    ashore: Receiver<()>,
}

impl Hands {
    fn new(senses: Sender<()>, starts: PathBuf) -> Hands {
        let (aboard, ashore) = bounded(0);
        Hands {
            starts,
            threads: Vec::new(),
            senses,
            written: None,
            aboard,
            ashore,
        }
    }

    fn man(
        &mut self,
        name: &'static str,
        body: impl FnOnce() + Send + 'static,
    ) -> Result<(), AppError> {
        let aboard = self.aboard.clone();
        let body = move || {
            body();
            drop(aboard);
        };
        self.threads
            .push(thread::start(name, body).map_err(AppError::kernel("thread"))?);
        Ok(())
    }

    /// Lets all threads end, and waits for those that do.
    pub fn go_ashore(self, bridge: Bridge) {
        let Bridge { queues, ledger, .. } = bridge;
        let now = clock::now();
        // The children thread first: it feeds the guards, and nothing feeds it but the spawner.
        let _ = queues.children.give(now, ChildOrder::Quit);
        let _ = queues.output.give(now, OutputOrder::Quit);
        if let Some(line) = &queues.line {
            let _ = line.give(now, LineOrder::Quit);
        }
        drop(self.senses);
        ledger.close();
        // Who follows the events is to see the last one, so the recorder goes before the control.
        if let Some(written) = self.written {
            let _ = written.recv_timeout(LAST_WORDS);
        }
        let _ = queues.control.give(clock::now(), ControlOrder::Close);
        drop(queues);
        drop(self.aboard);
        // Nothing is ever received: this ends when the last thread has, or when time is up.
        if self.ashore.recv_timeout(FAREWELL) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
        for stuck in self.threads.iter().filter(|t| !t.is_finished()) {
            log::warn!(
                "thread {} did not end",
                stuck.thread().name().unwrap_or("?")
            );
        }
    }
}

/// What is found and made before the first thread starts.
struct Ground {
    settings: Arc<Settings>,
    places: Places,
    pool: Option<Pool>,
    /// Why there is none although there should be.
    no_pool: Option<Fault>,
    /// Daemons that broke off in the minute before this one, if it starts safely because of them.
    safe: Option<u32>,
    boot: BootFacts,
    boot_id: Box<str>,
    survivors: Vec<(ServiceId, Survivor)>,
    /// What an earlier daemon of this boot left about the services.
    memos: Vec<Found>,
    marker: MarkerFiles,
    /// What an earlier daemon left in it.
    found: Fact,
    /// The limit of open descriptors that we were given, if we have raised it.
    descriptors: Option<Limit>,
}

impl Ground {
    fn prepare(plan: &mut Plan, places: Places, safe: Option<u32>) -> Result<Ground, AppError> {
        let wiring = &plan.config.wiring;
        let (pool, no_pool) = pool(&wiring.cgroup, &plan.environment)?;
        let mounts = mounts(&plan.devices, wiring.mounts.as_deref());
        plan.config.settings.mounts = mounts
            .iter()
            .map(|m| m.to_string_lossy().into_owned().into())
            .collect();
        let settings = Arc::new(plan.config.settings.clone());
        let boot_id = clock::boot_id().unwrap_or_else(|_| "unknown".into());
        let first = !places.began().exists();
        std::fs::write(places.began(), "").map_err(AppError::Places)?;
        let init_watchdog = plan.environment.watchdog(std::process::id());
        let seed = u64::from(crc32fast::hash(boot_id.as_bytes())) << 32 | clock::now().0;
        let left = places.left();
        let memos = match safe {
            None => memos(&settings, &places, &left),
            Some(_) => Vec::new(),
        };
        let survivors = survivors(&settings, &places, (pool.as_ref(), &left), &memos);
        let of = match &plan.devices {
            Devices::Real(_) => Of::ThisMachine,
            Devices::Simulated(_) => Of::SimulatedMachine,
        };
        if of == Of::ThisMachine
            && let Err(e) = board_record::write(&places, &wiring.board)
        {
            log::warn!(
                "{}: {e}; systemd's hook will go by the configuration",
                places.board().display()
            );
        }
        let marker = MarkerFiles::new(&places, &wiring.state_dir, &boot_id, of);
        let found = match &plan.devices {
            Devices::Real(_) => marker.found(ended_last_boot(plan)),
            // A simulated machine begins with its daemon.
            Devices::Simulated(_) => MarkerFiles::nothing(),
        };
        let boot = BootFacts {
            seed,
            init_watchdog,
            first,
        };
        let ground = Ground {
            settings,
            places,
            pool,
            no_pool,
            safe,
            boot,
            boot_id,
            survivors,
            memos,
            marker,
            found,
            descriptors: plan.own_process.then(process::open_more).flatten(),
        };
        Ok(ground)
    }

    /// What a replay of the trace has to know beside the configuration.
    fn replay_meta(&self, board: &Board) -> Vec<(&'static str, String)> {
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

    fn recipes(&self, config: &Config, environment: &Environment) -> Vec<Recipe> {
        let inherited = environment.for_children();
        let services = self.settings.services.iter().zip(&config.wiring.commands);
        services
            .map(|(service, command)| {
                let own = command.environment.iter();
                let own = own.map(|(k, v)| (OsString::from(k), OsString::from(v)));
                let kept = inherited.iter().filter(|(k, _)| {
                    k.to_str()
                        .is_none_or(|k| !command.environment.contains_key(k))
                });
                Recipe {
                    name: service.name.clone(),
                    argv: command.argv.iter().map(OsString::from).collect(),
                    environment: kept.cloned().chain(own).collect(),
                    directory: command.directory.clone(),
                    output: command.output,
                    notify: listens(service),
                    heartbeat: service.heartbeat,
                    descriptors: self.descriptors,
                }
            })
            .collect()
    }

    fn children(&self, config: &Config) -> io::Result<Vec<Child>> {
        let services = self.settings.services.iter().zip(&config.wiring.commands);
        services
            .map(|(service, command)| {
                let notify = match listens(service) {
                    false => None,
                    true => {
                        self.places.make_service(&service.name)?;
                        Some(children::listen(&self.places.notify(&service.name))?)
                    }
                };
                Ok(Child {
                    name: service.name.clone(),
                    stop_signal: command.stop_signal.number(),
                    heartbeat: service.heartbeat,
                    notify,
                })
            })
            .collect()
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
        CgroupChoice::At(path) => Ok((Some(Pool::at(path).map_err(AppError::pool)?), None)),
        CgroupChoice::Auto => match Pool::of_unit() {
            Ok(pool) => Ok((Some(pool), None)),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Err(AppError::pool(e)),
            Err(e) => {
                let why = Fault::Errno(spawner::errno(&e));
                Ok((None, environment.by_init().then_some(why)))
            }
        },
    }
}

/// A service that has something to tell gets a socket to tell it on.
fn listens(service: &crate::core::settings::Service) -> bool {
    service.ready == Ready::Notify || service.heartbeat.is_some()
}

/// Whether the watchdog ended the boot before; `None` where that cannot be known.
fn ended_last_boot(plan: &Plan) -> Option<bool> {
    match &plan.devices {
        Devices::Real(_) => {
            WatchdogPaths::of(&plan.config.wiring.watchdog_device).ended_last_boot()
        }
        Devices::Simulated(_) => None,
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

fn survivors(
    settings: &Settings,
    places: &Places,
    (pool, left): (Option<&Pool>, &BTreeSet<String>),
    memos: &[Found],
) -> Vec<(ServiceId, Survivor)> {
    let find = |(id, s): (ServiceId, &Service)| {
        if pool.is_none() && !left.contains(&*s.name) {
            return None;
        }
        let mut survivor = adoption::find(&s.name, places, pool)?;
        // One that was found without a record has a number that may have been used before.
        let known = memos.iter().find(|(whose, ..)| *whose == id);
        let known = known.map_or(survivor.record.run, |(_, run, _)| *run);
        survivor.record.run = survivor.record.run.max(known);
        Some((id, survivor))
    };
    let ids = (0u16..).map(ServiceId);
    ids.zip(&settings.services).filter_map(find).collect()
}

fn memos(settings: &Settings, places: &Places, left: &BTreeSet<String>) -> Vec<Found> {
    let ids = (0u16..).map(ServiceId).take(settings.services.len());
    ids.filter(|id| left.contains(settings.name(*id)))
        .filter_map(|id| legacy::find(id, settings, places))
        .collect()
}

/// Starts a daemon: everything runs when this returns, and the core has not been told a fact. The
/// facts that it begins with wait on the bridge.
pub(super) fn sign_on(plan: Plan) -> Result<(Bridge, Facts, Hands), AppError> {
    let places = Places::new(&plan.config.wiring.runtime_dir);
    places.make().map_err(AppError::Places)?;
    let door = Door::open(places.root())?;
    let (mut plan, safe) = last_resort::begin(plan, &places);
    let mut ground = Ground::prepare(&mut plan, places, safe)?;
    let (inbox, facts) = inbox();
    let services = ground.settings.services.len();
    let board = &plan.config.wiring.board;
    let (mut queues, mut works, asked) =
        queues(services, board).map_err(AppError::kernel("order queues"))?;
    let (senses, quit) = bounded(0);
    let mut hands = Hands::new(senses, ground.places.starts());
    let events = Arc::new(EventRing::new().map_err(AppError::kernel("event ring"))?);
    let (ledger, reader) = ledger(queues.recorder.clone(), plan.observer.is_some());
    hands.man_recorder(&mut plan, &ground, &events, (reader, &inbox))?;
    let own_process = plan.own_process;
    let alive = Kept::default();
    let right = match &plan.devices {
        Devices::Real(hardware) => {
            let board = &plan.config.wiring.board;
            let cut = PowerCut::of(board, alive.clone(), hardware);
            Some((hardware.halt_right(), cut))
        }
        Devices::Simulated(_) => None,
    };
    queues.led = hands.man_led(&plan, &ground.places, &inbox)?;
    let (watchdog, mut samplers) = instruments(&plan.config, plan.devices, &ground.settings);
    let guards = Guards::new(watchdog, Init::of(&plan.environment)?);
    let recipes = ground.recipes(&plan.config, &plan.environment);
    let kin = ground.children(&plan.config).map_err(AppError::Places)?;
    hands.man_control(
        (door, asked),
        ground.settings.clone(),
        inbox.clone(),
        events,
    )?;
    if let Some(works) = works.halt.take() {
        hands.man_halt(works, ground.marker.clone(), right, &inbox)?;
    }
    let watched = (works.bus.take(), works.line.take());
    hands.man_services((recipes, kin), &ground, &queues, works, guards, &inbox)?;
    hands.man_board(
        &plan.config.wiring.board,
        watched,
        &mut samplers,
        (&quit, &inbox, &alive),
    )?;
    hands.man_senses(&queues, samplers, &quit, &inbox)?;
    if own_process {
        queues.signals = Some(hands.man_signals(&inbox)?);
    }
    man_requests(plan.requests.take(), inbox.clone())?;
    let own = opening(&queues, &mut ground);
    hands.man_stability(&plan.config, own_process, &quit)?;
    hands.end_strangers(&ground)?;
    let core = Core::new(Settings::clone(&ground.settings), ground.boot);
    Ok((Bridge::new(core, queues, ledger, own), facts, hands))
}

/// Memory of the process that is ours stays where it is, but for what only the start has needed.
fn settle_memory() {
    program_text::let_go();
    process::give_back_heap();
    if let Err(e) = process::lock_memory() {
        log::warn!("memory is not locked: {e}; raise LimitMEMLOCK= of the unit");
    }
    program_text::keep();
}

/// Hands the survivors over to their threads; returns the facts that the core begins with.
fn opening(queues: &Queues, ground: &mut Ground) -> VecDeque<Fact> {
    let safe = ground.safe.map(|aborted| Reading::Starts { aborted });
    let source = Source::Pool;
    let no_pool = ground.no_pool.take().map(|why| Fact::Lost { source, why });
    let recalled = |(service, run, memo)| Fact::Child {
        service,
        run,
        change: Change::Recalled(memo),
    };
    let memos = std::mem::take(&mut ground.memos).into_iter().map(recalled);
    let mut facts: VecDeque<Fact> = safe.map(Fact::Seen).into_iter().chain(no_pool).collect();
    facts.extend(memos);
    for (service, Survivor { record, pidfd }) in std::mem::take(&mut ground.survivors) {
        let (run, pid, ready) = (record.run, record.pid, record.ready);
        let change = Change::Adopted { pid, ready };
        facts.push_back(Fact::Child {
            service,
            run,
            change,
        });
        let now = clock::now();
        queues.children.hand(
            now,
            ChildOrder::Adopted {
                service,
                record,
                pidfd,
            },
        );
        queues.spawner.hand(now, SpawnOrder::Prepare { service });
    }
    let time = build_date();
    facts.push_back(Fact::Seen(Reading::Floor { time }));
    facts.push_back(ground.found.clone());
    facts.push_back(Fact::Tick);
    facts
}

type Sampler = Box<dyn FnMut(&Inbox) -> senses::Look + Send>;
type Looker = Box<dyn FnMut() -> Look + Send>;

/// How the machine is looked at.
struct Samplers {
    vitals: Sampler,
    disk: Sampler,
    /// The chips of the board, or the simulated ones.
    gauge: Option<Looker>,
    /// What writes to them.
    writer: Option<Writer>,
    /// The line that tells of mains, if a line does.
    line: Option<KernelLine>,
    /// The line that shows the board that the computer runs.
    alive: Option<OutputLine>,
}

impl Samplers {
    fn real(config: &Config, settings: &Settings, hardware: &Hardware) -> Samplers {
        let board = &config.wiring.board;
        let mut vitals = RealVitals::new(config, settings, hardware);
        let mut rhythm = Rhythm::new(config.wiring.vitals_every);
        let mut disk = Disk::new("/".into());
        let mounts = settings.mounts.iter().map(|m| PathBuf::from(&**m));
        let mounts: Vec<PathBuf> = mounts.collect();
        let next = config.wiring.disk_every;
        let gauge = board.chips.first().map(|first| {
            let bus = Box::new(KernelBus::of(first.bus, hardware));
            let mut gauge = Gauge::of(board, bus, BoundChips::new("/".as_ref()));
            Box::new(move || gauge.look()) as Looker
        });
        Samplers {
            alive: board
                .alive
                .as_ref()
                .map(|line| OutputLine::of(line, hardware)),
            vitals: Box::new(move |_| rhythm.look(clock::now(), &mut vitals)),
            disk: Box::new(move |inbox| {
                // One that hangs must not keep back what those before it have answered.
                disk.sample_each(&mounts, |fact| inbox.send(fact));
                let facts = Vec::new();
                senses::Look { facts, next }
            }),
            gauge,
            writer: board.chips.first().map(|first| {
                let bus = Box::new(KernelBus::of(first.bus, hardware));
                Writer::of(bus, BoundChips::new("/".as_ref()))
            }),
            line: match &board.mains {
                MainsBy::Line {
                    line,
                    pull,
                    debounce,
                    ..
                } => Some(KernelLine::of(line.clone(), *pull, *debounce, hardware)),
                MainsBy::Supplies | MainsBy::Supply(_) => None,
                MainsBy::Register { .. } | MainsBy::Current { .. } => None,
            },
        }
    }

    fn simulated(board: &SimBoard, config: &Config, settings: &Settings) -> Samplers {
        let mounts = u16::try_from(settings.mounts.len()).unwrap_or(u16::MAX);
        let [disk, gauge] = [board.clone(), board.clone()];
        let mut vitals = SimVitals(board.clone());
        let mut rhythm = Rhythm::new(config.wiring.vitals_every);
        let next = config.wiring.disk_every;
        Samplers {
            vitals: Box::new(move |_| rhythm.look(clock::now(), &mut vitals)),
            disk: Box::new(move |_| senses::Look {
                facts: disk.sample_mounts(clock::now(), mounts),
                next,
            }),
            gauge: Some(Box::new(move || Look {
                facts: gauge.sample_gauge(clock::now()),
                doubtful: false,
            })),
            writer: None,
            line: None,
            alive: None,
        }
    }
}

/// The watchdog, if it is ours, and the samplers, real or simulated.
fn instruments(
    config: &Config,
    devices: Devices,
    settings: &Settings,
) -> (Option<Box<dyn WatchdogDevice>>, Samplers) {
    let ours = settings.watchdog.owner == WatchdogOwner::Fieldwarden;
    let (watchdog, samplers): (Box<dyn WatchdogDevice>, _) = match devices {
        Devices::Real(hardware) => {
            let samplers = Samplers::real(config, settings, &hardware);
            let device = &config.wiring.watchdog_device;
            (Box::new(KernelWatchdog::of(device, hardware)), samplers)
        }
        Devices::Simulated(board) => {
            let samplers = Samplers::simulated(&board, config, settings);
            let watchdog = board.watchdog(Arc::new(clock::now));
            (Box::new(watchdog), samplers)
        }
    };
    (ours.then_some(watchdog), samplers)
}

impl Hands {
    fn man_recorder(
        &mut self,
        plan: &mut Plan,
        ground: &Ground,
        events: &Arc<EventRing>,
        (reader, inbox): (Reader, &Inbox),
    ) -> Result<(), AppError> {
        let ring = Ring::new(ground.places.root(), &ground.boot_id, &plan.config.source)
            .with_meta(ground.replay_meta(&plan.config.wiring.board));
        let (settings, observer) = (ground.settings.clone(), plan.observer.take());
        let (events, log, boot_id) = (events.clone(), plan.log, ground.boot_id.clone());
        let (state_dir, inbox) = (plan.config.wiring.state_dir.clone(), inbox.clone());
        // A simulated board has a clock of its own, which knows nothing of our journal.
        let real = matches!(plan.devices, Devices::Real(_));
        let (writing, written) = bounded(0);
        self.written = Some(written);
        self.man("recorder", move || {
            // Here and not before the thread starts: the card may take its time.
            let _ = std::fs::create_dir_all(&state_dir);
            let directory = state_dir.join("journal");
            let past = real.then(|| newest_synced(&directory)).flatten();
            if let Some(time) = past.and_then(|past| Wall::new(past.as_second())) {
                inbox.send(Fact::Seen(Reading::Floor { time }));
            }
            let journal = Journal::open(&directory, &boot_id);
            Recorder::new(settings, ring, journal, events, observer, log, inbox).run(&reader);
            drop(writing);
        })
    }

    fn man_services(
        &mut self,
        (recipes, kin): (Vec<Recipe>, Vec<Child>),
        ground: &Ground,
        queues: &Queues,
        works: Works,
        guards: Guards,
        inbox: &Inbox,
    ) -> Result<(), AppError> {
        let Ground { places, pool, .. } = ground;
        let output = Output::new().map_err(AppError::kernel("output"))?;
        let taps = output.taps(queues.output.clone());
        self.man("output", move || fatal("output", output.run(&works.output)))?;
        let to_core = inbox.clone();
        self.man("watchdog", move || guards.run(&works.guards, &to_core))?;
        let guards = queues.guards.clone();
        let children = Children::new(kin, places.clone(), pool.clone(), guards, inbox.clone())
            .map_err(AppError::kernel("children"))?;
        let births = children.births(queues.children.clone());
        self.man("children", move || {
            fatal("children", children.run(&works.children))
        })?;
        let spawning = Spawning::new(
            recipes,
            places.clone(),
            pool.clone(),
            taps,
            births,
            inbox.clone(),
        )
        .map_err(AppError::kernel("starting processes"))?;
        self.man("spawner", move || spawning.run(&works.spawner))?;
        Ok(())
    }

    fn man_control(
        &mut self,
        (door, work): (Door, Work<ControlOrder>),
        settings: Arc<Settings>,
        inbox: Inbox,
        events: Arc<EventRing>,
    ) -> Result<(), AppError> {
        let control = Control {
            door,
            settings,
            inbox,
            work,
            events,
        };
        let server = control.server().map_err(AppError::kernel("control"))?;
        self.man("control", server)
    }

    fn man_senses(
        &mut self,
        queues: &Queues,
        samplers: Samplers,
        quit: &Receiver<()>,
        inbox: &Inbox,
    ) -> Result<(), AppError> {
        let watch = |pulse: &Arc<Pulse>, sample: Sampler| {
            let (pulse, inbox, quit) = (pulse.clone(), inbox.clone(), quit.clone());
            move || senses::watch(&pulse, &inbox, &quit, sample)
        };
        self.man("vitals", watch(&queues.vitals, samplers.vitals))?;
        self.man("disk", watch(&queues.disk, samplers.disk))
    }

    /// The board: its chips and its line, each with a thread of its own.
    fn man_board(
        &mut self,
        board: &Board,
        (bus, line): (Option<Work<BusOrder>>, Option<Work<LineOrder>>),
        samplers: &mut Samplers,
        (quit, inbox, kept): (&Receiver<()>, &Inbox, &Kept),
    ) -> Result<(), AppError> {
        if let Some(alive) = samplers.alive.take() {
            let (quit, kept) = (quit.clone(), kept.clone());
            self.man("alive", move || alive.keep(&quit, &kept))?;
        }
        if let (Some(work), Some(sample)) = (bus, samplers.gauge.take()) {
            let inbox = inbox.clone();
            let mut writer = samplers.writer.take();
            let write = move |write| match &mut writer {
                Some(writer) => writer.write(write),
                None => Err(Fault::Absent),
            };
            self.man("bus", move || bus::run(&work, &inbox, sample, write))?;
        }
        let MainsBy::Line {
            lost_high,
            debounce,
            ..
        } = board.mains
        else {
            return Ok(());
        };
        if let (Some(work), Some(mut kernel_line)) = (line, samplers.line.take()) {
            let inbox = inbox.clone();
            self.man("line", move || {
                line::run(&mut kernel_line, (lost_high, debounce), &work, &inbox)
            })?;
        }
        Ok(())
    }

    /// The process is ours: its signals are for us.
    fn man_signals(&mut self, inbox: &Inbox) -> Result<Orders<RollCall>, AppError> {
        let caught = signals::caught().map_err(AppError::kernel("signal handlers"))?;
        let inbox = inbox.clone();
        // It ends with the process: a handler cannot be waited for.
        let pulse = Arc::new(Pulse::new(Thread::Signals, PROMPT));
        let (calls, work) =
            orders::with_bell(SIGNAL_QUEUE, pulse).map_err(AppError::kernel("signals"))?;
        let run = move || fatal("signals", signals::run(caught, &work, &inbox));
        thread::start("signals", run).map_err(AppError::kernel("thread"))?;
        Ok(calls)
    }

    /// When the start is over, memory is put in order; and a daemon that lives for long enough proves
    /// that resets have helped.
    fn man_stability(
        &mut self,
        config: &Config,
        own_process: bool,
        quit: &Receiver<()>,
    ) -> Result<(), AppError> {
        let resets = config.wiring.state_dir.join("resets");
        let quit = quit.clone();
        self.man("stability", move || {
            if quit.recv_timeout(START) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            if own_process {
                settle_memory();
            }
            if quit.recv_timeout(starts::STABLE) == Err(RecvTimeoutError::Timeout) {
                starts::forget_resets(&resets);
            }
        })
    }

    fn end_strangers(&mut self, ground: &Ground) -> Result<(), AppError> {
        let services = ground.settings.services.iter();
        let known = services.map(|s| &*s.name).collect();
        let (places, pool) = (ground.places.clone(), ground.pool.clone());
        let names = adoption::strangers(&known, &places, pool.as_ref());
        if names.is_empty() {
            return Ok(());
        }
        self.man("strangers", move || {
            adoption::end_strangers(&names, &places, pool.as_ref())
        })
    }
}

/// Passes on what is asked from within the process, until nobody can ask any more.
fn man_requests(requests: Option<Receiver<Request>>, inbox: Inbox) -> Result<(), AppError> {
    let Some(requests) = requests else {
        return Ok(());
    };
    let by = Asker::User(nix::unistd::geteuid().as_raw());
    let pass_on = move || {
        for request in requests {
            let ticket = signals::TICKET;
            inbox.send(Fact::Asked {
                ticket,
                by,
                request,
            });
        }
    };
    thread::start("requests", pass_on).map_err(AppError::kernel("thread"))?;
    Ok(())
}

/// A thread that cannot go on without the kernel's help: what it stood for is gone. If it is
/// essential, no pet passes through it any more; otherwise the daemon is worse off without it than
/// with a new start.
fn fatal(name: &str, outcome: io::Result<()>) {
    if let Err(e) = outcome {
        log::error!("thread {name} ended: {e}");
        logging::flush();
        std::process::abort();
    }
}

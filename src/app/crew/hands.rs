//! The threads that are at work, and how each is started.

use super::ground::Ground;
use super::health;
use super::queues::{PROMPT, Queues, ServiceWorks};
use super::samplers::{Sampler, Samplers};
use crate::app::heritage::Heritage;
use crate::app::{AppError, Bridge};
use crate::config::board::{Board, MainsBy};
use crate::config::{Config, ProbePlan};
use crate::core::fact::{Asker, Fact, Fault, Reading, Request, Thread};
use crate::core::settings::Settings;
use crate::edge::adoption;
use crate::edge::build_date::build_date;
use crate::edge::bus::{self, BusOrder};
use crate::edge::checker::Checker;
use crate::edge::children::{Adopting, Births, Child, ChildOrder, Children};
use crate::edge::control::{Control, ControlOrder, Door, EventRing, Running};
use crate::edge::drive::Kept;
use crate::edge::floor_file::FloorFile;
use crate::edge::guards::Guards;
use crate::edge::inbox::Inbox;
use crate::edge::keeper::KeeperOrder;
use crate::edge::ledger::Reader;
use crate::edge::line::{self, LineOrder};
use crate::edge::log_file::LogFiles;
use crate::edge::orders::{self, Orders, Work};
use crate::edge::output::{Output, OutputOrder};
use crate::edge::prober::{ProbeKey, Prober, ProberOrder};
use crate::edge::pulse::Pulse;
use crate::edge::recorder::{Observer, Recorder};
use crate::edge::signals::{self, SignalOrder};
use crate::edge::spawner::{Recipes, Spawning};
use crate::edge::successor::Successor;
use crate::edge::uplink_watch::UplinkWatch;
use crate::edge::{clock, logging, luggage, senses, thread};
use crate::journal::{Journal, newest_synced};
use crate::sorted::Map;
use crate::trace::Ring;
use crate::units::Wall;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Roll calls for the signals thread that may wait: at one a minute, it is told to be late long before.
const SIGNAL_QUEUE: usize = 8;

/// Time for the recorder to hand the last events to those who follow. On a card that stalls they go
/// without; the end does not wait longer for it.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Time for the threads to end. One that is stuck ends with the process.
const FAREWELL: Duration = Duration::from_secs(3);

/// What the recorder is made of.
pub(super) struct RecordPlan {
    pub reader: Reader,
    pub observer: Option<Box<dyn Observer>>,
    pub log: bool,
    /// The machine is a real one. A simulated board has a clock of its own, which knows nothing of our
    /// journal.
    pub real: bool,
}

/// The threads that are at work.
pub(in crate::app) struct Hands {
    /// Where starts are counted.
    pub starts: PathBuf,
    threads: Vec<JoinHandle<()>>,
    /// Where new runs are named, once there is somebody who starts any.
    pub(super) births: Option<Births>,
    /// Runs that a predecessor has left are not handed over yet.
    pub adopting: Option<Adopting>,
    senses: Sender<()>,
    /// Ends when the recorder has written its last.
    written: Option<Receiver<()>>,
    /// Every thread holds one end until it ends, and nobody sends anything.
    aboard: Sender<()>,
    ashore: Receiver<()>,
}

impl Hands {
    pub(super) fn new(senses: Sender<()>, starts: PathBuf) -> Hands {
        let (aboard, ashore) = bounded(0);
        Hands {
            starts,
            threads: Vec::new(),
            births: None,
            adopting: None,
            senses,
            written: None,
            aboard,
            ashore,
        }
    }

    pub(super) fn man(
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

    /// What has a successor check the configuration, if there is one.
    pub(super) fn checker(&self, it: Option<Arc<Successor>>, inbox: &Inbox) -> Option<Checker> {
        let (it, births) = it.zip(self.births.clone())?;
        Some(Checker::new(it, births, inbox.clone()))
    }

    /// Lets all threads end, and waits for those that do.
    pub fn go_ashore(self, bridge: Bridge) {
        let Bridge {
            queues,
            ledger,
            core,
            ..
        } = bridge;
        let now = clock::now();
        // The recorder first, it has most to do; all others end beside it.
        ledger.close();
        let _ = queues.children.give(now, ChildOrder::Quit);
        let _ = queues.output.give(now, OutputOrder::Quit);
        if let Some(signals) = &queues.signals {
            let _ = signals.give(now, SignalOrder::Quit);
        }
        if let Some(line) = &queues.line {
            let _ = line.give(now, LineOrder::Quit);
        }
        for keeper in queues.keeper.iter().chain(&queues.engine) {
            let _ = keeper.give(now, KeeperOrder::Quit);
        }
        if let Some(prober) = &queues.prober {
            let _ = prober.give(now, ProberOrder::Quit);
        }
        health::dismiss(&queues, now);
        let control = queues.control.clone();
        drop((queues, self.senses, core));
        // But for the control: who follows the events is to see the last one.
        if let Some(written) = self.written {
            let _ = written.recv_timeout(LAST_WORDS);
        }
        let _ = control.give(clock::now(), ControlOrder::Close);
        drop((control, self.aboard));
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

impl Hands {
    pub(super) fn man_recorder(
        &mut self,
        plan: RecordPlan,
        config: &Config,
        ground: &mut Ground,
        (events, inbox): (&Arc<EventRing>, &Inbox),
    ) -> Result<(), AppError> {
        let RecordPlan {
            reader,
            observer,
            log,
            real,
        } = plan;
        let ring = Ring::new(ground.places.root(), &ground.boot_id, &config.source.text())
            .with_meta(ground.replay_meta(&config.wiring.board));
        let settings = ground.settings.clone();
        let (events, boot_id) = (events.clone(), ground.boot_id.clone());
        let (state_dir, inbox) = (config.wiring.state_dir.clone(), inbox.clone());
        let (jobs, stops) = (ground.jobs.clone(), ground.stops.take());
        let (writing, written) = bounded(0);
        self.written = Some(written);
        self.man("recorder", move || {
            // Here and not before the thread starts: the card may take its time.
            let _ = std::fs::create_dir_all(&state_dir);
            let directory = state_dir.join("journal");
            let mut floor = real.then(|| FloorFile::new(&state_dir, build_date()));
            if let Some(time) = floor.as_mut().and_then(|floor| past(floor, &directory)) {
                inbox.send(Fact::Seen(Reading::Floor { time }));
            }
            let journal = Journal::open(&directory, &boot_id);
            Recorder::new(settings, ring, journal, events, observer, log, inbox)
                .with_jobs(jobs)
                .with_stops(stops)
                .with_floor(floor)
                .run(&reader);
            drop(writing);
        })
    }

    /// Plans come before recipes: these take along the commands in which both are told.
    pub(super) fn man_services(
        &mut self,
        (plans, kin, recipes): (Map<ProbeKey, ProbePlan>, Vec<Child>, Recipes),
        ground: &Ground,
        queues: &Queues,
        works: ServiceWorks,
        guards: Guards,
        inbox: &Inbox,
    ) -> Result<(), AppError> {
        let Ground {
            places,
            table,
            pool,
            ..
        } = ground;
        let files = LogFiles::begin(&ground.logs).map_err(AppError::kernel("files"))?;
        let output = Output::new(places.clone(), ground.settings.services.len(), files)
            .map_err(AppError::kernel("output"))?;
        let taps = output.taps(queues.output.clone());
        self.man("output", move || fatal("output", output.run(&works.output)))?;
        let to_core = inbox.clone();
        self.man("watchdog", move || guards.run(&works.guards, &to_core))?;
        let guards = queues.guards.clone();
        let mut children = Children::new(kin, table.clone(), pool.clone(), guards, inbox.clone())
            .map_err(AppError::kernel("children"))?;
        // Those that our predecessor in this process has left are ours, too.
        if ground.first_process || luggage::came() {
            children.inherit().map_err(AppError::kernel("orphans"))?;
        }
        let births = children.births(queues.children.clone());
        self.births = Some(births.clone());
        self.adopting = Some(births.adopting());
        // The spawners first: what they try out is nobody's run, and no orphan either.
        let spawning = Spawning::pair(
            recipes,
            (places.clone(), table.clone()),
            pool.clone(),
            taps,
            (births, queues.prober.clone()),
            inbox.clone(),
        )
        .map_err(AppError::kernel("starting processes"))?;
        self.man("children", move || {
            fatal("children", children.run(&works.children))
        })?;
        let [first, second] = spawning;
        let [first_work, second_work] = works.spawners;
        self.man("spawner", move || first.run(&first_work))?;
        self.man("spawner-2", move || second.run(&second_work))?;
        if let Some(work) = works.prober {
            let prober = Prober::new(plans, queues.spawners.clone(), inbox.clone());
            // Without it services run on as they are; that nothing is known by probes is told.
            self.man("prober", move || {
                if let Err(e) = prober.run(&work) {
                    log::error!("thread prober ended: {e}");
                }
            })?;
        }
        Ok(())
    }

    pub(super) fn man_control(
        &mut self,
        (door, work): (Door, Work<ControlOrder>),
        settings: Arc<Settings>,
        inbox: Inbox,
        events: Arc<EventRing>,
        (operators, running): (Vec<String>, Option<Running>),
    ) -> Result<(), AppError> {
        let control = Control {
            door,
            settings,
            inbox,
            work,
            events,
            operators,
            running,
        };
        let server = control.server().map_err(AppError::kernel("control"))?;
        self.man("control", server)
    }

    pub(super) fn man_senses(
        &mut self,
        queues: &Queues,
        samplers: Samplers,
        quit: &Receiver<()>,
        inbox: &Inbox,
    ) -> Result<(), AppError> {
        let watch = |pulse: &Arc<Pulse>, sample: Sampler, bell: Receiver<()>| {
            let (pulse, inbox, quit) = (pulse.clone(), inbox.clone(), quit.clone());
            move || senses::watch(&pulse, &inbox, (&quit, bell), sample)
        };
        let vitals = watch(&queues.vitals, samplers.vitals, samplers.bell);
        self.man("vitals", vitals)?;
        let never = crossbeam_channel::never();
        self.man("disk", watch(&queues.disk, samplers.disk, never.clone()))?;
        if let (Some(pulse), Some(sample)) = (&queues.canary, samplers.canary) {
            self.man("canary", watch(pulse, sample, never.clone()))?;
        }
        let births = self.births.clone();
        match (&queues.uplink, samplers.uplink.zip(births)) {
            (Some(pulse), Some(((way, expiries), births))) => {
                let mut uplink = UplinkWatch::new(way, expiries, births);
                let quit = quit.clone();
                let sample: Sampler = Box::new(move |_| uplink.look(&quit));
                self.man("uplink", watch(pulse, sample, never))
            }
            (Some(_) | None, _) => Ok(()),
        }
    }

    /// The board: its chips and its line, each with a thread of its own.
    pub(super) fn man_board(
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
    pub(super) fn man_signals(&mut self, inbox: &Inbox) -> Result<Orders<SignalOrder>, AppError> {
        let caught = signals::caught().map_err(AppError::kernel("signal handlers"))?;
        let inbox = inbox.clone();
        let pulse = Arc::new(Pulse::new(Thread::Signals, PROMPT));
        let (calls, work) =
            orders::with_bell(SIGNAL_QUEUE, pulse).map_err(AppError::kernel("signals"))?;
        let run = move || fatal("signals", signals::run(caught, &work, &inbox));
        self.man("signals", run)?;
        Ok(calls)
    }

    pub(super) fn end_strangers(&mut self, ground: Ground) -> Result<(), AppError> {
        let Ground {
            heritage: Heritage { strangers, .. },
            table,
            pool,
            ..
        } = ground;
        if strangers.is_empty() {
            return Ok(());
        }
        self.man("strangers", move || {
            adoption::end_strangers(&strangers, &table, pool.as_ref())
        })
    }
}

/// A time that is past for certain. What was kept goes before the records, even where it is earlier:
/// it comes from a steady clock alone, is an hour behind at most, and is lowered if it turns out to be
/// wrong.
fn past(floor: &mut FloorFile, journal: &Path) -> Option<Wall> {
    let recorded = || Wall::new(newest_synced(journal)?.as_second());
    let kept = floor.found().or_else(recorded);
    kept.filter(|time| floor.can_be_past(*time))
}

/// Passes on what is asked from within the process, until nobody can ask any more.
pub(super) fn man_requests(
    requests: Option<Receiver<Request>>,
    inbox: Inbox,
) -> Result<(), AppError> {
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

//! The crew: the threads of the daemon, their queues, and how they come and go.

mod ground;
mod halt;
mod hands;
mod health;
mod keepers;
pub(super) mod lamp;
mod left;
mod limits;
mod quarters;
mod queues;
mod samplers;
mod stability;

use super::last_resort;
use super::{AppError, Bridge, Plan};
use crate::config::board::Board;
use crate::config::{Config, Wiring};
use crate::core::Core;
use crate::core::fact::{Fact, Reading, Request, ServiceId, Source};
use crate::edge::adoption::Survivor;
use crate::edge::build_date::build_date;
use crate::edge::children::ChildOrder;
use crate::edge::clock;
use crate::edge::control::{ControlOrder, Door, EventRing, InForce, Running, TakenUp};
use crate::edge::drive::Kept;
use crate::edge::guards::Guards;
use crate::edge::hardware::{HaltRight, Hardware};
use crate::edge::health::Health;
use crate::edge::inbox::{Facts, Inbox, inbox};
use crate::edge::ledger::ledger;
use crate::edge::newer;
use crate::edge::orders::Work;
use crate::edge::power_cut::PowerCut;
use crate::edge::rtc::RtcSetter;
use crate::edge::sim_board::SimBoard;
use crate::edge::spawner::SpawnOrder;
use crate::edge::systemd::Init;
use crossbeam_channel::{Receiver, bounded};
use ground::Ground;
pub(super) use hands::Hands;
use hands::{RecordPlan, man_requests};
pub(super) use queues::Queues;
use queues::{WatchWorks, queues};
use samplers::{Samplers, instruments};
use std::collections::VecDeque;

use std::sync::Arc;

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

/// What the threads are made of that no service needs for its start.
pub(super) struct Watch {
    config: Config,
    own_process: bool,
    /// What the machine is halted with; nothing for a simulated one.
    right: Rights,
    requests: Option<Receiver<Request>>,
    ground: Ground,
    works: WatchWorks,
    record: RecordPlan,
    health: Option<Health>,
    door: (Door, Work<ControlOrder>),
    samplers: Samplers,
    alive: Kept,
    quit: Receiver<()>,
    inbox: Inbox,
}

/// Starts a daemon, as far as its services need it: the core has not been told a fact when this
/// returns, and those that it begins with wait on the bridge. The other threads are made by
/// [`Hands::man_watch`]; what is meant for them waits in their queues.
pub(super) fn sign_on(mut plan: Plan) -> Result<(Bridge, Facts, Hands, Watch), AppError> {
    let (places, door) = quarters::settle(&mut plan)?;
    newer::set_aside(&places, &plan.config.wiring.state_dir);
    let (mut plan, safe) = last_resort::begin(plan, &places);
    let mut ground = Ground::prepare(&mut plan, places, safe)?;
    let (inbox, facts) = inbox();
    let (mut queues, (services, works), asked) = queues(ground.counts(), &plan.config.wiring.board)
        .map_err(AppError::kernel("order queues"))?;
    let (senses, quit) = bounded(0);
    let mut hands = Hands::new(senses, ground.places.starts());
    let (ledger, reader) = ledger(queues.recorder.clone(), plan.observer.is_some());
    let alive = Kept::default();
    let right = (halt_right(&plan, &alive), rtc_setter(&plan, &ground));
    queues.led = hands.man_led(&plan, &ground.places, &inbox)?;
    let health = health::prepare(&plan, &mut queues, &inbox)?;
    let record = RecordPlan {
        reader,
        observer: plan.observer,
        log: plan.log,
        real: matches!(plan.devices, Devices::Real(_)),
    };
    let (watchdog, samplers) = instruments(&plan.config, plan.devices, &ground.settings);
    let guards = Guards::new(watchdog, Init::of(&plan.environment)?);
    let kin = ground.children();
    hands.man_services(
        (ground.probe_plans(), kin, ground.recipes(&plan.environment)),
        &ground,
        &queues,
        services,
        guards,
        &inbox,
    )?;
    // Before there is anything that a signal could leave behind.
    if plan.own_process {
        queues.signals = Some(hands.man_signals(&inbox)?);
    }
    let by_name = ground.ids(&plan.known_by_name);
    let checker = hands.checker(plan.successor, &inbox);
    let own = opening(&queues, &mut ground);
    hands.adopting = None;
    let core = Core::new(ground.settings.clone(), ground.boot);
    let watch = Watch {
        config: plan.config,
        own_process: plan.own_process,
        right,
        requests: plan.requests,
        ground,
        works,
        record,
        health,
        door: (door, asked),
        samplers,
        alive,
        quit,
        inbox,
    };
    let bridge = Bridge::new(core, (queues, checker), ledger, own, by_name);
    Ok((bridge, facts, hands, watch))
}

/// What is taken up, for who asks.
fn running(kept: Option<InForce>, wiring: &Wiring) -> Option<Running> {
    let kept = kept?;
    let about = TakenUp {
        config: kept.config,
        runtime_dir: wiring.runtime_dir.display().to_string(),
        decides_directory: kept.decides_directory,
        board_from: wiring.board.origin.clone(),
    };
    Some(Running::new(kept.text, &about))
}

/// What the machine is halted with, and its battery-backed clock is set with, where that is wanted.
pub(super) type Rights = (Option<(HaltRight, Option<PowerCut>)>, Option<RtcSetter>);

/// What its battery-backed clock is set with.
fn rtc_setter(plan: &Plan, ground: &Ground) -> Option<RtcSetter> {
    match &plan.devices {
        Devices::Real(hardware) if ground.settings.set_rtc => {
            Some(RtcSetter::new(plan.config.wiring.rtc_chip, hardware))
        }
        Devices::Real(_) | Devices::Simulated(_) => None,
    }
}

/// What the machine is halted with; nothing for a simulated one.
fn halt_right(plan: &Plan, alive: &Kept) -> Option<(HaltRight, Option<PowerCut>)> {
    match &plan.devices {
        Devices::Real(hardware) => {
            let cut = PowerCut::of(&plan.config.wiring.board, alive.clone(), hardware);
            Some((hardware.halt_right(), cut))
        }
        Devices::Simulated(_) => None,
    }
}

impl Hands {
    /// Makes the other threads. If the kernel gives none, the daemon ends, and whoever starts it again
    /// finds the services that were begun, as after a crash.
    pub(super) fn man_watch(&mut self, watch: Watch, bridge: &Bridge) -> Result<(), AppError> {
        let Watch {
            config,
            own_process,
            right,
            requests,
            mut ground,
            works,
            record,
            health,
            door,
            mut samplers,
            alive,
            quit,
            inbox,
        } = watch;
        let events = Arc::new(EventRing::new().map_err(AppError::kernel("event ring"))?);
        let real = record.real;
        self.man_recorder(record, &config, &mut ground, (&events, &inbox))?;
        self.man_keeper(works.keeper, &ground, real, &inbox)?;
        self.man_engine(works.engine, &ground, real, &inbox)?;
        self.man_health(health)?;
        let operators = config.wiring.operators.clone();
        let settings = ground.settings.clone();
        let running = ground.running.take();
        self.man_control(door, settings, inbox.clone(), events, (operators, running))?;
        self.man_halt(works.halt, ground.kept(), right, &inbox)?;
        self.man_board(
            &config.wiring.board,
            (works.bus, works.line),
            &mut samplers,
            (&quit, &inbox, &alive),
        )?;
        self.man_senses(&bridge.queues, samplers, &quit, &inbox)?;
        man_requests(requests, inbox)?;
        self.man_stability(&config, (own_process, ground.copies.take()), &quit)?;
        self.end_strangers(ground)
    }
}

/// Hands the survivors over to their threads; returns the facts that the core begins with.
fn opening(queues: &Queues, ground: &mut Ground) -> VecDeque<Fact> {
    let safe = ground.safe.map(|aborted| Reading::Starts { aborted });
    let source = Source::Pool;
    let no_pool = ground.no_pool.take().map(|why| Fact::Lost { source, why });
    let unenforced = std::mem::take(&mut ground.unenforced);
    let stand_in = ground.stand_in.take();
    let stand_in = stand_in.map(|(by, problem)| Reading::StandIn { by, problem });
    let told = safe.into_iter().chain(stand_in).map(Fact::Seen);
    let told = told.chain(no_pool);
    let mut facts: VecDeque<Fact> = told.chain(unenforced).collect();
    let stops = ground.stop_times();
    let jobs = ground.job_pasts().into_iter().chain(stops);
    let stores = &ground.stores;
    let kept = |service: ServiceId| stores[usize::from(service.0)].count();
    facts.extend(ground.heritage.facts(jobs, kept));
    for (service, Survivor { record, pidfd }) in std::mem::take(&mut ground.heritage.survivors) {
        let now = clock::now();
        queues.children.hand(
            now,
            ChildOrder::Adopted {
                service,
                record,
                pidfd,
            },
        );
        let prepare = SpawnOrder::Prepare { service };
        queues.spawner(service).hand(now, prepare);
    }
    let time = build_date();
    facts.push_back(Fact::Seen(Reading::Floor { time }));
    facts.push_back(ground.found.clone());
    facts.extend(ground.found_hold());
    facts.push_back(Fact::Tick);
    facts
}

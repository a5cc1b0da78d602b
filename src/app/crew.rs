//! The crew: the threads of the daemon, their queues, and how they come and go.

mod ground;
mod halt;
mod hands;
pub(super) mod lamp;
mod queues;
mod samplers;

use super::last_resort;
use super::{AppError, Bridge, Plan};
use crate::config::board::Board;
use crate::core::Core;
use crate::core::fact::{Change, Fact, Reading, Said, Source};
use crate::core::settings::Settings;
use crate::edge::adoption::Survivor;
use crate::edge::build_date::build_date;
use crate::edge::children::ChildOrder;
use crate::edge::clock;
use crate::edge::control::{Door, EventRing};
use crate::edge::drive::Kept;
use crate::edge::guards::Guards;
use crate::edge::hardware::Hardware;
use crate::edge::inbox::{Facts, inbox};
use crate::edge::ledger::ledger;
use crate::edge::places::Places;
use crate::edge::power_cut::PowerCut;
use crate::edge::sim_board::SimBoard;
use crate::edge::spawner::SpawnOrder;
use crate::edge::systemd::Init;
use crossbeam_channel::bounded;
use ground::Ground;
pub(super) use hands::Hands;
use hands::man_requests;
pub(super) use queues::Queues;
use queues::queues;
use samplers::instruments;
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
        let own_window = record.window.map(|w| Change::Said(Said::Window(w)));
        let changes = std::iter::once(Change::Adopted { pid, ready }).chain(own_window);
        facts.extend(changes.map(|change| Fact::Child {
            service,
            run,
            change,
        }));
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

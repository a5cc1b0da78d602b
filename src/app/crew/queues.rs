//! The queues from the core to its threads, and how long each thread may owe an answer.

use super::halt::{self, HaltQueues, HaltWorks};
use crate::config::board::{Board, Cut, MainsBy};
use crate::core::fact::{Fault, ServiceId, Thread};
use crate::edge::bus::BusOrder;
use crate::edge::children::ChildOrder;
use crate::edge::control::{CLIENTS_MAX, ControlOrder};
use crate::edge::guards::GuardOrder;
use crate::edge::health::HealthOrder;
use crate::edge::keeper::KeeperOrder;
use crate::edge::led::LedOrder;
use crate::edge::line::LineOrder;
use crate::edge::logging;
use crate::edge::orders::{self, Orders, Work};
use crate::edge::output::OutputOrder;
use crate::edge::prober::ProberOrder;
use crate::edge::pulse::Pulse;
use crate::edge::register::Write;
use crate::edge::signals::SignalOrder;
use crate::edge::spawner::{SpawnOrder, spawner_of};
use crate::edge::uplink_watch;
use crate::units::Mono;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// An essential thread that owes an order for this long is stuck. Shorter than a third of the usual
/// 15 s, so that the reason is written down before the hardware acts; far longer than any of its
/// orders takes, on a machine that is merely busy.
const ESSENTIAL: Duration = Duration::from_secs(3);

/// A spawner may wait for the card: this is when a start is called stuck, too.
const SPAWNER: Duration = Duration::from_secs(30);

/// Vitals are read from memory; half a minute late means that something is wrong.
const VITALS: Duration = Duration::from_secs(30);

/// A look at a file system may wait for a card that is being written to.
const DISK: Duration = Duration::from_secs(60);

/// A canary waits for a sync of its file, on a card that may be busy.
const CANARY: Duration = Duration::from_secs(60);

/// The control, output and signals threads never wait for anything.
pub(super) const PROMPT: Duration = Duration::from_secs(10);

/// The recorder syncs to the card.
const RECORDER: Duration = Duration::from_secs(60);

/// A look at the chips may wait for a bus that gives up after a second, four times over.
const BUS: Duration = Duration::from_secs(10);

/// The line's thread never waits for anything but its line.
const LINE: Duration = Duration::from_secs(10);

/// The prober may look at a file on a card that stalls.
const PROBER: Duration = Duration::from_secs(30);

/// The keeper gives each question to systemd 10 s, and has none after that.
const KEEPER: Duration = Duration::from_secs(30);

/// The engine thread never waits for anything.
const ENGINE: Duration = Duration::from_secs(10);

/// Orders for the bus that may wait. They are few, and the latest one counts.
const BUS_QUEUE: usize = 16;

/// Answers to operators that may wait: one for each, and some to spare.
const ASKED: usize = CLIENTS_MAX + 8;

/// Orders for the guards that may wait. There is one pet at a time, and few announcements.
const GUARD_QUEUE: usize = 32;

/// Where the core's orders go.
pub(in crate::app) struct Queues {
    /// See [`Queues::spawner`].
    pub spawners: [Orders<SpawnOrder>; 2],
    pub children: Orders<ChildOrder>,
    pub guards: Orders<GuardOrder>,
    pub control: Orders<ControlOrder>,
    pub output: Orders<OutputOrder>,
    /// Only where the process is ours.
    pub signals: Option<Orders<SignalOrder>>,
    /// Only with a board that has something on its bus.
    pub bus: Option<Orders<BusOrder>>,
    pub line: Option<Orders<LineOrder>>,
    /// Only with a status LED.
    pub led: Option<Orders<LedOrder>>,
    /// Only with services that have probes.
    pub prober: Option<Orders<ProberOrder>>,
    /// Only with units of systemd.
    pub keeper: Option<Orders<KeeperOrder>>,
    /// Only with containers.
    pub engine: Option<Orders<KeeperOrder>>,
    /// Only with a health endpoint.
    pub health: Option<Orders<HealthOrder>>,
    /// What tells the board to cut the power ahead of the halt, and what takes that back.
    pub cut: Option<Write>,
    pub uncut: Option<Write>,
    pub halt: HaltQueues,
    pub vitals: Arc<Pulse>,
    pub disk: Arc<Pulse>,
    /// Only with canaries.
    pub canary: Option<Arc<Pulse>>,
    /// Only where somebody cares about the way out, or something expires.
    pub uplink: Option<Arc<Pulse>>,
    pub recorder: Arc<Pulse>,
    pub log: Option<Arc<Pulse>>,
}

impl Queues {
    /// The spawner of a service.
    pub fn spawner(&self, service: ServiceId) -> &Orders<SpawnOrder> {
        spawner_of(&self.spawners, service)
    }

    /// Has this thread, which asks keepers of services, do this.
    pub fn ask_keeper(&self, now: Mono, order: Option<(Thread, KeeperOrder)>) -> Result<(), Fault> {
        let (thread, order) = order.ok_or(Fault::Absent)?;
        let queue = match thread {
            Thread::Engine => &self.engine,
            _ => &self.keeper,
        };
        queue.as_ref().ok_or(Fault::Absent)?.give(now, order)
    }

    pub fn pulses(&self) -> Vec<Arc<Pulse>> {
        let queues = [
            self.children.pulse(),
            self.guards.pulse(),
            self.control.pulse(),
            self.output.pulse(),
            &self.vitals,
            &self.disk,
            &self.recorder,
        ];
        let spawners = self.spawners.iter().map(Orders::pulse);
        let signals = self.signals.iter().map(Orders::pulse);
        let bus = self.bus.iter().map(Orders::pulse);
        let line = self.line.iter().map(Orders::pulse);
        let led = self.led.iter().map(Orders::pulse);
        let prober = self.prober.iter().map(Orders::pulse);
        let keeper = self.keeper.iter().chain(&self.engine).map(Orders::pulse);
        let health = self.health.iter().map(Orders::pulse);
        let some = spawners
            .chain(signals)
            .chain(bus)
            .chain(line)
            .chain(led)
            .chain(prober)
            .chain(keeper)
            .chain(health)
            .chain(&self.log);
        let some = some.chain(self.halt.pulses()).chain(&self.canary);
        let some = some.chain(&self.uplink);
        queues.into_iter().chain(some).cloned().collect()
    }
}

/// The other ends of the queues that services need.
pub(super) struct ServiceWorks {
    pub spawners: [Work<SpawnOrder>; 2],
    pub children: Work<ChildOrder>,
    pub guards: Work<GuardOrder>,
    pub output: Work<OutputOrder>,
    pub prober: Option<Work<ProberOrder>>,
}

/// Those of the others, but for the control's.
pub(super) struct WatchWorks {
    pub bus: Option<Work<BusOrder>>,
    pub line: Option<Work<LineOrder>>,
    pub keeper: Option<Work<KeeperOrder>>,
    pub engine: Option<Work<KeeperOrder>>,
    pub halt: HaltWorks,
}

/// How many there are of what needs room in queues.
#[derive(Clone, Copy, Default, Debug)]
pub(in crate::app) struct Counts {
    pub services: usize,
    pub units: usize,
    pub containers: usize,
    pub probes: usize,
    pub canaries: usize,
    /// The way out, if somebody cares, and what expires.
    pub uplinks: usize,
}

/// Queues for a daemon with this many services. Each service has at most one start and a few
/// signals under way, so that a queue is only ever full when its thread is stuck.
pub(super) fn queues(
    counts: Counts,
    board: &Board,
) -> io::Result<(Queues, (ServiceWorks, WatchWorks), Work<ControlOrder>)> {
    let pulse = |thread, limit| Arc::new(Pulse::new(thread, limit));
    let (probes, room) = (counts.probes, 4 * counts.services + counts.probes + 64);
    let (spawner, spawner_work) = orders::plain(room, pulse(Thread::Spawner, SPAWNER));
    let (second, second_work) = orders::plain(room, pulse(Thread::SecondSpawner, SPAWNER));
    let (children, children_work) = orders::with_bell(room, pulse(Thread::Children, ESSENTIAL))?;
    let (guards, guards_work) = orders::plain(GUARD_QUEUE, pulse(Thread::Watchdog, ESSENTIAL));
    let (control, control_work) = orders::with_bell(ASKED, pulse(Thread::Control, PROMPT))?;
    let (output, output_work) = orders::with_bell(room, pulse(Thread::Output, PROMPT))?;
    // Each probe has one order under way, and one answer of the spawner.
    let (prober, prober_work) = some(probes > 0, 2 * probes + 16, pulse(Thread::Prober, PROBER))?;
    let (keeper, keeper_work) = of_kept(counts.units, pulse(Thread::Keeper, KEEPER))?;
    let (engine, engine_work) = of_kept(counts.containers, pulse(Thread::Engine, ENGINE))?;
    let bus = board.has_gauge().then(|| pulse(Thread::Bus, BUS));
    let (bus, bus_work) = bus.map(|pulse| orders::plain(BUS_QUEUE, pulse)).unzip();
    let (line, line_work) = some(has_line(board), 1, pulse(Thread::Line, LINE))?;
    let ((halt, halt_work), (cut, uncut)) = (halt::queues(), cut_ahead(board));
    let queues = Queues {
        bus,
        line,
        led: None,
        health: None,
        prober,
        keeper,
        engine,
        cut,
        uncut,
        halt,
        spawners: [spawner, second],
        children,
        guards,
        control,
        output,
        signals: None,
        vitals: pulse(Thread::Vitals, VITALS),
        disk: pulse(Thread::Disk, DISK),
        canary: (counts.canaries > 0).then(|| pulse(Thread::Canary, CANARY)),
        uplink: (counts.uplinks > 0).then(|| pulse(Thread::Uplink, uplink_watch::LONGEST)),
        recorder: pulse(Thread::Recorder, RECORDER),
        log: logging::pulse(),
    };
    let services = ServiceWorks {
        spawners: [spawner_work, second_work],
        children: children_work,
        guards: guards_work,
        output: output_work,
        prober: prober_work,
    };
    let watch = WatchWorks {
        bus: bus_work,
        line: line_work,
        keeper: keeper_work,
        engine: engine_work,
        halt: halt_work,
    };
    Ok((queues, (services, watch), control_work))
}

/// A line tells of mains.
fn has_line(board: &Board) -> bool {
    matches!(board.mains, MainsBy::Line { .. })
}

/// Both ends of the queue for so many services that somebody else keeps. Each has a start or a stop
/// under way, and seldom both.
fn of_kept(services: usize, pulse: Arc<Pulse>) -> io::Result<Ends<KeeperOrder>> {
    some(services > 0, 4 * services + 8, pulse)
}

/// Both ends of a queue with a bell, where there is to be one.
fn some<T>(wanted: bool, room: usize, pulse: Arc<Pulse>) -> io::Result<Ends<T>> {
    let queue = wanted.then(|| orders::with_bell(room, pulse));
    Ok(queue.transpose()?.unzip())
}

type Ends<T> = (Option<Orders<T>>, Option<Work<T>>);

/// What is written to tell the board to cut the power ahead of the halt, and to take that back.
fn cut_ahead(board: &Board) -> (Option<Write>, Option<Write>) {
    let Cut::Register {
        bus,
        address,
        register,
        value,
        cancel,
        after_unmount: false,
        steps,
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
        steps,
    };
    (Some(write(value)), cancel.map(write))
}

//! The threads that are there for the end: marker, sync, halt. They have nothing to do until then, so
//! they cost a stack each and no wake-ups.

use super::{Hands, Rights};
use crate::app::AppError;
use crate::core::action::{Action, Order};
use crate::core::fact::{Fault, HaltKind, Hold, OrderId, Thread};
use crate::core::intent::Marker;
use crate::edge::halter::{self, HaltOrder, Halter, Kept, SimHalter, ThisMachine};

use crate::edge::inbox::Inbox;
use crate::edge::marker_file::MarkerOrder;
use crate::edge::orders::{self, Orders, Work};

use crate::edge::pulse::Pulse;

use crate::edge::syncer::{SyncOrder, Syncer};
use crate::units::Mono;
use std::sync::Arc;
use std::time::Duration;

/// Writing the marker waits for the card.
const MARKER: Duration = Duration::from_secs(30);

/// A sync waits for everything that is to be written, on every file system.
const SYNC: Duration = Duration::from_secs(60);

/// Telling init takes no time; making file systems read-only takes two seconds at most, and a board
/// wants its line to be held for up to 30 s.
const HALT: Duration = Duration::from_secs(40);

/// Orders of each kind that may wait: a halt gives one after the other, and repeats some.
const ROOM: usize = 8;

/// Where the orders about the end go.
pub(in crate::app) struct HaltQueues {
    marker: Orders<MarkerOrder>,
    sync: Orders<SyncOrder>,
    halt: Orders<HaltOrder>,
}

/// The other ends.
pub(super) struct HaltWorks {
    marker: Work<MarkerOrder>,
    sync: Work<SyncOrder>,
    halt: Work<HaltOrder>,
}

/// Queues for the end.
pub(super) fn queues() -> (HaltQueues, HaltWorks) {
    let pulse = |thread, limit| Arc::new(Pulse::new(thread, limit));
    let (marker, marker_work) = orders::plain(ROOM, pulse(Thread::Marker, MARKER));
    let (sync, sync_work) = orders::plain(ROOM, pulse(Thread::Sync, SYNC));
    let (halt, halt_work) = orders::plain(ROOM, pulse(Thread::Halt, HALT));
    (
        HaltQueues { marker, sync, halt },
        HaltWorks {
            marker: marker_work,
            sync: sync_work,
            halt: halt_work,
        },
    )
}

impl HaltQueues {
    pub fn pulses(&self) -> [&Arc<Pulse>; 3] {
        [self.marker.pulse(), self.sync.pulse(), self.halt.pulse()]
    }

    pub fn record(&self, now: Mono, order: OrderId, marker: Marker) -> Result<(), Fault> {
        let here = self.keep(now, order, marker);
        let there = self.marker.give(now, MarkerOrder { order, marker });
        there.and(here)
    }

    pub fn keep(&self, now: Mono, order: OrderId, marker: Marker) -> Result<(), Fault> {
        self.halt.give(now, HaltOrder::Keep { order, marker })
    }

    pub fn keep_hold(&self, now: Mono, order: OrderId, hold: Option<Hold>) -> Result<(), Fault> {
        self.halt.give(now, HaltOrder::KeepHold { order, hold })
    }

    pub fn sync(&self, now: Mono, order: &Order) -> Result<(), Fault> {
        let id = order.id;
        let order = match &order.action {
            Action::SetRtc => SyncOrder::SetRtc(id),
            Action::Trim { cap } => SyncOrder::Trim(id, *cap),
            _ => SyncOrder::Sync(id),
        };
        self.sync.give(now, order)
    }

    pub fn ask(&self, now: Mono, order: OrderId, kind: HaltKind) -> Result<(), Fault> {
        self.halt.give(now, HaltOrder::Ask { order, kind })
    }

    pub fn force(&self, now: Mono, order: OrderId, kind: HaltKind) -> Result<(), Fault> {
        self.halt.give(now, HaltOrder::Force { order, kind })
    }
}

impl Hands {
    /// Without a right there is nothing to be ended but the daemon itself.
    pub(super) fn man_halt(
        &mut self,
        works: HaltWorks,
        kept: Kept,
        (right, rtc): Rights,
        inbox: &Inbox,
    ) -> Result<(), AppError> {
        let HaltWorks { marker, sync, halt } = works;
        let (to_core, writer) = (inbox.clone(), kept.marker.clone());
        self.man("marker", move || writer.run(&marker, &to_core))?;
        let (to_core, real) = (inbox.clone(), right.is_some());
        let settings = kept.settings.clone();
        let syncer = Syncer {
            real,
            rtc,
            settings,
        };
        self.man("sync", move || syncer.run(&sync, &to_core))?;
        let to_core = inbox.clone();
        let halter: Box<dyn Halter> = match right {
            Some((right, cut)) => Box::new(ThisMachine::new(right, cut)),
            None => Box::new(SimHalter::new(inbox.clone())),
        };
        self.man("halt", move || halter::run(halter, &kept, &halt, &to_core))
    }
}

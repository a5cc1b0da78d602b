//! Everything the core can want: the whole output vocabulary.
//!
//! An [`Action`] is a value; an edge thread carries it out and answers with
//! [`Fact::Done`](super::fact::Fact::Done). Each variant is constructed in exactly one policy file;
//! `tests/tidy.rs` holds the table of owners. Notes are not actions: they ask for nothing.

use super::budget::StopTimes;
use super::fact::{CapId, HaltKind, Hold, OrderId, ProbeKind, RunId, ServiceId, Thread, Ticket};
use super::intent::Marker;
use super::job::JobPast;
use super::light::Light;
use super::memo::Memo;
use super::note::{DrillRefused, Note, Unready};
use std::time::Duration;

/// Something to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Start a process of this service. Owner: services.
    Start {
        /// Whose.
        service: ServiceId,
        /// Number of the new run.
        run: RunId,
    },
    /// Send a signal to this run. Owner: services.
    Signal {
        /// Whose.
        service: ServiceId,
        /// Which of its lives; a run that is over is left alone.
        run: RunId,
        /// Which signal.
        signal: Signal,
        /// To whom.
        reach: Reach,
    },
    /// Make a probe of this run. Owner: services.
    Probe {
        /// Whose.
        service: ServiceId,
        /// Which of its lives.
        run: RunId,
        /// What the probe is for.
        kind: ProbeKind,
        /// Its number, to be quoted in the answer.
        attempt: u32,
    },
    /// Open the hardware watchdog, set this timeout and read it back. Owner: watchdog.
    Arm {
        /// Wanted timeout; the driver may decide otherwise.
        timeout: Duration,
    },
    /// Pet every guard there is, by way of every essential thread. Owner: watchdog.
    Pet,
    /// Stop the hardware watchdog and close it, where the driver allows that. Owner: watchdog.
    Disarm,
    /// Look at the battery's gauge every second, or at its usual interval again. Owner: power.
    WatchGauge {
        /// Every second.
        closely: bool,
    },
    /// Delete what is to be deleted to keep a cap. Owner: storage.
    Trim {
        /// Which.
        cap: CapId,
    },
    /// Set the battery-backed clock to what the kernel's shows. Owner: clock.
    SetRtc,
    /// Show that this thread still takes orders. Owner: threads.
    RollCall {
        /// Which.
        thread: Thread,
    },
    /// Show a state on the status LED, or let go of it. Owner: led.
    Light(Light),
    /// Answer an operator. Owner: desk.
    Reply {
        /// Whose request.
        ticket: Ticket,
        /// What to tell.
        answer: Answer,
    },
    /// Tell init how we stand (`sd_notify`). Owner: desk.
    Announce(Announcement),
    /// Write the marker, and sync it. Owner: marker.
    Record(Marker),
    /// Write the marker for this boot alone, where that costs nothing. Owner: marker.
    Keep(Marker),
    /// Keep this hold for a successor of this boot, or that there is none. Owner: hold.
    KeepHold {
        /// The hold.
        hold: Option<Hold>,
    },
    /// Sync all file systems. Owner: shutdown.
    Sync,
    /// Tell the board to cut the power some time from now, or to forget that. Owner: shutdown.
    CutPower {
        /// To cut it.
        cut: bool,
    },
    /// Ask init to halt the machine: a signal, no process. Owner: shutdown.
    AskInit {
        /// How it is to end.
        kind: HaltKind,
    },
    /// Halt the machine without init, after its file systems were made read-only. Owner: shutdown.
    ForceHalt {
        /// How it is to end.
        kind: HaltKind,
    },
    /// Have the program that is to come check the configuration. Owner: shutdown.
    CheckConfig,
    /// Hand over to a successor in this process. Owner: shutdown.
    HandOver,
    /// End the daemon. Owner: shutdown.
    Exit {
        /// The services live on, for a successor.
        services_left: bool,
    },
}

/// The signals that the core sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// Please end (`stop_signal` of the service: TERM unless configured otherwise).
    Stop,
    /// End now.
    Kill,
    /// End and leave a core dump where one is wanted: it hangs. What is kept by somebody else ends as
    /// one that fails, and nothing is stopped that hangs on it there.
    Abort,
    /// End and be started again in one go. Only what is kept by somebody else is told so.
    Restart,
}

/// Which processes of a run a signal goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// The main process.
    Main,
    /// Every process of the run.
    All,
}

/// Answer to an operator's request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The status report; the loop that drives the core fills it in.
    Status,
    /// It will be done.
    Accepted,
    /// Nothing had to be done.
    Already,
    /// Not now: the daemon is ending.
    Ending,
    /// There is no drill now.
    NoDrill(DrillRefused),
    /// There can be no reload now, and nothing has changed.
    Unready(Unready),
    /// A hold would last too long.
    TooLong {
        /// For how long from now on there may still be one.
        left: Duration,
    },
}

/// What init is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Announcement {
    /// The machine is guarded and services are being started.
    Ready,
    /// The services are being stopped.
    Stopping,
    /// A successor takes over, and says when it is ready.
    Reloading,
    /// The stop needs at least this long from now on.
    Extend(Duration),
    /// One line of status changed.
    Status {
        /// Services that are up.
        up: u16,
        /// Services that should be up.
        wanted: u16,
        /// The worst of all verdicts.
        worst: super::picture::Verdict,
        /// What the daemon goes by where its configuration cannot be used.
        stand_in: Option<super::fact::StandIn>,
    },
}

/// An action with the number under which its outcome will be reported.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// Its number.
    pub id: OrderId,
    /// What to do.
    pub action: Action,
}

/// What one step of the core wants and has to say, in order.
///
/// The lists are bounded: a step deals with one fact, and only a tick that finds many deadlines
/// due at once, or the start and the stop of all services, makes them long.
#[derive(Default, Debug)]
pub struct Actions {
    next: u64,
    /// To be carried out, in this order.
    pub orders: Vec<Order>,
    /// To be written down, in this order.
    pub notes: Vec<Note>,
    /// To be kept for a successor; whatever was kept about the same service before is out of date.
    pub memos: Vec<(ServiceId, RunId, Memo)>,
    /// What is known of the runs of jobs, to be kept over boots; whatever was kept about the same job
    /// before is out of date.
    pub pasts: Vec<(ServiceId, JobPast)>,
    /// How long the latest stops of services took, to be kept over boots; whatever was kept about the
    /// same service before is out of date.
    pub stops: Vec<(ServiceId, StopTimes)>,
}

impl Actions {
    /// Adds an action and returns the number of the order.
    pub fn push(&mut self, action: Action) -> OrderId {
        self.next += 1;
        let id = OrderId(self.next);
        self.orders.push(Order { id, action });
        id
    }

    /// Adds a line for the operator.
    pub fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    /// Takes out what there is. Numbers go on.
    #[must_use]
    pub fn take(&mut self) -> Actions {
        let (orders, notes) = (
            std::mem::take(&mut self.orders),
            std::mem::take(&mut self.notes),
        );
        Actions {
            next: self.next,
            orders,
            notes,
            memos: std::mem::take(&mut self.memos),
            pasts: std::mem::take(&mut self.pasts),
            stops: std::mem::take(&mut self.stops),
        }
    }

    /// Forgets what was carried out. Numbers go on.
    pub fn clear(&mut self) {
        self.orders.clear();
        self.notes.clear();
        self.memos.clear();
        self.pasts.clear();
        self.stops.clear();
    }
}

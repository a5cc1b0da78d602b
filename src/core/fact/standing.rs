//! How a service stands that somebody else keeps.

use super::{Exit, Fault, Pid};
use std::time::Duration;

/// Number of one life of a service there: two lives of one service have different ones, also over
/// daemons.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Life(pub u64);

/// How a service stands that somebody else keeps, as its keeper says. A state and not an event: said
/// twice, it means the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It runs.
    Up {
        /// Which of its lives this is.
        life: Life,
        /// Its main process, or one of its processes where it has no main one.
        pid: Pid,
        /// Times its keeper has started it again by itself since it was last asked to.
        again: u32,
        /// What its keeper thinks of it.
        health: Health,
        /// Time that its keeper gives it to end, 0 to 10 min; `None` if that is not said.
        patience: Option<Duration>,
    },
    /// It is on its way up, or its keeper is about to start it.
    Coming {
        /// A process of it, if there is one yet.
        pid: Option<Pid>,
        /// Its latest life has ended in this way, and its keeper waits for a while before it starts it
        /// again by itself; `None` where it does not wait.
        after: Option<Exit>,
    },
    /// It is on its way down. Why, its end will tell.
    Going,
    /// It does not run.
    Down {
        /// How its latest life ended.
        exit: Exit,
        /// Its keeper was told to end it; otherwise it ended by itself.
        told: bool,
        /// Why it cannot be started either.
        obstacle: Option<Obstacle>,
    },
    /// Its keeper does not say. That is neither up nor down.
    Unknown {
        /// Why.
        why: Fault,
    },
}

/// What the keeper of a service that runs thinks of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Health {
    /// It does not look.
    Untold,
    /// It has yet to find out.
    Awaited,
    /// It can be used.
    Well,
    /// It cannot be used.
    Ill,
}

/// Why a service cannot be started by its keeper, or nobody knows whether it can.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Obstacle {
    /// The keeper has not said yet how it stands.
    Unseen,
    /// The keeper does not say any more.
    Silent,
    /// It is still on its way down.
    Ending,
    /// The keeper does not know it.
    Missing,
    /// Its owner has forbidden the keeper to start it.
    Masked,
    /// Somebody has frozen it as it is.
    Paused,
    /// What the keeper was told about it cannot be used.
    Broken,
    /// It has done its work and has no process that could be watched.
    NoProcess,
}

//! A hold: the time that somebody has taken to work on the machine.

use super::Asker;
use crate::units::Mono;

/// A hold that is in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hold {
    /// Who asked for it last.
    pub by: Asker,
    /// Since when there is one, whoever has changed it meanwhile.
    pub since: Mono,
    /// When it is over.
    pub until: Mono,
    /// What for: one line of at most [`Hold::REASON_MAX`] characters.
    pub reason: Box<str>,
}

impl Hold {
    /// Most characters of a reason: it is to fit into one line of a status report.
    pub const REASON_MAX: usize = 120;
}

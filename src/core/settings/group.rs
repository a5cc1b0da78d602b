//! Services that are restarted together.

use crate::core::fact::ServiceId;
use std::time::Duration;

/// Services that are restarted together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Its name, as that of a service.
    pub name: Box<str>,
    /// Its members, in their order: none comes after a later one.
    pub members: Vec<ServiceId>,
    /// Who is restarted when one of them fails.
    pub strategy: Strategy,
    /// Restarts of the group allowed inside `window`.
    pub restarts: u32,
    /// The window of `restarts`.
    pub window: Duration,
    /// What follows when a member is given up.
    pub escalate: Escalate,
}

/// Who is restarted when a member fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Strategy {
    /// That one.
    OneForOne,
    /// All members.
    OneForAll,
    /// That one and those that stand behind it.
    RestForOne,
}

/// What follows when a member is given up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Escalate {
    /// Nothing: it waits for its cooldown.
    Nothing,
    /// The group is restarted, all of it, and its members begin with a clean slate.
    Group,
    /// The same; and when the budget of the group is used up, the machine is restarted.
    Machine,
}

//! What there must be before a service is started.

/// Something that the machine must have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Need {
    /// A clock that can be trusted: synced, confirmed by the battery-backed one, or in holdover.
    Clock,
    /// Mains.
    Mains,
}

impl Need {
    /// All of them.
    pub const ALL: [Need; 2] = [Need::Clock, Need::Mains];
}

//! What there must be before a service is started.

/// Something that the machine must have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Need {
    /// A clock that can be trusted: synced, confirmed by the battery-backed one, or in holdover.
    Clock,
    /// Mains.
    Mains,
    /// A network: a default route over a link that is up.
    Network,
}

impl Need {
    /// All of them.
    pub const ALL: [Need; 3] = [Need::Clock, Need::Mains, Need::Network];
}

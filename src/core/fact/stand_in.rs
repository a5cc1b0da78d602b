//! What a daemon goes by whose configuration cannot be used.

use crate::units::Wall;

/// What a daemon goes by whose configuration cannot be used, or not as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum StandIn {
    /// A copy of one that was in force.
    Copy {
        /// When it was made, by the clock of that time.
        taken: Wall,
    },
    /// There is no copy either: it goes by what it could read, guards the machine, leaves alone what
    /// runs, and starts no service.
    SafeMode,
    /// It goes by its own, but for the runtime directory, which cannot be used.
    Elsewhere,
}

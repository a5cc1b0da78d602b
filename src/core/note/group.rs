//! Notes about groups of services.

use super::Severity;
use std::time::Duration;

/// What has become of a group because a member of it failed. Which group and which member stand beside
/// it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupNote {
    /// Those of its group that go with it are restarted, too.
    GroupRestarting {
        /// It counts towards giving up: the failure is not put down to the machine.
        counted: bool,
    },
    /// The group was restarted too often: the member waits.
    GroupGaveUp {
        /// Restarts of the group inside the window.
        restarts: u32,
        /// The window.
        window: Duration,
        /// Time until it is tried again.
        retry: Duration,
    },
}

impl GroupNote {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            GroupNote::GroupRestarting { .. } => Severity::Warning,
            GroupNote::GroupGaveUp { .. } => Severity::Error,
        }
    }
}

//! What is told of a reload, and of a configuration that cannot be taken up.

use super::Severity;
use crate::core::fact::{Asker, Fault, StandIn, Thread};

/// What has become of a reload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReloadNote {
    /// The daemon hands over to a successor in its own process.
    HandingOver {
        /// Who asked for it.
        by: Asker,
    },
    /// It was refused, and nothing has changed.
    ReloadRefused {
        /// Why.
        why: Unready,
    },
    /// The daemon has begun without its configuration, which cannot be used.
    ConfigurationUnusable {
        /// What it goes by instead.
        by: StandIn,
        /// What is wrong, in one line with its place.
        problem: Box<str>,
    },
}

/// Why there can be no reload now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unready {
    /// The configuration cannot be used: all that is wrong with it, for people, in one or more lines.
    Problems(Box<str>),
    /// The program that is to come did not check it.
    NotChecked(Fault),
    /// This thread of the daemon is stuck.
    Stuck(Thread),
    /// A service has been starting all the time.
    Starting,
}

impl ReloadNote {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            ReloadNote::HandingOver { .. } => Severity::Info,
            ReloadNote::ReloadRefused { .. } | ReloadNote::ConfigurationUnusable { .. } => {
                Severity::Error
            }
        }
    }
}

//! Services whose process somebody else keeps.

use crate::core::fact::Thread;

/// Who keeps the process of a service, where that is not this daemon. No policy looks at who it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Keeper {
    /// systemd.
    Systemd {
        /// Its name for the service: letters, digits, `:-_.\@`, ending in `.service`; at most 255.
        unit: Box<str>,
        /// Nobody has said how long it may take to start: that is for its keeper to say.
        own_start: bool,
        /// Nobody has said how long it may take to stop: what its keeper gives it holds, if that is
        /// more.
        own_stop: bool,
    },
    /// A container engine.
    Engine {
        /// Which one.
        engine: Engine,
        /// Where it is asked: the absolute path of a Unix socket, at most 107 bytes.
        socket: Box<str>,
        /// Its name for the service, or the number it has there: letters, digits, `_.-`; at most 255.
        container: Box<str>,
        /// What becomes of it when it is unhealthy.
        unhealthy: Unhealthy,
    },
}

/// What becomes of a service that its keeper finds unhealthy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unhealthy {
    /// It is ended as one that hangs, and started again.
    Restart,
    /// That is told.
    Tell,
}

/// A container engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    /// Docker's.
    Docker,
    /// Podman, which answers as Docker's does.
    Podman,
}

impl Keeper {
    /// A service that it finds unhealthy is ended, and started again.
    pub fn ends_ill(&self) -> bool {
        match self {
            Keeper::Systemd { .. } => true,
            Keeper::Engine { unhealthy, .. } => *unhealthy == Unhealthy::Restart,
        }
    }

    /// Told to stop it, it stops others that hang on it there, and does not start them again with it.
    pub fn drags_others(&self) -> bool {
        matches!(self, Keeper::Systemd { .. })
    }

    /// How long it may take to start is for its keeper to say.
    pub fn has_own_start(&self) -> bool {
        matches!(
            self,
            Keeper::Systemd {
                own_start: true,
                ..
            }
        )
    }

    /// How long it may take to stop is for its keeper to say, if that is more than what holds by
    /// default.
    pub fn has_own_stop(&self) -> bool {
        matches!(self, Keeper::Systemd { own_stop: true, .. })
    }

    /// Which thread asks it.
    pub fn thread(&self) -> Thread {
        match self {
            Keeper::Systemd { .. } => Thread::Keeper,
            Keeper::Engine { .. } => Thread::Engine,
        }
    }
}

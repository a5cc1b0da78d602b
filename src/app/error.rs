//! What keeps a daemon from starting.

use crate::edge::control::DoorError;
use crate::edge::systemd::SocketError;
use std::io;

/// Why a daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The runtime directory cannot be used.
    #[error("runtime directory: {0}; set `runtime_dir` to a directory that can be written")]
    Places(io::Error),
    /// The control socket cannot be made.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// Init's socket cannot be used.
    #[error(transparent)]
    Init(#[from] SocketError),
    /// Another daemon keeps its services in the control group.
    #[error(
        "cgroup: another fieldwarden keeps its services in {0}, and this one would end them; \
             end that one first, or set `cgroup` to \"none\" or to another group"
    )]
    PoolTaken(io::Error),
    /// There is nothing to show a state on.
    #[error(
        "no status LED is named in the configuration\n\
         help: name one in [led]; `fieldwarden led list` shows those of this machine"
    )]
    NoLed,
    /// The status LED does not do what it is told.
    #[error(
        "LED {title} cannot be driven: {why}\n\
         help: use sudo if you are not root; `fieldwarden led list` shows who drives it"
    )]
    Led {
        /// What it is called.
        title: Box<str>,
        /// What its driver said.
        why: String,
    },
    /// Somebody has seen enough of it.
    #[error("interrupted: the LED is what it was before")]
    LedInterrupted,
    /// The kernel gives no thread, no descriptor, or no way to start a process.
    #[error("{what}: {why}")]
    Kernel {
        /// What was wanted.
        what: &'static str,
        /// What the kernel said.
        why: io::Error,
    },
}

impl AppError {
    /// For `map_err`: the kernel refused this.
    pub(crate) fn kernel(what: &'static str) -> impl FnOnce(io::Error) -> AppError {
        move |why| AppError::Kernel { what, why }
    }
}

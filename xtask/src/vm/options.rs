//! What a machine is to be: how it starts, how long it may live, and what it has beside the rest.

use std::path::PathBuf;
use std::time::Duration;

use super::disk::Disk;

/// How a machine comes to life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Boot the kernel.
    Cold,
    /// Continue from the snapshot of a booted guest.
    Resumed,
}

/// Which hardware a machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Board {
    /// A PC with Debian and systemd on its disk.
    Pc,
    /// A Pi 3 with a bare init. It can only be booted, and has no disk.
    Pi,
}

/// What a machine is to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its hardware.
    pub board: Board,
    /// Boot or resume.
    pub start: Start,
    /// The machine is killed after this long, whatever it does.
    pub limit: Duration,
    /// Words added to the kernel command line; a resumed guest sees them after its first reset.
    pub append: String,
    /// Second disk; only a booted machine can have one.
    pub disk: Option<Disk>,
    /// Image whose copy the second disk starts with; without one it is empty.
    pub content: Option<PathBuf>,
}

impl Options {
    /// A machine that starts so and may live so long, with nothing special about it.
    pub fn plain(start: Start, limit: Duration) -> Self {
        Options {
            board: Board::Pc,
            start,
            limit,
            append: String::new(),
            disk: None,
            content: None,
        }
    }
}

//! What stands between the demo and the daemon it shows: the tape, and the pace of time.
//!
//! Terms: *board time* is the time of the simulated board; it runs `speed` times as fast as that of
//! the machine. The *tape* carries entries from the daemon's core loop to the demo.
//!
//! Never holds up the daemon: a demo that cannot follow loses entries, and says so at the end.

use super::ledger::Entry;
use crate::core::settings::Settings;
use crate::edge::recorder::Observer;
use crate::edge::{clock, ledger};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Entries that may wait for the demo: more than a minute of them at the highest speed, so only a
/// terminal that was stopped with Ctrl-S loses any.
const TAPE: usize = 16_384;

/// Highest factor of time. Beyond it the five seconds of silence that the demo's services may keep
/// would be less than half a second, and a busy machine could not tell a hang from a hiccup.
pub const FASTEST: u32 = 10;

/// How board time relates to the machine's.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    speed: u32,
}

impl Pace {
    /// Board time runs this many times as fast, from 1 to [`FASTEST`].
    pub fn new(speed: u32) -> Pace {
        Pace {
            speed: speed.clamp(1, FASTEST),
        }
    }

    /// The factor.
    pub fn speed(self) -> u32 {
        self.speed
    }

    /// What the machine's clock measures while the board's measures this.
    pub fn real(self, board: Duration) -> Duration {
        board / self.speed
    }

    /// What the board's clock measures while the machine's measures this.
    pub fn board(self, real: Duration) -> Duration {
        real.saturating_mul(self.speed)
    }

    /// Lets the clock of this process run as fast as the board's.
    pub fn set(self) {
        clock::run_at(self.speed);
    }
}

/// The end of the tape that the daemon writes to.
pub struct Recorder {
    tape: Sender<Entry>,
    lost: Arc<AtomicU64>,
}

/// The end of the tape that the demo reads.
pub struct Tape {
    entries: Receiver<Entry>,
    lost: Arc<AtomicU64>,
}

/// A new tape.
pub fn tape() -> (Recorder, Tape) {
    let (sender, entries) = bounded(TAPE);
    let lost = Arc::new(AtomicU64::new(0));
    let recorder = Recorder {
        tape: sender,
        lost: lost.clone(),
    };
    (recorder, Tape { entries, lost })
}

impl Observer for Recorder {
    fn pass(&mut self, entry: &ledger::Entry, _: &Settings) {
        let entry = Entry {
            now: entry.now,
            fact: entry.fact.clone(),
            orders: entry.answer.orders.clone(),
            notes: entry.answer.notes.clone(),
        };
        if self.tape.try_send(entry).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Tape {
    /// The next entry, if one comes within this time. `Err` when the daemon is gone and everything
    /// was read.
    ///
    /// # Errors
    /// [`Over`] when no entry will ever come.
    pub fn next(&self, within: Duration) -> Result<Option<Entry>, Over> {
        use crossbeam_channel::RecvTimeoutError::{Disconnected, Timeout};
        match self.entries.recv_timeout(within) {
            Ok(entry) => Ok(Some(entry)),
            Err(Timeout) => Ok(None),
            Err(Disconnected) => Err(Over),
        }
    }

    /// Entries that the demo was too slow for.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// The daemon is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Over;

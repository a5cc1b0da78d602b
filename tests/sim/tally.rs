//! Counts: how often each fault occurred, each note was seen, and how much was done.

use crate::faults::Kind;
use fieldwarden::core::note::Note;
use std::collections::BTreeMap;

/// What happened in one run, or in all of them.
#[derive(Clone, Default)]
pub struct Tally {
    pub faults: BTreeMap<Kind, u64>,
    pub notes: BTreeMap<String, u64>,
    pub events: u64,
    pub steps: u64,
    /// Simulated time.
    pub seconds: u64,
    pub lives: u64,
    pub reboots: u64,
    /// Resets by the watchdog device.
    pub bites: u64,
    /// Ends of a daemon by init's watchdog.
    pub init_kills: u64,
    /// Ends that the core ordered.
    pub ended: u64,
    pub adopted: u64,
    /// Halts that init was asked for.
    pub halts: u64,
    /// Halts without init.
    pub forced: u64,
    /// Times the machine was turned off, and restarted, on purpose.
    pub offs: u64,
    /// See `offs`.
    pub restarts: u64,
    /// Orders that found a full queue.
    pub busy: u64,
}

impl Tally {
    pub fn fault(&mut self, kind: Kind) {
        *self.faults.entry(kind).or_default() += 1;
    }

    pub fn notes(&mut self, notes: &[Note]) {
        for note in notes {
            let text = format!("{note:?}");
            let end = text
                .find(|c: char| !c.is_alphanumeric())
                .unwrap_or(text.len());
            *self.notes.entry(text[..end].to_owned()).or_default() += 1;
        }
    }

    pub fn add(&mut self, other: &Tally) {
        for (kind, n) in &other.faults {
            *self.faults.entry(*kind).or_default() += n;
        }
        for (note, n) in &other.notes {
            *self.notes.entry(note.clone()).or_default() += n;
        }
        self.events += other.events;
        self.steps += other.steps;
        self.seconds += other.seconds;
        self.lives += other.lives;
        self.reboots += other.reboots;
        self.bites += other.bites;
        self.init_kills += other.init_kills;
        self.ended += other.ended;
        self.adopted += other.adopted;
        self.busy += other.busy;
    }
}

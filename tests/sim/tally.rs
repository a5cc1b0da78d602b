//! Counts: how often each fault occurred, each note was seen, and how much was done.

use crate::chips::Ails;
use crate::faults::Kind;
use fieldwarden::core::note::Note;
use fieldwarden::core::picture::Rung;
use std::collections::BTreeMap;
use std::fmt::{self, Debug, Display, Formatter};

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
    /// Times that the daemon was replaced in its process.
    pub reloads: u64,
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
    pub power: Power,
    /// Verdicts on the boot before.
    pub verdicts: BTreeMap<String, u64>,
}

/// What became of outages and halts.
#[derive(Clone, Default)]
pub struct Power {
    /// Machines that were turned off because of mains.
    pub off_by_mains: u64,
    /// Batteries that ran empty under a running machine, and those of them during a halt.
    pub empty: u64,
    /// See `empty`.
    pub empty_in_halt: u64,
    /// Times a board cut the power that was told so ahead, those of them in which the machine was
    /// not off yet, orders that it did not hear, and machines that are off and that it does not
    /// cut.
    pub cuts: u64,
    /// See `cuts`.
    pub cut_short: u64,
    /// See `cuts`.
    pub deaf: u64,
    /// See `cuts`.
    pub stranded: u64,
    /// Halts in which deadlines were shortened.
    pub shortened: u64,
    /// Looks at a gauge that met with this.
    pub ails: BTreeMap<Ails, u64>,
    /// Rungs that were reached, and those on which the daemon was killed and the machine was reset.
    pub rungs: BTreeMap<Rung, u64>,
    /// See `rungs`.
    pub killed: BTreeMap<Rung, u64>,
    /// See `rungs`.
    pub reset: BTreeMap<Rung, u64>,
}

fn add<K: Ord + Clone>(to: &mut BTreeMap<K, u64>, other: &BTreeMap<K, u64>) {
    for (key, n) in other {
        *to.entry(key.clone()).or_default() += n;
    }
}

impl Tally {
    pub fn fault(&mut self, kind: Kind) {
        *self.faults.entry(kind).or_default() += 1;
    }

    pub fn notes(&mut self, notes: &[Note]) {
        for note in notes {
            let text = format!("{note:?}");
            // Notes of one subject are in a list of their own.
            let inner = ["Halt(", "Hold(", "Guard(", "Network("]
                .iter()
                .find_map(|of| text.strip_prefix(of));
            let name = inner.unwrap_or(&text);
            let end = name
                .find(|c: char| !c.is_alphanumeric())
                .unwrap_or(name.len());
            *self.notes.entry(name[..end].to_owned()).or_default() += 1;
        }
    }

    pub fn add(&mut self, other: &Tally) {
        add(&mut self.faults, &other.faults);
        add(&mut self.notes, &other.notes);
        for (to, n) in [
            (&mut self.events, other.events),
            (&mut self.steps, other.steps),
            (&mut self.seconds, other.seconds),
            (&mut self.lives, other.lives),
            (&mut self.reboots, other.reboots),
            (&mut self.bites, other.bites),
            (&mut self.init_kills, other.init_kills),
            (&mut self.ended, other.ended),
            (&mut self.adopted, other.adopted),
            (&mut self.reloads, other.reloads),
            (&mut self.halts, other.halts),
            (&mut self.forced, other.forced),
            (&mut self.offs, other.offs),
            (&mut self.restarts, other.restarts),
            (&mut self.busy, other.busy),
            (&mut self.power.off_by_mains, other.power.off_by_mains),
            (&mut self.power.empty, other.power.empty),
            (&mut self.power.empty_in_halt, other.power.empty_in_halt),
            (&mut self.power.cuts, other.power.cuts),
            (&mut self.power.cut_short, other.power.cut_short),
            (&mut self.power.deaf, other.power.deaf),
            (&mut self.power.stranded, other.power.stranded),
            (&mut self.power.shortened, other.power.shortened),
        ] {
            *to += n;
        }
        add(&mut self.verdicts, &other.verdicts);
        add(&mut self.power.ails, &other.power.ails);
        add(&mut self.power.rungs, &other.power.rungs);
        add(&mut self.power.killed, &other.power.killed);
        add(&mut self.power.reset, &other.power.reset);
    }

    /// How often this note was seen.
    pub fn note(&self, name: &str) -> u64 {
        self.notes.get(name).copied().unwrap_or(0)
    }
}

fn line(f: &mut Formatter, what: &str, n: u64) -> fmt::Result {
    writeln!(f, "  {what:<44} {n:>10}")
}

fn lines<K: Debug>(f: &mut Formatter, what: &str, of: &BTreeMap<K, u64>) -> fmt::Result {
    for (key, n) in of {
        line(f, &format!("{what} {key:?}"), *n)?;
    }
    Ok(())
}

impl Display for Tally {
    /// A table of everything that occurred.
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        lines(f, "fault", &self.faults)?;
        for (note, n) in &self.notes {
            line(f, &format!("note  {note}"), *n)?;
        }
        for (what, n) in [
            ("hours simulated", self.seconds / 3600),
            ("events", self.events),
            ("steps of the core", self.steps),
            ("lives of the daemon", self.lives),
            ("  ended by request", self.ended),
            ("  ended by init\'s watchdog", self.init_kills),
            ("  replaced in its process", self.reloads),
            ("services taken over", self.adopted),
            ("orders that found a full queue", self.busy),
            ("ends of the machine", self.reboots),
            ("  by the watchdog", self.bites),
            ("mains lost", self.note("MainsLost")),
            ("halts begun", self.note("Halting")),
            (
                "  taken up after a kill or a reset",
                self.note("HaltTakenUp"),
            ),
            ("  taken back", self.note("HaltCancelled")),
            ("  given up after an interruption", self.note("HaltGivenUp")),
            ("  turned into a restart", self.note("HaltTurned")),
            ("  that init was asked for", self.halts),
            ("  without init", self.forced),
            ("  left to the watchdog", self.note("HaltLeftToWatchdog")),
            (
                "restarts for the sake of services",
                self.note("MachineRestarting"),
            ),
            ("  for which it stayed on", self.note("MachineKept")),
            ("machines turned off", self.offs),
            ("  because of mains", self.power.off_by_mains),
            ("machines restarted", self.restarts),
            ("batteries run empty", self.power.empty),
            ("  during a halt", self.power.empty_in_halt),
            ("cuts by a board that was told ahead", self.power.cuts),
            ("  before the machine was off", self.power.cut_short),
            ("  orders that it did not hear", self.power.deaf),
            ("machines that need a hand then", self.power.stranded),
            ("times that deadlines were shortened", self.power.shortened),
        ] {
            line(f, what, n)?;
        }
        for (end, n) in &self.verdicts {
            line(f, &format!("boots before that were {end}"), *n)?;
        }
        lines(f, "looks at a gauge with", &self.power.ails)?;
        lines(f, "halts that came to", &self.power.rungs)?;
        lines(f, "daemons killed on", &self.power.killed)?;
        lines(f, "machines reset on", &self.power.reset)
    }
}

//! The recorder thread: writes down what the core was told, ordered and said.
//!
//! It feeds the trace (every pass that it is given, in the runtime directory), the log (every note, in
//! words), those who follow events, and whoever else watches. It may wait for the card; the core does
//! not wait for it.

use super::clock;
use super::control::EventRing;
use super::floor_file::FloorFile;
use super::inbox::Inbox;
use super::job_file::JobFiles;
use super::ledger::{Batch, Entry, Reader};
use super::stop_file::StopFile;
use crate::core::fact::{Change, Fact, Pid, Reading, RunId, Said, ServiceId, Source};
use crate::core::note::{Note, Severity};
use crate::core::settings::Settings;
use crate::journal::{Directory, Journal, Stamp, Trust};
use crate::sorted::Map;
use crate::text;
use crate::trace::{Ring, step_lines};
use crate::units::Mono;
use std::sync::Arc;
use std::time::Duration;

/// Longest time that passes without a note stay in memory.
const FLUSH: Duration = Duration::from_secs(60);

/// Somebody who watches every pass, such as the demo's narrator. Called on the recorder's thread.
pub trait Observer: Send {
    /// One pass.
    fn pass(&mut self, entry: &Entry, settings: &Settings);
}

/// The recorder thread's own state.
pub struct Recorder {
    settings: Arc<Settings>,
    ring: Ring,
    journal: Journal<Directory>,
    events: Arc<EventRing>,
    observer: Option<Box<dyn Observer>>,
    log: bool,
    inbox: Inbox,
    /// The core was told that records do not reach the disk.
    told_away: bool,
    /// The runs that live, as they were before the passes that are about to be written.
    alive: Alive,
    trust: Trust,
    /// Where is kept what is known of jobs.
    jobs: Option<JobFiles>,
    /// Where the time is kept that is past for certain.
    floor: Option<FloorFile>,
    /// Where is kept how long services take to stop.
    stops: Option<StopFile>,
}

/// Run, main process, and whether it has said that it is ready.
type Alive = Map<ServiceId, (RunId, Pid, bool)>;

/// The facts from which a replay of the next file begins.
fn checkpoint(alive: &Alive, at: Mono) -> Vec<(Mono, Fact)> {
    let adopted = |(service, (run, pid, ready)): (&ServiceId, &(RunId, Pid, bool))| {
        let change = Change::Adopted {
            pid: *pid,
            ready: *ready,
        };
        (
            at,
            Fact::Child {
                service: *service,
                run: *run,
                change,
            },
        )
    };
    alive.iter().map(adopted).collect()
}

impl Recorder {
    /// Ready to write.
    pub fn new(
        settings: Arc<Settings>,
        ring: Ring,
        journal: Journal<Directory>,
        events: Arc<EventRing>,
        observer: Option<Box<dyn Observer>>,
        log: bool,
        inbox: Inbox,
    ) -> Recorder {
        let (alive, trust) = (Alive::new(), Trust::Unset);
        Recorder {
            settings,
            ring,
            journal,
            events,
            observer,
            log,
            inbox,
            told_away: false,
            alive,
            trust,
            jobs: None,
            floor: None,
            stops: None,
        }
    }

    /// What is known of jobs is kept there.
    pub fn with_jobs(mut self, jobs: JobFiles) -> Recorder {
        self.jobs = Some(jobs);
        self
    }

    /// The time that is past for certain is kept there.
    pub fn with_floor(mut self, floor: Option<FloorFile>) -> Recorder {
        self.floor = floor;
        self
    }

    /// How long services take to stop is kept there.
    pub fn with_stops(mut self, stops: Option<StopFile>) -> Recorder {
        self.stops = stops;
        self
    }

    /// Writes until the ledger is closed.
    pub fn run(mut self, reader: &Reader) {
        self.tell_standing();
        loop {
            let now = clock::now();
            let due = self.journal.deadline().map_or(FLUSH, |at| at.since(now));
            let batch = reader.wait(due.min(FLUSH));
            self.write(&batch);
            self.tell_standing();
            if batch.last {
                self.journal.flush(self.stamp(clock::now()));
                self.floor.iter_mut().for_each(FloorFile::close);
                return;
            }
        }
    }

    fn write(&mut self, batch: &Batch) {
        if batch.dropped > 0 {
            log::warn!("{} passes could not be recorded in time", batch.dropped);
        }
        self.trace(batch);
        self.tell(batch);
        self.keep_jobs(batch);
        self.keep(batch);
        self.keep_stops(batch);
        if let Some(floor) = &mut self.floor {
            for entry in &batch.entries {
                floor.see(entry.now, &entry.fact, entry.trust);
            }
        }
        if let Some(observer) = &mut self.observer {
            for entry in &batch.entries {
                observer.pass(entry, &self.settings);
            }
        }
    }

    /// Trace and log go first: they wait for nobody, and are what is left when the card hangs.
    fn trace(&mut self, batch: &Batch) {
        let Some(first) = batch.entries.first() else {
            return;
        };
        let lines: String = batch
            .entries
            .iter()
            .map(|e| step_lines(e.now, &e.fact, &e.answer, &self.settings))
            .collect();
        let Recorder {
            alive,
            ring,
            settings,
            ..
        } = self;
        ring.append(clock::now(), &lines, settings, || {
            checkpoint(alive, first.now)
        });
        for entry in &batch.entries {
            self.trust = entry.trust;
            self.follow(&entry.fact);
        }
    }

    /// The log.
    fn tell(&self, batch: &Batch) {
        if !self.log {
            return;
        }
        for note in batch.entries.iter().flat_map(|e| &e.answer.notes) {
            let level = match note.severity() {
                Severity::Info => log::Level::Info,
                Severity::Warning => log::Level::Warn,
                Severity::Error => log::Level::Error,
            };
            log::log!(level, "{}", text::sentence(note, &self.settings));
        }
    }

    /// What is known of jobs: the latest of each.
    fn keep_jobs(&self, batch: &Batch) {
        let Some(files) = &self.jobs else { return };
        let pasts = batch.entries.iter().flat_map(|e| &e.answer.pasts);
        let latest: Map<_, _> = pasts.copied().collect();
        for (service, past) in latest {
            let change = Change::Remembered(past);
            if let Err(e) = files.keep(service, change, &self.settings) {
                log::warn!(
                    "{}: when it ran last is not known after the next boot: {e}",
                    self.settings.name(service)
                );
            }
        }
    }

    /// How long services take to stop.
    fn keep_stops(&mut self, batch: &Batch) {
        let Some(file) = &mut self.stops else { return };
        let learned = batch.entries.iter().flat_map(|e| &e.answer.stops);
        learned.for_each(|(service, times)| file.learn(*service, *times));
        file.write(clock::now(), batch.last, &self.settings);
    }

    /// The journal, and those who follow it.
    fn keep(&mut self, batch: &Batch) {
        let stamped = |e: &Entry| Stamp {
            trust: e.trust,
            ..self.stamp(e.now)
        };
        let notes: Vec<(Stamp, &Note)> = batch
            .entries
            .iter()
            .flat_map(|e| e.answer.notes.iter().map(move |note| (e, note)))
            .map(|(e, note)| (stamped(e), note))
            .collect();
        let (events, settings) = (&self.events, &self.settings);
        // Those who follow do not wait for the card.
        self.journal
            .append_all(&notes, settings, |json| events.push(json));
        let now = clock::now();
        if self.journal.deadline().is_some_and(|at| at <= now) {
            self.journal.flush(self.stamp(now));
        }
        while let Some(news) = self.journal.take_news() {
            log::warn!("{news}");
        }
    }

    /// Tells the core when records cease to reach the disk, and when they reach it again.
    fn tell_standing(&mut self) {
        let trouble = self.journal.trouble();
        if trouble.is_some() == self.told_away {
            return;
        }
        self.told_away = trouble.is_some();
        let source = Source::Journal;
        self.inbox.send(match trouble {
            Some(why) => Fact::Lost { source, why },
            None => Fact::Seen(Reading::Journal),
        });
    }

    /// The wall time of something that happened at `at`.
    fn stamp(&self, at: Mono) -> Stamp {
        let ago = jiff::SignedDuration::try_from(clock::now().since(at)).unwrap_or_default();
        let wall = clock::wall().checked_sub(ago).ok();
        Stamp {
            mono: at,
            wall,
            trust: self.trust,
        }
    }

    fn follow(&mut self, fact: &Fact) {
        let Fact::Child {
            service,
            run,
            change,
        } = fact
        else {
            return;
        };
        match change {
            Change::Started { pid } => {
                self.alive.insert(*service, (*run, *pid, false));
            }
            Change::Adopted { pid, ready } => {
                self.alive.insert(*service, (*run, *pid, *ready));
            }
            Change::Ready => {
                if let Some((_, _, ready)) = self.alive.get_mut(service) {
                    *ready = true;
                }
            }
            Change::Exited(_) => {
                self.alive.remove(service);
            }
            Change::Said(Said::Main(main)) => {
                if let Some((_, pid, _)) = self.alive.get_mut(service) {
                    *pid = *main;
                }
            }
            Change::StartFailed { .. }
            | Change::Recalled(_)
            | Change::Redefined
            | Change::Remembered(_)
            | Change::Stops(_)
            | Change::Heartbeat
            | Change::Said(_)
            | Change::Refused { .. }
            | Change::Probed { .. } => {}
        }
    }
}

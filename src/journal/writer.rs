//! Writes the journal.
//!
//! ```text
//!            write or sync failed                    a later version was found
//!  on disk ────────────────────────► degraded      on disk or degraded ─► refused
//!     ▲                                 │
//!     └──── opened and written again ───┘  tried every 60 s
//! ```
//!
//! All records that are not yet synced stand in one queue, whatever the state. So the way back to
//! the disk is the way of every batch, and nothing is written twice: before a file is used again,
//! it is cut to what was synced.

use super::budget::{Budget, DAILY_INFO};
use super::files::Files;
use super::news::News;
use super::queue::Queue;
use super::record::{Record, Stamp};
use super::scan::{scan, segment_name, segments};
use super::store::{Directory, Store};
use super::{own, urgent};
use crate::core::fact::{Errno, Fault};
use crate::core::note::Note;
use crate::core::settings::Settings;
use crate::units::Mono;
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Bytes that may wait in memory. One page of the card: less would write the same page again and
/// again; more would lose more when the power goes.
pub const BATCH: u64 = 4096;

/// Time that a record may wait in memory. Shorter would wake the card more often than every other
/// part of the daemon; longer would lose more when the power goes.
pub const DELAY: Duration = Duration::from_secs(5 * 60);

/// Largest size of a segment. It is read as a whole when the journal is opened, and lost as a whole
/// when it makes room.
pub const SEGMENT: u64 = 256 * 1024;

/// Most segments. With [`SEGMENT`], 2 MiB: some 8000 events.
pub const SEGMENTS: usize = 8;

/// Records kept in memory while the disk takes none: an evening's worth, in less than 256 KiB.
pub const KEPT: usize = 256;

/// Time between two attempts to get back to the disk. Shorter would strain a card that is failing;
/// longer would risk more once it works.
pub const RETRY: Duration = Duration::from_secs(60);

/// The sizes that bound a journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sizes {
    /// See [`BATCH`].
    pub batch: u64,
    /// See [`SEGMENT`].
    pub segment: u64,
    /// See [`SEGMENTS`].
    pub segments: usize,
    /// See [`KEPT`].
    pub kept: usize,
    /// See [`DAILY_INFO`].
    pub daily_info: u64,
}

impl Default for Sizes {
    fn default() -> Sizes {
        Sizes {
            batch: BATCH,
            segment: SEGMENT,
            segments: SEGMENTS,
            kept: KEPT,
            daily_info: DAILY_INFO,
        }
    }
}

/// The journal.
#[derive(Debug)]
pub struct Journal<S> {
    store: S,
    sizes: Sizes,
    boot: String,
    /// Number of the next record.
    next: u64,
    state: State,
    queue: Queue,
    budget: Budget,
    /// A tail was cut off, and no record says so yet.
    torn: Option<u64>,
    /// Records whose loss was written down since the journal was last degraded.
    told: u64,
    news: VecDeque<News>,
    /// What the system said when it took no record last.
    errno: Option<i32>,
}

/// Where records go.
#[derive(Debug)]
enum State {
    OnDisk(Files),
    Degraded {
        retry: Mono,
        /// File that may hold bytes behind its synced length.
        doubtful: Option<(String, u64)>,
    },
    Refused,
}

impl Journal<Directory> {
    /// Opens the journal in the directory `dir`, whose parent must exist, for the boot with this
    /// id. A directory that cannot be used makes a degraded journal, and [`News`] that say why.
    pub fn open(dir: &Path, boot: &str) -> Journal<Directory> {
        Journal::with(Directory::new(dir), boot, Sizes::default())
    }
}

impl<S: Store> Journal<S> {
    /// Opens the journal in `store`.
    pub fn with(store: S, boot: &str, sizes: Sizes) -> Journal<S> {
        let mut journal = Journal {
            store,
            sizes,
            boot: boot.to_owned(),
            next: 1,
            state: State::Degraded {
                retry: Mono(0),
                doubtful: None,
            },
            queue: Queue::default(),
            budget: Budget::new(sizes.daily_info),
            torn: None,
            told: 0,
            news: VecDeque::new(),
            errno: None,
        };
        match journal.mount(None) {
            Ok(state) => journal.state = state,
            Err(error) => journal.report_degraded(&error),
        }
        journal
    }

    /// Takes up a note, and gives the JSON of its record. When this returns and
    /// [`Journal::unsynced`] is 0, all records are safe.
    pub fn append(&mut self, stamp: Stamp, note: &Note, settings: &Settings) -> String {
        let mut record = String::new();
        self.append_all(&[(stamp, note)], settings, |json| record = json.to_owned());
        record
    }

    /// Takes up several notes, oldest first, with one sync for all of them. `tell` gets the JSON of
    /// each record, before the disk is waited for.
    pub fn append_all(
        &mut self,
        notes: &[(Stamp, &Note)],
        settings: &Settings,
        mut tell: impl FnMut(&str),
    ) {
        let Some((last, _)) = notes.last() else {
            return;
        };
        let mut urgent = false;
        for (stamp, note) in notes {
            let (json, now) = self.take_up(*stamp, note, settings);
            urgent |= now;
            tell(&json);
        }
        if urgent || self.queue.bytes >= self.sizes.batch || self.due(last.mono) {
            self.flush(*last);
        }
        self.queue.make_room(self.sizes.kept);
    }

    /// Puts a record into the queue; tells whether it has to be synced at once.
    fn take_up(&mut self, stamp: Stamp, note: &Note, settings: &Settings) -> (String, bool) {
        let urgent = urgent(note);
        let spoke = self.speak(stamp, matches!(note, Note::Ended));
        let record = Record::of(note, settings, &self.boot, self.next, stamp);
        let json = record.json();
        let length = Record::line_length(&json);
        if self.budget.admit(length, urgent) {
            self.next += 1;
            self.queue.push(&record, &json);
        }
        (json, urgent || spoke)
    }

    /// When [`Journal::flush`] is due, if at all.
    pub fn deadline(&self) -> Option<Mono> {
        let since = self.queue.since?;
        match &self.state {
            State::OnDisk(_) => Some(since.after(DELAY)),
            State::Degraded { retry, .. } => Some(*retry),
            State::Refused => None,
        }
    }

    /// Writes and syncs everything that waits; where the disk failed less than [`RETRY`] ago,
    /// nothing is tried.
    pub fn flush(&mut self, stamp: Stamp) {
        self.speak(stamp, false);
        if self.queue.records.is_empty() {
            return;
        }
        match &self.state {
            State::OnDisk(_) => {
                if let Err(error) = self.write() {
                    self.fail(stamp.mono);
                    self.report_degraded(&error);
                }
            }
            State::Degraded { retry, .. } if stamp.mono < *retry => {}
            State::Degraded { doubtful, .. } => {
                let doubtful = doubtful.clone();
                if self.recover(doubtful, stamp).is_err() {
                    self.fail(stamp.mono);
                }
            }
            State::Refused => {}
        }
    }

    /// Number of records that a power cut would cost now.
    pub fn unsynced(&self) -> usize {
        self.queue.records.len()
    }

    /// Whether records reach the disk.
    pub fn is_on_disk(&self) -> bool {
        matches!(self.state, State::OnDisk(_))
    }

    /// Why records do not reach the disk; `None` while they do.
    pub fn trouble(&self) -> Option<Fault> {
        match self.state {
            State::OnDisk(_) => None,
            State::Degraded { .. } => Some(
                self.errno
                    .map_or(Fault::Absent, |errno| Fault::Errno(Errno(errno))),
            ),
            State::Refused => Some(Fault::Taken {
                by: Some("a newer fieldwarden".into()),
            }),
        }
    }

    /// The next thing that the journal has to say about itself.
    pub fn take_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    fn due(&self, now: Mono) -> bool {
        self.deadline().is_some_and(|at| at <= now)
    }
}

/// Getting on disk, and falling off it.
impl<S: Store> Journal<S> {
    /// Looks at what is there: cuts a doubtful or damaged tail off, and sees how far numbers went.
    fn mount(&mut self, doubtful: Option<&(String, u64)>) -> io::Result<State> {
        self.store.prepare()?;
        let numbers = segments(&self.store.names()?);
        let mut files = Files { numbers, size: 0 };
        let mut floor = files.numbers.last().copied().unwrap_or(1);
        for (age, number) in files.numbers.iter().rev().enumerate() {
            let name = segment_name(*number);
            let mut bytes = self.store.read(&name)?;
            if let Some((_, size)) = doubtful.filter(|(at, _)| *at == name) {
                self.cut(
                    &name,
                    &mut bytes,
                    usize::try_from(*size).unwrap_or(usize::MAX),
                )?;
            }
            let found = scan(&bytes);
            if found.newer {
                let place = self.store.place();
                self.news.push_back(News::Refused { place });
                return Ok(State::Refused);
            }
            if age == 0 {
                self.cut(&name, &mut bytes, found.whole)?;
                self.report_torn(found.tail as u64);
                files.size = found.whole as u64;
            }
            floor = floor.saturating_add(found.tail_lines);
            if let Some(last) = found.last {
                floor = floor.max(last.saturating_add(1 + found.tail_lines));
                break;
            }
        }
        self.renumber(floor);
        Ok(State::OnDisk(files))
    }

    fn cut(&mut self, name: &str, bytes: &mut Vec<u8>, length: usize) -> io::Result<()> {
        if bytes.len() > length {
            self.store.cut(name, length as u64)?;
            bytes.truncate(length);
        }
        Ok(())
    }

    /// Sees to it that everything in the queue has a number of at least `floor`.
    fn renumber(&mut self, floor: u64) {
        let shift = self.queue.shift(floor, self.next);
        self.queue.renumber(shift);
        self.next += shift;
    }

    /// Gets back to the disk and writes down what waited, and what was lost.
    fn recover(&mut self, doubtful: Option<(String, u64)>, stamp: Stamp) -> io::Result<()> {
        self.state = self.mount(doubtful.as_ref()).inspect_err(|_| {
            // What is doubtful stays so until it could be cut.
            self.state = State::Degraded {
                retry: stamp.mono,
                doubtful: doubtful.clone(),
            };
        })?;
        if matches!(self.state, State::Refused) {
            return Ok(());
        }
        self.write_lost(stamp)?;
        self.write()?;
        let lost = std::mem::take(&mut self.told);
        self.news.push_back(News::Recovered { lost });
        Ok(())
    }

    /// Tells how many records are missing before those in the queue, under the last number of
    /// theirs.
    fn write_lost(&mut self, stamp: Stamp) -> io::Result<()> {
        let lost = self.queue.lost;
        let first = self.queue.records.front().map_or(self.next, |r| r.seq);
        if lost > 0
            && let State::OnDisk(files) = &mut self.state
        {
            let seq = first - 1;
            let line = own::lost(lost, &self.boot, seq, stamp).line();
            let bounds = (self.sizes.segment, self.sizes.segments);
            files.room(&mut self.store, (seq, line.len() as u64), bounds)?;
            files.append(&mut self.store, &line)?;
            self.queue.lost = 0;
            self.told += lost;
        }
        Ok(())
    }

    /// Writes the queue to the disk, segment by segment. Does nothing unless on disk.
    fn write(&mut self) -> io::Result<()> {
        let State::OnDisk(files) = &mut self.state else {
            return Ok(());
        };
        let bounds = (self.sizes.segment, self.sizes.segments);
        while let Some(first) = self.queue.records.front() {
            let needed = (first.seq, first.length());
            let room = files.room(&mut self.store, needed, bounds)?;
            let (bytes, count) = self.queue.lines(room);
            files.append(&mut self.store, &bytes)?;
            self.queue.done(count);
        }
        Ok(())
    }

    /// Falls off the disk, or stays off it.
    fn fail(&mut self, now: Mono) {
        let doubtful = match &self.state {
            State::OnDisk(files) => files.current(),
            State::Degraded { doubtful, .. } => doubtful.clone(),
            State::Refused => return,
        };
        self.state = State::Degraded {
            retry: now.after(RETRY),
            doubtful,
        };
    }

    fn report_degraded(&mut self, error: &io::Error) {
        self.errno = error.raw_os_error();
        self.news.push_back(News::Degraded {
            place: self.store.place(),
            why: error.to_string(),
        });
    }

    fn report_torn(&mut self, bytes: u64) {
        if bytes > 0 {
            self.torn = Some(self.torn.unwrap_or(0) + bytes);
            self.news.push_back(News::Torn { bytes });
        }
    }
}

/// Records about the journal itself.
impl<S: Store> Journal<S> {
    /// Tells what was cut off, and at the end of a day or of the daemon what was suppressed.
    /// Whether there was anything to tell.
    fn speak(&mut self, stamp: Stamp, ended: bool) -> bool {
        let before = self.next;
        if let Some(bytes) = self.torn.take() {
            self.add(own::torn(bytes, &self.boot, self.next, stamp));
        }
        let mut suppressed = self.budget.turn(stamp.mono);
        if ended {
            suppressed = suppressed.or_else(|| self.budget.take_suppressed());
        }
        if let Some(records) = suppressed {
            self.add(own::suppressed(records, &self.boot, self.next, stamp));
        }
        self.next > before
    }

    fn add(&mut self, record: Record) {
        let json = record.json();
        self.budget.charge(Record::line_length(&json));
        self.next += 1;
        self.queue.push(&record, &json);
    }
}

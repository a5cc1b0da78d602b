//! What services write, kept on the card as well: only of those with `log_file`.
//!
//! ```text
//! output thread ──lines──► queue, bounded ──► files thread ──► STATE/logs/NAME.log
//!                                                                   └─full─► NAME.log.old
//! 2031-07-04T12:00:00Z 93.512 TEXT        what the clock showed, seconds since the boot
//! ```
//!
//! Both files of a service together never take more than its `log_file`, and in a day no more than
//! [`A_DAY`] times that is written: a service in a loop must neither fill a card nor wear it out.
//!
//! Never holds up whoever hands lines over: a card that stalls makes lines wait up to a bound, and what
//! does not fit is left out and counted. Nothing is synced: a power cut may cost the last half minute.

use super::clock;
use super::queue::{Giver, Taker, queue};
use super::thread;
use crate::config::Command;
use crate::core::fact::ServiceId;
use crate::core::settings::Service;
use crate::sorted::Map;
use crate::units::Mono;
use crossbeam_channel::{Receiver, bounded};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

/// How often a service may fill its files in a day. A card takes some thousand times its size, and a
/// file has some hundred thousandths of that: this leaves it to live long, and a service to say much.
const A_DAY: u64 = 16;

/// A day, as far as that is concerned.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Batches of lines that may wait, and bytes in them. They are locked in memory, as everything is.
const BATCHES: usize = 256;
const BYTES: usize = 256 * 1024;

/// Time that the last lines get before the process ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// As with the rest of the state directory: for root, and whoever may look at the daemon.
const MODE: u32 = 0o640;

/// What is to be kept where.
pub struct LogPlan {
    directory: PathBuf,
    /// Each with its name, and the most that is kept of it, in bytes.
    services: Vec<(ServiceId, Box<str>, u64)>,
}

impl LogPlan {
    /// That of these services, in this state directory.
    pub fn of(state_dir: &Path, services: &[Service], commands: &[Command]) -> LogPlan {
        let all = (0u16..).map(ServiceId).zip(services.iter().zip(commands));
        let kept = all.filter_map(|(id, (service, command))| {
            Some((id, service.name.clone(), command.log_file?.get().into()))
        });
        LogPlan {
            directory: state_dir.join("logs"),
            services: kept.collect(),
        }
    }
}

/// Lines of one service.
struct Batch {
    service: ServiceId,
    text: Vec<u8>,
}

/// Where lines for files are handed over.
pub struct LogFiles {
    services: Vec<ServiceId>,
    batches: Giver<Batch>,
    waiting: Arc<AtomicUsize>,
    ended: Receiver<()>,
}

impl LogFiles {
    /// Begins to keep what services write. `None` if there are none with a file: then there is no
    /// thread either.
    ///
    /// # Errors
    /// When the kernel gives no thread.
    pub fn begin(plan: &LogPlan) -> io::Result<Option<LogFiles>> {
        if plan.services.is_empty() {
            return Ok(None);
        }
        let (batches, taker) = queue(BATCHES);
        let waiting = Arc::new(AtomicUsize::new(0));
        let (end, ended) = bounded(0);
        let services = plan.services.iter().map(|(service, _, _)| *service);
        let services = services.collect();
        let files = plan.services.iter().map(|(service, name, most)| {
            let capped = Capped::new(&plan.directory, name, *most);
            (*service, capped)
        });
        let files: Map<ServiceId, Capped> = files.collect();
        let counter = waiting.clone();
        thread::start("files", move || {
            // Whoever waits for the end hears that this is gone.
            let _end = end;
            keep_all(files, &taker, &counter);
        })?;
        Ok(Some(LogFiles {
            services,
            batches,
            waiting,
            ended,
        }))
    }

    /// Whether lines of this service are kept.
    pub fn keeps(&self, service: ServiceId) -> bool {
        self.services.contains(&service)
    }

    /// Hands lines over, in the form of a file. Never waits; says whether there was room.
    pub fn put(&self, service: ServiceId, text: Vec<u8>) -> bool {
        let length = text.len();
        let before = self.waiting.fetch_add(length, SeqCst);
        let fits = before == 0 || before.saturating_add(length) <= BYTES;
        let taken = fits && self.batches.try_give(Batch { service, text }).is_ok();
        if !taken {
            self.waiting.fetch_sub(length, SeqCst);
        }
        taken
    }

    /// Waits until all is written that was handed over, for a second at most.
    pub fn end(self) {
        drop(self.batches);
        // Nothing is ever sent: it is over, or late.
        let _ = self.ended.recv_timeout(FAREWELL);
    }
}

/// Puts a line into the form of a file.
pub fn form(now: Mono, wall: jiff::Timestamp, text: &str, into: &mut Vec<u8>) {
    let (seconds, millis) = (now.0 / 1000, now.0 % 1000);
    // Writing into memory cannot fail.
    let _ = writeln!(into, "{wall:.0} {seconds}.{millis:03} {text}");
}

/// The files thread: until nobody can hand over any more.
fn keep_all(mut files: Map<ServiceId, Capped>, batches: &Taker<Batch>, waiting: &AtomicUsize) {
    while let Ok(Batch { service, text }) = batches.take() {
        if let Some(file) = files.get_mut(&service) {
            file.keep(&text, clock::now());
        }
        waiting.fetch_sub(text.len(), SeqCst);
    }
}

/// The two files of a service.
struct Capped {
    newer: PathBuf,
    older: PathBuf,
    /// The most that each of them has, in bytes.
    part: u64,
    file: Option<File>,
    size: u64,
    /// Since when bytes are counted, and how many there are.
    day: Option<Mono>,
    written: u64,
    /// It has written all that it may in a day, and that was told.
    spent: bool,
    /// It could not be written, and that was told.
    told: bool,
}

impl Capped {
    fn new(directory: &Path, name: &str, most: u64) -> Capped {
        Capped {
            newer: directory.join(format!("{name}.log")),
            older: directory.join(format!("{name}.log.old")),
            part: most / 2,
            file: None,
            size: 0,
            day: None,
            written: 0,
            spent: false,
            told: false,
        }
    }

    fn keep(&mut self, lines: &[u8], now: Mono) {
        let day = *self.day.get_or_insert(now);
        if now.since(day) >= DAY {
            (self.day, self.written, self.spent) = (Some(now), 0, false);
        }
        let length = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        if self.written.saturating_add(length) > self.part.saturating_mul(2 * A_DAY) {
            return self.tell_spent(now);
        }
        match self.write(lines) {
            Ok(()) => {
                self.written += length;
                self.told = false;
            }
            Err(e) => self.tell_failed(&e),
        }
    }

    /// It says so itself, once, so that nobody takes it for silence.
    fn tell_spent(&mut self, now: Mono) {
        if std::mem::replace(&mut self.spent, true) {
            return;
        }
        let left = DAY.saturating_sub(now.since(self.day.unwrap_or(now)));
        let text = format!(
            "(no more lines for {} h: {A_DAY} times the size of this file were written in a day)",
            left.as_secs().div_ceil(3600)
        );
        log::warn!("{}: {text}", self.newer.display());
        let mut line = Vec::new();
        form(now, clock::wall(), &text, &mut line);
        if let Err(e) = self.write(&line) {
            self.tell_failed(&e);
        }
    }

    fn tell_failed(&mut self, e: &io::Error) {
        self.file = None;
        if !std::mem::replace(&mut self.told, true) {
            let path = self.newer.display();
            log::warn!("{path}: {e}; what its service writes is kept in memory only");
        }
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        // More than a file has in one go: in pieces, at the ends of lines.
        let mut rest = lines;
        while !rest.is_empty() {
            let room = usize::try_from(self.part).unwrap_or(usize::MAX);
            let end = match rest.len() <= room {
                true => rest.len(),
                false => {
                    let head = &rest[..room];
                    head.iter()
                        .rposition(|b| *b == b'\n')
                        .map_or(room, |at| at + 1)
                }
            };
            let (piece, more) = rest.split_at(end);
            self.write_piece(piece)?;
            rest = more;
        }
        Ok(())
    }

    fn write_piece(&mut self, piece: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            let file = open(&self.newer)?;
            self.size = file.metadata()?.len();
            self.file = Some(file);
        }
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        if self.size > 0 && self.size.saturating_add(length) > self.part {
            self.file = None;
            std::fs::rename(&self.newer, &self.older)?;
            self.file = Some(open(&self.newer)?);
            self.size = 0;
        }
        if let Some(file) = &mut self.file {
            file.write_all(piece)?;
            self.size += length;
        }
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE;
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let open = || rustix::fs::open(path, flags, Mode::from_raw_mode(MODE));
    let opened = open().or_else(|e| match (e, path.parent()) {
        (rustix::io::Errno::NOENT, Some(directory)) => {
            std::fs::create_dir_all(directory)?;
            Ok(open()?)
        }
        (e, _) => Err(io::Error::from(e)),
    });
    Ok(opened?.into())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Lines of this service go to `web.log` in this directory.
    pub fn plan(directory: &Path, service: ServiceId) -> LogPlan {
        LogPlan {
            directory: directory.to_owned(),
            services: vec![(service, "web".into(), 64 * 1024)],
        }
    }

    /// Files whose thread takes nothing, as with a card that stalls, as long as the other end lives.
    pub fn nobody_takes() -> (LogFiles, impl Drop) {
        let (batches, taker) = queue(BATCHES);
        let files = LogFiles {
            services: vec![ServiceId(0)],
            batches,
            waiting: Arc::new(AtomicUsize::new(0)),
            ended: bounded(0).1,
        };
        (files, taker)
    }

    const NOW: Mono = Mono(93_512);

    fn sizes(file: &Capped) -> (u64, u64) {
        let size = |path: &Path| path.metadata().map_or(0, |m| m.len());
        (size(&file.newer), size(&file.older))
    }

    /// The two files never take more than they may, and the latest lines are there, whole.
    #[test]
    fn it_never_takes_more_than_it_may() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = Capped::new(&dir.path().join("logs"), "web", 1000);
        for number in 0..200 {
            let mut lines = Vec::new();
            form(
                NOW,
                jiff::Timestamp::UNIX_EPOCH,
                &format!("line {number}"),
                &mut lines,
            );
            file.keep(&lines, NOW);
            let (newer, older) = sizes(&file);
            assert!(newer <= 500 && older <= 500, "{newer} {older}");
        }
        let text = std::fs::read_to_string(&file.newer).unwrap();
        assert!(
            text.ends_with("1970-01-01T00:00:00Z 93.512 line 199\n"),
            "{text}"
        );
        assert!(
            text.starts_with("1970-01-01T00:00:00Z 93.512 line "),
            "{text}"
        );
        // One batch that is larger than both.
        let large = b"something\n".repeat(500);
        file.keep(&large, NOW);
        let (newer, older) = sizes(&file);
        assert!(newer <= 500 && older <= 500 && newer > 0, "{newer} {older}");
        // A successor goes on where it ended.
        file.keep(b"one\n", NOW);
        let mut next = Capped::new(&dir.path().join("logs"), "web", 1000);
        next.keep(b"another\n", NOW);
        let text = std::fs::read_to_string(&file.newer).unwrap();
        assert!(text.ends_with("one\nanother\n"), "{text}");
    }

    /// A service in a loop writes so much in a day, and no more; that is told in the file, once; the
    /// next day it has as much again.
    #[test]
    fn a_loop_does_not_wear_a_card_out() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = Capped::new(dir.path(), "web", 1000);
        let line = b"again and again\n";
        for _ in 0..2000 {
            file.keep(line, NOW);
        }
        assert!(file.written <= 1000 * A_DAY && file.written > 990 * A_DAY);
        let text = std::fs::read_to_string(&file.newer).unwrap();
        assert_eq!(text.matches("no more lines for 24 h").count(), 1, "{text}");
        file.keep(line, NOW.after(DAY));
        let text = std::fs::read_to_string(&file.newer).unwrap();
        assert!(text.ends_with("again and again\n"), "{text}");
    }

    /// What cannot be written is told once, and tried again with the next lines.
    #[test]
    fn a_file_that_cannot_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("logs");
        std::fs::write(&logs, "a file where a directory should be").unwrap();
        let mut file = Capped::new(&logs, "web", 1000);
        file.keep(b"one\n", NOW);
        file.keep(b"two\n", NOW);
        assert!(file.told);
        std::fs::remove_file(&logs).unwrap();
        file.keep(b"three\n", NOW);
        assert!(!file.told);
        assert_eq!(std::fs::read_to_string(&file.newer).unwrap(), "three\n");
    }

    /// A link in the place of a file is not followed: it may lead anywhere.
    #[test]
    fn links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("passwd");
        std::fs::write(&target, "root").unwrap();
        let mut file = Capped::new(dir.path(), "web", 1000);
        std::os::unix::fs::symlink(&target, &file.newer).unwrap();
        file.keep(b"one\n", NOW);
        assert!(file.told);
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "root");
    }

    /// What was handed over before the end is written; a card that stalls holds nobody up.
    #[test]
    fn the_last_lines_and_a_card_that_stalls() {
        let dir = tempfile::tempdir().unwrap();
        let plan = plan(dir.path(), ServiceId(3));
        let files = LogFiles::begin(&plan).unwrap().unwrap();
        assert!(files.keeps(ServiceId(3)) && !files.keeps(ServiceId(0)));
        for _ in 0..100 {
            assert!(files.put(ServiceId(3), b"a line\n".to_vec()));
        }
        files.end();
        let text = std::fs::read_to_string(dir.path().join("web.log")).unwrap();
        assert_eq!(text.lines().count(), 100);

        let line = || vec![b'x'; 4096];
        let (stalled, _taker) = nobody_takes();
        let given = (0..1000).filter(|_| stalled.put(ServiceId(0), line()));
        assert_eq!(given.count(), BYTES / 4096);
    }
}

//! The output thread: brings what services write into the log, line by line, and keeps the latest.
//!
//! Terms: a service's *allowance* is what it may write in a second before lines are left out; lines
//! left out are counted and the count is told. The *taps* are where FIFOs are put for the thread to
//! watch; that does not wake it, their first line does.
//!
//! Never lets one service's flood hold up another's line for longer than a pause, and never lets it
//! use the processor up: what comes faster than it can be thrown away stays in the FIFO, and the
//! service waits. Never waits for whoever reads the log: lines that find no room are left out.

use super::clock;
use super::log_file::{self, LogFiles};
use super::logging;
use super::orders::{Orders, Work};
use super::places::Places;
use super::service_log::{self, ServiceLog};
use crate::core::fact::ServiceId;
use crate::sorted::Map;
use crate::units::Mono;
use rustix::event::epoll;
use rustix::io::Errno;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

/// Lines that a service may write per second before any are left out: what a chatty service writes
/// while it starts; a hundred thousand a second would wear out the card that the journal lies on.
const ALLOWANCE: u32 = 200;

/// Longest line; the rest of a longer one becomes the next line.
const LONGEST: usize = 2048;

/// Read from one FIFO before the others get their turn; the default size of a FIFO.
const CHUNK: usize = 64 * 1024;

/// Room for a chunk, and so much more that the allocator maps it by itself (by default from 128 KiB
/// on): of that only the pages that a service has ever filled are in memory.
const ROOM: usize = 4 * CHUNK;

/// Pause after a turn in which some FIFO was full or lines were left out. It bounds what a flood
/// costs to ten chunks a second for each flooding service, whether it comes in large pieces or in
/// many small ones.
const PAUSE: Duration = Duration::from_millis(100);

/// What the output thread can be told to do.
pub enum OutputOrder {
    /// Own the FIFO of a service, which is in the epoll already.
    Watch {
        /// Whose.
        service: ServiceId,
        /// Its name.
        name: Box<str>,
        /// Our end.
        fifo: OwnedFd,
    },
    /// Show that this thread still takes orders.
    RollCall,
    /// End the thread, after reading what is there.
    Quit,
}

struct Source {
    fifo: OwnedFd,
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    second: u64,
    used: u32,
    left_out: u64,
    /// Lines that the log had no room for, on top of those.
    unlogged: u64,
    /// Where its latest lines are kept, and those that are not there yet.
    log: ServiceLog,
    fresh: Vec<u8>,
    /// If it is kept on the card as well.
    filed: Option<Box<Filed>>,
}

/// What is to be kept on the card.
#[derive(Default)]
struct Filed {
    /// Lines that are not handed over yet.
    fresh: Vec<u8>,
    /// Lines that found no room since that was told last.
    left_out: usize,
}

/// Where FIFOs are put for the output thread to watch.
#[derive(Clone)]
pub struct Taps {
    epoll: Arc<OwnedFd>,
    orders: Orders<OutputOrder>,
}

impl Taps {
    /// Has our end of a service's FIFO watched from now on.
    ///
    /// # Errors
    /// What the kernel said; the service then writes into a FIFO that nobody reads.
    pub fn watch(&self, service: ServiceId, name: &str, fifo: OwnedFd) -> io::Result<()> {
        let data = epoll::EventData::new_u64(service.0.into());
        epoll::add(&self.epoll, &fifo, data, epoll::EventFlags::IN)?;
        // A line that comes before the order wakes the thread, and again until it has the order.
        let name = name.into();
        let order = OutputOrder::Watch {
            service,
            name,
            fifo,
        };
        self.orders.leave(order);
        Ok(())
    }
}

/// The output thread's own state.
pub struct Output {
    /// By the number of the service.
    sources: Map<u64, Source>,
    places: Places,
    services: usize,
    /// Where lines are kept on the card, if any are.
    files: Option<LogFiles>,
    epoll: Arc<OwnedFd>,
    buffer: Vec<u8>,
}

impl Output {
    /// Watching nothing yet, of so many services at most; lines of some of them go to `files` too.
    ///
    /// # Errors
    /// When the kernel gives no epoll descriptor.
    pub fn new(places: Places, services: usize, files: Option<LogFiles>) -> io::Result<Output> {
        let epoll = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
        Ok(Output {
            sources: Map::new(),
            places,
            services,
            files,
            epoll,
            // Not filled with zeros: pages that no flood touches cost nothing.
            buffer: vec![0; ROOM],
        })
    }

    /// Where FIFOs for this thread are put, whose orders are given here.
    pub fn taps(&self, orders: Orders<OutputOrder>) -> Taps {
        let epoll = self.epoll.clone();
        Taps { epoll, orders }
    }

    /// Brings lines into the log until told to quit.
    ///
    /// # Errors
    /// When epoll itself fails; services then write into FIFOs that nobody reads.
    pub fn run(mut self, work: &Work<OutputOrder>) -> io::Result<()> {
        if let Some(bell) = work.bell() {
            let data = epoll::EventData::new_u64(u64::MAX);
            epoll::add(&self.epoll, bell, data, epoll::EventFlags::IN)?;
        }
        let mut buffer = [MaybeUninit::<epoll::Event>::uninit(); 64];
        loop {
            let events = match epoll::wait(&self.epoll, &mut buffer, None) {
                Ok((events, _)) => events,
                Err(Errno::INTR) => continue,
                Err(e) => return Err(e.into()),
            };
            if !self.take_orders(work) {
                return Ok(());
            }
            let mut flooded = false;
            for event in events.iter() {
                flooded |= self.drain(event.data.u64(), clock::now());
            }
            if flooded {
                std::thread::sleep(PAUSE);
            }
        }
    }

    fn take_orders(&mut self, work: &Work<OutputOrder>) -> bool {
        work.silence();
        while let Some(order) = work.take() {
            match order {
                OutputOrder::Watch {
                    service,
                    name,
                    fifo,
                } => {
                    let log = ServiceLog::of(&self.places, &name, self.services);
                    let filed = self.files.as_ref().is_some_and(|f| f.keeps(service));
                    let source = Source::new(fifo, log, filed.then(Box::default));
                    self.sources.insert(service.0.into(), source);
                }
                OutputOrder::RollCall => work.finish(clock::now()),
                OutputOrder::Quit => {
                    self.read_the_last();
                    return false;
                }
            }
        }
        true
    }

    /// Reads what is there, of those that have something, and takes each last line as it is.
    fn read_the_last(&mut self) {
        // One event for each, and one for the bell.
        let mut events = Vec::with_capacity(self.sources.len() + 1);
        let room = rustix::buffer::spare_capacity(&mut events);
        // If it fails, what was written last is lost with the daemon.
        let _ = epoll::wait(&self.epoll, room, Some(&rustix::event::Timespec::default()));
        let now = clock::now();
        for event in &events {
            self.drain(event.data.u64(), now);
        }
        for (at, source) in &mut self.sources {
            source.finish_line(now);
            source.file(*at, now, self.files.as_ref());
        }
        if let Some(files) = self.files.take() {
            files.end();
        }
    }

    /// Reads one chunk; returns whether the service writes too much.
    fn drain(&mut self, at: u64, now: Mono) -> bool {
        let Some(source) = self.sources.get_mut(&at) else {
            return false;
        };
        let flooded = source.drain(&mut self.buffer, now);
        source.file(at, now, self.files.as_ref());
        flooded
    }
}

impl Source {
    fn new(fifo: OwnedFd, log: ServiceLog, filed: Option<Box<Filed>>) -> Source {
        Source {
            fifo,
            partial: Vec::new(),
            second: 0,
            used: 0,
            left_out: 0,
            unlogged: 0,
            log,
            fresh: Vec::new(),
            filed,
        }
    }

    /// Hands over what is to be kept on the card.
    fn file(&mut self, at: u64, now: Mono, files: Option<&LogFiles>) {
        let (Some(filed), Some(files)) = (&mut self.filed, files) else {
            return;
        };
        if filed.fresh.is_empty() {
            return;
        }
        let count = filed.fresh.iter().filter(|b| **b == b'\n').count();
        let mut text = Vec::new();
        if filed.left_out > 0 {
            let told = format!(
                "({} lines were left out: the card was busy)",
                filed.left_out
            );
            log_file::form(now, clock::wall(), &told, &mut text);
        }
        text.append(&mut filed.fresh);
        let service = ServiceId(u16::try_from(at).unwrap_or(u16::MAX));
        filed.left_out = match files.put(service, text) {
            true => 0,
            false => filed.left_out + count,
        };
        // Most services are silent most of the time.
        filed.fresh = Vec::new();
    }

    /// Puts a line where it is kept.
    fn note(&mut self, now: Mono, text: &str) {
        service_log::form(now, text, &mut self.fresh);
        if let Some(filed) = &mut self.filed {
            log_file::form(now, clock::wall(), text, &mut filed.fresh);
        }
    }

    /// Reads one chunk; returns whether the service writes too much: more than a chunk at once, or
    /// more lines than it is allowed.
    fn drain(&mut self, buffer: &mut [u8], now: Mono) -> bool {
        let Ok(length) = rustix::io::read(&self.fifo, &mut buffer[..CHUNK]) else {
            return false;
        };
        let mut flooded = length >= CHUNK;
        let mut rest = &buffer[..length];
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            self.partial.extend_from_slice(&rest[..end]);
            flooded |= !self.tell(now);
            // What is left of a long one must not become the beginning of the next.
            while !self.partial.is_empty() {
                flooded |= !self.tell(now);
            }
            rest = &rest[end + 1..];
        }
        self.partial.extend_from_slice(rest);
        while self.partial.len() >= LONGEST {
            flooded |= !self.tell(now);
        }
        self.keep();
        flooded
    }

    fn finish_line(&mut self, now: Mono) {
        if !self.partial.is_empty() {
            self.tell(now);
            self.keep();
        }
    }

    /// Keeps the lines of this turn, all in one go. Their room is given back: most services are silent
    /// most of the time.
    fn keep(&mut self) {
        if !self.fresh.is_empty() {
            self.log.keep(&std::mem::take(&mut self.fresh));
        }
    }

    /// Logs the line that was gathered; returns whether there was any allowance left for it.
    fn tell(&mut self, now: Mono) -> bool {
        let length = self.partial.len().min(LONGEST);
        let line: Vec<u8> = self.partial.drain(..length).collect();
        let second = now.0 / 1000;
        if second != self.second {
            self.second = second;
            self.used = 0;
            self.tell_what_is_missing(now);
        }
        if self.used >= ALLOWANCE {
            self.left_out += 1;
            return false;
        }
        self.used += 1;
        let text = printable(&line);
        // Kept even while nobody takes the log: then it is all that there is.
        self.note(now, &text);
        if !logging::has_room() {
            self.unlogged += 1;
            return false;
        }
        log::info!(target: "output", "{}: {text}", self.log.name);
        true
    }

    fn tell_what_is_missing(&mut self, now: Mono) {
        let left_out = std::mem::take(&mut self.left_out);
        let missing = left_out + std::mem::take(&mut self.unlogged);
        if missing > 0 {
            log::warn!(target: "output", "{}: {missing} lines were left out", self.log.name);
        }
        if left_out > 0 {
            let text = format!("({left_out} lines were left out)");
            self.note(now, &text);
        }
    }
}

/// The line as text: no control characters, which could fake other lines or drive a terminal.
fn printable(line: &[u8]) -> String {
    let clean = |c: char| {
        if c.is_control() && c != '\t' {
            '\u{FFFD}'
        } else {
            c
        }
    };
    String::from_utf8_lossy(line)
        .trim_end_matches('\r')
        .chars()
        .map(clean)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn source(fifo: OwnedFd) -> (tempfile::TempDir, Source) {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::new(dir.path());
        places.make_service("web").unwrap();
        let log = ServiceLog::of(&places, "web", 1);
        (dir, Source::new(fifo, log, None))
    }

    /// There may be a thousand services on a small machine; buffers are for those that write.
    #[test]
    fn a_service_takes_little_room() {
        assert!(size_of::<Source>() <= 160, "{}", size_of::<Source>());
    }

    /// A long line is cut into several, and the line after it begins anew.
    #[test]
    fn long_lines_end_where_they_end() {
        let (fifo, writer) = rustix::pipe::pipe().unwrap();
        let text = [&[b'x'; 2 * LONGEST + 1][..], b"\nnext\n\nrest"].concat();
        rustix::io::write(&writer, &text).unwrap();
        let (_dir, mut source) = source(fifo);
        source.drain(&mut [0; CHUNK], Mono(1000));
        assert_eq!(source.used, 3 + 1 + 1);
        assert_eq!(source.partial, b"rest");
    }

    /// Terminal sequences and broken text come out harmless.
    #[test]
    fn control_characters_do_not_pass() {
        assert_eq!(printable(b"ok\tfine\r"), "ok\tfine");
        assert_eq!(printable(b"\x1b[2Jgone\xff"), "\u{FFFD}[2Jgone\u{FFFD}");
    }

    /// At the end of the daemon nothing that was written is lost, be it a line without its end, and
    /// nobody is waited for who is silent.
    #[test]
    fn what_was_written_last_is_kept() {
        let mut output = Output::new(Places::new(Path::new("/nowhere")), 3, None).unwrap();
        let mut dirs = Vec::new();
        let mut writers = Vec::new();
        for at in 0..3u64 {
            let (fifo, writer) = rustix::pipe::pipe().unwrap();
            let data = epoll::EventData::new_u64(at);
            epoll::add(&output.epoll, &fifo, data, epoll::EventFlags::IN).unwrap();
            let (dir, source) = source(fifo);
            output.sources.insert(at, source);
            dirs.push(dir);
            writers.push(writer);
        }
        rustix::io::write(&writers[0], b"a line\nand the rest").unwrap();
        rustix::io::write(&writers[2], b"b").unwrap();
        output.read_the_last();
        let kept = dirs.iter().map(|dir| {
            let places = Places::new(dir.path());
            let lines = service_log::Reader::new(&places, "web").read().unwrap();
            lines.into_iter().map(|line| line.text).collect::<Vec<_>>()
        });
        let kept: Vec<_> = kept.collect();
        assert_eq!(kept, [vec!["a line", "and the rest"], vec![], vec!["b"]]);
    }

    /// A card that has no room for lines holds nothing up; how many were left out is told with the
    /// next.
    #[test]
    fn lines_that_the_card_has_no_room_for_are_counted() {
        let (read, write) = rustix::pipe::pipe().unwrap();
        let (dir, mut source) = source(read);
        source.filed = Some(Box::new(Filed {
            left_out: 3,
            ..Filed::default()
        }));
        let left_out = |source: &Source| source.filed.as_ref().map(|filed| filed.left_out);
        rustix::io::write(&write, b"one\ntwo\n").unwrap();
        source.drain(&mut [0; CHUNK], Mono(1000));
        let plan = log_file::tests::plan(dir.path(), ServiceId(0));
        let files = LogFiles::begin(&plan).unwrap().unwrap();
        source.file(0, Mono(1000), Some(&files));
        assert_eq!(left_out(&source), Some(0));
        files.end();
        let text = std::fs::read_to_string(dir.path().join("web.log")).unwrap();
        let ends: Vec<_> = text
            .lines()
            .filter_map(|l| l.split_once(" 1.000 "))
            .collect();
        let ends: Vec<_> = ends.into_iter().map(|(_, end)| end).collect();
        assert_eq!(
            ends,
            ["(3 lines were left out: the card was busy)", "one", "two"]
        );

        rustix::io::write(&write, b"three\nfour\n").unwrap();
        source.drain(&mut [0; CHUNK], Mono(1000));
        let (stalled, _taker) = log_file::tests::nobody_takes();
        let full = "x".repeat(256 * 1024);
        assert!(stalled.put(ServiceId(0), full.into_bytes()));
        source.file(0, Mono(1000), Some(&stalled));
        assert_eq!(left_out(&source), Some(2));
    }

    /// More lines than are allowed are a flood even if they come in small pieces, and are counted.
    #[test]
    fn small_pieces_can_be_a_flood() {
        let (read, write) = rustix::pipe::pipe().unwrap();
        let (_dir, mut source) = source(read);
        let mut buffer = vec![0; CHUNK];
        let mut say = |lines: usize, now| {
            rustix::io::write(&write, "x\n".repeat(lines).as_bytes()).unwrap();
            (source.drain(&mut buffer, Mono(now)), source.left_out)
        };
        let allowed = usize::try_from(ALLOWANCE).unwrap();
        assert_eq!(say(allowed, 0), (false, 0));
        assert_eq!(say(3, 999), (true, 3));
        assert_eq!(say(allowed, 1000), (false, 0));
    }
}

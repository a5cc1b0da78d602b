//! Log lines: for people at a terminal, or for the system's journal.
//!
//! ```text
//! any thread ──line──► queue, bounded ──► log thread ──► standard error
//! ```
//!
//! Whoever is to take standard error may cease to: a pipe that nobody reads, a terminal that stands
//! still, a journal that hangs. Then lines wait in the queue up to a bound; what does not fit is
//! counted, and the count is told as soon as lines go out again.
//!
//! Never makes any thread wait but its own. So a log that is stuck holds up no decision, no record
//! and no end.

use super::clock;
use super::orders::{self, Orders, Work};
use super::pulse::Pulse;
use super::thread;
use crate::core::fact::Thread;
use env_logger::{Builder, Env, Target, WriteStyle};
use log::{Level, LevelFilter, Record};
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// Lines that may wait: what a busy daemon says in some minutes.
const LINES: usize = 1024;

/// Bytes that are written at once, if so many wait: a write for each line would cost more than the
/// line.
const TOGETHER: usize = 4 * 1024;

/// Bytes that may wait. They are locked in memory, as everything is.
const BYTES: usize = 256 * 1024;

/// A line that has waited for this long is late. The system's journal takes one within milliseconds;
/// a terminal that somebody halted is not worth hiding either.
const LIMIT: Duration = Duration::from_secs(10);

/// Time that the last lines get before the process ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// Time for which lines gather before they are written: nobody reads that fast, and the start of dozens
/// of services is not held up by a wake-up for each of its lines.
const GATHER: Duration = Duration::from_millis(1);

/// The one queue of the process.
static QUEUE: OnceLock<Arc<Queue>> = OnceLock::new();

/// The log thread.
static CARRIER: OnceLock<std::thread::Thread> = OnceLock::new();

/// Lines on their way to the log thread.
struct Queue {
    lines: Orders<Box<[u8]>>,
    /// Bytes in it.
    bytes: AtomicUsize,
    /// Lines that found no room since that was told last.
    lost: AtomicU64,
    /// Who waits for all lines to be out.
    waits: Mutex<Option<std::thread::Thread>>,
}

impl Queue {
    fn new() -> (Queue, Work<Box<[u8]>>) {
        let pulse = Arc::new(Pulse::new(Thread::Log, LIMIT));
        let (lines, work) = orders::plain(LINES, pulse);
        let queue = Queue {
            lines,
            bytes: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
            waits: Mutex::new(None),
        };
        (queue, work)
    }

    fn put(&self, line: &[u8]) {
        let before = self.bytes.fetch_add(line.len(), SeqCst);
        let fits = before + line.len() <= BYTES;
        if !fits || self.lines.give(clock::now(), line.into()).is_err() {
            self.bytes.fetch_sub(line.len(), SeqCst);
            self.lost.fetch_add(1, SeqCst);
        }
    }

    /// The log thread: takes lines out until nobody can put any in.
    fn carry(&self, work: &Work<Box<[u8]>>, out: &mut impl Write, journal: bool) {
        let mut text = Vec::new();
        while let Some(first) = work.wait() {
            std::thread::park_timeout(GATHER);
            let mut next = Some(first);
            while let Some(line) = next.take() {
                text.extend_from_slice(&line);
                let mut lines = 1;
                while text.len() < TOGETHER
                    && let Some(line) = work.take()
                {
                    text.extend_from_slice(&line);
                    lines += 1;
                }
                self.write(&text, out, journal);
                text.clear();
                text.shrink_to(2 * TOGETHER);
                for _ in 0..lines {
                    work.finish(clock::now());
                }
                next = work.take();
            }
            if let Some(waiting) = lock(&self.waits).take() {
                waiting.unpark();
            }
        }
    }

    fn write(&self, text: &[u8], out: &mut impl Write, journal: bool) {
        // There is nowhere to tell that a log cannot be written.
        let _ = out.write_all(text);
        self.bytes.fetch_sub(text.len(), SeqCst);
        let lost = self.lost.swap(0, SeqCst);
        if lost > 0 {
            let prefix = if journal { "<4>" } else { "" };
            let _ = writeln!(
                out,
                "{prefix}{lost} log lines were lost: standard error was not read in time"
            );
        }
    }
}

/// Where the logger puts its lines.
struct Mouth(Arc<Queue>);

impl Write for Mouth {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Standard error, without the lock that the rest of the program may hold.
struct StandardError;

impl Write for StandardError {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let out = io::stderr();
        match rustix::io::write(out.as_fd(), bytes) {
            // Somebody who shares it with us has made it non-blocking.
            Err(rustix::io::Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::new(&out, PollFlags::OUT)], None);
                Err(io::ErrorKind::Interrupted.into())
            }
            outcome => Ok(outcome?),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sees to it that the last lines are written, as far as that goes quickly.
#[must_use = "the last lines are written when this is dropped"]
pub struct Log(());

impl Drop for Log {
    fn drop(&mut self) {
        flush();
    }
}

/// Begins to log to standard error. `FIELDWARDEN_LOG` sets what is shown (default: `info`).
///
/// A second call in one process keeps the first logger.
///
/// # Errors
/// When the kernel gives no thread.
pub fn begin(journal_stream: Option<&str>) -> io::Result<Log> {
    let environment = Env::new().filter_or("FIELDWARDEN_LOG", "info");
    let mut builder = Builder::from_env(environment);
    builder.filter_module("rppal", LevelFilter::Warn);
    let journal = journal_stream.is_some_and(leads_to_stderr);
    if journal {
        builder.format(|out, record| journal_line(out, record));
    } else {
        let colours = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
        builder.format_target(false).write_style(match colours {
            true => WriteStyle::Always,
            false => WriteStyle::Never,
        });
    }
    let (queue, work) = Queue::new();
    let queue = Arc::new(queue);
    if QUEUE.set(queue.clone()).is_ok() {
        let carried = queue.clone();
        let carrier = thread::start("log", move || {
            carried.carry(&work, &mut StandardError, journal);
        })?;
        let _ = CARRIER.set(carrier.thread().clone());
        builder.target(Target::Pipe(Box::new(Mouth(queue))));
        // Only ever refused where a test has a logger of its own.
        let _ = builder.try_init();
        std::panic::set_hook(Box::new(|panic| {
            log::error!("{panic}");
            flush();
        }));
    }
    Ok(Log(()))
}

/// The counters of the log thread, if there is one.
pub fn pulse() -> Option<Arc<Pulse>> {
    QUEUE.get().map(|queue| queue.lines.pulse().clone())
}

/// Half of the room is free. What services write has to leave the other half to our own words.
pub fn has_room() -> bool {
    let bytes = QUEUE.get().map_or(0, |queue| queue.bytes.load(SeqCst));
    bytes <= BYTES / 2
}

/// Waits until every line is out, or until the time for that is over.
pub fn flush() {
    let Some(queue) = QUEUE.get() else { return };
    let end = clock::now().after(FAREWELL);
    loop {
        // Before the look, so that whoever writes the last line knows of us.
        *lock(&queue.waits) = Some(std::thread::current());
        if let Some(carrier) = CARRIER.get() {
            carrier.unpark();
        }
        let left = end.since(clock::now());
        if queue.lines.pulse().late_at().is_none() || left.is_zero() {
            return;
        }
        std::thread::park_timeout(left);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// systemd tells in `JOURNAL_STREAM` which file its journal reads; only if that is our standard
/// error are the prefixes understood.
fn leads_to_stderr(journal_stream: &str) -> bool {
    let Some((device, inode)) = journal_stream.split_once(':') else {
        return false;
    };
    let Ok(file) = std::fs::metadata("/proc/self/fd/2") else {
        return false;
    };
    device.parse() == Ok(file.dev()) && inode.parse() == Ok(file.ino())
}

/// One line with the journal's prefix of its priority. A line feed inside the message would lose the
/// prefix, so there is none.
fn journal_line(out: &mut dyn Write, record: &Record) -> io::Result<()> {
    let priority = match record.level() {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    };
    writeln!(
        out,
        "<{priority}>{}",
        record.args().to_string().replace('\n', " ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::Pulse as How;
    use crate::units::Mono;

    /// Nobody takes lines: putting them in never waits, the room is bounded, what is lost is
    /// counted and told, and the thread is late meanwhile.
    #[test]
    fn a_log_that_nobody_takes_is_bounded_and_told() {
        let (queue, work) = Queue::new();
        for number in 0..LINES + 10 {
            queue.put(format!("line {number}\n").as_bytes());
        }
        queue.put(&[b'x'; BYTES]);
        let pulse = queue.lines.pulse().clone();
        assert!(matches!(pulse.judge(Mono(u64::MAX)), How::Late { .. }));

        let mut out = Vec::new();
        // Nobody can put in any more: it ends when all lines are out.
        let Queue {
            lines, bytes, lost, ..
        } = queue;
        let (other, _) = orders::plain(1, pulse.clone());
        drop(lines);
        let queue = Queue {
            lines: other,
            bytes,
            lost,
            waits: Mutex::new(None),
        };
        queue.carry(&work, &mut out, false);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), LINES + 1);
        // It is told with the first lines that go out.
        let told = text
            .lines()
            .position(|line| line.starts_with("11 log lines"));
        assert!(told.is_some_and(|at| at * 8 < 2 * TOGETHER), "{told:?}");
        assert_eq!(queue.bytes.load(SeqCst), 0);
        assert_eq!(pulse.judge(Mono(u64::MAX)), How::OnTime);
    }
}

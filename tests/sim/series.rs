//! A series of seeds, on as many threads as wished, with a line of progress.
//!
//! The first seed that fails ends it, unless it is to go on: then all that fail are told at the end.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Time between two lines of progress.
const EVERY: Duration = Duration::from_secs(10);

/// The same on a terminal, where each takes the place of the one before.
const EVERY_ON_TERMINAL: Duration = Duration::from_millis(500);

/// Which seeds, and how.
pub struct Series {
    /// What one of them is called.
    what: &'static str,
    first: u64,
    pub count: u64,
    jobs: u64,
    /// Tell how far it is.
    progress: bool,
    /// Go on after a seed that fails.
    goes_on: bool,
}

/// How a series ended.
pub struct Outcome {
    pub seconds: f64,
    /// Seeds that failed, and why.
    pub failed: Vec<(u64, String)>,
}

impl Series {
    /// What the environment asks for: `SIM_FIRST`, `SIM_JOBS`, `SIM_PROGRESS`, `SIM_GO_ON`, and the
    /// number of seeds by a variable of its own.
    pub fn of(what: &'static str, variable: &str, usual: u64) -> Series {
        let number = |name: &str, usual| crate::variable(name).unwrap_or(usual);
        Series {
            what,
            first: number("SIM_FIRST", 0),
            count: number(variable, usual),
            jobs: number("SIM_JOBS", 1).max(1),
            progress: number("SIM_PROGRESS", 0) > 0,
            goes_on: number("SIM_GO_ON", 0) > 0,
        }
    }

    /// Plays them, and gives what came of each to `add`.
    #[allow(
        clippy::disallowed_methods,
        reason = "the time that the seeds take is printed"
    )]
    pub fn run<T: Send>(
        &self,
        play: impl Fn(u64) -> Result<T, String> + Sync,
        mut add: impl FnMut(T),
    ) -> Outcome {
        let began = Instant::now();
        let end = self.first + self.count;
        let next = AtomicU64::new(self.first);
        let (sender, receiver) = mpsc::channel();
        let mut failed = Vec::new();
        thread::scope(|scope| {
            for _ in 0..self.jobs {
                let (sender, next, play) = (sender.clone(), &next, &play);
                scope.spawn(move || {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= end || sender.send((seed, play(seed))).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let mut shown = began;
            for (done, (seed, outcome)) in (1..).zip(&receiver) {
                match outcome {
                    Ok(found) => add(found),
                    Err(why) => {
                        self.tell_at_once(seed, &why);
                        failed.push((seed, why));
                        if !self.goes_on {
                            next.store(end, Ordering::Relaxed);
                        }
                    }
                }
                if self.progress {
                    self.show(done, failed.len(), began, &mut shown);
                }
            }
        });
        failed.sort();
        Outcome {
            seconds: began.elapsed().as_secs_f64(),
            failed,
        }
    }

    fn tell_at_once(&self, seed: u64, why: &str) {
        if self.progress {
            eprintln!("\n{} {seed} fails {why}", self.what);
        }
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "progress is told at intervals of real time"
    )]
    fn show(&self, done: u64, failed: usize, began: Instant, shown: &mut Instant) {
        let terminal = std::io::stderr().is_terminal();
        let every = if terminal { EVERY_ON_TERMINAL } else { EVERY };
        let now = Instant::now();
        if now - *shown < every && done < self.count {
            return;
        }
        *shown = now;
        let spent = (now - began).as_secs_f64();
        // For people: an estimate that rounds is good enough.
        #[allow(clippy::cast_precision_loss, reason = "an estimate for people")]
        let pace = done as f64 / spent.max(0.001);
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an estimate for people"
        )]
        let left = ((self.count - done) as f64 / pace) as u64;
        let line = format!(
            "{}: {done} of {}, {pace:.0}/s, {}:{:02} left, {failed} failed",
            self.what,
            self.count,
            left / 60,
            left % 60
        );
        let mut stderr = std::io::stderr().lock();
        // Nobody is helped by a series that ends because its progress cannot be shown.
        let _ = match terminal {
            true => write!(stderr, "\r\x1b[K{line}"),
            false => writeln!(stderr, "{line}"),
        };
        if terminal && done == self.count {
            let _ = writeln!(stderr);
        }
    }
}

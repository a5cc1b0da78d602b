//! Has the program that is to come check the configuration: a child that does nothing else. It proves
//! that the program can be started, too.
//!
//! Runs in a thread of its own, which is there for one check. Never waits for the child longer than it
//! may take.

use super::children::Births;
use super::errand::{Errand, Hears, Left};
use super::inbox::Inbox;
use super::spawner::errno;
use super::successor::{self, Successor};
use super::thread;
use crate::core::fact::{Errno, Fact, Fault, OrderId, Reading};
use crossbeam_channel::never;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Time for a check. On a card that stalls it takes seconds; a program that takes longer is no better
/// than one that does not start.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of what is wrong that are passed on: several mistakes with their lines. The command shows all.
const LONGEST: usize = 4096;

/// What checks.
#[derive(Clone)]
pub struct Checker {
    successor: Arc<Successor>,
    births: Births,
    left: Arc<Left>,
    inbox: Inbox,
}

/// What came of it.
enum Checked {
    Good,
    Bad(Box<str>),
}

impl Checker {
    /// Who would take over. `births`: where the child is named, so that nobody else reaps it.
    pub fn new(successor: Arc<Successor>, births: Births, inbox: Inbox) -> Checker {
        Checker {
            successor,
            births,
            left: Arc::default(),
            inbox,
        }
    }

    /// Begins a check, of which the core will be told.
    ///
    /// # Errors
    /// When the kernel gives no thread.
    pub fn begin(&self, order: OrderId) -> Result<(), Fault> {
        let checker = self.clone();
        let started = thread::start("checker", move || checker.check(order));
        started.map(drop).map_err(|e| Fault::Errno(errno(&e)))
    }

    fn check(&self, order: OrderId) {
        let outcome = match self.run() {
            Ok(Checked::Good) => Ok(()),
            Ok(Checked::Bad(text)) => {
                self.inbox.send(Fact::Seen(Reading::Problems { text }));
                Err(Fault::Implausible)
            }
            Err(e) => Err(Fault::Errno(match e.kind() {
                io::ErrorKind::TimedOut => Errno(libc::ETIMEDOUT),
                _ => errno(&e),
            })),
        };
        self.inbox.send(Fact::Done { order, outcome });
    }

    fn run(&self) -> io::Result<Checked> {
        let config = self.successor.config().as_os_str().to_owned();
        let directory = self.successor.directory();
        let errand = Errand {
            program: self.successor.program(),
            arguments: &["check".into(), "--config".into(), config],
            sets: directory.map(|directory| (successor::DIRECTORY, directory.as_os_str())),
            hears: Hears::Errors,
            patience: PATIENCE,
            longest: LONGEST,
            // No end of ours waits for this thread, and the check ends by itself.
            quit: &never(),
        };
        let (said, status) = errand.run(&self.births, &self.left)?;
        let text = String::from_utf8_lossy(&said).into_owned();
        Ok(match (status.success(), text.trim().is_empty()) {
            (true, _) => Checked::Good,
            (false, false) => Checked::Bad(text.into()),
            (false, true) => Checked::Bad(format!("the check ended with {status}").into()),
        })
    }
}

//! Has the program that is to come check the configuration: a child that does nothing else. It proves
//! that the program can be started, too.
//!
//! Runs in a thread of its own, which is there for one check. Never waits for the child longer than it
//! may take.

use super::children::Births;
use super::clock;
use super::inbox::Inbox;
use super::spawner::errno;
use super::successor::{self, Successor};
use super::thread;
use crate::core::fact::{Errno, Fact, Fault, OrderId, Reading};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Read};
use std::process::{Child, ChildStderr, Command, Stdio};
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
        let mut child = self.start()?;
        let pid = i32::try_from(child.id()).unwrap_or(0);
        let outcome = judge(&mut child);
        // One that has ended and was asked is reaped; what hangs is killed, and goes at once.
        let _ = child.kill();
        let _ = child.wait();
        self.births.others().remove(pid);
        outcome
    }

    fn start(&self) -> io::Result<Child> {
        let births = self.births.clone();
        let _coming = births.begin();
        #[allow(
            clippy::disallowed_methods,
            reason = "no service: our own program, for a moment, started by posix_spawn(3)"
        )]
        let mut command = Command::new(self.successor.program());
        if let Some(directory) = self.successor.directory() {
            command.env(successor::DIRECTORY, directory);
        }
        let child = command
            .arg("check")
            .arg("--config")
            .arg(self.successor.config())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        births.others().add(i32::try_from(child.id()).unwrap_or(0));
        Ok(child)
    }
}

/// Waits for what it has to say, and for its end.
fn judge(child: &mut Child) -> io::Result<Checked> {
    let stderr = child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let said = read(stderr)?;
    // It has closed its end, which it does by ending.
    let status = child.wait()?;
    let text = String::from_utf8_lossy(&said).into_owned();
    match (status.success(), text.trim().is_empty()) {
        (true, _) => Ok(Checked::Good),
        (false, false) => Ok(Checked::Bad(text.into())),
        (false, true) => Ok(Checked::Bad(
            format!("the check ended with {status}").into(),
        )),
    }
}

fn read(mut stderr: ChildStderr) -> io::Result<Vec<u8>> {
    let end = clock::now().after(PATIENCE);
    let (mut said, mut piece) = (Vec::new(), [0; 1024]);
    loop {
        let mut fds = [PollFd::new(&stderr, PollFlags::IN)];
        let left = Timespec::try_from(end.since(clock::now())).ok();
        match poll(&mut fds, left.as_ref()) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        match stderr.read(&mut piece) {
            Ok(0) => return Ok(said),
            Ok(count) => {
                let room = LONGEST - said.len().min(LONGEST);
                said.extend_from_slice(&piece[..count.min(room)]);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

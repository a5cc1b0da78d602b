//! Runs our own program for a moment: what only a short-lived process is to do.
//!
//! Never waits for it longer than it may take: then it is killed.

use super::children::Births;
use super::clock;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// Which of its streams is heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hears {
    /// Standard output.
    Output,
    /// Standard error.
    Errors,
}

/// An errand and its bounds.
pub struct Errand<'a> {
    /// Our program.
    pub program: &'a Path,
    /// Its arguments.
    pub arguments: &'a [OsString],
    /// A variable that it finds, beside those of ours.
    pub sets: Option<(&'a str, &'a OsStr)>,
    /// What of it is heard.
    pub hears: Hears,
    /// Time for it.
    pub patience: Duration,
    /// Bytes that are kept of what it says.
    pub longest: usize,
}

impl Errand<'_> {
    /// Runs it to its end; what it said, and how it ended. `births`: where the child is named, so that
    /// nobody else reaps it.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] if it took too long; what the kernel said.
    pub fn run(&self, births: &Births) -> io::Result<(Vec<u8>, ExitStatus)> {
        let mut child = self.start(births)?;
        let pid = i32::try_from(child.id()).unwrap_or(0);
        let outcome = self.hear(&mut child);
        // One that has ended and was asked is reaped; what hangs is killed, and goes at once.
        let _ = child.kill();
        let _ = child.wait();
        births.others().remove(pid);
        outcome
    }

    fn start(&self, births: &Births) -> io::Result<Child> {
        let births = births.clone();
        let _coming = births.begin();
        let heard = |hears| match self.hears == hears {
            true => Stdio::piped(),
            false => Stdio::null(),
        };
        #[allow(
            clippy::disallowed_methods,
            reason = "no service: our own program, for a moment, started by posix_spawn(3)"
        )]
        let child = Command::new(self.program)
            .envs(self.sets)
            .args(self.arguments)
            .stdin(Stdio::null())
            .stdout(heard(Hears::Output))
            .stderr(heard(Hears::Errors))
            .spawn()?;
        births.others().add(i32::try_from(child.id()).unwrap_or(0));
        Ok(child)
    }

    /// Waits for what it has to say, and for its end.
    fn hear(&self, child: &mut Child) -> io::Result<(Vec<u8>, ExitStatus)> {
        let said = match self.hears {
            Hears::Output => child.stdout.take().map(|out| self.read(out)),
            Hears::Errors => child.stderr.take().map(|errors| self.read(errors)),
        };
        let said = said.ok_or(io::ErrorKind::BrokenPipe)??;
        // It has closed its end, which it does by ending.
        Ok((said, child.wait()?))
    }

    fn read(&self, mut stream: impl Read + AsFd) -> io::Result<Vec<u8>> {
        let end = clock::now().after(self.patience);
        let (mut said, mut piece) = (Vec::new(), [0; 1024]);
        loop {
            let mut fds = [PollFd::new(&stream, PollFlags::IN)];
            let left = Timespec::try_from(end.since(clock::now())).ok();
            match poll(&mut fds, left.as_ref()) {
                Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
            match stream.read(&mut piece) {
                Ok(0) => return Ok(said),
                Ok(count) => {
                    let room = self.longest - said.len().min(self.longest);
                    said.extend_from_slice(&piece[..count.min(room)]);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

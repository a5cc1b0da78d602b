//! Runs our own program for a moment: what only a short-lived process is to do.
//!
//! Never waits for it longer than it may take, nor once we end: then it is killed.

use super::children::Births;
use super::clock;
use crossbeam_channel::{Receiver, TryRecvError};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// Time between two looks at whether we end, while a child is at work. Longer: the end of the daemon
/// waits for it, and has three seconds for all threads. Shorter: wake-ups, for as long as it works.
const QUIT: Duration = Duration::from_millis(200);

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
    /// Closed when nobody waits for it any more.
    pub quit: &'a Receiver<()>,
}

/// We end: whatever is under way is to be given up.
pub fn is_over(quit: &Receiver<()>) -> bool {
    quit.try_recv() == Err(TryRecvError::Disconnected)
}

impl Errand<'_> {
    /// Runs it to its end; what it said, and how it ended. `births`: where the child is named, so that
    /// nobody else reaps it.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] if it took too long; [`io::ErrorKind::ConnectionAborted`] if we end;
    /// what the kernel said.
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
            if is_over(self.quit) {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            let left = end.since(clock::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let mut fds = [PollFd::new(&stream, PollFlags::IN)];
            match poll(&mut fds, Timespec::try_from(left.min(QUIT)).ok().as_ref()) {
                // Nothing to read yet.
                Ok(0) | Err(rustix::io::Errno::INTR) => continue,
                Ok(_) => {}
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::core::fact::Thread;
    use crate::edge::children::Children;
    use crate::edge::inbox::inbox;
    use crate::edge::orders::{plain, with_bell};
    use crate::edge::places::Places;
    use crate::edge::pulse::Pulse;
    use crate::edge::run_table::RunTable;
    use crossbeam_channel::{bounded, never};
    use std::sync::Arc;
    use std::time::Duration;

    /// Where children are named, of a daemon that has none.
    pub fn births() -> Births {
        let directory = tempfile::tempdir().unwrap();
        let pulse = |thread| Arc::new(Pulse::new(thread, Duration::from_secs(1)));
        let (guards, _) = plain(1, pulse(Thread::Watchdog));
        let (orders, _) = with_bell(1, pulse(Thread::Children)).unwrap();
        let (table, _) = RunTable::open(&Places::new(directory.path()), &[]);
        let children = Children::new(Vec::new(), Arc::new(table), None, guards, inbox().0);
        children.unwrap().births(orders)
    }

    fn shell(script: &str, patience: Duration, quit: &Receiver<()>) -> io::Result<Vec<u8>> {
        let errand = Errand {
            program: "/bin/sh".as_ref(),
            arguments: &["-c".into(), script.into()],
            sets: None,
            hears: Hears::Output,
            patience,
            longest: 4,
            quit,
        };
        errand.run(&births()).map(|(said, _)| said)
    }

    /// It is heard to its end, but not for longer than it may take.
    #[test]
    fn an_errand_has_its_time() {
        let long = Duration::from_secs(60);
        assert_eq!(shell("echo 123456", long, &never()).unwrap(), b"1234");
        let late = shell("echo 1; exec sleep 60", Duration::from_millis(50), &never());
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    /// Nobody waits for a child once the daemon ends: it is killed and reaped, and leaves no zombie to
    /// the program that comes after a reload.
    #[test]
    fn nothing_is_left_of_an_errand_when_we_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        let (ours, quit) = bounded(0);
        let script = format!("echo $$ >{}; exec sleep 60", path.display());
        let at_work = move || shell(&script, Duration::from_secs(60), &quit);
        let at_work = std::thread::spawn(at_work);
        let pid = loop {
            let told = std::fs::read_to_string(&path).unwrap_or_default();
            if let Some(pid) = told.strip_suffix('\n') {
                break pid.to_owned();
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(Path::new("/proc").join(&pid).exists());
        drop(ours);
        let outcome = at_work.join().unwrap();
        assert_eq!(
            outcome.unwrap_err().kind(),
            io::ErrorKind::ConnectionAborted
        );
        assert!(!Path::new("/proc").join(&pid).exists(), "{pid} is left");
    }
}

//! Runs our own program for a moment: what only a short-lived process is to do.
//!
//! Never waits for it longer than it may take, nor once we end: then it is killed. One that the kernel
//! does not let go of, since it waits for a disk or a server on its behalf, is left, and no other is
//! started until it is gone: they would pile up.

use super::children::Births;
use super::clock;
use crossbeam_channel::{Receiver, TryRecvError};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Time between two looks at whether we end, while a child is at work. Longer: the end of the daemon
/// waits for it, and has three seconds for all threads. Shorter: wake-ups, for as long as it works.
const QUIT: Duration = Duration::from_millis(200);

/// Time for a child to be gone once it was killed, or has nothing to say any more. Mostly it is so at
/// once. Longer: the end of the daemon waits for it. Shorter: one on a slow card is taken for one that
/// hangs.
const GONE: Duration = Duration::from_secs(1);

/// A child that was killed and is not gone.
#[derive(Default)]
pub struct Left(Mutex<Option<Child>>);

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
    /// nobody else reaps it; `left`: the one before, if it is not gone.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] if it took too long; [`io::ErrorKind::ResourceBusy`] if the one
    /// before is not gone; [`io::ErrorKind::ConnectionAborted`] if we end; what the kernel said.
    pub fn run(&self, births: &Births, left: &Left) -> io::Result<(Vec<u8>, ExitStatus)> {
        let mut left = left.0.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left
            .take()
            .and_then(|child| rid_of(child, Duration::ZERO, births));
        if left.is_some() {
            return Err(Errno::BUSY.into());
        }
        let mut child = self.start(births)?;
        let outcome = self.hear(&mut child);
        // One that has ended and was asked is reaped; what hangs is killed.
        let _ = child.kill();
        *left = rid_of(child, GONE, births);
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
        let status = ended(child, GONE)?.ok_or(io::ErrorKind::TimedOut)?;
        Ok((said, status))
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

/// How it has ended; `None` if it has not within this time.
fn ended(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    if let Some(status) = child.try_wait()? {
        return Ok(Some(status));
    }
    let end = clock::now().after(patience);
    let pidfd = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    loop {
        let left = end.since(clock::now());
        let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
        match poll(&mut fds, Timespec::try_from(left).ok().as_ref()) {
            Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
            Ok(_) => return child.try_wait(),
        }
    }
}

/// It, if it is not gone within this time.
fn rid_of(mut child: Child, patience: Duration, births: &Births) -> Option<Child> {
    if matches!(ended(&mut child, patience), Ok(None)) {
        return Some(child);
    }
    births
        .others()
        .remove(i32::try_from(child.id()).unwrap_or(0));
    None
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
        shell_after(&Left::default(), script, patience, quit)
    }

    fn shell_after(
        left: &Left,
        script: &str,
        patience: Duration,
        quit: &Receiver<()>,
    ) -> io::Result<Vec<u8>> {
        let errand = Errand {
            program: "/bin/sh".as_ref(),
            arguments: &["-c".into(), script.into()],
            sets: None,
            hears: Hears::Output,
            patience,
            longest: 4,
            quit,
        };
        errand.run(&births(), left).map(|(said, _)| said)
    }

    /// It is heard to its end, but not for longer than it may take.
    #[test]
    fn an_errand_has_its_time() {
        let long = Duration::from_secs(60);
        assert_eq!(shell("echo 123456", long, &never()).unwrap(), b"1234");
        let late = shell("echo 1; exec sleep 60", Duration::from_millis(50), &never());
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    /// One that does not go is not waited for, and nothing is started beside it; once it is gone it is
    /// reaped, and the next one runs.
    #[test]
    #[allow(
        clippy::disallowed_methods,
        reason = "stands in for a child that hangs"
    )]
    fn one_that_does_not_go_is_left() {
        let mut hangs = Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let waited = ended(&mut hangs, Duration::from_millis(20)).unwrap();
        assert_eq!(waited, None);
        let left = Left(Mutex::new(Some(hangs)));
        let long = Duration::from_secs(60);
        let beside = shell_after(&left, "echo 1", long, &never()).unwrap_err();
        assert_eq!(beside.kind(), io::ErrorKind::ResourceBusy);
        let mut hangs = left.0.lock().unwrap().take().unwrap();
        hangs.kill().unwrap();
        assert!(ended(&mut hangs, long).unwrap().is_some());
        *left.0.lock().unwrap() = Some(hangs);
        let after = shell_after(&left, "echo 1", long, &never()).unwrap();
        assert_eq!(after, b"1\n");
        assert!(left.0.lock().unwrap().is_none());
    }

    /// One that has nothing to say any more and stays is killed.
    #[test]
    fn silence_is_no_end() {
        let stays = shell("exec >&-; sleep 60", Duration::from_secs(60), &never());
        assert_eq!(stays.unwrap_err().kind(), io::ErrorKind::TimedOut);
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

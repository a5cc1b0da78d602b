//! Asks systemd, by its own commands, with a deadline for each question.

use crate::core::fact::{Errno, Fault};
use crate::edge::children::Births;
use crate::edge::clock;
use crate::edge::spawn::{Program, SpawnError, Spawned, Spawner, Stream};
use crate::units::Mono;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{self, WaitId, WaitIdOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Time for an answer. systemd answers within milliseconds; a busy Pi may take seconds to load the
/// command from its card. Far below what a thread may owe.
const PATIENCE: Duration = Duration::from_secs(10);

/// More of an answer is not read. One unit takes some 600 bytes.
const LONGEST: usize = 1 << 20;

/// What is told of a question that was refused. Nothing of the kernel's is left of it.
pub(super) const REFUSED: Fault = Fault::Errno(Errno(libc::ECANCELED));

const TIMED_OUT: Fault = Fault::Errno(Errno(libc::ETIMEDOUT));

/// Where it is, and what starts it.
pub struct Systemctl {
    program: PathBuf,
    spawner: Spawner,
    births: Option<Births>,
}

impl Systemctl {
    /// This program, by its absolute path. `births`: where its processes are named where there is
    /// somebody else who would reap them.
    ///
    /// # Errors
    /// When no program can be started here at all.
    pub fn new(program: PathBuf, births: Option<Births>) -> io::Result<Systemctl> {
        let spawner = Spawner::new()?;
        Ok(Systemctl {
            program,
            spawner,
            births,
        })
    }

    /// What it answers.
    ///
    /// # Errors
    /// `ETIMEDOUT` if it does not; `ECANCELED` if it refuses, and then the log says what it said.
    pub(super) fn ask(&mut self, arguments: &[&str]) -> Result<String, Fault> {
        let own = ["--no-ask-password", "--quiet"];
        let all: Vec<&str> = own.iter().chain(arguments).copied().collect();
        self.run(&self.program.clone(), &all)
    }

    /// What the journal answers: its command lies beside that of systemd.
    ///
    /// # Errors
    /// As [`Systemctl::ask`].
    pub(super) fn ask_journal(&mut self, arguments: &[&str]) -> Result<String, Fault> {
        self.run(&self.program.with_file_name("journalctl"), arguments)
    }

    fn run(&mut self, path: &Path, arguments: &[&str]) -> Result<String, Fault> {
        let failed = |e: io::Error| Fault::Errno(Errno(e.raw_os_error().unwrap_or(libc::EIO)));
        let (reading, writing) = pipe_with(PipeFlags::CLOEXEC).map_err(|e| failed(e.into()))?;
        let mut program = program(path, arguments).map_err(failed)?;
        program.output = Stream::To(Arc::new(writing));
        program.errors = Stream::Output;
        let spawned = self.spawn(&program);
        drop(program);
        let spawned = spawned.map_err(|e| Fault::Errno(Errno(e.errno as i32)))?;
        let deadline = clock::now().after(PATIENCE);
        let said = read(&reading, deadline);
        let code = said
            .as_ref()
            .ok()
            .and_then(|_| end(&spawned.pidfd, deadline));
        if code.is_none() {
            let _ = process::pidfd_send_signal(&spawned.pidfd, process::Signal::KILL);
            let soon = clock::now().after(Duration::from_millis(100));
            let _ = end(&spawned.pidfd, soon);
        }
        if let Some(births) = &self.births {
            births.others().remove(spawned.pid.as_raw());
        }
        let said = said.map_err(failed)?;
        match code {
            Some(0) => Ok(said),
            Some(_) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                log::warn!("{name} {}: {}", arguments.join(" "), said.trim());
                Err(REFUSED)
            }
            None => Err(TIMED_OUT),
        }
    }
}

impl Systemctl {
    /// Starts it, and says whose it is before anybody could reap it.
    fn spawn(&mut self, program: &Program) -> Result<Spawned, SpawnError> {
        let births = self.births.clone();
        let _coming = births.as_ref().map(Births::begin);
        let spawned = self.spawner.spawn(program)?;
        if let Some(births) = &births {
            births.others().add(spawned.pid.as_raw());
        }
        Ok(spawned)
    }
}

fn program(path: &Path, arguments: &[&str]) -> io::Result<Program> {
    let environment = [
        ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        ("LC_ALL", "C"),
        ("SYSTEMD_PAGER", ""),
        ("SYSTEMD_COLORS", "0"),
    ];
    Program::new(path, arguments, environment)
        .map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))
}

/// Waits for a descriptor; false if the time is over first.
fn wait(fd: impl AsFd, deadline: Mono) -> bool {
    loop {
        let left = clock::wait(deadline.since(clock::now()));
        let left = Timespec::try_from(left).unwrap_or_default();
        match poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&left)) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(n) => return n > 0,
            Err(_) => return false,
        }
    }
}

/// All that is written, until the other end is closed.
fn read(from: &OwnedFd, deadline: Mono) -> io::Result<String> {
    let (mut said, mut piece) = (Vec::new(), [0u8; 4096]);
    loop {
        if !wait(from, deadline) {
            return Err(io::Error::from_raw_os_error(libc::ETIMEDOUT));
        }
        match rustix::io::read(from, &mut piece) {
            Ok(0) => break,
            Ok(n) if said.len() < LONGEST => said.extend_from_slice(&piece[..n]),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// Its exit code, if it ends in time by itself; it is reaped then.
fn end(pidfd: &OwnedFd, deadline: Mono) -> Option<i32> {
    if !wait(pidfd, deadline) {
        return None;
    }
    let flags = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    let status = process::waitid(WaitId::PidFd(pidfd.as_fd()), flags).ok()??;
    Some(status.exit_status().unwrap_or(-1))
}

//! One run of a contestant: started, watched through the reports of its services, stopped.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, getpid, mkfifo};

use super::contestant::{Contestant, Setup};
use super::processes::{self, Cost};

/// Nothing that is measured takes longer, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks whether something has ended; small against a clean stop of 1.5 ms.
const GLANCE: Duration = Duration::from_micros(50);

/// Monotonic time in nanoseconds, as the services report it.
pub fn now() -> Result<u64> {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).context("reading the clock")?;
    Ok(time.tv_sec().unsigned_abs() * 1_000_000_000 + time.tv_nsec().unsigned_abs())
}

/// Where sessions take place.
pub struct Stage {
    directory: PathBuf,
    child: PathBuf,
    stop: Arc<AtomicBool>,
    sessions: Cell<u32>,
}

impl Stage {
    /// Makes a place in memory, and this process the heir of all orphans below it.
    pub fn new(child: PathBuf, stop: Arc<AtomicBool>) -> Result<Stage> {
        nix::sys::prctl::set_child_subreaper(true).context("becoming the heir of orphans")?;
        let directory = PathBuf::from(format!("/dev/shm/fieldwarden-bench-{}", getpid()));
        fs::create_dir(&directory).with_context(|| format!("making {}", directory.display()))?;
        Ok(Stage {
            directory,
            child,
            stop,
            sessions: Cell::new(0),
        })
    }

    fn check_stop(&self) -> Result<()> {
        ensure!(!self.stop.load(Ordering::Relaxed), "interrupted");
        Ok(())
    }

    /// Waits, but not for an interrupt.
    pub fn pause(&self, duration: Duration) -> Result<()> {
        let end = now()? + duration.as_nanos() as u64;
        loop {
            self.check_stop()?;
            let left = Duration::from_nanos(end.saturating_sub(now()?));
            if left.is_zero() {
                return Ok(());
            }
            sleep(left.min(Duration::from_millis(50)));
        }
    }

    /// Ends whatever is left of the sessions, and says how many processes that was.
    pub fn clear(&self) -> usize {
        let mut ended = 0;
        // A supervisor may start another one while its services are being killed.
        for _ in 0..100 {
            let poll = || waitpid(None, Some(WaitPidFlag::WNOHANG));
            while matches!(poll(), Ok(status) if ended_pid(status)) {}
            let left = processes::descendants(getpid());
            if left.is_empty() {
                break;
            }
            for pid in left.into_iter().filter(|pid| processes::is_alive(*pid)) {
                ended += usize::from(kill(pid, Signal::SIGKILL).is_ok());
            }
            sleep(Duration::from_millis(10));
        }
        ended
    }
}

fn ended_pid(status: WaitStatus) -> bool {
    status != WaitStatus::StillAlive
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.clear();
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            eprintln!("bench: removing {}: {error}", self.directory.display());
        }
    }
}

/// What a service does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Runs until it is killed.
    Wait,
    /// Fails at once.
    Fail,
}

/// The latest start of a service.
#[derive(Clone, Copy, Default)]
pub struct Start {
    /// When its `main` began, nanoseconds.
    pub at: u64,
    /// Its process.
    pub pid: i32,
}

/// A running contestant.
pub struct Session<'a> {
    contestant: &'a Contestant,
    stage: &'a Stage,
    setup: Setup,
    root: Pid,
    fifo: File,
    unread: VecDeque<u8>,
    services: Vec<Start>,
    /// Starts of services so far, restarts included.
    pub starts: usize,
    /// From starting the contestant to the last service's first report, nanoseconds.
    pub start_took: u64,
}

impl<'a> Session<'a> {
    /// Starts a contestant with `count` services, and waits until all have reported.
    pub fn start(
        contestant: &'a Contestant,
        stage: &'a Stage,
        count: usize,
        mode: Mode,
    ) -> Result<Session<'a>> {
        let number = stage.sessions.get();
        stage.sessions.set(number + 1);
        let directory = stage
            .directory
            .join(format!("{number}-{}", contestant.name));
        fs::create_dir(&directory)?;
        let path = directory.join("fifo");
        mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).context("making the FIFO")?;
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .custom_flags(nix::libc::O_NONBLOCK);
        let fifo = options.open(&path).context("opening the FIFO")?;
        let mode = match mode {
            Mode::Wait => "wait",
            Mode::Fail => "fail",
        };
        let arguments = (0..count)
            .map(|i| format!("{i}@{mode}@{}", path.display()))
            .collect();
        let setup = Setup {
            directory,
            child: stage.child.clone(),
            arguments,
        };
        (contestant.configure)(&setup)
            .with_context(|| format!("configuring {}", contestant.name))?;
        let began = now()?;
        let root = launch(contestant, &setup)?;
        let services = vec![Start::default(); count];
        let mut session = Session {
            contestant,
            stage,
            setup,
            root,
            fifo,
            services,
            unread: VecDeque::new(),
            starts: 0,
            start_took: 0,
        };
        let last = session.wait_for_all(began)?;
        session.start_took = last - began;
        Ok(session)
    }

    /// How many services it has.
    pub fn count(&self) -> usize {
        self.services.len()
    }

    /// Kills a service, and says when.
    pub fn kill_service(&self, id: usize) -> Result<u64> {
        let pid = Pid::from_raw(self.services[id].pid);
        let ours = pid.as_raw() > 1 && {
            let argument = self.setup.arguments[id].as_bytes();
            processes::has_one_of(pid, &[argument].into())
        };
        ensure!(
            ours,
            "{}: service {id} (process {pid}) is gone",
            self.contestant.name
        );
        let at = now()?;
        kill(pid, Signal::SIGKILL).with_context(|| format!("killing service {id}"))?;
        Ok(at)
    }

    /// Kills all services, the last one as soon after the first as can be; says when it began.
    pub fn kill_all(&self) -> Result<u64> {
        let began = now()?;
        for id in 0..self.count() {
            self.kill_service(id)?;
        }
        Ok(began)
    }

    /// When the start of this service after `moment` began.
    pub fn wait_for(&mut self, id: usize, moment: u64) -> Result<u64> {
        self.wait_until(|session| session.services[id].at > moment)?;
        Ok(self.services[id].at)
    }

    /// When the last of all services began, each after `moment`.
    pub fn wait_for_all(&mut self, moment: u64) -> Result<u64> {
        self.wait_until(|session| session.services.iter().all(|s| s.at > moment))?;
        Ok(self.services.iter().map(|s| s.at).max().unwrap_or(moment))
    }

    fn wait_until(&mut self, done: impl Fn(&Session<'_>) -> bool) -> Result<()> {
        let end = now()? + PATIENCE.as_nanos() as u64;
        loop {
            self.read_reports()?;
            if done(self) {
                return Ok(());
            }
            self.stage.check_stop()?;
            if now()? > end {
                bail!(
                    "{}: a service did not start within {PATIENCE:?}; {}",
                    self.contestant.name,
                    self.log()
                );
            }
            let mut ready = [PollFd::new(self.fifo.as_fd(), PollFlags::POLLIN)];
            match poll(&mut ready, PollTimeout::from(100_u8)) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(error).context("waiting for reports"),
            }
        }
    }

    /// Takes in what the services have reported: nanoseconds, number and process, 16 bytes.
    pub fn read_reports(&mut self) -> Result<()> {
        let mut buffer = [0; 4096];
        loop {
            match self.fifo.read(&mut buffer) {
                Ok(0) => break,
                Ok(got) => self.unread.extend(&buffer[..got]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("reading reports"),
            }
        }
        while self.unread.len() >= 16 {
            let record: Vec<u8> = self.unread.drain(..16).collect();
            let at = u64::from_ne_bytes(record[..8].try_into()?);
            let id = u32::from_ne_bytes(record[8..12].try_into()?) as usize;
            let pid = i32::from_ne_bytes(record[12..].try_into()?);
            *self
                .services
                .get_mut(id)
                .context("a report of an unknown service")? = Start { at, pid };
            self.starts += 1;
        }
        Ok(())
    }

    /// Cost of the contestant's own processes, services not counted.
    pub fn own_cost(&mut self) -> Result<Cost> {
        self.read_reports()?;
        let arguments = self.setup.arguments.iter().map(|a| a.as_bytes()).collect();
        let mut own = processes::descendants(self.root);
        own.retain(|pid| !processes::has_one_of(*pid, &arguments));
        own.push(self.root);
        Ok(Cost::of(&own))
    }

    /// Stops the contestant in its orderly way; the time until it and all services are gone.
    pub fn stop(mut self) -> Result<u64> {
        self.read_reports()?;
        let services: Vec<Pid> = self.services.iter().map(|s| Pid::from_raw(s.pid)).collect();
        let began = now()?;
        kill(self.root, self.contestant.stop.signal).context("stopping it")?;
        if let Some(command) = self.contestant.stop.command {
            run_to_end(self.contestant, &command(&self.setup))?;
        }
        let end = began + PATIENCE.as_nanos() as u64;
        let mut waiting = services;
        let mut root_gone = false;
        while !root_gone || !waiting.is_empty() {
            self.stage.check_stop()?;
            root_gone =
                root_gone || waitpid(self.root, Some(WaitPidFlag::WNOHANG)).is_ok_and(ended_pid);
            while waiting.last().is_some_and(|pid| !processes::is_alive(*pid)) {
                waiting.pop();
            }
            if now()? > end {
                let left = waiting.len();
                bail!(
                    "{}: not stopped within {PATIENCE:?}, {left} services left; {}",
                    self.contestant.name,
                    self.log()
                );
            }
            sleep(GLANCE);
        }
        Ok(now()? - began)
    }

    /// The end of what the contestant said.
    fn log(&self) -> String {
        let text = fs::read(self.setup.directory.join("log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let tail = &lines[lines.len().saturating_sub(10)..];
        format!("the end of what it said:\n{}", tail.join("\n"))
    }
}

fn command(contestant: &Contestant, program: &std::ffi::OsStr) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(contestant.environment.iter().cloned());
    command.stdin(Stdio::null());
    command
}

fn launch(contestant: &Contestant, setup: &Setup) -> Result<Pid> {
    let log = File::create(setup.directory.join("log")).context("making its log")?;
    let mut command = command(contestant, contestant.program.as_os_str());
    command
        .args((contestant.arguments)(setup))
        .stdout(log.try_clone()?)
        .stderr(log);
    command.current_dir(&setup.directory);
    let child = command.spawn();
    let child = child.with_context(|| format!("starting {}", contestant.program.display()))?;
    Ok(Pid::from_raw(i32::try_from(child.id())?))
}

fn run_to_end(contestant: &Contestant, line: &[std::ffi::OsString]) -> Result<()> {
    let (program, arguments) = line.split_first().context("an empty command")?;
    let status = command(contestant, program).args(arguments).status();
    let status = status.with_context(|| format!("running {}", program.display()))?;
    ensure!(status.success(), "{} failed ({status})", program.display());
    Ok(())
}

//! Starts programs without ever forking.
//!
//! A *spawn* is one `clone3` call that shares the daemon's memory with the child and suspends the
//! calling thread until the child has executed its program, so that its cost does not grow with
//! our memory and a failed `execve` is known at once. The child is born with a *pidfd*, so no pid
//! can be mistaken for a later process, and inside its cgroup. Why, with figures:
//! `docs/decisions/0001-spawning.md`; why it is sound: [`raw`].
//!
//! From its birth until just before its exec a child holds copies of our descriptors (with
//! [`Method::Sharing`] only of the lowest). So closing one does not take it out of `epoll`: delete it
//! first, or it stays ready meanwhile; and a pipe or connection may be closed a little later than we
//! did. The exec itself, in which it may wait for the card, holds none of them.
//!
//! This module never reaps, signals or decides; it never searches `PATH`, sets no parent-death
//! signal (services outlive the daemon), and the calling thread may be suspended for as long as
//! the file system takes to read the program. Our out-of-memory score is read when the
//! [`Spawner`] is made: adjust it before.

mod arch;
mod child;
mod confine;
mod method;
mod program;
mod raw;
mod sandbox;
mod start_time;

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use super::clock;
use child::{Order, PROOF, Task};
use raw::Stack;

pub use method::Method;
pub use start_time::start_time;

pub use program::{BadProgram, Handed, Identity, Limit, Program, Scheduling, Stream};
pub use sandbox::{Access, PATHS_MAX, SECRET_MAX, SECRETS_MAX, Sandbox};

/// The step of a spawn that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Stage {
    /// Creating the process.
    Clone = 1,
    /// Starting a session.
    Session,
    /// Joining the cgroup.
    Cgroup,
    /// Resetting the out-of-memory score.
    OomScore,
    /// Setting scheduler or nice value.
    Priority,
    /// Getting a view of the file systems of its own.
    Mounts,
    /// Taking over its secrets.
    Secrets,
    /// Making paths read-only, and others not.
    Paths,
    /// Mounting its own /tmp and /var/tmp.
    Tmp,
    /// Getting a network of its own.
    Network,
    /// Setting a resource limit.
    Limits,
    /// Connecting standard input, output or error.
    Output,
    /// Giving up or keeping capabilities.
    Capabilities,
    /// Setting the group or the supplementary groups.
    Groups,
    /// Setting the user.
    User,
    /// Entering the directory.
    Directory,
    /// Forbidding new privileges.
    Privileges,
    /// Executing the file.
    Exec,
}

impl Stage {
    const ALL: [Stage; 18] = [
        Stage::Clone,
        Stage::Session,
        Stage::Cgroup,
        Stage::OomScore,
        Stage::Priority,
        Stage::Mounts,
        Stage::Secrets,
        Stage::Paths,
        Stage::Tmp,
        Stage::Network,
        Stage::Limits,
        Stage::Output,
        Stage::Capabilities,
        Stage::Groups,
        Stage::User,
        Stage::Directory,
        Stage::Privileges,
        Stage::Exec,
    ];

    /// What was being done, to be read after "while".
    pub fn name(self) -> &'static str {
        match self {
            Stage::Clone => "creating the process",
            Stage::Session => "starting a session",
            Stage::Cgroup => "joining the cgroup",
            Stage::OomScore => "resetting the out-of-memory score",
            Stage::Priority => "setting the priority",
            Stage::Mounts => "getting a view of the file systems of its own",
            Stage::Secrets => "taking over its secrets",
            Stage::Paths => "making paths read-only",
            Stage::Tmp => "mounting its own /tmp and /var/tmp",
            Stage::Network => "getting a network of its own",
            Stage::Limits => "setting a resource limit",
            Stage::Output => "connecting input and output",
            Stage::Capabilities => "setting the capabilities",
            Stage::Groups => "setting the groups",
            Stage::User => "setting the user",
            Stage::Directory => "entering the directory",
            Stage::Privileges => "forbidding new privileges",
            Stage::Exec => "executing the file",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a program did not start. Nothing of it is left: the child has been reaped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{} while {stage}", errno.desc())]
pub struct SpawnError {
    /// The step that failed.
    pub stage: Stage,
    /// What the kernel said.
    pub errno: Errno,
}

/// A child that executed its program. It is ours to reap, through the pidfd.
#[derive(Debug)]
pub struct Spawned {
    /// Its process id; sure to be its own until it is reaped.
    pub pid: Pid,
    /// Readable once it has ended; closed by exec.
    pub pidfd: OwnedFd,
    /// When it was created, where the clock alone can tell.
    created: Option<u64>,
}

impl Spawned {
    /// When it was created, see [`start_time`]. Good until it is reaped.
    ///
    /// Nearly always known from the clock; only for a child whose creation may have been on either
    /// side of a tick is `/proc` read, which costs as much as half a spawn, or several.
    pub fn start_time(&self) -> io::Result<u64> {
        self.created.map_or_else(|| start_time(self.pid), Ok)
    }
}

/// Starts programs, one at a time. Owns the stack that their first instructions run on.
pub struct Spawner {
    stack: Stack,
    null: Arc<OwnedFd>,
    method: Method,
    /// Our own adjustment, -1000 to 1000.
    oom_score: i32,
    /// Signals that this process ignores: bit 0 is signal 1.
    ignored: u64,
}

impl Spawner {
    /// Finds the best method that works here, by trying it on a child that exits at once. Signals that
    /// are to be ignored here must be so before: later ones would be ignored in children, too.
    ///
    /// # Errors
    /// No memory, no `/dev/null`, or no method works: a kernel before 5.3, or a sandbox.
    pub fn new() -> io::Result<Spawner> {
        let mut last = None;
        for method in Method::ALL {
            match Spawner::with_method(method) {
                Ok(spawner) => return Ok(spawner),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| io::ErrorKind::Unsupported.into()))
    }

    /// Like [`new`](Spawner::new), but with this method or none.
    pub fn with_method(method: Method) -> io::Result<Spawner> {
        let null = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/null")?;
        let (oom_score, ignored) = (own_oom_score()?, ignored());
        let mut spawner = Spawner {
            stack: Stack::new()?,
            null: Arc::new(null.into()),
            method,
            oom_score,
            ignored,
        };
        spawner.prove()?;
        Ok(spawner)
    }

    /// Another one that starts programs as this one does, for another thread.
    ///
    /// # Errors
    /// No memory.
    pub fn twin(&self) -> io::Result<Spawner> {
        Ok(Spawner {
            stack: Stack::new()?,
            null: self.null.clone(),
            method: self.method,
            oom_score: self.oom_score,
            ignored: self.ignored,
        })
    }

    /// The method in use.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Starts `program` and returns as soon as it has been executed.
    ///
    /// # Errors
    /// The step that failed; the child is gone and reaped then.
    pub fn spawn(&mut self, program: &Program) -> Result<Spawned, SpawnError> {
        let cgroup = program.cgroup.as_ref().map(|fd| fd.as_raw_fd());
        let into = matches!(self.method, Method::Sharing | Method::Clone3);
        if into && cgroup.is_some() {
            match self.attempt(program, cgroup, None) {
                // The kernel does not say whether it was the cgroup. The second way does.
                Err(e) if e.stage == Stage::Clone && !is_shortage(e.errno) => {}
                result => return result,
            }
        }
        self.attempt(program, None, cgroup)
    }

    /// One try, the child being born in the cgroup `into`, or joining `join` itself.
    fn attempt(
        &mut self,
        program: &Program,
        into: Option<RawFd>,
        join: Option<RawFd>,
    ) -> Result<Spawned, SpawnError> {
        let failed = |errno| SpawnError {
            stage: Stage::Clone,
            errno,
        };
        let pipe = match self.method {
            Method::Sharing | Method::Clone3 | Method::Clone => None,
            Method::Emulated => Some(report_pipe().map_err(failed)?),
        };
        let task = Task::Execute {
            program,
            join,
            oom_score: self.oom_score,
        };
        let mut order = self.order(task, pipe.as_ref().map(|(_, end)| end.as_raw_fd()));
        if let Some(cut) = &mut order.cut {
            *cut = self.behind(program, join).max(*cut);
        }
        let spawned = self.create(into, &order).map_err(failed)?;
        let report = match pipe {
            None => order.report.load(Ordering::Relaxed),
            Some((reading, writing)) => {
                drop(writing);
                read_report(reading)
            }
        };
        match child::unpack(report) {
            None => Ok(spawned),
            Some(error) => {
                reap(&spawned.pidfd);
                Err(error)
            }
        }
    }

    fn order<'a>(&self, task: Task<'a>, pipe: Option<RawFd>) -> Order<'a> {
        Order {
            task,
            null: self.null.as_raw_fd(),
            cut: (self.method == Method::Sharing).then(|| self.null.as_raw_fd().max(2) + 1),
            // `clone3` takes handlers away, and leaves what is ignored.
            altered: match self.method {
                Method::Sharing | Method::Clone3 => self.ignored,
                Method::Clone | Method::Emulated => u64::MAX,
            },
            pipe,
            report: AtomicU32::new(0),
        }
    }

    /// The number behind all descriptors that the child of this program needs.
    fn behind(&self, program: &Program, join: Option<RawFd>) -> RawFd {
        let streams = [&program.input, &program.output, &program.errors].into_iter();
        let handed = program.handed().iter().map(|handed| &handed.stream);
        let needed = streams.chain(handed).filter_map(|stream| match stream {
            Stream::To(fd) => Some(fd.as_raw_fd()),
            Stream::Null | Stream::Inherit | Stream::Fifo(_) | Stream::Output => None,
        });
        needed.chain(join).max().map_or(0, |highest| highest + 1)
    }

    fn create(&mut self, into: Option<RawFd>, order: &Order<'_>) -> Result<Spawned, Errno> {
        let call = self.method.call(into);
        let before = clock::boot_ticks();
        let (pid, pidfd) = raw::start(&mut self.stack, call, order).map_err(Errno::from_raw)?;
        let created = Some(before).filter(|before| *before == clock::boot_ticks());
        let pid = Pid::from_raw(pid);
        let pidfd = match pidfd {
            Some(pidfd) => pidfd,
            None => open_pidfd(pid)?,
        };
        Ok(Spawned {
            pid,
            pidfd,
            created,
        })
    }

    /// Lets a child do nothing but leave a mark in our memory.
    fn prove(&mut self) -> io::Result<()> {
        let order = self.order(Task::Prove, None);
        let spawned = self.create(None, &order)?;
        reap(&spawned.pidfd);
        let marked = order.report.load(Ordering::Relaxed) == PROOF;
        match self.method {
            Method::Sharing | Method::Clone3 | Method::Clone if !marked => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the child shares no memory (an emulator), or could not take its descriptors",
            )),
            Method::Sharing | Method::Clone3 | Method::Clone | Method::Emulated => Ok(()),
        }
    }
}

/// Errors of creation that a second try would only repeat.
fn is_shortage(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::EAGAIN | Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE
    )
}

fn own_oom_score() -> io::Result<i32> {
    let text = fs::read_to_string("/proc/self/oom_score_adj")?;
    text.trim().parse().map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "/proc/self/oom_score_adj is not a number",
        )
    })
}

/// Signals that this process ignores, by its own choice or by that of whoever started it. All, where
/// that cannot be read.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|l| l.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(u64::MAX)
}

/// A pipe that exec closes: reading, writing.
fn report_pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    let (reading, writing) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    // What is handed over to the child must not take its place.
    let writing = program::above_handed(&writing);
    let failed = |e: io::Error| Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO));
    Ok((reading, writing.map_err(failed)?))
}

/// What the child wrote before it exited; zero if exec closed the pipe.
fn read_report(reading: OwnedFd) -> u32 {
    let mut report = [0; 4];
    match File::from(reading).read_exact(&mut report) {
        Ok(()) => u32::from_ne_bytes(report),
        Err(_closed) => 0,
    }
}

/// A pidfd of our child `pid`, which nobody has reaped. If that fails, the child is ended.
fn open_pidfd(pid: Pid) -> Result<OwnedFd, Errno> {
    let known = rustix::process::Pid::from_raw(pid.as_raw()).ok_or(Errno::ESRCH)?;
    let flags = rustix::process::PidfdFlags::empty();
    rustix::process::pidfd_open(known, flags).map_err(|error| {
        // Not told apart by a pidfd, it could not be supervised.
        let _gone = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        let _gone = nix::sys::wait::waitpid(pid, None);
        Errno::from_raw(error.raw_os_error())
    })
}

/// Takes away a child that has exited or is about to.
fn reap(pidfd: &OwnedFd) {
    while waitid(Id::PIDFd(pidfd.as_fd()), WaitPidFlag::WEXITED) == Err(Errno::EINTR) {}
}

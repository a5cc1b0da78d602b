//! A program prepared for spawning: everything the child needs, in the form the kernel takes.

use std::ffi::{CStr, CString, NulError, OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use super::raw::Strings;
use super::sandbox::Sandbox;

/// Where a standard stream of the child leads.
#[derive(Clone, Debug)]
pub enum Stream {
    /// `/dev/null`.
    Null,
    /// The daemon's own.
    Inherit,
    /// This descriptor.
    To(Arc<OwnedFd>),
    /// This FIFO, which the child opens for reading and writing: so nobody has to keep it open, and
    /// nobody's death breaks it.
    Fifo(CString),
    /// Where the output goes; for errors only.
    Output,
}

impl Stream {
    /// The FIFO at this path.
    pub fn fifo(path: &Path) -> Result<Stream, BadProgram> {
        text(path.as_os_str(), "the path of a FIFO").map(Stream::Fifo)
    }
}

/// How the child is scheduled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheduling {
    /// Like the thread that spawns it.
    Inherit,
    /// `SCHED_OTHER`: needed where the spawning thread has a real-time policy.
    Ordinary,
}

/// A resource limit, as `prlimit(2)` takes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// `RLIMIT_*` of libc.
    pub resource: u32,
    /// The limit in force, in the unit of the resource; `u64::MAX` for none.
    pub soft: u64,
    /// How far the child may raise `soft`; `u64::MAX` for no bound.
    pub hard: u64,
}

/// Who the child runs as. Numbers: the child cannot look names up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Real, effective and saved user id.
    pub user: u32,
    /// Real, effective and saved group id.
    pub group: u32,
    /// Exactly the supplementary groups; empty for none.
    pub groups: Vec<u32>,
}

/// Why a program cannot be prepared.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadProgram {
    /// The path is not absolute; nothing is searched for in `PATH`.
    #[error(
        "program {0:?} is not an absolute path; write it in full, for example \"/usr/bin/env\""
    )]
    NotAbsolute(OsString),
    /// A string cannot be handed to a program.
    #[error("{0} contains a NUL byte, which no program can be given; remove it")]
    Nul(&'static str),
    /// The name of an environment variable is empty or contains `=`.
    #[error("environment variable {0:?} has no usable name; it must not be empty or contain \"=\"")]
    BadName(OsString),
    /// More than there may be.
    #[error("there are too many {0} in a sandbox; at most {1} can be")]
    TooMany(&'static str, usize),
}

/// A descriptor beyond the standard ones that the child gets.
#[derive(Clone, Debug)]
pub struct Handed {
    /// Its number there, from 3 to 100.
    pub number: RawFd,
    /// Where it leads: to a descriptor or a FIFO.
    pub stream: Stream,
}

/// Largest number that a descriptor can be handed over as. Descriptors that are handed over, and what
/// is needed until exec, have larger ones here, so that none is in the way of another.
pub const HANDED_MAX: RawFd = 100;

/// A program ready to be spawned any number of times.
///
/// The public fields start as a service wants them: own session, umask 022, no input, the daemon's
/// output and errors, everything else untouched.
pub struct Program {
    path: CString,
    arguments: Strings,
    environment: Strings,
    directory: Option<CString>,
    handed: Vec<Handed>,
    /// Standard input.
    pub input: Stream,
    /// Standard output.
    pub output: Stream,
    /// Standard error.
    pub errors: Stream,
    /// Directory of the cgroup (version 2) that the child belongs to from its first instruction.
    pub cgroup: Option<Arc<OwnedFd>>,
    /// A session, and with it a process group, of its own.
    pub session: bool,
    /// Permission bits that the child's new files do not get.
    pub umask: u32,
    /// Scheduling policy.
    pub scheduling: Scheduling,
    /// Nice value, -20 (first) to 19 (last); `None` leaves the daemon's.
    pub nice: Option<i32>,
    /// Resource limits, set in this order while the child still has the daemon's privileges.
    pub limits: Vec<Limit>,
    /// Who it runs as; `None` for the daemon's own identity.
    pub identity: Option<Identity>,
    /// Exactly these capabilities, bit N for number N, and none of its programs can get more; `None`
    /// for what the kernel makes of the identity.
    pub capabilities: Option<u64>,
    /// No set-user-id program or file capability gives it more than it has.
    pub no_new_privileges: bool,
    /// What it sees of the machine, where that is not all of it.
    pub sandbox: Option<Box<Sandbox>>,
    /// Text of the adjustment of the out-of-memory score, where it is not 0.
    oom_score: Option<Box<[u8]>>,
}

impl Program {
    /// A program with its arguments (the first, its own name, is added) and its whole environment.
    pub fn new<A, E, K, V>(path: &Path, arguments: A, environment: E) -> Result<Program, BadProgram>
    where
        A: IntoIterator<Item: AsRef<OsStr>>,
        E: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        if !path.is_absolute() {
            return Err(BadProgram::NotAbsolute(path.into()));
        }
        let path = text(path.as_os_str(), "the program's path")?;
        let mut argv = vec![path.clone()];
        for argument in arguments {
            argv.push(text(argument.as_ref(), "an argument")?);
        }
        let mut envp = Vec::new();
        for (name, value) in environment {
            envp.push(variable(name.as_ref(), value.as_ref())?);
        }
        Ok(Program {
            path,
            arguments: Strings::new(argv),
            environment: Strings::new(envp),
            directory: None,
            handed: Vec::new(),
            input: Stream::Null,
            output: Stream::Inherit,
            errors: Stream::Inherit,
            cgroup: None,
            session: true,
            umask: 0o022,
            scheduling: Scheduling::Inherit,
            nice: None,
            limits: Vec::new(),
            identity: None,
            capabilities: None,
            no_new_privileges: false,
            sandbox: None,
            oom_score: None,
        })
    }

    /// The directory that the child starts in, entered as its user; otherwise the daemon's.
    pub fn set_directory(&mut self, directory: &Path) -> Result<(), BadProgram> {
        self.directory = Some(text(directory.as_os_str(), "the directory")?);
        Ok(())
    }

    /// How soon the kernel takes it for the one to end when memory is out, -1000 to 1000; otherwise 0.
    pub fn set_oom_score(&mut self, score: i32) {
        self.oom_score = (score != 0).then(|| score.to_string().into_bytes().into());
    }

    pub(super) fn oom_score(&self) -> Option<&[u8]> {
        self.oom_score.as_deref()
    }

    /// What the child gets beyond the standard descriptors, in place of what was given before.
    ///
    /// # Errors
    /// A number that cannot be, or no more descriptors here.
    pub fn hand_over(&mut self, mut handed: Vec<Handed>) -> io::Result<()> {
        handed.sort_by_key(|handed| handed.number);
        let numbers = || handed.iter().map(|handed| handed.number);
        let twice = numbers().zip(numbers().skip(1)).any(|(a, b)| a == b);
        if twice || !numbers().all(|number| (3..=HANDED_MAX).contains(&number)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        for Handed { stream, .. } in &mut handed {
            if let Stream::To(fd) = stream
                && fd.as_raw_fd() <= HANDED_MAX
            {
                *fd = Arc::new(above_handed(fd)?);
            }
        }
        self.handed = handed;
        Ok(())
    }

    /// The child gets nothing beyond the standard descriptors.
    pub fn hand_over_nothing(&mut self) {
        self.handed.clear();
    }

    /// Tells the child of the descriptors that are handed over from 3 on, as `sd_listen_fds(3)` has it;
    /// it adds the number of its process. `names` are parted by colons; without any it is told nothing.
    ///
    /// # Errors
    /// A name that no program can be given.
    pub fn name_handed(&mut self, names: Option<&str>) -> Result<(), BadProgram> {
        let own = self.environment.as_slice().iter();
        let own = own.filter(|variable| !variable.to_bytes().starts_with(b"LISTEN_"));
        let mut envp: Vec<CString> = own.cloned().collect();
        self.environment = match names {
            None => Strings::new(envp),
            Some(names) => {
                let count = names.split(':').count().to_string();
                envp.push(variable("LISTEN_FDS".as_ref(), count.as_ref())?);
                envp.push(variable("LISTEN_FDNAMES".as_ref(), names.as_ref())?);
                Strings::with_pid(envp)
            }
        };
        Ok(())
    }

    pub(super) fn handed(&self) -> &[Handed] {
        &self.handed
    }

    /// The path that is executed.
    pub fn path(&self) -> &CStr {
        &self.path
    }

    /// The arguments as given, after the program's name.
    pub fn given_arguments(&self) -> &[CString] {
        self.arguments.as_slice().get(1..).unwrap_or_default()
    }

    pub(super) fn arguments(&self) -> &Strings {
        &self.arguments
    }

    pub(super) fn environment(&self) -> &Strings {
        &self.environment
    }

    pub(super) fn directory(&self) -> Option<&CStr> {
        self.directory.as_deref()
    }
}

/// A copy with a number beyond those that are handed over.
pub(super) fn above_handed(fd: &OwnedFd) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(fd, HANDED_MAX + 1)?)
}

pub(super) fn text(given: &OsStr, what: &'static str) -> Result<CString, BadProgram> {
    CString::new(given.as_bytes()).map_err(|_: NulError| BadProgram::Nul(what))
}

fn variable(name: &OsStr, value: &OsStr) -> Result<CString, BadProgram> {
    if name.is_empty() || name.as_bytes().contains(&b'=') {
        return Err(BadProgram::BadName(name.into()));
    }
    let mut entry = name.as_bytes().to_vec();
    entry.push(b'=');
    entry.extend_from_slice(value.as_bytes());
    CString::new(entry).map_err(|_: NulError| BadProgram::Nul("the environment"))
}

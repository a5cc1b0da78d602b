//! Talks to init: readiness, status, and the pets that its own watchdog wants.
//!
//! Terms: the *notify socket* is where init listens (`NOTIFY_SOCKET`); its *watchdog* restarts a
//! daemon that stops petting it (`WatchdogSec=`). The environment is read once, at the start, and
//! never changed: children get [`Environment::for_children`], which leaves out everything that was
//! meant for us alone. Never blocks: when init does not read, a message is not sent and the caller
//! is told so.

use crate::core::fact::{Errno, Fault};
use sd_notify::NotifyState;
use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

/// Variables that init sets for us and that would make a child speak in our name, listen to our
/// sockets, take our log for its own, write to our directories or save memory as we do.
const OURS: [&str; 18] = [
    "GLIBC_TUNABLES",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "JOURNAL_STREAM",
    "INVOCATION_ID",
    "SYSTEMD_EXEC_PID",
    "MAINPID",
    "MANAGERPID",
    "FDSTORE",
    "CREDENTIALS_DIRECTORY",
    "RUNTIME_DIRECTORY",
    "STATE_DIRECTORY",
    "CACHE_DIRECTORY",
    "LOGS_DIRECTORY",
    "CONFIGURATION_DIRECTORY",
    super::luggage::VARIABLE,
    super::successor::REFUSED,
];

/// The same, by their beginning: passed sockets, and the memory pressure of our control group.
const OUR_PREFIXES: [&str; 2] = ["LISTEN_", "MEMORY_PRESSURE_"];

/// Longest status line, in bytes. systemd drops a datagram above 4096 bytes whole; people read the
/// beginning only.
const STATUS_LENGTH: usize = 1024;

/// Why the notify socket of the environment cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Not a form that systemd documents for Unix sockets.
    #[error(
        "NOTIFY_SOCKET: `{0}` is neither an absolute path nor an abstract name (@NAME); \
         run the daemon with Type=notify under systemd, or without the variable"
    )]
    Form(String),
    /// Longer than the address of a Unix socket can be, or with a zero byte in it.
    #[error("NOTIFY_SOCKET: `{0}`: {1}")]
    Address(String, io::Error),
    /// The kernel gave us no socket.
    #[error("NOTIFY_SOCKET: cannot make a socket to send from: {0}")]
    Socket(io::Error),
}

/// The variables that this process was started with.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: Vec<(OsString, OsString)>,
}

impl Environment {
    /// Those of this process.
    pub fn of_this_process() -> Environment {
        std::env::vars_os().collect()
    }

    /// Every variable.
    pub fn all(&self) -> &[(OsString, OsString)] {
        &self.variables
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        let mut pairs = self.variables.iter();
        let (_, value) = pairs.find(|(key, _)| key == name)?;
        Some(value)
    }

    /// Init started this process, and wants to hear of it.
    pub fn by_init(&self) -> bool {
        self.get("NOTIFY_SOCKET").is_some()
    }

    /// What children inherit: everything except what init meant for us.
    pub fn for_children(&self) -> Vec<(OsString, OsString)> {
        let kept = |(name, _): &&(OsString, OsString)| !is_ours(name);
        self.variables.iter().filter(kept).cloned().collect()
    }

    /// The longest time that init lets pass between two pets; pet at half of it or faster. `None`
    /// if init does not watch us: nothing set, zero, not a number, or meant for another process.
    pub fn watchdog(&self, own_pid: u32) -> Option<Duration> {
        if let Some(pid) = self.get("WATCHDOG_PID")
            && pid.to_str()?.parse() != Ok(own_pid)
        {
            return None;
        }
        let micros: u64 = self.get("WATCHDOG_USEC")?.to_str()?.parse().ok()?;
        (micros > 0).then(|| Duration::from_micros(micros))
    }
}

impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(pairs: I) -> Environment {
        Environment {
            variables: pairs.into_iter().collect(),
        }
    }
}

fn is_ours(name: &OsStr) -> bool {
    let begins = |prefix: &str| name.as_bytes().starts_with(prefix.as_bytes());
    OURS.iter().any(|ours| name == *ours) || OUR_PREFIXES.iter().any(|prefix| begins(prefix))
}

/// The way to init, or to nobody where no init wants to hear of us.
#[derive(Debug)]
pub struct Init {
    line: Option<(UnixDatagram, SocketAddr)>,
    message: String,
}

impl Init {
    /// The way that the environment names.
    ///
    /// # Errors
    /// It names one that cannot be used.
    pub fn of(environment: &Environment) -> Result<Init, SocketError> {
        let line = match environment.get("NOTIFY_SOCKET") {
            Some(name) => Some((sender()?, address(name)?)),
            None => None,
        };
        let message = String::new();
        Ok(Init { line, message })
    }

    /// Init wants to hear of us.
    pub fn listens(&self) -> bool {
        self.line.is_some()
    }

    /// Says that the start is over.
    ///
    /// # Errors
    /// [`Fault::Busy`] if init does not read, else what the kernel said. Nothing was sent then.
    pub fn ready(&mut self) -> Result<(), Fault> {
        self.tell(&[NotifyState::Ready])
    }

    /// Says that the end has begun.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn stopping(&mut self) -> Result<(), Fault> {
        self.tell(&[NotifyState::Stopping])
    }

    /// Says that a successor in this process takes over, which will say that it is ready.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn reloading(&mut self) -> Result<(), Fault> {
        // Without the time of it, which cannot be missing, newer ones of systemd would not take it.
        let now = NotifyState::monotonic_usec_now().ok();
        let states: Vec<NotifyState> = [NotifyState::Reloading].into_iter().chain(now).collect();
        self.tell(&states)
    }

    /// Asks for at least this long, from now on, before init takes the start or the end for stuck.
    /// Whatever time init had for it anyway stays.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn extend(&mut self, time: Duration) -> Result<(), Fault> {
        let micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        self.tell(&[NotifyState::ExtendTimeoutUsec(micros)])
    }

    /// Pets init's watchdog.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn pet(&mut self) -> Result<(), Fault> {
        self.tell(&[NotifyState::Watchdog])
    }

    /// Shows one line in `systemctl status`. Control characters become spaces, so that no text can
    /// smuggle in a message of its own; what is too long is cut.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn status(&mut self, line: &str) -> Result<(), Fault> {
        let mut clean = String::with_capacity(line.len().min(STATUS_LENGTH));
        for c in line.chars() {
            if clean.len() + c.len_utf8() > STATUS_LENGTH {
                break;
            }
            clean.push(if c.is_control() { ' ' } else { c });
        }
        self.tell(&[NotifyState::Status(&clean)])
    }

    /// Sends these in one message. The address is looked up anew each time, because init may make
    /// its socket anew.
    fn tell(&mut self, states: &[NotifyState]) -> Result<(), Fault> {
        let Some((socket, init)) = &self.line else {
            return Ok(());
        };
        self.message.clear();
        for state in states {
            // Writing to a string cannot fail.
            let _ = writeln!(self.message, "{state}");
        }
        match socket.send_to_addr(self.message.as_bytes(), init) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(Fault::Busy),
            Err(error) => Err(Fault::Errno(Errno(
                error.raw_os_error().unwrap_or(libc::EIO),
            ))),
        }
    }
}

/// A socket that never waits for its receiver.
fn sender() -> Result<UnixDatagram, SocketError> {
    let socket = UnixDatagram::unbound().map_err(SocketError::Socket)?;
    socket.set_nonblocking(true).map_err(SocketError::Socket)?;
    Ok(socket)
}

/// The address behind `/PATH` or `@NAME`.
pub(super) fn address(name: &OsStr) -> Result<SocketAddr, SocketError> {
    let shown = || name.to_string_lossy().into_owned();
    let address = match name.as_bytes() {
        [b'@', rest @ ..] if !rest.is_empty() => SocketAddr::from_abstract_name(rest),
        [b'/', ..] => SocketAddr::from_pathname(Path::new(name)),
        _ => return Err(SocketError::Form(shown())),
    };
    address.map_err(|error| SocketError::Address(shown(), error))
}

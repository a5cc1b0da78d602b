//! The socket in the file system, and the lock that says whose it is.

use super::{GROUP, LOCK, SOCKET};
use crate::edge::{lock, luggage};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Names of what a successor in this process is given.
const LISTENER: &str = "control";
const LOCKED: &str = "lock";

/// Longest path of a socket in bytes: the kernel's 108 with the NUL at the end.
const PATH_MAX: usize = 107;

/// Owner and group may connect; nobody else.
const MODE: u32 = 0o660;

/// Of the lock: whoever may open it, even to read only, can hold it, and then no daemon starts.
const LOCK_MODE: u32 = 0o600;

/// Where groups stand.
const GROUPS: &str = "/etc/group";

/// A socket that listens, and the lock on its directory. The kernel takes the lock back when the
/// daemon dies, however it dies.
#[derive(Debug)]
pub struct Door {
    pub(super) listener: UnixListener,
    path: PathBuf,
    lock: File,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// Another daemon holds the directory.
    #[error("another fieldwarden{} runs with {}; end that one first, or give this one another \
             runtime directory", pid_text(.pid), .dir.display())]
    Taken {
        /// The runtime directory.
        dir: PathBuf,
        /// Its number, where it could be read.
        pid: Option<u32>,
    },
    /// A path does not fit into the kernel's address of a socket.
    #[error("{} is too long for a socket ({} bytes, at most {PATH_MAX}); choose a shorter \
             runtime directory", .path.display(), .path.as_os_str().len())]
    TooLong {
        /// Of the socket.
        path: PathBuf,
    },
    /// The system said no.
    #[error("{what} {}: {source}{}", .path.display(), owner_text(source))]
    System {
        /// What was tried, for example `cannot lock`.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// What to do about a file of another user.
fn owner_text(why: &io::Error) -> &'static str {
    match why.kind() {
        io::ErrorKind::PermissionDenied => {
            "; it belongs to another user: be that user, or set `runtime_dir` and `state_dir` to \
             directories of your own"
        }
        _ => "",
    }
}

fn pid_text(pid: &Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
}

impl Door {
    /// Takes `dir`, which must exist, for this daemon, and listens there. What a dead daemon left
    /// is replaced.
    ///
    /// # Errors
    /// When a daemon lives there, or when the system refuses one of the steps.
    pub fn open(dir: &Path) -> Result<Door, DoorError> {
        let lock = lock(dir)?;
        let path = dir.join(SOCKET);
        if path.as_os_str().as_bytes().len() > PATH_MAX {
            return Err(DoorError::TooLong { path });
        }
        let fail = |what| {
            let path = path.clone();
            move |source: io::Error| DoorError::System { what, path, source }
        };
        if let Some(listener) = handed(&path) {
            return Ok(Door {
                listener,
                path,
                lock,
            });
        }
        // We hold the lock, so whoever made this socket is dead.
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(fail("cannot remove the old socket")(e));
            }
            Ok(()) | Err(_) => {}
        }
        let listener = listen_unix(&path).map_err(fail("cannot listen on"))?;
        Ok(Door {
            listener,
            path,
            lock,
        })
    }

    /// Where the socket is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the socket out of the file system; or leaves it and the lock to a successor in this
    /// process, so that nobody who asks meanwhile is sent away, and no other daemon takes its place.
    pub(super) fn close(self) {
        if luggage::is_open() {
            luggage::put(LISTENER.to_owned(), self.listener.into());
            luggage::put(LOCKED.to_owned(), self.lock.into());
            return;
        }
        // One that is gone already is as good.
        let _ = fs::remove_file(&self.path);
    }
}

/// The socket of a predecessor in this process, if it is this one.
fn handed(path: &Path) -> Option<UnixListener> {
    let listener = UnixListener::from(luggage::take(LISTENER)?);
    let address = listener.local_addr().ok()?;
    (address.as_pathname() == Some(path) && path.exists()).then_some(listener)
}

/// The lock of a predecessor in this process, if it is on this file.
fn handed_lock(path: &Path) -> Option<File> {
    let lock = File::from(luggage::take(LOCKED)?);
    let (held, there) = (lock.metadata().ok()?, fs::metadata(path).ok()?);
    (held.ino() == there.ino() && held.dev() == there.dev()).then_some(lock)
}

/// Locks the directory by a file in it, and writes our number there for people to find.
fn lock(dir: &Path) -> Result<File, DoorError> {
    let path = dir.join(LOCK);
    if let Some(lock) = handed_lock(&path) {
        return Ok(lock);
    }
    let fail = |what| {
        let path = path.clone();
        move |source: io::Error| DoorError::System { what, path, source }
    };
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::open(&path, flags, Mode::from_raw_mode(LOCK_MODE))
        .map_err(|e| fail("cannot open")(e.into()))?;
    let mut file = File::from(file);
    file.set_permissions(fs::Permissions::from_mode(LOCK_MODE))
        .map_err(fail("cannot protect"))?;
    match lock::lock(&file) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            return Err(DoorError::Taken {
                dir: dir.to_owned(),
                pid: holder(&mut file),
            });
        }
        Err(e) => return Err(fail("cannot lock")(e.into())),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(fail("cannot write"))?;
    Ok(file)
}

/// The number in a lock file, if there is one.
fn holder(file: &mut File) -> Option<u32> {
    /// A process number has at most seven digits.
    const DIGITS: u64 = 16;
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(DIGITS).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Nobody can connect before `listen(2)`, so there is no moment at which the socket has the wrong
/// mode: it is made, given its mode and group, and only then listens.
///
/// # Errors
/// What the kernel said.
pub fn listen_unix(path: &Path) -> io::Result<UnixListener> {
    use rustix::net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
    };
    /// Connections that wait to be taken. They are taken at once; a burst of scripts fits in.
    const BACKLOG: i32 = 128;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    // Fails for a daemon that is neither root nor in the group; then only its own user gets in.
    let _ = std::os::unix::fs::chown(path, None, looking_group());
    fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
    take_no_descriptors(&socket);
    listen(&socket, BACKLOG)?;
    Ok(UnixListener::from(socket))
}

/// Has the kernel refuse descriptors that are sent along, where it knows how to (Linux 6.16): none of
/// those who connect has a reason to. Elsewhere they are never received.
fn take_no_descriptors(socket: &OwnedFd) {
    const SO_PASSRIGHTS: libc::c_int = 83;
    let no: libc::c_int = 0;
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the value is as long as it is said to be, and outlives the call.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PASSRIGHTS,
            (&raw const no).cast(),
            length,
        )
    };
}

/// The group whose members may look, if there is one.
pub fn looking_group() -> Option<u32> {
    group_number(&fs::read_to_string(GROUPS).unwrap_or_default(), GROUP)
}

/// The number of a group in the text of [`GROUPS`].
///
/// Read here and not through glibc: that would load every name service of the machine into the
/// daemon, ask sockets and perhaps the network, and cost 300 KiB of locked memory and several
/// milliseconds of each start. `systemd-sysusers`, which makes the group, writes it into the file.
fn group_number(groups: &str, name: &str) -> Option<u32> {
    let number = |line: &str| {
        let rest = line.strip_prefix(name)?.strip_prefix(':')?;
        rest.split(':').nth(1)?.parse().ok()
    };
    groups.lines().find_map(number)
}

/// A daemon serves this socket. It is not waited for: whoever crowds at its door would hold us up.
pub fn is_served(path: &Path) -> bool {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let tried = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .and_then(|socket| connect(&socket, &SocketAddrUnix::new(path)?));
    matches!(tried, Ok(()) | Err(Errno::AGAIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Not for others, whatever an earlier daemon left there.
    #[test]
    fn the_lock_is_ours_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LOCK);
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let _door = Door::open(dir.path()).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }

    /// The whole name counts, and what is not a number is not one.
    #[test]
    fn finds_a_group_by_its_whole_name() {
        let groups =
            "root:x:0:\nfieldwarden-old:x:7:\nfieldwarden:x:990:ann,ben\nodd:x:nine:\nodd\n";
        assert_eq!(group_number(groups, "fieldwarden"), Some(990));
        assert_eq!(group_number(groups, "root"), Some(0));
        assert_eq!(group_number(groups, "field"), None);
        assert_eq!(group_number(groups, "odd"), None);
        assert_eq!(group_number("", "fieldwarden"), None);
    }

    /// Whoever crowds at the door of a daemon that does not serve yet holds nobody up.
    #[test]
    fn a_crowded_door_is_not_waited_at() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        assert!(!is_served(&path));
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = || socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
        let address = SocketAddrUnix::new(&path).unwrap();
        let door = socket();
        rustix::net::bind(&door, &address).unwrap();
        assert!(!is_served(&path), "nobody listens yet");
        rustix::net::listen(&door, 1).unwrap();
        let crowd: Vec<_> = std::iter::repeat_with(socket)
            .take_while(|one| connect(one, &address).is_ok())
            .take(1_000)
            .collect();
        assert!(crowd.len() < 1_000);
        assert!(is_served(&path));
    }
}

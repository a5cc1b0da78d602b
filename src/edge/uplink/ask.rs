//! Asks who has to answer: a peer in the VPN, and an SSH server.

use crate::core::fact::Found;
use crate::edge::clock;
use crate::units::Mono;
use nix::sys::socket::{setsockopt, sockopt::BindToDevice};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SocketFlags, SocketType, bind, connect, recv, socket_with, sockopt,
};
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Bytes that a server may send before it says that it speaks SSH (RFC 4253, 4.2: other lines may come
/// before). OpenSSH sends none.
const BEFORE: usize = 4096;

/// What came of a connection.
enum Connected {
    Taken(OwnedFd),
    Refused,
    Silent,
    Unsure,
}

/// Somebody is there if the connection is taken, or refused by whoever has the address.
pub(super) fn peer(address: SocketAddr, through: &str, timeout: Duration) -> Found {
    let end = clock::now().after(timeout);
    match connected(address, None, Some(through), end) {
        Connected::Taken(_) | Connected::Refused => Found::Well,
        Connected::Silent => Found::Silent,
        Connected::Unsure => Found::Unsure,
    }
}

/// An SSH server greets there: an open port alone is nothing, the server behind it may hang.
pub(super) fn greeting(
    address: SocketAddr,
    from: Option<IpAddr>,
    through: Option<&str>,
    timeout: Duration,
) -> Found {
    let end = clock::now().after(timeout);
    match connected(address, from, through, end) {
        Connected::Taken(socket) => greets(&socket, end),
        Connected::Refused => Found::Refused,
        Connected::Silent => Found::Silent,
        Connected::Unsure => Found::Unsure,
    }
}

fn connected(
    address: SocketAddr,
    from: Option<IpAddr>,
    through: Option<&str>,
    end: Mono,
) -> Connected {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let Ok(socket) = socket_with(family, SocketType::STREAM, flags, None) else {
        return Connected::Unsure;
    };
    // Else it would leave over whatever link leads there, and prove nothing of the VPN.
    let bound = through.is_none_or(|link| {
        let link = OsString::from(link);
        setsockopt(&socket, BindToDevice, &link).is_ok()
    });
    if !bound {
        return Connected::Unsure;
    }
    if let Some(from) = from
        && bind(&socket, &SocketAddr::new(from, 0)).is_err()
    {
        return Connected::Unsure;
    }
    let begun = match connect(&socket, &address) {
        Err(Errno::INPROGRESS | Errno::INTR) => match waited(&socket, PollFlags::OUT, end) {
            Ok(()) => sockopt::socket_error(&socket).unwrap_or_else(Err),
            Err(e) => Err(e),
        },
        begun => begun,
    };
    match begun {
        Ok(()) => Connected::Taken(socket),
        Err(Errno::CONNREFUSED | Errno::CONNRESET) => Connected::Refused,
        Err(errno) if is_silence(errno) => Connected::Silent,
        Err(_) => Connected::Unsure,
    }
}

/// Nobody there, no answer, no route, a VPN that has no key or no address for it. Whatever else the
/// kernel says is about this machine: no address of its own, no memory, no permission.
fn is_silence(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::TIMEDOUT
            | Errno::HOSTUNREACH
            | Errno::NETUNREACH
            | Errno::HOSTDOWN
            | Errno::NETDOWN
            | Errno::NOKEY
            | Errno::DESTADDRREQ
    )
}

/// Until it is ready; [`Errno::TIMEDOUT`] if it is not before then.
fn waited(socket: &OwnedFd, flags: PollFlags, end: Mono) -> Result<(), Errno> {
    loop {
        let left = end.since(clock::now());
        let mut fds = [PollFd::new(socket, flags)];
        match poll(&mut fds, Timespec::try_from(left).ok().as_ref()) {
            Ok(0) => return Err(Errno::TIMEDOUT),
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(e) => return Err(e),
        }
    }
}

fn greets(socket: &OwnedFd, end: Mono) -> Found {
    let mut heard = Vec::new();
    loop {
        if let Some(found) = understood(&heard) {
            return found;
        }
        let mut buffer = [0u8; 512];
        let said = waited(socket, PollFlags::IN, end)
            .and_then(|()| recv(socket, &mut buffer[..], RecvFlags::empty()));
        match said {
            Ok((0, _)) | Err(Errno::CONNRESET) => return Found::Wrong,
            Ok((count, _)) => heard.extend_from_slice(&buffer[..count]),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(errno) if is_silence(errno) => return Found::Silent,
            Err(_) => return Found::Unsure,
        }
    }
}

/// What was heard so far; `None` if more has to come.
fn understood(heard: &[u8]) -> Option<Found> {
    const GREETING: &[u8] = b"SSH-";
    let mut rest = heard;
    loop {
        if rest.starts_with(GREETING) {
            return Some(Found::Well);
        }
        match rest.iter().position(|byte| *byte == b'\n') {
            Some(end) => rest = &rest[end + 1..],
            None => break,
        }
    }
    (heard.len() >= BEFORE).then_some(Found::Wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Asks a server that says this and closes.
    fn asked(says: &'static [u8]) -> Found {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            // Who has heard enough is gone.
            let _ = client.write_all(says);
        });
        let found = greeting(address, Some(address.ip()), None, PATIENCE);
        server.join().unwrap();
        found
    }

    /// An open port is not enough: it has to greet as an SSH server does.
    #[test]
    fn only_ssh_greets() {
        assert_eq!(asked(b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n"), Found::Well);
        assert_eq!(asked(b"go away\r\nSSH-2.0-x\r\n"), Found::Well);
        assert_eq!(asked(b"HTTP/1.0 200 OK\r\n\r\n"), Found::Wrong);
        assert_eq!(asked(b""), Found::Wrong);
        assert_eq!(asked(b"not SSH-2.0\r\n"), Found::Wrong);
        assert_eq!(asked(&[b'x'; 2 * BEFORE]), Found::Wrong);
    }

    /// One that takes connections and says nothing hangs; one that is not there refuses.
    #[test]
    fn silence_and_refusal() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let silent = greeting(address, None, None, Duration::from_millis(50));
        assert_eq!(silent, Found::Silent);
        drop(listener);
        assert_eq!(greeting(address, None, None, PATIENCE), Found::Refused);
    }

    /// What is wrong with this machine is nobody's silence.
    #[test]
    fn our_own_faults_are_no_silence() {
        for errno in [
            Errno::ADDRNOTAVAIL,
            Errno::AGAIN,
            Errno::NOBUFS,
            Errno::NODEV,
            Errno::INVAL,
            Errno::PERM,
            Errno::NOMEM,
        ] {
            assert!(!is_silence(errno), "{errno}");
        }
        for errno in [Errno::TIMEDOUT, Errno::NETUNREACH, Errno::NOKEY] {
            assert!(is_silence(errno), "{errno}");
        }
        // The kernel refuses that by itself: a link is to be named with such an address.
        let nowhere = "[fe80::1]:22".parse().unwrap();
        assert_eq!(greeting(nowhere, None, None, PATIENCE), Found::Unsure);
    }

    /// What is not sent over the link that is named is not sent at all.
    #[test]
    fn a_link_that_is_not_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(peer(address, "no-such-link", PATIENCE), Found::Unsure);
        assert_eq!(peer(address, "lo", PATIENCE), Found::Well);
    }
}

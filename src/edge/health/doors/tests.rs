//! Sockets that init has passed: whom they are for, and what becomes of those that cannot be served.

use super::*;
use crate::edge::inbox::inbox;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

fn doors(passed: OwnedFd, token_file: Option<&Path>) -> Doors {
    let plan = HealthPlan {
        listen: vec![Listen::Systemd],
        token_file: token_file.map(Path::to_owned),
    };
    Doors::new(&plan, vec![passed])
}

/// For whom it is once it was tried, if it is open at all.
fn tried(passed: OwnedFd, token_file: Option<&Path>) -> Option<Trust> {
    let (inbox, _facts) = inbox();
    let mut doors = doors(passed, token_file);
    doors.open(Mono(0), &inbox);
    doors.trust(0)
}

fn token(dir: &Path, text: &str) -> PathBuf {
    let file = dir.join("token");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file
}

/// A token that is no good costs the time until it is, and not init's socket, which nobody else has:
/// whoever knocked meanwhile is let in then.
#[test]
fn a_passed_socket_outlives_a_bad_token() {
    let dir = tempfile::tempdir().unwrap();
    let file = token(dir.path(), "short\n");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let (inbox, mut facts) = inbox();
    let mut doors = doors(listener.into(), Some(&file));
    doors.open(Mono(0), &inbox);
    assert_eq!(doors.trust(0), None);
    assert!(doors.listening().next().is_none());
    assert!(matches!(facts.take(), Some(Fact::Lost { .. })));
    let _knocks = TcpStream::connect(address).unwrap();

    token(dir.path(), "0123456789abcdef\n");
    let again = doors.next_try().unwrap();
    assert_eq!(again, Mono(0).after(FIRST));
    doors.open(again, &inbox);
    assert_eq!(doors.trust(0), Some(Trust::Holders));
    assert!(matches!(facts.take(), Some(Fact::Seen(Reading::Health))));
    assert!(doors.accept(0).is_ok());
    assert_eq!(doors.next_try(), None);
}

/// It is the same one that is kept, from try to try.
#[test]
fn what_is_kept_is_inits_own() {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let (inbox, _facts) = inbox();
    let mut doors = doors(listener.into(), None);
    let number = |doors: &Doors| doors.doors[0].kept.as_ref().map(AsRawFd::as_raw_fd);
    let first = number(&doors);
    assert!(first.is_some());
    for second in [0, 1, 3] {
        doors.open(Mono(0).after(Duration::from_secs(second)), &inbox);
        assert_eq!(number(&doors), first);
        assert_eq!(doors.trust(0), None);
    }
}

/// Only a file keeps others out: a name without one is for those who have the token.
#[test]
fn who_gets_in_where_there_is_no_file() {
    use std::os::linux::net::SocketAddrExt;
    let dir = tempfile::tempdir().unwrap();
    let file = token(dir.path(), "0123456789abcdef\n");
    let path = dir.path().join("socket");
    let named = UnixListener::bind(&path).unwrap();
    assert_eq!(tried(named.into(), None), Some(Trust::Anybody));
    fs::remove_file(&path).unwrap();
    let named = UnixListener::bind(&path).unwrap();
    assert_eq!(tried(named.into(), Some(&file)), Some(Trust::Anybody));

    let name = format!("fieldwarden-test-{}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name).unwrap();
    let bound = UnixListener::bind_addr(&address).unwrap();
    let same = bound.try_clone().unwrap();
    assert_eq!(tried(bound.into(), None), None);
    assert_eq!(tried(same.into(), Some(&file)), Some(Trust::Holders));

    let local = || TcpListener::bind("127.0.0.1:0").unwrap();
    assert_eq!(tried(local().into(), None), Some(Trust::Local));
    assert_eq!(tried(local().into(), Some(&file)), Some(Trust::Holders));
}

/// A family that is neither: it stays shut without a token.
#[test]
fn another_family_is_for_holders() {
    use rustix::net::{AddressFamily, SocketType, socket};
    let other = socket(AddressFamily::NETLINK, SocketType::RAW, None).unwrap();
    assert_eq!(trust(&other, false).unwrap(), Trust::Holders);
}

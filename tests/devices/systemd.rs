//! Init is told over a real socket, never waited for, and never impersonated by a child.

use fieldwarden::core::fact::{Errno, Fault};
use fieldwarden::edge::systemd::{Environment, Init};
use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

fn environment(pairs: &[(&str, &str)]) -> Environment {
    let owned = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
    pairs.iter().map(owned).collect()
}

fn init_at(path: &Path) -> Init {
    Init::of(&environment(&[("NOTIFY_SOCKET", path.to_str().unwrap())])).unwrap()
}

/// The next message; an empty queue is a failure, not a wait.
fn next(socket: &UnixDatagram) -> String {
    socket.set_nonblocking(true).unwrap();
    let mut room = [0; 8192];
    let length = socket.recv(&mut room).expect("a message");
    String::from_utf8(room[..length].to_vec()).unwrap()
}

#[test]
fn every_message_arrives_on_a_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let listener = UnixDatagram::bind(&path).unwrap();
    let mut init = init_at(&path);
    assert!(init.listens());
    init.ready().unwrap();
    init.status("3/4 up, worst warn").unwrap();
    init.pet().unwrap();
    init.stopping().unwrap();
    let expected = [
        "READY=1\n",
        "STATUS=3/4 up, worst warn\n",
        "WATCHDOG=1\n",
        "STOPPING=1\n",
    ];
    for message in expected {
        assert_eq!(next(&listener), message);
    }
}

#[test]
fn an_abstract_name_works_as_well() {
    let name = format!("fieldwarden-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let listener = UnixDatagram::bind_addr(&address).unwrap();
    let variable = format!("@{name}");
    let mut init = Init::of(&environment(&[("NOTIFY_SOCKET", &variable)])).unwrap();
    init.ready().unwrap();
    assert_eq!(next(&listener), "READY=1\n");
}

#[test]
fn nobody_listens_and_nothing_fails() {
    let mut init = Init::of(&environment(&[("PATH", "/bin")])).unwrap();
    assert!(!init.listens());
    assert_eq!(init.ready(), Ok(()));
    assert_eq!(init.pet(), Ok(()));
}

#[test]
fn an_init_that_does_not_read_makes_us_busy_and_not_hang() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let listener = UnixDatagram::bind(&path).unwrap();
    let mut init = init_at(&path);
    // The kernel's queue holds net.unix.max_dgram_qlen messages, some hundreds at most.
    let full = (0..100_000).find_map(|_| init.pet().err());
    assert_eq!(full, Some(Fault::Busy));
    assert_eq!(init.ready(), Err(Fault::Busy));
    next(&listener);
    assert_eq!(init.ready(), Ok(()));
}

#[test]
fn an_init_that_goes_is_missed_and_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let listener = UnixDatagram::bind(&path).unwrap();
    let mut init = init_at(&path);
    drop(listener);
    assert_eq!(init.pet(), Err(Fault::Errno(Errno(libc::ECONNREFUSED))));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(init.pet(), Err(Fault::Errno(Errno(libc::ENOENT))));
    let listener = UnixDatagram::bind(&path).unwrap();
    init.pet().unwrap();
    assert_eq!(next(&listener), "WATCHDOG=1\n");
}

#[test]
fn more_time_is_asked_for_in_microseconds() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let listener = UnixDatagram::bind(&path).unwrap();
    let mut init = init_at(&path);
    init.extend(Duration::from_secs(30)).unwrap();
    assert_eq!(next(&listener), "EXTEND_TIMEOUT_USEC=30000000\n");
    init.extend(Duration::from_secs(100_000)).unwrap();
    assert_eq!(
        next(&listener),
        format!("EXTEND_TIMEOUT_USEC={}\n", u32::MAX)
    );
}

#[test]
fn a_status_is_one_line_of_bounded_length() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let listener = UnixDatagram::bind(&path).unwrap();
    let mut init = init_at(&path);
    init.status("up\nMAINPID=1\r\tWATCHDOG=trigger").unwrap();
    assert_eq!(next(&listener), "STATUS=up MAINPID=1  WATCHDOG=trigger\n");
    init.status(&"ä".repeat(5000)).unwrap();
    assert_eq!(next(&listener), format!("STATUS={}\n", "ä".repeat(512)));
}

#[test]
fn a_socket_that_cannot_be_used_is_named_with_the_remedy() {
    let long = format!("/{}", "x".repeat(200));
    for (value, expected) in [
        ("vsock:2:1234", "NOTIFY_SOCKET: `vsock:2:1234` is neither"),
        (
            "run/notify",
            "neither an absolute path nor an abstract name",
        ),
        ("@", "`@` is neither"),
        ("", "`` is neither"),
        (long.as_str(), "NOTIFY_SOCKET: `/xxx"),
    ] {
        let error = Init::of(&environment(&[("NOTIFY_SOCKET", value)])).unwrap_err();
        assert!(error.to_string().contains(expected), "{value}: {error}");
    }
}

#[test]
fn the_watchdog_of_init_is_honoured_when_it_is_meant_for_us() {
    const US: u32 = 4711;
    let half_minute = Some(Duration::from_secs(30));
    for (pairs, expected) in [
        (&[("WATCHDOG_USEC", "30000000")][..], half_minute),
        (
            &[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "4711")],
            half_minute,
        ),
        (
            &[("WATCHDOG_USEC", "500")],
            Some(Duration::from_micros(500)),
        ),
        (
            &[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "4712")],
            None,
        ),
        (
            &[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "me")],
            None,
        ),
        (&[("WATCHDOG_USEC", "0")], None),
        (&[("WATCHDOG_USEC", "soon")], None),
        (&[("WATCHDOG_USEC", "-1")], None),
        (&[("WATCHDOG_PID", "4711")], None),
        (&[], None),
    ] {
        assert_eq!(environment(pairs).watchdog(US), expected, "{pairs:?}");
    }
}

#[test]
fn children_get_nothing_that_was_meant_for_us() {
    let ours = environment(&[
        ("PATH", "/usr/bin"),
        ("NOTIFY_SOCKET", "/run/systemd/notify"),
        ("WATCHDOG_USEC", "1"),
        ("WATCHDOG_PID", "2"),
        ("LISTEN_PID", "2"),
        ("LISTEN_FDS", "1"),
        ("LISTEN_FDNAMES", "http"),
        ("JOURNAL_STREAM", "8:1234"),
        ("INVOCATION_ID", "abc"),
        ("SYSTEMD_EXEC_PID", "2"),
        ("MEMORY_PRESSURE_WATCH", "/sys/fs/cgroup/x"),
        ("RUNTIME_DIRECTORY", "/run/fieldwarden"),
        ("LANG", "C.UTF-8"),
        ("MY_LISTEN_FDS", "mine"),
    ]);
    let names: Vec<OsString> = ours
        .for_children()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["PATH", "LANG", "MY_LISTEN_FDS"]);
}

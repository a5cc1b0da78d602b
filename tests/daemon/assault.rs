//! The health endpoint under attack: pets stay in time and memory does not grow, by the daemon's own
//! account.

use super::health::{free, get, send, table};
use super::rig::{Rig, sleeper};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A third of the timeout of 15 s, within which pets are planned, and room for a busy machine; the
/// watchdog needs one in 15 s.
const GAP: Duration = Duration::from_secs(8);

/// Room for what the allocator keeps and the first requests bring into memory, in KiB.
const ROOM: u64 = 1024;

/// Connections that the endpoint serves at a time; each may hold a page that is never read.
const SERVED: u64 = 8;

/// The most memory that the daemon ever had since that was forgotten, in KiB.
fn most(rig: &Rig) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/status", rig.status().pid)).unwrap();
    let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Has the kernel forget that: what it has now is the most from here on.
fn forget_most(rig: &Rig) {
    fs::write(format!("/proc/{}/clear_refs", rig.status().pid), "5").unwrap();
}

/// Attacks as often, with everything that is on its way left as it is until the end.
fn assault(port: u16, attack: impl Fn(u32) -> Option<TcpStream>, many: u32) {
    let mut held = Vec::new();
    for number in 0..many {
        if let Some(stream) = attack(number) {
            held.push(stream);
        }
    }
    // Whoever asks properly gets through, if not at once.
    let begin = Instant::now();
    while get(port, "/livez").0 != 200 {
        assert!(
            begin.elapsed() < Duration::from_secs(20),
            "nobody gets through"
        );
    }
}

fn knock(port: u16) -> Option<TcpStream> {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let stream = TcpStream::connect_timeout(&address, Duration::from_millis(500)).ok()?;
    stream.set_nodelay(true).ok()?;
    Some(stream)
}

fn begin(port: u16, bytes: &[u8]) -> Option<TcpStream> {
    let mut stream = knock(port)?;
    // It may have been sent away already.
    let _ = stream.write_all(bytes);
    Some(stream)
}

#[test]
fn no_assault_delays_a_pet_or_grows_memory() {
    let port = free();
    let services: String = (0..20).map(|n| sleeper(&format!("s{n}"), "")).collect();
    // They make pages long, and nothing else.
    let idle = |n: u32| sleeper(&format!("idle{n}"), "autostart = false");
    let idle: String = (0..200).map(idle).collect();
    let mut rig = Rig::new(&(table(port, "") + &services + &idle));
    rig.start();
    rig.up("s19");
    rig.until("it listens", |_| get(port, "/livez").0 == 200);
    for page in ["/status.json", "/metrics", "/healthz?verbose"] {
        rig.until("a page is told", |_| get(port, page).0 == 200);
    }
    let page = get(port, "/metrics").1.len() as u64 / 1024;
    assert!(page > 100, "{page} KiB");
    forget_most(&rig);
    let before = most(&rig);
    let pets = rig.status().watchdog.pets;

    // Silent, half open, and one byte at a time.
    assault(port, |_| knock(port), 2_000);
    assault(
        port,
        |_| begin(port, b"GET /livez HTTP/1.1\r\nHost: local"),
        100,
    );
    let request = b"GET /status.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assault(
        port,
        |n| begin(port, &request[..n as usize]),
        request.len() as u32,
    );
    for end in 0..=request.len() {
        drop(begin(port, &request[..end]));
    }
    // More than is taken: a head without end, headers without number, a body without end.
    let huge = "x".repeat(1 << 20);
    for head in [
        huge.clone(),
        format!("GET /{huge} HTTP/1.1\r\n"),
        format!("GET /livez HTTP/1.1\r\nX: {huge}"),
        format!("GET /livez HTTP/1.1\r\n{}", "X: y\r\n".repeat(100_000)),
        format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n{huge}"),
        format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n{huge}"),
    ] {
        let answer = send(port, &head);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{answer}"
        );
    }
    // Many behind each other, and one inside another: one is answered.
    let one = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
    rig.until("the first of many is answered", |_| {
        let answer = send(port, &one.repeat(1_000));
        answer.matches("HTTP/1.1").count() == 1 && answer.starts_with("HTTP/1.1 200")
    });
    let inside =
        format!("POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 43\r\n\r\n{one}");
    rig.until("what has another one inside is refused", |_| {
        send(port, &inside).starts_with("HTTP/1.1 400")
    });
    let absolute = "GET http://localhost/livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
    rig.until("who asks for another server is refused", |_| {
        send(port, absolute).starts_with("HTTP/1.1 400")
    });
    let silent = most(&rig);
    assert!(
        silent < before + ROOM,
        "{before} KiB, then {silent} KiB at the most"
    );
    // Asked properly, as fast as it goes, and never read: the kernel takes little of a page for them.
    let wants = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let never_read = |_| {
        let stream = knock(port)?;
        set_socket_recv_buffer_size(&stream, 1).ok()?;
        let _ = (&stream).write_all(wants);
        Some(stream)
    };
    assault(port, never_read, 300);

    rig.until("pets go on", |rig| rig.status().watchdog.pets >= pets + 2);
    let status = rig.status();
    let gap = status.watchdog.longest_gap_seconds.unwrap().0;
    assert!(gap < GAP, "{gap:?}");
    assert!(status.late_threads.is_empty(), "{:?}", status.late_threads);
    let (after, held) = (most(&rig), SERVED * page);
    assert!(
        after < before + ROOM + held,
        "{before} KiB, then {after} KiB at the most, {held} KiB of it in pages"
    );
    assert_eq!(get(port, "/livez").0, 200);
}

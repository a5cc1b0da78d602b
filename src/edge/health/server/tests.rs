//! The loop against real sockets, with a core that answers when the test says so.

#![allow(
    clippy::disallowed_methods,
    reason = "the client's end of real connections has real time"
)]

use super::super::{Health, Sheet, Wanted};
use crate::config::{HealthPlan, Listen};
use crate::core::fact::{Fact, Reading, Source, Thread};
use crate::edge::clock;
use crate::edge::health::{HealthOrder, ROOM, Report, TICKET};
use crate::edge::inbox::{Facts, inbox};
use crate::edge::orders::{Orders, with_bell};
use crate::edge::pulse::Pulse;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
struct Fake(u32);

impl Report for Fake {
    fn sheet(&self, wanted: Wanted) -> Sheet {
        Sheet {
            good: self.0 < 100,
            kind: "text/plain",
            text: format!("report {} {:?}\n", self.0, wanted.page),
        }
    }
}

struct Rig {
    orders: Orders<HealthOrder>,
    facts: Facts,
    thread: Option<JoinHandle<()>>,
    reports: u32,
}

impl Rig {
    fn new(listen: Vec<Listen>) -> Rig {
        let pulse = Arc::new(Pulse::new(Thread::Health, PATIENCE));
        let (orders, work) = with_bell(ROOM, pulse).unwrap();
        let (inbox, facts) = inbox();
        let plan = HealthPlan {
            listen,
            token_file: None,
        };
        let health = Health {
            plan,
            passed: Vec::new(),
            inbox,
            work,
        };
        Rig {
            orders,
            facts,
            thread: Some(std::thread::spawn(|| health.run().unwrap())),
            reports: 0,
        }
    }

    /// The next fact, if one comes in this time.
    fn fact(&mut self, within: Duration) -> Option<Fact> {
        let now = clock::now();
        self.facts.wait_until(now, Some(now.after(within)))
    }

    /// Waits for a question of the core, and answers it.
    fn answer(&mut self) {
        match self.fact(PATIENCE) {
            Some(Fact::Asked { ticket, .. }) if ticket == TICKET => {}
            other => panic!("{other:?}"),
        }
        self.reports += 1;
        self.report();
    }

    fn report(&mut self) {
        let report = HealthOrder::Report(Box::new(Fake(self.reports)));
        self.orders.give(clock::now(), report).unwrap();
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = self.orders.give(clock::now(), HealthOrder::Quit);
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || std::thread::panicking());
        }
    }
}

/// A port that was free a moment ago.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

fn connect(address: SocketAddr) -> TcpStream {
    let begin = Instant::now();
    loop {
        match TcpStream::connect(address) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                return stream;
            }
            Err(e) => assert!(begin.elapsed() < PATIENCE, "{e}"),
        }
        std::thread::yield_now();
    }
}

fn ask(mut stream: impl Write, page: &str) {
    // Who is sent away may be so before.
    let _ = write!(stream, "GET {page} HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

fn read(mut stream: impl Read) -> String {
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    text
}

fn code(text: &str) -> &str {
    text.split(' ').nth(1).unwrap_or("none")
}

/// However many ask at once, and again, the core is asked once; what is stale is asked for anew.
#[test]
fn one_report_is_for_all() {
    let address = free();
    let mut rig = Rig::new(vec![Listen::Inet(address)]);
    let streams: Vec<TcpStream> = (0..5).map(|_| connect(address)).collect();
    for stream in &streams {
        ask(stream, "/livez");
    }
    rig.answer();
    for stream in streams {
        let text = read(stream);
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\nreport 1 Livez\n"), "{text}");
    }
    let again = connect(address);
    ask(&again, "/status.json");
    // On a machine that is very slow it is stale by now.
    if let Some(Fact::Asked { .. }) = rig.fact(Duration::from_millis(300)) {
        rig.report();
    }
    assert!(read(again).ends_with("report 1 Status\n"));
    std::thread::sleep(super::FRESH);
    let later = connect(address);
    ask(&later, "/readyz");
    rig.reports = 99;
    rig.answer();
    let text = read(later);
    assert!(text.starts_with("HTTP/1.1 503 "), "{text}");
    assert!(text.ends_with("report 100 Readyz\n"), "{text}");
}

/// However many come at once, eight are served, each with a page at the most, and everybody else is
/// sent away at once: nobody who waits for the core gives way to another.
#[test]
fn eight_are_served_at_a_time() {
    const MANY: usize = 60;
    const EIGHT: usize = 8;
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join("health.sock");
    let mut rig = Rig::new(vec![Listen::Unix(path.clone())]);
    let begin = Instant::now();
    while UnixStream::connect(&path).is_err() {
        assert!(begin.elapsed() < PATIENCE, "nobody listens");
        std::thread::yield_now();
    }
    // On a machine that is very slow, those who wait have given up before the others are sent away.
    let served =
        (0..5).find_map(|_| Some(crowd(&mut rig, &path, (MANY, EIGHT))).filter(|n| *n > 0));
    assert_eq!(served, Some(EIGHT));
}

/// So many ask at once, and the core answers when all but a few were sent away. How many have got a
/// page?
fn crowd(rig: &mut Rig, path: &std::path::Path, (many, few): (usize, usize)) -> usize {
    let connect = |_| {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        ask(&stream, "/metrics");
        stream
    };
    let streams: Vec<UnixStream> = (0..many).map(connect).collect();
    let answered = |stream: &&UnixStream| {
        let mut watched = [PollFd::new(*stream, PollFlags::IN)];
        poll(&mut watched, Some(&Timespec::default())) == Ok(1)
    };
    let begin = Instant::now();
    while streams.iter().filter(answered).count() < many - few {
        assert!(begin.elapsed() < PATIENCE, "nobody is sent away");
        std::thread::yield_now();
    }
    rig.answer();
    let codes = streams.into_iter().map(|s| code(&read(s)).to_owned());
    codes.filter(|code| code == "200").count()
}

/// A core that hangs is asked once, and whoever asks is told so: who asks first in time, others at once.
#[test]
fn a_core_that_hangs_is_told_of() {
    let address = free();
    let mut rig = Rig::new(vec![Listen::Inet(address)]);
    let first = connect(address);
    ask(&first, "/livez");
    assert!(matches!(rig.fact(PATIENCE), Some(Fact::Asked { .. })));
    assert_eq!(code(&read(first)), "503");
    for _ in 0..20 {
        let stream = connect(address);
        let begin = Instant::now();
        ask(&stream, "/livez");
        assert_eq!(code(&read(stream)), "503");
        assert!(
            begin.elapsed() < super::CORE_WITHIN,
            "{:?}",
            begin.elapsed()
        );
    }
    assert_eq!(rig.fact(Duration::from_millis(50)), None);
    // It comes to itself.
    rig.report();
    let after = connect(address);
    ask(&after, "/livez");
    if let Some(Fact::Asked { .. }) = rig.fact(Duration::from_millis(300)) {
        rig.report();
    }
    assert_eq!(code(&read(after)), "200");
}

/// Whoever says nothing gives way to those who do, and is sent away in time.
#[test]
fn those_who_speak_go_before_those_who_do_not() {
    let address = free();
    let mut rig = Rig::new(vec![Listen::Inet(address)]);
    let silent: Vec<TcpStream> = (0..super::CONNECTIONS_MAX)
        .map(|_| connect(address))
        .collect();
    let begin = Instant::now();
    let text = loop {
        let stream = connect(address);
        ask(&stream, "/livez");
        if let Some(Fact::Asked { .. }) = rig.fact(Duration::from_millis(100)) {
            rig.report();
        }
        let text = read(stream);
        // Until it can be known that they are silent, it is too much.
        if code(&text) != "503" && !text.is_empty() {
            break text;
        }
        assert!(begin.elapsed() < PATIENCE, "{text}");
    };
    assert_eq!(code(&text), "200");
    let codes: Vec<String> = silent
        .into_iter()
        .map(|s| code(&read(s)).to_owned())
        .collect();
    assert!(
        codes.iter().all(|code| code == "408" || code == "none"),
        "{codes:?}"
    );
    assert!(codes.iter().any(|code| code == "408"), "{codes:?}");
}

/// A port that is taken is told of, tried again, and had when it is free; the other door is open all
/// the while, and its file is gone afterwards.
#[test]
fn a_door_that_is_shut_is_tried_again() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join("health.sock");
    // What a dead daemon has left.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let mut rig = Rig::new(vec![Listen::Inet(address), Listen::Unix(path.clone())]);
    let lost = rig.fact(PATIENCE);
    assert!(
        matches!(
            &lost,
            Some(Fact::Lost {
                source: Source::Health,
                ..
            })
        ),
        "{lost:?}"
    );
    let stream = UnixStream::connect(&path).unwrap();
    ask(&stream, "/livez");
    rig.answer();
    assert_eq!(code(&read(stream)), "200");
    drop(holder);
    assert_eq!(rig.fact(PATIENCE), Some(Fact::Seen(Reading::Health)));
    let stream = connect(address);
    ask(&stream, "/livez");
    rig.answer();
    assert_eq!(code(&read(stream)), "200");
    drop(rig);
    assert!(!path.exists());
}

/// What is not ours is not taken away: a file that is no socket, and a socket at which somebody listens.
#[test]
fn what_is_in_the_way_is_left_there() {
    let dir = tempfile::tempdir().unwrap();
    let (file, socket) = (dir.path().join("file"), dir.path().join("socket"));
    std::fs::write(&file, "mine").unwrap();
    let _listens = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for path in [file.clone(), socket.clone()] {
        let mut rig = Rig::new(vec![Listen::Unix(path)]);
        let lost = rig.fact(PATIENCE);
        assert!(
            matches!(
                &lost,
                Some(Fact::Lost {
                    source: Source::Health,
                    ..
                })
            ),
            "{lost:?}"
        );
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    assert!(UnixStream::connect(&socket).is_ok());
}

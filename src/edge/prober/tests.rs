//! The thread with real sockets, files and programs.

use super::*;
use crate::config::{Target, Url};
use crate::core::fact::{Exit, Thread};
use crate::edge::children::Others;
use crate::edge::inbox::{Facts, inbox};
use crate::edge::orders::{plain, with_bell};
use crate::edge::pulse::Pulse;
use crate::edge::spawn::{Program, Spawner};
use rustix::net::{bind, connect, getsockname};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(20);

/// What a probe gets that is to run out of time.
const SHORT: Duration = Duration::from_millis(300);

/// The thread with its plans, and ourselves in the place of the core and of the spawner.
struct Rig {
    orders: Orders<ProberOrder>,
    spawner: Work<SpawnOrder>,
    facts: Facts,
    attempt: u32,
    thread: Option<JoinHandle<()>>,
}

fn key(service: usize) -> ProbeKey {
    (
        ServiceId(u16::try_from(service).unwrap()),
        ProbeKind::Liveness,
    )
}

fn pulse(thread: Thread) -> Arc<Pulse> {
    Arc::new(Pulse::new(thread, LONG))
}

impl Rig {
    /// Each of these ways is the liveness probe of a service, in this order.
    fn of(ways: Vec<(Way, Duration)>) -> Rig {
        let plan = |(way, timeout)| ProbePlan {
            kind: ProbeKind::Liveness,
            way,
            timeout,
            interval: Duration::from_secs(1),
        };
        let plans = ways.into_iter().map(plan).enumerate();
        let plans = plans.map(|(at, plan)| (key(at), plan)).collect();
        let (spawner, spawned) = plain(8, pulse(Thread::Spawner));
        let spawners = [spawner.clone(), spawner];
        let (orders, work) = with_bell(256, pulse(Thread::Prober)).unwrap();
        let (inbox, facts) = inbox();
        let prober = Prober::new(plans, spawners, inbox);
        let thread = std::thread::spawn(move || prober.run(&work).unwrap());
        Rig {
            orders,
            spawner: spawned,
            facts,
            attempt: 0,
            thread: Some(thread),
        }
    }

    fn order(&mut self, service: usize, run: u32) -> ProbeOrder {
        self.attempt += 1;
        let order = ProbeOrder {
            key: key(service),
            run: RunId(run),
            pid: None,
            attempt: self.attempt,
        };
        self.tell(ProberOrder::Probe(order));
        order
    }

    fn tell(&self, order: ProberOrder) {
        self.orders.give(clock::now(), order).unwrap();
    }

    /// The next answer, and which probe it is of.
    fn answer(&mut self) -> (u32, Probed) {
        let until = clock::now().after(LONG);
        match self.facts.wait_until(clock::now(), Some(until)) {
            Some(Fact::Child {
                change: Change::Probed {
                    attempt, probed, ..
                },
                ..
            }) => (attempt, probed),
            other => panic!("{other:?}"),
        }
    }

    fn ask(&mut self, service: usize) -> Probed {
        let order = self.order(service, 1);
        let (attempt, probed) = self.answer();
        assert_eq!(attempt, order.attempt);
        probed
    }

    /// Starts what the prober has asked the spawner for.
    fn spawn(&mut self, script: &str) -> (ProbeOrder, ProbeChild, nix::unistd::Pid) {
        let Some(SpawnOrder::Probe(order)) = self.spawner.wait() else {
            panic!("nobody was to be started");
        };
        let none: [(&str, &str); 0] = [];
        let program = Program::new(Path::new("/bin/sh"), ["-c", script], none).unwrap();
        let spawned = Spawner::new().unwrap().spawn(&program).unwrap();
        let pid = spawned.pid;
        (
            order,
            ProbeChild::new(spawned, None, &Others::default()),
            pid,
        )
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = self.orders.give(clock::now(), ProberOrder::Quit);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn tcp(address: SocketAddr) -> Way {
    Way::Tcp(Target::Inet(address))
}

fn http(target: Target) -> Way {
    Way::Http(Url {
        target,
        host: "localhost".to_owned(),
        path: "/alive?x=1".to_owned(),
    })
}

fn errno(number: i32) -> Probed {
    Probed::Bad(Ill::Errno(Errno(number)))
}

/// A server that does this with each connection, one after another.
fn server(serve: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            serve(connection);
        }
    });
    address
}

/// The question of a client, up to the blank line at its end.
fn question(connection: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let mut byte = [0u8];
    while !all.ends_with(b"\r\n\r\n") && connection.read(&mut byte).is_ok_and(|n| n == 1) {
        all.push(byte[0]);
    }
    String::from_utf8(all).unwrap()
}

/// A server that answers with these bytes and closes.
fn answering(answer: &'static [u8]) -> SocketAddr {
    server(move |mut connection| {
        question(&mut connection);
        let _ = connection.write_all(answer);
    })
}

/// A port that nobody listens to.
fn nobody() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}

/// Who takes a connection is well, over TCP and over a Unix socket; who is not there is not.
#[test]
fn connections_are_taken_or_refused() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let missing = directory.path().join("missing");
    let deaf = directory.path().join("deaf");
    let _listens = UnixListener::bind(&socket).unwrap();
    drop(UnixListener::bind(&deaf).unwrap());
    let unix = |path: &PathBuf| Way::Tcp(Target::Unix(path.clone()));
    // It listens, and never accepts: the kernel does that for it.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let ways = vec![
        (tcp(listener.local_addr().unwrap()), LONG),
        (tcp(nobody()), LONG),
        (unix(&socket), LONG),
        (unix(&missing), LONG),
        (unix(&deaf), LONG),
    ];
    let mut rig = Rig::of(ways);
    let found: Vec<Probed> = (0..5).map(|service| rig.ask(service)).collect();
    let refused = errno(libc::ECONNREFUSED);
    let missing = errno(libc::ENOENT);
    assert_eq!(
        found,
        [Probed::Good, refused, Probed::Good, missing, refused]
    );
}

/// What is asked is what is configured, and the status decides.
#[test]
fn the_status_of_an_answer_decides() {
    let asked = answering(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    let (told, heard) = std::sync::mpsc::channel();
    let listens = server(move |mut connection| {
        told.send(question(&mut connection)).unwrap();
        let _ = connection.write_all(b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\n\r\n");
    });
    let of = |address| (http(Target::Inet(address)), LONG);
    let mut rig = Rig::of(vec![of(listens), of(asked), of(nobody())]);
    assert_eq!(rig.ask(0), Probed::Good);
    let question = heard.recv().unwrap();
    assert!(question.starts_with("GET /alive?x=1 HTTP/1.1\r\nHost: localhost\r\n"));
    assert!(question.contains("\r\nConnection: close\r\n"), "{question}");
    assert_eq!(rig.ask(1), Probed::Bad(Ill::Status(503)));
    assert_eq!(rig.ask(2), errno(libc::ECONNREFUSED));
}

/// Whoever closes after any number of bytes has answered, or has not: there is nothing in between.
#[test]
fn an_answer_that_breaks_off_anywhere() {
    const ANSWER: &[u8] = b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n";
    let sent = std::sync::atomic::AtomicUsize::new(0);
    let address = server(move |mut connection| {
        let length = sent.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        question(&mut connection);
        let _ = connection.write_all(&ANSWER[..length]);
    });
    let mut rig = Rig::of(vec![(http(Target::Inet(address)), LONG)]);
    let found: Vec<Probed> = (0..=ANSWER.len()).map(|_| rig.ask(0)).collect();
    let first = found.iter().position(|probed| *probed == Probed::Good);
    let first = first.unwrap();
    // As soon as the status is there for certain, and from then on.
    assert!((12..=25).contains(&first), "{first}");
    let closed = Probed::Bad(Ill::Closed);
    assert!(
        found[..first].iter().all(|probed| *probed == closed),
        "{found:?}"
    );
    assert!(
        found[first..].iter().all(|probed| *probed == Probed::Good),
        "{found:?}"
    );
}

/// Whoever drips, floods, babbles or resets costs no more than the time that a probe has anyway.
#[test]
fn hostile_answers_cost_nothing() {
    // Byte by byte, but in time.
    let drips = server(|mut connection| {
        question(&mut connection);
        for byte in b"HTTP/1.1 200 OK\r\n\r\n" {
            let _ = connection.set_nodelay(true);
            let _ = connection.write_all(&[*byte]);
        }
    });
    // A byte now and then, for ever.
    let creeps = server(|mut connection| {
        std::thread::spawn(move || {
            while connection.write_all(b"H").is_ok() {
                std::thread::sleep(SHORT / 10);
            }
        });
    });
    let floods = server(|mut connection| while connection.write_all(&[b'x'; 65536]).is_ok() {});
    let headers = server(|mut connection| {
        question(&mut connection);
        let _ = connection.write_all(b"HTTP/1.1 100 Continue\r\n");
        while connection
            .write_all(b"A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n")
            .is_ok()
        {}
    });
    let babbles = answering(b"220 mail.example.org ESMTP\r\n");
    let resets = server(|connection| {
        let linger = Some(Duration::ZERO);
        let _ = rustix::net::sockopt::set_socket_linger(&connection, linger);
    });
    let of = |address, timeout| (http(Target::Inet(address)), timeout);
    let mut rig = Rig::of(vec![
        of(drips, LONG),
        of(creeps, SHORT),
        of(floods, LONG),
        of(headers, LONG),
        of(babbles, LONG),
        of(resets, LONG),
    ]);
    assert_eq!(rig.ask(0), Probed::Good);
    // Its first byte is none of HTTP's, or its time is over: both are failures.
    assert!(matches!(
        rig.ask(1),
        Probed::Bad(Ill::TimedOut | Ill::NotHttp)
    ));
    assert_eq!(rig.ask(2), Probed::Bad(Ill::NotHttp));
    assert_eq!(rig.ask(3), Probed::Bad(Ill::NotHttp));
    assert_eq!(rig.ask(4), Probed::Bad(Ill::NotHttp));
    assert!(matches!(
        rig.ask(5),
        Probed::Bad(Ill::Errno(Errno(libc::ECONNRESET)) | Ill::Closed)
    ));
}

/// A service that takes the connection and then hangs is found out by what is asked, and by nothing else;
/// and many that hang are so side by side, without holding up one that is well.
#[test]
fn those_that_hang_hold_up_nobody() {
    const HANGING: usize = 60;
    let hangs = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let hanging = hangs.local_addr().unwrap();
    let well = answering(b"HTTP/1.1 200 OK\r\n\r\n");
    let mut ways = vec![(http(Target::Inet(hanging)), Duration::from_secs(3)); HANGING];
    ways.push((http(Target::Inet(well)), LONG));
    ways.push((tcp(hanging), LONG));
    let mut rig = Rig::of(ways);
    let began = clock::now();
    for service in 0..HANGING {
        rig.order(service, 1);
    }
    assert_eq!(rig.ask(HANGING), Probed::Good);
    assert_eq!(rig.ask(HANGING + 1), Probed::Good);
    let mut answered = Vec::new();
    for _ in 0..HANGING {
        let (attempt, probed) = rig.answer();
        // On a busy machine we may be the ones who are late.
        assert!(matches!(
            probed,
            Probed::Bad(Ill::TimedOut) | Probed::Unsure(Ill::Busy)
        ));
        answered.push(attempt);
    }
    answered.sort_unstable();
    answered.dedup();
    assert_eq!(answered.len(), HANGING);
    // One after another they would have taken three minutes.
    assert!(clock::now().since(began) < Duration::from_secs(30));
}

/// A port that was given to ourselves is one that nobody listens to.
#[test]
fn who_reaches_itself_has_reached_nobody() {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
    bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let own = SocketAddr::try_from(getsockname(&socket).unwrap()).unwrap();
    connect(&socket, &own).unwrap();
    assert_eq!(talk::is_taken(&socket), Err(errno(libc::ECONNREFUSED)));
}

/// The exit code of a program decides; one that was ended by a signal has failed.
#[test]
fn programs_are_judged_by_their_end() {
    let mut rig = Rig::of(vec![(Way::Exec(vec!["/bin/sh".to_owned()]), LONG)]);
    for (script, probed) in [
        ("exit 0", Probed::Good),
        ("exit 7", Probed::Bad(Ill::Exit(Exit::Code(7)))),
        ("kill -SEGV $$", Probed::Bad(Ill::Exit(Exit::Signal(11)))),
    ] {
        rig.order(0, 1);
        let (order, child, _) = rig.spawn(script);
        rig.tell(ProberOrder::Born(order, Ok(child)));
        assert_eq!(rig.answer(), (order.attempt, probed), "{script}");
    }
    rig.order(0, 1);
    let Some(SpawnOrder::Probe(order)) = rig.spawner.wait() else {
        panic!("nobody was to be started");
    };
    rig.tell(ProberOrder::Born(order, Err(Errno(libc::ENOENT))));
    let unsure = Probed::Unsure(Ill::Errno(Errno(libc::ENOENT)));
    assert_eq!(rig.answer(), (order.attempt, unsure));
}

fn lives(pid: nix::unistd::Pid) -> bool {
    nix::sys::signal::kill(pid, None).is_ok()
}

/// Waits until this is so, at most for a long time.
fn until(so: impl Fn() -> bool) {
    let end = clock::now().after(LONG);
    while !so() {
        assert!(clock::now() < end, "it never came to that");
        std::thread::yield_now();
    }
}

/// A program that hangs is killed when its time is over, with what it has started, and reaped.
#[test]
fn a_program_that_hangs_is_killed_with_its_group() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pid");
    let mut rig = Rig::of(vec![(Way::Exec(vec!["/bin/sh".to_owned()]), SHORT)]);
    rig.order(0, 1);
    let script = format!(
        "sleep 1000 & echo $! >{0}.new; mv {0}.new {0}; wait",
        file.display()
    );
    let (order, child, pid) = rig.spawn(&script);
    until(|| file.exists());
    let helper: i32 = std::fs::read_to_string(&file)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    rig.tell(ProberOrder::Born(order, Ok(child)));
    let (attempt, probed) = rig.answer();
    assert_eq!(attempt, order.attempt);
    assert!(matches!(
        probed,
        Probed::Bad(Ill::TimedOut) | Probed::Unsure(Ill::Busy)
    ));
    // A zombie would still be there.
    until(|| !lives(pid));
    let stat = format!("/proc/{helper}/stat");
    until(|| !std::fs::read_to_string(&stat).is_ok_and(|text| !text.contains(") Z ")));
}

/// What a program leaves behind when it ends is killed, too.
#[test]
fn a_program_leaves_nothing_behind() {
    let mut rig = Rig::of(vec![(Way::Exec(vec!["/bin/sh".to_owned()]), LONG)]);
    rig.order(0, 1);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pid");
    let script = format!("sleep 1000 & echo $! >{}", file.display());
    let (order, child, _) = rig.spawn(&script);
    rig.tell(ProberOrder::Born(order, Ok(child)));
    assert_eq!(rig.answer(), (order.attempt, Probed::Good));
    let helper: i32 = std::fs::read_to_string(&file)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let stat = format!("/proc/{helper}/stat");
    until(|| !std::fs::read_to_string(&stat).is_ok_and(|text| !text.contains(") Z ")));
}

/// While the spawner has not started one, there is no second one; and one that is started when nobody
/// waits for it any more, or when the daemon ends, is killed.
#[test]
fn programs_do_not_pile_up() {
    let mut rig = Rig::of(vec![(Way::Exec(vec!["/bin/sh".to_owned()]), LONG)]);
    let first = rig.order(0, 1);
    let second = rig.order(0, 1);
    assert_eq!(rig.answer(), (second.attempt, Probed::Unsure(Ill::Busy)));
    let (order, child, pid) = rig.spawn("sleep 1000");
    assert_eq!(order, first);
    assert!(rig.spawner.take().is_none());
    rig.tell(ProberOrder::Born(order, Ok(child)));
    // The service has been started anew meanwhile.
    let third = rig.order(0, 2);
    assert_eq!(rig.answer(), (third.attempt, Probed::Unsure(Ill::Busy)));
    until(|| !lives(pid));
    let fourth = rig.order(0, 2);
    let (order, child, pid) = rig.spawn("sleep 1000");
    assert_eq!(order, fourth);
    let stray = ProbeOrder {
        attempt: 99,
        ..order
    };
    rig.tell(ProberOrder::Born(stray, Ok(child)));
    until(|| !lives(pid));
    let (_, child, pid) = {
        rig.tell(ProberOrder::Born(order, Err(Errno(libc::EAGAIN))));
        rig.answer();
        rig.order(0, 2);
        rig.spawn("sleep 1000")
    };
    rig.tell(ProberOrder::Born(
        ProbeOrder {
            attempt: rig.attempt,
            ..order
        },
        Ok(child),
    ));
    drop(rig);
    assert!(!lives(pid));
}

/// A file is looked at where it lies.
#[test]
fn files_are_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("alive");
    let max_age = LONG;
    let mut rig = Rig::of(vec![(
        Way::File {
            path: path.clone(),
            max_age,
        },
        LONG,
    )]);
    assert_eq!(rig.ask(0), errno(libc::ENOENT));
    std::fs::write(&path, "").unwrap();
    assert_eq!(rig.ask(0), Probed::Good);
}

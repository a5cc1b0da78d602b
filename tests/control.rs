//! The control socket as clients see it, well-behaved ones and attackers. The core behind it is a
//! real one; its edges are played by a small loop.
// Tests measure how long clients have to wait, and start threads that attack.
#![allow(clippy::disallowed_methods)]

use fieldwarden::core::action::{Action, Actions, Answer as CoreAnswer, Signal};
use fieldwarden::core::fact::{Change, Exit, Fact, Pid, Thread};
use fieldwarden::core::settings::{Backoff, Service, Settings};
use fieldwarden::core::{BootFacts, Core};
use fieldwarden::edge::clock;
use fieldwarden::edge::control::{
    Answer, CLIENTS_MAX, Code, Control, ControlOrder, Door, EventRing, FOLLOWERS_MAX, REQUEST_MAX,
    Reply, Running, TAKE_WITHIN, TakenUp, take_running,
};
use fieldwarden::edge::inbox::{Facts, Inbox, inbox};
use fieldwarden::edge::luggage;
use fieldwarden::edge::orders::{Orders, with_bell};
use fieldwarden::edge::pulse::Pulse;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use std::io::{BufRead, BufReader, ErrorKind, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A client that is not answered within this time has been delayed by another one: the whole way
/// through the core takes about a millisecond, and the machine may be busy.
const PROMPT: Duration = Duration::from_secs(3);

const STATUS: &str = "{\"v\":1,\"request\":\"status\"}\n";

/// A running control thread, and a core behind it.
struct Rig {
    dir: tempfile::TempDir,
    events: Arc<EventRing>,
    orders: Orders<ControlOrder>,
    inbox: Inbox,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Rig {
    fn new() -> Rig {
        Rig::with_core(Some(0))
    }

    /// A rig whose core hangs for ever, or whose report has this many bytes more than it needs.
    fn with_core(padding: Option<usize>) -> Rig {
        let dir = tempfile::tempdir().expect("temporary directory");
        let settings = settings();
        let pulse = Arc::new(Pulse::new(Thread::Control, Duration::from_secs(3)));
        let (orders, work) = with_bell(CLIENTS_MAX, pulse).expect("eventfd");
        let (inbox, facts) = inbox();
        let events = Arc::new(EventRing::new().expect("eventfd"));
        let control = Control {
            door: Door::open(dir.path()).expect("socket"),
            settings: Arc::new(settings.clone()),
            inbox: inbox.clone(),
            work,
            events: events.clone(),
            operators: Vec::new(),
            running: Some(running()),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = vec![std::thread::spawn(control.server().expect("server"))];
        if let Some(padding) = padding {
            let (orders, stop, mut facts) = (orders.clone(), stop.clone(), facts);
            threads.push(std::thread::spawn(move || {
                run_core(settings, padding, &mut facts, &orders, &stop);
            }));
        } else {
            std::mem::forget(facts);
        }
        Rig {
            dir,
            events,
            orders,
            inbox,
            stop,
            threads,
        }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("control.sock")
    }

    /// A new connection that gives up reading after twice the longest time that the daemon takes.
    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.socket()).expect("connect");
        let limit = Some(Duration::from_secs(20));
        stream.set_read_timeout(limit).expect("timeout");
        stream
    }

    fn ask(&self, line: &str) -> Answer {
        ask(self.connect(), line.as_bytes())
    }

    fn request(&self, verb: &str, service: &str) -> Answer {
        self.ask(&format!(
            "{{\"v\":1,\"request\":\"{verb}\",\"service\":\"{service}\"}}\n"
        ))
    }

    /// Asks for the status, and fails when that takes long.
    fn answers_promptly(&self) {
        let begun = Instant::now();
        let answer = self.ask(STATUS);
        assert!(answer.ok, "{answer:?}");
        assert!(begun.elapsed() < PROMPT, "took {:?}", begun.elapsed());
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        self.inbox.send(Fact::Tick);
        let _ = self.orders.give(clock::now(), ControlOrder::Close);
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking());
        }
        assert!(!self.socket().exists(), "the socket was left behind");
    }
}

/// A configuration that is handed out.
fn running() -> Running {
    let text = luggage::keep_text("version = 1\n").expect("a file in memory");
    let about = TakenUp {
        config: "/etc/f.toml".to_owned(),
        runtime_dir: "/run/f".to_owned(),
        decides_directory: true,
        board_from: String::new(),
    };
    Running::new(text.into(), &about)
}

/// Sends a line and reads the one answer. Writing may fail when the answer is there before the line
/// is through.
fn ask(mut stream: UnixStream, line: &[u8]) -> Answer {
    let _ = stream.write_all(line);
    let mut text = String::new();
    BufReader::new(stream)
        .read_line(&mut text)
        .expect("an answer");
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text:?}"))
}

fn settings() -> Settings {
    let service = |name: &str| Service {
        start_timeout: Duration::from_secs(10),
        backoff: Backoff {
            immediate: 1,
            stable: Duration::from_secs(10),
            restarts: 10,
            cooldown: Duration::from_secs(300),
            ..Backoff::DEFAULT
        },
        ..Service::named(name)
    };
    Settings {
        services: vec![service("database"), service("web")],
        ..Settings::nothing()
    }
}

/// The loop around the core: starts succeed at once, and whatever is told to stop stops.
fn run_core(
    settings: Settings,
    padding: usize,
    facts: &mut Facts,
    orders: &Orders<ControlOrder>,
    stop: &AtomicBool,
) {
    let boot = BootFacts {
        seed: 1,
        init_watchdog: None,
        first: true,
    };
    let mut core = Core::new(settings, boot);
    let mut next = vec![Fact::Tick];
    while !stop.load(SeqCst) {
        let mut out = Actions::default();
        for fact in std::mem::take(&mut next) {
            core.step(clock::now(), &fact, &mut out);
        }
        for order in out.orders {
            match order.action {
                Action::Start { service, run } => {
                    let pid = Pid::new(1000 + run.0).expect("a number above 1");
                    let change = Change::Started { pid };
                    next.push(Fact::Child {
                        service,
                        run,
                        change,
                    });
                }
                Action::Signal {
                    service,
                    run,
                    signal: Signal::Stop,
                    ..
                } => next.push(Fact::Child {
                    service,
                    run,
                    change: Change::Exited(Exit::Signal(15)),
                }),
                Action::Reply { ticket, answer } => {
                    let reply = match answer {
                        CoreAnswer::Status => Reply::Status(report(&core, padding)),
                        told => Reply::Told(told),
                    };
                    let order = ControlOrder::Reply {
                        order: order.id,
                        ticket,
                        reply,
                    };
                    // As the daemon does: what does not fit is lost, and the client is told so.
                    let _ = orders.give(clock::now(), order);
                }
                _ => {}
            }
        }
        if next.is_empty() {
            let now = clock::now();
            next.push(facts.wait_until(now, core.deadline()).unwrap_or(Fact::Tick));
        }
    }
}

fn report(core: &Core, padding: usize) -> String {
    let runs: Vec<u32> = core.services().map(|s| s.run.0).collect();
    let mut report = serde_json::json!({ "up": core.picture().up, "runs": runs });
    if padding > 0 {
        report["padding"] = "x".repeat(padding).into();
    }
    report.to_string()
}

/// Memory of this process that is in use, in KiB.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let line = text
        .lines()
        .find(|l| l.starts_with("VmRSS:"))
        .expect("VmRSS");
    line.split_whitespace()
        .nth(1)
        .expect("a number")
        .parse()
        .expect("a number")
}

/// Status, start, stop and restart go through the core and come back.
#[test]
fn requests_reach_the_core_and_answers_come_back() {
    let rig = Rig::new();
    let status = rig.ask(STATUS);
    assert_eq!(
        (status.v, status.ok, status.status),
        (1, true, Some(serde_json::json!({"up": 2, "runs": [1, 1]})))
    );
    assert_eq!(
        rig.request("start", "web").answer.as_deref(),
        Some("already")
    );
    assert_eq!(
        rig.request("restart", "web").answer.as_deref(),
        Some("accepted")
    );
    let runs = |rig: &Rig| rig.ask(STATUS).status.expect("status")["runs"].clone();
    assert_eq!(runs(&rig), serde_json::json!([1, 2]));
    assert_eq!(
        rig.request("stop", "web").answer.as_deref(),
        Some("accepted")
    );
    assert_eq!(
        rig.request("stop", "web").answer.as_deref(),
        Some("already")
    );
    assert_eq!(rig.ask(STATUS).status.expect("status")["up"], 1);
}

/// A wrong name comes back with the right one, and nothing reaches the core.
#[test]
fn unknown_service_is_refused_with_a_suggestion() {
    let answer = Rig::new().request("restart", "wbe");
    assert_eq!(
        (answer.ok, answer.code),
        (false, Some(Code::UnknownService))
    );
    assert_eq!(answer.error.as_deref(), Some("there is no service \"wbe\""));
    assert_eq!(answer.help.as_deref(), Some("did you mean web?"));
}

/// Only owner and group may connect.
#[test]
fn socket_is_closed_to_others() {
    let rig = Rig::new();
    let mode = std::fs::metadata(rig.socket())
        .expect("socket")
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o660);
}

/// A second daemon is refused and told by whom; after the first one is gone it gets in, and a
/// socket that a dead daemon left is replaced.
#[test]
fn one_daemon_per_directory() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let first = Door::open(dir.path()).expect("socket");
    let error = Door::open(dir.path()).expect_err("taken").to_string();
    let expected = format!("another fieldwarden (pid {}) runs with", std::process::id());
    assert!(error.starts_with(&expected), "{error}");
    drop(first);
    assert!(
        dir.path().join("control.sock").exists(),
        "left as by kill -9"
    );
    drop(Door::open(dir.path()).expect("replaced"));
}

/// What the kernel cannot address is said to be too long, with the number.
#[test]
fn long_directory_is_refused() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let long = dir.path().join("x".repeat(120));
    std::fs::create_dir(&long).expect("directory");
    let error = Door::open(&long).expect_err("too long").to_string();
    assert!(error.contains("too long for a socket"), "{error}");
}

/// Past events come in order and the connection ends; a follower gets the next ones as they come.
#[test]
fn events_are_listed_and_followed() {
    let rig = Rig::new();
    for n in 0..5 {
        rig.events.push(&format!("{{\"n\":{n}}}"));
    }
    let mut past = rig.connect();
    past.write_all(b"{\"v\":1,\"request\":\"events\",\"last\":2}\n")
        .expect("sent");
    let mut text = String::new();
    past.read_to_string(&mut text).expect("events");
    assert_eq!(text, "{\"v\":1,\"ok\":true}\n{\"n\":3}\n{\"n\":4}\n");

    let mut follower = rig.connect();
    let line = b"{\"v\":1,\"request\":\"events\",\"follow\":true,\"last\":0}\n";
    follower.write_all(line).expect("sent");
    let mut lines = BufReader::new(follower).lines().map(|l| l.expect("a line"));
    assert_eq!(lines.next().expect("answer"), "{\"v\":1,\"ok\":true}");
    for n in 5..9 {
        rig.events.push(&format!("{{\"n\":{n}}}"));
        assert_eq!(lines.next().expect("event"), format!("{{\"n\":{n}}}"));
    }
}

/// A follower that does not read costs nobody anything, and learns how much it missed.
#[test]
fn slow_follower_loses_events_and_delays_nobody() {
    let rig = Rig::new();
    let mut slow = rig.connect();
    slow.write_all(b"{\"v\":1,\"request\":\"events\",\"follow\":true,\"last\":0}\n")
        .expect("sent");
    rig.answers_promptly();
    let before = resident();
    let total = 20_000u64;
    let pad = "x".repeat(1000);
    for n in 0..total {
        rig.events.push(&format!("{{\"n\":{n},\"pad\":\"{pad}\"}}"));
    }
    rig.answers_promptly();
    let grown = resident().saturating_sub(before);
    assert!(grown < 8 * 1024, "{grown} KiB more");
    let (mut got, mut lost, mut last) = (0, 0, 0);
    for line in BufReader::new(slow).lines().skip(1) {
        let value: serde_json::Value = serde_json::from_str(&line.expect("line")).expect("JSON");
        match (value["n"].as_u64(), value["lost"].as_u64()) {
            (Some(n), _) => (got, last) = (got + 1, n),
            (None, Some(n)) => lost += n,
            (None, None) => panic!("neither event nor count: {value}"),
        }
        if last == total - 1 {
            break;
        }
    }
    assert!(lost > 0 && got > 0, "got {got}, lost {lost}");
    assert_eq!(got + lost, total, "every event is there or counted");
}

/// Followers cannot take all places.
#[test]
fn followers_leave_room_for_questions() {
    let rig = Rig::new();
    let line = b"{\"v\":1,\"request\":\"events\",\"follow\":true}\n";
    let followers: Vec<UnixStream> = (0..FOLLOWERS_MAX)
        .map(|_| {
            let mut stream = rig.connect();
            stream.write_all(line).expect("sent");
            let mut first = [0u8; 18];
            stream.read_exact(&mut first).expect("answer");
            stream
        })
        .collect();
    let refused = ask(rig.connect(), line);
    assert_eq!(refused.code, Some(Code::Busy), "{refused:?}");
    rig.answers_promptly();
    drop(followers);
}

/// A request in single bytes is as good as one in a piece; and one that is cut off at any byte
/// leaves nothing behind and takes nobody's turn.
#[test]
fn cut_off_at_every_byte() {
    let rig = Rig::new();
    let mut stream = rig.connect();
    for byte in STATUS.as_bytes() {
        stream.write_all(&[*byte]).expect("sent");
    }
    assert!(ask(stream, b"").ok);
    for upto in 0..=STATUS.len() {
        let mut gone = rig.connect();
        gone.write_all(&STATUS.as_bytes()[..upto]).expect("sent");
        drop(gone);
        let mut half = rig.connect();
        half.write_all(&STATUS.as_bytes()[..upto]).expect("sent");
        half.shutdown(std::net::Shutdown::Write).expect("shutdown");
        let mut text = String::new();
        half.read_to_string(&mut text).expect("answer or end");
        let answer: Option<Answer> = serde_json::from_str(&text).ok();
        match upto {
            0 => assert_eq!(text, ""),
            n if n == STATUS.len() => assert!(answer.expect("answer").ok),
            _ => assert_eq!(answer.expect("answer").code, Some(Code::BadRequest)),
        }
    }
    rig.answers_promptly();
}

/// Garbage of all kinds is refused with a reason, and the connection ends.
#[test]
fn garbage_is_refused() {
    let rig = Rig::new();
    let nested = [b"[".repeat(4000), b"\n".to_vec()].concat();
    let objects = ["{\"a\":".repeat(700).into_bytes(), b"\n".to_vec()].concat();
    let not_text = b"{\"v\":1,\"request\":\"\xff\xfe\"}\n".to_vec();
    let full = [vec![b'x'; REQUEST_MAX - 1], b"\n".to_vec()].concat();
    let zeros = vec![0u8; 64 * 1024];
    for line in [nested, objects, not_text, full, zeros, b"\n".to_vec()] {
        let begun = Instant::now();
        let answer = ask(rig.connect(), &line);
        assert_eq!((answer.ok, answer.code), (false, Some(Code::BadRequest)));
        assert!(answer.help.is_some_and(|h| h.contains("status")));
        assert!(begun.elapsed() < PROMPT);
    }
}

/// Descriptors that come along with a request are let go of at once, whether it is good or bad: nobody
/// fills the daemon's table with them, or has it hold open what others wait for.
#[test]
fn descriptors_that_come_along_are_let_go_of() {
    let rig = Rig::new();
    for line in [STATUS, "x\n", "{\"v\":1,\"requ"] {
        let (mut ours, theirs) = UnixStream::pair().expect("a pair");
        ours.set_read_timeout(Some(PROMPT)).expect("timeout");
        let stream = rig.connect();
        let carried = [theirs.as_fd(); 16];
        let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(16))];
        let mut control = SendAncillaryBuffer::new(&mut room);
        assert!(control.push(SendAncillaryMessage::ScmRights(&carried)));
        let parts = [IoSlice::new(line.as_bytes())];
        let flags = SendFlags::NOSIGNAL;
        match rustix::net::sendmsg(&stream, &parts, &mut control, flags) {
            Ok(_) => {}
            // The kernel was told that none is wanted, which not every kernel can be.
            Err(rustix::io::Errno::PERM) => continue,
            Err(e) => panic!("{e}"),
        }
        drop(theirs);
        let end = ours
            .read(&mut [0; 1])
            .expect("nobody has the other end any more");
        assert_eq!(end, 0);
    }
    rig.answers_promptly();
}

/// A line of a gigabyte is refused after its first few kilobytes.
#[test]
fn endless_line_is_refused_at_once() {
    let rig = Rig::new();
    let before = resident();
    let mut stream = rig.connect();
    let piece = vec![b'x'; 64 * 1024];
    let mut sent = 0usize;
    let gone = loop {
        match stream.write(&piece) {
            Ok(count) => sent += count,
            Err(e) => break e.kind(),
        }
        assert!(sent < 1 << 30, "the daemon read a gigabyte");
    };
    assert!(matches!(
        gone,
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
    ));
    assert!(sent < 4 << 20, "{sent} bytes were taken");
    assert!(resident().saturating_sub(before) < 8 * 1024);
    rig.answers_promptly();
}

/// Thousands of connections, silent, half said, or closed at once: memory stays, and whoever asks
/// properly is answered at once all the time.
#[test]
fn thousands_of_connections() {
    let rig = Rig::new();
    rig.answers_promptly();
    let before = resident();
    let stop = Arc::new(AtomicBool::new(false));
    let attackers: Vec<_> = (0..3)
        .map(|kind| {
            let (socket, stop) = (rig.socket(), stop.clone());
            std::thread::spawn(move || {
                let (mut kept, mut made) = (Vec::new(), 0u32);
                while made < 3000 && !stop.load(SeqCst) {
                    let Ok(mut stream) = UnixStream::connect(&socket) else {
                        continue;
                    };
                    made += 1;
                    // What becomes of it is the daemon's business.
                    match kind {
                        0 => kept.push(stream),
                        1 => {
                            let _ = stream.write_all(b"{\"v\":1,\"requ");
                            kept.push(stream);
                        }
                        _ => drop(stream.write_all(STATUS.as_bytes())),
                    }
                    if kept.len() > 200 {
                        kept.clear();
                    }
                }
                made
            })
        })
        .collect();
    let (mut asked, mut refused) = (0, 0);
    while attackers.iter().any(|a| !a.is_finished()) {
        let begun = Instant::now();
        // Under fire a client may be told to come again; that, too, must come at once.
        match rig.ask(STATUS) {
            answer if answer.ok => asked += 1,
            answer => {
                assert_eq!(answer.code, Some(Code::Busy), "{answer:?}");
                refused += 1;
            }
        }
        assert!(begun.elapsed() < PROMPT, "took {:?}", begun.elapsed());
    }
    stop.store(true, SeqCst);
    for attacker in attackers {
        assert_eq!(attacker.join().expect("attacker"), 3000);
    }
    // The last requests of the attack may still be open; then we are told to come again.
    let begun = Instant::now();
    while !rig.ask(STATUS).ok {
        assert!(begun.elapsed() < PROMPT, "took {:?}", begun.elapsed());
    }
    assert!(asked > 0, "none answered, {refused} told to come again");
    let grown = resident().saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB more");
}

/// No more clients than the bound: each one more sends the one away that has been silent longest.
#[test]
fn bound_on_clients() {
    let rig = Rig::new();
    let excess = 8;
    let mut clients: Vec<UnixStream> = (0..CLIENTS_MAX + excess).map(|_| rig.connect()).collect();
    let left = clients.split_off(excess);
    for mut gone in clients {
        let mut text = String::new();
        gone.read_to_string(&mut text).expect("sent away");
        let answer: Answer = serde_json::from_str(&text).expect("answer");
        assert_eq!(answer.code, Some(Code::Busy));
    }
    for stream in left {
        assert!(ask(stream, STATUS.as_bytes()).ok);
    }
}

/// One who never asks is told so and sent away after five seconds, and one who trickles bytes gets
/// no more time than that; all this time others are served.
#[test]
fn silent_and_trickling_clients_are_sent_away() {
    let rig = Rig::new();
    let silent: Vec<UnixStream> = (0..CLIENTS_MAX - 2).map(|_| rig.connect()).collect();
    let mut trickle = rig.connect();
    let begun = Instant::now();
    let mut beats = 0;
    trickle
        .set_read_timeout(Some(Duration::from_millis(100)))
        .expect("timeout");
    let mut text = Vec::new();
    loop {
        rig.answers_promptly();
        let _ = trickle.write_all(b" ");
        beats += 1;
        let mut piece = [0u8; 512];
        match trickle.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => text.extend_from_slice(&piece[..count]),
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
        assert!(begun.elapsed() < Duration::from_secs(15), "{beats} bytes");
    }
    assert!(begun.elapsed() >= Duration::from_secs(4));
    let text = String::from_utf8(text).expect("text");
    let answer: Answer = serde_json::from_str(&text).expect("answer");
    assert_eq!(answer.code, Some(Code::TooSlow));
    for mut stream in silent {
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("sent away");
        let answer: Answer = serde_json::from_str(&text).expect("answer");
        assert_eq!(answer.code, Some(Code::TooSlow));
    }
}

/// Clients that ask for a large report and never read it cost what it takes to keep it for them, are
/// sent away after ten seconds, and hold nobody up.
#[test]
fn reports_that_nobody_takes() {
    /// More than a socket holds (208 KiB), and what a thousand services come to.
    const REPORT: usize = 1 << 19;
    let rig = Rig::with_core(Some(REPORT));
    rig.answers_promptly();
    let before = resident();
    let silent: Vec<UnixStream> = (0..CLIENTS_MAX - 4)
        .map(|_| {
            let mut stream = rig.connect();
            stream.write_all(STATUS.as_bytes()).expect("sent");
            stream
        })
        .collect();
    for _ in 0..20 {
        rig.answers_promptly();
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 32 * 1024, "{grown} KiB more");
    std::thread::sleep(TAKE_WITHIN + Duration::from_secs(1));
    for mut stream in silent {
        let mut text = Vec::new();
        // What the socket held comes, and then nothing more.
        let _ = stream.read_to_end(&mut text);
        assert!(
            !text.is_empty() && text.len() < REPORT,
            "{} bytes",
            text.len()
        );
    }
    rig.answers_promptly();
}

/// When the core hangs clients are told so, however many they are, and nobody waits for ever.
#[test]
fn a_core_that_hangs_is_told() {
    let rig = Rig::with_core(None);
    let waiting: Vec<UnixStream> = (0..CLIENTS_MAX)
        .map(|_| {
            let mut stream = rig.connect();
            stream.write_all(STATUS.as_bytes()).expect("sent");
            stream
        })
        .collect();
    let begun = Instant::now();
    for stream in waiting {
        let answer = ask(stream, b"");
        assert_eq!(answer.code, Some(Code::NoAnswer), "{answer:?}");
    }
    let took = begun.elapsed();
    assert!(
        took > Duration::from_secs(4) && took < Duration::from_secs(10),
        "{took:?}"
    );
}

/// The configuration is handed over as a file that nobody can change, the same one to all who ask;
/// whoever closes before takes nothing with them.
#[test]
fn a_configuration_is_handed_out() {
    let rig = Rig::new();
    let ask = || {
        let mut stream = rig.connect();
        stream
            .write_all(b"{\"v\":1,\"request\":\"configuration\"}\n")
            .expect("asked");
        stream
    };
    let taken = || {
        let (line, text) = take_running(&ask()).expect("an answer");
        let answer: Answer = serde_json::from_str(&line).expect("JSON");
        let about = answer.configuration.expect("what goes along");
        assert_eq!((answer.ok, about.config.as_str()), (true, "/etc/f.toml"));
        text.expect("a descriptor")
    };
    // Descriptors of that one file: beside this test run others, which open and close their own.
    let which = |metadata: &std::fs::Metadata| (metadata.dev(), metadata.ino());
    let file = which(&taken().metadata().expect("its metadata"));
    let open = || {
        std::fs::read_dir("/proc/self/fd")
            .expect("own descriptors")
            .filter_map(|entry| std::fs::metadata(entry.ok()?.path()).ok())
            .filter(|metadata| which(metadata) == file)
            .count()
    };
    for _ in 0..20 {
        drop(ask());
    }
    rig.answers_promptly();
    assert_eq!(open(), 1, "the daemon has its own");
    for _ in 0..100 {
        let mut text = taken();
        assert_eq!(
            luggage::read_text(&text).expect("readable"),
            "version = 1\n"
        );
        assert!(text.write_all(b"x").is_err());
    }
    rig.answers_promptly();
    assert_eq!(open(), 1, "it was kept open");
}

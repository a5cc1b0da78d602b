//! The thread's steps one by one, with real processes and sockets.

use super::*;
use crate::core::fact::{Pid, Refusal, Said, Thread};
use crate::edge::fd_store::FdStore;
use crate::edge::inbox::{Facts, inbox};
use crate::edge::orders::{plain, with_bell};
use crate::edge::places::Places;
use crate::edge::pulse::Pulse;
use crate::edge::session;
use crate::edge::spawn::{Program, Spawned, Spawner, Stream};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

mod customs;

struct Stage {
    directory: tempfile::TempDir,
    children: Children,
    facts: Facts,
}

/// One service with a notify socket, and nobody who turns the loop.
fn stage() -> Stage {
    let directory = tempfile::tempdir().unwrap();
    let places = Places::new(directory.path());
    places.make_service("web").unwrap();
    let notify = listen(&places.notify("web")).unwrap();
    let kin = vec![Child {
        name: "web".into(),
        stop_signal: libc::SIGTERM,
        heartbeat: None,
        notify: Some(Arc::new(notify)),
        newline: None,
        store: FdStore::of(2),
        store_most: 2,
    }];
    let (guards, _) = plain(1, pulse(Thread::Watchdog));
    let (inbox, facts) = inbox();
    let (table, _) = RunTable::open(&places, &["web"]);
    let children = Children::new(kin, Arc::new(table), None, guards, inbox).unwrap();
    Stage {
        directory,
        children,
        facts,
    }
}

fn pulse(thread: Thread) -> Arc<Pulse> {
    Arc::new(Pulse::new(thread, Duration::from_secs(1)))
}

impl Stage {
    /// A run of this number.
    fn born(&mut self, run: u32) -> Spawned {
        self.born_of(run, sleeper())
    }

    fn born_of(&mut self, run: u32, spawned: Spawned) -> Spawned {
        let record = record(run, &spawned);
        let pidfd = spawned.pidfd.try_clone().unwrap();
        let (orders, work) = with_bell(1, pulse(Thread::Children)).unwrap();
        let births = self.children.births(orders);
        births.tell(ServiceId(0), record, pidfd, false);
        assert!(self.children.take_orders(&work));
        spawned
    }

    /// Writes a record, as the spawner does.
    fn record(&self, record: &RunRecord) {
        let stored = self.children.table.store(ServiceId(0), record);
        stored.unwrap();
        assert!(self.recorded().is_some());
    }

    /// The record that a successor would find.
    fn recorded(&self) -> Option<RunRecord> {
        let places = Places::new(self.directory.path());
        let (_, mut left) = RunTable::open(&places, &[]);
        left.remove("web")?.record
    }

    /// A message of this process, which is no other service's.
    fn say(&self, message: &[u8]) {
        let path = self.directory.path().join("service/web/notify");
        let socket = UnixDatagram::unbound().unwrap();
        socket.send_to(message, path).unwrap();
    }

    /// A message with descriptors.
    fn say_with(&self, message: &[u8], fds: &[OwnedFd]) {
        use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
        let socket = UnixDatagram::unbound().unwrap();
        let path = self.directory.path().join("service/web/notify");
        let fds: Vec<_> = fds.iter().map(AsRawFd::as_raw_fd).collect();
        let parts = [std::io::IoSlice::new(message)];
        let with = [ControlMessage::ScmRights(&fds)];
        let to = UnixAddr::new(&path).unwrap();
        sendmsg(
            socket.as_raw_fd(),
            &parts,
            &with,
            MsgFlags::empty(),
            Some(&to),
        )
        .unwrap();
    }

    /// Makes a stranger of this process.
    fn estrange(&mut self, run: &Spawned) {
        // This process leads no session of ours, but it is of the user whom we run as, and would be
        // believed if nobody knew whose it is.
        let own = Pid::new(std::process::id()).unwrap();
        let sid = session::leader(own).unwrap_or_else(|| {
            // In a namespace whose first process was put there by a session outside.
            rustix::process::setsid().unwrap();
            own
        });
        let mut other = record(2, run);
        other.pid = sid;
        let child = Child {
            name: "db".into(),
            stop_signal: libc::SIGTERM,
            heartbeat: None,
            notify: None,
            newline: None,
            store: FdStore::of(0),
            store_most: 0,
        };
        let pidfd = Arc::new(run.pidfd.try_clone().unwrap());
        self.children.slots.push(Slot {
            child,
            run: Some(Run::new(other, pidfd, true)),
            former: Vec::new(),
            ears: Ears::default(),
            signal: None,
            beat: None,
        });
    }

    /// What the thread does until nothing is left to hear, and nothing is being taken in.
    fn hear(&mut self) {
        self.hear_until(|stage| !stage.wakes() && stage.children.customs.is_idle());
    }

    /// The same until that is so, or for a while.
    fn hear_until(&mut self, enough: impl Fn(&Stage) -> bool) {
        let begun = clock::now();
        loop {
            self.children.hear(0);
            self.children.hear_customs();
            if enough(self) || clock::now().since(begun) > Duration::from_secs(20) {
                return;
            }
            let mut link = [PollFd::new(self.children.customs.link(), PollFlags::IN)];
            let moment = Timespec {
                tv_sec: 0,
                tv_nsec: 20_000_000,
            };
            poll(&mut link, Some(&moment)).unwrap();
        }
    }

    /// What the thread does when a run of the service has ended.
    fn reap(&mut self) {
        self.children.reap(0);
        self.children.forget_spent();
    }

    /// There is an event for the thread.
    fn wakes(&self) -> bool {
        self.wakes_within(0)
    }

    /// The same within so many seconds: a process that another test is just starting may hold a
    /// descriptor of ours for a moment.
    fn wakes_within(&self, seconds: i64) -> bool {
        let mut buffer = [MaybeUninit::<epoll::Event>::uninit(); 1];
        let time = Timespec {
            tv_sec: seconds,
            tv_nsec: 0,
        };
        let (events, _) = epoll::wait(&self.children.epoll, &mut buffer, Some(&time)).unwrap();
        !events.is_empty()
    }

    /// What the core was told since the last time, without the numbers of processes.
    fn told(&mut self) -> Vec<(u32, &'static str)> {
        self.children.pass_news_on();
        let facts = std::iter::from_fn(|| self.facts.take());
        facts
            .map(|fact| match fact {
                Fact::Child { run, change, .. } => {
                    let what = match change {
                        Change::Started { .. } => "started",
                        Change::Ready => "ready",
                        Change::Heartbeat => "heartbeat",
                        Change::Said(said) => return (run.0, word(&said)),
                        Change::Refused { why, .. } => return (run.0, refusal(why)),
                        Change::Exited(_) => "exited",
                        other => panic!("{other:?}"),
                    };
                    (run.0, what)
                }
                other => panic!("{other:?}"),
            })
            .collect()
    }
}

fn word(said: &Said) -> &'static str {
    match said {
        Said::Reloading { .. } => "reloading",
        Said::Stopping => "stopping",
        Said::Status(_) => "status",
        Said::Errno(_) => "errno",
        Said::Trigger => "trigger",
        Said::Window(_) => "window",
        Said::Extend(_) => "extend",
        Said::Kept(_) => "kept",
        Said::Main(_) => "main",
    }
}

fn refusal(why: Refusal) -> &'static str {
    match why {
        Refusal::Stranger { .. } => "stranger",
        Refusal::TooLong => "too-long",
        Refusal::Nul => "nul",
        Refusal::Value(_) => "value",
        Refusal::Main(_) => "main?",
        Refusal::Store => "store",
        Refusal::Flood => "flood",
    }
}

/// A shell that sleeps for a minute unless it is ended, with a process that it has started.
fn parent() -> (Spawned, Pid) {
    let (reading, writing) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let none: [(&str, &str); 0] = [];
    let script = "sleep 60 & echo $!; wait";
    let mut program = Program::new(Path::new("/bin/sh"), ["-c", script], none).unwrap();
    program.output = Stream::To(Arc::new(writing));
    let spawned = Spawner::new().unwrap().spawn(&program).unwrap();
    let mut line = String::new();
    let mut told = BufReader::new(std::fs::File::from(reading));
    told.read_line(&mut line).unwrap();
    (spawned, Pid::new(line.trim().parse().unwrap()).unwrap())
}

/// A process that sleeps for a minute unless it is ended.
fn sleeper() -> Spawned {
    let none: [(&str, &str); 0] = [];
    let program = Program::new(Path::new("/bin/sleep"), ["60"], none).unwrap();
    Spawner::new().unwrap().spawn(&program).unwrap()
}

fn record(run: u32, spawned: &Spawned) -> RunRecord {
    let pid = Pid::new(spawned.pid.as_raw().unsigned_abs()).unwrap();
    RunRecord::new(RunId(run), pid, spawned.start_time().unwrap(), false)
}

/// Kills a process and waits until it can be reaped.
fn kill(spawned: &Spawned) {
    process::pidfd_send_signal(&spawned.pidfd, process::Signal::KILL).unwrap();
    let flags = process::WaitIdOptions::EXITED | process::WaitIdOptions::NOWAIT;
    process::waitid(process::WaitId::PidFd(spawned.pidfd.as_fd()), flags).unwrap();
}

/// A run that says that it is ready and dies at once was ready; the next one is not, because of it.
#[test]
fn last_words_are_those_of_the_run_that_said_them() {
    let mut stage = stage();
    let first = stage.born(1);
    stage.say(b"READY=1");
    kill(&first);
    stage.reap();
    assert_eq!(stage.told(), [(1, "started"), (1, "ready"), (1, "exited")]);
    let second = stage.born(2);
    stage.children.hear(0);
    assert_eq!(stage.told(), [(2, "started")]);
    kill(&second);
    stage.reap();
}

/// A message that overtakes the news of its run is kept for it.
#[test]
fn early_words_are_kept() {
    let mut stage = stage();
    stage.say(b"READY=1");
    stage.children.hear(0);
    assert!(!stage.wakes(), "it would wake the thread again and again");
    let run = stage.born(1);
    assert!(stage.wakes());
    stage.children.hear(0);
    assert_eq!(stage.told(), [(1, "started"), (1, "ready")]);
    kill(&run);
    stage.reap();
}

/// A service that says without end that it is ready is heard once: each time would be a write and a
/// pass of the core.
#[test]
fn being_ready_is_news_once() {
    let mut stage = stage();
    let run = stage.born(1);
    for _ in 0..5 {
        stage.say(b"READY=1");
        stage.children.hear(0);
    }
    assert_eq!(stage.told(), [(1, "started"), (1, "ready")]);
    kill(&run);
    stage.reap();
}

/// A record that is there proves to a successor that nobody has seen the end of its run.
#[test]
fn the_record_of_a_run_ends_with_it() {
    let mut stage = stage();
    let run = stage.born(1);
    stage.record(&record(1, &run));
    kill(&run);
    stage.reap();
    assert_eq!(stage.recorded(), None);
}

/// An adopted process is reaped by somebody else, and its number may be another one's by the time
/// we hear of its end.
#[test]
fn a_number_that_was_given_out_again_is_left_alone() {
    let mut stage = stage();
    let (dead, stranger) = (sleeper(), sleeper());
    kill(&dead);
    let mut reused = record(1, &stranger);
    reused.start += 1;
    let pidfd = dead.pidfd.try_clone().unwrap();
    stage.children.adopt(ServiceId(0), reused, pidfd);
    stage.reap();
    assert_eq!(stage.told(), [(1, "exited")]);
    // Whoever was first has ended it.
    process::pidfd_send_signal(&stranger.pidfd, process::Signal::TERM).unwrap();
    let who = process::WaitId::PidFd(stranger.pidfd.as_fd());
    let status = process::waitid(who, process::WaitIdOptions::EXITED).unwrap();
    assert_eq!(status.unwrap().terminating_signal(), Some(libc::SIGTERM));
}

/// How a process ends that nobody reaps but this.
fn end_of(spawned: &Spawned) -> Option<i32> {
    let who = process::WaitId::PidFd(spawned.pidfd.as_fd());
    let status = process::waitid(who, process::WaitIdOptions::EXITED).unwrap();
    status.unwrap().terminating_signal()
}

/// The core knows of a run before this thread does, and may answer at once.
#[test]
fn a_signal_that_overtakes_its_run_is_kept() {
    let mut stage = stage();
    let (web, stop, kill) = (ServiceId(0), Signal::Stop, Signal::Kill);
    stage.children.signal(web, RunId(1), stop, Reach::Main);
    let first = stage.born(1);
    assert_eq!(end_of(&first), Some(libc::SIGTERM));
    stage.reap();
    // Whoever is to be killed is not asked instead.
    stage.children.signal(web, RunId(2), kill, Reach::All);
    stage.children.signal(web, RunId(2), stop, Reach::Main);
    let second = stage.born(2);
    assert_eq!(end_of(&second), Some(libc::SIGKILL));
    stage.reap();
    // It was for that run alone.
    let third = stage.born(3);
    stage.children.signal(web, RunId(3), stop, Reach::Main);
    assert_eq!(end_of(&third), Some(libc::SIGTERM));
}

/// A signal that came too late for its run is not another one's.
#[test]
fn a_signal_for_a_run_that_is_over_is_dropped() {
    let mut stage = stage();
    let run = stage.born(1);
    kill(&run);
    stage.reap();
    let web = ServiceId(0);
    stage
        .children
        .signal(web, RunId(1), Signal::Kill, Reach::All);
    let next = stage.born(2);
    // The first signal is the one that ends it.
    stage
        .children
        .signal(web, RunId(2), Signal::Stop, Reach::Main);
    assert_eq!(end_of(&next), Some(libc::SIGTERM));
}

/// A new run wakes nobody, unless a signal waits for it.
#[test]
fn a_run_that_is_awaited_wakes_the_thread() {
    let mut stage = stage();
    let (orders, work) = with_bell(2, pulse(Thread::Children)).unwrap();
    let births = stage.children.births(orders);
    let rung = || {
        let mut fds = [PollFd::from_borrowed_fd(
            work.bell().unwrap(),
            PollFlags::IN,
        )];
        poll(&mut fds, Some(&Timespec::default())).unwrap() == 1
    };
    let tell = |run: u32| {
        let spawned = sleeper();
        let pidfd = spawned.pidfd.try_clone().unwrap();
        births.tell(ServiceId(0), record(run, &spawned), pidfd, false);
        spawned
    };
    let first = tell(1);
    assert!(!rung());
    assert!(stage.children.take_orders(&work));
    kill(&first);
    stage.reap();
    stage
        .children
        .signal(ServiceId(0), RunId(2), Signal::Stop, Reach::Main);
    let second = tell(2);
    assert!(rung());
    assert!(stage.children.take_orders(&work));
    assert_eq!(end_of(&second), Some(libc::SIGTERM));
}

/// Out of kernel memory a run is not watched: it is killed and cleared up like any other.
#[test]
fn a_run_that_cannot_be_watched_is_cleared_up() {
    let mut stage = stage();
    let spawned = sleeper();
    let record = record(1, &spawned);
    stage.record(&record);
    let (orders, work) = with_bell(2, pulse(Thread::Children)).unwrap();
    let mut births = stage.children.births(orders);
    births.watch_nothing();
    let pidfd = spawned.pidfd.try_clone().unwrap();
    births.tell(ServiceId(0), record, pidfd, false);
    assert!(stage.children.take_orders(&work));
    assert_eq!(stage.told(), [(1, "started"), (1, "exited")]);
    assert_eq!(stage.recorded(), None);
    let who = process::WaitId::PidFd(spawned.pidfd.as_fd());
    let reaped = process::waitid(who, process::WaitIdOptions::EXITED);
    assert_eq!(reaped.err(), Some(Errno::CHILD), "nobody has reaped it");
}

/// Each thing that is said reaches the core once, in an order that makes sense, however it was written.
#[test]
fn what_is_said_is_told() {
    let mut stage = stage();
    let run = stage.born(1);
    stage.say(b"WATCHDOG=trigger\nSTATUS=warm\nREADY=1\nRELOADING=1\nERRNO=5");
    stage.say(b"RELOADING=1\nMONOTONIC_USEC=1\nWATCHDOG=1");
    stage.say(b"STATUS=warm\nRELOADING=1\nREADY=1");
    stage.say(b"STOPPING=1\nEXTEND_TIMEOUT_USEC=5\nERRNO=x");
    stage.say(b"STOPPING=1");
    stage.children.hear(0);
    let told: Vec<_> = stage.told().into_iter().map(|(_, what)| what).collect();
    let expected = [
        "started",
        "ready",
        "status",
        "errno",
        "trigger",
        "reloading",
        "ready",
        "value",
        "stopping",
        "extend",
    ];
    assert_eq!(told, expected);
    kill(&run);
    stage.reap();
}

/// A service may promise heartbeats that its configuration does not ask for, and take that back. What
/// it has promised stands in its record, for a successor.
#[test]
fn a_window_of_its_own() {
    let mut stage = stage();
    let run = stage.born(1);
    for message in [
        "WATCHDOG=1",
        "WATCHDOG_USEC=20000000",
        "WATCHDOG=1",
        "WATCHDOG=1",
    ] {
        stage.say(message.as_bytes());
    }
    stage.children.hear(0);
    assert_eq!(
        stage.told(),
        [(1, "started"), (1, "window"), (1, "heartbeat")]
    );
    let window = |stage: &Stage| stage.recorded().unwrap().window;
    assert_eq!(window(&stage), Some(Some(Duration::from_secs(20))));
    stage.say(b"WATCHDOG_USEC=0");
    stage.say(b"WATCHDOG=1");
    stage.children.hear(0);
    assert_eq!(stage.told(), [(1, "window")]);
    assert_eq!(window(&stage), Some(None));
    kill(&run);
    stage.reap();
}

/// Somebody who is sure to be no part of the service: a process of another service.
#[test]
fn a_stranger_is_not_heeded_and_told_once() {
    let mut stage = stage();
    let run = stage.born(1);
    stage.estrange(&run);
    for _ in 0..5 {
        stage.say(b"READY=1");
    }
    stage.children.hear(0);
    assert_eq!(stage.told(), [(1, "started"), (1, "stranger")]);
    kill(&run);
    stage.reap();
}

/// One that talks without end is read on when the second is over, and told once.
#[test]
fn a_flood_is_dammed() {
    let mut stage = stage();
    let run = stage.born(1);
    let mut status = 0;
    let mut told = Vec::new();
    for number in 0..1_000u32 {
        stage.say(format!("STATUS={number}").as_bytes());
        stage.children.hear(0);
        told.extend(stage.told());
        if told.contains(&(1, "flood")) {
            break;
        }
        status += 1;
    }
    assert_eq!(status, 200);
    assert_eq!(told.iter().filter(|t| **t == (1, "status")).count(), 201);
    stage.say(b"STATUS=later");
    assert!(!stage.wakes());
    while let Some(patience) = stage.children.patience() {
        assert!(patience.tv_sec <= 1);
        let mut buffer = [MaybeUninit::<epoll::Event>::uninit(); 1];
        // A wait that is interrupted is followed by another one.
        let _ = epoll::wait(&stage.children.epoll, &mut buffer, Some(&patience));
        stage.children.open_due_ears();
    }
    assert!(stage.wakes());
    stage.children.hear(0);
    assert_eq!(stage.told(), [(1, "status")]);
    kill(&run);
    stage.reap();
}

/// What is left in the socket when a run has ended is not the next one's, however much it is.
#[test]
fn a_flood_ends_with_its_run() {
    let mut stage = stage();
    let run = stage.born(1);
    for _ in 0..8 {
        stage.say(b"STATUS=x");
    }
    stage.children.slots[0].ears.drown();
    kill(&run);
    stage.reap();
    let next = stage.born(2);
    stage.told();
    stage.children.hear(0);
    assert_eq!(stage.told(), []);
    kill(&next);
    stage.reap();
}

/// A service may name another of its processes as the main one: that is signalled and waited for, and
/// the first one's end is none. Whatever the first one started is known by it all the time.
#[test]
fn another_process_becomes_the_main_one() {
    let mut stage = stage();
    let (shell, child) = parent();
    let shell = stage.born_of(1, shell);
    stage.say(format!("MAINPID={}", std::process::id()).as_bytes());
    stage.say(format!("MAINPID={}", record(1, &shell).pid.number()).as_bytes());
    stage.say(format!("MAINPID={}", child.number()).as_bytes());
    stage.children.hear(0);
    assert_eq!(stage.told(), [(1, "started"), (1, "main?"), (1, "main")]);
    let kept = stage.recorded().unwrap();
    assert_eq!(kept.pid, child);
    assert_eq!(kept.leader(), record(1, &shell).leader());

    kill(&shell);
    stage.reap();
    assert_eq!(stage.told(), []);
    assert!(!stage.wakes());
    let web = ServiceId(0);
    stage
        .children
        .signal(web, RunId(1), Signal::Stop, Reach::Main);
    let run = stage.children.slots[0].run.as_ref().unwrap();
    assert!(end::comes_within(run, Duration::from_secs(10)));
    stage.reap();
    assert_eq!(stage.told(), [(1, "exited")]);
    assert_eq!(stage.recorded(), None);
    let who = process::WaitId::PidFd(shell.pidfd.as_fd());
    let reaped = process::waitid(who, process::WaitIdOptions::EXITED);
    assert_eq!(reaped.err(), Some(Errno::CHILD), "the first one is reaped");
}

/// The main process ends while the one that it began with lives on: that is a remain, is killed, and
/// reaped when it is gone.
#[test]
fn the_first_process_does_not_outlive_its_run() {
    let mut stage = stage();
    let (shell, child) = parent();
    let shell = stage.born_of(1, shell);
    stage.say(format!("MAINPID={}", child.number()).as_bytes());
    stage.children.hear(0);
    let child = process::Pid::from_raw(i32::try_from(child.number()).unwrap()).unwrap();
    process::kill_process(child, process::Signal::KILL).unwrap();
    let run = stage.children.slots[0].run.as_ref().unwrap();
    assert!(end::comes_within(run, Duration::from_secs(10)));
    stage.reap();
    assert_eq!(stage.told(), [(1, "started"), (1, "main"), (1, "exited")]);
    let mut fds = [PollFd::new(&shell.pidfd, PollFlags::IN)];
    let wait = Timespec {
        tv_sec: 10,
        tv_nsec: 0,
    };
    assert_eq!(poll(&mut fds, Some(&wait)), Ok(1), "it is killed");
    stage.children.reap_former(0);
    assert!(stage.children.slots[0].former.is_empty());
    let who = process::WaitId::PidFd(shell.pidfd.as_fd());
    let reaped = process::waitid(who, process::WaitIdOptions::EXITED);
    assert_eq!(reaped.err(), Some(Errno::CHILD), "it is reaped");
}

/// The descriptor of a barrier is closed when what was said before it is told.
#[test]
fn a_barrier_is_let_go_in_its_turn() {
    let mut stage = stage();
    let run = stage.born(1);
    let (reading, writing) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    stage.say(b"READY=1");
    stage.say_with(b"BARRIER=1", &[writing]);
    let closed = || {
        let mut fds = [PollFd::new(&reading, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec::default())).unwrap() == 1
    };
    assert!(!closed());
    stage.hear();
    assert!(closed());
    assert_eq!(
        stage.facts.take().map(|_| ()),
        Some(()),
        "what came before is told"
    );
    kill(&run);
    stage.reap();
}

/// What a run leaves is kept for the next one, within bounds, and let go of when it is of no use.
#[test]
fn descriptors_are_kept() {
    let mut stage = stage();
    let run = stage.born(1);
    let pair = || std::os::unix::net::UnixStream::pair().unwrap();
    let ((a, x), (b, y), (c, _z)) = (pair(), pair(), pair());
    stage.say_with(b"FDSTORE=1\nFDNAME=a", &[a.into()]);
    stage.say_with(b"FDSTORE=1\nFDNAME=b\nFDPOLL=0", &[b.into()]);
    stage.say_with(b"FDSTORE=1", &[c.into()]);
    stage.hear();
    let expected = [(1, "started"), (1, "kept"), (1, "kept"), (1, "store")];
    assert_eq!(stage.told(), expected);
    kill(&run);
    stage.reap();
    let next = stage.born(2);
    stage.told();
    let names = |stage: &Stage| -> Vec<String> {
        let all = stage.children.slots[0].child.store.all();
        all.iter().map(|s| s.name.to_string()).collect()
    };
    assert_eq!(names(&stage), ["a", "b"]);
    assert!(!stage.wakes());
    drop((x, y));
    assert!(stage.wakes_within(20), "the other end is gone");
    stage.children.drop_dead(0);
    assert!(!stage.wakes());
    assert_eq!(names(&stage), ["b"]);
    stage.say(b"FDSTOREREMOVE=1\nFDNAME=b");
    stage.hear();
    assert_eq!(stage.told(), [(2, "kept"), (2, "kept")]);
    assert_eq!(names(&stage), [""; 0]);
    kill(&next);
    stage.reap();
}

/// A newline makes ready, whatever stands before it; a descriptor that is closed without one does not.
#[test]
fn a_newline_is_readiness() {
    let mut stage = stage();
    for (run, text, ready) in [(1, "x\n", true), (2, "ready", false), (3, "", false)] {
        let spawned = sleeper();
        let (reading, writing) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        rustix::io::ioctl_fionbio(&reading, true).unwrap();
        let (orders, work) = with_bell(1, pulse(Thread::Children)).unwrap();
        let births = stage.children.births(orders);
        let pidfd = spawned.pidfd.try_clone().unwrap();
        let newline = Some(reading);
        births.tell_with(ServiceId(0), record(run, &spawned), pidfd, false, newline);
        assert!(stage.children.take_orders(&work));
        assert_eq!(stage.told(), [(run, "started")]);
        assert!(!stage.wakes());
        rustix::io::write(&writing, text.as_bytes()).unwrap();
        drop(writing);
        assert!(stage.wakes());
        stage.children.read_newline(0);
        let told = stage.told();
        assert_eq!(told, if ready { vec![(run, "ready")] } else { vec![] });
        stage.children.read_newline(0);
        assert!(!stage.wakes());
        kill(&spawned);
        stage.reap();
        stage.told();
    }
}

/// There may be a thousand services on a small machine; what only few of them need is kept apart.
#[test]
fn a_service_takes_little_room() {
    assert!(size_of::<Slot>() <= 272, "{}", size_of::<Slot>());
}

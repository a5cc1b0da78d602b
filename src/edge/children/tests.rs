//! The thread's steps one by one, with real processes and sockets.

use super::*;
use crate::core::fact::{Pid, Thread};
use crate::edge::inbox::{Facts, inbox};
use crate::edge::orders::{plain, with_bell};
use crate::edge::pulse::Pulse;
use crate::edge::spawn::{Program, Spawned, Spawner};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

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
        notify: Some(notify),
    }];
    let (guards, _) = plain(1, pulse(Thread::Watchdog));
    let (inbox, facts) = inbox();
    let children = Children::new(kin, places, None, guards, inbox).unwrap();
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
        let spawned = sleeper();
        let record = record(run, &spawned);
        let pidfd = spawned.pidfd.try_clone().unwrap();
        let (orders, work) = with_bell(1, pulse(Thread::Children)).unwrap();
        let births = self.children.births(orders);
        births.tell(ServiceId(0), record, pidfd, false);
        assert!(self.children.take_orders(&work));
        spawned
    }

    /// A message of this process, which is no other service's.
    fn say(&self, message: &[u8]) {
        let path = self.directory.path().join("service/web/notify");
        let socket = UnixDatagram::unbound().unwrap();
        socket.send_to(message, path).unwrap();
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

/// A process that sleeps for a minute unless it is ended.
fn sleeper() -> Spawned {
    let none: [(&str, &str); 0] = [];
    let program = Program::new(Path::new("/bin/sleep"), ["60"], none).unwrap();
    Spawner::new().unwrap().spawn(&program).unwrap()
}

fn record(run: u32, spawned: &Spawned) -> RunRecord {
    RunRecord {
        run: RunId(run),
        pid: Pid::new(spawned.pid.as_raw().unsigned_abs()).unwrap(),
        start: spawned.start_time().unwrap(),
        ready: false,
    }
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
    stage.children.reap(0);
    assert_eq!(stage.told(), [(1, "started"), (1, "ready"), (1, "exited")]);
    let second = stage.born(2);
    stage.children.hear(0);
    assert_eq!(stage.told(), [(2, "started")]);
    kill(&second);
    stage.children.reap(0);
}

/// A message that overtakes the news of its run is kept for it.
#[test]
fn early_words_are_kept() {
    let mut stage = stage();
    stage.say(b"READY=1");
    stage.children.hear(0);
    let run = stage.born(1);
    assert_eq!(stage.told(), [(1, "started"), (1, "ready")]);
    kill(&run);
    stage.children.reap(0);
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
    stage.children.reap(0);
}

/// A record that is there proves to a successor that nobody has seen the end of its run.
#[test]
fn the_record_of_a_run_ends_with_it() {
    let mut stage = stage();
    let place = stage.children.places.run_record("web");
    let run = stage.born(1);
    record(1, &run).store(&place).unwrap();
    kill(&run);
    stage.children.reap(0);
    assert_eq!(RunRecord::load(&place), None);
}

/// An adopted process is reaped by somebody else, and its number may be another one's by the time
/// we hear of its end.
#[test]
fn a_number_that_was_given_out_again_is_left_alone() {
    let mut stage = stage();
    let (dead, stranger) = (sleeper(), sleeper());
    kill(&dead);
    let reused = RunRecord {
        start: record(1, &stranger).start + 1,
        ..record(1, &stranger)
    };
    let pidfd = dead.pidfd.try_clone().unwrap();
    stage.children.adopt(ServiceId(0), reused, pidfd);
    stage.children.reap(0);
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
    stage.children.reap(0);
    // Whoever is to be killed is not asked instead.
    stage.children.signal(web, RunId(2), kill, Reach::All);
    stage.children.signal(web, RunId(2), stop, Reach::Main);
    let second = stage.born(2);
    assert_eq!(end_of(&second), Some(libc::SIGKILL));
    stage.children.reap(0);
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
    stage.children.reap(0);
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
    stage.children.reap(0);
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
    let (place, record) = (stage.children.places.run_record("web"), record(1, &spawned));
    record.store(&place).unwrap();
    let (orders, work) = with_bell(2, pulse(Thread::Children)).unwrap();
    let mut births = stage.children.births(orders);
    births.watch_nothing();
    let pidfd = spawned.pidfd.try_clone().unwrap();
    births.tell(ServiceId(0), record, pidfd, false);
    assert!(stage.children.take_orders(&work));
    assert_eq!(stage.told(), [(1, "started"), (1, "exited")]);
    assert_eq!(RunRecord::load(&place), None);
    let who = process::WaitId::PidFd(spawned.pidfd.as_fd());
    let reaped = process::waitid(who, process::WaitIdOptions::EXITED);
    assert_eq!(reaped.err(), Some(Errno::CHILD), "nobody has reaped it");
}

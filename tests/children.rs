//! The children thread with real processes.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fieldwarden::core::fact::{Change, Exit, Fact, Pid, RunId, ServiceId, Thread};
use fieldwarden::edge::children::{Births, Child, ChildOrder, Children};
use fieldwarden::edge::clock;
use fieldwarden::edge::fd_store::FdStore;
use fieldwarden::edge::inbox::{Facts, inbox};
use fieldwarden::edge::orders::{plain, with_bell};
use fieldwarden::edge::places::Places;
use fieldwarden::edge::pulse::Pulse;
use fieldwarden::edge::run_record::RunRecord;
use fieldwarden::edge::run_table::RunTable;
use fieldwarden::edge::spawn::{Program, Spawned, Spawner};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};

/// Longer than any machine takes to run `true`.
const PATIENCE: Duration = Duration::from_secs(20);

fn child(name: &str) -> Child {
    Child {
        name: name.into(),
        stop_signal: libc::SIGTERM,
        heartbeat: None,
        notify: None,
        newline: None,
        store: FdStore::of(0),
        store_most: 0,
    }
}

fn pulse(thread: Thread) -> Arc<Pulse> {
    Arc::new(Pulse::new(thread, PATIENCE))
}

fn spawn(path: &str, arguments: &[&str]) -> Spawned {
    let none: [(&str, &str); 0] = [];
    let program = Program::new(Path::new(path), arguments, none).unwrap();
    Spawner::new().unwrap().spawn(&program).unwrap()
}

fn born(births: &Births, service: u16, run: u32, spawned: &Spawned) {
    let pid = Pid::new(spawned.pid.as_raw().unsigned_abs()).unwrap();
    let start = spawned.start_time().unwrap();
    let record = RunRecord::new(RunId(run), pid, start, true);
    let pidfd = spawned.pidfd.try_clone().unwrap();
    births.tell(ServiceId(service), record, pidfd, false);
}

/// Takes facts until this service's run has ended.
fn end_of(facts: &mut Facts, service: u16, run: u32) -> Exit {
    let deadline = clock::now().after(PATIENCE);
    loop {
        let fact = facts.wait_until(clock::now(), Some(deadline));
        match fact.expect("the end of a run is told") {
            Fact::Child {
                service: s,
                run: r,
                change: Change::Exited(exit),
            } if s == ServiceId(service) && r == RunId(run) => return exit,
            other => assert!(
                !matches!(
                    &other,
                    Fact::Child {
                        change: Change::Exited(_),
                        ..
                    }
                ),
                "an end that did not happen: {other:?}"
            ),
        }
    }
}

/// A child that is being started holds copies of all our descriptors for a moment. Here the test
/// holds a copy of the first run's pidfd, and for good: its end must not be taken for that of the
/// second run.
#[test]
fn a_run_that_has_ended_is_not_mistaken_for_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let (orders, work) = with_bell(8, pulse(Thread::Children)).unwrap();
    let (guards, _guards) = plain(8, pulse(Thread::Watchdog));
    let (inbox, mut facts) = inbox();
    let places = Places::new(directory.path());
    let (table, _) = RunTable::open(&places, &["first", "other"]);
    let kin = vec![child("first"), child("other")];
    let children = Children::new(kin, Arc::new(table), None, guards, inbox).unwrap();
    let births = children.births(orders.clone());
    let running = thread::spawn(move || children.run(&work));

    let first = spawn("/bin/false", &[]);
    let _copy: OwnedFd = first.pidfd.try_clone().unwrap();
    born(&births, 0, 1, &first);
    assert_eq!(end_of(&mut facts, 0, 1), Exit::Code(1));

    let second = spawn("/bin/sleep", &["60"]);
    born(&births, 0, 2, &second);
    // Once this end is known, the thread has looked at all its descriptors after the birth above.
    born(&births, 1, 1, &spawn("/bin/true", &[]));
    assert_eq!(end_of(&mut facts, 1, 1), Exit::Code(0));

    orders.hand(clock::now(), ChildOrder::Quit);
    running.join().unwrap().unwrap();
    kill(second.pid, Signal::SIGTERM).unwrap();
    let status = waitid(Id::PIDFd(second.pidfd.as_fd()), WaitPidFlag::WEXITED).unwrap();
    let asked = WaitStatus::Signaled(second.pid, Signal::SIGTERM, false);
    assert_eq!(
        status, asked,
        "the second run was killed as if it were the first"
    );
}

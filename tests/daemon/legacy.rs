//! What one daemon leaves to the next beside processes.

use super::rig::{Rig, shell, sleeper};
use nix::sys::signal::Signal;
use std::fs;

fn services(done: &std::path::Path) -> String {
    let job = format!(
        "restart = \"never\"\nenvironment = {{ DONE = \"{}\" }}",
        done.display()
    );
    let slow = "backoff = { immediate = 1, first = \"10m\", cap = \"10m\", cooldown = \"20m\" }";
    sleeper("runs", "")
        + &sleeper("stopped", "")
        + &sleeper("later", "autostart = false")
        + &shell("job", &job, "echo done >> $DONE")
        + &shell("crashes", slow, "exit 3")
}

/// The daemon is killed: what an operator has stopped stays stopped, a job is not run again, what
/// keeps failing goes on waiting, and no number of a run is given twice in a boot.
#[test]
fn a_successor_knows_how_services_were_left() {
    let mut rig = Rig::new("");
    let done = rig.path("done");
    rig.configure(&services(&done));
    rig.start();
    rig.up("runs");
    rig.up("stopped");
    rig.ask_about("stop", Some("stopped")).unwrap();
    let settled = |rig: &Rig| {
        let state = |name: &str| rig.service(name).state;
        let why = |name: &str| rig.service(name).why.unwrap_or_default();
        // The daemon notes it a moment after it has decided.
        let noted = |name: &str, left: &str| {
            let memos = fs::read(rig.path("run/memos")).unwrap_or_default();
            let memos = String::from_utf8_lossy(&memos).into_owned();
            let its = |memo: &str| {
                let of = format!(" child {name} ");
                memo.contains(&of) && memo.contains(&format!(" recalled {left}"))
            };
            memos.lines().any(its)
        };
        let stays = |name: &str, left: &str| why(name) == left && noted(name, left);
        let waits = state("crashes") == "backoff" && noted("crashes", "backoff");
        stays("stopped", "stopped") && stays("job", "finished") && waits
    };
    rig.until("each is where it stays", settled);
    let before = rig.status().services;
    for _ in 0..2 {
        rig.signal(Signal::SIGKILL);
        rig.wait();
        rig.start();
        for old in &before {
            let new = rig.service(&old.name);
            let same = |s: &fieldwarden::status::ServiceStatus| {
                let s = s.clone();
                (s.state, s.wish, s.why, s.pid, s.run, s.failures)
            };
            assert_eq!(same(&new), same(old));
        }
    }
    assert_eq!(fs::read_to_string(&done).unwrap(), "done\n");
    rig.until("it is told", |rig| rig.log().contains("stays stopped"));

    // What is asked for is done, by this daemon as by the first.
    rig.ask_about("start", Some("stopped")).unwrap();
    rig.up("stopped");
    rig.ask_about("restart", Some("runs")).unwrap();
    rig.until("it runs again", |rig| {
        rig.service("runs").run == 2 && rig.service("runs").state == "up"
    });

    // An end in good order is another matter: then the configuration counts, and numbers go on.
    rig.ask_about("stop", Some("stopped")).unwrap();
    rig.signal(Signal::SIGTERM);
    assert!(rig.wait().success());
    rig.start();
    rig.up("stopped");
    rig.up("runs");
    rig.until("the job is done again", |_| {
        fs::read_to_string(&done).unwrap() == "done\ndone\n"
    });
    assert_eq!(rig.service("runs").run, 3);
    rig.signal(Signal::SIGTERM);
    assert!(rig.wait().success());
    let mut starts: Vec<String> = rig.journaled("service-starting");
    let run = |line: &String| line.split("\"data\"").nth(1).unwrap().to_owned();
    let all = starts.len();
    starts.sort_by_key(run);
    starts.dedup_by_key(|line| run(line));
    assert_eq!(starts.len(), all, "{starts:?}");
}

/// A job that ended while no daemon was there may have done its work: it is not run again.
#[test]
fn a_job_that_ended_unseen_is_not_run_again() {
    let mut rig = Rig::new("");
    let done = rig.path("done");
    let settings = format!(
        "restart = \"never\"\nenvironment = {{ DONE = \"{}\" }}",
        done.display()
    );
    let script = "echo begun >> $DONE; while [ ! -e $DONE.go ]; do sleep 0.05; done";
    rig.configure(&(shell("job", &settings, script) + &sleeper("plain", "")));
    rig.start();
    let job = rig.up("job");
    rig.until("it has begun", |_| done.exists());
    rig.signal(Signal::SIGKILL);
    rig.wait();
    fs::write(rig.path("done.go"), "").unwrap();
    rig.until("it is gone", |_| !super::rig::alive(job));
    rig.start();
    rig.up("plain");
    assert_eq!(rig.service("job").why.as_deref(), Some("failed"));
    assert_eq!(fs::read_to_string(&done).unwrap(), "begun\n");
}

/// What is configured otherwise is stopped and started anew by the next daemon, and what is not
/// configured any more is ended; what is as it was runs on. What was given up with a mistake in its
/// configuration is tried at once when that is mended.
#[test]
fn a_successor_starts_anew_what_is_configured_otherwise() {
    let slow = "backoff = { immediate = 1, first = \"10m\", cap = \"10m\", cooldown = \"20m\" }";
    let mut rig = Rig::new(
        &(sleeper("same", "")
            + &sleeper("other", "")
            + &sleeper("gone", "")
            + &shell("broken", slow, "exit 3")),
    );
    rig.start();
    let (same, other, gone) = (rig.up("same"), rig.up("other"), rig.up("gone"));
    rig.until("it waits", |rig| rig.service("broken").state == "backoff");
    rig.signal(Signal::SIGQUIT);
    assert!(rig.wait().success());
    // What only the daemon goes by is in force without a new process.
    rig.configure(
        &(sleeper("same", "stop_timeout = \"3s\"\nclass = \"essential\"")
            + &sleeper("other", "environment = { A = \"1\" }")
            + &sleeper("broken", slow)
            + &sleeper("new", "")),
    );
    rig.start();
    rig.until("it was started anew", |rig| {
        let service = rig.service("other");
        service.run == 2 && service.state == "up"
    });
    rig.up("broken");
    rig.up("new");
    assert_ne!(rig.up("other"), other);
    rig.until("it was ended", |_| !super::rig::alive(gone));
    assert_eq!((rig.up("same"), rig.service("same").run), (same, 1));
    assert_eq!(rig.service("other").failures, 0);
    rig.until("it is told", |rig| {
        rig.log()
            .contains("other is configured otherwise than it was started")
    });

    let told = |rig: &Rig| rig.journaled("service-redefined").len();
    rig.until("both are told", |rig| told(rig) == 2);

    // Once only: it was started so.
    let before = rig.up("other");
    rig.signal(Signal::SIGKILL);
    rig.wait();
    rig.start();
    assert_eq!((rig.up("other"), rig.up("same")), (before, same));
    assert_eq!(told(&rig), 2);
}

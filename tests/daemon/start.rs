//! Starts that go wrong.

use super::rig::{Rig, sleeper};
use nix::sys::signal::Signal;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Init would start a daemon with a broken configuration twice a second: it is told at once, and ends
/// later. Whoever starts one by hand does not have to wait.
#[test]
fn a_broken_configuration_does_not_flood_the_journal() {
    let rig = Rig::new(&sleeper("plain", "color = \"red\""));
    let by_hand = rig.command().output().unwrap();
    assert_eq!(by_hand.status.code(), Some(78));
    let begun = Instant::now();
    let mut by_init = rig
        .command()
        .env("NOTIFY_SOCKET", "@fieldwarden-nobody-listens")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(by_init.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("color")));
    assert!(begun.elapsed() < Duration::from_secs(8), "told too late");
    assert_eq!(by_init.try_wait().unwrap(), None);
    assert_eq!(by_init.wait().unwrap().code(), Some(78));
    assert!(begun.elapsed() >= Duration::from_secs(10));
}

/// Daemon after daemon breaks off: the fourth within a minute starts without what they left about
/// services, except the processes that live, and says so. One that ends in good order ends the count.
#[test]
fn a_daemon_that_keeps_breaking_off_starts_safely() {
    let mut rig = Rig::new(&(sleeper("runs", "") + &sleeper("stopped", "")));
    rig.start();
    let runs = rig.up("runs");
    rig.up("stopped");
    rig.ask_about("stop", Some("stopped")).unwrap();
    rig.until("it is stopped", |rig| {
        rig.service("stopped").state == "down"
    });
    for round in 0..3 {
        assert_eq!(rig.status().daemon.safe_after, None, "round {round}");
        assert_eq!(rig.service("stopped").state, "down", "round {round}");
        rig.signal(Signal::SIGKILL);
        rig.wait();
        rig.start();
    }
    rig.up("stopped");
    assert_eq!(rig.up("runs"), runs);
    let status = rig.status();
    assert_eq!(status.daemon.safe_after, Some(3));
    assert_eq!(status.verdicts.daemon, "warn");
    rig.until("it is recorded", |rig| {
        !rig.journaled("safe-start").is_empty()
    });
    rig.signal(Signal::SIGQUIT);
    assert!(rig.wait().success());
    rig.start();
    assert_eq!(rig.status().daemon.safe_after, None);
    assert_eq!(rig.up("runs"), runs);
}

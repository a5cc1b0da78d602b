//! A hold, over lives of the daemon.

use super::rig::{Rig, shell};
use nix::sys::signal::Signal;

/// Given up after two restarts, if nothing keeps it from that.
const HOPELESS: &str = "restart = \"always\"\n\
    backoff = { immediate = 30, first = \"100ms\", cap = \"1s\", stable = \"1m\", restarts = 2, \
    window = \"10m\", cooldown = \"10m\" }";

/// It is in force for the daemon that follows one that was killed, with the same end; and over when it
/// is ended, for the next one, too. Then failures count again.
#[test]
fn a_hold_outlives_the_daemon() {
    let mut rig = Rig::new(&shell("hopeless", HOPELESS, "sleep 0.1; exit 3"));
    rig.start();
    rig.until("it is given up", |rig| {
        rig.service("hopeless").state == "gave-up"
    });
    let answer = rig
        .ask_with("hold", ",\"seconds\":600,\"reason\":\"the wiring\"")
        .unwrap();
    assert_eq!(answer["answer"], "accepted", "{answer}");
    rig.ask_about("start", Some("hopeless")).unwrap();
    rig.until("it fails and is not given up", |rig| {
        rig.service("hopeless").excused >= 5
    });
    let before = rig.status().hold.unwrap();
    assert_eq!(before.reason, "the wiring");
    assert_eq!(before.user, Some(nix::unistd::getuid().as_raw()));
    rig.signal(Signal::SIGKILL);
    rig.wait();
    rig.start();
    let after = rig.status().hold.unwrap();
    let end = |hold: &fieldwarden::status::HoldStatus| hold.since_seconds.0 + hold.left_seconds.0;
    // Since and until are the same two moments for both; what is told of them is rounded.
    assert!(
        end(&after).abs_diff(end(&before)).as_millis() < 5,
        "{before:?} {after:?}"
    );
    assert!(after.left_seconds.0 < before.left_seconds.0, "{after:?}");
    rig.until("it still fails and is not given up", |rig| {
        rig.service("hopeless").excused >= 5
    });
    assert_ne!(rig.service("hopeless").state, "gave-up");
    let answer = rig.ask("end-hold").unwrap();
    assert_eq!(answer["answer"], "accepted", "{answer}");
    rig.until("it is given up again", |rig| {
        rig.service("hopeless").state == "gave-up"
    });
    rig.until("nothing is left of the hold", |rig| {
        !rig.path("run/hold").exists()
    });
    rig.signal(Signal::SIGKILL);
    rig.wait();
    rig.start();
    assert_eq!(rig.status().hold, None);
    assert_eq!(rig.ask("end-hold").unwrap()["answer"], "already");
}

/// What was left of a hold and is damaged is no hold.
#[test]
fn a_damaged_hold_is_none() {
    let mut rig = Rig::new(&shell("plain", "", "exec sleep 300"));
    rig.start();
    let asked = ",\"seconds\":600,\"reason\":\"the wiring\"";
    rig.ask_with("hold", asked).unwrap();
    rig.until("it is kept", |rig| rig.path("run/hold").exists());
    rig.signal(Signal::SIGKILL);
    rig.wait();
    let line = std::fs::read_to_string(rig.path("run/hold")).unwrap();
    let longer = line.replace("until=", "until=9");
    assert_ne!(longer, line);
    std::fs::write(rig.path("run/hold"), longer).unwrap();
    rig.start();
    assert_eq!(rig.status().hold, None);
    rig.until("it is recorded", |rig| {
        !rig.journaled("hold-lost").is_empty()
    });
}

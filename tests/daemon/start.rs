//! Starts that go wrong.

use super::rig::{Rig, sleeper};
use nix::sys::signal::Signal;

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

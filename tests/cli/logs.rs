//! `logs`: with a daemon, while it goes on, and when it is gone.

use crate::daemon::{Place, config_with};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Time for a line to come through. It takes some milliseconds; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(20);

const TWO: &str = "[service.web]\n\
    command = [\"/bin/sh\", \"-c\", \"echo one; printf '\\\\033[2Jtwo\\\\n'; exec sleep 300\"]\n\
    [service.quiet]\ncommand = [\"/bin/sleep\", \"300\"]\n";

fn text(place: &Place, args: &[&str]) -> String {
    let output = place.run(args);
    String::from_utf8(output.stdout).expect("text")
}

/// Lines come with their time and harmless, of one service or of all, for people and for programs; and
/// they are there when the daemon is not.
#[test]
fn what_services_wrote_can_be_read() {
    let place = Place::new();
    let daemon = place.daemon(&config_with(TWO));
    let begun = Instant::now();
    while text(&place, &["logs", "web"]).lines().count() < 2 {
        assert!(begun.elapsed() < PATIENCE, "no lines");
        std::thread::sleep(Duration::from_millis(20));
    }
    let last = text(&place, &["logs", "web", "-n", "1"]);
    assert!(last.ends_with("  \u{FFFD}[2Jtwo\n"), "{last:?}");
    assert!(last.starts_with("20"), "{last:?}");
    let all = text(&place, &["logs"]);
    assert!(
        all.lines()
            .next()
            .is_some_and(|l| l.ends_with(" web    one")),
        "{all:?}"
    );
    let json = text(&place, &["logs", "web", "--json"]);
    let first: serde_json::Value =
        serde_json::from_str(json.lines().next().expect("a line")).expect("JSON");
    assert_eq!(
        (&first["service"], &first["text"]),
        (&"web".into(), &"one".into())
    );
    assert!(first["mono"].as_f64().is_some_and(|s| s > 0.0), "{first}");

    let quiet = place.run(&["logs", "quiet"]);
    let said = String::from_utf8(quiet.stderr).expect("text");
    assert!(
        quiet.status.success() && said.contains("nothing is kept"),
        "{said}"
    );
    let wrong = place.run(&["logs", "wbe"]);
    let said = String::from_utf8(wrong.stderr).expect("text");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(said.contains("did you mean web?"), "{said}");

    daemon.end();
    assert!(text(&place, &["logs", "web"]).contains("one"));
}

/// What comes while somebody follows is shown, and a service that is started again goes on in the same
/// place.
#[test]
fn lines_can_be_followed() {
    let place = Place::new();
    let _daemon = place.daemon(&config_with(TWO));
    let mut follower = place
        .command(&["logs", "web", "--follow", "-n", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("spawned");
    let mut lines = BufReader::new(follower.stdout.take().expect("piped")).lines();
    // It may have begun to follow after the first lines or before them; those of the second run come.
    assert!(place.run(&["restart", "web"]).status.success());
    let second = lines
        .by_ref()
        .map(|line| line.expect("a line"))
        .find(|l| l.ends_with("two"));
    assert!(second.is_some());
    follower.kill().expect("our own child");
    follower.wait().expect("ended");
}

//! `why`: what the daemon has not at hand any more is looked for in the journal.

use crate::daemon::{Place, config_with};

const NIGHTLY: &str = "[service.nightly]\ncommand = [\"/bin/sleep\", \"300\"]\nautostart = false\n";

fn why(place: &Place, journal: &str) -> String {
    let output = place.run(&["why", "nightly", "--journal", journal]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text") + &String::from_utf8_lossy(&output.stderr)
}

/// A daemon that is new knows nothing of what happened before it; the journal does.
#[test]
fn what_happened_before_the_daemon_is_told() {
    let place = Place::new();
    let journal = "state/journal";
    let first = place.daemon(&config_with(NIGHTLY));
    assert!(why(&place, journal).contains("none are known"));
    for verb in ["start", "stop"] {
        assert!(place.run(&[verb, "nightly"]).status.success());
    }
    first.end();
    let _second = place.daemon(&config_with(NIGHTLY));
    let text = why(&place, journal);
    assert!(text.contains("asked to stop nightly"), "{text}");
    let text = why(&place, "elsewhere");
    assert!(text.contains("none are known"), "{text}");
    assert!(text.contains("elsewhere cannot be read"), "{text}");
}

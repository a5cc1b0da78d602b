//! `events --journal` and `export`: of boots that began without the right time.

use crate::daemon::Place;
use fieldwarden::core::note::Note;
use fieldwarden::core::settings::Settings;
use fieldwarden::journal::{Journal, Stamp, Trust};
use fieldwarden::units::Mono;
use std::time::Duration;

/// What was written before the clock was set is shown with the time that follows, and says so; what
/// was written then is still there for programs.
#[test]
fn early_times_are_dated_anew() {
    let place = Place::new();
    let dir = place.path("journal");
    let write = |boot: &str, stamps: &[(u64, &str, Trust)]| {
        let mut journal = Journal::open(&dir, boot);
        for (seconds, wall, trust) in stamps {
            let stamp = Stamp {
                mono: Mono(seconds * 1000),
                wall: Some(wall.parse().expect("a time")),
                trust: *trust,
            };
            let lasted = Duration::from_secs(5);
            // What is not urgent goes along with what is.
            journal.append(stamp, &Note::MainsBack { lasted }, &Settings::nothing());
            journal.append(stamp, &Note::MainsLost, &Settings::nothing());
        }
    };
    let (old, right) = ("2024-02-03T00:00:07Z", "2026-11-28T06:00:00Z");
    write("b", &[(7, old, Trust::Floor), (67, right, Trust::Synced)]);
    write("a", &[(8, old, Trust::Floor)]);
    let told = |args: &[&str]| {
        let output = place.run(args);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let shown = told(&["events", "--journal", "journal"]);
    let times: Vec<_> = shown.lines().filter_map(|line| line.get(..20)).collect();
    let (dated, known, unknown) = (
        "2026-11-28 05:59:00~",
        "2026-11-28 06:00:00 ",
        "2024-02-03 00:00:07?",
    );
    assert_eq!(times, [dated, dated, known, known, unknown, unknown]);
    let lines = told(&["export", "journal"]);
    let early = lines.lines().next().expect("a record");
    assert!(
        early.contains(r#""wall":"2024-02-03T00:00:07.000Z","trust":"floor""#),
        "{early}"
    );
    assert!(
        early.ends_with(r#","dated":"2026-11-28T05:59:00.000Z","dated_by":3}"#),
        "{early}"
    );
    assert_eq!(lines.matches("dated_by").count(), 2, "{lines}");
    // The last record alone was dated by nobody, whatever stands before it.
    let last = told(&["events", "--journal", "journal", "-n", "3", "--json"]);
    assert_eq!(last.matches("dated").count(), 0, "{last}");
}

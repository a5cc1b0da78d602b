//! What probes in a row add up to, for every threshold.

use super::probe::{Shown, Trial};
use crate::core::fact::{Ill, Probed};
use crate::core::settings::Probe;
use crate::units::Mono;
use std::time::Duration;

const BAD: Probed = Probed::Bad(Ill::TimedOut);
const UNSURE: Probed = Probed::Unsure(Ill::Busy);

fn probe(failure_threshold: u32, success_threshold: u32) -> Probe {
    Probe {
        failure_threshold,
        success_threshold,
        ..Probe::DEFAULT
    }
}

/// Answers one after another by their letters, and what each shows.
fn row(own: Probe, answers: &str) -> String {
    let mut trial = Trial::begin(own, Mono(0));
    let mut now = Mono(0);
    let shown = answers.chars().map(|letter| {
        now = now.max(trial.due());
        let (attempt, shown) = trial.tick(now);
        assert_eq!(shown, None);
        let probed = match letter {
            'g' => Probed::Good,
            'b' => BAD,
            _ => UNSURE,
        };
        match trial.hear(attempt.unwrap(), probed, now) {
            None => '.',
            Some(Shown::Well) => 'W',
            Some(Shown::Ill { .. }) => 'I',
            Some(Shown::Unsure { .. }) => 'U',
        }
    });
    shown.collect()
}

/// Only what comes in a row counts; what tells nothing counts neither way, and breaks no row.
#[test]
fn only_rows_count() {
    for (failures, successes, answers, shown) in [
        (3, 1, "bbgbbgbbb", "..W..W..I"),
        (3, 1, "bbbbg", "..IIW"),
        (1, 1, "bgb", "IWI"),
        (2, 3, "gggbggbggg", "..W......W"),
        (2, 1, "bub", "..I"),
        (2, 2, "gug", "..W"),
        (3, 1, "uuuugu", "..UUW."),
        (3, 1, "uubuuu", ".....U"),
        (2, 1, "uguuu", ".W.UU"),
    ] {
        assert_eq!(row(probe(failures, successes), answers), shown, "{answers}");
    }
}

/// The interval is kept from one beginning to the next, however long an answer takes; and one that takes
/// longer is followed at once, never by two.
#[test]
fn the_interval_is_kept() {
    let own = Probe {
        initial_delay: Duration::from_secs(5),
        timeout: Duration::from_secs(30),
        ..Probe::DEFAULT
    };
    let mut trial = Trial::begin(own, Mono(1_000));
    assert_eq!(trial.due(), Mono(6_000));
    assert_eq!(trial.tick(Mono(5_999)), (None, None));
    assert_eq!(trial.tick(Mono(6_000)), (Some(1), None));
    assert_eq!(trial.hear(1, Probed::Good, Mono(9_000)), Some(Shown::Well));
    assert_eq!(trial.due(), Mono(16_000));
    assert_eq!(trial.tick(Mono(16_000)), (Some(2), None));
    assert_eq!(trial.hear(2, BAD, Mono(40_000)), None);
    assert_eq!(trial.due(), Mono(40_000));
    assert_eq!(trial.tick(Mono(40_000)), (Some(3), None));
    assert_eq!(trial.tick(Mono(41_000)), (None, None));
}

/// Answers to an earlier probe, or a second one to the same, change nothing; and one that is never
/// answered is given up when its time and our patience are over, and counts for nothing.
#[test]
fn late_answers_and_none() {
    let mut trial = Trial::begin(probe(1, 1), Mono(0));
    assert_eq!(trial.hear(0, BAD, Mono(0)), None);
    assert_eq!(trial.tick(Mono(0)), (Some(1), None));
    assert_eq!(trial.hear(2, BAD, Mono(1)), None);
    assert_eq!(trial.due(), Mono(6_000));
    assert_eq!(trial.tick(Mono(5_999)), (None, None));
    let (attempt, shown) = trial.tick(Mono(6_000));
    assert_eq!(
        (attempt, shown),
        (None, Some(Shown::Unsure { why: Ill::Busy }))
    );
    assert!(trial.is_unsure());
    assert_eq!(trial.hear(1, BAD, Mono(7_000)), None);
    assert_eq!((trial.failures, trial.due()), (0, Mono(10_000)));
    assert_eq!(trial.tick(Mono(10_000)), (Some(2), None));
    let ill = Shown::Ill {
        why: Ill::TimedOut,
        failures: 1,
    };
    assert_eq!(trial.hear(2, BAD, Mono(10_100)), Some(ill));
    assert_eq!(trial.hear(2, BAD, Mono(10_200)), None);
}

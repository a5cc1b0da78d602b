//! Trust, for every combination of signs; and what speaks against each clock.

use super::*;
use crate::core::action::Actions;
use crate::core::fact::RtcSeen;
use crate::core::note::{GuardNote, RtcDoubt};
use crate::core::picture::Picture;
use crate::core::settings::Settings;
use proptest::prelude::*;

const FLOOR: i64 = 2_000_000_000;
const TOLERANCE: i64 = 30;
const ALL: [Trust; 5] = [
    Trust::Unset,
    Trust::Floor,
    Trust::Rtc,
    Trust::Synced,
    Trust::Holdover,
];

fn wall(seconds: i64) -> Wall {
    Wall::new(seconds).unwrap()
}

fn shown(seconds: i64, at: u64) -> Shown {
    Shown {
        time: wall(seconds),
        at: Mono(at),
    }
}

fn early() -> Doubt {
    Doubt::Early {
        by: Duration::from_secs(61),
    }
}

fn future() -> Doubt {
    Doubt::Future {
        by: HORIZON + Duration::from_secs(1),
    }
}

/// A time may be a little before the floor and far beyond it, to the second.
#[test]
fn what_can_be_true() {
    let horizon = HORIZON.as_secs().cast_signed();
    for (seconds, expected) in [
        (FLOOR - 61, Some(early())),
        (FLOOR - 60, None),
        (FLOOR, None),
        (FLOOR + horizon, None),
        (FLOOR + horizon + 1, Some(future())),
    ] {
        assert_eq!(doubt(wall(seconds), wall(FLOOR)), expected, "{seconds}");
    }
}

/// Every state with every combination of signs.
#[test]
fn trust_follows_from_the_signs() {
    let flags = [false, true];
    for before in ALL {
        for synced in flags {
            for (grounded, doubt) in [
                (false, None),
                (true, None),
                (true, Some(early())),
                (true, Some(future())),
            ] {
                for (stepped, confirmed) in
                    [(false, false), (false, true), (true, false), (true, true)]
                {
                    let signs = Signs {
                        synced,
                        grounded,
                        doubt,
                        stepped,
                        confirmed,
                    };
                    let was_synced = matches!(before, Trust::Synced | Trust::Holdover);
                    let expected = if doubt == Some(early()) {
                        Trust::Unset
                    } else if synced {
                        Trust::Synced
                    } else if doubt.is_some() {
                        Trust::Unset
                    } else if was_synced && !stepped {
                        Trust::Holdover
                    } else if !grounded {
                        Trust::Unset
                    } else if confirmed {
                        Trust::Rtc
                    } else {
                        Trust::Floor
                    };
                    assert_eq!(next(before, &signs), expected, "{before:?} {signs:?}");
                }
            }
        }
    }
}

/// The policy with what it needs.
struct Bench {
    clock: Clock,
    settings: Settings,
    picture: Picture,
}

impl Bench {
    fn new() -> Bench {
        let mut bench = Bench {
            clock: Clock::default(),
            settings: Settings::nothing(),
            picture: Picture::default(),
        };
        bench.hear(Reading::Floor { time: wall(FLOOR) });
        bench
    }

    fn hear(&mut self, reading: Reading) -> Vec<Note> {
        self.take(&Fact::Seen(reading))
    }

    fn take(&mut self, fact: &Fact) -> Vec<Note> {
        self.take_at(Mono(0), fact)
    }

    fn take_at(&mut self, now: Mono, fact: &Fact) -> Vec<Note> {
        let mut out = Actions::default();
        self.clock.step(&mut Pass {
            now,
            fact,
            settings: &self.settings,
            picture: &mut self.picture,
            out: &mut out,
        });
        assert_eq!(out.orders, [], "the policy owns no action");
        out.notes
    }

    fn kernel(&mut self, synced: bool, seconds: i64, at: u64) -> Vec<Note> {
        self.hear(Reading::Clock {
            synced,
            shown: Some(shown(seconds, at)),
        })
    }

    fn rtc(&mut self, seconds: i64, at: u64) -> Vec<Note> {
        self.hear(Reading::Rtc(RtcSeen {
            shown: Some(shown(seconds, at)),
            oscillator_stopped: None,
            temperature: None,
        }))
    }
}

/// An rtc that strays is told at more than the tolerance, and is right again at half of it.
#[test]
fn straying_has_a_margin() {
    let mut bench = Bench::new();
    bench.kernel(true, FLOOR, 0);
    assert_eq!(bench.rtc(FLOOR + TOLERANCE, 0), []);
    let by = Duration::from_secs(31);
    let why = RtcDoubt::Ahead { by };
    assert_eq!(bench.rtc(FLOOR + 31, 0), [Note::RtcWrong { why }]);
    assert_eq!(bench.picture.clock, Verdict::Warn);
    // More of the same is no news, and neither is a little less.
    assert_eq!(bench.rtc(FLOOR + 900, 0), []);
    assert_eq!(bench.rtc(FLOOR + 16, 0), []);
    assert_eq!(bench.rtc(FLOOR + 15, 0), [Note::Guard(GuardNote::RtcRight)]);
    let why = RtcDoubt::Behind { by };
    assert_eq!(bench.rtc(FLOOR - 31, 0), [Note::RtcWrong { why }]);
}

/// News that come late do not make a clock jump or stand: what counts is when it was read.
#[test]
fn late_news_are_no_steps() {
    let mut bench = Bench::new();
    bench.kernel(true, FLOOR, 0);
    bench.rtc(FLOOR, 0);
    for at in [60, 120, 59, 61] {
        let seconds = FLOOR + at;
        let at = at.unsigned_abs() * 1000;
        assert_eq!(bench.kernel(true, seconds, at), [], "{at}");
        assert_eq!(bench.rtc(seconds, at), [], "{at}");
    }
}

/// A step is told with its size, from ten seconds on; what a clock can be slewed is none.
#[test]
fn steps_are_told() {
    for (seconds, at, expected) in [
        (FLOOR + 9, 0, None),
        (FLOOR + 10, 0, Some((10, true))),
        (FLOOR - 10, 0, Some((10, false))),
        // Ten minutes later: an eighth of them more.
        (FLOOR + 600 + 84, 600_000, None),
        (FLOOR + 600 + 85, 600_000, Some((85, true))),
    ] {
        let mut bench = Bench::new();
        bench.kernel(true, FLOOR, 0);
        let note = expected.map(|(by, ahead)| Note::ClockStepped {
            by: Duration::from_secs(by),
            ahead,
        });
        let notes = bench.kernel(true, seconds, at);
        assert_eq!(notes, Vec::from_iter(note), "{seconds} {at}");
    }
}

/// A floor that was raised by a wrong time source is lowered by a clock that is synced for ten minutes
/// without a step, and by no other; never below the earliest that was told.
#[test]
fn a_clock_that_is_synced_for_long_lowers_the_floor() {
    // Ahead of the earliest floor, in seconds; a reading in which it is not synced, or steps; the trust.
    let cases = [
        (0, None, Trust::Synced),
        (0, Some((false, 0)), Trust::Unset),
        (0, Some((true, 300)), Trust::Unset),
        (-61, None, Trust::Unset),
        (-60, None, Trust::Synced),
    ];
    for (ahead, odd, wanted) in cases {
        let mut bench = Bench::new();
        bench.hear(Reading::Floor {
            time: wall(FLOOR + 1_000_000),
        });
        for at in (0..=600_i64).step_by(10) {
            let (synced, by) = odd.filter(|_| at == 300).unwrap_or((true, 0));
            let time = FLOOR + ahead + by + at;
            // As it began: the time that passes is not to bring it above the floor.
            let time = if ahead < 0 { FLOOR + ahead } else { time };
            let read = at.unsigned_abs() * 1000;
            let shown = Some(shown(time, if ahead < 0 { 0 } else { read }));
            assert_eq!(bench.clock.trust(), Trust::Unset, "{ahead} {odd:?} {at}");
            let fact = Fact::Seen(Reading::Clock { synced, shown });
            bench.take_at(Mono(read), &fact);
        }
        assert_eq!(bench.clock.trust(), wanted, "{ahead} {odd:?}");
    }
}

/// What is told of the floor only raises it.
#[test]
fn the_floor_only_rises() {
    let mut bench = Bench::new();
    bench.hear(Reading::Floor {
        time: wall(FLOOR - 1_000),
    });
    bench.kernel(false, FLOOR - 500, 0);
    assert_eq!(bench.clock.trust(), Trust::Unset);
    bench.hear(Reading::Floor {
        time: wall(FLOOR + 1_000),
    });
    bench.kernel(false, FLOOR + 500, 1_000_000);
    assert_eq!(bench.clock.trust(), Trust::Unset);
}

proptest! {
    /// Whatever two clocks show, they differ by one size, seen from both sides, and nothing
    /// overflows.
    #[test]
    fn differences(
        one in 0..=Wall::MAX.seconds(), other in 0..=Wall::MAX.seconds(),
        at in any::<u64>(), then in any::<u64>(),
    ) {
        let (one, other) = (shown(one, at), shown(other, then));
        prop_assert_eq!(ahead(one, other), -ahead(other, one));
        prop_assert_eq!(size(ahead(one, other)), size(ahead(other, one)));
    }
}

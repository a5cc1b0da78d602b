//! Judges one number against two limits, with a margin on the way back so that a value that
//! trembles at a limit gives one note and not a hundred.

use super::picture::Verdict;
use super::settings::Limits;

/// On which side a number is worse.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Worse {
    /// At or above the limit: temperature, load.
    Higher,
    /// Below the limit: free space, memory.
    Lower,
}

impl Worse {
    fn beyond<T: Ord>(self, value: T, limit: T) -> bool {
        match self {
            Worse::Higher => value >= limit,
            Worse::Lower => value < limit,
        }
    }
}

/// The verdict that follows `before` when `value` is read.
///
/// `release` holds the limits that must be passed on the way back.
pub(crate) fn judge<T: Copy + Ord>(
    before: Verdict,
    value: T,
    limits: Limits<T>,
    release: Limits<T>,
    worse: Worse,
) -> Verdict {
    let critical = worse.beyond(value, limits.critical)
        || before == Verdict::Critical && worse.beyond(value, release.critical);
    let warn = worse.beyond(value, limits.warn)
        || before >= Verdict::Warn && worse.beyond(value, release.warn);
    if critical {
        Verdict::Critical
    } else if warn {
        Verdict::Warn
    } else {
        Verdict::Ok
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Critical, Ok, Unknown, Warn};

    /// Every range, entered from every verdict, on both sides.
    #[test]
    fn ranges_and_margins() {
        let limits = Limits {
            warn: 80,
            critical: 85,
        };
        let release = Limits {
            warn: 77,
            critical: 82,
        };
        let high = |before, value| judge(before, value, limits, release, Worse::Higher);
        for before in [Ok, Unknown, Warn, Critical] {
            assert_eq!(high(before, 76), Ok);
            assert_eq!(high(before, 85), Critical);
        }
        assert_eq!(high(Ok, 79), Ok);
        assert_eq!(high(Warn, 79), Warn);
        assert_eq!(high(Unknown, 79), Ok);
        assert_eq!(high(Ok, 80), Warn);
        assert_eq!(high(Warn, 84), Warn);
        assert_eq!(high(Critical, 84), Critical);
        assert_eq!(high(Critical, 81), Warn);
        assert_eq!(high(Critical, 78), Warn);
        let limits = Limits {
            warn: 15,
            critical: 5,
        };
        let release = Limits {
            warn: 17,
            critical: 7,
        };
        let low = |before, value| judge(before, value, limits, release, Worse::Lower);
        assert_eq!(low(Ok, 15), Ok);
        assert_eq!(low(Ok, 14), Warn);
        assert_eq!(low(Warn, 16), Warn);
        assert_eq!(low(Warn, 17), Ok);
        assert_eq!(low(Warn, 4), Critical);
        assert_eq!(low(Critical, 6), Critical);
        assert_eq!(low(Critical, 7), Warn);
    }
}
